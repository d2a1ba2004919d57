"""A press is carried out to its end.

Streamlit looks for newer messages of the browser before it runs the callbacks of the one at hand, and again whenever a
callback reads or sets session state, and takes one that has come for the callback's own `st.rerun()`: the press is lost
in the first case and half done in the second. Here the newer message waits until the callbacks are through.
"""

from __future__ import annotations

from typing import Any

from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequest, ScriptRequests
from streamlit.runtime.scriptrunner_utils.script_run_context import RunLocation, ThreadState
from streamlit.runtime.state.safe_session_state import SafeSessionState

_look = ScriptRequests.on_scriptrunner_yield


def _look_between_callbacks(requests: ScriptRequests) -> ScriptRequest | None:
    return None if ThreadState.get().run_location is RunLocation.CALLBACK else _look(requests)


def _run_callbacks(state: SafeSessionState, *values: Any, **more: Any) -> None:
    with state._lock:
        state._state.on_script_will_rerun(*values, **more)


def install() -> None:
    """For this process; may be called again."""
    ScriptRequests.on_scriptrunner_yield = _look_between_callbacks  # type: ignore[method-assign]
    SafeSessionState.on_script_will_rerun = _run_callbacks  # type: ignore[method-assign]
