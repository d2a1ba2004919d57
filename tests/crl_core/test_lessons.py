"""Lessons say what their runs say: every mask, answer and sentence resolves, and nothing measured stands in a file."""

from __future__ import annotations

import json
import math
import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_core.config.presets import PRESETS
from crl_core.lessons.answers import (
    SHAPES,
    SKIPPED,
    AnswerUnknown,
    checked,
    code,
    filled,
    measured,
    near,
    right_option,
    said,
    shape,
    words_of,
)
from crl_core.lessons.facts import along, facts, key_of, of_run, of_table
from crl_core.lessons.lesson import Lesson, LessonError, Step, lessons, parse
from crl_core.lessons.rooms import DAY_S, MOST_LINES, MOST_ROOMS, Rooms, room_name
from crl_core.metrics import METRIC
from crl_core.runs.store import RunStore
from pages.shared.places import PLACES

ROOT = Path(__file__).parents[2]
BAKED = RunStore(root=ROOT / "no such folder", baked=ROOT / "cache" / "baked")
STEPS = [
    pytest.param(lesson, at, id=f"{lesson.id}-{at + 1}")
    for lesson in lessons().values()
    for at in range(len(lesson.steps))
]


def load(key: str):
    return BAKED.load(key), BAKED.part(key, "evidence")


@pytest.mark.parametrize(("lesson", "at"), STEPS)
def test_every_step_says_what_its_shipped_run_says(lesson: Lesson, at: int) -> None:
    step = lesson.steps[at]
    found = facts(step, load)
    for text in (step.text, step.ask, step.conclude, *(option.says for option in step.options)):
        assert "{" not in filled(text, found)
    assert step.page in PLACES
    if step.kind == "choose":
        right = right_option(step, found)
        assert measured(step, found) == step.options[right].says
    if step.kind == "number":
        value = found[step.answer]
        assert step.low <= value <= step.high, "the answer can be set with the slider"
        assert near(step, value, found)
        assert not near(step, value + 1.01 * step.within + 1e-9, found)
    if step.kind == "draw":
        key = key_of(step)
        assert key is not None
        path = along(*load(key), step.answer)
        assert path is not None
        assert np.isfinite(path).all()
    if step.reveal:
        assert said(step.reveal, found)
    for variant in step.reveal:
        assert "{" not in filled(variant.says, found)


def test_there_are_eight_lessons_on_shipped_runs_and_a_shipped_table_only() -> None:
    assert list(lessons()) == ["machine", "mixed", "severe", "coin", "blind", "silent", "ninety-nine", "table"]
    for lesson in lessons().values():
        assert any(step.asks for step in lesson.steps)
        assert set(lesson.needs) <= lessons().keys()
        for step in lesson.steps:
            key = key_of(step)
            assert (key is None) == ("table" in step.set)
            assert key is None or BAKED.has(key)


def test_no_measured_number_is_written_in_a_lesson() -> None:
    """What is revealed has its numbers from facts; those in questions and options are bounds, and λ."""
    for path in sorted((ROOT / "crl_core" / "lessons").glob("*.toml")):
        for line in path.read_text().splitlines():
            if line.startswith(("reveal", "  {when", "  {says")) and "{says" in line and "when = [" not in line:
                for text in re.findall(r'says = "([^"]*)"', line):
                    bare = re.sub(r"\{\w+\}|λ = \d+|in 100|where a coin has 50|the size of 1|effect is 1", "", text)
                    assert not re.search(r"\d*\.\d+", bare), text


