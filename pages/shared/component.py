"""A component of our own, registered once a server, and again only when its source changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st


@st.cache_resource(show_spinner=False)
def component(name: str, html: str, js: str, css: str | None = None) -> Callable[..., Any]:
    return st.components.v2.component(name, html=html, css=css, js=js)
