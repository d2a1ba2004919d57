"""A fragment's message from the page before draws nothing.

Right after a press that leads to another page, a browser may send one more message for a fragment of the page that it
still shows: a poll's, or another press's. Streamlit would answer as that page; the browser then clears the new one, in
whose place nothing comes, and stays blank.
"""

from __future__ import annotations

from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

_run = ScriptRunner._run_script


def _run_what_is_here(runner: ScriptRunner, asked: RerunData) -> None:
    pages = runner._pages_manager
    elsewhere = asked.page_script_hash in pages.get_pages() and asked.page_script_hash != pages.current_page_script_hash
    if not (asked.fragment_id_queue and elsewhere):
        _run(runner, asked)


def install() -> None:
    """For this process; may be called again."""
    ScriptRunner._run_script = _run_what_is_here  # type: ignore[method-assign]
