"""A figure in one sentence, computed from what it draws: the text alternative for who does not see it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import plotly.graph_objects as go

_MOST = 5  # series that are told one by one
_MOST_BARS = 6
_OF_POINTS = ("scatter", "scattergl")
_MARKUP = re.compile(r"<[^>]*>")


def spoken(drawn: go.Figure) -> str:
    """Title, axes, and of each named series where it begins, is least and ends; of points their number and span."""
    title = _words(drawn.layout.title.text)
    told = list(_series(drawn))
    if not told:
        notes = [_words(note.text) for note in drawn.layout.annotations]
        return f"{title}. {' '.join(notes) or 'Nothing is drawn.'}".strip()
    more = f"; and {len(told) - _MOST} more" if len(told) > _MOST else ""
    return f"{title}{_axes(drawn)}. {'; '.join(told[:_MOST])}{more}."


def _axes(drawn: go.Figure) -> str:
    x, y = (_words(axis.title.text) for axis in (drawn.layout.xaxis, drawn.layout.yaxis))
    return f", {y} against {x}" if x and y else f", along {x}" if x else f", {y}" if y else ""


def _series(drawn: go.Figure) -> Iterator[str]:
    keys = {_words(trace.legendgroup): _words(trace.name) for trace in drawn.data if trace.legendgroup and trace.name}
    groups: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}  # points of one name are told together
    for trace in drawn.data:
        name = _words(trace.name) or keys.get(_words(trace.legendgroup), "")
        if trace.type in ("heatmap", "contour"):
            values = _numbers(trace.z)
            if np.isfinite(values).any():
                yield f"{name or 'map'}: from {_span(values)}"
        elif trace.type == "bar":
            yield from _bars(trace, name)
        elif trace.type in _OF_POINTS and trace.x is not None and trace.y is not None:
            x, y = _numbers(trace.x), _numbers(trace.y)
            kept = np.isfinite(x) & np.isfinite(y) if len(x) == len(y) else np.zeros(len(x), bool)
            if not kept.any():
                continue
            x, y = x[kept], y[kept]
            if name and len(x) > 1 and ("lines" in (trace.mode or "lines") or _on_a_line(drawn, trace)):
                yield f"{name}: {_line(drawn, x, y)}" if (np.diff(x) >= 0).all() else f"{name}: up from {_span(y)}"
            elif "markers" in (trace.mode or ""):
                groups.setdefault(name, []).append((x, y))
    for name, parts in groups.items():
        x, y = (np.concatenate([part[at] for part in parts]) for at in (0, 1))
        if len(x) == 1 and name in map(_words, drawn.layout.yaxis.ticktext or ()):  # a lane of its own
            yield f"{name}: {_said(x[0])}"
        elif len(x) == 1:
            yield f"{name or 'marked'}: {_said(y[0])} at {_place(drawn, x[0])}"
        else:
            yield f"{f'{name}: ' if name else ''}{len(x)} points, across from {_span(x)}, up from {_span(y)}"


def _on_a_line(drawn: go.Figure, points: Any) -> bool:
    """Whether points are one a λ, or a nameless line of the figure goes through them."""
    lines = (trace for trace in drawn.data if trace.type in _OF_POINTS and trace.mode == "lines")
    return _of_lam(drawn) or any(
        line.x is not None and np.array_equal(_numbers(line.x), _numbers(points.x)) for line in lines
    )


def _bars(trace: Any, name: str) -> Iterator[str]:
    lying = trace.orientation == "h"
    values, labels = (trace.x, trace.y) if lying else (trace.y, trace.x)
    heights = _numbers(values)
    if not np.isfinite(heights).any():
        return
    if labels is None or len(labels) != len(heights) or len(heights) > _MOST_BARS:
        yield f"{name or 'bars'}: {len(heights)} bars, from {_span(heights)}"
        return
    each = [f"{_words(str(label))} {_said(height)}" for label, height in zip(labels, heights, strict=True)]
    yield f"{f'{name}: ' if name else ''}{', '.join(each)}"


def _line(drawn: go.Figure, x: np.ndarray, y: np.ndarray) -> str:
    least = int(np.argmin(y))
    ends = f"{_said(y[0])} at {_place(drawn, x[0])}, {_said(y[-1])} at {_place(drawn, x[-1])}"
    return ends if least in (0, len(y) - 1) else f"{ends}, least {_said(y[least])} at {_place(drawn, x[least])}"


def _place(drawn: go.Figure, x: float) -> str:
    """What is written at a place of the horizontal axis, or beside it by less than a tenth of a step; else a number."""
    ticks, of_lam = drawn.layout.xaxis, _of_lam(drawn)
    if ticks.tickvals is not None and len(ticks.tickvals):
        at = _numbers(ticks.tickvals)
        nearest = int(np.argmin(np.abs(at - x)))
        near = 1e-6 if of_lam or len(at) == 1 else 0.1 * np.abs(np.diff(at)).min()
        text = _words(ticks.ticktext[nearest]) if ticks.ticktext is not None else _said(at[nearest])
        if abs(at[nearest] - x) <= near and text:
            return text
    return _said(10**x if of_lam and abs(x) < 300 else x)


def _of_lam(drawn: go.Figure) -> bool:
    """Whether the horizontal axis is that of λ, which stands at its logarithm."""
    return _words(drawn.layout.xaxis.title.text) == "λ"


def _span(values: np.ndarray) -> str:
    return f"{_said(np.nanmin(values))} to {_said(np.nanmax(values))}"


def _said(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _numbers(values: Any) -> np.ndarray:
    """As floats; what is no finite number is NaN."""
    try:
        found = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        return np.full(np.shape(np.asarray(values, dtype=object)), np.nan)
    return np.where(np.isfinite(found), found, np.nan)


def _words(text: str | None) -> str:
    return " ".join(_MARKUP.sub(" ", text or "").split())
