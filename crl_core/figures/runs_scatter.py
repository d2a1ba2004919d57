"""A figure of many runs against one of their settings: a dot a run, with a bar over its replicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import finite_of, joined, linear_ticks, log_axis, log_range, span
from crl_core.figures.base import Trace, axis, empty, figure, key_entry, number, rgba
from crl_core.figures.palette import Palette

HEIGHT = 380
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "star", "triangle-down", "hexagon")
_MOST_PLACES = 12  # values that stand side by side, evenly; more of them, if numbers, stand where they are
BESIDE = 0.34  # of a place's width, shared out among the groups
_BASELINE = "best baseline"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunDot:
    """One run. values: [R], its figure in each replicate; NaN where a replicate has none.

    x:        its value of the setting; None where it has no such setting, and no place in the figure.
    group:    what gives it its colour and symbol; "" for all alike.
    baseline: the figure of the best baseline; None where there is none.
    """

    name: str
    x: float | str | None
    values: np.ndarray
    group: str = ""
    baseline: float | None = None


def runs_scatter(
    dots: Sequence[RunDot],
    colours: Palette,
    *,
    title: str,
    x_title: str,
    y_title: str,
    log: bool = True,
) -> go.Figure:
    """Every run's median over replicates, and a bar from the smallest to the largest; the best baseline is dashed.

    Setting: values stand side by side in their order, evenly; numbers of more than twelve values where they are.
    Points:  custom data are the dots' places in `dots`, for what a click chooses.
    log:     whether the figure has a log axis, on which only what is above zero is drawn.
    """
    shown = [(place, dot) for place, dot in enumerate(dots) if dot.x is not None and _known(dot.values, log).size]
    if not shown:
        return empty(title, "None of the runs shown has such a number.", colours, height=HEIGHT)
    xs: list[float | str] = [dot.x for _, dot in shown if dot.x is not None]
    at, x_axis = places(xs, x_title, colours)
    groups = sorted({dot.group for _, dot in shown}, key=[dot.group for dot in dots].index)
    apart = step(list(at.values()))
    traces: list[Trace] = []
    for index, group in enumerate(groups):
        beside = apart * BESIDE * ((index + 0.5) / len(groups) - 0.5) if len(groups) > 1 else 0.0
        traces += _group([item for item in shown if item[1].group == group], index, at, beside, log, colours)
    levels = _baselines(shown, at, 0.42 * apart, log, colours)
    everything = joined(_known(dot.values, log) for _, dot in shown)
    ends = finite_of([dot.baseline for _, dot in shown if dot.baseline is not None], positive=log)
    everything = joined([everything, ends])
    y_axis = axis(colours, y_title, **(log_axis(*log_range(everything)) if log else linear(everything)))
    keys = group_keys(groups, colours)
    keys += [_baseline_key(colours)] if levels else []
    return figure(
        title,
        [*levels, *traces, *keys],
        colours,
        height=HEIGHT,
        legend_items=len(keys),
        xaxis=x_axis,
        yaxis=y_axis,
        margin={"l": 62},
    )


def _known(values: np.ndarray, log: bool) -> np.ndarray:
    return finite_of(values, positive=log)


def places(xs: Sequence[float | str], title: str, colours: Palette) -> tuple[dict[float | str, float], dict[str, Any]]:
    """Where each value of the setting stands, and the axis."""
    numeric = all(isinstance(x, int | float) for x in xs)
    values = sorted(set(xs)) if numeric else sorted(set(xs), key=lambda x: (isinstance(x, str), str(x)))
    if numeric and len(values) > _MOST_PLACES:
        low, high = span([float(value) for value in values])
        room = 0.04 * (high - low)
        ticks = linear_ticks(low, high, 6)
        return {value: float(value) for value in values}, axis(
            colours, title, range=[low - room, high + room], tickvals=ticks, ticktext=[f"{tick:g}" for tick in ticks]
        )
    texts = [f"{value:g}" if isinstance(value, int | float) else str(value) for value in values]
    every = -(-len(texts) // _MOST_PLACES)
    return {value: float(place) for place, value in enumerate(values)}, axis(
        colours,
        title,
        range=[-0.6, len(values) - 0.4],
        tickvals=list(range(0, len(values), every)),
        ticktext=texts[::every],
        tickangle=0,
    )


def step(places: Sequence[float]) -> float:
    """The least distance between two places; 1 where there is one."""
    apart = np.diff(sorted(set(places)))
    return float(apart.min()) if len(apart) else 1.0


def linear(values: np.ndarray) -> dict[str, Any]:
    """What a linear axis of these values is given."""
    low, high = span(values)
    room = 0.08 * (high - low)
    return {"range": [low - room, high + room], "nticks": 6}


def group_keys(groups: Sequence[str], colours: Palette) -> list[Trace]:
    """Entries of the legend, one a group; none where there is one group only."""
    return [
        key_entry(group, colour(index, colours), SYMBOLS[index % len(SYMBOLS)], colours, legendgroup=f"g{index}")
        for index, group in enumerate(groups)
        if len(groups) > 1
    ]


def colour(index: int, colours: Palette) -> str:
    """Of the group at a place."""
    return colours["runs"][index % len(colours["runs"])]


def _group(
    dots: Sequence[tuple[int, RunDot]],
    index: int,
    at: dict[float | str, float],
    beside: float,
    log: bool,
    colours: Palette,
) -> list[Trace]:
    """The bars of one group's runs, and the dots on them."""
    own, group = colour(index, colours), f"g{index}"
    x = [at[dot.x] + beside for _, dot in dots if dot.x is not None]
    known = [_known(dot.values, log) for _, dot in dots]
    medians = [float(np.median(values)) for values in known]
    bar_x = [end for place in x for end in (place, place, None)]
    bar_y = [end for values in known for end in (float(values.min()), float(values.max()), None)]
    texts = [
        f"{dot.name}<br>{number(median)}"
        + (f", {number(values.min())} to {number(values.max())} in {len(values)} replicates" if len(values) > 1 else "")
        for (_, dot), median, values in zip(dots, medians, known, strict=True)
    ]
    bar: Trace = {
        "type": "scatter",
        "mode": "lines",
        "x": bar_x,
        "y": bar_y,
        "legendgroup": group,
        "showlegend": False,
        "hoverinfo": "skip",
        "line": {"color": rgba(own, 0.5), "width": 3 * colours["scale"]},
    }
    points: Trace = {
        "type": "scatter",
        "mode": "markers",
        "x": x,
        "y": medians,
        "text": texts,
        "customdata": [[place] for place, _ in dots],
        "legendgroup": group,
        "showlegend": False,
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "color": own,
            "symbol": SYMBOLS[index % len(SYMBOLS)],
            "size": 10 * colours["scale"],
            "line": {"color": colours["panel"], "width": 1},
        },
    }
    return [bar, points]


def _baselines(
    shown: Sequence[tuple[int, RunDot]], at: dict[float | str, float], half: float, log: bool, colours: Palette
) -> list[Trace]:
    """A dashed piece at each value of the setting: the median of its runs' best baselines."""
    found: dict[float, list[float]] = {}
    for _, dot in shown:
        if dot.x is not None and dot.baseline is not None and finite_of([dot.baseline], positive=log).size:
            found.setdefault(at[dot.x], []).append(dot.baseline)
    if not found:
        return []
    x = [end for place in sorted(found) for end in (place - half, place + half, None)]
    y = [end for place in sorted(found) for end in (*[float(np.median(found[place]))] * 2, None)]
    return [_baseline_key(colours) | {"x": x, "y": y, "showlegend": False}]


def _baseline_key(colours: Palette) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [None],
        "y": [None],
        "name": _BASELINE,
        "hoverinfo": "skip",
        "line": {"color": colours["muted"], "width": 1.6 * colours["scale"], "dash": "dash"},
    }
