"""Components of our own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st


@st.cache_resource(show_spinner=False)
def component(name: str, html: str, js: str, css: str | None = None) -> Callable[..., Any]:
    """Registered once a server, and again only when its source changes."""
    return st.components.v2.component(name, html=html, css=css, js=js)


def said(key: str) -> dict[str, Any]:
    """In a component's callback: what it says. Nothing where the page has left it since its message was sent."""
    return dict(st.session_state.get(key) or {})
