"""The language in which lessons, terms and what belongs to them are shown: `?lang=de`, kept for the session."""

from __future__ import annotations

import streamlit as st

from crl_core.config.language import LANGUAGES, translated

_LANGUAGE = "language"


def arrive() -> None:
    """Take the language that the address asks for. Once a run, by the shell."""
    if (asked := st.query_params.get("lang")) in LANGUAGES:
        st.session_state[_LANGUAGE] = asked


def language() -> str:
    found: str = st.session_state.get(_LANGUAGE, "en")
    return found


def choose(asked: str) -> None:
    """Show another language. A callback."""
    st.session_state[_LANGUAGE] = asked
    st.query_params["lang"] = asked


def tr(text: str) -> str:
    """A text of the pages in the language in view; its English stands in the code, `crl_core/config/de.toml` has the
    rest."""
    return translated(text, language())
