"""A sample of rows laid out in two dimensions: latents or inputs, coloured by what is known of each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import colour_range, colour_scale, held_in, robust_range
from crl_core.figures.base import (
    ARM_NAMES,
    ARM_SYMBOLS,
    Trace,
    arm_legend,
    axis,
    empty,
    env_legend,
    figure,
    key_entry,
)
from crl_core.figures.lanes import short
from crl_core.figures.palette import Palette

HEIGHT = 430
Limits = tuple[tuple[float, float], tuple[float, float]]
_BASE: Trace = {"type": "scatter", "mode": "markers", "showlegend": False, "hoverinfo": "text"}
_SIZE = 5.6  # pixels of a point
_REST = "(all others)"
_LONGEST_KIND = 24  # letters of its name
_MOST_NAMED = 6  # environments whose names stand among their points
_LONGEST_CODE = 12  # letters of such a name
_NAME_ROW = 18.0  # pixels that it is high


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Units:
    """What is known of the rows that are drawn.

    amounts: a name such as "z" -> a number for each row, NaN where it is missing.
    kinds:   a name -> the kind of each row, [n] int, and what the kinds are called.
    no_kind: what a kind is called that stands for none: it has the colour of text.
    """

    env: np.ndarray  # [n]
    t: np.ndarray  # [n]
    env_names: Sequence[str]
    amounts: dict[str, np.ndarray]
    kinds: Mapping[str, tuple[np.ndarray, Sequence[str]]] = field(default_factory=dict)
    no_kind: frozenset[str] = frozenset()


def path_limits(xy: np.ndarray) -> Limits:
    """A window that holds for every λ, from layouts [L, n, 2]; a few outermost points lie beyond it."""
    return robust_range(xy[..., 0]), robust_range(xy[..., 1])


def embedding(
    xy: np.ndarray,
    rows: Units,
    colours: Palette,
    *,
    title: str,
    colour_by: str,
    limits: Limits,
    why_empty: str = "",
    chosen: int | None = None,
) -> go.Figure:
    """Points [n, 2] in a fixed window; the custom data of each is its row.

    colour_by: a name of `rows.amounts` or `rows.kinds`, "environment" or "treatment".
    chosen:    a row with a ring around it; None for none.
    """
    if len(xy) == 0 or not np.isfinite(xy).all():
        return empty(title, why_empty or "There are no rows to lay out.", colours, height=HEIGHT)
    x, beyond_x = held_in(xy[:, 0], limits[0])
    y, beyond_y = held_in(xy[:, 1], limits[1])
    traces, legend = _traces(x, y, rows, colours, colour_by)
    ring = [] if chosen is None else [_ring(x[chosen], y[chosen], colours)]
    bare: dict[str, Any] = {"ticks": False, "showline": False, "fixedrange": False}
    return figure(
        title,
        [*traces, *ring, *legend],
        colours,
        height=HEIGHT,
        legend_items=max(len(legend), 4),  # room for the longest legend, so that the picture keeps its place
        margin={"l": 8, "r": 8, "b": 10},
        outside=max(beyond_x, beyond_y),
        xaxis=axis(colours, range=list(limits[0]), **bare),
        yaxis=axis(colours, range=list(limits[1]), scaleanchor="x", **bare),
        uirevision=title,
        annotations=_names(x, y, rows, colours) if colour_by == "environment" else [],
    )


def _names(x: np.ndarray, y: np.ndarray, rows: Units, colours: Palette) -> list[dict[str, Any]]:
    """Each environment's last word in the middle of its points, one above the other in the order of their heights."""
    there = [env for env in range(len(rows.env_names)) if (rows.env == env).any()]
    if not 1 < len(there) <= _MOST_NAMED:
        return []
    middles = sorted((float(np.mean(y[rows.env == env])), env) for env in there)
    look = {"showarrow": False, "bgcolor": colours["panel"], "opacity": 0.85, "borderpad": 1}
    return [
        look
        | {
            "x": float(np.mean(x[rows.env == env])),
            "y": middle,
            "yshift": _NAME_ROW * colours["scale"] * (rank - (len(there) - 1) / 2),
            "text": f"<b>{short(rows.env_names[env].split(' ')[-1], _LONGEST_CODE)}</b>",
            "font": {"color": colours["text"], "size": 12 * colours["scale"]},
        }
        for rank, (middle, env) in enumerate(middles)
    ]


def _ring(x: float, y: float, colours: Palette) -> Trace:
    """Around the point that was chosen; what is below it can still be pointed at."""
    line = {"color": colours["text"], "width": 2.2 * colours["scale"]}
    marker = {"symbol": "circle-open", "size": 3 * _SIZE * colours["scale"], "color": colours["text"], "line": line}
    return _BASE | {"x": [x], "y": [y], "hoverinfo": "skip", "marker": marker}


