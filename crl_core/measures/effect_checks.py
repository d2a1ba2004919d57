"""What estimated effects τ̂ are worth where nobody knows the true ones: they are held against doubly robust scores.

Every function takes scores Γ [n] (`doubly_robust.scores`) and effects τ̂ [n] of the same rows. A row's τ̂ must come from
models that did not see it: on rows that were trained on, τ̂ follows the noise that is in the score, and looks right.
Standard errors are of the rows drawn: τ̂, the thresholds made of it and the nuisances are taken as given.
Source: Chernozhukov, Demirer, Duflo, Fernández-Val (2018), Generic machine learning inference on heterogeneous
        treatment effects, for the slope and the groups; White (1980), MacKinnon, White (1985) for the HC1 error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from crl_core.measures.doubly_robust import Estimate, average

WIDE = 1.96  # standard errors of an interval
LEAST_IN_GROUP = 10  # rows: a smaller group is not shown, since its mean would tell of persons
THIRDS = ("lowest third", "middle third", "highest third")
POINTS = 41  # of a policy curve
_LEAST_SPREAD = 1e-9  # of τ̂, as a share of its size: below it, rounding is all that varies
_TOO_FEW = f"a third has fewer than {LEAST_IN_GROUP} rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The line of scores on τ̂. slope: 1 where effects differ as predicted, 0 where nothing of it is found.

    se: HC1, robust to scores that scatter more in some rows than in others.
    n_clipped: of the n rows, those that are hardly ever given the other treatment; with many, the slope means nothing.
    reason: why slope, se and intercept are NaN; "" where they are not.
    """

    slope: float
    se: float
    intercept: float
    n: int
    n_clipped: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows taken together: their mean τ̂, and their doubly robust effect with its standard error.

    n_clipped: of the n rows, those whose propensity was held; where they are many, the effect found means nothing.
    """

    name: str
    n: int
    predicted: float
    effect: float
    se: float
    n_clipped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """shown: groups of `LEAST_IN_GROUP` rows or more, in order.  hidden: how many smaller ones there are."""

    shown: tuple[Group, ...]
    hidden: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Thirds:
    """Thirds of the rows by τ̂, lowest first.

    predicted_gap: mean τ̂ of the highest less that of the lowest.  found_gap: the same of the doubly robust effect.
    reason: why there are no groups and no gaps; "" where there are.
    """

    groups: tuple[Group, ...]
    predicted_gap: float
    found_gap: Estimate
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PolicyCurve:
    """What is gained by treating the rows of largest τ̂ first.

    share: of rows treated, [q] from 0 to 1.  value: gain in the mean outcome over treating none, [q].  se: of it, [q].
    treat_all: the gain where everybody is treated.  treat_none: the mean outcome where nobody is, to which gains add.
    """

    share: np.ndarray
    value: np.ndarray
    se: np.ndarray
    treat_all: Estimate
    treat_none: Estimate


def calibration(scores: np.ndarray, effects: np.ndarray, clipped: np.ndarray) -> Calibration:
    """Least squares of scores on τ̂, all [n]; NaN with a reason where τ̂ does not vary, or is not known.

    clipped: which rows' propensity was held, bool.
    Error:   HC1, √(n / (n - 2) · Σ d² u²) / Σ d², d = τ̂ - mean τ̂ and u what the line leaves of the scores.
    """
    n, n_clipped = len(scores), int(np.sum(clipped))
    reason = _no_order(scores, effects)
    if reason or n < 3:
        why = reason or f"{n} rows are too few for a slope"
        return Calibration(slope=np.nan, se=np.nan, intercept=np.nan, n=n, n_clipped=n_clipped, reason=why)
    d = effects - effects.mean()
    size = float(np.abs(d).max())
    d = d / size  # squares of very small effects would vanish
    slope = float(d @ scores / (d @ d))
    left = scores - scores.mean() - slope * d
    se = float(np.sqrt(n / (n - 2) * np.sum(np.square(d * left))) / (d @ d))
    intercept = float(scores.mean()) - slope / size * float(effects.mean())
    return Calibration(slope=slope / size, se=se / size, intercept=intercept, n=n, n_clipped=n_clipped)


def by_thirds(scores: np.ndarray, effects: np.ndarray) -> Thirds:
    """Predicted and doubly robust effects by thirds of τ̂, both [n].

    Ties: rows of equal τ̂ are in one third, so that thirds need not be of one size. Where that, or few rows, leaves one
          with fewer than `LEAST_IN_GROUP`, there are none, and the reason.
    """
    reason = _no_order(scores, effects)
    if not reason:
        third = np.searchsorted(np.quantile(effects, (1 / 3, 2 / 3)), effects, side="left")
        reason = "" if np.bincount(third, minlength=3).min() >= LEAST_IN_GROUP else _TOO_FEW
    if reason:
        unknown = Estimate(value=np.nan, se=np.nan)
        return Thirds(groups=(), predicted_gap=np.nan, found_gap=unknown, reason=reason)
    low, middle, high = (_group(name, scores, effects, third == one) for one, name in enumerate(THIRDS))
    found = Estimate(value=high.effect - low.effect, se=float(np.hypot(high.se, low.se)))
    return Thirds(groups=(low, middle, high), predicted_gap=high.predicted - low.predicted, found_gap=found)


def by_group(
    scores: np.ndarray, effects: np.ndarray, clipped: np.ndarray, of: np.ndarray, names: Sequence[str]
) -> Groups:
    """Predicted and doubly robust effects of rows of the same group, in the order of `names`.

    clipped: which rows' propensity was held, [n] bool.
    of:      [n] int, each row's group, an index into `names`: of environments, or of categories of a column.
    """
    found, counts = np.unique(of, return_counts=True)
    shown = [
        replace(_group(names[one], scores, effects, of == one), n_clipped=int(clipped[of == one].sum()))
        for one in found[counts >= LEAST_IN_GROUP]
    ]
    return Groups(shown=tuple(shown), hidden=int((counts < LEAST_IN_GROUP).sum()))


def policy_curve(scores: np.ndarray, effects: np.ndarray, untreated: np.ndarray) -> PolicyCurve:
    """The gain of treating a share of the rows, those of largest τ̂ first, at `POINTS` shares.

    Gain:    mean of w Γ over all rows, w = 1 for rows that are treated; of tied rows each is treated with the
             probability that fills the share, so that a τ̂ which tells nothing gives a straight line.
    Error:   pointwise, that of the mean of w Γ: s / √n, s its standard deviation over all rows. Who is treated is taken
             as given, and it is no band for the whole curve, whose points share their rows.
    Sense:   a larger outcome is the better one; where a smaller one is, give all three with a minus sign.
    untreated: doubly robust scores of the untreated outcome, [n] (`doubly_robust.untreated_scores`).
    """
    share, n = np.linspace(0, 1, POINTS), len(scores)
    _, place, count = np.unique(-effects, return_inverse=True, return_counts=True)
    before = np.concatenate([[0], np.cumsum(count)[:-1]])
    unknown = n < 2 or bool(_not_known(scores, effects))
    curve = [Estimate(value=np.nan, se=np.nan)] * POINTS
    if not unknown:
        curve = [average(np.clip((q * n - before) / count, 0, 1)[place] * scores) for q in share]
    return PolicyCurve(
        share=share,
        value=np.array([point.value for point in curve]),
        se=np.array([point.se for point in curve]),
        treat_all=average(scores),
        treat_none=average(untreated),
    )


def _group(name: str, scores: np.ndarray, effects: np.ndarray, which: np.ndarray) -> Group:
    found = average(scores[which])
    return Group(name=name, n=int(which.sum()), predicted=float(effects[which].mean()), effect=found.value, se=found.se)


def _not_known(scores: np.ndarray, effects: np.ndarray) -> str:
    """Why nothing can be said of these rows; "" where something can."""
    bad = int((~np.isfinite(scores) | ~np.isfinite(effects)).sum())
    return f"{bad} of {len(effects)} rows have no effect" if bad else ""


def _no_order(scores: np.ndarray, effects: np.ndarray) -> str:
    """Why the rows cannot be told apart by τ̂; "" where they can."""
    if why := _not_known(scores, effects):
        return why
    if len(effects) == 0 or np.ptp(effects) <= _LEAST_SPREAD * np.abs(effects).max():
        return "the predicted effect is the same in all rows"
    return ""
