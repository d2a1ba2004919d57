"""Several runs, submitted as ordinary jobs: their button, their progress, and their end.

A view of `crl_core.jobs.ensure_runs.SeveralRuns`: the page that shows the progress submits the next run.
"""

from __future__ import annotations

import streamlit as st

from crl_core.jobs.ensure_runs import SeveralRuns, Wanted, missing
from pages.shared import job_panel, server_cache, style

_POLL_S = 1.0


def panel(name: str, wanted: Wanted, *, start: str, again: bool) -> bool:
    """Draw the runs `wanted`, in a horizontal container; whether all are stored. `name` is their session key.

    start: the button's words.  again: whether there is something to show already, so that the button is a quiet one.
    """
    lacking = missing(wanted, server_cache.store())
    running: SeveralRuns | None = st.session_state.get(name)
    if not lacking:
        st.session_state.pop(name, None)
        return True
    if running is not None and under_way(name):
        with st.container():
            st.fragment(_watch, run_every=_POLL_S)(name, wanted)
        return False
    seconds = sum(server_cache.estimate_s(config) for config, _ in lacking)
    done = len(wanted) - len(lacking)
    st.button(
        "Continue" if done else start,
        type="secondary" if again else "primary",
        key=f"{name}.start",
        on_click=_start,
        args=(name,),
    )
    stored = f"{done} of {len(wanted)} runs are stored. " if done else ""
    with st.container():
        if running is not None:
            st.error(running.problem or "")
        style.quiet(
            f"{stored}Trains {len(lacking)} {'run' if len(lacking) == 1 else 'runs'}, about "
            f"{style.duration(seconds)} ({server_cache.device_line()})."
        )
    return False


def under_way(name: str) -> bool:
    """Whether this visitor's runs `name` go on."""
    running: SeveralRuns | None = st.session_state.get(name)
    return running is not None and running.problem is None


def _start(name: str) -> None:
    st.session_state[name] = SeveralRuns()


def _cancel(name: str, wanted: Wanted) -> None:
    st.session_state.pop(name, None)
    for config, _ in wanted:
        if job_panel.state_of(config.key).active:
            job_panel.cancel(config.key)


def _watch(name: str, wanted: Wanted) -> None:
    """Progress of the runs; submits what comes next. A fragment: drawn again by itself."""
    running: SeveralRuns | None = st.session_state.get(name)
    if running is None:
        st.rerun()
        return
    states = running.advance(wanted, server_cache.jobs())
    if not states or running.problem is not None:
        st.rerun()
    done, total = len(wanted) - len(states), len(wanted)
    here = next((state for state in states if state.active and state.phase != "queued"), None)
    share, line = job_panel.progress_line(here) if here is not None else (0.0, "Waiting for the worker")
    st.progress(min(1.0, (done + min(share, 0.99)) / total), text=f"Run {min(done + 1, total)} of {total}. {line}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Cancel", key=f"{name}.cancel", on_click=_cancel, args=(name, wanted))
        style.quiet("Runs that are done stay stored. The others go on while this page is open.")
