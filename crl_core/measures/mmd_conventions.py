"""Conventions of reporting an MMD: the same latents, read as other sources would. Training is not changed.

A `Convention` says what a reported MMD leaves open: whether the diagonal counts, which bandwidth, where the 2 of the
kernel went, whether a root was taken, and whether latents were first scaled to length 1. Every reading stands beside
what two samples of one distribution would give: the same rows with their groups shuffled.
Kernels and sums are those of `overlap`; a convention only chooses the effective bandwidth and the estimator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from crl_core.config import Bandwidth
from crl_core.config.numbers import NotANumber, number
from crl_core.measures.overlap import (
    LEAST_ROWS,
    kernel_of,
    median_distance,
    pairs_mmd2,
    permutation_p,
    relabelled,
    squared_distances,
)

Estimator = Literal["biased", "unbiased"]
Kernel = Literal["exp(−d²/2h²)", "exp(−d²/h²)"]
Rule = Literal["median", "half median", "half median of the first"]

PERMUTATIONS = 200
FEWER_PERMUTATIONS = 100  # for many groups, whose labellings cost more
BAND = (0.05, 0.95)
LEVEL = 0.05  # p at or below which a reading is more than chance
LEAST_BANDWIDTH, MOST_BANDWIDTH = 1e-3, 1e3


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """One way to read an MMD.

    bandwidth: "median": h = median distance of the pooled rows.  "half median": h = √(median d² / 2), of the pooled
               rows; "half median of the first": of the first group alone.  A number: h itself.
    rooted:    the root of MMD²; a negative estimate, which has none, keeps its sign and takes the root of its size.
    unit:      each latent divided by its length before anything else.
    Raises:    ValueError for a bandwidth out of range or a word that is not among those above.
    """

    estimator: Estimator = "biased"
    bandwidth: Rule | float = "median"
    kernel: Kernel = "exp(−d²/2h²)"
    rooted: bool = False
    unit: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.bandwidth, str):
            if self.bandwidth not in get_args(Rule):
                raise ValueError(
                    f"the bandwidth is {self.bandwidth!r}; it must be one of {', '.join(get_args(Rule))}, or a number."
                )
        elif not LEAST_BANDWIDTH <= self.bandwidth <= MOST_BANDWIDTH:
            raise ValueError(
                f"the bandwidth h is {self.bandwidth:g}; it must be a number from {LEAST_BANDWIDTH:g} to "
                f"{MOST_BANDWIDTH:g}."
            )
        for value, options in ((self.estimator, get_args(Estimator)), (self.kernel, get_args(Kernel))):
            if value not in options:
                raise ValueError(f"{value!r} is not known; choose one of {', '.join(options)}.")


CONVENTIONS: Mapping[str, Convention] = {
    "this dashboard": Convention(),
    "cfrnet": Convention(estimator="unbiased", bandwidth=0.1, kernel="exp(−d²/h²)", unit=True),
    "alibi-detect": Convention(estimator="unbiased", bandwidth="half median of the first"),
    "Gretton, unbiased": Convention(estimator="unbiased"),
}
SOURCES: Mapping[str, str] = {
    "this dashboard": "What is trained, and shown on every other page",
    "cfrnet": "mmd2_rbf of the CFR authors' code with normalization = divide (not its default) and p = ½",
    "alibi-detect": "Its drift detector takes h from the reference sample alone: here the first group",
    "Gretton, unbiased": "Gretton et al. (2012), with their median heuristic on the pooled rows",
}


def as_trained(bandwidth: Bandwidth) -> Convention:
    """This dashboard's convention, with the bandwidth that a run was trained with."""
    return Convention(bandwidth="median" if bandwidth == "median" else float(bandwidth))


def conventions_beside(bandwidth: Bandwidth) -> Mapping[str, Convention]:
    """`CONVENTIONS`, this dashboard's as a run was trained."""
    return {**CONVENTIONS, "this dashboard": as_trained(bandwidth)}


RULES: Mapping[str, Rule | float] = {
    "median distance": "median",
    "√(median d² / 2)": "half median",
    "√(median d² / 2), first group": "half median of the first",
    "0.1": 0.1,
    "0.3": 0.3,
    "1": 1.0,
    "3": 3.0,
    "10": 10.0,
}


def rule_text(rule: Rule | float) -> str:
    """A bandwidth as people write it; one that is not among `RULES` as its number."""
    return next(
        (text for text, known in RULES.items() if known == rule),
        rule if isinstance(rule, str) else f"{rule:g}",
    )


