"""Figures along λ: median and range over replicates, earlier epochs, baselines, and the λ that each rule picks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from crl_core.events import COLLAPSED, DIVERGED, STATUS_WORDS
from crl_core.figures.axes import interval, joined, log_axis, log_range, share_of
from crl_core.figures.base import Trace, axis, empty, figure, note, number, rgba
from crl_core.figures.lam_axis import break_marks, edges, lam_axis, places_of, positions
from crl_core.figures.palette import Palette
from crl_core.figures.rule_lanes import lane_labels, lane_lines, lanes
from crl_core.measures.lam_choice import Choice

HEIGHT = 250
_MAIN_HEIGHT = 330
_LANE = 27  # pixels of a rule's lane
_SYMBOLS = {DIVERGED: "x-thin-open", COLLAPSED: "circle-open"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A level to compare with. truth: a thin line in text colour; otherwise dashed."""

    name: str
    value: float
    truth: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Band:
    """Median and range over the replicates that have a number, [L] each; NaN where none has."""

    median: np.ndarray
    low: np.ndarray
    high: np.ndarray


def band(values: np.ndarray) -> Band:
    """The band of [R, L] values."""
    finite = np.isfinite(values)
    none = ~finite.any(axis=0)
    filled = np.where(finite | none, values, np.nan)
    median = np.full(values.shape[1], np.nan)
    median[~none] = np.nanmedian(filled[:, ~none], axis=0)
    low = np.where(none, np.nan, np.where(finite, values, np.inf).min(axis=0))
    high = np.where(none, np.nan, np.where(finite, values, -np.inf).max(axis=0))
    return Band(median=median, low=low, high=high)


def _log_range(spread: Band, references: Sequence[Level], more: Sequence[np.ndarray] = ()) -> tuple[float, float]:
    return log_range(joined([spread.low, spread.high, [level.value for level in references], *more]))


def along_lam(
    lams: Sequence[float],
    values: np.ndarray,
    status: np.ndarray,
    lam: float,
    colours: Palette,
    *,
    title: str,
    y_title: str,
    references: Sequence[Level] = (),
    linear: tuple[float, float] | None = None,
) -> go.Figure:
    """A quantity along λ, with the λ in view marked.

    values, status: [R, L].
    linear: limits of a linear axis; without it the axis is log.
    """
    if values.size == 0 or not np.isfinite(values).any():
        return empty(title, "No λ has a number here.", colours, height=HEIGHT)
    spread = band(values)
    low, high = interval(*linear) if linear else _log_range(spread, references)
    traces = [
        *level_lines(lams, references, colours, linear=linear is not None),
        *curve(lams, spread, colours, y_title, values.shape[0]),
        *_casualties(lams, status, spread, high if linear else high / (high / low) ** 0.06, colours),
        *in_view(lams, spread.median, lam, colours),
    ]
    notes = level_labels(references, colours, low, high, linear=linear is not None, inside=True)
    y_axis = axis(colours, "", **({"range": [low, high], "nticks": 5} if linear else log_axis(low, high)))
    return figure(
        title,
        traces,
        colours,
        height=HEIGHT,
        xaxis=lam_axis(lams, colours),
        yaxis=y_axis,
        annotations=notes,
        shapes=[lam_line(lams, lam, colours), *break_marks(lams, colours)],
    )


