"""Are the estimated effects right, for whom, and where in the plane of cause and nuisance?"""

import numpy as np
import streamlit as st

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
from pages.shared import RunInView, figure, page_header, quiet, require, run_in_view
from pages.shared.model_views import Effects, effects
from pages.shared.style import notice
from pages.shared.tables import beyond, chart, say, table, three

_DEFINITIONS = """
**Effect** of a unit (ITE): τ = y¹ − y⁰, the outcome with treatment minus the one without, noise left out. **Estimate**
τ̂ = ŷ¹ − ŷ⁰, from the two heads.

**ITE RMSE** (√PEHE) = √mean((τ̂ − τ)²) on held-out rows. **Bias** = mean(τ̂ − τ). **Correlation** of τ̂ and τ; not
defined where either is the same for everyone.

**Baselines** are fitted on the same training rows and judged on the same held-out rows. λ = 0 is TARNet: plain
empirical risk minimisation (ERM), the same network without a penalty.

**Effect map**: z and s along the directions with which they enter the equations; a point becomes an input as data does.
With more than two inputs everything else is held at the data's mean.
"""

require()
run = run_in_view("Effects")
colours = palette(run.theme)


def draw_effects(run: RunInView, found: Effects, apart: bool) -> None:
    """Estimates against the truth; where the truth is one number, their distribution around it."""
    view, ite_hat = run.view, found.ite_hat[run.result.lams.index(run.lam)]
    ite = view.ite if view.ite is not None else np.empty(0)
    if found.constant:
        drawn = effect_distribution(
            ite_hat,
            float(ite.mean()),
            view.env,
            run.env_names,
            colours,
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
        colours,
        limits=found.limits,
        apart=apart,
        title=f"Estimated against true, λ = {run.lam:g}",
    )
    chart(drawn, "effects.scatter")
    quiet(
        f"On the line an estimate is right. {len(view)} held-out rows{of_the_first(run)}."
        + beyond(outside(drawn), "estimates")
    )


def of_the_first(run: RunInView) -> str:
    """Which replicate is drawn and how large its error is, since the figures of the page are medians."""
    count, error = run.config.training.replicates, run.result.ite_rmse
    if count == 1:
        return ""
    return (
        f" of the first of {count} replicates, whose ITE RMSE is "
        f"{three(None if error is None else float(error[run.m]))}; the figures above are medians"
    )


def error_rows(run: RunInView) -> list[ErrorRow]:
    """The λ in view, λ = 0, and the baselines, each in every replicate."""
    errors = run.result.by_lam(run.result.ite_rmse)
    lams = run.result.lams
    rows = [ErrorRow(name=f"this network, λ = {run.lam:g}", values=errors[:, lams.index(run.lam)], kind="in view")]
    if lams[0] == 0:
        rows.append(ErrorRow(name="λ = 0: TARNet, plain ERM", values=errors[:, 0], kind="network"))
    if run.evidence is not None:
        names = [str(name) for name in run.evidence["baseline_names"]]
        values = run.evidence["baseline_ite_rmse"]
        rows += [ErrorRow(name=name, values=row) for name, row in zip(names, values, strict=True)]
    return rows


def draw_errors(run: RunInView) -> None:
    """The effect error of the network in view beside λ = 0 and the baselines."""
    rows = error_rows(run)
    low, high = error_range([run.result.ite_rmse, *(row.values for row in rows)])
    chart(error_ranking(rows, colours, title="Effect error, side by side", low=low, high=high), "effects.errors")
    waiting = "being computed" if run.computing else "not computed yet"
    replicates = run.config.training.replicates
    quiet(
        ("Squares: baselines on the same split." if run.evidence is not None else f"The baselines are {waiting}.")
        + (f" Points: medians; bars: smallest to largest of {replicates} replicates." if replicates > 1 else "")
    )


