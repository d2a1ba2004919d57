"""A figure in one sentence, computed from what it draws: the text alternative for who does not see it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.base import Trace, written

_MOST = 5  # series that are told one by one
_MOST_BARS = 6
_OF_POINTS = ("scatter", "scattergl")
_MARKUP = re.compile(r"<[^>]*>")


def spoken(drawn: go.Figure) -> str:
    """Title, axes, and of each named series where it begins, is least and ends; of points their number and span."""
    plain = written(drawn)
    traces: list[Trace] = plain["data"]
    layout: dict[str, Any] = plain["layout"]
    title = _title(layout)
    told = list(_series(traces, layout))
    if not told:
        notes = [_words(note.get("text")) for note in layout.get("annotations") or ()]
        return f"{title}. {' '.join(notes) or 'Nothing is drawn.'}".strip()
    more = f"; and {len(told) - _MOST} more" if len(told) > _MOST else ""
    return f"{title}{_axes(layout)}. {'; '.join(told[:_MOST])}{more}."


def _title(part: dict[str, Any]) -> str:
    """The title of a layout or an axis."""
    title = part.get("title") or {}
    return _words(title if isinstance(title, str) else title.get("text"))


def _axes(layout: dict[str, Any]) -> str:
    x, y = (_title(layout.get(name) or {}) for name in ("xaxis", "yaxis"))
    return f", {y} against {x}" if x and y else f", along {x}" if x else f", {y}" if y else ""


def _series(traces: list[Trace], layout: dict[str, Any]) -> Iterator[str]:
    keys = {_words(t["legendgroup"]): _words(t["name"]) for t in traces if t.get("legendgroup") and t.get("name")}
    groups: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}  # points of one name are told together
    for trace in traces:
        name = _words(trace.get("name")) or keys.get(_words(trace.get("legendgroup")), "")
        kind, mode = trace.get("type", "scatter"), trace.get("mode") or ""
        if kind in ("heatmap", "contour"):
            values = _numbers(trace.get("z"))
            if np.isfinite(values).any():
                yield f"{name or 'map'}: from {_span(values)}"
        elif kind == "bar":
            yield from _bars(trace, name)
        elif kind in _OF_POINTS and trace.get("x") is not None and trace.get("y") is not None:
            x, y = _numbers(trace["x"]), _numbers(trace["y"])
            kept = np.isfinite(x) & np.isfinite(y) if len(x) == len(y) else np.zeros(len(x), bool)
            if not kept.any():
                continue
            x, y = x[kept], y[kept]
            if name and len(x) > 1 and ("lines" in (mode or "lines") or _on_a_line(traces, layout, trace)):
                yield f"{name}: {_line(layout, x, y)}" if (np.diff(x) >= 0).all() else f"{name}: up from {_span(y)}"
            elif "markers" in mode:
                groups.setdefault(name, []).append((x, y))
    for name, parts in groups.items():
        x, y = (np.concatenate([part[at] for part in parts]) for at in (0, 1))
        if len(x) == 1 and name in map(_words, (layout.get("yaxis") or {}).get("ticktext") or ()):  # a lane of its own
            yield f"{name}: {_said(x[0])}"
        elif len(x) == 1:
            yield f"{name or 'marked'}: {_said(y[0])} at {_place(layout, x[0])}"
        else:
            yield f"{f'{name}: ' if name else ''}{len(x)} points, across from {_span(x)}, up from {_span(y)}"


def _on_a_line(traces: list[Trace], layout: dict[str, Any], points: Trace) -> bool:
    """Whether points are one a λ, or a nameless line of the figure goes through them."""
    lines = (t for t in traces if t.get("type", "scatter") in _OF_POINTS and t.get("mode") == "lines")
    return _of_lam(layout) or any(
        line.get("x") is not None and np.array_equal(_numbers(line["x"]), _numbers(points["x"])) for line in lines
    )


def _bars(trace: Trace, name: str) -> Iterator[str]:
    values, labels = trace.get("y"), trace.get("x")
    if trace.get("orientation") == "h":
        values, labels = labels, values
    heights = _numbers(values)
    if not np.isfinite(heights).any():
        return
    if labels is None or len(labels) != len(heights) or len(heights) > _MOST_BARS:
        yield f"{name or 'bars'}: {len(heights)} bars, from {_span(heights)}"
        return
    each = [f"{_words(str(label))} {_said(height)}" for label, height in zip(labels, heights, strict=True)]
    yield f"{f'{name}: ' if name else ''}{', '.join(each)}"


def _line(layout: dict[str, Any], x: np.ndarray, y: np.ndarray) -> str:
    least = int(np.argmin(y))
    ends = f"{_said(y[0])} at {_place(layout, x[0])}, {_said(y[-1])} at {_place(layout, x[-1])}"
    return ends if least in (0, len(y) - 1) else f"{ends}, least {_said(y[least])} at {_place(layout, x[least])}"


def _place(layout: dict[str, Any], x: float) -> str:
    """What is written at a place of the horizontal axis, or beside it by less than a tenth of a step; else a number."""
    ticks, of_lam = layout.get("xaxis") or {}, _of_lam(layout)
    if ticks.get("tickvals") is not None and len(ticks["tickvals"]):
        at = _numbers(ticks["tickvals"])
        nearest = int(np.argmin(np.abs(at - x)))
        near = 1e-6 if of_lam or len(at) == 1 else 0.1 * np.abs(np.diff(at)).min()
        labels = ticks.get("ticktext")
        text = _words(labels[nearest]) if labels is not None else _said(at[nearest])
        if abs(at[nearest] - x) <= near and text:
            return text
    return _said(10**x if of_lam and abs(x) < 300 else x)


def _of_lam(layout: dict[str, Any]) -> bool:
    """Whether the horizontal axis is that of λ, which stands at its logarithm."""
    return _title(layout.get("xaxis") or {}) == "λ"


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
