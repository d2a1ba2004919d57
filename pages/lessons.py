"""Learn: what this is, lessons that let one predict before one sees, and how to teach with them."""

from __future__ import annotations

import streamlit as st

from crl_core.config.language import LANGUAGES
from crl_core.lessons.lesson import Lesson, lessons
from pages.shared import lesson_answers, lesson_place, lesson_result, lesson_share, page_header, require
from pages.shared.language import choose, language, tr
from pages.shared.learn_picture import moving_picture
from pages.shared.lesson_result import predictions_of
from pages.shared.places import page_file
from pages.shared.style import quiet

require()
_WHAT = (
    "A network learns what a treatment does to each patient, from hospitals that differ. A penalty λ makes it see the "
    "hospitals alike. Sometimes that rescues the answer, and sometimes it destroys it: here the truth is known, so you "
    "can find out which."
)


def main() -> None:
    lesson_answers.keep()
    known = lessons(language())
    if (result := st.session_state.get(lesson_place.RESULT)) in known:
        lesson_result.draw(known[result])
        return
    left, right = st.columns([5, 4], vertical_alignment="center", gap="large")
    with left:
        page_header(tr("Eight short lessons, in which you predict before you see."))
        st.html(f'<p class="crl-learn">{tr(_WHAT)}</p>')
        with st.container(horizontal=True, vertical_alignment="center"):
            first = known["machine"]
            st.button(
                tr("Start with the first lesson"),
                key="lessons.first",
                type="primary",
                on_click=begin,
                args=(first,),
            )
            st.page_link(page_file("train"), label=tr("Explore freely"))
        st.segmented_control(
            tr("Language"),
            list(LANGUAGES),
            default=language(),
            key="lessons.language",
            format_func=LANGUAGES.__getitem__,
            required=True,
            label_visibility="collapsed",
            on_change=lambda: choose(st.session_state["lessons.language"]),
        )
        quiet(tr("Lessons and terms are translated; the pages beside them are in English."))
    with right:
        moving_picture()
    every = list(known.values())
    for first_of_row in range(0, len(every), 4):
        row = every[first_of_row : first_of_row + 4]
        for column, lesson in zip(st.columns(4), row, strict=False):
            with column, st.container(key=f"panel_lesson_{lesson.id}", height="stretch"):
                tile(lesson, every.index(lesson) + 1)
    lesson_share.panel()
    if not lesson_answers.said_off() and any(lesson_answers.answers_of(lesson) for lesson in every):
        st.button(tr("Forget my predictions"), key="lessons.forget", type="tertiary", on_click=lesson_answers.forget)


def begin(lesson: Lesson) -> None:
    """Where one stopped, or anew where one was done. A callback."""
    at = lesson_answers.first_open(lesson)
    if lesson_answers.done(lesson):
        lesson_answers.forget(lesson)
    lesson_place.go(lesson.id, at)


def tile(lesson: Lesson, number: int) -> None:
    """A lesson: how long it takes, how far one is, and what one predicted."""
    given, n_steps = lesson_answers.answers_of(lesson), len(lesson.steps)
    done, at = lesson_answers.done(lesson), lesson_answers.first_open(lesson)
    state = tr("done") if done else f"{tr('step')} {at + 1} {tr('of')} {n_steps}" if given else tr("not begun")
    st.html(lesson_result.tile_html(lesson, number, state))
    if done:
        quiet(predictions_of(lesson))
    with st.container(horizontal=True):
        word = tr("Again") if done else tr("Go on") if given else tr("Start")
        st.button(word, key=f"lessons.begin.{number}", on_click=begin, args=(lesson,))
        if done:
            show = lesson_place.show_result
            st.button(tr("Result"), key=f"lessons.result.{number}", type="tertiary", on_click=show, args=(lesson.id,))


main()
