"""Figures of several runs side by side: overlaid lines in the runs' own colours, rows of pictures on shared axes.

A run is a letter, a colour and a dash, in the order in which the runs were chosen; points keep the environments'
colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import compact, evenly, held_in, joined, log_axis, log_range
from crl_core.figures.base import (
    ARM_SYMBOLS,
    Trace,
    arm_legend,
    axis,
    empty,
    env_legend,
    figure,
    note,
    number,
    rgba,
    square,
    truth_legend,
    truth_line,
)
from crl_core.figures.lam_axis import break_marks, lam_axis, positions
from crl_core.figures.lam_curves import band, filled
from crl_core.figures.palette import Palette

LETTERS = "ABCDEFGH"
HEIGHT = 320
_SMALL = 250
_MOST_TICKS = 6  # of a small axis
_MOST_ROWS = 160  # points of a pane: SVG drawn in software takes a third of a second for a thousand
_MOST_EPOCHS = 250  # points of a line
_NAME = 15  # characters of a line of a run's name, above a picture of half a phone's width
_GAP = 0.022  # between panes, in shares of the figure


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunLine:
    """One run's figure along λ. values: [R, L]. lam: the run's own λ in view, one of its grid."""

    name: str
    lams: tuple[float, ...]
    values: np.ndarray
    lam: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pane:
    """One run's picture: points [n, 2], with environment and arm of each.

    why_empty: the sentence shown where the points are not finite.
    """

    name: str
    xy: np.ndarray
    env: np.ndarray
    t: np.ndarray
    why_empty: str = ""


def runs_along_lam(runs: Sequence[RunLine], colours: Palette, *, title: str) -> go.Figure:
    """Every run along λ, median and band over replicates, on one axis for all grids; the λ in view are ringed."""
    shown = [(place, run) for place, run in enumerate(runs) if np.isfinite(run.values).any()]
    if not shown:
        return empty(title, "No λ of these runs has a number here.", colours, height=HEIGHT)
    grid = tuple(sorted({lam for run in runs for lam in run.lams}))
    place_of = dict(zip(grid, positions(grid), strict=True))
    spreads = {place: band(run.values) for place, run in shown}
    low, high = log_range(joined(part for spread in spreads.values() for part in (spread.low, spread.high)))
    bands: list[Trace] = []
    lines: list[Trace] = []
    rings: list[Trace] = []
    for place, run in shown:
        colour, spread = colours["runs"][place], spreads[place]
        at = np.array([place_of[lam] for lam in run.lams])
        there = np.isfinite(spread.median)
        if len(run.values) > 1:
            bands.append(filled(at, spread, rgba(colour, 0.2)))
        texts = [
            f"λ = {lam:g}: {number(m)}" + (f"<br>{number(a)} to {number(b)}" if len(run.values) > 1 else "")
            for lam, m, a, b in zip(run.lams, spread.median, spread.low, spread.high, strict=True)
        ]
        lines.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": at,
                "y": spread.median,
                "text": texts,
                "name": f"{LETTERS[place]}  {run.name}",
                "line": _line(place, colours),
                "marker": {"color": colour, "size": 5 * colours["scale"]},
                "hovertemplate": f"{LETTERS[place]} %{{text}}<extra></extra>",
            }
        )
        index = run.lams.index(run.lam)
        if there[index]:
            rings.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "x": [at[index]],
                    "y": [spread.median[index]],
                    "showlegend": False,
                    "hoverinfo": "skip",
                    "marker": {
                        "size": 12 * colours["scale"],
                        "color": colours["panel"],
                        "line": {"color": colour, "width": 3 * colours["scale"]},
                    },
                }
            )
    marks = [
        {"type": "line", "xref": "x", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1, "layer": "below",
         "line": {"color": colours["accent"], "width": 1.4}}
        for at in sorted({float(place_of[run.lam]) for run in runs})
    ]  # fmt: skip
    return figure(
        title,
        [*bands, *lines, *rings],
        colours,
        height=HEIGHT,
        legend_items=len(lines),
        xaxis=lam_axis(grid, colours),
        yaxis=axis(colours, "", **log_axis(low, high)),
        shapes=[*marks, *break_marks(grid, colours)],
    )


def runs_over_epochs(
    curves: Sequence[np.ndarray], limits: tuple[float, float], colours: Palette, *, title: str
) -> go.Figure:
    """Learning curves [T] of every run at its λ in view, on one log axis for all λ; NaN from where one diverged."""
    if not any(np.isfinite(curve).any() for curve in curves):
        return empty(title, "None of these models has a number here.", colours, height=_SMALL)
    traces: list[Trace] = []
    for place, curve in enumerate(curves):
        shown = evenly(len(curve), _MOST_EPOCHS)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": shown + 1,
                "y": compact(curve[shown]),
                "line": _line(place, colours),
                "showlegend": False,
                "hovertemplate": f"{LETTERS[place]}, epoch %{{x}}: %{{y:.3g}}<extra></extra>",
            }
        )
    low, high = limits
    longest = max(len(curve) for curve in curves)
    return figure(
        title,
        traces,
        colours,
        height=_SMALL,
        xaxis=axis(colours, "epoch", range=[1 - 0.03 * longest, 1.03 * longest], nticks=6),
        yaxis=axis(colours, "", **log_axis(low, high, _MOST_TICKS)),
    )


def curve_limits(histories: Sequence[np.ndarray]) -> tuple[float, float]:
    """Ends of a log axis that holds nearly all of some histories [T, L], so that it stays where λ moves."""
    return log_range(joined(histories), share=(0.002, 0.998))


def latents_in_a_row(
    panes: Sequence[Pane],
    env_names: Sequence[str],
    colours: Palette,
    *,
    title: str,
    limits: tuple[tuple[float, float], tuple[float, float]],
) -> go.Figure:
    """One picture a run, all in the same window; panning one pans all."""
    bare: dict[str, Any] = {"ticks": False, "showline": False}
    legend = [*env_legend(env_names, colours), *arm_legend(colours)]
    return _row(panes, env_names, colours, legend, title, (bare, bare), limits)


def effects_in_a_row(
    panes: Sequence[Pane],
    env_names: Sequence[str],
    colours: Palette,
    *,
    title: str,
    limits: tuple[float, float],
) -> go.Figure:
    """True (x) against estimated (y) effects, one scatter a run on equal axes, with the line where both agree."""
    legend = [*env_legend(env_names, colours), *arm_legend(colours), truth_legend(colours)]
    named: tuple[dict[str, Any], dict[str, Any]] = (
        {"title": "true effect τ", "nticks": 5},
        {"title": "estimated τ̂", "nticks": 6},
    )
    return _row(panes, env_names, colours, legend, title, named, (limits, limits), truth=True)


def _row(
    panes: Sequence[Pane],
    env_names: Sequence[str],
    colours: Palette,
    legend: list[Trace],
    title: str,
    looks: tuple[dict[str, Any], dict[str, Any]],
    limits: tuple[tuple[float, float], tuple[float, float]],
    *,
    truth: bool = False,
) -> go.Figure:
    n = len(panes)
    n_cols, n_rows = min(2, n), -(-n // 2)  # a phone has no room for three beside each other
    height = 430 + 250 * max(0, n_rows - 1)
    if n == 0:
        return empty(title, "No run has rows to draw.", colours, height=height)
    width = (1 - _GAP * (n_cols - 1)) / n_cols
    head = 0.0 if n == 1 else 0.16  # for the names above a row, and the ticks of the row before; legends keep out of it
    tall = 1 / n_rows - head
    traces: list[Trace] = []
    notes: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    beyond = 0
    for place, pane in enumerate(panes):
        suffix = "" if place == 0 else str(place + 1)
        here: dict[str, Any] = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
        start, top = place % n_cols * (width + _GAP), 1 - head - place // n_cols * (tall + head)
        first, leftmost = place == 0, place % n_cols == 0
        x_look = (
            looks[0] if place + n_cols >= n else {name: value for name, value in looks[0].items() if name != "title"}
        )
        across, up = square(f"x{suffix}") if truth else ({}, {})
        if not first:
            across, up = across | {"matches": "x"}, up | {"matches": "y"}
        axes[f"xaxis{suffix}"] = axis(
            colours, range=list(limits[0]), domain=[start, start + width], anchor=f"y{suffix}", **x_look, **across
        ) | _framed(colours)
        y_look: dict[str, Any] = (
            looks[1] if leftmost else {name: value for name, value in looks[1].items() if name != "title"}
        )
        side = axis(
            colours,
            range=list(limits[1]),
            domain=[max(0.0, top - tall), top],
            anchor=f"x{suffix}",
            **y_look,
            **up,
        )
        side |= _framed(colours) | ({} if leftmost else {"showticklabels": False})
        axes[f"yaxis{suffix}"] = side
        called = pane.name.replace("λ = ", "λ\u00a0=\u00a0")
        notes.append(
            note(
                f"<b>{LETTERS[place]}</b>  {_wrapped(called, _NAME) if n > 1 else called}",
                start,
                "left",
                top,
                "paper",
                colours["runs"][place],
                colours,
                yshift=3,
            )
            | {"yanchor": "bottom", "align": "left"}
        )
        if truth:
            traces.append(truth_line(limits[0], limits[0], colours, **here))
        if len(pane.xy) == 0 or not np.isfinite(pane.xy).all():
            why = pane.why_empty or "There is nothing to draw here."
            notes.append(
                note(_wrapped(why), start + width / 2, "center", top - tall / 2, "paper", colours["muted"], colours)
            )
            traces.append({"type": "scatter", "x": [None], "y": [None], "showlegend": False} | here)
            continue
        x, beyond_x = held_in(pane.xy[:, 0], limits[0])
        y, beyond_y = held_in(pane.xy[:, 1], limits[1])
        beyond += max(beyond_x, beyond_y)
        traces += _points(x, y, pane, env_names, colours, here)
    return figure(
        title,
        [*traces, *legend],
        colours,
        height=height,
        legend_items=4 if len(legend) <= 8 else len(legend),
        outside=beyond,
        annotations=notes,
        margin={
            "l": 50 if truth else 8,
            "r": 8,
            "b": round(46 * colours["scale"]) if truth else 10,
            "t": round((34 + 22) * colours["scale"]),
        },
        **axes,
    )


def _points(
    x: np.ndarray, y: np.ndarray, pane: Pane, env_names: Sequence[str], colours: Palette, here: dict[str, Any]
) -> list[Trace]:
    shown = evenly(len(x), _MOST_ROWS)
    traces: list[Trace] = []
    for e, name in enumerate(env_names):
        mine = shown[pane.env[shown] == e]
        if len(mine):
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "x": compact(x[mine]),
                    "y": compact(y[mine]),
                    "showlegend": False,
                    "legendgroup": f"env{e}",
                    "marker": {
                        "color": colours["envs"][e],
                        "symbol": ARM_SYMBOLS[pane.t[mine]],
                        "size": 5 * colours["scale"],
                        "opacity": 0.8,
                        "line": {"width": 0.4, "color": colours["panel"]},
                    },
                    "hovertemplate": name + "<br>%{x:.2f}, %{y:.2f}<extra></extra>",
                }
                | here
            )
    return traces


def _line(place: int, colours: Palette) -> dict[str, Any]:
    return {
        "color": colours["runs"][place],
        "width": 2.2 * colours["scale"],
        "dash": colours["run_dashes"][place],
    }


def _framed(colours: Palette) -> dict[str, Any]:
    """A figure whose panes have an edge each."""
    return {"showline": True, "mirror": True, "linecolor": colours["grid"]}


def _wrapped(text: str, width: int = 26) -> str:
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip(" ")
    return "<br>".join(lines)
