"""Latency of export formats side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from crl_core.figures.axes import log_axis, log_range
from crl_core.figures.base import Trace, axis, empty, figure, rgba
from crl_core.figures.palette import Palette

HEIGHT = 340


def latencies(
    rows: Sequence[dict[str, Any]],
    titles: Mapping[str, str],
    colours: Palette,
    *,
    batch: str,
    chosen: str,
    title: str,
) -> go.Figure:
    """Latency of one call, p50 (point) to p99 (bar), in microseconds on a log axis, a line a format.

    rows: as `FormatCost.to_dict`.  titles: of the formats.
    """
    if not rows:
        return empty(title, "Nothing has been measured.", colours, height=HEIGHT)
    traces: list[Trace] = []
    for place, row in enumerate(rows):
        low, high = row["p50_us"][batch], row["p99_us"][batch]
        colour = colours["accent"] if row["format"] == chosen else colours["text"]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [low, high],
                "y": [-place, -place],
                "hoverinfo": "skip",
                "line": {"color": rgba(colour, 0.45), "width": 5 * colours["scale"]},
            }
        )
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [low],
                "y": [-place],
                "marker": {"color": colour, "size": 11 * colours["scale"]},
                "hovertemplate": f"{titles[row['format']]}<br>p50 {low:.0f} µs, p99 {high:.0f} µs<extra></extra>",
            }
        )
    names = [f"<b>{titles[row['format']]}</b>" if row["format"] == chosen else titles[row["format"]] for row in rows]
    y = axis(colours) | {
        "tickvals": [-place for place in range(len(rows))],
        "ticktext": names,
        "showgrid": False,
        "range": [0.6 - len(rows), 0.6],
        "automargin": True,
    }
    low, high = log_range([row[part][batch] for row in rows for part in ("p50_us", "p99_us")], room=1.3)
    x = axis(colours, "microseconds a call", tickangle=0, **log_axis(low, high))
    return figure(title, traces, colours, height=HEIGHT, xaxis=x, yaxis=y)
