"""Can the cause be recovered at all? Identifiability from several environments: predicted, trained live, and
measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from crl_core.figures import palette
from crl_core.figures.identify import (
    correlation_matrix,
    scatter_matrix,
    sub,
    while_training,
)
from crl_core.identify.live import State, Trainer
from crl_core.identify.predict import predict
from crl_core.identify.presets import command_of
from crl_core.identify.worlds import World
from pages.shared import page_header, quiet, require, server_cache, style
from pages.shared.identify_measured import STATUS, measured
from pages.shared.identify_world import MOST_SEED, SEED, asked_world, lesson
from pages.shared.tables import chart, say, table

_DEFINITIONS = """
**World**: latents z (independent, or along a chain) are mixed by a smooth invertible map into what is observed.
Environment 1 is the reference; every other one changes the scale of some latents, as the matrix says. No label on the
latents and no outcome is used.

**Flow**: an invertible map, the same for all environments, to coordinates that are Gaussian and independent in each,
fitted by exact maximum likelihood; three restarts, chosen by likelihood on rows kept for that, never by the truth.

**MCC**: mean absolute correlation of true and recovered latents after the best one-to-one assignment, found on half of
the reference environment's test rows and taken on the other half. **Chance**: what a random rotation of the truth
scores: .90 for two latents, .83 for three, .78 for four. **Linear R²** of z from what was recovered stays high for any
        rotation: it does not test identification.

**Predicted** is this program's own argument for Gaussian noises and a fit without error, made from the matrix before
anything is trained; it is no theorem quoted from elsewhere. The page shows beside it what was recovered.
"""
_POLL_S, RECOVERED = 0.4, 0.95

require()
ink = palette(style.theme())


@st.cache_resource(show_spinner=False)
def trainer() -> Trainer:
    return Trainer(server_cache.store().root / "identify", server_cache.jobs())


def question() -> tuple[World, int, State] | None:
    """The world asked about, what is promised of it and what can be done; None, with a sentence, where there is
    none."""
    top, told = st.container(), st.container()
    left, right = st.columns([1, 1.15], gap="medium")
    asked = asked_world(top, left)
    with told:
        lesson(asked)
    with right:
        if asked.world is None:
            with st.container(key="panel_identify_promise"):
                style.panel_title("Nothing to predict yet", "from the matrix alone")
                st.error(style.plain(asked.problem[:1].upper() + asked.problem[1:]))
            return None
        with st.container(key="panel_identify_promise"):
            promised(asked.world)
        state = trainer().state(asked.world, asked.seed)
        button(asked.world, asked.seed, state)
        quiet(command_of(asked.preset, asked.world, asked.seed))
    return asked.world, asked.seed, state


def promised(world: World) -> None:
    """What the matrix promises, before any training."""
    promise = predict(world)
    style.panel_title("Predicted, before any training", "from the matrix alone")
    for sentence in promise.words:
        say(sentence)


def button(world: World, seed: int, state: State) -> None:
    """What can be done now, and what went wrong."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if state.active:
            st.button("Cancel", key="identify.cancel", on_click=trainer().cancel, args=(world, seed))
        elif state.done:
            st.button("Train on another draw", key="identify.another", on_click=_another, args=(world, seed))
            quiet("The same world and seed give the same again.")
        else:
            st.button("Train", type="primary", key="identify.train", on_click=_train, args=(world, seed))
            quiet("Three restarts of the flow, a few seconds of one core.")
    problem = st.session_state.pop("identify.problem", None) or (state.problem if state.phase == "failed" else "")
    if problem:
        st.error(style.plain(problem[:1].upper() + problem[1:]))


def training(found: tuple[World, int, State] | None) -> None:
    """What comes of it, as it comes."""
    if found is None:
        pictures("z", State("absent"), "This fills once the matrix can be read.")
        return
    world, seed, state = found
    if state.active:
        st.fragment(watch, run_every=_POLL_S)(world, seed)
    else:
        show(world, state)


