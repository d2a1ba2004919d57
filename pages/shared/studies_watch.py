"""A study as it goes on: how many runs are done, which failed, when it will end."""

from __future__ import annotations

import streamlit as st

from crl_core.studies.grid.folder import Status
from crl_core.studies.grid.study_file import Study
from pages.shared import job_panel, load, server_cache, strangers, style
from pages.shared.studies_plan import status_of
from pages.shared.style import plain

_POLL_S = 1.0
_SHOWN = 6  # failed runs that are named
_SEEN = "studies.seen"  # how many runs were done when the page was drawn


def watch(study: Study, status: Status | None) -> None:
    """Draw it, as often as something can have changed."""
    if status is None and not _here(study):
        return
    with st.container(key="panel_studies_watch"):
        style.panel_title("Progress", "a run is done when its numbers are in the table")
        going = _here(study) or (status is not None and status.driven)
        st.session_state[_SEEN] = study.id, -1 if status is None else len(status.done), going
        if going:
            st.fragment(_watch, run_every=load.pace(_POLL_S))(study)
        elif status is not None:
            _say(study, status)


def _here(study: Study) -> bool:
    driven = server_cache.studies().driven
    return driven is not None and driven.id == study.id


def _watch(study: Study) -> None:
    """A fragment: the whole page is drawn again when a run has ended, since table and figure have grown."""
    status = status_of(study)
    going = _here(study) or (status is not None and status.driven)
    done = -1 if status is None else len(status.done)
    if st.session_state.get(_SEEN) != (study.id, done, going):
        st.session_state[_SEEN] = study.id, done, going
        st.rerun()
    if status is None:
        st.progress(0.0, text="It begins.")
        return
    total = len(study.runs)
    share, line = 0.0, ""
    for key in status.under_way:
        state = job_panel.state_of(key)
        if state.active and state.phase != "queued":
            share, line = job_panel.progress_line(state)
            break
    line = f" {line}." if line else ""
    rest = f" About {style.duration(status.rest_s)} of training left." if status.rest_s else ""
    st.progress(min(1.0, (done + min(share, 0.99)) / total), text=f"{done} of {style.count(total, 'run')}.{line}{rest}")
    if _here(study):
        allowed = strangers.may_upkeep()
        st.button("Cancel", key="studies.cancel", on_click=_cancel, args=(study.id,), disabled=not allowed)
    else:
        style.quiet("Another process drives it; it is watched here.")
    _failed(status)


def _say(study: Study, status: Status) -> None:
    done, total = len(status.done), len(study.runs)
    st.progress(done / total, text=f"{done} of {style.count(total, 'run')} done.")
    if status.stopped and done < total:
        st.warning(plain(f"It was left before its end: {status.stopped} Go on above."))
    _failed(status)


def _failed(status: Status) -> None:
    if status.failed:
        named = "; ".join(f"{key}: {reason}" for key, reason in list(status.failed.items())[:_SHOWN])
        more = f"; and {len(status.failed) - _SHOWN} more" if len(status.failed) > _SHOWN else ""
        st.error(plain(f"{style.count(len(status.failed), 'run')} failed and were given up. {named}{more}"))


def _cancel(study_id: str) -> None:
    server_cache.studies().cancel(study_id)
