"""Pages to which code leads, and messages that were under way when it did.

A browser sends each message for the page and the address that it shows. One that it sent after a press, before it had
drawn where that led, asks for the page of before: it is led on again, or the press would be lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from pages.shared import moved, places

_LAST = "led.last"
OF_A_LESSON = ("lesson", "step")  # what of an address tells places on one page apart
Address = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Lead:
    number: str  # of the move, see moved.py
    left: frozenset[Address]  # all places that a message under way may come from, and not the one it leads to
    stem: str
    params: dict[str, str]


def ask(stem: str, params: Mapping[str, str] | None = None) -> None:
    """Lead to another page, or to another step of a lesson: `params` are what its address has of them. A callback.

    The run that follows goes there. A newer message may end that run at any of its lines, and a callback nowhere: here
    the press is remembered before it can be lost.
    """
    last = _last()
    target = (stem, *((params or {}).get(name, "") for name in OF_A_LESSON))
    left = (frozenset() if last is None else last.left) | {_address()}
    st.session_state[_LAST] = _Lead(moved.counted(), left - {target}, stem, dict(params or {}))


def on() -> None:
    """Go where this visitor was led, and lead on a message that left before the browser had drawn that. Before anything
    else is drawn; this run of the script ends here where it is another page."""
    lead = _waiting()
    if lead is not None:
        _follow(lead)


def to(stem: str, params: Mapping[str, str] | None = None) -> None:
    """Lead there at once, in a run of the script."""
    ask(stem, params)
    on()


def waits() -> bool:
    """Whether this visitor was led away from what this run draws: a run of a fragment leads nowhere by itself."""
    return _waiting() is not None


def _waiting() -> _Lead | None:
    last = _last()
    return last if last is not None and _address() in last.left else None


def _last() -> _Lead | None:
    """Where this visitor was led, unless the browser had drawn it when it sent the message of this run."""
    last: _Lead | None = st.session_state.get(_LAST)
    return None if last is None or moved.is_drawn(last.number) else last


def _address() -> Address:
    return (places.here().stem, *(st.query_params.get(name, "") for name in OF_A_LESSON))


def _follow(lead: _Lead) -> None:
    if lead.stem != places.here().stem:
        st.switch_page(places.page_file(lead.stem), query_params=lead.params)
    st.query_params.update(lead.params)
    for name in OF_A_LESSON:
        if name not in lead.params:
            st.query_params.pop(name, None)
