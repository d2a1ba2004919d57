"""What of the sidebar a page shows, and the preset by its title, with its causal graph.

What a page does not use is drawn and hidden: a widget that is not drawn would lose its place in the address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.presets import DEFAULT_PRESET, PRESETS, Preset
from crl_core.figures.palette import palette
from crl_core.world.graph import said
from crl_core.world.thumbnail import svg
from pages.shared import locks, places
from pages.shared.fields import Field
from pages.shared.style import picture, quiet, theme

_ALL_HIDDEN = """
@media (min-width: 769px) {  /* below, the menu is in it */
  [data-testid="stSidebar"], [data-testid="stExpandSidebarButton"] { display: none; }
}
"""


def only_used(own_table: bool, of_lesson: Sequence[str] | None = None) -> None:
    """Hide the controls that the page does not use; the sidebar itself where it uses none.

    own_table: a table is in view, so that its fields stand in place of those of simulated worlds.
    of_lesson: those that a lesson leaves in reach, whose card stands in the sidebar; None outside lessons.
    """
    idle = {"preset", "world"} if own_table else {"table"}
    uses = places.here().uses - idle
    if uses <= {"train"}:  # there is nothing to train
        uses = frozenset()
    if of_lesson is not None:
        uses &= set(of_lesson)
    hidden = ", ".join(
        f'[data-testid="stLayoutWrapper"]:has(> [class*="st-key-controls_{name}"])'
        for name in places.CONTROLS
        if name not in uses
    )
    css = f"{hidden} {{ display: none; }}" if hidden else ""
    st.html(f"<style>{css}{'' if uses or of_lesson is not None else _ALL_HIDDEN}</style>")


def preset_by_title(changed: Callable[[], None]) -> Preset:
    """The world, chosen by title; the address holds its id. `changed` is called where another one was chosen."""

    says = "A world to try alignment on. Changing it resets the fields below to its values."
    titles = {name: preset.title for name, preset in PRESETS.items()}
    return PRESETS[_by_word("preset", "Preset", titles, DEFAULT_PRESET, says, changed)]


def penalty_by_word(field: Field, home: str, changed: Callable[[], None]) -> str:
    """The penalty, chosen by its name on the page “Which penalty?”; the address holds its id."""
    words = {name: PENALTY_WORDS[name].short for name in field.options}
    return _by_word(field.name, field.label, words, home, field.help, changed)


def _by_word(key: str, label: str, words: Mapping[str, str], home: str, says: str, changed: Callable[[], None]) -> str:
    """One of `words`, chosen by its word; the address holds its id, and nothing while that is `home`."""
    worded = f"{key}.by_word"

    def take() -> None:
        st.session_state[key] = st.session_state[worded]
        changed()

    with st.container(key=f"bound_{key}"):  # hidden: it binds the id to the address
        chosen = st.selectbox(
            f"{label}'s id", list(words), list(words).index(home), key=key, bind="query-params", on_change=changed
        )
    st.session_state[worded] = chosen
    held = locks.locked("preset" if key == "preset" else "world")
    word = words.__getitem__
    st.selectbox(label, list(words), key=worded, format_func=word, on_change=take, help=says, disabled=held)
    return chosen


def say_locked() -> None:
    """Which controls a link holds fast."""
    held = [words for name, words in locks.WORDS.items() if name != "all" and locks.locked(name)]
    if held:
        quiet(f"🔒 Set by your lecturer: {'; '.join(held)}.")


def graph(preset: Preset) -> None:
    """The causal graph of a preset, small."""
    scenario = preset.config.scenario
    if scenario is not None:
        drawn = svg(scenario, palette(theme())["muted"], preset.env_word)
        st.html(f'<div class="crl-graph">{picture(drawn, said(scenario, preset.env_word))}</div>')
