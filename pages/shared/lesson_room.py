"""The room of a link (`room=blue7`): predictions are gathered without names, and shown together at the reveal."""

from __future__ import annotations

import time
import zlib
from html import escape

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from crl_core.lecture.story import figure
from crl_core.lessons.answers import Answer
from crl_core.lessons.lesson import Step
from crl_core.lessons.rooms import Tally, room_name
from pages.shared.language import tr
from pages.shared.lesson_facts import rooms
from pages.shared.lesson_place import At
from pages.shared.style import plain, quiet

_BINS = 12  # bars of a histogram of numbers
WAIT_S = 4.0  # between two looks whether the lecturer has revealed
_SINCE = "lesson.since"  # when this reader first saw the reveal in the card
_PAGE_S = 0.3  # that one page of a class takes to be drawn


def room() -> str | None:
    """The room that the address names; None without one, or where the name cannot be one."""
    try:
        asked = st.query_params.get("room")
        return None if asked is None else room_name(asked)
    except ValueError:
        return None


def refused() -> None:
    """Say why the address names no room."""
    try:
        if (asked := st.query_params.get("room")) is not None:
            room_name(asked)
    except ValueError as error:
        st.warning(plain(str(error)))


def waits() -> bool:
    """Whether the reveal is left to the lecturer (`reveal=off`)."""
    return st.query_params.get("reveal") == "off"


def send(at: At, answer: Answer) -> None:
    """Gather a prediction in the room, if there is one."""
    if (name := room()) is not None:
        rooms().add(name, (at.lesson.id, at.index), answer)


def opened(at: At) -> bool:
    """Whether this reader may see what was measured."""
    if not waits():
        return True
    name = room()
    return name is not None and rooms().opened(name, (at.lesson.id, at.index))


def is_ones_turn(at: At) -> bool:
    """Whether a reader's page is to be drawn again, after a reveal that a whole class sees at one moment.

    Each has a place in the queue by its session's id; a class of 200 is through after a minute.
    """
    since = st.session_state.setdefault(_SINCE, {}).setdefault((at.lesson.id, at.index), time.monotonic())
    context, found = get_script_run_ctx(), tally(at)
    if context is None or found is None:
        return True
    place = zlib.crc32(context.session_id.encode()) % 1000 / 1000
    return time.monotonic() - since >= place * _PAGE_S * found.count


def lecturer_reveals(at: At) -> None:
    """A reader whose link does not wait has revealed: those who wait in the same room may see it too."""
    name = room()
    if name is not None and not waits():
        rooms().open(name, (at.lesson.id, at.index))


def tally(at: At) -> Tally | None:
    name = room()
    return None if name is None else rooms().tally(name, (at.lesson.id, at.index))


def histogram(at: At, right: int | float | None) -> None:
    """What the room predicted, as bars; the measured answer is marked."""
    found = tally(at)
    if found is None:
        return
    if found.count == 0:
        quiet(tr("Nobody in this room has predicted here yet."))
        return
    quiet(f"{tr('Predictions in this room')}: {found.count}.")
    if found.counts:
        st.html(f'<div class="crl-room">{"".join(_bars(at.step, found, right))}</div>')


def _bars(step: Step, found: Tally, right: int | float | None) -> list[str]:
    if step.kind == "choose":
        bars = [(option.says, found.counts.get(at, 0), at == right) for at, option in enumerate(step.options)]
    else:
        bars = _binned(step, found, right)
    most = max((n for _, n, _ in bars), default=1) or 1
    return [
        f'<div class="{"measured" if marked else ""}"><span>{escape(label)}</span>'
        f'<i style="width:{100 * n / most:.0f}%"></i><b>{n}</b></div>'
        for label, n, marked in bars
    ]


def _binned(step: Step, found: Tally, right: int | float | None) -> list[tuple[str, int, bool]]:
    """Numbers in at most 12 bins of whole steps of their slider."""
    steps = round((step.high - step.low) / step.step)
    wide = max(1, -(-(steps + 1) // _BINS)) * step.step
    bins = []
    low = step.low
    while low <= step.high + 1e-9:
        inside = sum(n for value, n in found.counts.items() if low - 1e-9 <= value < low + wide - 1e-9)
        label = figure(low) if wide == step.step else f"{figure(low)}–{figure(min(low + wide, step.high))}"
        bins.append((label, inside, right is not None and low - 1e-9 <= right < low + wide - 1e-9))
        low += wide
    return bins
