"""Ranges, ticks, bins and scales of all figures, computed nowhere else; the lecture's script has its twin in axes.js.

Every function is total: whatever it is given (nothing, NaN, infinities, one value, all zero, all equal, zero or less on
a log axis), it ends, and what it returns is finite.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

Range = tuple[float, float]
_LEAST, _MOST = 1e-150, 1e150  # beyond them products and ratios of ends overflow
_NARROW = 1e-9  # an interval narrower than this share of its ends is a single value to a picture
_STEPS: tuple[tuple[float, ...], ...] = ((1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0))
_ENDS = (1.0, 3.0)  # where a log axis that grows may end, times a power of ten
_MOST_TICKS = 24  # on an axis whose range spans hundreds of decades


def finite_of(values: Any, *, positive: bool = False) -> np.ndarray:
    """The finite ones of some values of any shape, flat; `positive`: those above zero."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    kept = flat[np.isfinite(flat) & (flat > 0)] if positive else flat[np.isfinite(flat)]
    return np.clip(kept, _LEAST if positive else -_MOST, _MOST)


def compact(values: np.ndarray) -> np.ndarray:
    """Values in four bytes, for what is sent; missing (NaN) where infinite, the largest there is where larger."""
    most = float(np.finfo(np.float32).max)
    return np.asarray(np.clip(np.where(np.isinf(values), np.nan, values), -most, most).astype(np.float32))


def joined(parts: Iterable[Any]) -> np.ndarray:
    """Arrays of any shapes as one flat array."""
    flat = [np.asarray(part, dtype=np.float64).ravel() for part in parts]
    return np.concatenate([*flat, np.empty(0)])


def interval(low: float, high: float) -> Range:
    """Two finite ends, the first truly smaller, of what may be a point, the wrong way round, or missing."""
    ends = [min(max(float(end), -_MOST), _MOST) for end in (low, high) if math.isfinite(end)]
    if not ends:
        return 0.0, 1.0
    low, high = min(ends), max(ends)
    size = max(abs(low), abs(high))
    if size < _LEAST:
        return -0.5, 0.5
    return (low, high) if high - low > _NARROW * size else (low - 0.1 * size, high + 0.1 * size)


def log_interval(low: float, high: float) -> Range:
    """The same on a log axis: both ends are positive; (0.1, 1) where none is."""
    ends = [min(max(float(end), _LEAST), _MOST) for end in (low, high) if math.isfinite(end) and end > 0]
    if not ends:
        return 0.1, 1.0
    low, high = min(ends), max(ends)
    return (low, high) if high > low * 1.001 else (low / 1.12, high * 1.12)


def span(values: Any) -> Range:
    """Smallest and largest finite value."""
    known = finite_of(values)
    return interval(known.min(), known.max()) if len(known) else (0.0, 1.0)


def robust_range(values: Any, share: float = 0.005, room: float = 0.06) -> Range:
    """All finite values but the outermost `share` on each side, with some room; (0, 1) where there is none."""
    known = finite_of(values)
    if len(known) == 0:
        return 0.0, 1.0
    low, high = (float(value) for value in np.quantile(known, [share, 1 - share]))
    pad = room * (high - low) or 0.5
    return interval(low - pad, high + pad)


def effect_limits(ite: np.ndarray | None, ite_hat: np.ndarray) -> Range:
    """Axis of effects that holds for every λ: nearly all estimates [L, n], but never far beyond the true ones [n]."""
    low, high = robust_range(ite_hat, share=0.02, room=0.0)
    known = finite_of([] if ite is None else ite)
    if len(known):
        true_low, true_high = float(known.min()), float(known.max())
        room = max(true_high - true_low, 0.25 * abs(true_high), 0.5)
        low, high = max(min(low, true_low), true_low - room), min(max(high, true_high), true_high + room)
    pad = 0.05 * (high - low) or 0.5
    return interval(low - pad, high + pad)


def log_range(values: Any, *, room: float | None = None, share: Range = (0.0, 1.0)) -> Range:
    """A log axis that holds all positive values, wider by a factor `room` on each side; (0.1, 1) where there is none.

    room:  None takes a fourteenth of the decades there are.
    share: the quantiles that it ends at.
    """
    known = finite_of(values, positive=True)
    if len(known) == 0:
        return 0.1, 1.0
    low, high = log_interval(*(float(value) for value in np.quantile(known, share)))
    wider = room or max((high / low) ** 0.07, 1.12)
    return log_interval(low / wider, high * wider)


def axis_range(values: np.ndarray, usual: Range) -> Range:
    """`usual`, widened by half decades until it holds every positive finite value."""
    low, high = usual
    positive = finite_of(values, positive=True)
    if len(positive):
        low = min(low, _half_decade(float(positive.min()), down=True))
        high = max(high, _half_decade(float(positive.max())))
    return low, high


def _half_decade(value: float, *, down: bool = False) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    # One decade below as well: the logarithm of a value just under a power of ten rounds up to that power's.
    steps = [power * step for step in (*(step / 10 for step in _ENDS), *_ENDS, 10.0)]
    return max(step for step in steps if step <= value) if down else min(step for step in steps if step >= value)


