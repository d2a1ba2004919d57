"""Fields that code sets, and messages that were under way when it did.

A browser sends the values of all its controls with every message. One that it sent before it had drawn what code set, a
poll's or another control's, still brings a value of before, which nobody asks for: the field stays as code set it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

_MOVES = "moved.fields"  # by name
_STALE_S = 10.0
_HAND_S = 2.0  # from another control to this one


@dataclass(frozen=True, slots=True)
class _Move:
    before: tuple[Any, ...]  # all values that a message under way may bring
    after: Any
    since: float

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.since

    def is_late(self, value: Any) -> bool:
        return value in self.before and self.age_s < _STALE_S


def move(name: str, value: Any) -> None:
    """Set a field by code, before the fields are drawn."""
    state = st.session_state
    moves: dict[str, _Move] = state.setdefault(_MOVES, {})
    last = moves.pop(name, None)
    earlier = [*last.before, last.after] if last is not None and last.age_s < _STALE_S else []
    before = tuple(one for one in (*earlier, state.get(name, value)) if one != value)
    if before:
        moves[name] = _Move(before, value, time.monotonic())
    state[name] = value


def at_rest(name: str) -> None:
    """No page polls, so any other value of the field is somebody's wish."""
    st.session_state.get(_MOVES, {}).pop(name, None)


def by_hand(name: str) -> bool:
    """In the field's own callback: whether a hand changed it. A hand may go back to a value of before: what no poll
    sends, and not at once after the move, when any message can still bring it."""
    last: _Move | None = st.session_state.get(_MOVES, {}).get(name)
    if last is not None and last.is_late(st.session_state[name]):
        context = get_script_run_ctx()
        of_poll = context is not None and bool(context.fragment_ids_this_run)
        if of_poll or last.age_s <= _HAND_S:
            return False
    at_rest(name)
    return True


def keep() -> None:
    """Set again what a late message has changed. Before the fields are drawn."""
    for name, last in st.session_state.get(_MOVES, {}).items():
        if last.is_late(st.session_state.get(name)):
            st.session_state[name] = last.after
