"""A panel of a study: means along one axis, a colour and symbol for each value of another, bars of 95 %."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import finite_of, log_axis, log_range
from crl_core.figures.base import Trace, axis, empty, figure, number
from crl_core.figures.palette import Palette
from crl_core.figures.runs_scatter import BESIDE, SYMBOLS, colour, group_keys, linear, places, step

HEIGHT = 320


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanDot:
    """A mean. low, high: 95 %; NaN of a single value. n: values. broken: models that have none."""

    x: float | str
    group: str
    mean: float
    low: float
    high: float
    n: int
    broken: int = 0


def study_panel(
    dots: Sequence[MeanDot],
    colours: Palette,
    *,
    among: Sequence[MeanDot],
    title: str,
    x_title: str,
    y_title: str,
    log: bool,
) -> go.Figure:
    """One panel. among: the dots of all panels, which share their axes, colours and symbols.

    log: whether the figure has a log axis, on which only what is above zero is drawn.
    """
    known = [dot for dot in dots if len(finite_of([dot.mean], positive=log))]
    if not known:
        return empty(title, "No model has such a number here.", colours, height=HEIGHT)
    groups = list(dict.fromkeys(dot.group for dot in among))
    at, x_axis = places([dot.x for dot in among], x_title, colours)
    apart = step(list(at.values()))
    traces: list[Trace] = []
    for index, group in enumerate(groups):
        own = [dot for dot in known if dot.group == group]
        beside = apart * BESIDE * ((index + 0.5) / len(groups) - 0.5) if len(groups) > 1 else 0.0
        if own:
            traces.append(_trace(own, [at[dot.x] + beside for dot in own], index, colours))
    ends = finite_of([end for dot in among for end in (dot.mean, dot.low, dot.high)], positive=log)
    y_axis = axis(colours, y_title, **(log_axis(*log_range(ends)) if log else linear(ends)))
    keys = group_keys(groups, colours)
    return figure(
        title,
        [*traces, *keys],
        colours,
        height=HEIGHT,
        legend_items=len(keys),
        xaxis=x_axis,
        yaxis=y_axis,
        margin={"l": 62},
    )


def _trace(dots: Sequence[MeanDot], x: Sequence[float], index: int, colours: Palette) -> Trace:
    means = np.array([dot.mean for dot in dots])
    low, high = (np.array([getattr(dot, name) for dot in dots]) for name in ("low", "high"))
    texts = [
        f"{number(dot.mean)}"
        + (f", 95 % {number(dot.low)} to {number(dot.high)}" if np.isfinite(dot.low) else "")
        + f"<br>{dot.n} model{'' if dot.n == 1 else 's'}"
        + (f", {dot.broken} broken" if dot.broken else "")
        for dot in dots
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": list(x),
        "y": means,
        "text": texts,
        "legendgroup": f"g{index}",
        "showlegend": False,
        "hovertemplate": "%{text}<extra></extra>",
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": np.nan_to_num(high - means),
            "arrayminus": np.nan_to_num(means - low),
            "color": colour(index, colours),
            "thickness": 1.6 * colours["scale"],
            "width": 3,
        },
        "marker": {
            "color": colour(index, colours),
            "symbol": SYMBOLS[index % len(SYMBOLS)],
            "size": 9 * colours["scale"],
            "line": {"color": colours["panel"], "width": 1},
        },
    }
