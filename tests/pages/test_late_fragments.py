"""A poll of the page before draws nothing over the page that has come."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

from pages.shared import late_fragments


@pytest.mark.parametrize(
    ("page", "fragment", "runs"),
    [
        ("before", ["poll"], False),
        ("here", ["poll"], True),
        ("before", [], True),  # the whole page: somebody goes there
        ("", ["poll"], True),  # a message that names no page
    ],
)
def test_a_fragments_message_from_the_page_before_is_left_unanswered(
    monkeypatch: pytest.MonkeyPatch, page: str, fragment: list[str], runs: bool
) -> None:
    ran: list[RerunData] = []
    monkeypatch.setattr(late_fragments, "_run", lambda runner, asked: ran.append(asked))
    pages = PagesManager("app.py")
    pages._set_pages({name: {"page_script_hash": name} for name in ("before", "here")})  # type: ignore[typeddict-item]
    pages.set_current_page_script_hash("here")
    asked = RerunData(page_script_hash=page, fragment_id_queue=fragment)
    late_fragments._run_what_is_here(SimpleNamespace(_pages_manager=pages), asked)  # type: ignore[arg-type]
    assert ran == ([asked] if runs else [])
