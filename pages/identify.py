"""Can the cause be recovered at all? Identifiability from several environments: predicted, trained, measured."""

from __future__ import annotations

import streamlit as st

from crl_core.figures import palette
from crl_core.identify.latent_worlds import LatentWorld
from crl_core.identify.live import State
from crl_core.identify.presets import command_of
from crl_core.identify.promises import promise_of
from crl_core.identify.recovered import cautions
from pages.shared import page_header, quiet, require, style
from pages.shared.identify_live import button, results, training
from pages.shared.identify_measured import measured
from pages.shared.identify_world import asked_world, lesson
from pages.shared.run_view import warn
from pages.shared.server_cache import trainer
from pages.shared.tables import say

require()


def main() -> None:
    page_header(
        "Alignment hides the differences between environments; identifiability uses them. A laboratory of its own, "
        "with worlds of its own.",
    )
    found = question()
    if found is not None:
        results(*found)
    measured(palette(style.theme()))


def question() -> tuple[LatentWorld, State] | None:
    """The world asked about, with its promise and what can be done; None, with a sentence, where there is none."""
    top, told = st.container(), st.container()
    left, right = st.columns([1, 1.15], gap="medium")
    asked = asked_world(top, left)
    with told:
        if asked.world is not None:
            warn(cautions(asked.world))
        lesson(asked)
    with right:
        with st.container(key="panel_identify_promise"):
            promised(asked.world, asked.problem)
        if asked.world is None:
            return None
        state = trainer().state(asked.world, asked.seed)
        button(asked.world, asked.seed, state)
        quiet(command_of(asked.preset, asked.world, asked.seed))
        training(asked.world, asked.seed, state)
    return asked.world, state


def promised(world: LatentWorld | None, problem: str) -> None:
    """What the matrix promises, before any training, or why it promises nothing."""
    if world is None:
        style.panel_title("Nothing to predict yet", "from the matrix alone")
        st.error(style.plain(problem[:1].upper() + problem[1:]))
        return
    style.panel_title("Predicted, before any training", "from the matrix alone")
    for sentence in promise_of(world).words:
        say(sentence)


main()
