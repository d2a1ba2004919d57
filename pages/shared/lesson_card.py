"""The lesson's card in the place of the sidebar: what is set, what is asked, and, once it was predicted, what is so."""

from __future__ import annotations

from html import escape
from pathlib import Path

import streamlit as st

from crl_core.lessons.answers import (
    MOST_TEXT,
    SHAPES,
    SKIPPED,
    Answer,
    checked,
    filled,
    measured,
    near,
    number_of,
    right_option,
    said,
    shape,
    words_of,
)
from crl_core.lessons.facts import Facts
from crl_core.lessons.lesson import lessons
from pages.shared import led, lesson_answers, lesson_draw, lesson_facts, lesson_place, lesson_room, masks
from pages.shared.language import tr
from pages.shared.lesson_place import At
from pages.shared.style import listed, quiet

_SHOWN = "lesson.shown"  # whether the page beside the card has been drawn without masks
_CSS = f"<style>{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')}</style>"


def draw(at: At) -> None:
    """The card of a step, and the masks that the page beside it wears. In the sidebar, before the page is drawn."""
    answer = lesson_answers.answers_of(at.lesson).get(at.index)
    shown = answer is not None and lesson_room.opened(at)
    st.session_state[_SHOWN] = shown
    mask(at, shown)
    st.html(f"{_CSS}{_head(at)}")
    _body(at)
    if (shown or not at.step.asks) and (at.step.show or at.step.hide):
        st.toggle(tr("the whole page"), key=_whole(at))
    st.button(f"✕ {tr('leave lesson')}", key="lesson.leave", type="tertiary", on_click=lesson_place.leave)
    lesson_answers.said_off()


@st.fragment
def _body(at: At) -> None:
    """What is asked, and what was found. To choose does not draw the page again, nor to send where one waits."""
    facts = lesson_facts.facts_of(at.lesson, at.index)
    answer = lesson_answers.answers_of(at.lesson).get(at.index)
    waits = lesson_room.waits()
    if answer is not None and not waits and not st.session_state.get(_SHOWN):
        st.rerun()  # the masks fall
    if at.step.text:
        st.html(f'<p class="crl-lesson-text">{escape(_filled(at.step.text, facts))}</p>')
    if at.step.asks:
        st.html(f'<p class="crl-lesson-ask">{escape(_filled(at.step.ask, facts))}</p>')
        if answer is None:
            _predict(at, facts)
            return
        if waits and not st.session_state.get(_SHOWN):
            _waiting(at, answer, facts)
            return
        _found(at, answer, facts)
    _onward(at)


def mask(at: At, shown: bool) -> None:
    """Leave the page what the step shows, hatched what it hides; and once that is shown, the whole page to who asks."""
    step = at.step
    masks.mask_figures([] if shown else step.mask)
    if not (step.show or step.hide or step.kind == "draw") or st.session_state.get(_whole(at)):
        return
    if shown:
        st.html(masks.style_of((*step.show, *step.hide), (), ""))
    else:
        hatched = () if step.kind == "draw" else step.hide
        st.html(masks.style_of(step.show, hatched, tr("hidden until you have predicted")))


def _whole(at: At) -> str:
    return f"lesson.whole.{at.number}.{at.index}"


def _head(at: At) -> str:
    given = lesson_answers.answers_of(at.lesson)
    marks = "".join(
        f'<i class="{"here" if index == at.index else "done" if index < at.index or index in given else ""}"></i>'
        for index in range(len(at.lesson.steps))
    )
    number = f"{tr('Lesson')} {at.number} {tr('of')} {len(lessons())}"
    steps = f"{tr('step')} {at.index + 1} {tr('of')} {len(at.lesson.steps)} · {tr('about')} {at.lesson.minutes} min"
    return (
        f'<div class="crl-lesson"><div class="crl-lesson-top"><span>{number}</span></div>'
        f'<h2>{escape(at.lesson.title)}</h2><div class="crl-steps">{marks}<span>{steps}</span></div></div>'
    )


def _filled(text: str, facts: Facts | None) -> str:
    whole = text if facts is None else filled(text, facts)
    return whole.replace(" = ", "\u00a0=\u00a0")  # a line does not break there


def _predict(at: At, facts: Facts | None) -> None:
    """The field for a prediction, Reveal once there is one, and Skip."""
    answer, why = _asked(at)
    waits = lesson_room.waits()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            tr("Send prediction") if waits else tr("Compare") if at.step.kind == "write" else tr("Reveal"),
            key="lesson.reveal",
            type="primary",
            disabled=facts is None or (answer is None and at.step.kind != "write"),
            shortcut=None if at.step.kind == "write" else "Enter",
            on_click=_give_text if at.step.kind == "write" else _give,
            args=(at,) if at.step.kind == "write" else (at, answer),
        )
        st.button(tr("Skip"), key="lesson.skip", type="tertiary", on_click=_give, args=(at, SKIPPED))
    if facts is None:
        quiet(tr(lesson_facts.NO_RUN))
    elif answer is None:
        quiet(why)


