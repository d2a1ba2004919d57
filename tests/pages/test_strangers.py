"""On a public server a visitor changes what he started only; and text from outside is shown as text."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from crl_core.runs.kept_tables import PUBLIC
from crl_core.runs.store import RunStore
from pages.shared import job_panel, runs_callbacks, server_cache, strangers
from tests.pages.conftest import Open, Tiny, words

ROOT = Path(__file__).parents[2]


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PUBLIC, "1")


def with_one_selected(open_app: Open, key: str) -> AppTest:
    return open_app("runs", q=key)


def test_a_stranger_cannot_delete_name_pin_or_cancel_what_another_started(
    store: RunStore, tiny: Tiny, public: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = store.save(tiny.result)
    monkeypatch.setattr(st, "session_state", {"none": ""})
    runs_callbacks.delete([key])
    runs_callbacks.pin([key], True)
    runs_callbacks.save(key, store.summary(key).label, dict.fromkeys(("name", "tags", "note"), "none"))  # type: ignore[union-attr]
    job_panel.cancel(key)
    assert st.session_state["runs.problems"] == [strangers.FOREIGN] * 3
    assert st.session_state["job.refusal"] == strangers.FOREIGN
    assert store.has(key)
    summary = store.summary(key)
    assert summary is not None
    assert not summary.pinned
    for act in (runs_callbacks.check, runs_callbacks.empty_trash):
        act()
        assert st.session_state["runs.problems"][-1] == strangers.OWNERS


def test_who_started_a_run_may_change_it(
    store: RunStore, tiny: Tiny, public: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(st, "session_state", {})
    strangers.start([tiny.config.key])
    key = store.save(tiny.result)
    runs_callbacks.delete([key])
    assert store.trashed() == [key]


def test_who_asks_for_what_another_started_or_stored_does_not_own_it(
    store: RunStore, tiny: Tiny, public: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, other = store.save(tiny.result), "0" * 16
    monkeypatch.setattr(st, "session_state", {})
    with store.lock(other):  # somebody has it in hand
        strangers.start([key, other])
        assert [strangers.may_change(each) for each in (key, other)] == [False, False]
    strangers.start([other])
    assert strangers.may_change(other)


def test_a_visitor_of_a_public_server_has_a_few_runs_at_a_time(
    store: RunStore, public: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Busy:
        def state(self, key: str) -> job_panel.JobState:
            under_way = key in st.session_state.get("strangers.started", ())
            return job_panel.JobState(phase="running" if under_way else "absent", active=under_way)

        def close(self) -> None:
            pass

    monkeypatch.setattr(st, "session_state", {})
    monkeypatch.setattr(server_cache, "jobs", Busy)
    for at in range(strangers.MOST_AT_ONCE):
        strangers.start([f"{at:016x}"])
    strangers.start(["0" * 16])  # one that is under way is joined
    with pytest.raises(ValueError, match="wait until one has ended"):
        strangers.start(["f" * 16])
    monkeypatch.delenv(PUBLIC)
    strangers.start(["f" * 16])


def test_a_public_server_says_so_and_takes_no_bundles(
    open_app: Open, store: RunStore, tiny: Tiny, public: None
) -> None:
    store.save(tiny.result)
    app = open_app("runs")
    assert not app.exception
    assert "This is a public server" in words(app)
    assert not [button for button in app.button if button.key in ("runs.check", "runs.empty")]
    assert not app.get("file_uploader")


def test_a_stranger_starts_no_study_of_many_runs(open_app: Open, public: None, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_app("penalties", preset="hospital")
    starts = [button for button in app.button if button.key and button.key.endswith(".start")]
    assert starts
    assert all(button.disabled for button in starts)
    monkeypatch.delenv(PUBLIC)
    app = open_app("penalties", preset="hospital")
    assert any(not button.disabled for button in app.button if button.key and button.key.endswith(".start"))


def test_elsewhere_everybody_may_do_everything(open_app: Open, store: RunStore, tiny: Tiny) -> None:
    key = store.save(tiny.result)
    app = open_app("runs")
    assert "This is a public server" not in words(app)
    app.button(key="runs.empty").click().run()
    assert "The trash is empty." in words(app)
    assert strangers.may_change(key)


def test_every_sentence_that_may_repeat_what_came_from_outside_is_shown_as_text() -> None:
    """They draw Markdown, pictures and links too: what is no literal goes through `plain`."""
    raw = []
    for path in sorted((ROOT / "pages").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and re.fullmatch(r"st\.(error|warning|info|success)", ast.unparse(node.func)):
                said = node.args[0] if node.args else None
                text = "" if said is None else ast.unparse(said)
                if not isinstance(said, ast.Constant) and not re.match(r"(style\.)?plain\(|tr\(", text):
                    raw.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)[:90]}")
    assert not raw, "\n".join(raw)