def test_facts_are_the_medians_that_pages_show() -> None:
    result, evidence = load(PRESETS["hospital"].config.key)
    assert evidence is not None
    found = of_run(result, evidence, 1.9)
    at, n, many = result.lams.index(1.9), len(result.lams), result.config.training.replicates
    assert result.ite_rmse is not None
    assert found["ite_rmse"] == pytest.approx(sorted(result.ite_rmse[at + r * n] for r in range(many))[many // 2])
    assert found["first_ite_rmse"] == pytest.approx(sorted(result.ite_rmse[r * n] for r in range(many))[many // 2])
    both = [max(evidence["r2_s_ridge"][at + r * n], evidence["r2_s_knn"][at + r * n]) for r in range(many)]
    assert found["r2_s"] == pytest.approx(sorted(both)[many // 2])
    least = [min(result.ite_rmse[r * n : (r + 1) * n]) for r in range(many)]
    assert found["best_ite_rmse"] == pytest.approx(sorted(least)[many // 2])
    assert of_run(result, None, 1.9).keys() < found.keys()


def test_a_table_says_its_word_and_the_effect_that_only_a_simulation_knows() -> None:
    found = of_table("clinics")
    assert [name for name in found if name.startswith("word_")] == ["word_with_care"]
    assert found["effect"] == pytest.approx(-6.8, abs=0.1)
    assert found["naive"] > 0


GOOD = """
title = "T"
minutes = 5
about = "A."
[[step]]
kind = "choose"
page = "effects"
set = {preset = "hospital", lam = 0}
ask = "Which?"
options = [{says = "one", when = ["ite_rmse > 1"]}, {says = "two", when = ["ite_rmse <= 1"]}]
reveal = [{says = "{ite_rmse}"}]
"""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('kind = "choose"', 'kind = "guess"'), "kind is 'guess'; it must be one of look, choose"),
        (('page = "effects"', 'page = "effects"\nanswr = "x"'), "there is no field answr"),
        (('"hospital"', '"clinic"'), "there is no preset 'clinic'"),
        (("ite_rmse > 1", "ite_rmse about 1"), "cannot be read"),
        (('ask = "Which?"\n', ""), "ask is missing"),
        (('[{says = "one", when = ["ite_rmse > 1"]}, {says', "[{says"), "it has one option"),
        (("lam = 0}", "lamb = 0}"), "set has lamb"),
        (('title = "T"', 'titel = "T"'), "has no field titel"),
        (("minutes = 5\n", ""), "lacks minutes"),
        (("[[step]]", "[[step"), "is not TOML"),
        (('says = "one", ', ""), "write {says"),
        (('ask = "Which?"', 'ask = "Which?"\ncontrols = ["sigma"]'), "there is no control sigma"),
    ],
)
def test_a_lesson_that_cannot_be_had_is_refused_in_one_sentence(change: tuple[str, str], says: str) -> None:
    assert parse("own", GOOD).steps[0].options[1].says == "two"
    with pytest.raises(LessonError, match=re.escape(says)):
        parse("own", GOOD.replace(*change, 1))


def test_an_answer_that_the_run_does_not_give_is_said_and_not_guessed() -> None:
    step = parse("own", GOOD).steps[0]
    assert right_option(step, {"ite_rmse": 2.0}) == 0
    with pytest.raises(AnswerUnknown, match="0 options hold"):
        right_option(step, {})
    both = parse("own", GOOD.replace("ite_rmse <= 1", "ite_rmse > 0")).steps[0]
    with pytest.raises(AnswerUnknown, match="2 options hold"):
        right_option(both, {"ite_rmse": 2.0})


FALLS = np.log10([1.6, 1.6, 1.4, 0.7, 0.25, 0.23, 0.47, 0.7])


@pytest.mark.parametrize(
    ("drawn", "path", "expected"),
    [
        (FALLS, FALLS, "right"),
        (FALLS + 0.2, FALLS, "right"),
        (FALLS - 1, FALLS, "elsewhere"),
        (np.minimum.accumulate(FALLS), FALLS, "missed the rise"),
        (-FALLS, FALLS, "opposite"),
        (np.zeros(8), FALLS, "level"),
        (FALLS, np.zeros(8), "moved"),
        (np.zeros(8), np.full(8, 0.1), "right"),
        (np.zeros(8), np.full(8, 1.0), "elsewhere"),
    ],
)
def test_a_drawn_line_is_judged_by_rule(drawn: np.ndarray, path: np.ndarray, expected: str) -> None:
    assert shape(drawn.tolist(), path.tolist()) == expected
    assert expected in SHAPES


lines = st.lists(st.floats(-3, 3), min_size=8, max_size=8)


@given(lines, lines, st.floats(-2, 2))
def test_every_line_has_one_judgement_and_moving_both_changes_none(a: list[float], b: list[float], by: float) -> None:
    found = shape(a, b)
    assert found in SHAPES
    assert shape(b, b) == "right"
    near_a_bound = any(abs(np.ptp(line) - math.log10(1.3)) < 1e-6 for line in (a, b))
    if not near_a_bound and found in ("opposite", "level", "moved"):
        assert shape([x + by for x in a], [x + by for x in b]) == found


steps = st.sampled_from([step for lesson in lessons().values() for step in lesson.steps if step.asks])
anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(steps, anything)
def test_whatever_a_browser_kept_is_an_answer_of_the_step_or_none(step: Step, answer: object) -> None:
    taken = checked(step, answer)
    if taken is not None:
        assert checked(step, taken) == taken
        assert isinstance(words_of(step, taken), str)
        assert json.loads(json.dumps(taken)) == taken


@given(
    st.sampled_from([step for lesson in lessons().values() for step in lesson.steps if step.kind == "number"]),
    st.data(),
)
def test_a_number_is_kept_as_its_slider_says_it_so_that_a_room_counts_no_more_than_it_has_steps(
    step: Step, data: st.DataObject
) -> None:
    number = data.draw(st.floats(step.low, step.high))
    taken = checked(step, number)
    assert isinstance(taken, float)
    assert step.low <= taken <= step.high
    assert abs(taken - number) <= 0.5 * step.step * (1 + 1e-9)
    assert any(
        math.isclose(taken, step.low + step.step * n, abs_tol=1e-9)
        for n in range(round((step.high - step.low) / step.step) + 1)
    )


def test_a_code_stands_for_a_lesson_its_version_and_the_answers() -> None:
    lesson = lessons()["mixed"]
    one = code(lesson, {1: 0.9, 2: 2})
    assert re.fullmatch(r"[A-Z2-7]{6}", one)
    assert one == code(lesson, {2: 2, 1: 0.9})
    assert one != code(lesson, {1: 0.9, 2: 1})
    assert one != code(parse("mixed", GOOD), {1: 0.9, 2: 2})


def test_a_room_counts_without_names_and_keeps_no_more_than_its_bounds() -> None:
    rooms, place = Rooms(), ("machine", 1)
    for visitor in range(100_000):
        rooms.add("blue7", place, visitor % 3)
    for _ in range(2 * MOST_LINES):
        rooms.add("blue7", ("machine", 2), [0.0, 1.0])
    rooms.add("blue7", place, SKIPPED)
    found, lines_of = rooms.tally("blue7", place), rooms.tally("blue7", ("machine", 2))
    assert found.count == 100_000
    assert dict(found.counts) == {0: 33_334, 1: 33_333, 2: 33_333}
    assert (lines_of.count, len(lines_of.lines)) == (2 * MOST_LINES, MOST_LINES)
    assert rooms.tally("red", place).count == 0


def test_a_full_house_forgets_its_oldest_room_and_a_day_ends_each(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms, place = Rooms(), ("machine", 1)
    rooms.add("first", place, 1)
    for number in range(MOST_ROOMS):
        rooms.add(f"room{number}", place, 1)
    assert rooms.tally("room1", place).count == 1
    assert rooms.tally("first", place).count == 0
    now = time.monotonic()
    monkeypatch.setattr("crl_core.lessons.rooms.time.monotonic", lambda: now + DAY_S + 60)
    assert rooms.tally("room5", place).count == 0


def test_what_a_lecturer_reveals_is_open_in_that_room_and_at_that_step_only() -> None:
    rooms = Rooms()
    rooms.open("blue7", ("machine", 1))
    assert rooms.opened("blue7", ("machine", 1))
    assert not rooms.opened("blue7", ("machine", 2))
    assert not rooms.opened("red", ("machine", 1))


@pytest.mark.parametrize("asked", ["", "blue 7", "blä", "-x", "a" * 25, "../x", "<b>", "a\n"])
def test_a_room_of_strange_characters_is_refused_in_one_sentence(asked: str) -> None:
    if asked == "a\n":
        assert room_name(asked) == "a"
        return
    with pytest.raises(ValueError, match="a name has 1 to 24 letters"):
        room_name(asked)


def test_metrics_along_a_path_are_named_as_everywhere() -> None:
    result, evidence = load(PRESETS["hospital"].config.key)
    assert along(result, evidence, "ite_rmse") is not None
    assert along(result, None, "domain_auc") is None
    assert all(name in METRIC for name in ("ite_rmse", "domain_auc", "use_effect_rms"))