def held_in(values: np.ndarray, limits: Range) -> tuple[np.ndarray, int]:
    """Values moved onto the edge where they lie outside, and how many were."""
    low, high = limits
    outside = (values < low) | (values > high)  # False for NaN, which is not drawn
    return np.clip(values, low, high), int(outside.sum())


def share_of(value: float, limits: Range, *, log: bool = False) -> float:
    """Where a value lies on an axis, 0 to 1; what lies outside, or is infinite, sits at the edge. NaN for NaN."""
    low, high = log_interval(*limits) if log else interval(*limits)
    held = min(max(value, low), high) if not math.isnan(value) else math.nan
    return math.log(held / low) / math.log(high / low) if log else (held - low) / (high - low)


def log_ticks(low: float, high: float, most: int = _MOST_TICKS) -> dict[str, Any]:
    """1, 3, 10, ... within a range; 1, 2, 5, 10 where that gives too few; powers of ten where there are too many."""
    low, high = log_interval(low, high)
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    ticks: list[float] = []
    for steps in ((1.0,), *_STEPS) if len(powers) > most else _STEPS:
        found = [float(f"{step}e{power}") for power in powers for step in steps]
        ticks = [tick for tick in found if low * 0.999 <= tick <= high * 1.001]
        if len(ticks) >= 3:
            break
    if len(ticks) < 2:  # a range narrower than any of the steps
        ticks = linear_ticks(low, high)
    return sparse({"tickvals": ticks, "ticktext": tick_texts(ticks)}, most)


def bent_ticks(low: float, high: float, unit: float) -> list[float]:
    """Of an axis that is linear up to `unit` and logarithmic beyond (an inverse hyperbolic sine): 0 and the powers of
    ten beyond `unit`; halves and doubles where that leaves fewer than four."""
    first = math.floor(math.log10(log_interval(unit, unit)[1]))
    for steps in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
        found = {0.0}
        for power in range(first, first + 12):
            for step in steps:
                tick = float(f"{step}e{power}")
                found |= {t for t in (tick, -tick) if low <= t <= high and tick >= 0.6 * unit}
        if len(found) >= 4:
            break
    return sorted(found)


def linear_ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round values within a range, evenly spaced: as many as `wanted`, or up to half as many again."""
    low, high = interval(low, high)
    rough = (high - low) / wanted
    decade = 10.0 ** math.floor(math.log10(rough))
    step = next((decade * k for k in (1, 2, 2.5, 5) if decade * k >= rough), decade * 10)
    return [k * step + 0.0 for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def tick_texts(ticks: Sequence[float]) -> list[str]:
    """As few digits, six or more, as tell the ticks apart."""
    for digits in range(6, 16):
        texts = [f"{tick:.{digits}g}" for tick in ticks]
        if len(set(texts)) == len(set(ticks)):
            break
    return texts


def sparse(ticks: dict[str, Any], most: int) -> dict[str, Any]:
    """All ticks of a log axis where there are at most `most`, else its powers of ten, or every second, third, ..."""
    if len(ticks["tickvals"]) <= most:
        return ticks
    tens = [at for at, tick in enumerate(ticks["tickvals"]) if round(math.log10(tick), 6) % 1 == 0]
    kept = tens or range(len(ticks["tickvals"]))
    return few({name: [values[at] for at in kept] for name, values in ticks.items()}, most)


def few(ticks: dict[str, Any], most: int) -> dict[str, Any]:
    """Every second, third, ... tick, so that at most `most` stand on an axis."""
    step = max(1, -(-len(ticks["tickvals"]) // max(1, most)))
    return {name: values[::step] for name, values in ticks.items()}


def log_axis(low: float, high: float, most: int = _MOST_TICKS) -> dict[str, Any]:
    """What Plotly is told of a log axis from `low` to `high`: its range in decades, and its ticks."""
    low, high = log_interval(low, high)
    return {"type": "log", "range": [math.log10(low), math.log10(high)], **log_ticks(low, high, most)}


def bin_edges(limits: Range, bins: int) -> np.ndarray:
    """Edges of equally wide bins, [bins + 1], strictly ascending."""
    return np.linspace(*interval(*limits), max(1, bins) + 1)


def bin_counts(values: Any, edges: np.ndarray) -> np.ndarray:
    """How many of the finite values lie in each bin, [bins]; those beyond the edges count in the outermost."""
    return np.histogram(np.clip(finite_of(values), edges[0], edges[-1]), edges)[0]


def colour_range(amount: Any) -> Range:
    """Ends of a colour scale of one number a row: all but the outermost hundredth on each side."""
    return robust_range(amount, share=0.01, room=0.0)


def colour_scale(colours: Sequence[str]) -> list[list[Any]]:
    """Evenly spaced stops, as Plotly wants them; one colour is a scale of it alone."""
    stops = [*colours] * 2 if len(colours) == 1 else [*colours]
    return [[index / max(1, len(stops) - 1), colour] for index, colour in enumerate(stops)]


def evenly(count: int, most: int) -> np.ndarray:
    """Indices of at most `most` of `count` rows, from the first to the last."""
    shown = max(0, min(most, count))
    return np.linspace(0, max(count - 1, 0), shown).astype(int)
