"""Navigation, style sheet and sidebar around every page.

`require()` is the first statement of a page: while a directory named `pages` exists, the first session of a fresh server
runs a deep link's file without `app.py`, and `require` sends that session through it (streamlit.md, section 1).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from pages.shared import sidebar, style

_ROOT = Path(__file__).parents[2]
# (file, title): a page is listed once its file is there; its address is the file's stem.
PAGES = (
    ("train", "Train"),
    ("scenario", "Scenario"),
    ("latent", "Latent"),
    ("effects", "Effects"),
    ("path", "λ path"),
    ("lens", "MMD lens"),
    ("lecture", "Lecture"),
    ("compare", "Compare"),
    ("claims", "Claims"),
    ("environments", "Environments"),
    ("penalties", "Penalties"),
    ("unseen", "Unseen"),
    ("serve", "Serve"),
    ("runs", "Runs"),
)


def page_file(stem: str) -> str:
    return f"pages/{stem}.py"


def _pages() -> list[Any]:
    there = [(stem, title) for stem, title in PAGES if (_ROOT / page_file(stem)).exists()]
    return [
        st.Page(page_file(stem), title=title, url_path=stem, default=stem == PAGES[0][0])
        for stem, title in there
    ]


def main() -> None:
    """What `app.py` does."""
    st.set_page_config(page_title="CRL Explorer", layout="wide", initial_sidebar_state="auto")
    page = st.navigation(_pages(), position="top")
    st.session_state["shell.framed"] = True
    try:
        style.inject()
        sidebar.draw()
        page.run()
    finally:
        st.session_state["shell.framed"] = False


def require() -> None:
    """Go through `app.py` if this page was started without it."""
    if not st.session_state.get("shell.framed"):
        st.navigation(_pages())
        st.rerun()
