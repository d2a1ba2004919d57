"""Traces of a recorder: of every environment in its colour, and one of them as recorded and as an edit has it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import Range, evenly, robust_range
from crl_core.figures.base import Trace, axis, empty, env_legend, figure, rgba
from crl_core.figures.palette import Palette

HEIGHT = 320
_ROWS = 12  # drawn, of all environments together; each has at least two
_LEAST_MV = 0.05  # height of an axis on which every trace is one level


def mv_limits(*traces: np.ndarray) -> Range:
    """An axis of mV that holds every sample of some traces [n, T]."""
    low, high = robust_range(np.concatenate([np.empty(0), *(trace.ravel() for trace in traces)]), share=0.0)
    short = max(0.0, _LEAST_MV - (high - low)) / 2
    return low - short, high + short


def traces_by_env(
    x: np.ndarray, env: np.ndarray, rate: float, env_names: Sequence[str], colours: Palette, *, title: str
) -> go.Figure:
    """A few rows of each environment, thin, and the mean of all its rows, thick.

    x: [n, T] mV.  env: [n].  rate: samples a second.
    """
    if x.size == 0:
        return empty(title, "There are no rows to draw.", colours, height=HEIGHT)
    time, each = milliseconds(x.shape[1], rate), max(2, _ROWS // max(1, len(env_names)))
    shown = {e: np.flatnonzero(env == e)[evenly(int((env == e).sum()), each)] for e in range(len(env_names))}
    thin = [
        _line(time, x[row], rgba(colours["envs"][e], 0.4), 0.9, colours, legendgroup=f"env{e}", hoverinfo="skip")
        for e, rows in shown.items()
        for row in rows
    ]
    with np.errstate(invalid="ignore", over="ignore"):
        means = {e: x[env == e].mean(axis=0) for e, rows in shown.items() if len(rows)}
    thick = [
        _line(
            time,
            mean,
            colours["envs"][e],
            2.4,
            colours,
            legendgroup=f"env{e}",
            dash=colours["env_dashes"][e],
            hovertemplate=f"{env_names[e]}, mean<br>%{{x:.0f}} ms, %{{y:.2f}} mV<extra></extra>",
        )
        for e, mean in means.items()
    ]
    drawn = x[np.concatenate([np.empty(0, np.int64), *shown.values()])]
    return figure(
        title,
        [*thin, *thick, *env_legend(env_names, colours)],
        colours,
        height=HEIGHT,
        legend_items=len(env_names),
        xaxis=_ms_axis(time, colours),
        yaxis=axis(colours, "mV", range=list(mv_limits(drawn, *means.values())), nticks=6),
    )


def trace_edited(
    before: np.ndarray,
    after: np.ndarray,
    rate: float,
    env: int,
    after_name: str,
    limits: Range,
    colours: Palette,
    *,
    title: str,
) -> go.Figure:
    """One trace [T] as recorded, in the colour of its environment, and as an edit has it, in that of what is moved.

    limits: of the mV axis, the same for every trace that can be chosen (`mv_limits`).
    """
    if before.size == 0:
        return empty(title, "There is no trace to draw.", colours, height=HEIGHT)
    time = milliseconds(len(before), rate)
    drawn = [
        _line(time, values, colour, width, colours, name=name, showlegend=True, hovertemplate=_hover(name))
        for values, colour, width, name in (
            (before, colours["envs"][env], 1.5, "as recorded"),
            (after, colours["accent"], 2.2, after_name),
        )
    ]
    return figure(
        title,
        drawn,
        colours,
        height=HEIGHT,
        legend_items=2,
        xaxis=_ms_axis(time, colours),
        yaxis=axis(colours, "mV", range=list(limits), nticks=6),
    )


def milliseconds(samples: int, rate: float) -> np.ndarray:
    """When each sample was taken, from the first one on, [samples]."""
    return np.arange(samples) * 1000 / rate


def _ms_axis(time: np.ndarray, colours: Palette) -> dict[str, object]:
    return axis(colours, "ms", range=[0, float(time[-1]) or 1.0], nticks=7)


def _hover(name: str) -> str:
    return f"{name}<br>%{{x:.0f}} ms, %{{y:.2f}} mV<extra></extra>"


def _line(
    x: np.ndarray, y: np.ndarray, colour: str, width: float, colours: Palette, *, dash: str = "solid", **more: object
) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "showlegend": False,
        "line": {"color": colour, "width": width * colours["scale"], "dash": dash},
    } | more
