"""The lecture while its run trains: looked at again every second, in the place where the finished one will stand."""

from __future__ import annotations

import streamlit as st

from crl_core.config import RunConfig
from crl_core.lecture.handout import naming_of
from crl_core.lecture.training_frames import training_frames
from pages.shared import job_panel, last_run, load, server_cache, table_run
from pages.shared.asked import Controls
from pages.shared.lecture_scrubber import scrubber
from pages.shared.lecture_stage import stage_of

_POLL_S = 1.0


def draw(now: Controls, config: RunConfig) -> None:
    """The curves so far and what is seen of the models; the whole page is drawn again when the run is there."""
    naming, levels = naming_of(config, now.preset.env_word), table_run.levels_of(config)
    before = last_run.before(config)

    @st.fragment(run_every=load.pace(_POLL_S))
    def live() -> None:
        state = job_panel.state_of(config.key)
        moved = st.session_state["lam"] != now.lam  # by hand: the sidebar is outside of this fragment
        if moved or not state.active or state.phase in ("finished", "completed"):
            st.rerun()
        so_far = server_cache.watcher(config.key).follow()
        progress = job_panel.progress_line(state)
        data = training_frames(
            config,
            so_far,
            naming=naming,
            palettes=server_cache.lecture_palettes(),
            levels=levels,
            looked_at=None if so_far.views is None else server_cache.looked_at(config),
            progress=progress,
        )
        stamp = f"{config.key}|epoch {len(so_far.epochs)}|{so_far.views and so_far.views.epoch}|{progress[1]}"
        scrubber(data, stamp, now.lam, lambda sigma: None, stage_of(now), before=before)

    live()
