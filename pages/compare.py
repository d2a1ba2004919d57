"""What is different between two, three or four stored runs, and is the difference more than chance?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import streamlit as st

from crl_core.figures import Palette, outside, palette
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
from crl_core.measures.comparison import (
    Difference,
    difference,
    differing_settings,
    least_over_lam,
    of_lam,
    outcome,
    same_draws,
    seeds,
    settings_apart,
    signed,
)
from crl_core.metrics import DRAWN, SHOWN
from crl_core.presets import PRESETS
from crl_core.runs.store import RunSummary
from pages.shared import (
    RunInView,
    controls,
    figure,
    page_header,
    quiet,
    require,
    server_cache,
    sidebar,
    style,
)
from pages.shared import compare_runs as side
from pages.shared.fields import lam_text
from pages.shared.model_views import Layout, pca_layout, tsne_layout
from pages.shared.tables import beyond, chart, say, table

_SAYS = (
    "Stored runs side by side: where their settings differ, what they learned, and whether their figures differ by "
    "more "
    "than chance. One λ, the sidebar’s, holds for all."
)
_DEFINITIONS = """
**Difference**: mean over replicates of a run’s figure minus that of run A. **Paired**: replicate r of a run has seed
*seed + r*. Where two scenarios have the same rows, environments and dimensions, equal seeds draw the same units and the
same noise, so the difference is taken seed by seed. Otherwise replicates are resampled in each run by themselves.

**95 % interval**: percentile bootstrap over replicates; up to five replicates, every resample is counted. An interval
that contains 0 reads “no difference seen”, which is not the same as no difference.

**Few replicates**: with three pairs the interval runs from the smallest difference to the largest and holds the true
mean only about three times in four; with two, one time in two. More replicates make it honest.