def _another(world: World, seed: int) -> None:
    following = (seed + 1) % (MOST_SEED + 1)
    st.session_state[SEED] = following
    _train(world, following)


def _train(world: World, seed: int) -> None:
    try:
        trainer().start(world, seed)
    except ValueError as error:
        st.session_state["identify.problem"] = str(error)


def watch(world: World, seed: int) -> None:
    """A fragment: draws itself again until the training ends."""
    state = trainer().state(world, seed)
    if not state.active:
        st.rerun()
    show(world, state)


def show(world: World, state: State) -> None:
    """The correlation matrix as it is, MCC over steps, and once done the scatter and the verdict."""
    letter, done = "z" if world.edges == "none" else "ε", state.done
    ahead = f"Waits for {style.count(state.ahead, 'run')} before it." if state.ahead else "The flow starts."
    waiting = {"queued": ahead, "running": "The flow starts."}.get(
        state.phase, "Press Train; this fills while the flow learns."
    )
    pictures(letter, state, waiting)
    if not done:
        return
    left, right = st.columns([1, 1.5], gap="medium")
    with left, st.container(key="panel_identify_verdict"):
        style.panel_title("Predicted beside recovered", "this draw; figures over seeds are below")
        verdict(world, done)
    with right, st.container(key="panel_identify_scatter"):
        drawn = scatter_matrix(
            np.array(done["truth"]), np.array(done["found"]), ink, title="True × recovered", letter=letter
        )
        chart(drawn, "identify.scatter")
        quiet(
            "Test rows of the reference environment, standardised. A line, straight or bent, in one panel a row: "
            "recovered. A cloud: not."
        )


def pictures(letter: str, state: State, waiting: str) -> None:
    """What is seen while it trains, and after."""
    looks, done = state.looks, state.done
    matrix = np.array(done["matrix"] if done else looks[-1]["matrix"] if looks else np.empty((0, 0)))
    left, right = st.columns(2, gap="medium")
    with left, st.container(key="panel_identify_live"):
        chart(
            correlation_matrix(matrix, ink, title="Correlation, true × recovered", letter=letter, waiting=waiting),
            "identify.live",
        )
    steps, mcc = [look["step"] for look in looks], [look["mcc"] for look in looks]
    with right, st.container(key="panel_identify_steps"):
        total = looks[-1]["of"] if looks else 1
        floor = done["floor"] if done else None
        chart(
            while_training(steps, mcc, floor, total, ink, title="MCC while the flow learns", waiting=waiting),
            "identify.steps",
        )


def verdict(world: World, done: dict[str, Any]) -> None:
    """Predicted beside recovered, a row a latent."""
    promise = predict(world)
    letter = "z" if world.edges == "none" else "ε"
    rows = [
        (
            f"{letter}{sub(i)}",
            STATUS[status],
            f"{value:.3f}",
            "yes" if value >= RECOVERED else "no",
        )
        for i, (status, value) in enumerate(zip(promise.status, done["per_coordinate"], strict=True))
    ]
    table(("latent" if world.edges == "none" else "noise", "predicted", "score", f"≥\u00a0{RECOVERED:g}"), rows)
    words = (
        f"MCC {done['mcc']:.3f}; a random rotation scores {done['floor']:.2f}. Linear R² {done['r2']:.3f}, Spearman "
        f"{done['spearman']:.3f}."
    )
    if world.edges != "none":
        words += f" Against the latents themselves the MCC is {done['mcc_latents']:.3f}"
        clear = min(done["per_coordinate"]) >= RECOVERED > done["mcc_latents"]
        words += ": the noises are recovered, not the latents." if clear else "."
    say(words)
    quiet(f"{done['cpu_seconds']:.1f} CPU seconds.")


def main() -> None:
    page_header(
        "Can the cause be recovered at all?",
        "Alignment hides the differences between environments; identifiability uses them. A laboratory of its own: "
        "the sidebar's world is not used here.",
        _DEFINITIONS,
    )
    training(question())
    measured(ink)


main()
