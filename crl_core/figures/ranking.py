"""Errors of several estimators side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import joined, log_axis, log_range
from crl_core.figures.base import Trace, axis, decimals, empty, figure, number, rgba
from crl_core.figures.palette import Palette

HEIGHT = 340


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ErrorRow:
    """One estimator's ITE RMSE in every replicate, [R]. kind: "in view", "network" or "baseline"."""

    name: str
    values: np.ndarray
    kind: str = "baseline"


def error_ranking(rows: Sequence[ErrorRow], colours: Palette, *, title: str, low: float, high: float) -> go.Figure:
    """ITE RMSE of estimators, median (point) and range (bar), in the order given, on a log axis `low` to `high`."""
    rows = [row for row in rows if np.isfinite(row.values).any()]
    if not rows:
        return empty(title, "There are no errors to compare.", colours, height=HEIGHT)
    look = {
        "in view": (colours["accent"], 12, "circle"),
        "network": (colours["text"], 9, "circle-open"),
        "baseline": (colours["muted"], 9, "square"),
    }
    traces: list[Trace] = []
    notes = []
    for place, row in enumerate(rows):
        finite = row.values[np.isfinite(row.values)]
        colour, size, symbol = look[row.kind]
        median = float(np.median(finite))
        y = -place
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [finite.min(), finite.max()],
                "y": [y, y],
                "hoverinfo": "skip",
                "line": {"color": rgba(colour, 0.55), "width": 5 * colours["scale"]},
            }
        )
        spread = (
            ""
            if len(finite) < 2
            else f"<br>{number(finite.min())} to {number(finite.max())} in {len(finite)} replicates"
        )
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [median],
                "y": [y],
                "marker": {
                    "color": colour,
                    "size": size * colours["scale"],
                    "symbol": symbol,
                    "line": {"width": 2, "color": colour},
                },
                "hovertemplate": f"{row.name}<br>median {number(median)}{spread}<extra></extra>",
            }
        )
        strong = row.kind == "in view"
        notes.append(
            {
                "x": 0,
                "xref": "paper",
                "xanchor": "left",
                "y": y,
                "yref": "y",
                "yanchor": "bottom",
                "yshift": 7,
                "text": f"<b>{row.name}</b>" if strong else row.name,
                "showarrow": False,
                "font": {"color": colours["text"], "size": 12 * colours["scale"]},
            }
        )
        notes.append(
            {
                "x": 1,
                "xref": "paper",
                "xanchor": "right",
                "y": y,
                "yref": "y",
                "yanchor": "bottom",
                "yshift": 7,
                "text": f"<b>{decimals(median, 3)}</b>" if strong else decimals(median, 3),
                "showarrow": False,
                "font": {"color": colours["accent"] if strong else colours["text"], "size": 12 * colours["scale"]},
            }
        )
    return figure(
        title,
        traces,
        colours,
        height=HEIGHT,
        margin={"l": 8, "r": 8},
        annotations=notes,
        xaxis=axis(colours, "Effect error, log scale", **log_axis(low, high)),
        yaxis=axis(colours, ticks=False, range=[-len(rows) + 0.6, 0.75], fixedrange=True),
    )


def error_range(errors: Sequence[np.ndarray]) -> tuple[float, float]:
    """Ends of a log axis that hold for every λ of a run: of all errors that are positive and finite."""
    return log_range(joined(errors), room=1.25)
