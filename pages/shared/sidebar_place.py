"""What of the sidebar a page shows, and the preset by its title, with its causal graph.

What a page does not use is drawn and hidden: a widget that is not drawn would lose its place in the address.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from html import escape

import streamlit as st

from crl_core.config.presets import PRESETS, Preset
from crl_core.figures.palette import palette
from crl_core.world.graph import said
from crl_core.world.thumbnail import svg
from pages.shared import places
from pages.shared.style import theme

_TITLED = "preset.titled"
_ALL_HIDDEN = """
@media (min-width: 769px) {  /* below, the menu is in it */
  [data-testid="stSidebar"], [data-testid="stExpandSidebarButton"] { display: none; }
}
"""


def only_used(own_table: bool) -> None:
    """Hide the controls that the page does not use; the sidebar itself where it uses none.

    own_table: a table is in view, so that its fields stand in place of those of simulated worlds.
    """
    idle = {"preset", "world"} if own_table else {"table"}
    uses = places.here().uses - idle
    if uses <= {"train"}:  # there is nothing to train
        uses = frozenset()
    hidden = ", ".join(
        f'[data-testid="stLayoutWrapper"]:has(> [class*="st-key-controls_{name}"])'
        for name in places.CONTROLS
        if name not in uses
    )
    css = f"{hidden} {{ display: none; }}" if hidden else ""
    st.html(f"<style>{css}{'' if uses else _ALL_HIDDEN}</style>")


def preset_by_title(changed: Callable[[], None]) -> Preset:
    """The world, chosen by title; the address holds its id. `changed` is called where another one was chosen."""

    def take() -> None:
        st.session_state["preset"] = st.session_state[_TITLED]
        changed()

    with st.container(key="bound_preset"):  # hidden: it binds the id to the address
        preset_id = st.selectbox("Preset's id", list(PRESETS), key="preset", bind="query-params", on_change=changed)
    st.session_state[_TITLED] = preset_id
    st.selectbox(
        "Preset",
        list(PRESETS),
        key=_TITLED,
        format_func=lambda name: PRESETS[name].title,
        on_change=take,
        help="A world to try alignment on. Changing it resets the fields below to its values.",
    )
    return PRESETS[preset_id]


def graph(preset: Preset) -> None:
    """The causal graph of a preset, small."""
    scenario = preset.config.scenario
    if scenario is not None:
        drawn = svg(scenario, palette(theme())["muted"], preset.env_word)
        source = b64encode(drawn.encode()).decode()  # as a picture: the page's own SVG would be taken out of its HTML
        words = escape(said(scenario, preset.env_word))
        st.html(f'<div class="crl-graph"><img alt="{words}" src="data:image/svg+xml;base64,{source}"></div>')
