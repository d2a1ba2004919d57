"""Small multiples of λ paths, one a penalty, on a common vertical axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import interval, joined, log_axis, log_range
from crl_core.figures.base import Trace, axis, empty, figure, number
from crl_core.figures.lam_axis import break_marks, lam_axis, positions
from crl_core.figures.lam_curves import band, curve
from crl_core.figures.palette import Palette

HEIGHT, LARGE = 220, 400


def path_of_penalty(
    lams: Sequence[float],
    values: np.ndarray,
    marks: Mapping[str, float],
    colours: Palette,
    *,
    title: str,
    limits: tuple[float, float],
    log: bool,
    problem: str = "",
    height: int = HEIGHT,
) -> go.Figure:
    """Median and range over replicates of [R, L] values, with chosen λ ringed.

    marks:  name -> λ to ring.
    limits: of all multiples.
    """
    if values.size == 0 or not np.isfinite(values).any():
        return empty(title, problem or "No λ has a number here.", colours, height=height)
    low, high = limits
    spread = band(np.clip(values, low, high))
    at = positions(lams)
    rings: list[Trace] = []
    for (name, lam), symbol in zip(marks.items(), ("circle", "diamond"), strict=False):
        if not np.isfinite(lam):
            continue
        index = int(np.abs(np.asarray(lams) - lam).argmin())
        rings.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [at[index]],
                "y": [spread.median[index]],
                "showlegend": False,
                "cliponaxis": False,
                "hovertemplate": f"{name}: λ = {lams[index]:g}, {number(spread.median[index])}<extra></extra>",
                "marker": {
                    "size": (14 if symbol == "circle" else 10) * colours["scale"],
                    "symbol": symbol,
                    "color": colours["panel"],
                    "line": {
                        "width": 2.6 * colours["scale"],
                        "color": colours["accent"] if symbol == "circle" else colours["text"],
                    },
                },
            }
        )
    vertical = log_axis(low, high) if log else {"range": list(interval(low, high))}
    return figure(
        title,
        [*curve(lams, spread, colours, title, values.shape[0]), *rings],
        colours,
        height=height,
        margin={"l": 38, "r": 12, "b": round(42 * colours["scale"])},
        xaxis=lam_axis(lams, colours, most=3, fixedrange=True),
        yaxis=axis(colours, "", fixedrange=True, **vertical),
        shapes=break_marks(lams, colours),
    )


def common_limits(values: Sequence[np.ndarray], log: bool) -> tuple[float, float]:
    """An axis that holds all but the outermost hundredth of the values of all multiples."""
    known = joined(values)
    return log_range(known, share=(0.0, 0.99)) if log and np.isfinite(known).any() else (0.45, 1.08)
