"""A reader's predictions: in the session, and beyond it in the reader's own browser."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from crl_core.lessons.answers import Answer, checked
from crl_core.lessons.lesson import Lesson, lessons
from pages.shared.component import component, said
from pages.shared.language import tr
from pages.shared.style import quiet

_ANSWERS, _READ, _OFF, _ANEW = "lesson.answers", "lesson.read", "lesson.storage_off", "lesson.anew"
_KEY = "lesson_keep"
_JS = Path(__file__).with_name(f"{_KEY}.js").read_text(encoding="utf-8")


def answers_of(lesson: Lesson) -> dict[int, Answer]:
    """The predictions of a lesson, by the index of its step."""
    every: dict[str, dict[int, Answer]] = st.session_state.setdefault(_ANSWERS, {})
    return every.setdefault(lesson.id, {})


def give(lesson: Lesson, index: int, answer: Answer) -> None:
    answers_of(lesson)[index] = answer


def forget(lesson: Lesson | None = None) -> None:
    """Forget the predictions of a lesson, or of all, also in the browser. A callback."""
    if lesson is None:
        st.session_state[_ANSWERS] = {}
        st.session_state[_ANEW] = True
    else:
        answers_of(lesson).clear()


def done(lesson: Lesson) -> bool:
    """Whether every question was answered, or skipped."""
    return all(index in answers_of(lesson) for index, step in enumerate(lesson.steps) if step.asks)


def first_open(lesson: Lesson) -> int:
    """The index of the first question that is open; 0 where none was answered, or all were."""
    given = answers_of(lesson)
    if not given or done(lesson):
        return 0
    return next(index for index, step in enumerate(lesson.steps) if step.asks and index not in given)


def keep() -> None:
    """Read from the browser once, and write to it what there is since. Once a run of a page that shows lessons."""
    state = st.session_state

    def read() -> None:
        if "kept" in (found := said(_KEY)):
            state[_READ] = True
            _merge(found["kept"] or "{}")

    def off() -> None:
        if "off" in (found := said(_KEY)):
            state[_OFF] = bool(found["off"])

    write = None
    if state.get(_READ):
        write = {lesson.id: _plain(lesson) for lesson in lessons().values() if answers_of(lesson)}
    component(_KEY, "<span></span>", _JS)(
        key=_KEY,
        data={"write": write, "anew": state.pop(_ANEW, False)},
        on_kept_change=read,
        on_off_change=off,
        height=1,
    )


def said_off() -> bool:
    """Say so where the browser keeps nothing; whether it was said."""
    if st.session_state.get(_OFF):
        quiet(tr("This browser keeps nothing: what you predict is forgotten when the tab is closed."))
        return True
    return False


def _plain(lesson: Lesson) -> dict[str, Any]:
    return {"version": lesson.version, "answers": {str(index): answer for index, answer in answers_of(lesson).items()}}


def _merge(text: str) -> None:
    """Take what a browser kept: of lessons that are still the same, what can be an answer; the session's own stand."""
    try:
        kept = json.loads(text)
    except ValueError:
        return
    for lesson in lessons().values():
        entry = kept.get(lesson.id) if isinstance(kept, Mapping) else None
        if not isinstance(entry, Mapping) or entry.get("version") != lesson.version:
            continue
        given = entry.get("answers")
        for name, answer in given.items() if isinstance(given, Mapping) else ():
            if name.isdecimal() and int(name) < len(lesson.steps):
                taken = checked(lesson.steps[int(name)], answer)
                if taken is not None:
                    answers_of(lesson).setdefault(int(name), taken)
