"""The pages: what each is called, where it stands in the menu, and which of the sidebar's controls it uses.

A title is one fact: the menu, the browser's tab and the heading of the page are made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import streamlit as st

Control = Literal["preset", "world", "table", "lam", "train"]
CONTROLS: tuple[Control, ...] = get_args(Control)
_RUN = frozenset(CONTROLS)
_NONE: frozenset[Control] = frozenset()
DEFAULT_PAGE = "train"
START = "lessons"  # where a first visit begins
_HERE = "places.here"


@dataclass(frozen=True, slots=True)
class Place:
    """A page. stem: of its file, and its address.

    uses: preset  which world
          world   environments, σ, epochs and the further settings
          table   how a table of one's own is trained, where one is in view
          lam     λ in view
          train   Train and how the run stands
    """

    stem: str
    title: str
    uses: frozenset[Control] = _RUN

    @property
    def of_a_run(self) -> bool:
        return self.uses == _RUN


# Pages of the section without a name stand in the bar itself, the others in a menu each, so that all fit beside the
# sidebar.
SECTIONS: dict[str, tuple[Place, ...]] = {
    "": (
        Place("lessons", "Learn", _NONE),
        Place("train", "Train"),
        Place("data", "Your table", frozenset({"table", "train"})),
        Place("scenario", "Scenario"),
        Place("latent", "Latent"),
        Place("effects", "Effects"),
        Place("path", "λ path"),
        Place("lecture", "Lecture"),
    ),
    "Questions": (
        Place("claims", "Do textbook claims hold?", _NONE),
        Place("environments", "Do more environments help?", frozenset({"preset"})),
        Place("penalties", "Which penalty?", frozenset({"preset"})),
        Place("lens", "Which MMD?"),
        Place("unseen", "Will it hold elsewhere?"),
        Place("identify", "Can the cause be recovered?", _NONE),
        Place("words", "What does a word mean?", _NONE),
    ),
    "Runs": (
        Place("runs", "Library", _NONE),
        Place("compare", "Compare", frozenset({"lam"})),
        Place("studies", "Studies", _NONE),
        Place("serve", "Export & serve"),
    ),
}
PLACES = {place.stem: place for places in SECTIONS.values() for place in places}
TITLES = {stem: place.title for stem, place in PLACES.items()}


def page_file(stem: str) -> str:
    return f"pages/{stem}.py"


def arrive(stem: str) -> None:
    """This run of the script draws the page `stem`. Called once a run, by the shell."""
    st.session_state[_HERE] = stem or DEFAULT_PAGE


def here() -> Place:
    """The page that is drawn."""
    return PLACES[st.session_state[_HERE]]
