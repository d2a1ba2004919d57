"""Where in a lesson this visitor is: the address says it (`?lesson=machine&step=3`), and the view follows.

The step's page, preset and λ are set once, when the step is arrived at; afterwards they are the reader's.
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from crl_core.config.presets import PRESETS
from crl_core.config.text import nearest_lam
from crl_core.data.tables.examples import EXAMPLES, load_example
from crl_core.lessons.lesson import Lesson, Step, lessons
from pages.shared import led, own_table, places, sidebar, table_run
from pages.shared.fields import lam_text
from pages.shared.language import language
from pages.shared.style import plain

KEPT_PARAMS = ("lesson", "step", "lock", "show", "reveal", "room", "lang")  # of the address, from page to page
RESULT = "lessons.result"  # the lesson whose result the page of the lessons shows
_AT, _SET, _NOTE = "lesson.at", "lesson.set", "lesson.note"


@dataclass(frozen=True, slots=True)
class At:
    """A step of a lesson, by its index from 0."""

    lesson: Lesson
    index: int

    @property
    def step(self) -> Step:
        return self.lesson.steps[self.index]

    @property
    def number(self) -> int:
        """Of the lesson, from 1."""
        return list(lessons()).index(self.lesson.id) + 1

    @property
    def last(self) -> bool:
        return self.index == len(self.lesson.steps) - 1


def here() -> At | None:
    """The step in view; None outside lessons."""
    found: At | None = st.session_state.get(_AT)
    return found


def arrive(stem: str) -> None:
    """Read the address, go to the step's page where this is another one, and set what the step sets. By the shell."""
    st.session_state[_AT] = None
    led.on()
    name = st.query_params.get("lesson")
    if name is None:
        st.session_state.pop(_SET, None)
        return
    known = lessons(language())
    if name not in known:
        _note(f"There is no lesson “{name[:40]}”; there are {', '.join(known)}. Choose one below.", places.START)
        led.to(places.START, _outside())
        return
    lesson = known[name]
    asked = st.query_params.get("step", "1")
    if not (asked.isascii() and asked.isdecimal() and 1 <= int(asked) <= len(lesson.steps)):
        says = (
            f"The link asks for step {asked[:20]} of “{lesson.title}”; it has steps 1 to {len(lesson.steps)}. "
            "Shown: the first."
        )
        _note(says, lesson.steps[0].page)
        st.query_params["step"] = asked = "1"
    at = At(lesson, int(asked) - 1)
    if at.step.page != stem:
        led.to(at.step.page, params(step=asked))
    st.session_state[_AT] = at
    if st.session_state.get(_SET) != (name, asked):
        st.session_state[_SET] = (name, asked)
        _set(at.step)


def params(**changed: str) -> dict[str, str]:
    """What of the address a lesson takes along."""
    kept = {name: st.query_params[name] for name in KEPT_PARAMS if name in st.query_params}
    return kept | changed


def _outside() -> dict[str, str]:
    """What of the address stays on the way out of a lesson."""
    return {kept: value for kept, value in params().items() if kept not in led.OF_A_LESSON}


def go(lesson: str, index: int) -> None:
    """To a step of a lesson. A callback."""
    led.ask(lessons()[lesson].steps[index].page, params(lesson=lesson, step=str(index + 1)))


def finish(name: str) -> None:
    """Out of the lesson, to its result. A callback."""
    led.ask(places.START, _outside())
    st.session_state[RESULT] = name


def show_result(name: str | None) -> None:
    """Show the result of a lesson on the page of the lessons, or all lessons. A callback."""
    st.session_state[RESULT] = name


def leave() -> None:
    """Out of the lesson, back to the list of lessons. A callback."""
    led.ask(places.START, _outside())
    st.session_state.pop(RESULT, None)


def _note(text: str, stem: str) -> None:
    st.session_state[_NOTE] = (text, stem)


def notes() -> None:
    """Say what a link asked for in vain, as long as the page stays to which it led."""
    text, stem = st.session_state.get(_NOTE, ("", ""))
    if stem == places.here().stem:
        st.warning(plain(text))
    else:
        st.session_state.pop(_NOTE, None)


def _set(step: Step) -> None:
    """Put in view what the step sets, before any control of this run is drawn."""
    if (name := step.set.get("table")) is not None:
        _take_table(name)
        return
    if (what := step.set.get("what")) is not None:
        st.session_state["unseen.what"] = what
        if "dose" in step.set:
            st.session_state[f"unseen.dose.{what}"] = float(step.set["dose"])
    if (preset := step.set.get("preset")) is not None:
        table_run.leave()
        lams = PRESETS[preset].config.training.lams
        lam = nearest_lam(lams, float(step.set.get("lam", 0.0)))
        if sidebar.arrived():
            sidebar.set_view(preset, lam)
        else:  # no control is bound yet: the address itself is set, as a link would have it
            st.query_params.from_dict(params(preset=preset, lam=lam_text(lam)))
            st.rerun()


def _take_table(name: str) -> None:
    example, loaded = EXAMPLES[name], own_table.loaded()
    if loaded is not None and loaded.label != example.title:
        _note(
            f"This lesson shows the table “{example.title}”, and “{loaded.label}” is loaded here. Put yours away "
            "below, under “Load another table”, and open the lesson again; or open it in another tab.",
            "data",
        )
        return
    if loaded is None:
        loaded = own_table.take_example(example, load_example(name)[0])
    if not loaded.confirmed:
        own_table.confirm(loaded)