def by_environment(run: RunInView, found: Effects) -> None:
    """Error, bias and correlation of everyone and of each environment."""
    scores = found.scores
    if scores is None:
        return
    lines = [
        (
            "all",
            f"{scores.n_rows}",
            three(run.at_lam(scores.ite_rmse)),
            signed(run.at_lam(scores.bias)),
            three(run.at_lam(scores.correlation)),
        )
    ]
    for e, name in enumerate(run.env_names):
        lines.append(
            (
                name,
                f"{scores.n_by_env[e]}",
                three(run.at_lam(scores.ite_rmse_by_env[:, e])),
                signed(run.at_lam(scores.bias_by_env[:, e])),
                three(run.at_lam(scores.correlation_by_env[:, e])),
            )
        )
    table(["rows", "n", "ITE RMSE", "bias", "corr."], lines, strong=0)
    quiet(f"Held-out rows{of_replicates(run)}.")
    if found.constant:
        quiet("Correlation is not defined: the true effect is the same for everyone.")


def of_replicates(run: RunInView) -> str:
    count = run.config.training.replicates
    return f"; medians over {count} replicates" if count > 1 else ""


def signed(value: float | None) -> str:
    if value is None or not np.isfinite(value):
        return "–"
    return "0.000" if abs(value) < 0.0005 else f"{value:+.3f}".replace("-", "−")


def draw_maps(run: RunInView, found: Effects) -> None:
    """τ̂, τ and their difference over the (z, s) plane."""
    plane = found.plane
    if plane is None:
        quiet("There is no effect map: z and s are not known for this data.")
        return
    view, tau_hat = run.view, plane.tau_hat[run.result.lams.index(run.lam)]
    maps = (
        (f"Estimate τ̂ at λ = {run.lam:g}", tau_hat, plane.limits, "estimate", "What this network believes."),
        (
            "Truth τ",
            plane.tau,
            plane.limits,
            "truth",
            "Known only in simulation. Same colours as the estimate.",
        ),
        (
            "Difference τ̂ − τ",
            tau_hat - plane.tau,
            (-plane.half, plane.half),
            "difference",
            "Estimate minus truth.",
        ),
    )
    for column, (title, values, limits, name, says) in zip(st.columns(3), maps, strict=True):
        with column, st.container(key=f"panel_effects_{name}", height="stretch"):
            drawn = effect_plane(
                values,
                plane.z,
                plane.s,
                colours,
                title=title,
                limits=limits,
                rows=plane.rows,
                env=view.env,
                t=view.t,
                env_names=run.env_names,
            )
            chart(drawn, f"effects.map_{name}")
            quiet(says)
    words = "A model that ignores s has vertical bands only. Where no points lie, a map is extrapolation."
    if plane.is_slice:
        dims = run.config.scenario.dim_x
        words += (
            f" Each is a slice through the data's mean: {dims} inputs, of which z and s move along one direction each."
        )
    if run.config.training.replicates > 1:
        words += f" Drawn from the first of {run.config.training.replicates} replicates."
    quiet(
        words
        + (
            " Colours are centred on the average effect. Points: held-out rows, coloured by environment; diamonds are "
            "treated."
        )
    )


found = effects(run)
scores = found.scores
bias = None if scores is None else run.at_lam(scores.bias)
correlation = None if scores is None else run.at_lam(scores.correlation)
page_header(
    "Effects",
    f"{run.preset.title}: what the network says treatment does to each held-out unit, beside what it really does. "
    "The truth is known only in simulation.",
    _DEFINITIONS,
    [
        (f"{run.lam:g}", "λ in view"),
        (figure(run.at_lam(run.result.ite_rmse)), "ITE RMSE (√PEHE)"),
        (signed(bias), "bias"),
        ("–" if found.constant else figure(correlation), "correlation"),
    ],
)
if run.result.ite_rmse is None or run.view.ite is None:
    notice("The true effects of this data are not known", "Estimates can be made, but not judged.")
    st.stop()
if run.status != "ok":
    say(f"At λ = {run.lam:g} the first replicate {run.status}; {run.others}.")

apart = False
if len(run.env_names) > 1 and not found.constant:
    split = st.segmented_control(
        "Show rows",
        ["all together", "each environment"],
        default="all together",
        key="effects.split",
        persist_state="session",
        required=True,
    )
    apart = split == "each environment"
left, right = st.columns([11, 9])
with left, st.container(key="panel_effects_scatter", height="stretch"):
    draw_effects(run, found, apart)
with right:
    with st.container(key="panel_effects_errors"):
        draw_errors(run)
    with st.container(key="panel_effects_table", height="stretch"):
        by_environment(run, found)
draw_maps(run, found)
