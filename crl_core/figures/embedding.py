"""A sample of rows laid out in two dimensions: latents or inputs, coloured by what is known of each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import colour_range, colour_scale, held_in, robust_range
from crl_core.figures.base import (
    ARM_NAMES,
    ARM_SYMBOLS,
    Trace,
    arm_legend,
    axis,
    empty,
    env_legend,
    figure,
)
from crl_core.figures.palette import Palette

HEIGHT = 430
Limits = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Units:
    """What is known of the rows that are drawn. `amounts`: a name such as "z" -> a number for each row."""

    env: np.ndarray  # [n]
    t: np.ndarray  # [n]
    env_names: Sequence[str]
    amounts: dict[str, np.ndarray]


def path_limits(xy: np.ndarray) -> Limits:
    """A window that holds for every λ, from layouts [L, n, 2]; a few outermost points lie beyond it."""
    return robust_range(xy[..., 0]), robust_range(xy[..., 1])


def embedding(
    xy: np.ndarray,
    rows: Units,
    colours: Palette,
    *,
    title: str,
    colour_by: str,
    limits: Limits,
    why_empty: str = "",
) -> go.Figure:
    """Points [n, 2] in a fixed window. colour_by: "environment", "treatment" or a name of `rows.amounts`."""
    if len(xy) == 0 or not np.isfinite(xy).all():
        return empty(title, why_empty or "There are no rows to lay out.", colours, height=HEIGHT)
    x, beyond_x = held_in(xy[:, 0], limits[0])
    y, beyond_y = held_in(xy[:, 1], limits[1])
    traces, legend = _traces(x, y, rows, colours, colour_by)
    bare: dict[str, Any] = {"ticks": False, "showline": False, "fixedrange": False}
    return figure(
        title,
        [*traces, *legend],
        colours,
        height=HEIGHT,
        legend_items=max(len(legend), 4),  # room for the longest legend, so that the picture keeps its place
        margin={"l": 8, "r": 8, "b": 10},
        outside=max(beyond_x, beyond_y),
        xaxis=axis(colours, range=list(limits[0]), **bare),
        yaxis=axis(colours, range=list(limits[1]), scaleanchor="x", **bare),
        uirevision=title,
    )


def _traces(
    x: np.ndarray, y: np.ndarray, rows: Units, colours: Palette, colour_by: str
) -> tuple[list[Trace], list[Trace]]:
    size = 5.6 * colours["scale"]
    hover = _hover(rows)
    base: Trace = {"type": "scatter", "mode": "markers", "showlegend": False, "hoverinfo": "text"}
    if colour_by == "environment":
        traces = []
        for e in range(len(rows.env_names)):
            mine = rows.env == e
            marker = {
                "color": colours["envs"][e],
                "symbol": ARM_SYMBOLS[rows.t[mine]],
                "size": size,
                "opacity": 0.8,
                "line": {"width": 0.4, "color": colours["panel"]},
            }
            traces.append(
                base
                | {
                    "x": x[mine],
                    "y": y[mine],
                    "marker": marker,
                    "text": hover[mine],
                    "legendgroup": f"env{e}",
                }
            )
        return traces, env_legend(rows.env_names, colours) + arm_legend(colours)
    if colour_by == "treatment":
        traces = []
        for arm in (0, 1):
            mine = rows.t == arm
            marker = {
                "color": colours["arms"][arm],
                "size": size,
                "opacity": 0.85,
                "symbol": str(ARM_SYMBOLS[arm]) + ("-open" if arm == 0 else ""),
                "line": {"width": 1.1},
            }
            if arm == 1:
                marker["line"] = {"width": 0.5, "color": colours["panel"]}
            traces.append(
                base
                | {
                    "x": x[mine],
                    "y": y[mine],
                    "marker": marker,
                    "text": hover[mine],
                    "legendgroup": f"arm{arm}",
                }
            )
        return traces, arm_legend(colours, coloured=True)
    amount = rows.amounts[colour_by]
    low, high = colour_range(amount)
    marker = {
        "color": amount,
        "colorscale": colour_scale(colours["sequential"]),
        "cmin": low,
        "cmax": high,
        "symbol": ARM_SYMBOLS[rows.t],
        "size": size,
        "opacity": 0.9,
        "line": {"width": 0.4, "color": colours["panel"]},
        "colorbar": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1 - 30 / HEIGHT,
            "yref": "container",
            "yanchor": "top",
            "ypad": 0,
            "xpad": 0,
            "len": 0.5,
            "thickness": 8,
            "outlinewidth": 0,
            "title": {"text": colour_by, "side": "top"},
            "nticks": 5,
            "tickfont": {"color": colours["muted"]},
            "ticklabelposition": "outside bottom",
        },
    }
    return [base | {"x": x, "y": y, "marker": marker, "text": hover}], []


def _hover(rows: Units) -> np.ndarray:
    names = np.array(list(rows.env_names), dtype=object)[rows.env] + ", " + np.array(ARM_NAMES, dtype=object)[rows.t]
    for name, amount in rows.amounts.items():
        names = names + np.array([f"<br>{name} = {value:.2f}" for value in amount], dtype=object)
    return np.asarray(names)
