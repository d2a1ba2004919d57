"""One reading of the MMD along λ over what chance alone gives, and the distribution of that chance at one λ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import bent_ticks, bin_counts, bin_edges, finite_of, share_of, span
from crl_core.figures.base import Trace, axis, empty, figure, note, number, rgba
from crl_core.figures.lam_axis import break_marks, lam_axis, positions
from crl_core.figures.palette import Palette

HEIGHT = 340
_BINS = 31


def reading_along_lam(
    lams: Sequence[float],
    value: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    p_value: np.ndarray,
    lam: float,
    colours: Palette,
    *,
    title: str,
) -> go.Figure:
    """A reading of the MMD along λ, over what chance alone gives, with the λ in view marked.

    value, low, high, p_value: [L], NaN where there is no reading.

    Axis: linear as far as chance reaches and logarithmic beyond (an inverse hyperbolic sine), so that a value below
    zero, which an unbiased estimate may have, is seen beside one a hundred times larger.
    """
    there = np.isfinite(value)
    if not there.any():
        return empty(title, "No λ has a reading.", colours, height=HEIGHT)
    bottom, top = span([low[there], high[there], value[there]])
    chance = finite_of(np.maximum(np.abs(low), np.abs(high))[there])
    unit = (float(np.median(chance)) if len(chance) else 0.0) or 1e-3
    unit = max(unit, 1e-9 * max(abs(bottom), abs(top)))  # smaller ones are zero beside what is drawn
    at, index = positions(lams), list(lams).index(lam)
    leap = 1 if lams[0] == 0 and len(lams) > 1 else 0  # the axis leaps to 0

    def bent(values: np.ndarray) -> np.ndarray:
        return np.asarray(np.arcsinh(values / unit))

    texts = [
        f"λ = {x:g}: {number(v)}<br>chance: {number(a)} to {number(b)}<br>p = {number(p)}"
        for x, v, a, b, p in zip(lams, value, low, high, p_value, strict=True)
    ]
    traces: list[Trace] = [
        {
            "type": "scatter",
            "mode": "lines",
            "showlegend": True,
            "name": "chance: 5 to 95 % of shuffles",
            "hoverinfo": "skip",
            "x": np.concatenate([at[there], at[there][::-1]]),
            "y": bent(np.concatenate([high[there], low[there][::-1]])),
            "fill": "toself",
            "fillcolor": rgba(colours["muted"], 0.26),
            "line": {"width": 0},
        },
        {
            "type": "scatter",
            "mode": "lines",
            "x": at[: leap + 1],
            "y": bent(value[: leap + 1]),
            "hoverinfo": "skip",
            "line": {"color": colours["text"], "width": 1.4 * colours["scale"], "dash": "dot"},
            "showlegend": False,
        },
        {
            "type": "scatter",
            "mode": "lines",
            "x": at[leap:],
            "y": bent(value[leap:]),
            "name": "reading",
            "hoverinfo": "skip",
            "line": {"color": colours["text"], "width": 2 * colours["scale"]},
            "showlegend": True,
        },
        {
            "type": "scatter",
            "mode": "markers",
            "x": at,
            "y": bent(value),
            "text": texts,
            "showlegend": False,
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {"color": colours["text"], "size": 5.5 * colours["scale"]},
        },
    ]
    if there[index]:
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [at[index]],
                "y": bent(value[[index]]),
                "showlegend": False,
                "hoverinfo": "skip",
                "marker": {
                    "size": 12 * colours["scale"],
                    "color": colours["panel"],
                    "line": {"color": colours["accent"], "width": 2.6},
                },
            }
        )
    reach = span(bent(np.array([bottom, top])))
    room = 0.07 * (reach[1] - reach[0])
    ticks = bent_ticks(bottom, top, unit)
    line: dict[str, Any] = {
        "type": "line",
        "x0": at[index],
        "x1": at[index],
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "line": {"color": colours["accent"], "width": 1.5},
    }
    zero: dict[str, Any] = {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": 0,
        "y1": 0,
        "layer": "below",
        "line": {"color": colours["muted"], "width": 1},
    }
    return figure(
        title,
        traces,
        colours,
        height=HEIGHT,
        legend_items=2,
        xaxis=lam_axis(lams, colours),
        yaxis=axis(
            colours,
            "",
            range=[reach[0] - room, reach[1] + room],
            tickvals=bent(np.array(ticks)),
            ticktext=[f"{tick:g}".replace("-", "−") for tick in ticks],
        ),
        shapes=[zero, line, *break_marks(lams, colours)],
    )


def chance_at_lam(null: np.ndarray, value: float, name: str, colours: Palette, *, title: str) -> go.Figure:
    """How often shuffled groups [P] give which value, and where the reading lies."""
    if not (np.isfinite(value) and np.isfinite(null).all() and len(null)):
        return empty(title, "The model in view has no reading.", colours, height=HEIGHT)
    if null.max() == null.min():
        return empty(title, "All rows have the same latent: every shuffle gives the same.", colours, height=HEIGHT)
    low, high = span(null)
    width = high - low
    edges = bin_edges((low, high), _BINS)
    counts = bin_counts(null, edges)
    beyond = value > high + 1.5 * width or value < low - 1.5 * width  # too far to be drawn to scale
    right = max(high, value) if not beyond else high + 0.9 * width
    left = min(low, value) if not beyond else low
    shown_at = value if not beyond else right
    room = 0.05 * (right - left)
    traces: list[Trace] = [
        {
            "type": "bar",
            "x": (edges[1:] + edges[:-1]) / 2,
            "y": counts,
            "width": np.diff(edges),
            "showlegend": False,
            "marker": {"color": rgba(colours["muted"], 0.55), "line": {"width": 0}},
            "hovertemplate": "%{x:.3g}: %{y} shuffles<extra></extra>",
        }
    ]
    tallest = float(counts.max())
    mark: dict[str, Any] = {
        "type": "line",
        "x0": shown_at,
        "x1": shown_at,
        "y0": 0,
        "y1": tallest,
        "line": {"color": colours["accent"], "width": 2.6, "dash": "dot" if beyond else "solid"},
    }
    share = share_of(shown_at, (left - room, right + room))
    words = f"{name} {number(value)}" + (" →" if beyond else "")
    label = note(words, share, "right" if share > 0.5 else "left", tallest * 1.07, "y", colours["text"], colours)
    return figure(
        title,
        traces,
        colours,
        height=HEIGHT,
        shapes=[mark],
        annotations=[label],
        bargap=0,
        xaxis=axis(colours, name, range=[left - room, right + room], nticks=4, tickangle=0),
        yaxis=axis(colours, "", range=[0, tallest * 1.15], nticks=4),
    )
