"""Two stored runs side by side: which settings differ, and how far their figures are apart over replicates.

Pairing: replicate r of a run has seed `config.training.seed + r`. Where two scenarios draw the same random numbers
         (same sizes of environments, shared units, dimensions), replicates of one seed see the same units and noise, so
         the difference is taken seed by seed and what both share cancels. Otherwise the two samples of replicates are
         independent.
Seen:    a difference is said to be seen from five replicates on, where its interval (Student's t) excludes 0, and of
         several at once (`together`) where Holm's adjusted p says so as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from crl_core.config import RunConfig
from crl_core.config.text import ROWS, differing, said, value_of, word_of
from crl_core.measures import intervals
from crl_core.measures.lam_choice import best_elsewhere
from crl_core.metrics import SHOWN, Metric
from crl_core.results import RunResult

AT_BEST = "Effect error at the λ best in the other replicates (oracle)"


@dataclass(frozen=True, slots=True)
class VariedSetting:
    """One setting that is not the same in all runs: its words, and its value in each run as text."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Mean of b - a over replicates, with its 95 % interval; NaN where fewer than two replicates have a number."""

    mean: float
    low: float
    high: float
    n: int  # pairs, or replicates of the smaller sample
    paired: bool
    same_sign: bool  # every pair (unpaired: every one of b against every one of a) points the same way
    p: float  # of no difference; after `together` Holm's adjusted one

    @property
    def known(self) -> bool:
        """Whether there is a difference at all to speak of."""
        return bool(np.isfinite(self.mean))

    @property
    def has_interval(self) -> bool:
        return bool(np.isfinite(self.low))

    @property
    def too_few(self) -> str:
        """Why nothing is concluded from so few replicates, in words; empty where they are enough."""
        return intervals.too_few(self.n)

    @property
    def seen(self) -> bool:
        return not self.too_few and self.p < 1 - intervals.LEVEL


def differing_settings(configs: Sequence[RunConfig]) -> list[VariedSetting]:
    """The settings in which the runs differ, in the order of the config. The device changes no number: it is none."""
    return [
        VariedSetting(word_of(name), _texts(name, [value_of(config, name) for config in configs]))
        for name in differing(configs)
    ]


def _texts(name: str, values: Sequence[object]) -> tuple[str, ...]:
    """Values as text; a long λ grid by its ends, unless that would make different grids look alike."""
    short, whole = (tuple(said(name, value, whole=long) for value in values) for long in (False, True))
    return short if len(set(short)) == len(set(whole)) else whole


def settings_apart(a: RunConfig, b: RunConfig) -> int:
    """In how many settings two runs differ."""
    return len(differing_settings([a, b]))


def nearest_pair(configs: Sequence[RunConfig]) -> tuple[int, int]:
    """Indices of the two runs, of two or more, that differ in the fewest settings; the first such two."""
    return min(combinations(range(len(configs)), 2), key=lambda two: settings_apart(*(configs[at] for at in two)))


def same_draws(a: RunConfig, b: RunConfig) -> bool:
    """Whether equal seeds draw the same units: the stream of random numbers is then cut up in the same way, or both
    split one table."""
    if a.table is not None or b.table is not None:
        return ROWS not in differing([a, b])
    names = ("env_sizes", "shared_units", "dim_causal", "dim_spurious")
    return all(getattr(a.scenario, name) == getattr(b.scenario, name) for name in names)


def seeds(config: RunConfig) -> np.ndarray:
    """Seed of each replicate, [R]."""
    return config.training.seed + np.arange(config.training.replicates)


