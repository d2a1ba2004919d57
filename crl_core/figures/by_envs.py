"""A quantity against the number of environments, over seeds: on a page (Plotly) and in a report (SVG)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import finite_of, interval, joined, linear_ticks, log_axis, log_range, log_ticks, share_of
from crl_core.figures.base import Trace, axis, empty, figure, number
from crl_core.figures.palette import FONT, Palette

HEIGHT = 300
_DODGE = 0.07  # between lines, in environments


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """One line: [sizes, seeds], NaN where not defined. `strong` ones have the colour of text, others the quiet one."""

    name: str
    values: np.ndarray
    strong: bool = True


def spread(values: np.ndarray) -> tuple[float, float, float]:
    """Least, median and largest over seeds [R]. One that broke (NaN) counts as the worst; all NaN: not defined."""
    if np.isnan(values).all():
        return np.nan, np.nan, np.nan
    known = np.sort(np.where(np.isnan(values), np.inf, values))
    low, high = known[(len(known) - 1) // 2], known[len(known) // 2]
    return float(known[0]), float(low if low == high else (low + high) / 2), float(known[-1])


def by_envs(
    sizes: Sequence[int],
    lines: Sequence[Line],
    colours: Palette,
    *,
    title: str,
    label: str,
    log: bool = False,
    limits: tuple[float, float] | None = None,
    level: tuple[float, str] | None = None,
) -> go.Figure:
    """Medians as points, least to largest over seeds as bars. level: a dotted horizontal line and its name."""
    shown = [line for line in lines if np.isfinite(line.values).any()]
    if not shown:
        return empty(title, "No value is defined in this world.", colours, height=HEIGHT)
    low, high = limits or range_of(shown, log)
    traces: list[Trace] = []
    for place, line in enumerate(shown):
        colour = colours["text"] if line.strong else colours["muted"]
        least, middle, largest = np.array([spread(row) for row in line.values]).T
        held = np.clip(middle, low, high)
        words = [
            (
                f"{line.name}, {size} environments<br>median {number(m)}, {number(a)} to {number(b)} over "
                f"{line.values.shape[1]} seeds"
            )
            for size, a, m, b in zip(sizes, least, middle, largest, strict=True)
        ]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": line.name,
                "text": words,
                "x": np.asarray(sizes) + _DODGE * (place - (len(shown) - 1) / 2),
                "y": held,
                "hovertemplate": "%{text}<extra></extra>",
                "line": {"color": colour, "width": 1.6, "dash": "solid" if line.strong else "dash"},
                "marker": {
                    "color": colour,
                    "size": 8 * colours["scale"],
                    "symbol": "circle" if line.strong else "circle-open",
                },
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": np.clip(largest, low, high) - held,
                    "arrayminus": held - np.clip(least, low, high),
                    "color": colour,
                    "thickness": 1.2,
                    "width": 4,
                },
            }
        )
    shapes, notes = [], []
    if level is not None and np.isfinite(level[0]) and (level[0] > 0 or not log):
        at = np.log10(level[0]) if log else level[0]
        shapes.append({"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": level[0], "y1": level[0],
                       "line": {"color": colours["muted"], "width": 1, "dash": "dot"}})  # fmt: skip
        notes.append(
            {
                "text": level[1],
                "x": 0.02,
                "xref": "paper",
                "xanchor": "left",
                "y": at,
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"color": colours["muted"], "size": 11 * colours["scale"]},
            }
        )
    vertical = log_axis(low, high) if log else {"range": list(interval(low, high))}
    return figure(
        title,
        traces,
        colours,
        height=HEIGHT,
        legend_items=len(shown),
        shapes=shapes,
        annotations=notes,
        xaxis=axis(
            colours, "environments", tickvals=list(sizes), range=[min(sizes) - 0.3, max(sizes) + 0.3], fixedrange=True
        ),
        yaxis=axis(colours, label, fixedrange=True, **vertical),
    )


def range_of(lines: Sequence[Line], log: bool) -> tuple[float, float]:
    """Ends of an axis that holds every finite value of all lines."""
    values = joined(line.values for line in lines)
    if log:
        return log_range(values, room=1.3)
    known = finite_of(values)
    if len(known) == 0:
        return 0.0, 1.0
    return interval(min(0.0, float(known.min()) * 1.15), float(known.max()) * 1.08 or 1.0)


_W, _H, _L, _R, _T, _B = 460, 270, 58, 14, 46, 40  # of the drawing, and its margins


def by_envs_svg(
    sizes: Sequence[int],
    lines: Sequence[Line],
    colours: Palette,
    *,
    title: str,
    label: str,
    log: bool = False,
    limits: tuple[float, float] | None = None,
) -> str:
    """The same figure as SVG text, for a report that must open anywhere."""
    shown = [line for line in lines if np.isfinite(line.values).any()]
    low, high = limits or range_of(shown or lines, log)

    def x_at(size: float) -> float:
        return _L + share_of(size, (min(sizes) - 0.3, max(sizes) + 0.3)) * (_W - _L - _R)

    def y_at(value: float) -> float:
        return _H - _B - share_of(value, (low, high), log=log) * (_H - _T - _B)

    ticks = log_ticks(low, high)["tickvals"] if log else linear_ticks(low, high)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_W} {_H}" width="{_W}" height="{_H}" role="img" '
        f'font-family="{FONT}" font-size="11"><title>{escape(title)}</title>'
        f'<rect width="{_W}" height="{_H}" fill="{colours["panel"]}"/>',
        f'<text x="8" y="18" font-size="13" font-weight="600" fill="{colours["text"]}">{escape(title)}</text>',
        f'<text x="8" y="34" fill="{colours["muted"]}">{escape(label)}{", log scale" if log else ""}</text>',
    ]
    for tick in ticks:
        y = y_at(float(tick))
        parts.append(f'<path d="M{_L} {y:.1f}H{_W - _R}" stroke="{colours["grid"]}"/>')
        parts.append(_text(_L - 6, y + 4, f"{tick:.2g}", colours["muted"], "end"))
    parts += [_text(x_at(size), _H - _B + 16, str(size), colours["muted"], "middle") for size in sizes]
    parts.append(_text((_L + _W - _R) / 2, _H - 7, "environments", colours["muted"], "middle"))
    for place, line in enumerate(shown):
        colour = colours["text"] if line.strong else colours["muted"]
        rows = [spread(row) for row in line.values]
        at = [x_at(size + _DODGE * (place - (len(shown) - 1) / 2)) for size in sizes]
        points = [(x, *row) for x, row in zip(at, rows, strict=True) if np.isfinite(row[1])]
        path = "M" + "L".join(f"{x:.1f} {y_at(middle):.1f}" for x, _, middle, _ in points)
        dash = "" if line.strong else ' stroke-dasharray="5 4"'
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>')
        for x, least, middle, largest in points:
            parts.append(f'<path d="M{x:.1f} {y_at(least):.1f}V{y_at(largest):.1f}" stroke="{colour}"/>')
            fill = colour if line.strong else colours["panel"]
            words = f"{line.name}: median {number(middle)}, {number(least)} to {number(largest)}"
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y_at(middle):.1f}" r="4" fill="{fill}" stroke="{colour}">'
                f"<title>{escape(words)}</title></circle>"
            )
        parts.append(_text(_W - _R, 18 + 16 * place, f"{'●' if line.strong else '○'} {line.name}", colour, "end"))
    if not shown:
        parts.append(_text(_W / 2, _H / 2, "No value is defined in this world.", colours["muted"], "middle"))
    return "".join([*parts, "</svg>"])


def _text(x: float, y: float, words: str, colour: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{escape(words)}</text>'
