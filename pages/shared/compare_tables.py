"""How far the compared runs' figures are apart, with what chance alone would do, as sentences and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from crl_core.figures.compare import LETTERS
from crl_core.measures.comparison import (
    Difference,
    differences,
    figures_at,
    outcome,
    same_draws,
    signed,
    together,
)
from crl_core.measures.intervals import too_few
from crl_core.metrics import METRIC
from pages.shared import style
from pages.shared.run_view import RunInView
from pages.shared.style import figure, quiet
from pages.shared.tables import say, table


def differences_from_a(runs: Sequence[RunInView]) -> None:
    """Figures of all runs, and how far each is from the first."""
    figures = [_figures(run) for run in runs]
    first, letters = runs[0], LETTERS[: len(runs)]
    found = _one_family(
        [differences(first.config, run.config, figures[0], own) for run, own in zip(runs[1:], figures[1:], strict=True)]
    )
    with st.container(key="panel_compare_differences"):
        style.panel_title(
            "Is the difference more than chance?",
            "Mean difference over replicates [95 % interval]; A is what others are compared with.",
        )
        for letter, apart in zip(letters[1:], found, strict=True):
            say(outcome(METRIC["ite_rmse"].heading, apart[METRIC["ite_rmse"].word], "A", letter))
        medians = [[_median(values) for values in own.values()] for own in figures]
        cells = [[_cell(one) for one in apart.values()] for apart in found]
        heads = [f"{letter} − A" for letter in letters[1:]]
        if len(runs) == 2:
            table(["Measure", *letters, *heads], zip(figures[0], *medians, *cells, strict=True))
        else:  # side by side they would not fit
            table(["Measure", *heads], zip(figures[0], *cells, strict=True))
            table(["Median", *letters], zip(figures[0], *medians, strict=True))
        quiet(_rests_on(runs, found))


def _one_family(found: Sequence[Mapping[str, Difference]]) -> list[dict[str, Difference]]:
    """For each measure the differences of all runs from the first, judged together."""
    judged = {name: together([apart[name] for apart in found]) for name in found[0]}
    return [{name: judged[name][at] for name in judged} for at in range(len(found))]


def _figures(run: RunInView) -> dict[str, np.ndarray]:
    return figures_at(run.result, run.lam, run.metric)


def _median(values: np.ndarray) -> str:
    finite = values[np.isfinite(values)]
    return figure(float(np.median(finite))) if len(finite) else "–"


def _cell(found: Difference) -> str:
    if not found.known:
        return "–"
    if not found.has_interval:
        return f"{signed(found.mean)}, one replicate"
    interval = f"[{signed(found.low, 2)}, {signed(found.high, 2)}]"
    if found.seen or found.too_few:
        return f"{signed(found.mean)} {interval}" + (", too few" if found.too_few else "")
    return f"no difference seen {interval}"


def _rests_on(runs: Sequence[RunInView], found: Sequence[Mapping[str, Difference]]) -> str:
    """What the intervals rest on, by the factual MSE, which every run has."""
    words = "Under a letter: the median over replicates. "
    own = [apart[METRIC["factual_mse"].word] for apart in found]
    for letter, run, one in zip(LETTERS[1:], runs[1:], own, strict=False):
        if not one.known:
            continue
        if one.paired:
            words += f"{letter} − A is paired: {style.count(one.n, 'seed')} in both, which draw the same units. "
        elif same_draws(runs[0].config, run.config):
            words += f"{letter} − A is not paired: the seeds are others. "
        else:
            words += (
                f"{letter} − A is not paired: rows, environments or dimensions differ, so equal seeds draw other "
                f"units. "
            )
    fewest = min((one.n for one in own if one.known), default=0)
    if why := too_few(fewest):
        words += f"Too few: {why}; the interval holds, and nothing is concluded from it. "
    if len(runs) > 2:
        words += f"A difference of {len(runs) - 1} runs from A is said to be seen after Holm’s adjustment, by measure. "
    return words.strip()
