"""What does another environment buy? Effect error where no network has been, and overlap, against their number."""

from __future__ import annotations

import streamlit as st

from crl_core.figures.by_envs import by_envs
from crl_core.figures.palette import palette
from crl_core.jobs.ensure_run import PassFailed, all_there
from crl_core.runs.sealing import StoreError
from crl_core.studies import environments_report as report
from crl_core.studies.environments import SEEDS, SETS, SIZES, Study, baked_study, run_study, runs_of
from pages.shared import controls, many_runs, page_header, require, server_cache, style
from pages.shared.tables import chart, say, table

_DEFINITIONS = """
**Unseen environment**: 2,000 fresh rows of a place that no network was trained on; there a coin decides the treatment.
**Sets**: new environments widen the range of s, fill the gap between the first two, or repeat the first two exactly.
Every training set has the same number of rows.

**Left out**: of E environments each is left out in turn, the network is trained on the others and judged on the one
left out. Not defined where the others treat everyone or no one.

**Generalisation gap**: ITE RMSE of the worst environment minus the mean over environments, held out.

**kNN mixing**: share of nearest neighbours from other environments over that of full mixing. **Domain AUC**: how well a
kNN classifier tells the environments apart, 0.5 is chance. **MMD²**: Gaussian kernel, median bandwidth, no root; here
the unbiased estimate (U-statistic), since the biased one grows as the same rows are shared by more environments.

**Bars** reach from the least to the largest value over seeds; points are medians. A model that broke counts as the
worst.
"""

require()
asked = controls()


@st.cache_resource(max_entries=8, show_spinner="Judging the stored networks")
def measured_here(preset_id: str, seeds: int, stamp: tuple[float, ...]) -> Study:
    """The study on runs that are stored here; `stamp` says when they were."""
    return run_study(preset_id, seeds, server_cache.store())


def main(preset_id: str) -> None:
    seeds = st.session_state.get("environments.seeds") or SEEDS
    wanted = runs_of(preset_id, seeds)
    study, where = None, ""
    try:
        if all_there(wanted, server_cache.store()):
            made = [server_cache.store().summary(config.key) for config, _ in wanted]
            study = measured_here(preset_id, seeds, tuple(item.created for item in made if item is not None))
            where = "Measured on this machine."
        else:
            study = baked_study(server_cache.store().baked, preset_id)
            where = "Measured before the program was shipped."
    except (PassFailed, StoreError, ValueError) as error:
        st.error(str(error)[:1].upper() + str(error)[1:])
    page_header(
        "What does another environment buy?",
        f"{asked.preset.title}, with two to five environments; the preset's own world, whatever else the sidebar says.",
        _DEFINITIONS,
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            "Seeds",
            [3, 5, 10],
            default=SEEDS,
            key="environments.seeds",
            required=True,
            width="content",
            help="Replicates of every training set.",
        )
        if study is not None:
            downloads(study)
        name = f"environments.pass.{preset_id}.{seeds}"
        many_runs.panel(name, wanted, start="Run the study here", again=study is not None)
    if study is None:
        style.notice(
            "This world has not been studied yet",
            "One click trains two to five environments, leaves each out in turn, repeats them, and reports with error "
            "bars.",
        )
        return
    draw(study, where)


def downloads(study: Study) -> None:
    name = f"environments-{study.preset_id}"
    st.download_button(
        "Report, HTML",
        lambda: report.html(study).encode(),
        f"{name}.html",
        "text/html",
        key="environments.html",
        on_click="ignore",
    )
    st.download_button(
        "Report, Markdown",
        lambda: report.markdown(study).encode(),
        f"{name}.md",
        "text/markdown",
        key="environments.md",
        on_click="ignore",
    )


def draw(study: Study, where: str) -> None:
    """Answer first, then the figures it stands on, then every number."""
    say(report.headline(study))
    style.quiet(f"{where} {report.setting(study)}")
    section("On an environment that no network has seen", report.UNSEEN, study)
    for column, item in zip(st.columns(3), SETS.values(), strict=True):
        with column:
            style.quiet(item.sentence)
    section("Leaving one environment out, between the first two", report.LEFT_OUT, study)
    if report.why_not(study):
        style.quiet(report.why_not(study))
    section("Overlap of the environments in the latent", report.OVERLAP, study)
    for sentence in report.sentences(study):
        say(sentence)
    st.subheader("Choosing λ without the truth", anchor=False)
    style.quiet(
        "Leave-one-environment-out factual error asks for no truth, only for more runs. Beside it: held-out factual "
        "error and "
        "overlap. Regret is the ITE RMSE of the λ picked over the best of this study's four λ; median [least, "
        "largest] over seeds."
    )
    table(report.RULE_HEADER, [report.rule_cells(row) for row in report.rules(study)], words_from=1)
    with st.expander("Every number"):
        cells = [
            row
            for panels in (report.UNSEEN, report.LEFT_OUT, report.OVERLAP)
            for row in report.table_cells(study, panels)
        ]
        table(report.HEADER, cells)


def section(title: str, panels: tuple[report.Panel, ...], study: Study) -> None:
    """A row of figures."""
    st.subheader(title, anchor=False)
    colours = palette(style.theme())
    for column, panel in zip(st.columns(len(panels)), panels, strict=True):
        drawn = by_envs(
            SIZES,
            report.lines_of(study, panel),
            colours,
            title=panel.title,
            label=panel.label,
            log=panel.log,
            limits=report.limits_of(study, panel, panels),
            level=panel.level,
        )
        with column, st.container(key=f"panel_{panel.id.replace('.', '_')}"):
            chart(drawn, f"environments.{panel.id}")


main(asked.preset.id)
