"""Lessons on their pages: predict, reveal, go on; links, locks, languages. On the runs that come with the program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from crl_core.lessons.answers import SKIPPED
from crl_core.lessons.lesson import Lesson, lessons
from crl_core.runs.store import RunStore
from pages.shared import lesson_answers, moved
from tests.pages import conftest
from tests.pages.conftest import ROOT, served


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunStore]:
    """The app's store with the runs that come with the program."""
    yield from served(RunStore(root=tmp_path / "cache", baked=ROOT / "cache" / "baked"), monkeypatch)


def opened(page: str = "train", **params: str) -> AppTest:
    app = conftest.opened(page, **params)
    assert not app.exception
    return app


def html(app: AppTest) -> str:
    return " ".join(str(block.proto.body) for block in app.get("html"))


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception
    return app


def at(app: AppTest) -> tuple[str, str]:
    lesson, step = (app.query_params[name] for name in ("lesson", "step"))
    return "".join(lesson), "".join(step)


def test_a_reader_predicts_then_sees_what_was_measured_then_goes_on(shipped: RunStore) -> None:
    app = opened(lesson="machine", step="2")
    assert "For whose patients" in html(app)
    assert "<b>?</b>" in html(app)
    assert "2.08" not in html(app)
    assert app.button(key="lesson.reveal").disabled
    app.radio(key="lesson.answer.machine.1").set_value(1).run()
    press(app, "lesson.reveal")
    assert "hospital B 2.08" in html(app)
    assert "as you predicted" in html(app)
    assert "<b>?</b>" not in html(app)
    press(app, "lesson.next")
    assert at(app) == ("machine", "3")
    assert app.session_state["lam"] == 0


def test_what_is_skipped_is_recorded_as_skipped_and_shown(shipped: RunStore) -> None:
    app = press(opened(lesson="mixed", step="2"), "lesson.skip")
    assert app.session_state["lesson.answers"]["mixed"] == {1: SKIPPED}
    assert "skipped" in html(app)
    assert "as you predicted" not in html(app)
    assert "AUC 1.00" in html(app)


def test_who_leaves_before_the_reveal_sees_every_figure_outside_the_lesson(shipped: RunStore) -> None:
    app = opened(lesson="machine", step="2")
    assert "<b>?</b>" in html(app)
    press(app, "lesson.leave")
    app.switch_page("pages/effects.py").run()
    assert "effect error" in html(app)
    assert "<b>?</b>" not in html(app)


def test_a_number_counts_once_it_was_moved_or_stood_by(shipped: RunStore) -> None:
    app = opened(lesson="mixed", step="2")
    assert app.button(key="lesson.reveal").disabled
    press(app, "lesson.stay")
    assert not app.button(key="lesson.reveal").disabled
    app.slider(key="lesson.answer.mixed.1").set_value(0.99).run()
    press(app, "lesson.reveal")
    assert "as you predicted" in html(app)


# AppTest loses the sidebar of a page that ends in st.stop() once it is run again; a browser takes that lesson.
WHOLE = [lesson for lesson in lessons().values() if lesson.id != "ninety-nine"]


@pytest.mark.parametrize("lesson", WHOLE, ids=lambda lesson: lesson.id)
def test_every_lesson_can_be_skipped_through_to_its_result(lesson: Lesson, shipped: RunStore) -> None:
    app = opened(lesson=lesson.id)
    for index, step in enumerate(lesson.steps):
        assert at(app) == (lesson.id, str(index + 1))
        assert app.session_state["places.here"] == step.page
        if step.asks:
            press(app, "lesson.skip")
        press(app, "lesson.finish" if index == len(lesson.steps) - 1 else "lesson.next")
    assert app.session_state["places.here"] == "lessons"
    assert "skipped" in html(app)
    text = app.code[0].value
    assert lesson.title in text
    assert lesson.version in text


def test_the_sheet_has_the_answers_and_the_handout_has_none(shipped: RunStore) -> None:
    from pages.shared.lesson_result import sheet

    app = opened(lesson="machine", step="2")
    app.radio(key="lesson.answer.machine.1").set_value(0).run()
    press(app, "lesson.reveal")
    lesson = lessons()["machine"]
    with_answers, without = sheet(lesson, {1: 0}), sheet(lesson, None)
    assert "hospital B 2.08" in with_answers
    assert "38e6b9d60a13697a" in with_answers
    assert "2.08" not in without
    assert "both alike: neither error is 1.2 times the other" in without
    assert without.count('class="write"') == sum(step.asks for step in lesson.steps)


