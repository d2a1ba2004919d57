"""Figures of Identifiability: what was recovered, by which method, from how many environments, at what price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import compact, finite_of, span
from crl_core.figures.base import Trace, axis, decimals, empty, figure, rgba
from crl_core.figures.palette import Palette
from crl_core.measures.overlap import standardised

HEIGHT = 330
CHANCE = "chance, median to 95 %"
Band = tuple[float, float]  # median and 95 % point of what random rotations score


def sub(index: int) -> str:
    return "₁₂₃₄₅₆₇₈₉"[index]


def correlation_matrix(
    matrix: np.ndarray, colours: Palette, *, title: str, letter: str = "z", waiting: str = ""
) -> go.Figure:
    """|correlation| of true (rows) and recovered (columns) coordinates, [d, k]; a permutation if all are recovered."""
    if matrix.size == 0:
        return empty(title, waiting, colours, height=HEIGHT)
    d, k = matrix.shape
    columns, rows = [f"u{sub(j)}" for j in range(k)], [f"{letter}{sub(i)}" for i in range(d)]
    picture: Trace = {
        "type": "heatmap",
        "z": compact(matrix),
        "x": columns,
        "y": rows,
        "zmin": 0,
        "zmax": 1,
        "colorscale": [[0, colours["panel"]], [1, colours["accent"]]],
        "showscale": False,
        "xgap": 3,
        "ygap": 3,
        "hovertemplate": "%{y} with %{x}: %{z:.3f}<extra></extra>",
    }
    figures = [
        {"x": columns[j], "y": rows[i], "text": decimals(matrix[i, j], 2), "showarrow": False,
         "font": {"size": 13 * colours["scale"], "color": colours["panel"] if matrix[i, j] > 0.5 else colours["text"]}}
        for i in range(d) for j in range(k)
    ]  # fmt: skip
    return figure(
        title,
        [picture],
        colours,
        height=HEIGHT,
        margin={"l": 34, "b": round(44 * colours["scale"])},
        annotations=figures,
        xaxis=axis(colours, "recovered u; order and sign are arbitrary", fixedrange=True, showgrid=False),
        yaxis=axis(colours, "", fixedrange=True, showgrid=False, autorange="reversed"),
    )


def while_training(
    steps: Sequence[int],
    mcc: Sequence[float],
    chance: Band | None,
    total: int,
    colours: Palette,
    *,
    title: str,
    waiting: str = "",
) -> go.Figure:
    """MCC over steps beside chance."""
    if not steps:
        return empty(title, waiting, colours, height=HEIGHT)
    line: Trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": list(steps),
        "y": list(mcc),
        "showlegend": False,
        "line": {"color": colours["text"], "width": 2},
        "marker": {"size": 5},
        "hovertemplate": "step %{x}: %{y:.3f}<extra></extra>",
    }
    shapes, notes = _chance(chance, colours)
    return figure(
        title,
        [line],
        colours,
        height=HEIGHT,
        shapes=shapes,
        annotations=notes,
        xaxis=axis(colours, "step", range=list(span([0, 1, total * 1.02])), fixedrange=True),
        yaxis=axis(colours, "", range=[0.3, 1.02], fixedrange=True),
    )


def scatter_matrix(
    truth: np.ndarray, found: np.ndarray, colours: Palette, *, title: str, letter: str = "z"
) -> go.Figure:
    """Every true (rows) against every recovered (columns) coordinate, [n, d] and [n, k]."""
    d, k = truth.shape[1], found.shape[1]
    if not truth.size or not found.size or not (np.isfinite(truth).all() and np.isfinite(found).all()):
        return empty(title, "There are no recovered coordinates to draw.", colours, height=420)
    gap = 0.02
    width, height = (1 - gap * (k - 1)) / k, (1 - gap * (d - 1)) / d
    traces: list[Trace] = []
    axes: dict[str, Any] = {}
    standard = [standardised(compact(part).astype(np.float64)) for part in (found, truth)]
    for i in range(d):
        for j in range(k):
            name = "" if i == j == 0 else str(i * k + j + 1)
            look: dict[str, Any] = {
                "showticklabels": False,
                "showgrid": False,
                "range": [-3.2, 3.2],
                "fixedrange": True,
                "showline": True,
                "mirror": True,
            }
            bottom, left = i == d - 1, j == 0
            start = j * (width + gap)
            axes[f"xaxis{name}"] = axis(
                colours,
                f"u{sub(j)}" if bottom else "",
                domain=[start, min(1, start + width)],
                anchor=f"y{name}",
                **look,
            )
            top = 1 - i * (height + gap)
            axes[f"yaxis{name}"] = axis(
                colours,
                f"{letter}{sub(i)}" if left else "",
                domain=[max(0, top - height), top],
                anchor=f"x{name}",
                **look,
            )
            traces.append(
                {
                    "type": "scattergl" if d * k > 16 else "scatter",
                    "mode": "markers",
                    "x": compact(np.clip(standard[0][:, j], -3.1, 3.1)),
                    "y": compact(np.clip(standard[1][:, i], -3.1, 3.1)),
                    "xaxis": f"x{name}",
                    "yaxis": f"y{name}",
                    "showlegend": False,
                    "hoverinfo": "skip",
                    "marker": {"size": 2.6, "color": rgba(colours["accent"], 0.6)},
                }
            )
    return figure(title, traces, colours, height=420, margin={"l": 34, "b": round(40 * colours["scale"])}, **axes)


def methods_strip(
    scores: Mapping[str, np.ndarray], labels: Mapping[str, bool], chance: Band, colours: Palette, *, title: str
) -> go.Figure:
    """MCC of every seed, a line a method, in the order given.

    labels: whether the method uses the labels of environments.
    """
    names = [name for name, values in scores.items() if np.isfinite(values).any()]
    if not names:
        return empty(title, "No method has a score here.", colours, height=HEIGHT)
    traces: list[Trace] = []
    for kind, shown in ((True, "uses environments"), (False, "does not")):
        mine = [name for name in names if labels[name] == kind]
        colour = colours["accent"] if kind else colours["muted"]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": shown,
                "x": np.concatenate([scores[n] for n in mine] or [np.empty(0)]),
                "y": [n for n in mine for _ in scores[n]],
                "marker": {"color": rgba(colour, 0.55), "size": 7 * colours["scale"]},
                "hovertemplate": "%{y}: %{x:.3f}<extra></extra>",
            }
        )
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "showlegend": False,
                "x": [np.median(finite_of(scores[n])) for n in mine],
                "y": mine,
                "marker": {
                    "symbol": "line-ns-open",
                    "size": 19,
                    "color": colours["text"],
                    "line": {"width": 2.4, "color": colours["text"]},
                },
                "hovertemplate": "%{y}: median %{x:.3f}<extra></extra>",
            }
        )
    shapes, notes = _chance_upright(chance, colours)
    return figure(
        title,
        traces,
        colours,
        height=90 + 27 * len(names),
        legend_items=2,
        shapes=shapes,
        annotations=notes,
        margin={"l": round(172 * colours["scale"]), "b": round(44 * colours["scale"])},
        xaxis=axis(colours, "MCC", range=[0, 1.02], fixedrange=True),
        yaxis=axis(colours, "", fixedrange=True, categoryorder="array", categoryarray=names[::-1], showgrid=False),
    )


def staircase(
    steps: Sequence[int], coordinates: Sequence[np.ndarray], chance: Band, colours: Palette, *, title: str
) -> go.Figure:
    """Median score of every latent against the number of environments; coordinates: [S, d] an entry of `steps`."""
    if not steps:
        return empty(title, "Nothing was measured.", colours, height=HEIGHT)
    middle = np.array([_least_median_largest(part.T)[1] for part in coordinates])  # [E, d]
    traces: list[Trace] = []
    for i in range(middle.shape[1]):
        touched = np.array([count - 1 > i for count in steps])
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": f"z{sub(i)}",
                "x": np.asarray(steps) + 0.05 * (i - 1.5),
                "y": middle[:, i],
                "line": {"color": colours["envs"][i], "width": 1.6},
                "marker": {
                    "size": 9 * colours["scale"],
                    "color": colours["envs"][i],
                    "symbol": np.where(touched, "circle", "circle-open"),
                },
                "hovertemplate": f"z{sub(i)}, " + "%{x:.0f} environments: %{y:.3f}<extra></extra>",
            }
        )
    shapes, notes = _chance(chance, colours)
    return figure(
        title,
        traces,
        colours,
        height=HEIGHT,
        legend_items=len(traces),
        shapes=shapes,
        annotations=notes,
        xaxis=axis(
            colours, "environments", tickvals=list(steps), range=[min(steps) - 0.3, max(steps) + 0.3], fixedrange=True
        ),
        yaxis=axis(colours, "", range=[0.5, 1.02], fixedrange=True),
    )


def price_of_alignment(
    lams: Sequence[float], curves: Mapping[str, np.ndarray], chance: Band, colours: Palette, *, title: str
) -> go.Figure:
    """Medians over seeds, least to largest as bars, against λ; curves: name -> [L, S]."""
    at = np.arange(len(lams))
    looks = (("solid", "accent", "circle"), ("dash", "text", "diamond"), ("dot", "muted", "square"))
    traces: list[Trace] = []
    for (name, values), (dash, colour, symbol) in zip(curves.items(), looks, strict=False):
        least, middle, largest = _least_median_largest(values)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": name,
                "x": at,
                "y": middle,
                "line": {"color": colours[colour], "dash": dash, "width": 2},  # type: ignore[literal-required]
                "marker": {"size": 8 * colours["scale"], "symbol": symbol},
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": largest - middle,
                    "arrayminus": middle - least,
                    "thickness": 1.1,
                    "width": 3,
                },
                "hovertemplate": name + " %{y:.3f}<extra></extra>",
            }
        )
    shapes, notes = _chance(chance, colours, left=True)
    return figure(
        title,
        traces,
        colours,
        height=HEIGHT,
        legend_items=len(traces),
        shapes=shapes,
        annotations=notes,
        xaxis=axis(
            colours,
            "λ of MMD² between environments",
            tickvals=at,
            ticktext=[f"{lam:g}" for lam in lams],
            fixedrange=True,
        ),
        yaxis=axis(colours, "", range=[0, 1.05], fixedrange=True),
    )


def _chance(chance: Band | None, colours: Palette, *, left: bool = False) -> tuple[list[Trace], list[Trace]]:
    """What random rotations score: a band from their median to their 95 % point, and its word."""
    if chance is None or not np.isfinite(chance).all():
        return [], []
    low, high = chance
    edge = {"color": colours["muted"], "width": 1, "dash": "dot"}
    across = {"xref": "paper", "x0": 0, "x1": 1}
    shapes: list[Trace] = [
        {"type": "rect", **across, "y0": low, "y1": high, **_filled(colours)},
        *({"type": "line", **across, "y0": end, "y1": end, "line": edge} for end in chance),
    ]
    word = {
        "text": CHANCE,
        "xref": "paper",
        "x": 0.01 if left else 0.99,
        "xanchor": "left" if left else "right",
        "y": low,
        "yanchor": "top",
        "showarrow": False,
        "font": {"color": colours["muted"], "size": 11 * colours["scale"]},
    }
    return shapes, [word]


def _chance_upright(chance: Band, colours: Palette) -> tuple[list[Trace], list[Trace]]:
    """The same in a picture with the score along x."""
    if not np.isfinite(chance).all():
        return [], []
    low, high = chance
    edge = {"color": colours["muted"], "width": 1, "dash": "dot"}
    upright = {"yref": "paper", "y0": 0, "y1": 1}
    shapes: list[Trace] = [
        {"type": "rect", **upright, "x0": low, "x1": high, **_filled(colours)},
        *({"type": "line", **upright, "x0": end, "x1": end, "line": edge} for end in chance),
    ]
    word = {
        "text": "chance",
        "x": low,
        "yref": "paper",
        "y": 0.01,
        "xanchor": "right",
        "yanchor": "bottom",
        "showarrow": False,
        "xshift": -4,
        "font": {"color": colours["muted"], "size": 11 * colours["scale"]},
    }
    return shapes, [word]


def _filled(colours: Palette) -> Trace:
    return {"fillcolor": rgba(colours["muted"], 0.16), "line": {"width": 0}, "layer": "below"}


def _least_median_largest(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Over the seeds of each row [L, S], [L] each; NaN where a row has none that is finite."""
    rows = [row[np.isfinite(row)] for row in values]
    parts = [(row.min(), np.median(row), row.max()) if len(row) else (np.nan,) * 3 for row in rows]
    least, middle, largest = np.array(parts).reshape(-1, 3).T
    return least, middle, largest
