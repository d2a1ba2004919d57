"""What a lecturer's link holds fast: `lock=lam,preset` single controls, `lock=all` all of them and the menu, and
`show=effects,latent` the pages that the menu has. For attention, not for secrecy: whoever edits the address has all.

They stay for the session, since an address loses them on the way from page to page.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from pages.shared import places
from pages.shared.style import plain

WORDS: Mapping[str, str] = {
    "preset": "Preset",
    "world": "Environments, σ and all further settings",
    "lam": "λ",
    "train": "Train",
    "all": "Everything: no sidebar, no menu",
}
_LOCKS, _SHOWN = "locks.controls", "locks.pages"
_PARAMS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("lock", _LOCKS, WORDS),
    ("show", _SHOWN, places.TITLES),
)
_BARE = """<style>
[data-testid="stSidebar"], [data-testid="stExpandSidebarButton"], [data-testid="stTopNavSection"],
[data-testid="stTopNavLinkContainer"], .stMain .st-key-bottom_bar { display: none !important; }
</style>"""


def arrive() -> None:
    """Take what the address holds fast. Once a run, by the shell, before anything is drawn."""
    for name, key, known in _PARAMS:
        if (asked := st.query_params.get(name)) is not None:
            st.session_state[key] = frozenset(asked.split(",")) & known.keys()


def locked(control: str) -> bool:
    """Whether a control of the sidebar is held fast: preset, world, lam or train."""
    held: frozenset[str] = st.session_state.get(_LOCKS, frozenset())
    return control in held or "all" in held


def bare() -> bool:
    return "all" in st.session_state.get(_LOCKS, ())


def pages() -> frozenset[str] | None:
    """The pages that the menu has; None where all of them."""
    shown: frozenset[str] = st.session_state.get(_SHOWN, frozenset())
    return shown or None


def hide() -> None:
    """Hide what a link takes away."""
    if bare():
        st.html(_BARE)


def say_in_vain() -> None:
    """Say what of these the address asks for and cannot have."""
    for name, _, known in _PARAMS:
        vain = [part for part in st.query_params.get(name, "").split(",") if part and part not in known]
        if vain:
            asked = ", ".join(vain)[:40]
            st.warning(plain(f"The link asks for {name} = {asked}; it may have {', '.join(known)}. The rest holds."))
