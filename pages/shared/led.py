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
    left: frozenset[Address]  # all places that a message under way may come from
    stem: str
    params: dict[str, str]


def to(stem: str, params: Mapping[str, str] | None = None) -> None:
    """Another page, or another step of a lesson on this one: `params` are what its address has of them.

    This run of the script ends here where it is another page.
    """
    last: _Lead | None = st.session_state.get(_LAST)
    earlier = frozenset() if last is None or moved.is_drawn(last.number) else last.left
    lead = _Lead(moved.counted(), earlier | {_address()}, stem, dict(params or {}))
    st.session_state[_LAST] = lead
    _follow(lead)


def on() -> None:
    """Lead on a message that left before the browser had drawn where it was led. Before anything else is drawn."""
    last: _Lead | None = st.session_state.get(_LAST)
    if last is not None and not moved.is_drawn(last.number) and _address() in last.left:
        _follow(last)


def _address() -> Address:
    return (places.here().stem, *(st.query_params.get(name, "") for name in OF_A_LESSON))


def _follow(lead: _Lead) -> None:
    if lead.stem != places.here().stem:
        st.switch_page(places.page_file(lead.stem), query_params=lead.params)
    st.query_params.update(lead.params)
    for name in OF_A_LESSON:
        if name not in lead.params:
            st.query_params.pop(name, None)
