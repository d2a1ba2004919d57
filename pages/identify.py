"""Can the cause be recovered at all? Identifiability from several environments: predicted, trained live, and measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from crl_core.cli_identify import command_of
from crl_core.figures import palette
from crl_core.figures.identify import (
    correlation_matrix,
    scatter_matrix,
    sub,
    while_training,
)
from crl_core.identify.live import State, Trainer
from crl_core.identify.predict import predict
from crl_core.identify.presets import LATENT_PRESETS
from crl_core.identify.worlds import World
from pages.shared import page_header, quiet, require, services, style
from pages.shared.identify_measured import STATUS, measured
from pages.shared.tables import chart, say, table

_DEFINITIONS = """
**World**: latents z (independent, or along a chain) are mixed by a smooth invertible map into what is observed. Environment 1 is the
reference; every other one changes the scale of some latents, as the matrix says. No label on the latents and no outcome is used.

**Flow**: an invertible map, the same for all environments, to coordinates that are Gaussian and independent in each, fitted by exact
maximum likelihood; three restarts, chosen by likelihood on rows kept for that, never by the truth.

**MCC**: mean absolute correlation of true and recovered latents after the best one-to-one assignment, found on half of the
reference environment's test rows and taken on the other half. **Chance**: what a random rotation of the truth scores: .90 for two latents,
.83 for three, .78 for four. **Linear R²** of z from what was recovered stays high for any rotation: it does not test identification.

**Predicted** is this program's own argument for Gaussian noises and a fit without error, made from the matrix before anything is
trained; it is no theorem quoted from elsewhere. The page shows beside it what was recovered.
"""
_POLL_S, MOST_SEED = 0.4, 10_000
Table = tuple[tuple[float, ...], ...]

require()
ink = palette(style.theme())


@st.cache_resource(show_spinner=False)
def trainer() -> Trainer:
    return Trainer(services.store().root / "identify", services.jobs())


def asked_world() -> tuple[World, int, State] | None:
    """The world and seed that the controls say, and what is known of its training; None, with a sentence, where it cannot be."""
    keep: dict[str, Any] = {"persist_state": "session"}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="identify_controls"):
        name = st.selectbox(
            "World",
            list(LATENT_PRESETS),
            key="world",
            bind="query-params",
            format_func=lambda item: LATENT_PRESETS[item].title,
            width=320,
            **keep,
        )
        preset = LATENT_PRESETS[name]
        mixing = st.selectbox(
            "Mixing", ["smooth", "coupling", "linear"], index=["smooth", "coupling", "linear"].index(preset.world.mixing),
            key=f"identify.mixing.{name}", width=150, help="The family of the map that hides the latents.", **keep,
        )  # fmt: skip
        edges = st.selectbox(
            "Edges", ["none", "soft", "perfect"], index=["none", "soft", "perfect"].index(preset.world.edges),
            key=f"identify.edges.{name}", width=150, help="A chain z₁ → z₂ → …; soft interventions keep the edges, perfect ones cut them.", **keep,
        )  # fmt: skip
        extra = st.number_input(
            "Further observed",
            0,
            10,
            0,
            key="identify.extra",
            width=150,
            help="Observed dimensions beyond the latents.",
            **keep,
        )
        seed = int(
            st.number_input("Seed", 0, MOST_SEED, 0, key="draw", width=130, bind="query-params", **keep)
        )
    say(preset.lesson)
    left, right = st.columns([1, 1.15], gap="medium")
    with left, st.container(key="panel_identify_matrix"):
        style.panel_title(
            "Intervention matrix",
            "what each environment does to each latent; the first row is the reference. Edit, add or remove rows.",
        )
        scales, means = matrices(name, preset.world)
    try:
        world = replace(
            preset.world, scales=scales, means=means, mixing=mixing, edges=edges, dim_x=preset.world.dim + int(extra)
        )  # fmt: skip
    except ValueError as error:
        with right:
            st.error(style.plain(str(error)[:1].upper() + str(error)[1:]))
        return None
    with right, st.container(key="panel_identify_promise"):
        promised(world)
    state = trainer().state(world, seed)
    with right:
        button(world, seed, state)
        quiet(command_of(name, world, seed))
    return world, seed, state


def matrices(name: str, world: World) -> tuple[Table, Table]:
    """Scales and means of each latent in each environment, as edited; means follow the number of rows of the scales."""
    columns = [f"z{sub(i)}" for i in range(world.dim)]
    of_scales, of_means = st.tabs(["Scales", "Means"])
    with of_scales:
        edited = st.data_editor(
            pd.DataFrame(world.scales, columns=columns), num_rows="dynamic", key=f"identify.matrix.{name}", width="stretch"
        )  # fmt: skip
    n_envs = len(edited)
    with of_means:
        start = [world.means[e] if e < world.n_envs else (0.0,) * world.dim for e in range(n_envs)]
        moved = st.data_editor(
            pd.DataFrame(start, columns=columns), key=f"identify.means.{name}.{n_envs}", width="stretch"
        )
    return tuple(
        tuple(tuple(map(float, row)) for row in part.to_numpy(np.float64)) for part in (edited, moved)
    )  # type: ignore[return-value]


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
    problem = st.session_state.pop("identify.problem", None) or (
        state.problem if state.phase == "failed" else ""
    )
    if problem:
        st.error(style.plain(problem[:1].upper() + problem[1:]))


def training(world: World, seed: int, state: State) -> None:
    """What comes of it, as it comes."""
    if state.active:
        st.fragment(watch, run_every=_POLL_S)(world, seed)
    else:
        show(world, state)


def _another(world: World, seed: int) -> None:
    following = (seed + 1) % (MOST_SEED + 1)
    st.session_state["draw"] = following
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
    letter = "z" if world.edges == "none" else "ε"
    looks, done = state.looks, state.done
    matrix = np.array(done["matrix"] if done else looks[-1]["matrix"] if looks else np.empty((0, 0)))
    waiting = {
        "queued": f"Waits for {style.count(state.ahead, 'run')} before it."
        if state.ahead
        else "The flow starts.",
        "running": "The flow starts.",
    }.get(state.phase, "Press Train; this fills while the flow learns.")
    left, right = st.columns(2, gap="medium")
    with left, st.container(key="panel_identify_live"):
        chart(
            correlation_matrix(
                matrix, ink, title="True against recovered, |correlation|", letter=letter, waiting=waiting
            ),
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
            "Test rows of the reference environment, standardised. A line, straight or bent, in one panel a row: recovered. A cloud: not."
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
            "recovered" if value >= 0.95 else "not recovered",
        )
        for i, (status, value) in enumerate(zip(promise.status, done["per_coordinate"], strict=True))
    ]
    table(("latent" if world.edges == "none" else "noise", "predicted", "score", "at .95"), rows)
    words = f"MCC {done['mcc']:.3f}; a random rotation scores {done['floor']:.2f}. Linear R² {done['r2']:.3f}, Spearman {done['spearman']:.3f}."
    if world.edges != "none":
        words += f" Against the latents themselves the MCC is {done['mcc_latents']:.3f}: the noises are recovered, not the latents."
    say(words)
    quiet(f"{done['cpu_seconds']:.1f} CPU seconds.")


def main() -> None:
    page_header(
        "Can the cause be recovered at all?",
        "Alignment hides the differences between environments; identifiability uses them. A laboratory of its own: the sidebar's world is not used here.",
        _DEFINITIONS,
    )
    found = asked_world()
    if found is not None:
        training(*found)
    measured(ink)


main()
