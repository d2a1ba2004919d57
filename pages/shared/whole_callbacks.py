"""A press is carried out to its end.

Streamlit looks for newer messages of the browser whenever a callback reads or sets session state, and takes one that
has come for the callback's own `st.rerun()`: it ends the callback there, half done, and the rest is lost. Here the
newer message waits until the callbacks are through.
"""

from __future__ import annotations

from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequest, ScriptRequests
from streamlit.runtime.scriptrunner_utils.script_run_context import RunLocation, ThreadState

_look = ScriptRequests.on_scriptrunner_yield


def _look_between_callbacks(requests: ScriptRequests) -> ScriptRequest | None:
    return None if ThreadState.get().run_location is RunLocation.CALLBACK else _look(requests)


def install() -> None:
    """For this process; may be called again."""
    ScriptRequests.on_scriptrunner_yield = _look_between_callbacks  # type: ignore[method-assign]