def test_what_the_browser_kept_is_taken_where_it_can_be_an_answer(shipped: RunStore) -> None:
    lesson = lessons()["machine"]
    kept = {
        "machine": {"version": lesson.version, "answers": {"1": 1, "3": 99, "x": 1, "2": [0.0] * 16, "40": 1}},
        "mixed": {"version": "of last year", "answers": {"1": 0.9}},
        "gone": {"version": "1", "answers": {"1": 1}},
        "coin": 7,
    }
    for text in (json.dumps(kept), "[]", "{", "null", '"x"'):
        lesson_answers._merge(text)
    assert lesson_answers.answers_of(lesson) == {1: 1, 2: [0.0] * 16}
    assert lesson_answers.answers_of(lessons()["mixed"]) == {}


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"lesson": "machin"}, "There is no lesson “machin”"),
        ({"lesson": "machine", "step": "77"}, "it has steps 1 to 5"),
        ({"lesson": "machine", "step": "-1"}, "it has steps 1 to 5"),
        ({"lesson": "machine", "step": "²"}, "it has steps 1 to 5"),
        ({"lesson": "machine", "step": "2", "room": "blä!"}, "1 to 24 letters"),
        ({"lang": "fr"}, "it must be one of en, de"),
        ({"lock": "magic"}, "it may have preset, world, lam, train, all"),
        ({"show": "nowhere"}, "it may have lessons, train"),
    ],
)
def test_a_link_that_asks_for_what_is_not_there_gets_a_sentence_and_a_page(
    params: dict[str, str], says: str, shipped: RunStore
) -> None:
    app = opened(**params)
    assert any(says in warning.value.replace("\\", "") for warning in app.warning)
    assert not app.error


def test_a_lesson_whose_run_is_gone_says_so_and_can_be_gone_through(store: RunStore) -> None:
    app = opened(lesson="mixed", step="2")
    assert "not in the store of this server" in html(app)
    assert app.button(key="lesson.reveal").disabled
    press(app, "lesson.skip")
    assert app.session_state["lesson.answers"]["mixed"] == {1: SKIPPED}


def test_a_lecturer_locks_controls_and_pages(shipped: RunStore) -> None:
    app = opened("latent", preset="leaky", lock="lam,preset", show="latent,effects")
    assert app.select_slider(key="lam").disabled
    assert app.selectbox(key="preset.by_word").disabled
    assert not app.slider(key="envs").disabled
    assert "Set by your lecturer: Preset; λ" in html(app)
    free = opened("latent", preset="leaky")
    assert not free.select_slider(key="lam").disabled
    held = opened("latent", lock="train,world")
    assert held.button(key="job.train").disabled
    assert held.slider(key="envs").disabled
    assert held.number_input(key="epochs").disabled
    assert not held.select_slider(key="lam").disabled


def test_in_german_lessons_terms_and_buttons_are_german_and_numbers_stay(shipped: RunStore) -> None:
    app = opened(lesson="machine", step="2", lang="de")
    german = lessons("de")["machine"]
    assert german.steps[1].ask in html(app)
    assert app.button(key="lesson.reveal").label != "Reveal"
    app.radio(key="lesson.answer.machine.1").set_value(1).run()
    press(app, "lesson.reveal")
    assert "2.08" in html(app)


def test_a_class_waits_for_the_lecturer_and_sees_what_the_room_predicted(shipped: RunStore) -> None:
    link = {"lesson": "machine", "step": "2", "room": "blue7"}
    students = [opened(**link, reveal="off") for _ in range(3)]
    for number, student in enumerate(students):
        student.radio(key="lesson.answer.machine.1").set_value(min(number, 1)).run()
        press(student, "lesson.reveal")
        assert "Your lecturer reveals" in html(student)
        assert "2.08" not in html(student)
    stage = press(opened(**link), "lesson.skip")
    assert "Predictions in this room: 3" in html(stage)
    student = students[0].run()
    assert "hospital B 2.08" in html(student)
    assert "<b>2</b>" in html(student)


def late(app: AppTest, drawn: str, page: str, **params: str) -> AppTest:
    """What follows a message of `page` at an address with `params`, from a browser that has drawn the move `drawn`."""
    app.text_input(key=moved.ECHO).set_value(drawn)
    app.switch_page(f"pages/{page}.py")
    for name in ("lesson", "step"):
        if name in params:
            app.query_params[name] = params[name]
        elif name in app.query_params:
            del app.query_params[name]
    app.run()
    assert not app.exception
    return app


def test_a_lesson_begun_is_not_left_for_a_message_that_the_list_of_lessons_sent_right_after(shipped: RunStore) -> None:
    app = opened("lessons")
    press(app, "lessons.begin.1")
    assert at(app) == ("machine", "1")
    there, drawn = app.session_state["places.here"], app.text_input(key=moved.ECHO).value
    late(app, "", "lessons")
    assert at(app) == ("machine", "1")
    assert app.session_state["places.here"] == there == lessons()["machine"].steps[0].page
    late(app, drawn, "lessons")  # by hand, once the step is there
    assert app.session_state["places.here"] == "lessons"
    assert "lesson" not in app.query_params


def test_next_and_leave_are_not_lost_to_a_message_that_was_under_way(shipped: RunStore) -> None:
    lesson, index = next(
        (lesson, index)
        for lesson in lessons().values()
        for index, step in enumerate(lesson.steps[:-1])
        if not step.asks and lesson.steps[index + 1].page == step.page
    )
    page = lesson.steps[index].page
    app = opened(page, lesson=lesson.id, step=str(index + 1))
    press(app, "lesson.next")
    drawn = app.text_input(key=moved.ECHO).value
    late(app, "", page, lesson=lesson.id, step=str(index + 1))
    assert at(app) == (lesson.id, str(index + 2))
    late(app, drawn, page, lesson=lesson.id, step=str(index + 1))  # the browser's own way back
    assert at(app) == (lesson.id, str(index + 1))
    press(app, "lesson.leave")
    assert app.session_state["places.here"] == "lessons"
    late(app, drawn, page, lesson=lesson.id, step=str(index + 1))
    assert app.session_state["places.here"] == "lessons"
    assert "lesson" not in app.query_params
