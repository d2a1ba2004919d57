"""Intervals over few seeds: of a mean, of a difference of two means, of a rate; and several comparisons at once.

Fewest: below `FEWEST` seeds an interval is shown and nothing is concluded from it.
Mean:   Student's t; of two samples Welch's. A percentile bootstrap of three to ten values is far too narrow: it sees a
        difference where there is none in 26 % of comparisons at three seeds, 16 % at five.
Rate:   of batches that share a seed's model and so err together. Clopper and Pearson's interval of as many independent
        batches as the spread over seeds leaves: Korn, Graubard (1998), Survey Methodology 24.
Many:   Holm (1979), Scandinavian Journal of Statistics 6: whatever depends on what, the chance that any of the
        differences called seen is none stays below 1 - `LEVEL`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import betaincinv, stdtr, stdtrit

LEVEL = 0.95
FEWEST = 5  # seeds that a verdict takes
NONE = (np.nan, np.nan, np.nan)


def too_few(n: int) -> str:
    """Why `n` seeds get no verdict, in words; empty where they are enough."""
    return f"{n} of the {FEWEST} seeds that a verdict takes" if n < FEWEST else ""


def of_mean(values: np.ndarray) -> tuple[float, float, float]:
    """Low and high end of the interval of a mean, and the p-value of its being 0; NaN below two values.

    values: [n], finite, independent.
    """
    n = len(values)
    if n < 2:
        return NONE
    return _student(float(values.mean()), float(values.var(ddof=1)) / n, n - 1)


def of_difference(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """As `of_mean`, of mean b - mean a of two independent samples whose spreads may differ (Welch)."""
    if min(len(a), len(b)) < 2:
        return NONE
    shares = np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
    of_each = shares**2 / np.array([len(a) - 1, len(b) - 1])
    freedom = shares.sum() ** 2 / of_each.sum() if of_each.sum() > 0 else float(len(a) + len(b) - 2)
    return _student(float(b.mean() - a.mean()), float(shares.sum()), freedom)


def _student(mean: float, variance: float, freedom: float) -> tuple[float, float, float]:
    """variance: of the mean."""
    error = np.sqrt(variance)
    half = float(stdtrit(freedom, (1 + LEVEL) / 2) * error)
    if error == 0:
        return mean, mean, float(mean == 0)
    return mean - half, mean + half, float(2 * stdtr(freedom, -abs(mean) / error))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """The p-values of one family, adjusted; NaN is no member of it and stays."""
    p = np.asarray(p_values, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(p))
    order, adjusted = known[np.argsort(p[known])], np.full(len(p), np.nan)
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else steps
    return adjusted


def of_rate(by_seed: np.ndarray, batches: int) -> tuple[float, float]:
    """Interval of a rate over seeds and batches.

    by_seed: [n] share of a seed's batches.  batches: of each seed.  One seed, of which no spread is known: 0 to 1.
    """
    n, total = len(by_seed), len(by_seed) * batches
    if n < 2:
        return 0.0, 1.0
    rate, tail = float(by_seed.mean()), (1 - LEVEL) / 2
    spread = float(by_seed.var(ddof=1)) / n
    alike = total * spread / max(rate * (1 - rate), 1e-12)  # variance over that of independent batches
    wider = float(stdtrit(n - 1, tail) / stdtrit(total - 1, tail)) ** 2
    free = total / max(alike * wider, 1.0)
    hits = rate * free
    low = float(betaincinv(hits, free - hits + 1, tail)) if rate > 0 else 0.0
    high = float(betaincinv(hits + 1, free - hits, 1 - tail)) if rate < 1 else 1.0
    return low, high


def twice_the_mean(p_values: np.ndarray) -> float:
    """One p-value of several, however they depend on each other; a single one as it is. NaN where none is known.

    Source: Rüschendorf (1982); Vovk, Wang (2020), Combining p-values via averaging, Biometrika 107. The mean or the
            median of p-values is none.
    """
    known = p_values[np.isfinite(p_values)]
    if len(known) < 2:
        return float(known[0]) if len(known) else float("nan")
    return min(1.0, 2 * float(known.mean()))