def _asked(at: At) -> tuple[Answer | None, str]:
    """What was predicted so far, and what has to be done before the reveal."""
    step, key = at.step, _field(at)
    if step.kind == "choose":
        options = range(len(step.options))
        chosen = st.radio(
            step.ask,
            options,
            index=None,
            format_func=lambda option: step.options[option].says,
            key=key,
            label_visibility="collapsed",
            width="stretch",
        )
        return chosen, tr("Reveal opens once you have chosen.")
    if step.kind == "number":
        moved = f"{key}.moved"
        whole = step.step == int(step.step) and step.low == int(step.low)
        number = int if whole else float
        middle = step.low + step.step * round((step.high - step.low) / step.step / 2)
        value = st.slider(
            step.ask,
            number(step.low),
            number(step.high),
            number(middle),
            number(step.step),
            key=key,
            label_visibility="collapsed",
            on_change=_moved,
            args=(moved,),
        )
        with st.container(horizontal=True):
            if not st.session_state.get(moved):
                st.button(f"{tr('I stay with')} {value:g}", key="lesson.stay", on_click=_moved, args=(moved,))
        return (checked(step, value) if st.session_state.get(moved) else None), tr(
            "Reveal opens once you have moved it."
        )
    if step.kind == "draw":
        return lesson_draw.drawn(at), tr("Reveal opens once you have drawn.")
    text = st.text_area(step.ask, key=key, max_chars=MOST_TEXT, height=110, label_visibility="collapsed")
    return checked(step, text), tr("Write a sentence.")


def _field(at: At) -> str:
    return f"lesson.answer.{at.lesson.id}.{at.index}"


def _give_text(at: At) -> None:
    """Keep what is written by now: the click that leaves the field is the one that sends it. A callback."""
    _give(at, checked(at.step, st.session_state.get(_field(at))))


def _moved(key: str) -> None:
    st.session_state[key] = True


def _give(at: At, answer: Answer | None) -> None:
    """Keep a prediction, and gather it in the room. A callback; None is what a client says that no browser is."""
    if answer is None:
        return
    lesson_answers.give(at.lesson, at.index, answer)
    lesson_room.send(at, answer)
    lesson_room.lecturer_reveals(at)


def _found(at: At, answer: Answer, facts: Facts | None) -> None:
    """The prediction beside what was measured, what it means, and what the room said."""
    step = at.step
    lines = [(tr("You"), tr(SKIPPED) if answer == SKIPPED else words_of(step, answer))]
    found, right = "", None
    if facts is not None and step.kind != "write":
        found = said(step.reveal, facts)
        if step.kind in ("choose", "number"):
            lines.append((tr("Measured"), measured(step, facts)))
            right = right_option(step, facts) if step.kind == "choose" else number_of(step, facts)
            if answer != SKIPPED and _as_predicted(at, answer, facts):
                lines.append(("", tr("as you predicted")))
    if isinstance(answer, list) and (path := lesson_facts.path_of(at.lesson, at.index)) is not None:
        found = f"{tr(SHAPES[shape(answer, path[1].tolist())])} {found}"
    texts = [found, _filled(step.conclude, facts)]
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in texts if text)
    st.html(f'<div class="crl-lesson-found" role="status">{listed(lines)}{paragraphs}</div>')
    if step.kind != "write":
        lesson_room.histogram(at, right)


def _as_predicted(at: At, answer: Answer, facts: Facts) -> bool:
    step = at.step
    if step.kind == "choose":
        return answer == right_option(step, facts)
    return isinstance(answer, int | float) and near(step, float(answer), facts)


def _waiting(at: At, answer: Answer, facts: Facts | None) -> None:
    """Sent, and the reveal is the lecturer's. A class sees it at once in the card; its pages follow one by one."""

    @st.fragment(run_every=lesson_room.WAIT_S)
    def look() -> None:
        if not lesson_room.opened(at):
            quiet(tr("Sent. Your lecturer reveals what was measured."))
            return
        if lesson_room.is_ones_turn(at):
            st.rerun()
        _found(at, answer, facts)
        _onward(at)

    look()


def _onward(at: At) -> None:
    """On, or back: another page, so that all is drawn again."""
    if led.waits():
        st.rerun()
    go, name = lesson_place.go, at.lesson.id
    with st.container(horizontal=True, vertical_alignment="center"):
        if at.last:
            st.button(tr("Finish"), key="lesson.finish", type="primary", on_click=lesson_place.finish, args=(name,))
        else:
            on = (name, at.index + 1)
            st.button(tr("Next"), key="lesson.next", type="primary", shortcut="PageDown", on_click=go, args=on)
        if at.index:
            st.button(tr("Back"), key="lesson.back", type="tertiary", on_click=go, args=(name, at.index - 1))
