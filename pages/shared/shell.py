"""Navigation, style sheet and sidebar around every page.

`require()` is the first statement of a page: while a directory named `pages` exists, the first session of a fresh
server runs a deep link's file without `app.py`, and `require` sends that session through it (streamlit.md, section 1).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from crl_core.runs.sealing import StoreError
from pages.shared import server_cache, sidebar, style

_ROOT = Path(__file__).parents[2]
# section -> (file, title): a page is listed once its file is there; its address is the file's stem. Pages of the
# section without a name stand in the bar itself, the others in a menu each, so that all fit beside the sidebar.
PAGES = {
    "": (
        ("train", "Train"),
        ("scenario", "Scenario"),
        ("latent", "Latent"),
        ("effects", "Effects"),
        ("path", "λ path"),
        ("lecture", "Lecture"),
    ),
    "Questions": (
        ("claims", "Claims"),
        ("environments", "Environments"),
        ("penalties", "Penalties"),
        ("lens", "MMD lens"),
        ("unseen", "Unseen environment"),
        ("identify", "Identifiability"),
    ),
    "Runs": (
        ("runs", "Library"),
        ("compare", "Compare"),
        ("serve", "Export & serve"),
    ),
}


def page_file(stem: str) -> str:
    return f"pages/{stem}.py"


def _pages() -> dict[str, list[Any]]:
    return {
        section: [
            st.Page(page_file(stem), title=title, url_path=stem, default=stem == "train")
            for stem, title in pages
            if (_ROOT / page_file(stem)).exists()
        ]
        for section, pages in PAGES.items()
    }


def main() -> None:
    """What `app.py` does."""
    st.set_page_config(page_title="CRL Explorer", layout="wide", initial_sidebar_state="auto")
    page = st.navigation(_pages(), position="top")
    st.session_state["shell.framed"] = True
    try:
        style.inject()
        try:
            server_cache.store()
        except StoreError as error:  # CRL_CACHE names what is not there
            st.error(str(error))
            st.stop()
        sidebar.draw()
        page.run()
    finally:
        st.session_state["shell.framed"] = False


def require() -> None:
    """Go through `app.py` if this page was started without it."""
    if not st.session_state.get("shell.framed"):
        st.navigation(_pages())
        st.rerun()
