"""The last run stays on screen while the sidebar asks for one that is not trained, and its curve after that.

Above it a bar says what was changed, what training costs, and leads there or back. The picture is dimmed, so that
nobody takes it for that of the settings in the sidebar.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import streamlit as st

from crl_core.config import RunConfig
from crl_core.config.settings import moves, title_of, world_of
from crl_core.jobs.manager import JobState
from crl_core.measures.effect_of_change import medians, said
from crl_core.results import RunResult
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunCorrupted, RunNotFound, RunSummary
from pages.shared import job_panel, server_cache, style, table_kept
from pages.shared.asked import Controls

LAST_SEEN = "run.last_seen"  # config of the last run that was drawn
_BEFORE = "run.before"  # and of the one before it
_MOST = 4  # changes told one by one
_DIM = """<style>
.stMain [class*="st-key-panel"], .stMain [data-testid="stPlotlyChart"], .stMain .lecture-frame, .stMain .crl-numbers,
.stMain [data-testid="stBidiComponentRegular"], .stMain [data-testid="stBidiComponentIsolated"] {
  opacity: .45; transition: opacity .2s; }
.stMain [class*="st-key-panel"] [data-testid="stPlotlyChart"],
.stMain .st-key-bottom_bar [data-testid^="stBidiComponent"] { opacity: 1; }  /* of it Train is what is wanted now */
</style>"""


def saw(config: RunConfig) -> None:
    """This run is drawn."""
    last: RunConfig | None = st.session_state.get(LAST_SEEN)
    if last is not None and last.key != config.key:
        st.session_state[_BEFORE] = last
    st.session_state[LAST_SEEN] = config


def kept(config: RunConfig, state: JobState) -> RunConfig | None:
    """The run to show in place of `config`, which rests untrained; None where there is none, or `config` has its own.

    Only worlds that are simulated: a table's rows may be gone.
    """
    last: RunConfig | None = st.session_state.get(LAST_SEEN)
    if last is None or state.active or state.phase in ("finished", "completed") or last.key == config.key:
        return None
    if last.table is not None or config.table is not None or not server_cache.store().has(last.key):
        return None
    return last


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Before:
    """The run whose curve stays behind the one in view, and what the change did."""

    config: RunConfig
    result: RunResult

    def along(self, name: str) -> tuple[tuple[float, ...], np.ndarray] | None:
        """λ, and the medians [L] of a metric over the replicates; None where it has none."""
        values = medians(self.result, name)
        return None if values is None else (self.result.lams, values)

    def says(self, after: RunResult) -> str:
        """What was changed, and what it did."""
        changes = moves(self.config, after.config)
        more = f" and {len(changes) - _MOST} more" if len(changes) > _MOST else ""
        return f"Dashed curve: before {', '.join(changes[:_MOST])}{more}. {said(self.result, after)}"


def before(config: RunConfig) -> Before | None:
    """The run seen before that of `config`, of the same world but for changes."""
    last, older = st.session_state.get(LAST_SEEN), st.session_state.get(_BEFORE)
    found: RunConfig | None = older if last is not None and last.key == config.key else last
    if found is None or found.key == config.key or found.table is not None or config.table is not None:
        return None
    if world_of(found) != world_of(config) or not server_cache.store().has(found.key):
        return None
    try:
        return Before(config=found, result=server_cache.load(found.key))
    except (RunCorrupted, RunNotFound, StoreError):
        return None  # its own page says so; here nothing depends on it


def bar(asked: Controls, last: RunConfig, state: JobState, look_at: Callable[[RunSummary], None]) -> None:
    """What was changed, what training it costs, Train and Undo. `look_at` shows a run of an older version."""
    config = asked.config
    assert config is not None
    changes = moves(last, config)
    more = f" and {len(changes) - _MOST} more" if len(changes) > _MOST else ""
    older = next((run for run in server_cache.library().runs() if run.outdated and run.config.key == config.key), None)
    st.html(_DIM)
    with st.container(key="last_run_bar", border=True):
        if state.phase == "failed":
            st.error(style.plain(state.reason or "Training failed."))
        with st.container(horizontal=True, vertical_alignment="center"):
            cost = job_panel.resting_line(config, state) if state.phase == "cancelled" else job_panel.cost_line(config)
            says = " · ".join(changes[:_MOST]) + more if world_of(last) == world_of(config) else title_of(config)
            style.lead(says or title_of(config), f"These settings have not been trained yet. {cost}")
            st.button(
                "Train these settings",
                type="primary",
                key="run.train",
                on_click=job_panel.train,
                args=(config, asked.lam),
            )
            if older is not None:
                st.button("Look at the older run", key="run.older", on_click=look_at, args=(older,))
            st.button("Undo", key="run.back", on_click=table_kept.open_run, args=(last,))
        style.quiet(f"Shown, dimmed, is what was trained last: {title_of(last)}.")
