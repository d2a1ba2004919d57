"""The curves of the Train page: the effect error along λ, and each part of the loss over the epochs for every λ."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from crl_core.config import RunConfig
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.data.tables.source import TableMissing
from crl_core.figures import live
from crl_core.figures.average_effects import LEAST_SQUARES, NAIVE
from crl_core.figures.live_along import Along, effect_along, error_along, explained_along
from crl_core.figures.palette import palette
from crl_core.jobs.manager import JobState
from crl_core.measures.curves import Curves, empty
from crl_core.metrics import LISTED, METRIC, kept_in
from pages.shared import last_run, prediction_panel, run_view, server_cache, style, table_run

_SAYS = {
    "loss": "factual error + λ · penalty{unit}",
    "factual_train": "{square}; training rows",
    "penalty": "{penalty} within a batch",
}
_PANELS = [(m.name, m.heading, _SAYS[m.name]) for m in kept_in("epoch") if not m.held_out]


def curves_of(config: RunConfig, state: JobState) -> Curves:
    """What there is of the run's curves: sealed, under way, left over from an attempt that ended early, or none yet.

    Raises: StoreError if the run is sealed and cannot be read.
    """
    training = config.training
    nothing = empty(training.lams, training.epochs, training.replicates)
    if state.phase in ("finished", "completed"):
        return server_cache.final_curves(config.key)
    if state.phase in ("running", "failed", "cancelled"):
        return server_cache.follower(config.key).follow() or nothing
    return nothing


def figures(config: RunConfig, curves: Curves, lam: float) -> list[tuple[str, str]]:
    """The figures of the λ in view, by their last epoch, and what they are."""
    alone = config.source.n_envs == 1 and config.training.align == "environment"  # nothing was compared
    return [
        (f"{lam:g}", "λ shown"),
        *(
            (style.figure(None if alone and m.name == "mmd2" else curves.last(m.name, lam)), m.word)
            for m in LISTED
            if "epoch" in m.kept and not (m.needs_truth and config.without_effect)
        ),
    ]


def draw(config: RunConfig, curves: Curves, lam: float, *, final: bool) -> None:
    """All panels. final: the curves grow no more, so that they may be zoomed and drawn in full."""
    ink = palette(style.theme())
    own = config.table is not None and "ate" in curves.values
    columns = st.columns(3) if own else st.columns([3, 2])
    before = last_run.before(config)
    dashed = None if before is None else before.along(curves.error_name)
    quantities = [("path", *_error(config, curves)), *([("ate", *_effect(config, curves))] if own else [])]
    for column, (name, title, says, label, along) in zip(columns, quantities, strict=False):
        with column, st.container(key=f"panel_{name}"):
            style.panel_title(title, says)
            behind = dashed if name == "path" and along.log else None
            spec = live.path_spec(curves, ink, height=290, label=label, zoom=final, along=along, before=behind)
            _chart(live.path_rows(curves, lam, along), spec, name, f"{label} against λ")
            if behind is not None and before is not None and final and len(curves.at) > 0:
                style.quiet(before.says(server_cache.load(config.key)))

    def over_epochs(name: str, label: str, height: int, alt: str) -> None:
        most = live.MAX_EPOCHS_DRAWN if final else live.MAX_EPOCHS_LIVE
        spec = live.epoch_spec(curves, name, ink, height=height, label=label, zoom=final)
        _chart(live.epoch_rows(curves, name, lam, most), spec, name, f"{alt} over epochs for every λ")

    with columns[-1], st.container(key="panel_mmd2"):
        between = "environments" if config.training.align == "environment" else "treated and untreated"
        style.panel_title("Latent MMD²", f"between {between}, held out")
        over_epochs("mmd2", "MMD²", 290, "held-out MMD²")
    logits, plain = config.source.two_outcomes, config.training.arm_weight == "plain"
    unit = ", in the outcome's variance" if config.training.standardise and not logits else ""
    penalty = PENALTY_WORDS[config.training.penalty].short
    error = "logarithmic loss" if logits else "mean square"
    square = f"twice the {error} of a row" if plain else f"{error} of each arm, summed"
    for column, (name, title, says) in zip(st.columns(3), _PANELS, strict=True):
        with column, st.container(key=f"panel_{name}"):
            style.panel_title(title, says.format(penalty=penalty, unit=unit, square=square))
            over_epochs(name, title, 200, title)
    style.lam_legend(ink, curves.lams, lam, zoom=final and len(curves.at) > 0)
    if (curves.n_bad > 0).any():
        style.quiet(_casualties(curves))


def right_labels(config: RunConfig) -> None:
    """Of a run that is there and predicts a label: how often it is right, here and in other hospitals."""
    if config.without_effect:
        prediction_panel.draw(run_view.run_in_view(warned=True))


def _error(config: RunConfig, curves: Curves) -> tuple[str, str, str, Along]:
    """What is drawn of errors along λ: title, what it is, its word, its values."""
    label = METRIC[curves.error_name].word
    band = f"; band: {curves.replicates} replicates" if curves.replicates > 1 else ""
    known = config.table is None or "effects" in config.source.knows
    if not known and (variance := _variance(config)) is not None:
        rows = "rows kept for validation" if curves.error_name == "validation_mse" else "held-out rows"
        return "R² along λ", rows + band, "R²", explained_along(curves, variance)
    title = "Effect error along λ" if known and curves.error_name == "ite_rmse" else "Error along λ"
    return title, f"{label} on held-out rows; pale: earlier epochs{band}", label, error_along(curves)


def _effect(config: RunConfig, curves: Curves) -> tuple[str, str, str, Along]:
    """The same of the average effect, beside what is said of a session's own table without a network."""
    known = table_run.levels_of(config)
    levels = () if known is None else ((NAIVE, known.naive), (LEAST_SQUARES, known.least_squares))
    says = "held-out rows" + ("; dashed: without a network" if levels else "")
    return "Average effect along λ", says, METRIC["ate"].word, effect_along(curves, levels)


def _variance(config: RunConfig) -> float | None:
    """Of the outcome in the training rows; None where they are not here, or it is constant."""
    try:
        variance = float(config.source.rows(config.training.seed)[0].y.var())
    except TableMissing:
        return None
    return variance if variance > 0 else None


def _casualties(curves: Curves) -> str:
    """Which λ lost replicates."""
    lost = [
        f"λ = {lam:g} ({count} of {curves.replicates})"
        for lam, count in zip(curves.lams, curves.n_bad, strict=True)
        if count
    ]
    return "Replicates that diverged (×) or collapsed (○) and are left out of the medians: " + ", ".join(lost) + "."


def _chart(rows: live.Columns, spec: live.Spec, name: str, alt: str) -> None:
    st.vega_lite_chart(pd.DataFrame(rows), spec, key=f"train.{name}", theme=None, alt=alt)
