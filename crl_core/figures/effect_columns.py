"""With which columns do effects go: by what a table's rows say of it, and by what the models use."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import interval, joined, span
from crl_core.figures.base import Trace, axis, empty, figure, number
from crl_core.figures.lanes import EDGE, INPUT_MARGIN, LONGEST_INPUT, MARGIN, height_of, lane_axis, stems
from crl_core.figures.palette import Palette
from crl_core.measures.effect_checks import WIDE
from crl_core.measures.linear_projection import LinearProjection

MOST_SHOWN = 12  # inputs, or columns


def effect_by_inputs(found: LinearProjection, colours: Palette, *, title: str) -> go.Figure:
    """What the effect gains with one standard deviation of each input, the largest first, ± 1.96 standard errors; those
    whose interval misses zero are drawn strong."""
    terms = [term for term in found.terms if np.isfinite([term.value, term.se]).all()][:MOST_SHOWN]
    height = height_of(len(terms))
    if not terms:
        return empty(title, "No column has a part in it that can be told.", colours, height=height)
    values, half = np.array([term.value for term in terms]), WIDE * np.array([term.se for term in terms])
    inks = [colours["text"] if abs(term.value) > WIDE * term.se else colours["muted"] for term in terms]
    ends = span(joined([values - half, values + half, 0.0]))
    names = [term.name for term in terms]
    texts = [
        f"{escape(term.name)}: {number(term.value)} ± {number(bar)}"
        for term, bar in zip(terms, half.tolist(), strict=True)
    ]
    lanes = -np.arange(len(terms), dtype=float)
    whiskers: list[Trace] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [value - bar, value + bar],
            "y": [lane, lane],
            "line": {"color": ink, "width": 2 * colours["scale"]},
            "showlegend": False,
            "hoverinfo": "skip",
        }
        for value, bar, lane, ink in zip(values.tolist(), half.tolist(), lanes.tolist(), inks, strict=True)
    ]
    return figure(
        title,
        [*whiskers, _points(values, lanes, inks, texts, colours)],
        colours,
        height=height,
        margin={"l": INPUT_MARGIN},
        shapes=[_zero(len(terms), colours)],
        xaxis=axis(
            colours,
            "effect for one sd",
            range=list(_with_room(*ends)),
            nticks=6,
            fixedrange=True,
        ),
        yaxis=lane_axis(names, colours, LONGEST_INPUT),
    )


def columns_that_move_effects(importance: Mapping[str, float], colours: Palette, *, title: str) -> go.Figure:
    """By how much τ̂ changes where a column is shuffled, the largest first. importance: by column, >= 0."""
    known = [name for name, value in importance.items() if np.isfinite(value)]
    largest = sorted(known, key=lambda name: -importance[name])[:MOST_SHOWN]
    height = height_of(len(largest))
    if not largest:
        return empty(title, "No model says what the columns do.", colours, height=height)
    values, lanes = np.array([importance[name] for name in largest]), -np.arange(len(largest), dtype=float)
    inks = [colours["text"]] * len(largest)
    return figure(
        title,
        [
            stems(values, lanes, inks),
            _points(values, lanes, inks, [f"{escape(name)}: {number(importance[name])}" for name in largest], colours),
        ],
        colours,
        height=height,
        margin={"l": MARGIN},
        xaxis=axis(
            colours,
            "change of τ̂",
            range=[0.0, interval(0.0, 1.1 * span(values)[1])[1]],
            nticks=6,
            fixedrange=True,
        ),
        yaxis=lane_axis(largest, colours),
    )


def _points(x: np.ndarray, lanes: np.ndarray, inks: list[str], texts: list[str], colours: Palette) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": x,
        "y": lanes,
        "marker": {"color": inks, "size": 9 * colours["scale"]},
        "customdata": texts,
        "showlegend": False,
        "cliponaxis": False,
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _zero(lanes: int, colours: Palette) -> dict[str, object]:
    return {
        "type": "line",
        "x0": 0.0,
        "x1": 0.0,
        "y0": 1 - lanes - EDGE,
        "y1": EDGE,
        "line": {"color": colours["muted"], "width": 1.2, "dash": "dash"},
        "layer": "below",
    }


def _with_room(low: float, high: float) -> tuple[float, float]:
    return interval(low - 0.06 * (high - low), high + 0.06 * (high - low))