def _traces(
    x: np.ndarray, y: np.ndarray, rows: Units, colours: Palette, colour_by: str
) -> tuple[list[Trace], list[Trace]]:
    size, hover = _SIZE * colours["scale"], _hover(rows)
    if colour_by in rows.amounts:
        return _by_amount(x, y, rows, rows.amounts[colour_by], colour_by, colours), []
    if colour_by in rows.kinds:
        of, names = _frequent(*rows.kinds[colour_by], most=len(colours["envs"]))
        none = rows.no_kind | {_REST}
        inks = [colours["text"] if name in none else colours["envs"][at] for at, name in enumerate(names)]
        legend = [
            key_entry(short(name, _LONGEST_KIND), ink, "circle", colours, legendgroup=f"env{at}")
            for at, (name, ink) in enumerate(zip(names, inks, strict=True))
        ]
        return _coloured(x, y, rows, of, inks, hover, colours), legend + arm_legend(colours)
    if colour_by == "environment":
        coloured = _coloured(x, y, rows, rows.env, colours["envs"][: len(rows.env_names)], hover, colours)
        return coloured, env_legend(rows.env_names, colours) + arm_legend(colours)
    traces = []
    for arm in (0, 1):
        mine = rows.t == arm
        marker = {
            "color": colours["arms"][arm],
            "size": size,
            "opacity": 0.85,
            "symbol": str(ARM_SYMBOLS[arm]) + ("-open" if arm == 0 else ""),
            "line": {"width": 1.1},
        }
        if arm == 1:
            marker["line"] = {"width": 0.5, "color": colours["panel"]}
        traces.append(
            _BASE
            | {
                "x": x[mine],
                "y": y[mine],
                "marker": marker,
                "text": hover[mine],
                "customdata": np.flatnonzero(mine),
                "legendgroup": f"arm{arm}",
            }
        )
    return traces, arm_legend(colours, coloured=True)


def _by_amount(
    x: np.ndarray, y: np.ndarray, rows: Units, amount: np.ndarray, name: str, colours: Palette
) -> list[Trace]:
    """Points on a continuous scale; where the amount is missing they are below the others and have no colour."""
    low, high = colour_range(amount)
    known, gone = ~np.isnan(amount), np.isnan(amount)
    marker = {
        "color": amount[known],
        "colorscale": colour_scale(colours["sequential"]),
        "cmin": low,
        "cmax": high,
        "symbol": ARM_SYMBOLS[rows.t[known]],
        "size": _SIZE * colours["scale"],
        "opacity": 0.9,
        "line": {"width": 0.4, "color": colours["panel"]},
        "colorbar": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1 - 30 / HEIGHT,
            "yref": "container",
            "yanchor": "top",
            "ypad": 0,
            "xpad": 0,
            "len": 0.5,
            "thickness": 8,
            "outlinewidth": 0,
            "title": {"text": short(name, _LONGEST_KIND), "side": "top"},
            "nticks": 5,
            "tickfont": {"color": colours["muted"]},
            "ticklabelposition": "outside bottom",
        },
    }
    hover = _hover(rows)
    drawn = {"x": x[known], "y": y[known], "text": hover[known], "customdata": np.flatnonzero(known)}
    traces: list[Trace] = [_BASE | drawn | {"marker": marker}]
    if not gone.any():
        return traces
    return [*_coloured(x, y, rows, gone - 1, [colours["muted"]], hover, colours), *traces]


def _coloured(
    x: np.ndarray,
    y: np.ndarray,
    rows: Units,
    of: np.ndarray,
    inks: Sequence[str],
    hover: np.ndarray,
    colours: Palette,
) -> list[Trace]:
    """Points of each kind in its colour; of: the kind of every row, [n] int, none where it is negative."""
    traces = []
    for kind, ink in enumerate(inks):
        mine = of == kind
        marker = {
            "color": ink,
            "symbol": ARM_SYMBOLS[rows.t[mine]],
            "size": _SIZE * colours["scale"],
            "opacity": 0.8,
            "line": {"width": 0.4, "color": colours["panel"]},
        }
        drawn = {"x": x[mine], "y": y[mine], "text": hover[mine], "customdata": np.flatnonzero(mine)}
        traces.append(_BASE | drawn | {"marker": marker, "legendgroup": f"env{kind}"})
    return traces


def _frequent(of: np.ndarray, names: Sequence[str], *, most: int) -> tuple[np.ndarray, list[str]]:
    """Kinds that rows have, in order; where they are more than `most`, the rarest together as the last."""
    counts = np.bincount(of, minlength=len(names))
    there = np.flatnonzero(counts)
    if len(there) > most:
        there = np.sort(there[np.argsort(-counts[there], kind="stable")[: most - 1]])
    place = np.full(len(names), len(there))
    place[there] = np.arange(len(there))
    rest = [] if counts[there].sum() == len(of) else [_REST]
    return place[of], [*(names[at] for at in there.tolist()), *rest]


def _hover(rows: Units) -> np.ndarray:
    names = np.array(list(rows.env_names), dtype=object)[rows.env] + ", " + np.array(ARM_NAMES, dtype=object)[rows.t]
    for name, amount in rows.amounts.items():
        told = ["missing" if value != value else f"{value:.2f}" for value in amount.tolist()]
        names = names + f"<br>{escape(name)} = " + np.array(told, dtype=object)
    for name, (of, kinds) in rows.kinds.items():
        names = names + f"<br>{escape(name)} = " + np.array([escape(kind) for kind in kinds], dtype=object)[of]
    return np.asarray(names)
