"""Training, watched: the curves of all λ at once as they come, and the effect error along λ as it forms."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from crl_core.config import RunConfig
from crl_core.figures import live as figures_live
from crl_core.figures.palette import palette
from crl_core.jobs.manager import JobState
from crl_core.measures.curves import Curves, empty
from crl_core.metrics import LISTED, METRIC, kept_in
from crl_core.penalty_words import PENALTY_WORDS
from crl_core.runs.sealing import StoreError
from pages.shared import (
    Controls,
    controls,
    figure,
    job_panel,
    page_header,
    require,
    run_view,
    server_cache,
    style,
)

_POLL_S = 0.4
_DEFINITIONS = """
**Loss** of a model is its factual error plus λ times the penalty, as a mean over the epoch's batches. Nothing is
smoothed.

**Factual error**: mean squared error of the outcome under the treatment that was given.

**Penalty**: unless another is chosen, mean over pairs of environments (or of treated and untreated units) of MMD²
between their
latents: Gaussian kernel exp(−‖a − b‖² / 2h²), biased estimate, no root, h the median distance in the pooled batch.

**ITE RMSE** (√PEHE): root mean square error of the estimated individual effects. It needs the truth, which only a
simulation has.

A **collapsed** λ gives the same answer to everyone; a **diverged** one has no finite loss any more.
"""
_SAYS = {
    "loss": "factual error + λ · penalty",
    "factual_train": "mean square, training rows",
    "penalty": "{penalty} within a batch",
}
_PANELS = [(m.name, m.heading, _SAYS[m.name]) for m in kept_in("epoch") if not m.held_out]

require()
asked: Controls = controls()


def curves_of(config: RunConfig, state: JobState) -> Curves:
    """What there is of the run's curves: sealed, under way, left over from an attempt that ended early, or none yet."""
    training = config.training
    nothing = empty(training.lams, training.epochs, training.replicates)
    if state.phase in ("finished", "completed"):
        return server_cache.final_curves(config.key)
    if state.phase in ("running", "failed", "cancelled"):
        return server_cache.follower(config.key).follow() or nothing
    return nothing


def moves(state: JobState) -> bool:
    """Whether the curves may change by themselves."""
    return state.active and state.phase in ("queued", "running")


def watch(config: RunConfig, lam: float) -> None:
    """A fragment: the page drawn again and again while the run is trained.

    Nothing else may be one here: a button pressed inside a fragment redraws the fragment alone, so that a page at rest
    would neither see the run that its own button has started nor begin to poll.
    """
    state = job_panel.state_of(config.key)
    if not moves(state):
        st.rerun()
    draw(config, state, lam)


def draw(config: RunConfig, state: JobState, lam: float) -> None:
    """The whole page for one state of the run."""
    try:
        curves = curves_of(config, state)
    except StoreError as error:
        page_header("Train", asked.sentence)
        run_view.damaged(asked, error)
        return
    head(config, state, curves, lam)
    final = not moves(state)
    most = figures_live.MAX_EPOCHS_DRAWN if final else figures_live.MAX_EPOCHS_LIVE
    ink = palette(style.theme())
    left, right = st.columns([3, 2])
    between = "environments" if config.training.align == "environment" else "treated and untreated"
    error_label = METRIC[curves.error_name].word
    with left, st.container(key="panel_path"):
        style.panel_title("Effect error along λ", f"{error_label}, held out; faint: earlier" + _spread(curves))
        spec = figures_live.path_spec(curves, ink, height=290, label=error_label, zoom=final)
        _chart(figures_live.path_rows(curves, lam), spec, "path", f"{error_label} against λ")
    with right, st.container(key="panel_mmd2"):
        style.panel_title("Latent MMD²", f"between {between}, held out")
        spec = figures_live.epoch_spec(curves, "mmd2", ink, height=290, label="MMD²", zoom=final)
        _chart(
            figures_live.epoch_rows(curves, "mmd2", lam, most),
            spec,
            "mmd2",
            "held-out MMD² over epochs for every λ",
        )
    penalty = PENALTY_WORDS[config.training.penalty].short
    for column, (name, title, says) in zip(st.columns(3), _PANELS, strict=True):
        with column, st.container(key=f"panel_{name}"):
            style.panel_title(title, says.format(penalty=penalty))
            spec = figures_live.epoch_spec(curves, name, ink, height=200, label=title, zoom=final)
            _chart(
                figures_live.epoch_rows(curves, name, lam, most),
                spec,
                name,
                f"{title} over epochs for every λ",
            )
    style.lam_legend(ink, curves.lams, lam, zoom=final and curves.n_epochs > 0)
    if (curves.n_bad > 0).any():
        style.quiet(_casualties(curves))


def head(config: RunConfig, state: JobState, curves: Curves, lam: float) -> None:
    """Title, the four figures of the λ in view, and how the run stands."""
    alone = config.scenario.n_envs == 1 and config.training.align == "environment"  # nothing was compared
    figures = [
        (f"{lam:g}", "λ in view"),
        *(
            (figure(None if alone and m.name == "mmd2" else curves.last(m.name, lam)), m.word)
            for m in LISTED
            if "epoch" in m.kept
        ),
    ]
    page_header(asked.preset.title, asked.look_for, _DEFINITIONS, figures)
    with st.container(key="train_status"):
        if state.active:
            share, line = job_panel.progress_line(state)
            st.progress(min(1.0, share), text=line)
        elif state.phase in ("finished", "completed"):
            style.quiet(job_panel.resting_line(config, state))
        else:
            run_view.without_run(asked)


def _spread(curves: Curves) -> str:
    return f"; band: {curves.replicates} replicates" if curves.replicates > 1 else " epochs"


def _casualties(curves: Curves) -> str:
    """Which λ lost replicates."""
    lost = [
        f"λ = {lam:g} ({count} of {curves.replicates})"
        for lam, count in zip(curves.lams, curves.n_bad, strict=True)
        if count
    ]
    return "Replicates that diverged (×) or collapsed (○) and are left out of the medians: " + ", ".join(lost) + "."


def _chart(rows: figures_live.Rows, spec: figures_live.Spec, name: str, alt: str) -> None:
    st.vega_lite_chart(pd.DataFrame(rows), spec, key=f"train.{name}", theme=None, alt=alt)


if asked.config is None:
    page_header(asked.preset.title, asked.sentence)
    style.notice("These settings cannot be trained", asked.problem or "")
else:
    now = job_panel.state_of(asked.config.key)
    live = moves(now)
    if live:
        st.fragment(watch, run_every=_POLL_S)(asked.config, asked.lam)
    else:
        draw(asked.config, now, asked.lam)
    if not live and now.phase in ("finished", "completed"):
        st.session_state[run_view.LAST_SEEN] = asked.config
