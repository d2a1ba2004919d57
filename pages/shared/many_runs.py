"""Several runs: their button, their progress, and their end. A view of `crl_core.jobs.background`."""

from __future__ import annotations

import streamlit as st

from crl_core.jobs.ensure_runs import Wanted, missing
from pages.shared import job_panel, load, server_cache, strangers, style

_POLL_S = 1.0


def panel(name: str, wanted: Wanted, *, start: str, again: bool) -> bool:
    """Draw the runs `wanted`, in a horizontal container; whether all are stored. `name` is what they are called.

    start: the button's words.  again: whether there is something to show already, so that the button is a quiet one.
    """
    lacking = missing(wanted, server_cache.store())
    if not lacking:
        return True
    which = _id(name, wanted)
    if which in server_cache.background().under_way():
        with st.container():
            st.fragment(_watch, run_every=load.pace(_POLL_S))(name, which, wanted)
        return False
    seconds = sum(server_cache.estimate_s(config) for config, _ in lacking)
    done = len(wanted) - len(lacking)
    allowed = strangers.may_upkeep()
    st.button(
        "Continue" if done else start,
        type="secondary" if again else "primary",
        key=f"{name}.start",
        on_click=_start,
        args=(which, wanted),
        disabled=not allowed,
        help=None if allowed else strangers.OWNERS,
    )
    stored = f"{done} of {len(wanted)} runs are stored. " if done else ""
    with st.container():
        if problem := server_cache.background().problem(which):
            st.error(style.plain(problem))
        style.quiet(
            f"{stored}Trains {len(lacking)} {'run' if len(lacking) == 1 else 'runs'}, about "
            f"{style.duration(seconds)} ({server_cache.device_line()})."
        )
    return False


def under_way(name: str, wanted: Wanted) -> bool:
    """Whether these runs go on, whoever started them."""
    return _id(name, wanted) in server_cache.background().under_way()


def _id(name: str, wanted: Wanted) -> str:
    """Of these very runs: under one name a page may ask for others."""
    return f"{name}.{hash(tuple(config.key for config, _ in wanted))}"


def _start(which: str, wanted: Wanted) -> None:
    server_cache.background().train(which, wanted, strangers.visitor())


def _watch(name: str, which: str, wanted: Wanted) -> None:
    """Progress of the runs. A fragment: drawn again by itself."""
    lacking = missing(wanted, server_cache.store())
    if not lacking or which not in server_cache.background().under_way():
        st.rerun()
    states = [job_panel.state_of(config.key) for config, _ in lacking]
    done, total = len(wanted) - len(lacking), len(wanted)
    here = next((state for state in states if state.active and state.phase != "queued"), None)
    share, line = job_panel.progress_line(here) if here is not None else (0.0, "Waiting for the worker")
    st.progress(min(1.0, (done + min(share, 0.99)) / total), text=f"Run {min(done + 1, total)} of {total}. {line}")
    with st.container(horizontal=True, vertical_alignment="center"):
        allowed = strangers.may_upkeep()
        st.button("Cancel", key=f"{name}.cancel", on_click=_cancel, args=(which,), disabled=not allowed)
        style.quiet("The runs go on if you leave this page; what is done stays stored.")


def _cancel(which: str) -> None:
    server_cache.background().stop(which)
