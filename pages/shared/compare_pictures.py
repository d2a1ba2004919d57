"""What the Compare page draws of its runs: errors along λ, latents and effects in a row, learning curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from crl_core.config import RunConfig
from crl_core.config.presets import env_names
from crl_core.figures import Palette, outside
from crl_core.figures.compare import (
    LETTERS,
    Pane,
    RunLine,
    curve_limits,
    effects_in_a_row,
    latents_in_a_row,
    runs_along_lam,
    runs_over_epochs,
)
from crl_core.measures.comparison import differing_settings
from crl_core.metrics import DRAWN
from pages.shared import server_cache, style
from pages.shared.compare_runs import MOST_PICTURES, cut, estimates, names_of
from pages.shared.fields import lam_text
from pages.shared.lam_tap import chart_along
from pages.shared.model_views import Layout, pca_layout, tsne_layout
from pages.shared.run_view import RunInView
from pages.shared.style import quiet
from pages.shared.tables import beyond, chart, table

_CURVES = [metric for metric in DRAWN if "epoch" in metric.kept]


def errors_and_settings(runs: Sequence[RunInView], ink: Palette) -> None:
    """The error along λ, beside the settings that are not the same in all."""
    # Three values and more need the whole width.
    left, right = st.columns([3, 2]) if len(runs) == 2 else (st.container(), st.container())
    with left, st.container(key="panel_compare_error", height="stretch"):
        has_truth = any(run.result.ite_rmse is not None for run in runs)
        lines = [
            RunLine(name=name, lams=run.result.lams, lam=run.lam, values=_spread(run, has_truth))
            for name, run in zip(names_of(runs), runs, strict=True)
        ]
        title = "Effect error along λ" if has_truth else "Factual error along λ"
        grid = sorted({lam for line in lines for lam in line.lams})
        chart_along(runs_along_lam(lines, ink, title=title), "compare.error", grid)
        quiet("Median over replicates, band smallest to largest, held out. Rings: the λ at which a run is shown below.")
    with right, st.container(key="panel_compare_settings", height="stretch"):
        configs = [run.config for run in runs]
        style.panel_title("What is set differently", _all_else(configs))
        rows = [(setting.name, *setting.values) for setting in differing_settings(configs)]
        table(["Setting", *LETTERS[: len(runs)]], rows)


def _all_else(configs: Sequence[RunConfig]) -> str:
    """What is said of the settings that are not listed."""
    if len({config.source.n_envs for config in configs}) > 1:
        return "Everything else is the same in all of them; so is what has one value in all environments of each."
    return "Everything else is the same in all of them."


def _spread(run: RunInView, has_truth: bool) -> np.ndarray:
    """The run's error, [R, L]; NaN where it has none."""
    return run.result.by_lam(run.result.ite_rmse if has_truth else run.result.factual_mse)


def pictures(runs: Sequence[RunInView], ink: Palette) -> None:
    """Latents and effects side by side, each run at its λ, on axes that hold for every λ and every run."""
    if len(runs) > MOST_PICTURES:
        quiet(f"Pictures of the first {MOST_PICTURES} runs, {LETTERS[0]} to {LETTERS[MOST_PICTURES - 1]}.")
    runs = runs[:MOST_PICTURES]
    names = _names_for_all(runs)
    with st.container(key="panel_compare_latent"):
        _latents(runs, names, ink)
    with st.container(key="panel_compare_effects"):
        _effects(runs, names, ink)


def _names_for_all(runs: Sequence[RunInView]) -> tuple[str, ...]:
    """Names that fit all runs: those of the largest, or plain ones where the worlds call them differently."""
    names = max((run.env_names for run in runs), key=len)
    return names if len({(run.naming.env_word, run.naming.names) for run in runs}) == 1 else env_names(len(names))


def _latents(runs: Sequence[RunInView], names: Sequence[str], ink: Palette) -> None:
    layout = st.segmented_control(
        "Layout", ["t-SNE", "PCA"], default="t-SNE", required=True, key="compare.layout", persist_state="session"
    )
    lacking = [letter for letter, run in zip(LETTERS, runs, strict=False) if run.projection is None]
    if layout == "t-SNE" and lacking:
        quiet(f"t-SNE has not been computed for {' and '.join(lacking)}; PCA stands in for all.")
        layout = "PCA"
    laid = [
        tsne_layout(run.key, run.projection) if layout == "t-SNE" and run.projection else pca_layout(run)
        for run in runs
    ]
    called = names_of(runs)
    panes = [_pane(run, found.xy[run.m], "latent", name) for run, found, name in zip(runs, laid, called, strict=True)]
    drawn = latents_in_a_row(panes, names, ink, title=f"Latents, {layout}", limits=_window(laid))
    chart(drawn, "compare.latents")
    quiet(
        "Held-out units of the first replicate, one window for all runs and every λ. Directions mean nothing here, "
        "neighbourhood does; a mixed picture proves nothing by itself, so see the measures below."
        + beyond(outside(drawn))
    )


def _effects(runs: Sequence[RunInView], names: Sequence[str], ink: Palette) -> None:
    found = [estimates(run) for run in runs]
    points = [
        np.empty((0, 2)) if run.view.ite is None else np.column_stack([run.view.ite, own.ite_hat[run.m]])
        for run, own in zip(runs, found, strict=True)
    ]
    panes = [_pane(run, xy, "effects", name) for run, xy, name in zip(runs, points, names_of(runs), strict=True)]
    limits = (min(own.limits[0] for own in found), max(own.limits[1] for own in found))
    drawn = effects_in_a_row(panes, names, ink, title="Estimated against true effects", limits=limits)
    chart(drawn, "compare.effects")
    known = any(run.view.ite is not None for run in runs)
    quiet(
        ("On the line an estimate is right. Same units as above." if known else "The true effects are not known.")
        + beyond(outside(drawn))
    )


def _pane(run: RunInView, xy: np.ndarray, what: str, called: str) -> Pane:
    """One run's units [n, 2] in a row of pictures, or why there are none."""
    why = {
        "diverged": f"Training diverged at λ = {lam_text(run.lam)}: there is nothing to show.",
        "collapsed": f"The latent has collapsed at λ = {lam_text(run.lam)}.",
    }.get(run.status, f"The {what} of this model cannot be drawn.")
    name = f"{cut(called, 26)}, λ = {lam_text(run.lam)}"
    return Pane(name=name, xy=xy, env=run.view.env, t=run.view.t, why_empty=why)


def _window(laid: Sequence[Layout]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Axes that hold all layouts."""
    return (
        (min(found.limits[0][0] for found in laid), max(found.limits[0][1] for found in laid)),
        (min(found.limits[1][0] for found in laid), max(found.limits[1][1] for found in laid)),
    )


def learning(runs: Sequence[RunInView], ink: Palette) -> None:
    """Learning curves of the λ in view, in the colours of the runs."""
    histories = [server_cache.final_curves(run.key).values for run in runs]
    for column, metric in zip(st.columns(len(_CURVES)), _CURVES, strict=True):
        name, title = metric.name, f"{metric.heading}, held out"
        nothing = np.full((1, len(runs[0].result.lams)), np.nan)
        curves = [
            history[name][:, run.m] if name in history else nothing[:, 0]
            for run, history in zip(runs, histories, strict=True)
        ]
        limits = curve_limits([history[name] for history in histories if name in history])
        with column, st.container(key=f"panel_compare_{name}"):
            chart(runs_over_epochs(curves, limits, ink, title=title), f"compare.{name}")
