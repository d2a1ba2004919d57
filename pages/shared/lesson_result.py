"""What a lesson ends in: questions, own answers, measured ones, where they come from, and a code; and the handout."""

from __future__ import annotations

from html import escape

import streamlit as st

from crl_core.lessons.answers import Answer, code, filled, measured, said, words_of
from crl_core.lessons.facts import key_of
from crl_core.lessons.lesson import Lesson
from pages.shared import lesson_answers, lesson_facts, lesson_place, page_header
from pages.shared.folds import fold
from pages.shared.language import language, tr
from pages.shared.style import listed, panel_title, quiet

_SHEET = """<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 11pt/1.45 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #111; }}
h1 {{ font-size: 20pt; margin: 0; }} h2 {{ font-size: 12pt; margin: 1.6rem 0 .3rem; break-after: avoid; }}
section {{ break-inside: avoid; }} dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; }}
dt {{ color: #555; }} dd {{ margin: 0; }} .write {{ height: 4.5rem; border-bottom: 1px solid #999; }}
ol {{ padding-left: 1.2rem; }} footer {{ color: #555; font-size: 9pt; margin-top: 2rem; }}
@page {{ size: A4; margin: 15mm; }}
</style></head><body><h1>{title}</h1><p>{about}</p>{body}<footer>{foot}</footer></body></html>"""


def tile_html(lesson: Lesson, number: int, state: str) -> str:
    return (
        f'<div class="crl-panel"><span>{number} · {lesson.minutes} min · {escape(state)}</span>'
        f'<b role="heading" aria-level="2">{escape(lesson.title)}</b></div>'
        f'<p class="crl-quiet">{escape(lesson.about)}</p>'
    )


def predictions_of(lesson: Lesson) -> str:
    """What was predicted, and what was measured, in a line: of the first question that was answered."""
    for index, answer in lesson_answers.answers_of(lesson).items():
        step, facts = lesson.steps[index], lesson_facts.facts_of(lesson, index)
        if facts is not None and step.kind in ("choose", "number"):
            return f"{tr('You')}: {words_of(step, answer)}; {tr('measured')}: {measured(step, facts)}."
    return ""


def draw(lesson: Lesson) -> None:
    """The result of a lesson."""
    given = lesson_answers.answers_of(lesson)
    number = code(lesson, given)
    page_header(
        tr("What you predicted, and what was measured. The code stands for this lesson and these answers."),
        [(number, tr("code"))],
        world=lesson.title,
    )
    with st.container(key="panel_lesson_result"):
        panel_title(lesson.title, tr("every question, your answer, the measured one"))
        for heading, ask, lines in _entries(lesson, given):
            asked = f"<b>{escape(heading)}</b><p>{escape(ask)}</p>"
            st.html(f'<div class="crl-lesson-entry">{asked}{listed(lines)}</div>{_CSS}')
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            tr("Save to print"),
            sheet(lesson, given),
            f"{lesson.id}-{number}.html",
            "text/html",
            key="lessons.sheet",
            on_click="ignore",
            type="primary",
        )
        st.download_button(
            tr("Handout without answers"),
            sheet(lesson, None),
            f"{lesson.id}-handout.html",
            "text/html",
            key="lessons.handout",
            on_click="ignore",
        )
        st.button(
            tr("All lessons"), key="lessons.all", type="tertiary", on_click=lesson_place.show_result, args=(None,)
        )
    fold(
        tr("As text, to copy"),
        "lessons.text",
        lambda: st.code(as_text(lesson, given), language=None, wrap_lines=True),
    )
    quiet(tr("The answers are in this browser alone. Whoever has them can work the code out again."))


_CSS = """<style>
.crl-lesson-entry { border-bottom: 1px solid var(--hairline); padding: .5rem 0 .6rem 0; font-size: .92rem; }
.crl-lesson-entry p { margin: .1rem 0 .3rem 0; }
.crl-lesson-entry dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .9rem; margin: 0; }
.crl-lesson-entry dt { color: var(--quiet); } .crl-lesson-entry dd { margin: 0; }
</style>"""

Lines = list[tuple[str, str]]


def _entries(lesson: Lesson, given: dict[int, Answer] | None) -> list[tuple[str, str, Lines]]:
    """Of each question: its heading, itself, and named lines; without answers where none are given."""
    found = []
    for index, step in enumerate(lesson.steps):
        if not step.asks:
            continue
        facts = lesson_facts.facts_of(lesson, index)
        ask = step.ask if facts is None else " ".join(filled(text, facts) for text in (step.text, step.ask) if text)
        lines: Lines = []
        if given is None:
            lines = [(f"{at}", option.says) for at, option in enumerate(step.options, 1)]
        else:
            lines.append((tr("You"), words_of(step, given.get(index))))
            if facts is not None:
                lines += [(tr("Measured"), measured(step, facts)), ("", said(step.reveal, facts))]
            lines.append(("", step.conclude if facts is None else filled(step.conclude, facts)))
            lines.append((tr("Run"), key_of(step) or ""))
        found.append((f"{tr('Step')} {index + 1}", ask, lines))
    return found


def as_text(lesson: Lesson, given: dict[int, Answer]) -> str:
    parts = [f"{lesson.title} · {code(lesson, given)} · {lesson.version}"]
    for heading, ask, lines in _entries(lesson, given):
        parts.append("\n".join([f"{heading}: {ask}", *(f"  {name or '·'} {value}" for name, value in lines if value)]))
    return "\n\n".join(parts)


def sheet(lesson: Lesson, given: dict[int, Answer] | None) -> str:
    """A page to print: with answers, or, where none are given, with room to write."""
    body = []
    for heading, ask, lines in _entries(lesson, given):
        if given is None:
            options = "".join(f"<li>{escape(value)}</li>" for _, value in lines)
            inside = (f"<ol>{options}</ol>" if options else "") + '<div class="write"></div>'
        else:
            inside = listed(lines)
        body.append(f"<section><h2>{escape(heading)}</h2><p>{escape(ask)}</p>{inside}</section>")
    foot = f"CRL Explorer · {lesson.id} · {lesson.version}"
    if given is not None:
        foot += f" · {tr('code')} {code(lesson, given)}"
    return _SHEET.format(
        language=language(),
        title=escape(lesson.title),
        about=escape(lesson.about),
        body="".join(body),
        foot=escape(foot),
    )
