"""The λ axis: logarithmic, with 0 at the left beyond a break, the same on every figure along λ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crl_core.figures.base import axis
from crl_core.figures.palette import Palette

_GAP = 0.9  # decades between 0 and the smallest positive λ


def positions(lams: Sequence[float]) -> np.ndarray:
    """Where each λ sits, in decades, [L]; 0 stands `_GAP` left of the smallest positive one."""
    values = np.asarray(lams, dtype=np.float64)
    positive = values[values > 0]
    start = np.log10(positive.min()) - _GAP if len(positive) else 0.0
    with np.errstate(divide="ignore"):
        return np.where(values > 0, np.log10(values), start)


def lam_axis(
    lams: Sequence[float], colours: Palette, *, title: str = "λ", most: int = 4, **more: Any
) -> dict[str, Any]:
    """The axis itself: ticks at 0 and at every decade, labels at every second one where there are more than `most`."""
    at = positions(lams)
    positive = [float(np.log10(lam)) for lam in lams if lam > 0]
    ticks: list[float] = [float(at[0])] if lams and lams[0] == 0 else []
    labels = ["0"] if ticks else []
    if positive:
        decades = range(int(np.ceil(positive[0] - 1e-9)), int(np.floor(positive[-1] + 1e-9)) + 1)
        marks: list[float] = [float(decade) for decade in decades]
        if len(marks) < 2:
            marks = positive if len(positive) <= 6 else [positive[0], positive[len(positive) // 2], positive[-1]]
        ticks += marks
        words = [f"{10**mark:.2g}" if abs(mark - round(mark)) > 1e-9 else _decade(round(mark)) for mark in marks]
        labels += [word if len(words) <= most or index % 2 else "" for index, word in enumerate(words)]
    room = 0.04 * (float(at[-1] - at[0]) or 10.0)
    return axis(
        colours,
        title,
        tickvals=ticks,
        ticktext=labels,
        range=[float(at[0]) - room, float(at[-1]) + room],
        tickangle=0,
        **more,
    )


def _decade(power: int) -> str:
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
