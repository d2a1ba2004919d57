"""Where a network looks in a trace: its gradient along time, and the gradient's spectrum beside the hum."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import Range, finite_of, held_in, interval
from crl_core.figures.base import axis, empty, figure, note, rgba
from crl_core.figures.palette import Palette
from crl_core.figures.traces import milliseconds, ms_axis, trace_line

_TALL, HEIGHT = 380, 320
_BELOW, _GAP = 0.4, 0.08  # shares of the height
_ROOM = 1.08


def trace_gradient(
    trace: np.ndarray,
    gradient: np.ndarray,
    smoothed: np.ndarray,
    rate: float,
    env: int,
    limits: Range,
    colours: Palette,
    *,
    title: str,
    unit: str,
) -> go.Figure:
    """One trace [T] in the colour of its environment; below, the gradient of the answer in each sample, [T], as it is
    and smoothed.

    limits: of the mV axis, the same for every trace that can be chosen.
    unit:   of the gradient.
    """
    if trace.size == 0 or not np.isfinite(gradient).all():
        return empty(title, "This model has no gradient here.", colours, height=_TALL)
    time, (low, high) = milliseconds(len(trace), rate), interval(*limits)
    upper, beyond = held_in(trace, (low, high))
    most = _ROOM * float(np.abs(gradient).max())
    below = interval(-most, most)
    accent = colours["accent"]
    return figure(
        title,
        [
            trace_line(
                time, upper, colours["envs"][env], 1.5, colours, hovertemplate="%{x:.0f} ms, %{y:.2f} mV<extra></extra>"
            ),
            trace_line(
                time, gradient, rgba(accent, 0.5), 0.9, colours, hovertemplate="%{x:.0f} ms, %{y:.3g}<extra></extra>"
            )
            | {"yaxis": "y2"},
            trace_line(
                time, smoothed, accent, 2.2, colours, hovertemplate="%{x:.0f} ms, %{y:.3g}, smoothed<extra></extra>"
            )
            | {"yaxis": "y2"},
        ],
        colours,
        height=_TALL,
        outside=beyond,
        xaxis=ms_axis(time, colours) | {"anchor": "y2"},
        yaxis=axis(colours, "mV", range=[low, high], nticks=5, domain=[_BELOW + _GAP, 1]),
        yaxis2=axis(colours, unit, range=list(below), nticks=4, domain=[0, _BELOW], zeroline=True)
        | {"zerolinecolor": colours["grid"]},
    )


def gradient_spectrum(
    hz: np.ndarray,
    shares: Mapping[str, np.ndarray],
    band: Range,
    white: float,
    colours: Palette,
    *,
    title: str,
) -> go.Figure:
    """The spectrum of the gradient of some models, each in shares [F] of its own sum, with the hum's band marked.

    shares: name -> [F]; the last is the model in view.
    white:  the share at each frequency of a gradient that is alike at all.
    """
    known = {name: values for name, values in shares.items() if len(values) and np.isfinite(values).all()}
    if not known or not np.isfinite([*band, white]).all():
        return empty(title, "No model has a gradient here.", colours, height=HEIGHT)
    top = _ROOM * float(finite_of([white, *(values.max() for values in known.values())]).max())
    traces = []
    for name, values in known.items():
        look = (colours["accent"], 2.2, "solid") if name == list(shares)[-1] else (colours["muted"], 1.6, "dot")
        hover = f"{name}<br>%{{x:.1f}} Hz: %{{y:.1%}}<extra></extra>"
        drawn = trace_line(hz, values, *look[:2], colours, dash=look[2], hovertemplate=hover)
        traces.append(drawn | {"name": name, "showlegend": True})
    low, high = interval(*band)
    return figure(
        title,
        traces,
        colours,
        height=HEIGHT,
        legend_items=len(known),
        shapes=[
            {
                "type": "rect",
                "xref": "x",
                "yref": "paper",
                "x0": low,
                "x1": high,
                "y0": 0,
                "y1": 1,
                "fillcolor": rgba(colours["muted"], 0.22),
                "line": {"width": 0},
                "layer": "below",
            },
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": white,
                "y1": white,
                "line": {"color": colours["muted"], "width": 1, "dash": "dash"},
            },
        ],
        annotations=[
            note("hum", (low + high) / 2, "center", 0.98, "paper", colours["muted"], colours)
            | {"xref": "x", "yanchor": "top"}
        ],
        xaxis=axis(colours, "Hz", range=list(interval(0.0, float(max(finite_of(hz), default=1.0)))), nticks=6),
        yaxis=axis(colours, "share of the spectrum", range=list(interval(0.0, top)), tickformat=".0%", nticks=5),
    )
