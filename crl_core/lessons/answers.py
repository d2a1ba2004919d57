"""What a prediction was worth: the measured answer, a sentence by rule, and the record that a lesson ends in."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from crl_core.lecture.story import figure, holds, lam_text
from crl_core.lessons.facts import Facts
from crl_core.lessons.lesson import Lesson, Said, Step

SKIPPED = "skipped"  # in the place of an answer
MOST_TEXT = 600  # letters of a written answer
Answer = int | float | str | list[float]  # the option's index, a number, a text or SKIPPED, log10 values along λ
Shape = Literal["right", "elsewhere", "missed the rise", "opposite", "level", "moved"]

_LIKE = 0.75  # correlation along λ from which two lines have one shape
_AGAINST = -0.3
_NEAR = math.log10(2)  # within a factor of two: in the same place
_RISE, _NO_RISE = math.log10(1.5), math.log10(1.2)
_LEVEL = math.log10(1.3)  # a line that moves by less is level


class AnswerUnknown(ValueError):
    """A step whose measured run gives no answer, or more than one."""


def right_option(step: Step, facts: Facts) -> int:
    """The index of the one option that holds on the measured run. Raises AnswerUnknown if none does, or two do."""
    true = [at for at, option in enumerate(step.options) if _true(option, facts)]
    if len(true) != 1:
        raise AnswerUnknown(f"of the question “{step.ask}” {len(true)} options hold on the measured run; one must.")
    return true[0]


def measured(step: Step, facts: Facts) -> str:
    """The measured answer, in words; "" where there is none to measure."""
    if step.kind == "choose":
        return filled(step.options[right_option(step, facts)].says, facts)
    if step.kind == "number":
        return _shown(step.answer, number_of(step, facts))
    return ""


def number_of(step: Step, facts: Facts) -> float:
    """The measured number. Raises AnswerUnknown if the run has none."""
    value = facts.get(step.answer, math.nan)
    if not math.isfinite(value):
        raise AnswerUnknown(f"the measured run has no number {step.answer!r}.")
    return value


def near(step: Step, answer: float, facts: Facts) -> bool:
    return abs(answer - number_of(step, facts)) <= step.within


def said(variants: Sequence[Said], facts: Facts) -> str:
    """The first of the texts whose conditions all hold, filled in; "" where none does."""
    for variant in variants:
        if _true(variant, facts):
            return filled(variant.says, facts)
    return ""


def _true(text: Said, facts: Facts) -> bool:
    return all(holds(condition, facts) for condition in text.when)


def filled(text: str, facts: Facts) -> str:
    """A text with its {facts}. Raises KeyError naming one that there is not."""
    return text.format_map({name: _shown(name, value) for name, value in facts.items()})


def _shown(name: str, value: float) -> str:
    if name.endswith("lam"):
        return lam_text(value)
    whole = name in ("alarms", "tests", "rows") or name.endswith("_percent")
    return f"{value:,.0f}" if whole and math.isfinite(value) else figure(value)


def shape(drawn: Sequence[float], path: Sequence[float]) -> Shape:
    """How a drawn line stands to the measured one; both log10 along the same λ, where both are finite.

    level: it was drawn level, and moves.  moved: the other way round.
    """
    a, b = np.asarray(drawn, dtype=float), np.asarray(path, dtype=float)
    there = np.isfinite(a) & np.isfinite(b)
    a, b = a[there], b[there]
    flat = [float(np.ptp(line)) < _LEVEL for line in (a, b)]
    if all(flat):
        return "right" if abs(float(np.median(a - b))) <= _NEAR else "elsewhere"
    if flat[0]:
        return "level"
    if flat[1]:
        return "moved"
    like = float(np.corrcoef(a, b)[0, 1])
    if like <= _AGAINST:
        return "opposite"
    if b[-1] - b.min() >= _RISE and a[-1] - a.min() < _NO_RISE and int(b.argmin()) < len(b) - 1:
        return "missed the rise"
    return "right" if like >= _LIKE and float(np.median(np.abs(a - b))) <= _NEAR else "elsewhere"


SHAPES: Mapping[Shape, str] = {
    "right": "Your line has the measured one's shape, and lies where it lies.",
    "elsewhere": "Your line goes the measured one's way, in another place.",
    "missed the rise": "Your line misses the rise at large λ.",
    "opposite": "Your line goes the other way.",
    "level": "You drew a level line; the measured one moves.",
    "moved": "You drew a line that moves; the measured one is level.",
}


def words_of(step: Step, answer: Answer | None) -> str:
    """A prediction in words."""
    if answer is None:
        return "–"
    if answer == SKIPPED:
        return SKIPPED
    if isinstance(answer, list):
        return "a line: " + ", ".join(figure(10**each) for each in (answer[0], answer[len(answer) // 2], answer[-1]))
    if step.kind == "choose" and isinstance(answer, int):
        return step.options[answer].says
    return _shown(step.answer, float(answer)) if isinstance(answer, int | float) else answer


def checked(step: Step, answer: Any) -> Answer | None:
    """An answer that came from outside, if it can be one of this step; else None."""
    if answer == SKIPPED:
        return SKIPPED
    if step.kind == "choose":
        return answer if type(answer) is int and 0 <= answer < len(step.options) else None
    if step.kind == "number":
        number = type(answer) in (int, float) and math.isfinite(answer)
        if not (number and step.low <= answer <= step.high):
            return None
        return float(min(step.high, step.low + step.step * round((answer - step.low) / step.step)))  # as a slider says
    if step.kind == "write":
        return answer[:MOST_TEXT] if isinstance(answer, str) and answer.strip() else None
    if step.kind == "draw" and isinstance(answer, list) and 2 <= len(answer) <= 64:
        fine = all(type(each) in (int, float) and math.isfinite(each) and abs(each) < 20 for each in answer)
        return [round(float(each), 3) for each in answer] if fine else None
    return None


def code(lesson: Lesson, answers: Mapping[int, Answer]) -> str:
    """Six characters that stand for a lesson, its version and these answers, for a course platform."""
    plain = json.dumps([lesson.id, lesson.version, sorted(answers.items())], ensure_ascii=False)
    return base64.b32encode(hashlib.sha256(plain.encode()).digest()).decode()[:6]