**ITE RMSE** (√PEHE), **|ATE error|**: on held-out rows; they need the truth, which only a simulation has. **Factual
MSE**: held out. **MMD²**: Gaussian kernel, biased estimate, no root, h the median distance. **Domain AUC**: 0.5 is
chance.
"""
_PAIR = ("hospital", "shifted")  # a good first comparison: the same penalty saves one and ruins the other
_CURVES = [metric for metric in DRAWN if "epoch" in metric.kept]
_FACTUAL = 1 + [metric.name for metric in SHOWN].index("factual_mse")  # of `_measures`, where the oracle is one more

require()


def main() -> None:
    stored = {run.key: run for run in server_cache.library().runs()}
    head = st.container()
    chosen = side.choose(stored)
    for sentence in side.notes():
        st.error(style.plain(sentence))
    lam = controls().lam
    runs = [run for key in chosen if (run := side.opened(key, lam)) is not None]
    with head:
        page_header("Compare", _SAYS, _DEFINITIONS, _numbers(runs, lam) if len(runs) > 1 else ())
    if len(runs) < 2:
        invite(stored, runs)
        return
    ink = palette(style.theme())
    quiet(_whose_lam(runs, lam))
    errors_and_settings(runs, ink)
    pictures(runs, ink)
    learning(runs, ink)
    differences(runs)
    open_one(runs)


def _numbers(runs: Sequence[RunInView], lam: float) -> list[tuple[str, str]]:
    return [(lam_text(lam), "λ in view")] + [
        (figure(run.at_lam(run.result.ite_rmse)), f"{letter}, ITE RMSE")
        for letter, run in zip(LETTERS, runs, strict=False)
    ]


def invite(stored: dict[str, RunSummary], runs: Sequence[RunInView]) -> None:
    """Nothing or one run chosen: what there is to compare, a click away."""
    usable = {key: run for key, run in stored.items() if not run.outdated}
    if len(usable) < 2:
        style.notice(
            "There are not two runs to compare yet" if usable else "Nothing is stored yet",
            "Train one with other settings in the sidebar: change a σ, the seed or the preset, and press Train.",
        )
        return
    if runs:
        one = runs[0]
        others = [run for key, run in usable.items() if key != one.key]
        nearest = min(others, key=lambda run: settings_apart(one.config, run.config))
        style.notice("One run is chosen", "Choose another one above to see where the two differ, and by how much.")
        st.button(
            f"Set it beside {side.name_of(nearest.config)}",
            type="primary",
            key="compare.nearest",
            on_click=side.put,
            args=([one.key, nearest.key],),
            help="The stored run that differs from it in the fewest settings.",
        )
        return
    pair = [next((key for key, run in usable.items() if run.config == PRESETS[name].config), None) for name in _PAIR]
    style.notice(
        "Choose two to four runs",
        "A good first pair: two hospitals whose patients are alike, and two whose patients are not. The same penalty "
        "saves the first and ruins the second."
        if None not in pair
        else "Those that differ in one setting say the most.",
    )
    first = (
        pair
        if None not in pair
        else list(
            min(
                combinations(list(usable)[:20], 2),
                key=lambda two: settings_apart(usable[two[0]].config, usable[two[1]].config),
            )
        )
    )
    names = [side.name_of(usable[key].config) for key in first if key]
    st.button(
        f"Compare {names[0]} with {names[1]}",
        type="primary",
        key="compare.pair",
        on_click=side.put,
        args=(first,),
    )


def _whose_lam(runs: Sequence[RunInView], lam: float) -> str:
    """Which λ each run shows, where its grid does not have the one that was asked for."""
    other = [
        f"{letter} at λ = {lam_text(run.lam)}" for letter, run in zip(LETTERS, runs, strict=False) if run.lam != lam
    ]
    if not other:
        return f"All runs at λ = {lam_text(lam)}."
    return f"λ = {lam_text(lam)} was not trained in every run; the nearest is shown: {', '.join(other)}."


def errors_and_settings(runs: Sequence[RunInView], ink: Palette) -> None:
    # Three values and more need the whole width.
    left, right = st.columns([3, 2]) if len(runs) == 2 else (st.container(), st.container())
    with left, st.container(key="panel_compare_error", height="stretch"):
        has_truth = any(run.result.ite_rmse is not None for run in runs)
        lines = [
            RunLine(name=side.short(run.config), lams=run.result.lams, lam=run.lam, values=_spread(run, has_truth))
            for run in runs
        ]
        title = "Effect error along λ: ITE RMSE (√PEHE)" if has_truth else "Factual MSE along λ"
        chart(runs_along_lam(lines, ink, title=title), "compare.error")
        quiet("Median over replicates, band smallest to largest, held out. Rings: the λ in view.")
    with right, st.container(key="panel_compare_settings", height="stretch"):
        style.panel_title("What is set differently", "Everything else is the same in all of them.")
        configs = [run.config for run in runs]
        rows = [(setting.name, *setting.values) for setting in differing_settings(configs)]
        table(["Setting", *LETTERS[: len(runs)]], rows)


def _spread(run: RunInView, has_truth: bool) -> np.ndarray:
    return run.result.by_lam(run.result.ite_rmse if has_truth else run.result.factual_mse)


def _env_names(runs: Sequence[RunInView]) -> tuple[str, ...]:
    """Names that fit all runs: those of the largest, or plain ones where the worlds call them differently."""
    most = max(runs, key=lambda run: len(run.env_names))
    words = {run.preset.env_word for run in runs}
    return (
        most.env_names if len(words) == 1 else tuple(f"environment {chr(65 + e)}" for e in range(len(most.env_names)))
    )


def pictures(runs: Sequence[RunInView], ink: Palette) -> None:
    """Latents and effects in a row, all at the λ in view, on axes that hold for every λ and every run."""
    names = _env_names(runs)
    with st.container(key="panel_compare_latent"):
        layout = st.segmented_control(
            "Layout",
            ["t-SNE", "PCA"],
            default="t-SNE",
            required=True,
            key="compare.layout",
            persist_state="session",
        )
        lacking = [letter for letter, run in zip(LETTERS, runs, strict=False) if run.projection is None]
        if layout == "t-SNE" and lacking:
            quiet(f"t-SNE has not been computed for {' and '.join(lacking)}; PCA stands in for all.")
            layout = "PCA"
        laid = [
            tsne_layout(run.key, run.projection) if layout == "t-SNE" and run.projection else pca_layout(run)
            for run in runs
        ]
        panes = [_pane(run, found.xy[run.m], "latent") for run, found in zip(runs, laid, strict=True)]
        drawn = latents_in_a_row(panes, names, ink, title=f"Latents, {layout}", limits=_window(laid))
        chart(drawn, "compare.latents")
        quiet(
            "Held-out rows of the first replicate, one window for all runs and every λ. Directions mean nothing here, "
            "neighbourhood does; a mixed picture proves nothing by itself, so see the measures below."
            + beyond(outside(drawn))
        )
    known = [run for run in runs if run.view.ite is not None]
    with st.container(key="panel_compare_effects"):
        found = [side.estimates(run) for run in runs]
        limits = (min(e.limits[0] for e in found), max(e.limits[1] for e in found))
        points = [
            np.empty((0, 2)) if run.view.ite is None else np.column_stack([run.view.ite, e.ite_hat[run.m]])
            for run, e in zip(runs, found, strict=True)
        ]
        panes = [_pane(run, xy, "effects") for run, xy in zip(runs, points, strict=True)]
        drawn = effects_in_a_row(panes, names, ink, title="Estimated against true effects", limits=limits)
        chart(drawn, "compare.effects")
        quiet(
            ("On the line an estimate is right. Same rows as above." if known else "The true effects are not known.")
            + beyond(outside(drawn))
        )


def _pane(run: RunInView, xy: np.ndarray, what: str) -> Pane:
    why = {
        "diverged": f"Training diverged at λ = {lam_text(run.lam)}: there is nothing to show.",
        "collapsed": f"The latent has collapsed at λ = {lam_text(run.lam)}.",
    }.get(run.status, f"The {what} of this model cannot be drawn.")
    name = f"{side.short(run.config, 22)}, λ = {lam_text(run.lam)}"
    return Pane(name=name, xy=xy, env=run.view.env, t=run.view.t, why_empty=why)


def _window(laid: Sequence[Layout]) -> tuple[tuple[float, float], tuple[float, float]]:
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


def _measures(run: RunInView) -> list[tuple[str, np.ndarray]]:
    """Name and one value a replicate."""
    found = [(metric.word, of_lam(run.result, run.metric(metric), run.lam)) for metric in SHOWN]
    oracle = ("ITE RMSE at the best λ (oracle)", least_over_lam(run.result, run.result.ite_rmse))
    return [found[0], oracle, *found[1:]]


def differences(runs: Sequence[RunInView]) -> None:
    """Figures of all runs, and how far each is from the first, with what chance alone would do."""
    figures = [_measures(run) for run in runs]
    first, letters = runs[0], LETTERS[: len(runs)]
    found: list[list[Difference]] = []
    for run, own in zip(runs[1:], figures[1:], strict=True):
        pair = same_draws(first.config, run.config)
        found.append(
            [
                difference(a, b, seeds(first.config), seeds(run.config), pair=pair)
                for (_, a), (_, b) in zip(figures[0], own, strict=True)
            ]
        )
    with st.container(key="panel_compare_differences"):
        style.panel_title(
            "Is the difference more than chance?",
            "Mean difference over replicates [95 % bootstrap interval]; A is what others are compared with.",
        )
        for letter, row in zip(letters[1:], found, strict=True):
            say(outcome("ITE RMSE", row[0], "A", letter))
        names = [name for name, _ in figures[0]]
        own = [[_median(values) for _, values in of] for of in figures]
        apart = [[_cell(one) for one in row] for row in found]
        heads = [f"{letter} − A" for letter in letters[1:]]
        if len(runs) == 2:
            table(["Measure", *letters, *heads], zip(names, *own, *apart, strict=True))
        else:  # side by side they would not fit
            table(["Measure", *heads], zip(names, *apart, strict=True))
            table(["Median", *letters], zip(names, *own, strict=True))
        quiet(_how(runs, found))


def _median(values: np.ndarray) -> str:
    finite = values[np.isfinite(values)]
    return figure(float(np.median(finite))) if len(finite) else "–"


def _cell(found: Difference) -> str:
    if not found.known:
        return "–"
    if not found.has_interval:
        return f"{signed(found.mean)}, one replicate"
    interval = f"[{signed(found.low, 2)}, {signed(found.high, 2)}]"
    return f"{signed(found.mean)} {interval}" if found.seen else f"no difference seen {interval}"


def _how(runs: Sequence[RunInView], found: Sequence[Sequence[Difference]]) -> str:
    """What the intervals rest on."""
    words = "Under a letter: the median over replicates. "
    for letter, run, row in zip(LETTERS[1:], runs[1:], found, strict=False):
        rest = row[_FACTUAL]  # which every run has
        if not rest.known:
            continue
        if rest.paired:
            words += f"{letter} − A is paired: {style.count(rest.n, 'seed')} in both, which draw the same units. "
        elif same_draws(runs[0].config, run.config):
            words += f"{letter} − A is not paired: the seeds are others. "
        else:
            words += (
                f"{letter} − A is not paired: rows, environments or dimensions differ, so equal seeds draw other "
                f"units. "
            )
    fewest = min((row[_FACTUAL].n for row in found if row[_FACTUAL].known), default=0)
    if 2 <= fewest <= 5:
        words += (
            f"With {fewest} replicates an interval is narrower than it claims (see Definitions); read it as a hint."
        )
    return words.strip()


def open_one(runs: Sequence[RunInView]) -> None:
    """The way to a run's own pages, and to its λ grid in the sidebar."""
    with st.container(horizontal=True, vertical_alignment="center"):
        for letter, run in zip(LETTERS, runs, strict=False):
            st.button(
                f"Open {letter}",
                key=f"compare.open_{letter}",
                on_click=sidebar.show,
                args=(run.config,),
                help=f"Sets the sidebar to {side.name_of(run.config)}, its λ grid included.",
            )
        quiet("Opening a run sets the sidebar to it, so that every page shows it and λ moves along its grid.")


main()
