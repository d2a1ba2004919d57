"""The λ axis: logarithmic, with 0 at the left beyond a break, the same on every figure along λ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crl_core.figures.axes import Range, finite_of
from crl_core.figures.base import axis
from crl_core.figures.palette import Palette

_GAP = 0.9  # decades between 0 and the smallest positive λ
_MOST_DECADES = 12  # with a tick


def positions(lams: Sequence[float]) -> np.ndarray:
    """Where each λ sits, in decades, [L]; 0 stands `_GAP` left of the smallest positive one."""
    values = np.asarray(lams, dtype=np.float64)
    positive = finite_of(values, positive=True)
    start = np.log10(positive.min()) - _GAP if len(positive) else 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > 0, np.log10(values), start)


def places_of(others: Sequence[float], lams: Sequence[float]) -> np.ndarray:
    """Where λ of another run sit on the axis of `lams`, [len(others)]; 0 where that axis has it."""
    start = positions([0.0, *lams])[0]
    return np.array([np.log10(lam) if lam > 0 else start for lam in others])


def edges(lams: Sequence[float]) -> Range:
    """Ends of the axis: all λ, and some room beside them."""
    at = finite_of(positions(lams))
    low, high = (float(at.min()), float(at.max())) if len(at) else (0.0, 0.0)
    room = 0.04 * (high - low or 10.0)
    return low - room, high + room


def ticks(lams: Sequence[float], most: int | None = 4) -> tuple[list[float], list[str]]:
    """Places and labels of the ticks: 0 and every decade; every second label where they are more than `most`."""
    at = positions(lams)
    positive = [float(place) for lam, place in zip(lams, at, strict=True) if lam > 0]
    places: list[float] = [float(at[0])] if len(lams) and lams[0] == 0 else []
    labels = ["0"] if places else []
    if positive:
        decades = range(int(np.ceil(positive[0] - 1e-9)), int(np.floor(positive[-1] + 1e-9)) + 1)
        marks: list[float] = [float(decade) for decade in decades[:: max(1, -(-len(decades) // _MOST_DECADES))]]
        if len(marks) < 2:
            marks = positive if len(positive) <= 6 else [positive[0], positive[len(positive) // 2], positive[-1]]
        places += marks
        words = [
            f"{10 ** min(mark, 308.25):.2g}" if abs(mark - round(mark)) > 1e-9 else _decade(round(mark))
            for mark in marks
        ]
        all_said = most is None or len(words) <= most
        labels += [word if all_said or index % 2 else "" for index, word in enumerate(words)]
    return places, labels


def lam_axis(
    lams: Sequence[float], colours: Palette, *, title: str = "λ", most: int = 4, **more: Any
) -> dict[str, Any]:
    """The axis itself, with its `ticks`."""
    places, labels = ticks(lams, most)
    return axis(colours, title, tickvals=places, ticktext=labels, range=list(edges(lams)), tickangle=0, **more)


def _decade(power: int) -> str:
    if not -6 <= power <= 9:
        return f"1e{power}"
    return f"{10.0**power:.{max(0, -power)}f}" if power < 4 else f"{10**power:,}"


def break_marks(lams: Sequence[float], colours: Palette, *, y: float = 0.0) -> list[dict[str, Any]]:
    """Two short strokes on the axis at height `y` of the paper, where it leaps to 0; none without 0."""
    if not lams or lams[0] != 0 or len(lams) < 2:
        return []
    at = positions(lams)
    middle = float(at[0] + at[1]) / 2
    return [
        {
            "type": "line",
            "xref": "x",
            "yref": "paper",
            "ysizemode": "pixel",
            "yanchor": y,
            "x0": middle + shift - 0.035,
            "x1": middle + shift + 0.035,
            "y0": -5,
            "y1": 5,
            "line": {"color": colours["muted"], "width": 1.4},
            "layer": "above",
        }
        for shift in (-0.035, 0.035)
    ]
