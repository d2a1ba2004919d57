"""Penalties against worlds: how large the effect error is beside that of no penalty, a cell each; and in one world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import compact, joined, log_axis, log_range
from crl_core.figures.base import Trace, axis, empty, figure, number, truth_line
from crl_core.figures.palette import Palette

_ROW = 31  # pixels
_FULL = 4.0  # times as large, or as small, from which on the colour is full
_LETTERS = 11  # of a world's name in a line


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ratios:
    """Effect error of each penalty over that of no penalty, [P, W]; NaN where a penalty has no usable model.

    seen: whether the difference from 1 is more than chance, [P, W].
    lams: at which λ, in words, [P][W].
    """

    penalties: Sequence[str]
    worlds: Sequence[str]
    ratio: np.ndarray
    seen: np.ndarray
    lams: Sequence[Sequence[str]]


def penalty_heat(found: Ratios, colours: Palette, *, title: str, chosen: tuple[int, int] | None = None) -> go.Figure:
    """A row a penalty, a column a world; bold where the difference is seen. chosen: the cell that is framed.

    Custom data of a cell, for a tap: its penalty's place times the number of worlds, plus its world's.
    """
    n_worlds, height = len(found.worlds), 112 + _ROW * len(found.penalties)
    if not np.isfinite(found.ratio).any():
        return empty(title, "No penalty has a usable model in any world.", colours, height=height)
    low, high = 1 / _FULL, _FULL
    blue, neutral, orange = colours["diverging"][1:4]
    traces: list[Trace] = []
    for place, world in enumerate(found.worlds):
        traces.append(
            {
                "type": "heatmap",
                "name": world,
                "x": [place],
                "y": list(range(len(found.penalties))),
                "z": compact(found.ratio[:, place : place + 1]),
                "zmin": low,
                "zmax": high,
                "colorscale": [[0.0, blue], [(1 - low) / (high - low), neutral], [1.0, orange]],
                "showscale": False,
                "hoverinfo": "skip",
                "xgap": 3,
                "ygap": 3,
            }
        )
    cells = [(p, w) for p in range(len(found.penalties)) for w in range(n_worlds)]
    traces.append(
        {
            "type": "scatter",
            "mode": "text",
            "x": [w for _, w in cells],
            "y": [p for p, _ in cells],
            "text": [_cell(float(found.ratio[at]), bool(found.seen[at])) for at in cells],
            "textfont": {"color": colours["text"], "size": 12 * colours["scale"]},
            "customdata": [p * n_worlds + w for p, w in cells],
            "hovertext": [
                f"{found.penalties[p]}, {found.worlds[w]}<br>{_times(float(found.ratio[p, w]))}, "
                f"{'seen' if found.seen[p, w] else 'not more than chance'}<br>λ = {found.lams[p][w]}"
                for p, w in cells
            ],
            "hoverinfo": "text",
        }
    )
    frame = []
    if chosen is not None:
        p, w = chosen
        line = {"color": colours["accent"], "width": 2.4 * colours["scale"]}
        frame = [{"type": "rect", "x0": w - 0.5, "x1": w + 0.5, "y0": p - 0.5, "y1": p + 0.5, "line": line}]
    return figure(
        title,
        traces,
        colours,
        height=height,
        margin={"l": 138, "r": 4, "t": 104, "b": 4},
        hoverdistance=-1,
        shapes=frame,
        xaxis=axis(
            colours,
            side="top",
            tickvals=list(range(n_worlds)),
            ticktext=["<br>".join(wrap(world, _LETTERS)) for world in found.worlds],
            range=[-0.5, n_worlds - 0.5],
            ticklen=0,
            tickangle=0,
            showgrid=False,
            fixedrange=True,
        ),
        yaxis=axis(
            colours,
            tickvals=list(range(len(found.penalties))),
            ticktext=list(found.penalties),
            range=[len(found.penalties) - 0.5, -0.5],
            ticklen=0,
            showgrid=False,
            fixedrange=True,
        ),
    )


def ratio_lanes(
    names: Sequence[str], ratios: np.ndarray, seen: Sequence[bool], colours: Palette, *, title: str, x: str
) -> go.Figure:
    """A lane a name: a ratio of errors with its interval, on a log axis with a line at 1.

    ratios: mean, low and high, [N, 3]; NaN where there is none. seen: filled where it is more than chance.
    """
    height = 78 + 27 * max(1, len(names))
    if len(names) == 0 or not np.isfinite(ratios[:, 0]).any():
        return empty(title, "There are no two penalties with usable models to compare.", colours, height=height)
    low, high = log_range(joined([ratios, np.ones(1)]))
    shown = np.clip(np.where(np.isfinite(ratios), ratios, np.nan), low, high)
    traces: list[Trace] = [truth_line([1, 1], [-0.6, len(names) - 0.4], colours)]
    for place, (middle, least, most) in enumerate(shown):
        words = f"{names[place]}: {_ratio(middle)} [{_ratio(least)}, {_ratio(most)}]"
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [least, most],
                "y": [place, place],
                "showlegend": False,
                "hoverinfo": "skip",
                "line": {"color": colours["muted"], "width": 3 * colours["scale"]},
            }
        )
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": names[place],
                "x": [middle],
                "y": [place],
                "showlegend": False,
                "hovertemplate": words + ("" if seen[place] else ", no difference seen") + "<extra></extra>",
                "marker": {
                    "size": 10 * colours["scale"],
                    "color": colours["text"] if seen[place] else colours["panel"],
                    "line": {"width": 2 * colours["scale"], "color": colours["text"]},
                },
            }
        )
    return figure(
        title,
        traces,
        colours,
        height=height,
        margin={"l": 138, "r": 10},
        xaxis=axis(colours, x, fixedrange=True, **log_axis(low, high)),
        yaxis=axis(
            colours,
            tickvals=list(range(len(names))),
            ticktext=list(names),
            range=[len(names) - 0.4, -0.6],
            showgrid=False,
            fixedrange=True,
        ),
    )


def _cell(ratio: float, seen: bool) -> str:
    text = _ratio(ratio)
    return f"<b>{text}</b>" if seen else text


def _ratio(value: float) -> str:
    return "–" if not np.isfinite(value) else f"{value:.2f}" if 0.005 <= value < 9.95 else number(value)


def _times(ratio: float) -> str:
    return "no usable model" if not np.isfinite(ratio) else f"{_ratio(ratio)} times the effect error of no penalty"
