"""What does another environment buy? Effect error where no network has been, and overlap, against their number."""

from __future__ import annotations

import streamlit as st

from crl_core.config import RunConfig
from crl_core.jobs.ensure_runs import RunsFailed, missing
from crl_core.runs.sealing import StoreError
from crl_core.studies.environments import BAKED, SEEDS, baked_environments, cautions, cautions_before, runs_of
from pages.shared import controls, environments_report, many_runs, page_header, require, server_cache, style
from pages.shared.run_view import warn

require()
asked = controls()


def main(preset_id: str) -> None:
    seeds = st.session_state.get("environments.seeds") or SEEDS
    try:
        wanted, said = planned(preset_id, seeds)
    except ValueError as error:
        page_header(asked.preset.title)
        style.notice("This world cannot be studied", str(error)[:1].upper() + str(error)[1:])
        return
    study, where = None, ""
    try:
        if not missing(wanted, server_cache.store()):
            study = server_cache.environments_measured(preset_id, seeds, server_cache.stamp(wanted))
            where = "Measured on this machine."
        else:
            study = baked_environments(server_cache.store().baked, preset_id)
            where = "Measured before the program was shipped."
            if study is None and (problem := BAKED.problem(server_cache.store().baked)):
                st.error(style.plain(problem))
    except (RunsFailed, StoreError, ValueError) as error:
        st.error(style.plain(str(error)[:1].upper() + str(error)[1:]))
    page_header(
        "Trained with two to five environments, and tried on one never seen.",
        world=asked.preset.title,
    )
    warn(said if study is None else cautions(study))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            "Seeds",
            [5, 10],
            default=SEEDS,
            key="environments.seeds",
            required=True,
            width="content",
            help="Replicates of every training set.",
        )
        if study is not None:
            environments_report.downloads(study)
        name = f"environments.runs.{preset_id}.{seeds}"
        many_runs.panel(name, wanted, start="Run the study here", again=study is not None)
    if study is None:
        style.notice(
            "This world has not been studied yet",
            "One click trains two to five environments, leaves each out in turn, repeats them, and reports with error "
            "bars.",
        )
        return
    environments_report.draw(study, where)


@st.cache_resource(max_entries=64, show_spinner=False)
def planned(preset_id: str, seeds: int) -> tuple[list[tuple[RunConfig, bool]], tuple[str, ...]]:
    """The study's runs, hundreds of configs that are each checked, and what it lacks whatever they say."""
    return runs_of(preset_id, seeds), cautions_before(preset_id)


main(asked.preset.id)