def error_along_lam(
    lams: Sequence[float],
    values: np.ndarray,
    status: np.ndarray,
    lam: float,
    colours: Palette,
    *,
    title: str,
    references: Sequence[Level] = (),
    earlier: Sequence[tuple[int, np.ndarray]] = (),
    choices: Sequence[Choice] = (),
    before: tuple[Sequence[float], np.ndarray] | None = None,
) -> go.Figure:
    """Effect error along λ, and under it a lane for every rule with the λ it picks in each replicate.

    values, status: [R, L].  earlier: (epoch, [L]) of some earlier epochs, drawn faint.
    before: λ and medians of the run that was seen before, drawn dashed.
    """
    height = _MAIN_HEIGHT + _LANE * len(choices)
    if values.size == 0 or not np.isfinite(values).any():
        return empty(title, "No λ of this run has an effect error.", colours, height=height)
    spread = band(values)
    faint = [row for _, row in earlier] + ([] if before is None else [before[1]])
    low, high = _log_range(spread, references, faint)
    traces: list[Trace] = []
    at = positions(lams)
    for epoch, row in earlier:
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": at,
                "y": row,
                "showlegend": False,
                "line": {"color": rgba(colours["muted"], 0.42), "width": 1},
                "hovertemplate": f"after epoch {epoch}: %{{y:.3g}}<extra></extra>",
            }
        )
    if before is not None:
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": places_of(before[0], lams),
                "y": np.where(before[1] > 0, before[1], np.nan),
                "name": "before the change",
                "showlegend": False,
                "line": {"color": colours["muted"], "width": 1.8, "dash": "dash"},
                "hovertemplate": "before the change: %{y:.3g}<extra></extra>",
            }
        )
    traces += level_lines(lams, references, colours, linear=False)
    traces += curve(lams, spread, colours, "Effect error", values.shape[0], strong=True)
    traces += _casualties(lams, status, spread, high / (high / low) ** 0.05, colours)
    traces += in_view(lams, spread.median, lam, colours, size=15)
    inner = height - 34 - 48
    share = _LANE * len(choices) / inner if choices else 0.0
    gap = 30 / inner if choices else 0.0
    traces += lanes(lams, choices, colours)
    notes = level_labels(references, colours, low, high, linear=False, inside=False)
    notes += lane_labels(choices, colours)
    if choices:
        notes.append(
            note(
                "who chooses which λ",
                0,
                "left",
                share + gap * 0.02,
                "paper",
                colours["muted"],
                colours,
                yshift=13,
            )
        )
    lines = axis(
        colours,
        "",
        ticks=False,
        domain=[0, share],
        range=[-len(choices) + 0.45, 0.55],
        fixedrange=True,
        anchor="x",
    )
    return figure(
        title,
        traces,
        colours,
        height=height,
        margin={"r": round(106 * colours["scale"]), "b": 48, "l": round(46 * colours["scale"])},
        annotations=notes,
        xaxis=lam_axis(lams, colours, anchor="y2" if choices else "y"),
        yaxis=axis(
            colours,
            "",
            domain=[share + gap, 1],
            **log_axis(low, high),
        ),
        yaxis2=lines,
        shapes=[lam_line(lams, lam, colours), *break_marks(lams, colours), *lane_lines(choices, colours)],
    )


def filled(at: np.ndarray, spread: Band, colour: str) -> Trace:
    """The area of a band at the positions `at` [L], where it has a median."""
    there = np.isfinite(spread.median)
    return {
        "type": "scatter",
        "mode": "lines",
        "showlegend": False,
        "hoverinfo": "skip",
        "line": {"width": 0},
        "x": np.concatenate([at[there], at[there][::-1]]),
        "fill": "toself",
        "fillcolor": colour,
        "y": np.concatenate([spread.high[there], spread.low[there][::-1]]),
    }


def curve(
    lams: Sequence[float],
    spread: Band,
    colours: Palette,
    name: str,
    replicates: int,
    strong: bool = False,
    *,
    colour: str = "",
    symbol: str = "circle",
) -> list[Trace]:
    """The band and the median, dotted between 0 and the smallest positive λ, where the axis leaps."""
    at, colour = positions(lams), colour or colours["accent" if strong else "text"]
    width = (2.6 if strong else 2.0) * colours["scale"]
    there = np.isfinite(spread.median)
    traces: list[Trace] = []
    if replicates > 1 and there.any():
        traces.append(filled(at, spread, rgba(colour, 0.17)))
    texts = [
        f"λ = {lam:g}: {number(m)}" + (f"<br>{number(a)} to {number(b)}" if replicates > 1 else "")
        for lam, m, a, b in zip(lams, spread.median, spread.low, spread.high, strict=True)
    ]
    leap = 1 if lams[0] == 0 and len(lams) > 1 else 0
    line = {"color": colour, "width": width}
    if leap:
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": at[:2],
                "y": spread.median[:2],
                "showlegend": False,
                "line": line | {"dash": "dot", "width": width * 0.7},
                "hoverinfo": "skip",
            }
        )
    traces.append(
        {
            "type": "scatter",
            "mode": "lines",
            "x": at[leap:],
            "y": spread.median[leap:],
            "line": line,
            "showlegend": False,
            "hoverinfo": "skip",
        }
    )
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "x": at,
            "y": spread.median,
            "text": texts,
            "name": name,
            "marker": {"color": colour, "symbol": symbol, "size": 5.5 * colours["scale"]},
            "showlegend": False,
            "hovertemplate": name + "<br>%{text}<extra></extra>",
        }
    )
    return traces


