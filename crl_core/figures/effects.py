"""Estimated against true effects, and their distribution where the truth is one number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import bin_counts, bin_edges, held_in
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
    square,
    truth_legend,
    truth_line,
)
from crl_core.figures.palette import Palette

HEIGHT = 520
_FACETS = 3  # environments side by side
_ACROSS, _DOWN = 0.05, 0.17  # between facets, in shares of the figure; down: of all lines together
_BINS = 60  # of a distribution


def estimated_against_true(
    ite: np.ndarray,
    ite_hat: np.ndarray,
    env: np.ndarray,
    t: np.ndarray,
    env_names: Sequence[str],
    colours: Palette,
    *,
    limits: tuple[float, float],
    title: str,
    apart: bool = False,
    planted: bool = False,
) -> go.Figure:
    """Scatter of true and estimated effects with the line on which both agree.

    ite, ite_hat, env, t: [n].
    apart: one plot an environment.
    planted: the effects are true because they were planted; not drawn apart.
    """
    if len(ite) == 0 or not np.isfinite(ite_hat).all():
        return empty(title, "This model has no estimates to draw.", colours, height=HEIGHT)
    y, beyond = held_in(ite_hat, limits)
    traces: list[Trace] = []
    panes = range(len(env_names)) if apart else [None]
    for pane in panes:
        axes: dict[str, Any] = {} if not pane else {"xaxis": f"x{pane + 1}", "yaxis": f"y{pane + 1}"}
        traces.append(truth_line(limits, limits, colours, **axes))
        drawn = range(len(env_names)) if pane is None else [pane]
        traces += [_points(ite, y, ite_hat, env, t, e, env_names[e], colours, planted) | axes for e in drawn]
    legend = [*([] if apart else env_legend(env_names, colours)), *arm_legend(colours), _legend(colours, planted)]
    if apart:
        return _apart(title, traces, legend, env_names, colours, limits, beyond)
    return figure(
        title,
        [*traces, *legend],
        colours,
        height=HEIGHT,
        legend_items=len(legend),
        outside=beyond,
        xaxis=axis(colours, f"{_word(planted)} effect τ", range=list(limits), nticks=7, **square()[0]),
        yaxis=axis(colours, "estimated effect τ̂", range=list(limits), nticks=7, **square()[1]),
    )


def _points(
    ite: np.ndarray,
    y: np.ndarray,
    ite_hat: np.ndarray,
    env: np.ndarray,
    t: np.ndarray,
    e: int,
    name: str,
    colours: Palette,
    planted: bool,
) -> Trace:
    mine = env == e
    return {
        "type": "scatter",
        "mode": "markers",
        "x": ite[mine],
        "y": y[mine],
        "showlegend": False,
        "legendgroup": f"env{e}",
        "marker": {
            "color": colours["envs"][e],
            "symbol": ARM_SYMBOLS[t[mine]],
            "size": 5.6 * colours["scale"],
            "opacity": 0.75,
            "line": {"width": 0.4, "color": colours["panel"]},
        },
        "customdata": np.column_stack([ite_hat[mine], np.array(ARM_NAMES, dtype=object)[t[mine]]]),
        "hovertemplate": f"{name}, %{{customdata[1]}}<br>{_word(planted)} %{{x:.2f}}, "
        "estimated %{customdata[0]:.2f}<extra></extra>",
    }


def _word(planted: bool) -> str:
    return "planted" if planted else "true"


def _legend(colours: Palette, planted: bool) -> Trace:
    return truth_legend(colours, "planted effect") if planted else truth_legend(colours)


def _apart(
    title: str,
    traces: list[Trace],
    legend: list[Trace],
    env_names: Sequence[str],
    colours: Palette,
    limits: tuple[float, float],
    beyond: int,
) -> go.Figure:
    n_envs = len(env_names)
    columns = 2 if n_envs == 4 else min(_FACETS, n_envs)  # four make a square
    lines = -(-n_envs // columns)
    wide, high = (1 - _ACROSS * (columns - 1)) / columns, (1 - _DOWN / lines * (lines - 1)) / lines
    axes: dict[str, Any] = {}
    notes = []
    for e, name in enumerate(env_names):
        suffix = "" if e == 0 else str(e + 1)
        last_line, first = e + columns >= n_envs, e % columns == 0
        left, top = (e % columns) * (wide + _ACROSS), 1 - (e // columns) * (high + _DOWN / lines)
        place: dict[str, Any] = {"range": list(limits), "nticks": 5}
        square_x, square_y = square(f"x{suffix}")
        x = axis(colours, "true effect τ" if last_line else "", domain=[left, left + wide], **place, **square_x)
        y = axis(colours, "estimated τ̂" if first else "", domain=[top - high, top], **place, **square_y)
        x["anchor"], y["anchor"] = f"y{suffix}", f"x{suffix}"
        x["showticklabels"], y["showticklabels"] = last_line, first
        axes |= {f"xaxis{suffix}": x, f"yaxis{suffix}": y}
        above = note(name, left, "left", top, "paper", colours["envs"][e], colours, yanchor="bottom")  # its square
        notes.append(above | {"font": {"color": colours["envs"][e], "size": 12.5 * colours["scale"]}})
    return figure(
        title,
        [*traces, *legend],
        colours,
        height=max(HEIGHT, 250 * lines),
        legend_items=len(legend),
        outside=beyond,
        margin={"t": 58},
        annotations=notes,
        **axes,
    )


def effect_distribution(
    ite_hat: np.ndarray,
    truth: float,
    env: np.ndarray,
    env_names: Sequence[str],
    colours: Palette,
    *,
    limits: tuple[float, float],
    tallest: float,
    title: str,
    planted: bool = False,
) -> go.Figure:
    """How estimates [n] spread around one true effect: a stepped outline an environment.

    tallest: see `tallest_bin`.
    """
    if len(ite_hat) == 0 or not np.isfinite(ite_hat).all():
        return empty(title, "This model has no estimates to draw.", colours, height=HEIGHT)
    inside, beyond = held_in(ite_hat, limits)
    edges = bin_edges(limits, _BINS)
    traces: list[Trace] = []
    for e, name in enumerate(env_names):
        mine = inside[env == e]
        if len(mine) == 0:
            continue
        share = bin_counts(mine, edges) / len(mine)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "showlegend": True,
                "x": np.repeat(edges, 2),
                "y": np.concatenate([[0], np.repeat(share, 2), [0]]),
                "line": {
                    "color": colours["envs"][e],
                    "width": 1.8 * colours["scale"],
                    "dash": colours["env_dashes"][e] if len(env_names) > 4 else "solid",
                },
                "fill": "tozeroy" if len(env_names) <= 4 else "none",
                "fillcolor": rgba(colours["envs"][e], 0.22),
                "hovertemplate": name + "<br>τ̂ about %{x:.2f}: %{y:.1%} of rows<extra></extra>",
            }
        )
    top = 1.12 * max(tallest, 1e-6)
    traces.append(truth_line([truth, truth], [0, top], colours))
    traces.append(_legend(colours, planted))
    return figure(
        title,
        traces,
        colours,
        height=HEIGHT,
        legend_items=len(traces) - 1,
        outside=beyond,
        xaxis=axis(colours, "estimated effect τ̂", range=list(limits), nticks=7),
        yaxis=axis(colours, "share of rows", range=[0, top], tickformat=".0%", nticks=6),
    )


def tallest_bin(ite_hat: np.ndarray, env: np.ndarray, limits: tuple[float, float]) -> float:
    """The largest share that one bin of `effect_distribution` holds at any λ, of [L, n] estimates."""
    edges, tallest = bin_edges(limits, _BINS), 0.0
    for row in ite_hat:
        for e in np.unique(env):
            mine = row[env == e]
            if np.isfinite(mine).all():
                tallest = max(tallest, float(bin_counts(mine, edges).max()) / len(mine))
    return tallest
