"""A training of a latent world on the Identifiability page: its button, its pictures as they come, its scores."""

from __future__ import annotations

import numpy as np
import streamlit as st

from crl_core.figures import palette
from crl_core.figures.identify import correlation_matrix, scatter_matrix, sub, while_training
from crl_core.identify.latent_worlds import LatentWorld
from crl_core.identify.live import State
from crl_core.identify.promises import Promise, promise_of
from crl_core.identify.recovered import RECOVERED, sentence
from pages.shared import load, style
from pages.shared.identify_measured import STATUS
from pages.shared.identify_world import MOST_SEED, SEED
from pages.shared.server_cache import trainer
from pages.shared.style import quiet
from pages.shared.tables import chart, say, table

_POLL_S = 0.4
_PROBLEM = "identify.problem"  # why the last click could not start a training


def button(world: LatentWorld, seed: int, state: State) -> None:
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
    problem = st.session_state.pop(_PROBLEM, None) or (state.problem if state.phase == "failed" else "")
    if problem:
        st.error(style.plain(problem[:1].upper() + problem[1:]))


def _another(world: LatentWorld, seed: int) -> None:
    following = (seed + 1) % (MOST_SEED + 1)
    st.session_state[SEED] = following
    _train(world, following)


def _train(world: LatentWorld, seed: int) -> None:
    try:
        trainer().start(world, seed)
    except ValueError as error:
        st.session_state[_PROBLEM] = str(error)


def training(world: LatentWorld, seed: int, state: State) -> None:
    """The training's pictures, as they come; nothing before there is one."""
    if state.active:
        st.fragment(_watch, run_every=load.pace(_POLL_S))(world, seed)
    elif state.done:
        _pictures(world, state)


def _watch(world: LatentWorld, seed: int) -> None:
    """A fragment: draws itself again until the training ends."""
    state = trainer().state(world, seed)
    if not state.active:
        st.rerun()
    _pictures(world, state)


def results(world: LatentWorld, state: State) -> None:
    """Of a training that has ended: the scores beside what was predicted, and the scatter; else nothing."""
    promise, done, ink = promise_of(world), state.done, palette(style.theme())
    if not done:
        return
    left, right = st.columns([1, 1.5], gap="medium")
    with left, st.container(key="panel_identify_verdict"):
        style.panel_title("Predicted beside recovered", "this draw; figures over seeds are below")
        heads = (promise.about.removesuffix("s"), "predicted", "score", f"≥\u00a0{RECOVERED:g}")
        own = done if promise.by == "flow" else done["causes"]
        table(heads, _rows(promise, own["per_coordinate"]))
        if promise.by == "causes":
            quiet("Scores of the likelihood of cut edges, which the prediction is of; the pictures are the flow's.")
        say(sentence(promise, done))
        quiet(f"{done['cpu_seconds']:.1f} CPU seconds.")
    with right, st.container(key="panel_identify_scatter"):
        drawn = scatter_matrix(
            np.array(done["truth"]), np.array(done["found"]), ink, title="True × recovered", letter=promise.letter
        )
        chart(drawn, "identify.scatter")
        quiet(
            "Test rows of the reference environment, standardised. A line, straight or bent, in one panel a row: "
            "recovered. A cloud: not."
        )


def _waiting(state: State) -> str:
    """What an empty picture says."""
    if state.phase == "queued" and state.ahead:
        return f"Waits for {style.count(state.ahead, 'run')} before it."
    return "The flow starts."


def _pictures(world: LatentWorld, state: State) -> None:
    """The correlation matrix so far, and MCC over steps."""
    letter, waiting, ink = promise_of(world).letter, _waiting(state), palette(style.theme())
    looks, done = state.looks, state.done
    matrix = np.array(done["matrix"] if done else looks[-1]["matrix"] if looks else np.empty((0, 0)))
    left, right = st.columns(2, gap="medium")
    with left, st.container(key="panel_identify_live"):
        drawn = correlation_matrix(matrix, ink, title="Correlation, true × recovered", letter=letter, waiting=waiting)
        chart(drawn, "identify.live")
    with right, st.container(key="panel_identify_steps"):
        drawn = while_training(
            [look["step"] for look in looks],
            [look["mcc"] for look in looks],
            (done["floor"], done["floor_95"]) if done else None,
            looks[-1]["of"] if looks else 1,
            ink,
            title="MCC while the flow learns",
            waiting=waiting,
        )
        chart(drawn, "identify.steps")


def _rows(promise: Promise, scores: list[float]) -> list[tuple[str, ...]]:
    """Predicted beside recovered, a line a coordinate."""
    return [
        (f"{promise.letter}{sub(i)}", STATUS[status], f"{value:.3f}", "yes" if value >= RECOVERED else "no")
        for i, (status, value) in enumerate(zip(promise.status, scores, strict=True))
    ]
