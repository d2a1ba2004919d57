"""Folds that are drawn when they are open: a page is drawn for many, and most of them never look inside."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator


def fold(title: str, key: str, draw: Callable[[], None]) -> None:
    """A fold, closed to begin with, and what it holds."""
    box = st.expander(title, key=key, on_change="rerun")
    if is_open(box):
        with box:
            draw()


def is_open(box: DeltaGenerator) -> bool:
    return bool(box.open)
