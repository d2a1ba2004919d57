"""Where a reader draws along λ what is not shown yet; afterwards the measured line beside the drawn one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from crl_core.lessons.answers import SKIPPED, Answer, checked
from crl_core.lessons.lesson import Step
from crl_core.metrics import METRIC
from pages.shared import lesson_answers, lesson_facts, lesson_place, lesson_room
from pages.shared.component import component
from pages.shared.fields import lam_text
from pages.shared.language import tr
from pages.shared.lesson_place import At
from pages.shared.style import panel_title, quiet

_HERE = Path(__file__).parent
_HTML = '<svg role="group" aria-label="λ axis to draw on"></svg>'
_ROOM_FOR = 0.5  # decades above what a metric usually is


def key_of(at: At) -> str:
    return f"lesson_draw.{at.lesson.id}.{at.index}"


def title_of(step: Step) -> str:
    return f"{METRIC[step.answer].heading} along λ"


def drawn(at: At) -> Answer | None:
    """The line that the reader has drawn, log10 along λ; None before the first stroke."""
    state: Any = st.session_state.get(key_of(at))
    return None if not state or not state.get("drawn") else checked(at.step, list(state["drawn"]))


def under_header() -> None:
    """The axis, below the header of a page whose step asks to draw; nothing elsewhere."""
    at = lesson_place.here()
    if at is None or at.step.kind != "draw":
        return
    known = lesson_facts.path_of(at.lesson, at.index)
    with st.container(key="lesson_stage"), st.container(key="panel_lesson_draw"):
        if known is None:
            quiet(tr(lesson_facts.NO_RUN))
            return
        _draw(at, *known)


def _draw(at: At, lams: tuple[float, ...], path: np.ndarray) -> None:
    given = lesson_answers.answers_of(at.lesson).get(at.index)
    shown = given is not None and lesson_room.opened(at)
    metric = METRIC[at.step.answer]
    before = tr("your line is dashed; the measured one is hidden until you reveal it")
    after = tr("dashed: your line; in colour: what was measured, median over replicates")
    panel_title(tr(title_of(at.step)), after if shown else before)
    low, high = _range(metric.usual)
    found = lesson_room.tally(at) if shown else None
    lines: Sequence[Sequence[float]] = [] if found is None else found.lines
    mine = None if given in (None, SKIPPED) else given
    css, js = ((_HERE / f"lesson_draw.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    component("lesson_draw", _HTML, js, css)(
        key=key_of(at),
        data={
            "stamp": f"{at.lesson.id}|{at.index}|{shown}|{mine is not None}",
            "labels": [lam_text(lam) for lam in lams],
            "range": [low, high],
            "start": round((low + high) / 2, 3),
            "drawn": mine or drawn(at),
            "measured": [float(value) if np.isfinite(value) else None for value in path] if shown else None,
            "room": [list(line) for line in lines if len(line) == len(lams)],
            "axis": "λ",
            "what": metric.word,
            "hint": tr("drag to draw; arrow keys move points"),
        },
        default={"drawn": None},
        on_drawn_change=lambda: None,
        height="content",
    )


def _range(usual: tuple[float, float] | None) -> tuple[float, float]:
    """Of the axis, log10: what the metric usually is, and room above. It says nothing of the run."""
    low, high = usual or (0.01, 3.0)
    return float(np.log10(low)), float(np.log10(high)) + _ROOM_FOR
