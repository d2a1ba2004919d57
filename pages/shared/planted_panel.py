"""Effects of a known size, planted in the session's own table: how far off is what the pages say of it?"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from crl_core.figures import palette
from crl_core.figures.planted import estimated_against_planted
from crl_core.measures.average_effects import NORMAL_90
from crl_core.measures.planted import USUAL, USUAL_OF_TWO
from crl_core.studies.planted import lines_of
from crl_core.studies.planted_live import PlantedTraining
from pages.shared import load, server_cache, table_run
from pages.shared.run_view import RunInView
from pages.shared.style import panel_title, plain, quiet
from pages.shared.table_run import TableRun
from pages.shared.tables import chart, say, table

_POLL_S = 0.7
_SHAPES = {"constant": "the same for all", "linear": "differs by columns", "zero": "none"}


def draw(run: RunInView) -> None:
    """The offer, the training under way, or what came of it; nothing where the session has not this table."""
    own = table_run.current()
    if own is None or own.rows != run.config.table:
        return
    with st.container(key="panel_planted"):
        panel_title(
            "How far off is this, on your own rows?",
            "the untreated, a placebo treatment, and an effect of known size on their outcome",
        )
        asked = own.planted.get(run.key)
        phase = "absent" if asked is None else asked.state().phase
        if asked is not None and phase in ("queued", "running"):
            st.fragment(_watch, run_every=load.pace(_POLL_S))(asked)
        else:
            if asked is not None:
                _answer(run, asked)
            _offer(run, own, again=asked is not None)


def _offer(run: RunInView, own: TableRun, *, again: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shape = st.segmented_control(
            f"Planted effect, {_size(run):g} sd of the outcome",
            list(_SHAPES),
            default="constant",
            format_func=_SHAPES.__getitem__,
            key="planted.shape",
            required=True,
            persist_state="session",
        )
        st.button(
            "Plant it again" if again else "Plant it and train",
            key="planted.start",
            on_click=_start,
            args=(run, own, shape or "constant"),
        )
    quiet("Trains as this run was trained, in about the same time. No λ is ever chosen by it.")


def _size(run: RunInView) -> float:
    return USUAL_OF_TWO if run.config.source.two_outcomes else USUAL


def _start(run: RunInView, own: TableRun, shape: Any) -> None:
    """A callback."""
    before = own.planted.pop(run.key, None)
    if before is not None:
        before.forget()
    try:
        own.planted[run.key] = PlantedTraining.start(
            Path(tempfile.gettempdir()),
            server_cache.jobs(),
            run.config,
            own.source.all_rows()[0],
            size=_size(run),
            shape=shape,
        )
    except ValueError as error:
        st.session_state["job.refusal"] = str(error)


def _watch(asked: PlantedTraining) -> None:
    """A fragment, until the training has ended."""
    state = asked.state()
    if state.phase not in ("queued", "running"):
        st.rerun()
    looks = state.looks
    share = looks[-1]["step"] / max(1, looks[-1]["of"]) if looks else 0.0
    words = f"Training on planted effects: {looks[-1]['step']} of {looks[-1]['of']}" if looks else "Waiting its turn"
    st.progress(min(1.0, share), text=words)


def _answer(run: RunInView, asked: PlantedTraining) -> None:
    state = asked.state()
    if state.phase != "done" or state.done is None:
        st.error(plain(state.problem or "The training ended before it was done; start it again."))
        return
    done = state.done
    say(done["sentence"])
    left, right = st.columns([6, 5])
    with left:
        points = {name: np.array(values) for name, values in done["points"].items()}
        drawn = estimated_against_planted(
            **points, env_names=run.env_names, colours=palette(run.theme), title="Estimated against planted"
        )
        chart(drawn, "planted.points")
    with right:
        head, *lines = lines_of(done)
        table(head, lines, strong=0)
        how = "a coin" if done["coin"] else "the propensity of your table"
        quiet(
            f"{done['rows']:,} untreated rows, {done['treated']:,} of them treated by {how}; 1 sd is {done['sd']:.4g}. "
            f"Covered: rows whose planted effect lies within {NORMAL_90:g} deviations of the fits. One draw of the "
            "placebo."
        )
    for caution in done["cautions"]:
        st.warning(plain(caution))
