"""Vega-Lite charts of a run in training: specs and the data they draw, as plain dicts and arrays.

Steady: the spec stays the same while data comes in and while λ in view moves, so the browser updates the picture in
        place; axes start from ranges that usual runs stay in and grow by half decades if a value leaves them.
Colour: λ is one ordered scale; the one in view has the accent. Nothing is smoothed; of long runs evenly spaced epochs
        are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from crl_core.events import COLLAPSED, DIVERGED, OK, STATUS_WORDS
from crl_core.figures.axes import axis_range, linear_ticks, log_ticks
from crl_core.figures.lam_axis import edges, places_of, positions, ticks
from crl_core.figures.live_along import Along, error_along
from crl_core.figures.palette import FONT, Palette
from crl_core.measures.curves import Curves
from crl_core.metrics import METRICS

Columns = dict[str, np.ndarray]
Spec = dict[str, Any]
MAX_EPOCHS_DRAWN = 150  # of a final run
MAX_EPOCHS_LIVE = 75  # while it trains and is drawn again and again
_MOST_TICKS = 7  # powers of ten alone where there were more
_GHOSTS = 6  # earlier epochs that stay visible under the curve along λ
# A wheel alone scrolls the page, as everywhere; a pinch on a touchpad arrives as a wheel with Ctrl.
_ZOOM: Spec = {
    "name": "zoom",
    "select": {"type": "interval", "zoom": "wheel![event.ctrlKey || event.metaKey]"},
    "bind": "scales",
}


# Ranges that usual runs stay in; an axis never shows less, so it does not move while they train.
USUAL: Mapping[str, tuple[float, float]] = {m.name: m.usual for m in METRICS if m.usual is not None}


def epoch_rows(curves: Curves, name: str, lam: float, max_epochs: int = MAX_EPOCHS_DRAWN) -> Columns:
    """One row a λ and moment drawn: epoch, order (0 smallest λ .. 1 largest), lam, value, in_view, ended (status or 0).

    A λ of which replicates have diverged or collapsed has `ended` at its last value.
    """
    values = curves.values.get(name, np.empty((0, len(curves.lams))))
    n_moments, n_lams = values.shape
    drawn = _evenly(n_moments, max_epochs)
    kept = values[drawn]  # [D, L]
    ended = np.zeros(kept.shape, dtype=np.int64)
    for column in np.flatnonzero(curves.status != OK):
        finite = np.flatnonzero(np.isfinite(kept[:, column]))
        if len(finite):
            ended[finite[-1], column] = curves.status[column]
    order = np.arange(n_lams) / max(1, n_lams - 1)
    rows = {
        "epoch": np.repeat(curves.at[drawn], n_lams),
        "order": np.tile(order, len(drawn)),
        "lam": np.tile(np.asarray(curves.lams), len(drawn)),
        "value": kept.ravel(),
        "in_view": np.tile(np.asarray(curves.lams) == lam, len(drawn)),
        "ended": ended.ravel(),
    }
    drawable = np.isfinite(rows["value"]) & (rows["value"] > 0)  # a log axis has no place for 0
    return {name: column[drawable] for name, column in rows.items()}


def epoch_spec(curves: Curves, name: str, ink: Palette, *, height: int, label: str, zoom: bool) -> Spec:
    """Curves over epochs, one a λ, on a log axis. `zoom` for a run that is final."""
    low, high = axis_range(curves.values.get(name, np.empty(0)), USUAL[name])
    x = {
        "field": "epoch",
        "type": "quantitative",
        "title": "epoch",
        "scale": {"domain": [0, curves.epochs], "nice": False},
        "axis": {"tickMinStep": 1, "tickCount": 6},
    }
    y = {
        "field": "value",
        "type": "quantitative",
        "title": None,
        "scale": {"type": "log", "domain": [low, high], "nice": False},
        "axis": {"values": log_ticks(low, high, _MOST_TICKS)["tickvals"], "format": "~g"},
    }
    tip = [
        {"field": "lam", "type": "nominal", "title": "λ"},
        {"field": "epoch", "type": "quantitative", "title": "epoch", "format": ".3~g"},
        {"field": "value", "type": "quantitative", "title": label, "format": ".4g"},
    ]
    colour = {
        "field": "order",
        "type": "quantitative",
        "legend": None,
        "scale": {"domain": [0, 1], "range": ink["lam_scale"]},
    }
    every: Spec = {
        "mark": {"type": "line", "strokeWidth": 1.1, "strokeCap": "round", "opacity": 0.75, "clip": True},
        "encoding": {"x": x, "y": y, "detail": {"field": "order"}, "color": colour},
    }
    one: Spec = {
        "transform": [{"filter": "datum.in_view"}],
        "mark": {"type": "line", "strokeWidth": 2.8, "strokeCap": "round", "color": ink["accent"], "clip": True},
        "encoding": {"x": x, "y": y},
    }
    hover: Spec = {
        "mark": {"type": "point", "size": 60, "opacity": 0, "clip": True},
        "encoding": {"x": x, "y": y, "tooltip": tip},
    }
    layers = [every, one, _ended_layer(x, y, ink, {"field": "lam", "type": "nominal", "title": "λ"})]
    if zoom:
        layers.append(hover)  # a thousand invisible points: too slow to draw again at every epoch
        every["params"] = [_ZOOM]
    return _framed(layers, ink, height)


def path_rows(curves: Curves, lam: float, along: Along | None = None) -> Columns:
    """One row a λ and moment shown: x, lam, value, low, high, when (0 earliest .. 1 now), epoch, in_view, ended.

    along: what is drawn; the error if None.
    """
    along = along or error_along(curves)
    n_moments, n_lams = along.values.shape
    drawn = _ghosts(n_moments)
    at = curves.at[drawn]
    now = np.repeat(drawn == n_moments - 1, n_lams)
    low = np.where(along.low <= 0, along.limits[0], along.low) if along.log else along.low  # at the foot of a log axis
    rows = {
        "x": np.tile(positions(curves.lams), len(drawn)),
        "lam": np.tile(np.asarray(curves.lams), len(drawn)),
        "value": along.values[drawn].ravel(),
        "low": np.where(now, np.tile(low, len(drawn)), np.nan),
        "high": np.where(now, np.tile(along.high, len(drawn)), np.nan),
        "now": now,
        "when": np.repeat(at / at.max(initial=0.0), n_lams),
        "epoch": np.repeat(at, n_lams),
        "in_view": np.tile(np.asarray(curves.lams) == lam, len(drawn)),
        "ended": np.where(now, np.tile(curves.status, len(drawn)), 0),
    }
    drawable = np.isfinite(rows["value"]) & ((rows["value"] > 0) if along.log else True)
    return {name: column[drawable] for name, column in rows.items()}


def path_spec(
    curves: Curves,
    ink: Palette,
    *,
    height: int,
    label: str,
    zoom: bool,
    along: Along | None = None,
    before: tuple[Sequence[float], np.ndarray] | None = None,
) -> Spec:
    """The error against λ as it forms, or what `along` says: now, its replicates' band, and a few earlier epochs,
    faint. before: λ and values [L] of the run that was seen before, drawn dashed."""
    along = along or error_along(curves)
    low, high = along.limits
    places, labels = ticks(curves.lams)
    spelled = " : ".join(
        f"abs(datum.value - {place:.6f}) < 1e-4 ? '{label}'" for place, label in zip(places, labels, strict=True)
    )
    x = {
        "field": "x",
        "type": "quantitative",
        "title": "λ",
        "scale": {"domain": list(edges(curves.lams)), "nice": False},
        "axis": {"values": [round(place, 6) for place in places], "labelExpr": f"{spelled} : ''"},
    }
    scale = {"type": "log" if along.log else "linear", "domain": [low, high], "nice": False}
    of_y = log_ticks(low, high, _MOST_TICKS)["tickvals"] if along.log else linear_ticks(low, high)
    y = {
        "field": "value",
        "type": "quantitative",
        "title": None,
        "scale": scale,
        "axis": {"values": of_y, "format": "~g" if along.log else ".6~g"},  # Vega rounds a quarter to a tenth
    }
    tip = [
        {"field": "lam", "type": "nominal", "title": "λ"},
        {"field": "value", "type": "quantitative", "title": label, "format": ".4g"},
        {"field": "low", "type": "quantitative", "title": "smallest of the replicates", "format": ".4g"},
        {"field": "high", "type": "quantitative", "title": "largest", "format": ".4g"},
        {"field": "epoch", "type": "quantitative", "title": "epoch", "format": ".3~g"},
    ]
    now = [{"filter": "datum.now"}]
    seen = [{"filter": "datum.now && datum.in_view"}]
    ghosts: Spec = {
        "transform": [{"filter": "!datum.now"}],
        "mark": {"type": "line", "strokeWidth": 1, "color": ink["muted"], "clip": True},
        "encoding": {
            "x": x,
            "y": y,
            "detail": {"field": "epoch"},
            "opacity": {
                "field": "when",
                "type": "quantitative",
                "legend": None,
                "scale": {"domain": [0, 1], "range": [0.2, 0.6]},
            },
        },
    }
    layers: list[Spec] = [
        *_level_layers(along.levels, y, ink),
        *_before_layers(before, curves.lams, x, y, ink),
        ghosts,
        {
            "transform": now,
            "mark": {"type": "area", "color": ink["accent"], "opacity": 0.16, "clip": True},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        {
            "transform": now,
            "mark": {"type": "line", "strokeWidth": 2.4, "color": ink["accent"], "clip": True},
            "encoding": {"x": x, "y": y},
        },
        {"transform": seen, "mark": {"type": "rule", "color": ink["text"], "strokeWidth": 1}, "encoding": {"x": x}},
        {
            "transform": seen,
            "mark": {
                "type": "point",
                "size": 150,
                "filled": True,
                "fill": ink["panel"],
                "stroke": ink["accent"],
                "strokeWidth": 3,
                "opacity": 1,
            },
            "encoding": {"x": x, "y": y},
        },
        _ended_layer(x, y, ink, {"field": "lam", "type": "nominal", "title": "λ"}),
        {
            "transform": now,
            "mark": {"type": "point", "size": 160, "opacity": 0},
            "encoding": {"x": x, "y": y, "tooltip": tip},
        },
    ]
    if zoom:
        ghosts["params"] = [_ZOOM]
    return _framed(layers, ink, height)


def _level_layers(levels: Sequence[tuple[str, float]], y: Spec, ink: Palette) -> list[Spec]:
    """A dashed line across for each level, its name above it: at the left, the next one at the right."""
    layers: list[Spec] = []
    for at, (name, value) in enumerate(levels):
        own = {"values": [{"value": value, "name": name}]}
        side = {"x": {"expr": "width - 4"}, "align": "right"} if at % 2 else {"x": 4, "align": "left"}
        line = {"type": "rule", "strokeDash": [6, 4], "strokeWidth": 1.2, "color": ink["muted"], "clip": True}
        text = {"type": "text", "baseline": "bottom", "dy": -3, "fontSize": 11, "color": ink["muted"], **side}
        layers.append({"data": own, "mark": line, "encoding": {"y": y}})
        layers.append({"data": own, "mark": text, "encoding": {"y": y, "text": {"field": "name", "type": "nominal"}}})
    return layers


def _before_layers(
    before: tuple[Sequence[float], np.ndarray] | None, lams: Sequence[float], x: Spec, y: Spec, ink: Palette
) -> list[Spec]:
    """The curve of another run, dashed; what cannot stand on a log axis is left out."""
    if before is None:
        return []
    places = places_of(before[0], lams)
    drawn = np.isfinite(before[1]) & ((before[1] > 0) | (y["scale"]["type"] != "log"))
    rows = [{"x": float(at), "value": float(value)} for at, value in zip(places[drawn], before[1][drawn], strict=True)]
    line = {"type": "line", "strokeDash": [6, 4], "strokeWidth": 1.8, "color": ink["muted"], "clip": True}
    return [{"data": {"values": rows}, "mark": line, "encoding": {"x": x, "y": y}}]


def _ended_layer(x: Spec, y: Spec, ink: Palette, lam: Spec) -> Spec:
    """Where a λ lost replicates: a cross for diverged, a ring for collapsed."""
    return {
        "transform": [
            {"filter": f"datum.ended > {OK}"},
            {
                "calculate": f"datum.ended == {DIVERGED} ? '{STATUS_WORDS[DIVERGED]}' : '{STATUS_WORDS[COLLAPSED]}'",
                "as": "what",
            },
        ],
        "mark": {"type": "point", "size": 70, "strokeWidth": 2, "color": ink["bad"], "opacity": 1, "clip": True},
        "encoding": {
            "x": x,
            "y": y,
            "shape": {
                "field": "ended",
                "type": "nominal",
                "legend": None,
                "scale": {"domain": [DIVERGED, COLLAPSED], "range": ["M-1,-1L1,1M-1,1L1,-1", "circle"]},
            },
            "tooltip": [lam, {"field": "what", "type": "nominal", "title": "replicates"}],
        },
    }


def _framed(layers: list[Spec], ink: Palette, height: int) -> Spec:
    axis = {
        "labelColor": ink["muted"],
        "titleColor": ink["muted"],
        "gridColor": ink["grid"],
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "titlePadding": 6,
        "labelFont": FONT,
        "titleFont": FONT,
    }
    return {
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": {"left": 2, "right": 6, "top": 4, "bottom": 2},
        "background": "transparent",
        "layer": layers,
        "config": {
            "view": {"stroke": None},
            "axis": axis,
            "axisX": {"grid": False},
            "font": FONT,
            "mark": {"aria": False},
        },
    }


def _evenly(n: int, most: int) -> np.ndarray:
    """At most `most` of 0 .. n - 1, evenly spaced, the last one always among them."""
    if n <= most:
        return np.arange(n)
    step = math.ceil(n / (most - 1))
    return np.unique(np.append(np.arange(0, n, step), n - 1))


def _ghosts(n_moments: int) -> np.ndarray:
    """The last moment and a few before it, spaced by factors, since most happens early."""
    if n_moments == 0:
        return np.arange(0)
    spaced = np.geomspace(1, n_moments, _GHOSTS + 1).round().astype(np.int64) - 1
    return np.unique(spaced)