def in_view(lams: Sequence[float], median: np.ndarray, lam: float, colours: Palette, size: float = 12) -> list[Trace]:
    """A ring on the curve at the λ in view; none where it has no number."""
    index = list(lams).index(lam)
    if not np.isfinite(median[index]):
        return []
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [positions(lams)[index]],
            "y": [median[index]],
            "showlegend": False,
            "hoverinfo": "skip",
            "marker": {
                "size": size * colours["scale"],
                "color": colours["panel"],
                "line": {"color": colours["accent"], "width": 3 * colours["scale"]},
            },
        }
    ]


def lam_line(lams: Sequence[float], lam: float, colours: Palette) -> dict[str, Any]:
    """The line at the λ in view, from bottom to top."""
    at = float(positions(lams)[list(lams).index(lam)])
    return {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": at,
        "x1": at,
        "y0": 0,
        "y1": 1,
        "layer": "between",
        "line": {"color": colours["accent"], "width": 1.4},
    }


def _casualties(lams: Sequence[float], status: np.ndarray, spread: Band, top: float, colours: Palette) -> list[Trace]:
    """Marks for the λ that lost replicates: at the top if none is left, else on the curve. Neighbours share a word."""
    traces: list[Trace] = []
    at, replicates = positions(lams), len(status)
    for code in (DIVERGED, COLLAPSED):
        lost = (status == code).sum(axis=0)
        marked = np.flatnonzero(lost)
        for run in np.split(marked, np.flatnonzero(np.diff(marked) > 1) + 1) if len(marked) else []:
            few, many = int(lost[run].min()), int(lost[run].max())
            share = f"{few} of {replicates} " if few == many else f"{few} to {many} of {replicates} "
            word = ("" if few == replicates else share) + STATUS_WORDS[code]
            to_the_left = run[-1] > len(at) / 2
            all_gone = ~np.isfinite(spread.median[run])
            texts = [""] * len(run)
            texts[0 if to_the_left else -1] = word
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers+text",
                    "x": at[run],
                    "y": np.where(all_gone, top, spread.high[run]),
                    "text": texts,
                    "textposition": ("bottom " if all_gone.any() else "top ") + ("left" if to_the_left else "right"),
                    "textfont": {"color": colours["bad"], "size": 11 * colours["scale"]},
                    "showlegend": False,
                    "marker": {
                        "symbol": _SYMBOLS[code],
                        "size": 10,
                        "color": colours["bad"],
                        "line": {"width": 2, "color": colours["bad"]},
                    },
                    "customdata": [
                        f"λ = {lams[int(index)]:g}: {lost[index]} of {replicates} {STATUS_WORDS[code]}" for index in run
                    ],
                    "hovertemplate": "%{customdata}<extra></extra>",
                    "cliponaxis": False,
                }
            )
    return traces


def level_lines(lams: Sequence[float], references: Sequence[Level], colours: Palette, *, linear: bool) -> list[Trace]:
    """A line across the figure for every level that its axis, linear or log, can show."""
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": list(edges(lams)),
            "showlegend": False,
            "y": [reference.value] * 2,
            "line": {"color": colours["truth"], "width": 1.2}
            if reference.truth
            else {"color": colours["muted"], "width": 1.3, "dash": "dash"},
            "hovertemplate": f"{reference.name}: {number(reference.value)}<extra></extra>",
        }
        for reference in references
        if _has_place(reference, linear)
    ]


def _has_place(level: Level, linear: bool) -> bool:
    return bool(np.isfinite(level.value) and (linear or level.value > 0))


def level_labels(
    references: Sequence[Level], colours: Palette, low: float, high: float, *, linear: bool, inside: bool
) -> list[dict[str, Any]]:
    """Names of the levels at the right, pushed apart where levels lie close together."""
    shown = sorted((r for r in references if _has_place(r, linear)), key=lambda r: r.value)
    where = [r.value if linear else float(np.log10(r.value)) for r in shown]
    pixels = [share_of(r.value, (low, high), log=not linear) * (150 if inside else 240) for r in shown]
    placed: list[float] = []
    for pixel in pixels:
        placed.append(max(pixel, placed[-1] + 14) if placed else pixel)
    excess = sum(p - q for p, q in zip(placed, pixels, strict=True)) / max(1, len(placed))
    notes = []
    for reference, level, pixel, target in zip(shown, where, pixels, placed, strict=True):
        shift = target - pixel - excess
        label = note(
            reference.name,
            1,
            "right" if inside else "left",
            level,
            "y",
            colours["text"] if reference.truth else colours["muted"],
            colours,
            yshift=shift + (9 if inside else 0),
            xshift=0 if inside else 5,
        )
        notes.append(label)
    return notes
