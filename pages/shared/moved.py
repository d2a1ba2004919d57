"""Fields that code sets, and messages that were under way when it did.

A browser sends the values of all its controls with every message. One that it sent before it had drawn what code set, a
poll's or another control's, still brings a value of before, which nobody asks for: the field stays as code set it. What
the browser had drawn, it says itself: a hidden field holds the number of the last move, and comes back with the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

ECHO = "moved.echo"  # the hidden field's key
_MOVES = "moved.fields"  # by name
_COUNT = "moved.count"


@dataclass(frozen=True, slots=True)
class _Move:
    number: str  # all of one length, so that they compare as numbers do
    before: tuple[Any, ...]  # all values that a message under way may bring
    after: Any


def move(name: str, value: Any) -> None:
    """Set a field by code, before the fields are drawn."""
    state = st.session_state
    moves: dict[str, _Move] = state.setdefault(_MOVES, {})
    last = moves.pop(name, None)
    earlier = (*last.before, last.after) if last is not None and not is_drawn(last.number) else ()
    before = tuple(one for one in (*earlier, state.get(name, value)) if one != value)
    if before:
        moves[name] = _Move(counted(), before, value)
    state[name] = value


def by_hand(name: str) -> bool:
    """In the field's own callback: whether a hand changed it."""
    moves: dict[str, _Move] = st.session_state.get(_MOVES, {})
    if name in moves and _is_late(name, moves[name]):
        return False
    moves.pop(name, None)
    return True


def keep() -> None:
    """Set again what a late message has changed. Before the fields are drawn."""
    for name, last in st.session_state.get(_MOVES, {}).items():
        if _is_late(name, last):
            st.session_state[name] = last.after


def echo() -> None:
    """Draw the hidden field. After the fields, so that a browser that has drawn it has drawn them too."""
    if _COUNT in st.session_state:
        st.session_state[ECHO] = _written(st.session_state[_COUNT])
    with st.container(key="bound_moves"):
        st.text_input("Last move drawn", key=ECHO)


def _written(number: int) -> str:
    return f"{number:012}"


def counted() -> str:
    """The number of a new move."""
    st.session_state[_COUNT] = st.session_state.get(_COUNT, 0) + 1
    return _written(st.session_state[_COUNT])


def is_drawn(number: str) -> bool:
    """Whether the browser had drawn the move of this number when it sent the message of this run."""
    return bool(st.session_state.get(ECHO, "") >= number)


def _is_late(name: str, last: _Move) -> bool:
    return st.session_state.get(name) in last.before and not is_drawn(last.number)
