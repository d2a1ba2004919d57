"""Traces of a recorder: of every environment in its colour, and one of them as recorded and as an edit has it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import Range, evenly, held_in, interval, robust_range
from crl_core.figures.base import Trace, axis, empty, env_legend, figure, rgba
from crl_core.figures.palette import Palette

HEIGHT = 320
_TALL = 380
_DIFFERENCE, _GAP = 0.24, 0.06  # shares of the height
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
        trace_line(time, x[row], rgba(colours["envs"][e], 0.4), 0.9, colours, legendgroup=f"env{e}", hoverinfo="skip")
        for e, rows in shown.items()
        for row in rows
    ]
    with np.errstate(invalid="ignore", over="ignore"):
        means = {e: x[env == e].mean(axis=0) for e, rows in shown.items() if len(rows)}
    thick = [
        trace_line(
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
        height=HEIGHT + 22 * max(0, len(env_names) - 4),  # a longer legend takes nothing from the picture
        legend_items=len(env_names),
        xaxis=ms_axis(time, colours),
        yaxis=axis(colours, "mV", range=list(mv_limits(drawn, *means.values())), nticks=6),
    )


def trace_among(
    trace: np.ndarray,
    env: int,
    means: np.ndarray,
    rate: float,
    limits: Range,
    env_names: Sequence[str],
    colours: Palette,
    *,
    title: str,
) -> go.Figure:
    """One trace [T] in the colour of its environment, and the mean trace of each environment faint behind it.

    means:  [E, T]; NaN of an environment without rows.
    limits: of the mV axis, the same for every trace that can be chosen (`mv_limits`).
    """
    if trace.size == 0:
        return empty(title, "There is no trace to draw.", colours, height=HEIGHT)
    time, (low, high) = milliseconds(len(trace), rate), interval(*limits)
    held, beyond = held_in(trace, (low, high))
    behind = [
        trace_line(
            time,
            means[e],
            rgba(colours["envs"][e], 0.45),
            3.0,
            colours,
            legendgroup=f"env{e}",
            dash=colours["env_dashes"][e],
            hovertemplate=f"{env_names[e]}, mean<br>%{{x:.0f}} ms, %{{y:.2f}} mV<extra></extra>",
        )
        for e in range(len(env_names))
        if not np.isnan(means[e]).any()
    ]
    hover = f"{env_names[env]}<br>%{{x:.0f}} ms, %{{y:.2f}} mV<extra></extra>"
    chosen = trace_line(time, held, colours["envs"][env], 1.5, colours, hovertemplate=hover)
    return figure(
        title,
        [*behind, chosen, *env_legend(env_names, colours)],
        colours,
        height=HEIGHT + 22 * max(0, len(env_names) - 4),
        legend_items=len(env_names),
        outside=beyond,
        xaxis=ms_axis(time, colours),
        yaxis=axis(colours, "mV", range=[low, high], nticks=6),
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
    """One trace [T] as recorded, in the colour of its environment, and as an edit has it; below, what the edit adds to
    it, at the same scale.

    limits: of the mV axis, the same for every trace that can be chosen (`mv_limits`).
    """
    if before.size == 0:
        return empty(title, "There is no trace to draw.", colours, height=HEIGHT)
    time, (low, high) = milliseconds(len(before), rate), interval(*limits)
    tall = (high - low) * _DIFFERENCE / (1 - _DIFFERENCE - _GAP) / 2
    with np.errstate(invalid="ignore", over="ignore"):
        taken, beyond = held_in(after - before, (-tall, tall))
    upper = (
        (after, rgba(colours["accent"], 0.5), 4.0, after_name),  # wide and pale below the thin line: both are seen
        (before, colours["envs"][env], 1.3, "as recorded"),
    )
    return figure(
        title,
        [
            *(_named(time, values, colour, width, name, colours) for values, colour, width, name in upper),
            _named(time, taken, colours["muted"], 1.3, "difference", colours) | {"yaxis": "y2", "showlegend": False},
        ],
        colours,
        height=_TALL,
        legend_items=2,
        outside=beyond,
        xaxis=ms_axis(time, colours) | {"anchor": "y2"},
        yaxis=axis(colours, "mV", range=[low, high], nticks=6, domain=[_DIFFERENCE + _GAP, 1]),
        yaxis2=axis(colours, "difference", range=[-tall, tall], nticks=3, domain=[0, _DIFFERENCE]),
    )


def milliseconds(samples: int, rate: float) -> np.ndarray:
    """When each sample was taken, from the first one on, [samples]."""
    return np.arange(samples) * 1000 / rate


def ms_axis(time: np.ndarray, colours: Palette) -> dict[str, object]:
    """The axis of a trace's time."""
    return axis(colours, "ms", range=[0, float(time[-1]) or 1.0], nticks=7)


def _named(time: np.ndarray, values: np.ndarray, colour: str, width: float, name: str, colours: Palette) -> Trace:
    hover = f"{name}<br>%{{x:.0f}} ms, %{{y:.2f}} mV<extra></extra>"
    return trace_line(time, values, colour, width, colours, name=name, hovertemplate=hover) | {"showlegend": True}


def trace_line(
    x: np.ndarray, y: np.ndarray, colour: str, width: float, colours: Palette, *, dash: str = "solid", **more: object
) -> Trace:
    """A line without an entry in the legend, of a trace or along one."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "showlegend": False,
        "line": {"color": colour, "width": width * colours["scale"], "dash": dash},
    } | more