def difference(a: np.ndarray, b: np.ndarray, seeds_a: np.ndarray, seeds_b: np.ndarray, *, pair: bool) -> Difference:
    """Mean of b - a over replicates, its interval and p-value by Student's t.

    a, b:  one value a replicate, [Ra] and [Rb]; NaN where a model diverged, which leaves its replicate out.
    pair:  take the difference seed by seed, where at least two seeds are in both; otherwise Welch's t of two samples.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if pair:
        _, in_a, in_b = np.intersect1d(seeds_a, seeds_b, return_indices=True)
        apart = b[in_b] - a[in_a]
        apart = apart[np.isfinite(apart)]
        if len(apart) >= 2 or (len(apart) == 1 and len(a) == len(b) == 1):
            return _difference(float(apart.mean()), intervals.of_mean(apart), len(apart), True, apart)
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if len(a) == 0 or len(b) == 0:
        return _difference(np.nan, intervals.NONE, 0, False, np.empty(0))
    each = (b[:, None] - a[None, :]).ravel()
    return _difference(float(b.mean() - a.mean()), intervals.of_difference(a, b), min(len(a), len(b)), False, each)


def _difference(mean: float, found: tuple[float, float, float], n: int, paired: bool, each: np.ndarray) -> Difference:
    low, high, p = found
    agree = len(each) > 0 and bool((each > 0).all() or (each < 0).all())
    return Difference(mean=mean, low=low, high=high, n=n, paired=paired, same_sign=agree, p=p)


def together(found: Sequence[Difference]) -> list[Difference]:
    """The same differences as one family: p by Holm, so that among many none is seen by chance alone.

    One of too few replicates is never said to be seen, so it is no member of the family.
    """
    p = intervals.holm([np.nan if one.too_few else one.p for one in found])
    return [one if one.too_few else replace(one, p=float(own)) for one, own in zip(found, p, strict=True)]


def of_lam(result: RunResult, values: np.ndarray | None, lam: float) -> np.ndarray:
    """A figure [M] at a λ of the grid, one value a replicate, [R]; NaN where there is none."""
    return np.asarray(result.by_lam(values)[:, result.lams.index(lam)], dtype=np.float64)


def best_over_lam(result: RunResult, values: np.ndarray | None) -> np.ndarray:
    """A figure [M] in each replicate at the λ that is best over the others, [R]; NaN where there are no others.

    The least over λ in a replicate itself is below its figure at any λ by construction: it cannot be compared with one.
    """
    grid = np.asarray(result.by_lam(values), dtype=np.float64)
    at = best_elsewhere(grid)
    return np.asarray(np.where(at >= 0, grid[np.arange(len(at)), at], np.nan))


def figures_at(
    result: RunResult, lam: float, values_of: Callable[[Metric], np.ndarray | None]
) -> dict[str, np.ndarray]:
    """What runs are compared by at a λ of their grid: word -> one value a replicate [R], NaN where there is none.

    values_of: the values [M] of a metric, None where there are none.
    """
    first, *others = ((metric.word, of_lam(result, values_of(metric), lam)) for metric in SHOWN)
    return dict([first, (AT_BEST, best_over_lam(result, result.ite_rmse)), *others])


def differences(
    a: RunConfig, b: RunConfig, of_a: Mapping[str, np.ndarray], of_b: Mapping[str, np.ndarray]
) -> dict[str, Difference]:
    """`difference` of b from a in each of their figures (see `figures_at`), paired where equal seeds draw the same."""
    pair = same_draws(a, b)
    return {name: difference(of_a[name], of_b[name], seeds(a), seeds(b), pair=pair) for name in of_a}


def outcome(name: str, found: Difference, a: str, b: str) -> str:
    """What a difference of `name` between runs a and b says, in a sentence."""
    if not found.known:
        return f"{name}: no difference between {a} and {b} can be stated, since one of them has no number here."
    size = f"{abs(found.mean):.3g}"
    way = "higher" if found.mean > 0 else "lower"
    if not found.has_interval:
        return f"{name}: {b} is {way} than {a} by {size}, with a single replicate to go by: no interval, no conclusion."
    interval = f"{signed(found.low)} to {signed(found.high)}"
    if found.too_few:
        return (
            f"{name}: {b} − {a} is {signed(found.mean)} in the mean (95 % interval: {interval}), from {found.too_few}: "
            "no conclusion."
        )
    if not found.seen:
        return f"{name}: no difference seen between {a} and {b} (95 % interval of {b} − {a}: {interval})."
    each = ""
    if found.same_sign:
        each = f", in each of {found.n} pairs of replicates" if found.paired else ", every replicate of both agreeing"
    return f"{name}: {b} is {way} than {a} by {size} (95 % interval of {b} − {a}: {interval}){each}."


def signed(value: float, digits: int = 3) -> str:
    """A number of so many digits with its sign, a true minus."""
    if not np.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    return f"{value:+.{digits}g}".replace("-", "−")
