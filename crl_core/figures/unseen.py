"""Deployment somewhere new: new rows over the training clouds, and curves along the dose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import (
    Range,
    compact,
    evenly,
    few,
    finite_of,
    held_in,
    interval,
    log_axis,
    log_range,
    log_ticks,
    robust_range,
)
from crl_core.figures.base import (
    Trace,
    axis,
    empty,
    env_legend,
    figure,
    rgba,
    truth_legend,
)
from crl_core.figures.palette import Palette

HEIGHT = 400
_SMALL = 250
_MOST_TICKS = 5  # of a small axis
_MOST = 260  # points of a cloud


def cloud(
    training: np.ndarray,
    env: np.ndarray,
    deployed: np.ndarray,
    env_names: Sequence[str],
    colours: Palette,
    *,
    limits: tuple[tuple[float, float], tuple[float, float]],
    title: str,
    axes: tuple[str, str] = ("", ""),
    picture: Trace | None = None,
) -> go.Figure:
    """New rows [n, 2] over training rows [m, 2] of environments `env` [m].

    limits: a window for every dose; it grows where new rows lie outside, to hold nearly all of them.

    picture: a map to lie under them.  axes: titles; without them the axes have no ticks, since directions mean nothing.
    """
    if not (np.isfinite(training).all() and np.isfinite(deployed).all()):
        return empty(title, "This model has no latents to draw.", colours, height=HEIGHT)
    scale, traces = colours["scale"], [] if picture is None else [picture]
    for e, name in enumerate(env_names):
        mine = training[env == e][:_MOST]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": compact(mine[:, 0]),
                "y": compact(mine[:, 1]),
                "showlegend": False,
                "legendgroup": f"env{e}",
                "hovertemplate": f"{name}, training<extra></extra>",
                "marker": {"color": colours["envs"][e], "size": 4.6 * scale, "opacity": 0.55},
            }
        )
    limits = (_holding(limits[0], deployed[:, 0]), _holding(limits[1], deployed[:, 1]))
    shown = deployed[evenly(len(deployed), _MOST)]
    x, beyond_x = held_in(shown[:, 0], limits[0])
    y, beyond_y = held_in(shown[:, 1], limits[1])
    mark = {
        "color": rgba(colours["text"], 0.92),
        "symbol": "x-thin",
        "size": 6.5 * scale,
        "line": {"width": 1.5 * scale, "color": colours["text"]},
    }
    new: Trace = {
        "type": "scatter",
        "mode": "markers",
        "x": compact(x),
        "y": compact(y),
        "showlegend": False,
        "marker": mark,
        "hovertemplate": "deployed<extra></extra>",
    }
    entry: Trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [None],
        "y": [None],
        "name": "deployed rows",
        "marker": mark,
        "hoverinfo": "skip",
    }
    look: dict[str, Any] = {"ticks": bool(axes[0]), "fixedrange": False}
    return figure(
        title,
        [*traces, new, *env_legend(env_names, colours), entry],
        colours,
        height=HEIGHT,
        legend_items=len(env_names) + 1,
        margin={} if axes[0] else {"l": 8, "r": 8, "b": 10},
        outside=max(beyond_x, beyond_y),
        xaxis=axis(colours, axes[0], range=list(limits[0]), **look),
        yaxis=axis(colours, axes[1], range=list(limits[1]), **look),
        uirevision=title,
    )


def _holding(limits: Range, values: np.ndarray) -> Range:
    """An axis that holds these values, too, but the outermost hundredth."""
    if len(values) == 0 or not held_in(values, limits)[1]:
        return limits
    low, high = robust_range(values, share=0.01)
    return interval(min(limits[0], low), max(limits[1], high))


def along_dose(
    doses: Sequence[float],
    values: np.ndarray,
    dose: float,
    colours: Palette,
    *,
    title: str,
    dose_title: str,
    threshold: float | None = None,
    truth: bool = False,
) -> go.Figure:
    """A quantity [D] along the dose, on a log axis, with the dose in view marked.

    truth: a thin line, known only in simulation.
    """
    known = finite_of(values, positive=True)
    if len(known) == 0:
        return empty(title, "This model has no number here.", colours, height=_SMALL)
    if threshold is not None and not (np.isfinite(threshold) and threshold > 0):
        threshold = None  # a log axis has no place for it
    level = [] if threshold is None else [threshold]
    low, high = log_range([*known, *level], room=10**0.15)
    colour = colours["truth"] if truth else colours["accent"]
    line: Trace = {
        "type": "scatter",
        "mode": "lines",
        "x": list(doses),
        "y": values,
        "showlegend": False,
        "line": {"color": colour, "width": 1.4 if truth else 2.4},
        "hovertemplate": "%{x:g}: %{y:.3g}<extra></extra>",
    }
    at = float(np.interp(dose, doses, values))
    here: Trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [dose],
        "y": [at],
        "showlegend": False,
        "hoverinfo": "skip",
        "marker": {"color": colours["panel"], "size": 10 * colours["scale"], "line": {"color": colour, "width": 2.4}},
    }
    shapes = [] if threshold is None else [
        {"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": threshold, "y1": threshold,
         "line": {"color": colours["muted"], "width": 1.2, "dash": "dash"}}
    ]  # fmt: skip
    legend = [truth_legend(colours, "only the simulation knows")] if truth else []
    return figure(
        title,
        [line, here, *legend],
        colours,
        height=_SMALL,
        legend_items=len(legend),
        shapes=shapes,
        xaxis=axis(colours, dose_title, nticks=8),
        yaxis=axis(colours, **(log_axis(low, high) | few(log_ticks(low, high), _MOST_TICKS))),
    )
