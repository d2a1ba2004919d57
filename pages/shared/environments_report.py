"""The study of environments as its page shows it: the answer, the figures it stands on, every number, and downloads."""

from __future__ import annotations

import streamlit as st

from crl_core.figures.by_envs import by_envs
from crl_core.figures.palette import palette
from crl_core.studies import environments_report as report
from crl_core.studies.environments import SETS, SIZES, EnvironmentsStudy
from pages.shared import style
from pages.shared.folds import fold
from pages.shared.tables import chart, say, table


def draw(study: EnvironmentsStudy, where: str) -> None:
    """Answer first, then the figures it stands on, then every number."""
    say(report.headline(study))
    style.quiet(f"{where} {report.setting(study)}")
    _section("On an environment that no network has seen", report.UNSEEN, study)
    for column, item in zip(st.columns(3), SETS.values(), strict=True):
        with column:
            style.quiet(item.sentence)
    _section("Leaving one environment out, between the first two", report.LEFT_OUT, study)
    if report.why_not(study):
        style.quiet(report.why_not(study))
    _section("Overlap of the environments in the latent", report.OVERLAP, study)
    fold("Choosing λ without the truth", "environments.rules", lambda: _rules(study))
    fold("Every number", "environments.every", lambda: _every_number(study))


def _rules(study: EnvironmentsStudy) -> None:
    style.quiet(
        "Leave-one-environment-out factual error asks for no truth, only for more runs. Beside it: held-out "
        "factual error and overlap. Regret is the effect error of the λ picked over the best of this study's four "
        "λ; median [least, largest] over replicates."
    )
    table(report.RULE_HEADER, [report.rule_cells(row) for row in report.rules(study)], words_from=1)


def _every_number(study: EnvironmentsStudy) -> None:
    for sentence in report.sentences(study):
        style.quiet(sentence)
    cells = [
        row for panels in (report.UNSEEN, report.LEFT_OUT, report.OVERLAP) for row in report.table_cells(study, panels)
    ]
    table(report.HEADER, cells)


def downloads(study: EnvironmentsStudy) -> None:
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


def _section(title: str, panels: tuple[report.Panel, ...], study: EnvironmentsStudy) -> None:
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
