"""The panels of the Effects page: estimates beside the truth, the error beside baselines, environments, and maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from crl_core.data.scm import MultiEnvData
from crl_core.figures import (
    ErrorRow,
    effect_distribution,
    effect_plane,
    error_range,
    error_ranking,
    estimated_against_true,
    outside,
    palette,
)
from crl_core.figures.palette import Palette
from crl_core.measures.baselines import Baseline, best_said, medians, ranked, side_by_side, views_said, word_of
from crl_core.measures.effect_map import EffectMap
from pages.shared.model_views import Effects
from pages.shared.run_view import RunInView
from pages.shared.style import panel_title, quiet
from pages.shared.tables import beyond, chart, signed, table, three

_RANKED = 4  # baselines in the figure; the table has all of them


def estimates(run: RunInView, found: Effects, apart: bool) -> None:
    """Estimates against the truth; where the truth is one number, their distribution around it."""
    view, ite_hat = run.view, found.ite_hat[run.result.lams.index(run.lam)]
    ite = view.ite if view.ite is not None else np.empty(0)
    if found.constant:
        drawn = effect_distribution(
            ite_hat,
            float(ite.mean()),
            view.env,
            run.env_names,
            palette(run.theme),
            limits=found.limits,
            tallest=found.tallest,
            title=f"Estimated effects at λ = {run.lam:g}",
        )
        chart(drawn, "effects.distribution")
        quiet(
            f"The true effect is {ite.mean():g} for everyone: the thin line. {len(view)} held-out rows."
            + beyond(outside(drawn), "estimates")
        )
        return
    drawn = estimated_against_true(
        ite,
        ite_hat,
        view.env,
        view.t,
        run.env_names,
        palette(run.theme),
        limits=found.limits,
        apart=apart,
        title=f"Estimated against true, λ = {run.lam:g}",
    )
    chart(drawn, "effects.scatter")
    quiet(
        f"On the line an estimate is right. {len(view)} held-out rows{_of_the_first(run)}."
        + beyond(outside(drawn), "estimates")
    )


def _of_the_first(run: RunInView) -> str:
    """Which replicate is drawn and how large its error is, since the figures of the page are medians."""
    count, error = run.config.training.replicates, run.result.ite_rmse
    if count == 1:
        return ""
    return (
        f" of the first of {count} replicates, whose effect error is "
        f"{three(None if error is None else float(error[run.m]))}; the figures above are medians"
    )


def _error_rows(run: RunInView, best: Sequence[Baseline]) -> list[ErrorRow]:
    """The λ in view, λ = 0, and the best baselines, each in every replicate."""
    errors = run.result.by_lam(run.result.ite_rmse)
    lams = run.result.lams
    rows = [ErrorRow(name=f"this network, λ = {run.lam:g}", values=errors[:, lams.index(run.lam)], kind="in view")]
    if lams[0] == 0:
        rows.append(ErrorRow(name="λ = 0: TARNet, plain ERM", values=errors[:, 0], kind="network"))
    if run.evidence is not None:
        names = [str(name) for name in run.evidence["baseline_names"]]
        values = dict(zip(names, run.evidence["baseline_ite_rmse"], strict=True))
        rows += [ErrorRow(name=word_of(item.name), values=values[item.name]) for item in best]
    return rows


def errors(run: RunInView) -> None:
    """The effect error of the network in view beside λ = 0 and the baselines."""
    best = ranked(run.evidence)[:_RANKED]
    rows = _error_rows(run, best)
    low, high = error_range([run.result.ite_rmse, *(row.values for row in rows)])
    chart(
        error_ranking(rows, palette(run.theme), title="Effect error, side by side", low=low, high=high),
        "effects.errors",
    )
    replicates = run.config.training.replicates
    quiet(
        (
            "Squares: the best baselines on the same split (LS: least squares; forest, boosting, kNN: one for each "
            f"arm; z: x z-scored per environment). {best_said(run.evidence)} {views_said(best)}"
            if run.evidence is not None
            else f"The baselines are {run.waiting}."
        )
        + (f" Points: medians; bars: smallest to largest of {replicates} replicates." if replicates > 1 else "")
    )


def baselines(run: RunInView) -> None:
    """Every baseline of the run, raw and z-scored side by side, the best first."""
    if run.evidence is None:
        return
    lines, reasons = [], []
    for kind, *both in side_by_side(medians(run.evidence)):
        raw, z_scored = (
            ("–", "–") if item is None else (three(item.ite_rmse), three(item.factual_mse)) for item in both
        )
        lines.append((kind, raw[0], z_scored[0], raw[1], z_scored[1]))
        reasons += [f"{item.name}: {item.reason}." for item in both if item is not None and item.reason]
    panel_title("Baselines", "raw, and with x z-scored within its environment; the least effect error first")
    table(["baseline", "effect error", "z-scored", "factual error", "z-scored"], lines, strong=0)
    quiet(" ".join([f"Held out; medians over replicates. A dash: not defined. {best_said(run.evidence)}", *reasons]))


def by_environment(run: RunInView, found: Effects) -> None:
    """Error, bias and correlation of everyone and of each environment."""
    scores, replicates = found.scores, run.config.training.replicates
    if scores is None:
        return

    def line(name: str, n: int, ite_rmse: np.ndarray, bias: np.ndarray, correlation: np.ndarray) -> tuple[str, ...]:
        """Of figures [M], at the λ in view."""
        return name, f"{n}", three(run.at_lam(ite_rmse)), signed(run.at_lam(bias)), three(run.at_lam(correlation))

    lines = [line("all", scores.n_rows, scores.ite_rmse, scores.bias, scores.correlation)]
    by_env = zip(
        run.env_names,
        scores.n_by_env,
        scores.ite_rmse_by_env.T,
        scores.bias_by_env.T,
        scores.correlation_by_env.T,
        strict=True,
    )
    lines += [line(*figures) for figures in by_env]
    table(["rows", "n", "effect error", "bias", "corr."], lines, strong=0)
    quiet(f"Held-out rows{f'; medians over {replicates} replicates' if replicates > 1 else ''}.")
    if found.constant:
        quiet("Correlation is not defined: the true effect is the same for everyone.")


def maps(run: RunInView, found: Effects) -> None:
    """τ̂, τ and their difference over the (z, s) plane."""
    plane = found.plane
    if plane is None:
        quiet("There is no effect map: the equations of this data are not known.")
        return
    tau_hat = plane.tau_hat[run.result.lams.index(run.lam)]
    planes(plane, tau_hat, run.view, run.lam, run.env_names, palette(run.theme))
    words = "Vertical bands: the predicted effect depends on z alone, not on s. Where no points lie, a map is a guess."
    if plane.is_slice:
        dims = run.config.scenario.dim_causal + run.config.scenario.dim_spurious
        words += (
            f" Each is a slice through the data's mean: {dims} inputs, of which z and s move along one direction each."
        )
    if run.config.scenario.observation == "ecg":
        words += f" A point is a trace without noise, recorded in {run.env_names[0]}."
    if run.config.training.replicates > 1:
        words += f" Drawn from the first of {run.config.training.replicates} replicates."
    quiet(
        f"{words} Colours are centred on the average effect. Points: held-out rows, coloured by environment; diamonds "
        "are treated."
    )


def planes(
    plane: EffectMap, tau_hat: np.ndarray, rows: MultiEnvData, lam: float, env_names: Sequence[str], ink: Palette
) -> None:
    """The estimate at a λ, the truth, and their difference."""
    same, apart = plane.limits, (-plane.half, plane.half)
    panels = (
        (f"Estimate τ̂ at λ = {lam:g}", tau_hat, same, "estimate", "What this network believes."),
        ("Truth τ", plane.tau, same, "truth", "Known only in simulation. Same colours as the estimate."),
        ("Difference τ̂ − τ", tau_hat - plane.tau, apart, "difference", "Estimate minus truth."),
    )
    for column, (title, values, limits, name, says) in zip(st.columns(3), panels, strict=True):
        with column, st.container(key=f"panel_effects_{name}", height="stretch"):
            drawn = effect_plane(
                values,
                plane.z,
                plane.s,
                ink,
                title=title,
                limits=limits,
                rows=plane.rows,
                env=rows.env,
                t=rows.t,
                env_names=env_names,
            )
            chart(drawn, f"effects.map_{name}")
            quiet(says)
