"""What the charts of a run in training draw against λ: an error, the share of the outcome that is explained, or the
average effect, each with an axis that stays where it is or grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crl_core.figures.axes import axis_range, finite_of, interval, joined, robust_range, span
from crl_core.measures.curves import Curves
from crl_core.metrics import METRIC

_WORSE, _TOPS = -0.2, (0.1, 0.2, 0.5, 1.0)  # ends of an axis of R²


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Along:
    """A quantity against λ as it forms.

    values: [T, L], of which the last row counts by now.  low, high: [L] over the replicates.
    limits: ends of the axis, finite, the first the smaller; of a log axis both positive.
    levels: name and value of what stands beside it, a dashed line across each.
    """

    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    limits: tuple[float, float]
    log: bool = False
    levels: tuple[tuple[str, float], ...] = ()


def error_along(curves: Curves) -> Along:
    """The error that `Curves.error_name` says, on a log axis."""
    name = curves.error_name
    usual = METRIC[name].usual
    assert usual is not None  # of every error
    limits = axis_range(joined([curves.values[name], curves.low, curves.high]), usual)
    return Along(values=_until_now(curves, name), low=curves.low, high=curves.high, limits=limits, log=True)


def explained_along(curves: Curves, variance: float) -> Along:
    """R²: 1 less the share that the error of `Curves.error_name` has of the outcome's variance.

    variance: > 0. The axis begins a little below 0 once a λ was worse than a constant, and ends at a round value that
              grows with the best.
    """
    values = 1 - _until_now(curves, curves.error_name) / variance
    low, high = 1 - curves.high / variance, 1 - curves.low / variance
    known = finite_of(joined([values, low, high]))
    best = float(known.max(initial=0.0))
    limits = (_WORSE if (known < 0).any() else 0.0, next((top for top in _TOPS if top >= best), 1.0))
    return Along(values=values, low=low, high=high, limits=limits)


def effect_along(curves: Curves, levels: Sequence[tuple[str, float]] = ()) -> Along:
    """The average effect of held-out rows beside what is said of it without a network.

    levels: name and value. They, and nearly all that the effect has been so far, are within the axis.
    """
    values = _until_now(curves, "ate")
    nothing = np.full(len(curves.lams), np.nan)
    low, high = curves.ate_range or (nothing, nothing)
    there = tuple((name, value) for name, value in levels if np.isfinite(value))
    reached = robust_range(values, room=0.0) if np.isfinite(values).any() else ()
    bottom, top = span(joined([reached, [value for _, value in there]]))
    room = 0.12 * (top - bottom)
    return Along(values=values, low=low, high=high, limits=interval(bottom - room, top + room), levels=there)


def _until_now(curves: Curves, name: str) -> np.ndarray:
    """A curve [T, L] with what counts by now in its last row; [0, L] of one that there is not."""
    values = curves.values.get(name, np.empty((0, len(curves.lams))))
    return np.concatenate([values[:-1], curves.now(name)[None]]) if len(values) else values
