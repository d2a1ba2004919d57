"""The effect over the plane of cause and nuisance as a coloured picture, with the rows on top."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import colour_scale, compact, evenly, interval, span
from crl_core.figures.base import ARM_SYMBOLS, Trace, axis, decimals, empty, figure
from crl_core.figures.palette import Palette

HEIGHT = 390
_MOST_ROWS = 240  # drawn on a map: where data lies is clear, and the map stays visible


def effect_plane(
    values: np.ndarray,
    z: np.ndarray,
    s: np.ndarray,
    colours: Palette,
    *,
    title: str,
    limits: tuple[float, float],
    rows: np.ndarray,
    env: np.ndarray,
    t: np.ndarray,
    env_names: Sequence[str],
    bar: str = "effect",
) -> go.Figure:
    """Effects [size, size], first s then z, on the diverging scale between `limits`; rows [n, 2] lie on top.

    bar: what the colours say, for the hover text.
    """
    if values.size == 0 or not np.isfinite(values).all():
        return empty(title, "This model has no estimates to draw.", colours, height=HEIGHT)
    scale = colours["scale"]
    limits = interval(*limits)
    centre = (limits[0] + limits[1]) / 2
    picture: Trace = {
        "type": "heatmap",
        "x": compact(z),
        "y": compact(s),
        "z": compact(values),
        "zmin": limits[0],
        "zmax": limits[1],
        "colorscale": colour_scale(colours["diverging"]),
        "zsmooth": "best",
        "hovertemplate": "z %{x:.2f}, s %{y:.2f}<br>" + bar + " %{z:.2f}<extra></extra>",
        "colorbar": {
            "orientation": "h",
            "ticklabelposition": "outside top",
            "x": 0.5,
            "xanchor": "center",
            "y": 0.02,
            "yref": "container",
            "yanchor": "bottom",
            "ypad": 0,
            "len": 0.9,
            "thickness": 9 * scale,
            "outlinewidth": 0,
            "tickvals": [limits[0], centre, limits[1]],
            "ticktext": ["≤ " + signed(limits[0]), signed(centre), "≥ " + signed(limits[1])],
            "tickfont": {"color": colours["muted"]},
            "tickangle": 0,
        },
    }
    shown = evenly(len(rows), _MOST_ROWS)
    points: list[Trace] = []
    for e, name in enumerate(env_names):
        mine = shown[env[shown] == e]
        points.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": rows[mine, 0],
                "y": rows[mine, 1],
                "showlegend": False,
                "marker": {
                    "color": colours["envs"][e],
                    "symbol": ARM_SYMBOLS[t[mine]],
                    "size": 4.6 * scale,
                    "line": {"width": 0.8, "color": colours["panel"]},
                },
                "hovertemplate": name + "<br>z %{x:.2f}, s %{y:.2f}<extra></extra>",
            }
        )
    still: dict[str, Any] = {"fixedrange": False, "showgrid": False, "nticks": 6}
    return figure(
        title,
        [picture, *points],
        colours,
        height=HEIGHT,
        margin={"b": 88, "l": 36, "r": 12},
        xaxis=axis(colours, "z", range=list(span(z)), **still),
        yaxis=axis(colours, "s", range=list(span(s)), **still),
    )


def signed(value: float) -> str:
    """A number of two decimals with a true minus sign."""
    return decimals(value, 2).replace("-", "−")
