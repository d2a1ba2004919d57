"""A scenario before training: its rows in the plane of cause and nuisance, outcomes by arm, who is treated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import bin_edges, held_in, robust_range
from crl_core.figures.base import (
    ARM_NAMES,
    ARM_SYMBOLS,
    Trace,
    arm_legend,
    axis,
    empty,
    env_legend,
    figure,
    note,
    rgba,
    truth_legend,
    truth_line,
)
from crl_core.figures.palette import Palette

PLANE_HEIGHT = 360
_ROW_HEIGHT = 190  # of a panel of outcomes
_LINE_POINTS = 61  # of a mean outcome
_LANES = (44, 27)  # pixels of an environment's propensity where there are few, and where there are many
_MOST_A_ROW = 4
_SIGNS = ("●", "◆")  # of the arms, as the legend shows them
_OVER = {"yanchor": "bottom", "align": "left"}


def world_plane(
    z: np.ndarray,
    s: np.ndarray,
    env: np.ndarray,
    t: np.ndarray,
    env_names: Sequence[str],
    colours: Palette,
    *,
    bars: bool,
) -> go.Figure:
    """Rows [n] in the plane of z and s.

    bars: the axes are z̄ and s̄, since z and s have several coordinates.
    """
    title = "The rows, before any training"
    if len(z) == 0:
        return empty(title, "There are no rows to draw.", colours, height=PLANE_HEIGHT)
    limits = robust_range(z), robust_range(s)
    x, beyond_x = held_in(z, limits[0])
    y, beyond_y = held_in(s, limits[1])
    traces = [_points(x, y, env, t, e, name, colours, bars) for e, name in enumerate(env_names)]
    mark = "̄" if bars else ""
    return figure(
        title,
        [*traces, *env_legend(env_names, colours), *arm_legend(colours)],
        colours,
        height=PLANE_HEIGHT + 22 * max(0, (len(env_names) - 2) // 2),  # a longer legend takes nothing from the picture
        legend_items=len(env_names) + 2,
        outside=max(beyond_x, beyond_y),
        xaxis=axis(colours, f"z{mark}, the cause", range=list(limits[0])),
        yaxis=axis(colours, f"s{mark}, the nuisance", range=list(limits[1])),
    )


def _points(
    x: np.ndarray,
    y: np.ndarray,
    env: np.ndarray,
    t: np.ndarray,
    e: int,
    name: str,
    colours: Palette,
    bars: bool,
    y_name: str = "s",
    **more: Any,
) -> Trace:
    mine, mark = env == e, "̄" if bars else ""
    y_mark = mark if y_name == "s" else ""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": x[mine],
        "y": y[mine],
        "showlegend": False,
        "legendgroup": f"env{e}",
        "marker": {
            "color": colours["envs"][e],
            "symbol": ARM_SYMBOLS[t[mine]],
            "size": 5.4 * colours["scale"],
            "opacity": 0.8,
            "line": {"width": 0.4, "color": colours["panel"]},
        },
        "text": np.array(ARM_NAMES, dtype=object)[t[mine]],
        "hovertemplate": f"{name}, %{{text}}<br>z{mark} %{{x:.2f}}, {y_name}{y_mark} %{{y:.2f}}<extra></extra>",
    } | more


def outcome_by_arm(
    z: np.ndarray,
    y: np.ndarray,
    env: np.ndarray,
    t: np.ndarray,
    env_names: Sequence[str],
    mean_outcomes: Callable[[np.ndarray], np.ndarray],
    colours: Palette,
    *,
    bars: bool,
) -> go.Figure:
    """A panel an environment, y against z, with the mean outcome of each arm as the truth has it.

    mean_outcomes: of z [n] the mean outcome untreated and treated in each environment, [E, 2, n].
    """
    title = "Outcomes by arm"
    n_envs = len(env_names)
    n_cols = n_envs if n_envs <= _MOST_A_ROW else -(-n_envs // -(-n_envs // _MOST_A_ROW))
    n_rows = -(-n_envs // n_cols) if n_envs else 1
    height = 104 + (_ROW_HEIGHT + 58) * n_rows + (60 if n_envs <= 2 else 0)
    if len(z) == 0:
        return empty(title, "There are no rows to draw.", colours, height=height)
    x_range, y_range = robust_range(z, room=0.1), robust_range(y, room=0.1)
    x, beyond_x = held_in(z, x_range)
    held_y, beyond_y = held_in(y, y_range)
    gap_x, gap_y = 0.022, 0.41 / n_rows if n_rows > 1 else 0.0
    width, tall = (1 - gap_x * (n_cols - 1)) / n_cols, (1 - gap_y * (n_rows - 1)) / n_rows
    along, mark = bin_edges(x_range, _LINE_POINTS - 1), "̄" if bars else ""
    means = mean_outcomes(along)
    traces: list[Trace] = []
    layout: dict[str, Any] = {}
    notes = []
    for e, name in enumerate(env_names):
        col, row, k = e % n_cols, e // n_cols, "" if e == 0 else str(e + 1)
        left, top = col * (width + gap_x), 1 - row * (tall + gap_y)
        here = {"xaxis": f"x{k}", "yaxis": f"y{k}"}
        traces.append(_points(x, held_y, env, t, e, name, colours, bars, "y", **here))
        for arm in (0, 1):
            seen = bool(((env == e) & (t == arm)).any())
            line = truth_line(list(along), list(means[e, arm]), colours, **here)
            line["line"] = line["line"] | {"dash": "solid" if seen else "dot"}
            traces.append(line)
        layout[f"xaxis{k}"] = axis(
            colours,
            f"z{mark}" if row == n_rows - 1 or e + n_cols >= n_envs else "",
            range=list(x_range),
            domain=[left, min(1.0, left + width)],
            anchor=f"y{k}",
            nticks=5,
        )
        layout[f"yaxis{k}"] = axis(
            colours,
            "y" if col == 0 else "",
            range=list(y_range),
            domain=[max(0.0, top - tall), top],
            anchor=f"x{k}",
            nticks=5,
            showticklabels=col == 0,
        )
        seen_arms = np.unique(t[env == e])
        called = name if len(env_names) < 4 else name.replace(" ", "<br>")  # a phone has no more room
        words = called + (f"<br>only {_SIGNS[int(seen_arms[0])]}" if len(seen_arms) == 1 else "")
        notes.append(note(words, left, "left", top, "paper", colours["envs"][e], colours, yshift=3) | _OVER)
    return figure(
        title,
        [
            *traces,
            *arm_legend(colours),
            truth_legend(colours, "true mean of an arm; dotted: not seen"),
        ],
        colours,
        height=height,
        legend_items=3,
        margin={"t": 70 if len(env_names) < 4 else 84, "l": 40},
        annotations=notes,
        outside=max(beyond_x, beyond_y),
        **layout,
    )


def propensities(
    shares: np.ndarray, spans: np.ndarray, env_names: Sequence[str], colours: Palette, *, spread: bool
) -> go.Figure:
    """A lane an environment: the share of treated rows [E], and the range of P(t = 1) over its units [E, 2].

    spread: whether the range is worth drawing. An end of the scale, where an arm is missing, is shaded.
    """
    title = "Who is treated"
    height = 104 + _LANES[len(env_names) > 4] * len(env_names)
    if len(env_names) == 0:
        return empty(title, "There is no environment.", colours, height=height)
    lanes = -np.arange(len(env_names), dtype=float)
    traces: list[Trace] = []
    for e, name in enumerate(env_names):
        if spread:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": list(spans[e]),
                    "y": [lanes[e]] * 2,
                    "showlegend": False,
                    "line": {"color": rgba(colours["envs"][e], 0.5), "width": 6},
                    "hoverinfo": "skip",
                }
            )
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [shares[e]],
                "y": [lanes[e]],
                "showlegend": False,
                "marker": {
                    "color": colours["envs"][e],
                    "size": 12 * colours["scale"],
                    "line": {"width": 1.2, "color": colours["panel"]},
                },
                "cliponaxis": False,
                "hovertemplate": f"{name}: {100 * shares[e]:.3g} % treated<extra></extra>",
            }
        )
    top, bottom = 0.6, float(lanes[-1]) - 0.6
    shade = [
        {
            "type": "rect",
            "x0": a,
            "x1": b,
            "y0": bottom,
            "y1": top,
            "line": {"width": 0},
            "layer": "below",
            "fillcolor": rgba(colours["bad"], 0.14),
        }
        for a, b in ((-0.06, 0.05), (0.95, 1.06))
    ]
    words = [
        note("no one", 0.0, "left", 1, "paper", colours["muted"], colours, yshift=9),
        note("everyone", 1.0, "right", 1, "paper", colours["muted"], colours, yshift=9),
    ]
    return figure(
        title,
        traces,
        colours,
        height=height,
        margin={"l": 112, "t": 58, "b": 42},
        shapes=shade,
        annotations=words,
        xaxis=axis(
            colours,
            "share of treated rows",
            range=[-0.06, 1.06],
            tickvals=[0, 0.5, 1],
            ticktext=["0 %", "50 %", "100 %"],
            tickangle=0,
            fixedrange=True,
        ),
        yaxis=axis(
            colours,
            "",
            range=[bottom, top],
            tickvals=lanes,
            ticktext=list(env_names),
            showgrid=False,
            fixedrange=True,
        ),
    )
