"""A pass over several runs, submitted as ordinary jobs: its button, its progress, and its end.

Only two of its runs are in the queue at a time, so that other visitors' runs are not kept waiting behind a whole pass;
the page that shows the progress submits the next one. What has been stored stays: a pass that was left goes on where it
was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from crl_core.config import RunConfig
from crl_core.jobs.ensure_run import is_there
from crl_core.runs.sealing import StoreError
from pages.shared import job_panel, server_cache, style

_POLL_S = 1.0
_AHEAD = 2  # runs of a pass in the queue at a time

Wanted = Sequence[tuple[RunConfig, bool]]  # a run, and whether its evidence is needed


@dataclass(slots=True)
class _Pass:
    submitted: set[str] = field(default_factory=set)
    problem: str | None = None


def panel(name: str, wanted: Wanted, *, start: str, again: bool) -> bool:
    """Draw the pass `name` (a session key) of the runs `wanted`, in a horizontal container; whether all are stored.

    start: the button's words.  again: whether there is something to show already, so that the button is a quiet one.
    """
    missing = [item for item in wanted if not _there(item)]
    running: _Pass | None = st.session_state.get(name)
    if not missing:
        st.session_state.pop(name, None)
        return True
    if running is not None and under_way(name):
        with st.container():
            st.fragment(_watch, run_every=_POLL_S)(name, wanted)
        return False
    seconds = sum(server_cache.estimate_s(config) for config, _ in missing)
    done = len(wanted) - len(missing)
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
            f"{stored}Trains {len(missing)} batched {'run' if len(missing) == 1 else 'runs'}, "
            f"about {style.duration(seconds)} ({server_cache.device_line()})."
        )
    return False


def under_way(name: str) -> bool:
    """Whether this visitor's pass `name` goes on."""
    running: _Pass | None = st.session_state.get(name)
    return running is not None and running.problem is None


def _start(name: str) -> None:
    st.session_state[name] = _Pass()


def _cancel(name: str, wanted: Wanted) -> None:
    st.session_state.pop(name, None)
    for config, _ in wanted:
        if job_panel.state_of(config.key).active:
            job_panel.cancel(config.key)


def _there(item: tuple[RunConfig, bool]) -> bool:
    return is_there(item[0], server_cache.store(), evidence=item[1])


def _watch(name: str, wanted: Wanted) -> None:
    """Progress of a pass; submits what comes next. A fragment: drawn again by itself."""
    running: _Pass | None = st.session_state.get(name)
    if running is None:
        st.rerun()
        return
    missing = [item for item in wanted if not _there(item)]
    states = [job_panel.state_of(config.key) for config, _ in missing]
    for (config, _), state in zip(missing, states, strict=True):
        if config.key in running.submitted and not state.active:
            why = {"cancelled": "One of its runs was cancelled.", "failed": state.reason}.get(state.phase)
            running.problem = why or state.reason
    n_active = sum(state.active for state in states)
    for (config, evidence), state in zip(missing, states, strict=True):
        if running.problem is None and n_active < _AHEAD and not state.active:
            try:
                server_cache.jobs().submit(config, parts=("evidence",) if evidence else ())
            except (ValueError, StoreError) as error:
                running.problem = str(error)
            running.submitted.add(config.key)
            n_active += 1
    if not missing or running.problem is not None:
        st.rerun()
    done, total = len(wanted) - len(missing), len(wanted)
    here = next((state for state in states if state.active and state.phase != "queued"), None)
    share, line = job_panel.progress_line(here) if here is not None else (0.0, "Waiting for the worker")
    st.progress(min(1.0, (done + min(share, 0.99)) / total), text=f"Run {min(done + 1, total)} of {total}. {line}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Cancel", key=f"{name}.cancel", on_click=_cancel, args=(name, wanted))
        style.quiet("Runs that are done stay stored. The pass goes on while this page is open.")
