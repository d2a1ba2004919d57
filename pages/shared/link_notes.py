"""Warnings on a link's parameters that cannot be had, shown before Streamlit drops them from the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from pages.shared.style import plain


def say_in_vain(options: Mapping[str, Sequence[str]], numbers: Mapping[str, tuple[int, int]] | None = None) -> None:
    """A warning for every parameter of the address that is none of its options, or no whole number of its range."""
    for name, allowed in options.items():
        asked = st.query_params.get(name)
        if asked is not None and asked not in allowed:
            _say(name, asked, f"it must be one of {', '.join(allowed)}")
    for name, (low, high) in (numbers or {}).items():
        asked = st.query_params.get(name)
        if asked is not None and not (asked.isascii() and asked.isdecimal() and low <= int(asked) <= high):
            _say(name, asked, f"it must be a whole number from {low} to {high}")


def _say(name: str, asked: str, allowed: str) -> None:
    st.warning(plain(f"The link asks for {name} = {asked[:40]}; {allowed}. Shown: the default."))