def rule_of(text: str | None) -> Rule | float:
    """The bandwidth that was chosen or typed. Raises ValueError with a sentence for what is no number."""
    if text in RULES:
        return RULES[str(text)]
    try:
        return float(number(str(text)))
    except NotANumber:
        raise ValueError(
            f"The bandwidth is “{str(text)[:30]}”; choose a rule, or type a number from {LEAST_BANDWIDTH:g} to "
            f"{MOST_BANDWIDTH:g}."
        ) from None


def formula(convention: Convention) -> str:
    """A convention in a sentence."""
    link = "by" if isinstance(convention.bandwidth, str) else "="
    return f"{convention.estimator.capitalize()}, {convention.kernel}, h {link} {rule_text(convention.bandwidth)}."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """MMD as one convention reads it, for L sets of latents; NaN where it is not defined."""

    value: np.ndarray  # [L]
    null: np.ndarray  # [L, P], the same of shuffled groups
    bandwidth: np.ndarray  # [L], the h in use
    p_value: np.ndarray  # [L], (k + 1) / (P + 1)

    @property
    def low(self) -> np.ndarray:
        """The 5 % point of what two samples of one distribution give, [L]."""
        return np.asarray(np.quantile(self.null, BAND[0], axis=1))

    @property
    def high(self) -> np.ndarray:
        return np.asarray(np.quantile(self.null, BAND[1], axis=1))

    @property
    def apart(self) -> np.ndarray:
        """Whether it tells the groups apart: chance would hardly do, [L]."""
        return np.asarray(self.p_value <= LEVEL)


def read(phi: np.ndarray, groups: np.ndarray, convention: Convention, rng: np.random.Generator) -> Reading:
    """Read latents [L, n, k] of rows in `groups` [n] by one convention.

    All L share the shuffles, so that bands along λ are smooth. Groups of fewer than 6 rows are left out
    (`readable_groups`).
    """
    kept = np.isin(groups, readable_groups(groups))
    n_groups = len(np.unique(groups[kept]))
    n_shuffles = PERMUTATIONS if n_groups <= 4 else FEWER_PERMUTATIONS
    value, bandwidth, p_value = (np.full(len(phi), np.nan) for _ in range(3))
    null = np.full((len(phi), n_shuffles), np.nan)
    if n_groups >= 2:
        labels = relabelled(groups[kept], n_shuffles, rng)
        for index, rows in enumerate(phi[:, kept]):
            if not np.isfinite(rows).all():
                continue
            rows = unit_rows(rows) if convention.unit else rows
            distance2 = squared_distances(rows)
            h = bandwidth_of(distance2, labels[0], convention.bandwidth)
            effective = h if convention.kernel == "exp(−d²/2h²)" else h / np.sqrt(2)
            values = pairs_mmd2(kernel_of(distance2, effective), labels, unbiased=convention.estimator == "unbiased")
            p_value[index] = permutation_p(values)
            values = np.where(np.abs(values) < 1e-12, 0.0, values)  # rounding; a collapsed latent has exactly 0
            values = np.sign(values) * np.sqrt(np.abs(values)) if convention.rooted else values
            value[index], null[index], bandwidth[index] = values[0], values[1:], h
    return Reading(value=value, null=null, bandwidth=bandwidth, p_value=p_value)


def readable_groups(groups: np.ndarray) -> np.ndarray:
    """The groups with rows enough for a reading."""
    names, counts = np.unique(groups, return_counts=True)
    return np.asarray(names[counts >= LEAST_ROWS])


def bandwidth_of(distance2: np.ndarray, labels: np.ndarray, rule: Rule | float) -> float:
    """h of squared distances [n, n] between rows of the groups `labels` [n]."""
    if not isinstance(rule, str):
        return float(rule)
    if rule == "half median of the first":
        first = labels == labels.min()
        distance2 = distance2[np.ix_(first, first)]
    return median_distance(distance2) / (1.0 if rule == "median" else float(np.sqrt(2)))


def unit_rows(phi: np.ndarray) -> np.ndarray:
    """Each row divided by its length; a row of zeros stays."""
    length = np.linalg.norm(phi.astype(np.float64), axis=-1, keepdims=True)
    return np.asarray(phi / np.where(length > 0, length, 1.0))


def equal_weight(lam: float, ours: float, theirs: float) -> float | None:
    """The λ' at which λ' · theirs = λ · ours on the same latents; None where theirs gives a penalty no weight."""
    if lam == 0:
        return 0.0
    if not (np.isfinite(ours) and np.isfinite(theirs)) or ours <= 0 or theirs <= 0:
        return None
    return lam * ours / theirs
