"""Training, watched: the curves of all λ at once as they come, and the effect error along λ as it forms."""

from __future__ import annotations

import streamlit as st

from crl_core.config import RunConfig
from crl_core.config.settings import title_of
from crl_core.config.text import nearest_lam
from crl_core.jobs.manager import JobState
from crl_core.measures.curves import Curves
from crl_core.runs.sealing import StoreError
from pages.shared import (
    Controls,
    controls,
    job_panel,
    last_run,
    load,
    page_header,
    require,
    run_view,
    style,
    train_curves,
)

_POLL_S = 0.4
_FIRST_S = 0.1  # until the first point: it comes a tenth of a second after the click

require()
asked: Controls = controls()


def moves(state: JobState) -> bool:
    """Whether the curves may change by themselves."""
    return state.active and state.phase in ("queued", "running")


def watch(config: RunConfig, lam: float, begun: bool) -> None:
    """A fragment: the page drawn again and again while the run is trained. begun: whether there was a point before.

    Nothing else may be one here: a button pressed inside a fragment redraws the fragment alone, so that a page at rest
    would neither see the run that its own button has started nor begin to poll.
    """
    state = job_panel.state_of(config.key)
    if not moves(state):
        st.rerun()
    if draw(config, state, lam) != begun:
        st.rerun()  # to look again less often


def draw(config: RunConfig, state: JobState, lam: float) -> bool:
    """The whole page for one state of the run; whether there is a point of its curves."""
    try:
        curves = train_curves.curves_of(config, state)
        cautions = run_view.cautions(config, trained=state.phase in ("finished", "completed"))
    except StoreError as error:
        page_header(asked.sentence)
        run_view.damaged(asked, error)
        return False
    run_view.warn(cautions)
    head(config, state, curves, lam, promised=not cautions)
    train_curves.draw(config, curves, lam, final=not moves(state))
    if state.phase in ("finished", "completed") and config is asked.config:
        train_curves.right_labels(config)
    return len(curves.at) > 0


def head(config: RunConfig, state: JobState, curves: Curves, lam: float, *, promised: bool) -> None:
    """Title, the four figures of the λ in view, and how the run stands. promised: the preset's words may hold."""
    figures = train_curves.figures(config, curves, lam)
    page_header(asked.look_for if promised else asked.sentence, figures, world=title_of(config))
    with st.container(key="train_status"):
        if state.active:
            share, line = job_panel.progress_line(state)
            st.progress(min(1.0, share), text=line)
        elif state.phase in ("finished", "completed"):
            style.quiet(job_panel.resting_line(config, state))
        else:
            run_view.without_run(asked)


if asked.config is None:
    page_header(asked.sentence)
    style.notice("These settings cannot be trained", asked.problem or "")
else:
    now = job_panel.state_of(asked.config.key)
    live, last = moves(now), last_run.kept(asked.config, now)
    if last is not None:
        last_run.bar(asked, last, now, run_view.look_at)
        draw(last, job_panel.state_of(last.key), nearest_lam(last.training.lams, asked.lam))
    elif live:
        begun = len(train_curves.curves_of(asked.config, now).at) > 0
        look = st.fragment(watch, run_every=load.pace(_POLL_S if begun else _FIRST_S))
        look(asked.config, asked.lam, begun)
    else:
        draw(asked.config, now, asked.lam)
    if not live and now.phase in ("finished", "completed"):
        last_run.saw(asked.config)
