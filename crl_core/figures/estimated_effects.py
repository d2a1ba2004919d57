"""Estimated effects of a table whose true ones nobody knows: how they spread, and what doubly robust scores say.

Bars and bands of doubly robust effects are ± 1.96 standard errors, a row's point by point; those of refits go from the
smallest to the largest refit, and are no confidence intervals.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import Range, bin_counts, bin_edges, effect_limits, held_in, interval, joined, span
from crl_core.figures.base import Trace, axis, empty, figure, number, rgba
from crl_core.figures.lam_curves import Band, Level, filled, level_labels
from crl_core.figures.palette import Palette
from crl_core.measures.effect_checks import WIDE, Group, PolicyCurve

HEIGHT = 360
_BINS = 32
_LANE, _LEAST_HEIGHT = 62, 240  # pixels of an environment, and of the figure
_TALLEST = 0.72  # of a lane, that its outline takes
_MEAN_AT = -0.13  # of the mean, below the outline's foot


def effects_by_env(
    effects: np.ndarray, env: np.ndarray, env_names: Sequence[str], colours: Palette, *, title: str
) -> go.Figure:
    """The distribution of τ̂ in every environment, a lane each, and under it the mean with its range over refits.

    effects: [R, n], of each refit; one that is not finite everywhere is left out. A row's τ̂ is the mean over refits.
    env:     [n] int.
    """
    height = max(_LEAST_HEIGHT, 110 + _LANE * len(env_names))
    known = effects[np.isfinite(effects).all(axis=1)] if effects.size else effects
    if known.size == 0:
        return empty(title, "No refit has estimates to draw.", colours, height=height)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, moved = known.mean(axis=0), float(np.median(known.std(axis=0)))
    limits = effect_limits(None, mean[None])
    inside, beyond = held_in(mean, limits)
    edges = bin_edges(limits, _BINS)
    shares = [bin_counts(inside[env == e], edges) / max(1, int((env == e).sum())) for e in range(len(env_names))]
    tallest = max(float(share.max()) for share in shares) or 1.0
    traces: list[Trace] = []
    for e, name in enumerate(env_names):
        mine, foot, colour = env == e, float(len(env_names) - 1 - e), colours["envs"][e]
        if not mine.any():
            continue
        top = foot + _TALLEST * np.repeat(shares[e], 2) / tallest
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "showlegend": False,
                "x": np.repeat(edges, 2),
                "y": np.concatenate([[foot], top, [foot]]),
                "line": {"color": colour, "width": 1.8 * colours["scale"]},
                "fill": "toself",
                "fillcolor": rgba(colour, 0.22),
                "hoverinfo": "skip",
            }
        )
        traces.append(_mean_of_refits(known[:, mine].mean(axis=1), name, int(mine.sum()), moved, foot, colour, colours))
    lanes = list(range(len(env_names)))
    return figure(
        title,
        traces,
        colours,
        height=height,
        outside=beyond,
        margin={"l": round(112 * colours["scale"])},
        xaxis=axis(
            colours, "estimated effect τ̂", range=list(limits), nticks=7, zeroline=True, zerolinecolor=colours["muted"]
        ),
        yaxis=axis(
            colours,
            range=[-0.35, len(env_names) - 0.1],
            tickvals=lanes,
            ticktext=[_short(name) for name in reversed(env_names)],
            showgrid=False,
        ),
    )


def _mean_of_refits(
    means: np.ndarray, name: str, n: int, moved: float, foot: float, colour: str, colours: Palette
) -> Trace:
    """The mean effect of an environment, [R] over refits, as a point with its range.

    moved: standard deviation over refits of a row's τ̂, the median row's.
    """
    middle, low, high = float(means.mean()), float(means.min()), float(means.max())
    words = f"{name}, {n} rows<br>mean τ̂ {number(middle)}"
    if len(means) > 1:
        words += f"<br>{number(low)} to {number(high)} over {len(means)} refits; a row's τ̂ moves by {number(moved)}"
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [middle],
        "y": [foot + _MEAN_AT],
        "showlegend": False,
        "marker": {"color": colour, "size": 7 * colours["scale"]},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [max(high - middle, 0.0)],
            "arrayminus": [max(middle - low, 0.0)],
            "color": colour,
            "thickness": 2 * colours["scale"],
            "width": 4,
        },
        "hovertemplate": words + "<extra></extra>",
    }


def predicted_against_found(groups: Sequence[Group], colours: Palette, *, title: str) -> go.Figure:
    """Mean τ̂ of groups against their doubly robust effect, with the line on which both agree.

    groups: thirds of τ̂, or environments.
    """
    known = [group for group in groups if np.isfinite([group.predicted, group.effect]).all()]
    if not known:
        return empty(title, "No group of rows has both a predicted and a doubly robust effect.", colours, height=HEIGHT)
    x, y = np.array([group.predicted for group in known]), np.array([group.effect for group in known])
    bars = WIDE * np.array([group.se for group in known])
    across = _with_room(*span(x), room=0.12)
    up = _with_room(*span(joined([y, y - bars, y + bars, across])))
    texts = [
        f"{group.name}, {group.n} rows<br>predicted {number(group.predicted)}, found {number(group.effect)} ± "
        f"{number(bar)}"
        for group, bar in zip(known, bars.tolist(), strict=True)
    ]
    traces: list[Trace] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "as predicted",
            "x": list(across),
            "y": list(across),
            "line": {"color": colours["muted"], "width": 1.3, "dash": "dash"},
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "mode": "markers+text",
            "name": "found by doubly robust scores, ± 1.96 se",
            "x": x,
            "y": y,
            "text": [group.name for group in known],
            "textposition": ["middle left" if value > sum(across) / 2 else "middle right" for value in x],
            "textfont": {"color": colours["muted"], "size": 11 * colours["scale"]},
            "marker": {"color": colours["text"], "size": 8 * colours["scale"]},
            "error_y": {
                "type": "data",
                "array": bars,
                "color": colours["text"],
                "thickness": 1.6 * colours["scale"],
                "width": 5,
            },
            "customdata": texts,
            "hovertemplate": "%{customdata}<extra></extra>",
        },
    ]
    return figure(
        title,
        traces,
        colours,
        height=HEIGHT,
        legend_items=len(traces),
        margin={"l": 62},
        xaxis=axis(colours, "predicted effect, mean τ̂", range=list(across), nticks=7),
        yaxis=axis(colours, "doubly robust effect", range=list(up), nticks=7),
    )


def gain_by_share_treated(policy: PolicyCurve, colours: Palette, *, title: str) -> go.Figure:
    """Gain over treating none of treating the rows of largest τ̂ first, with its pointwise band, the levels of treating
    all and none, and the line of choosing at random."""
    if not np.isfinite(policy.value).any():
        return empty(title, "No order of the rows by effect is known.", colours, height=HEIGHT)
    value, half = policy.value, WIDE * np.where(np.isfinite(policy.se), policy.se, 0)
    everyone = policy.treat_all.value
    low, high = _with_room(*span(joined([value - half, value + half, 0.0, everyone])))
    levels = [Level(name="treat none", value=0.0), Level(name="treat all", value=everyone)]
    traces: list[Trace] = [
        filled(policy.share, Band(median=value, low=value - half, high=value + half), rgba(colours["text"], 0.17)),
        *(_straight([level.value] * 2, colours, "dash") for level in levels if np.isfinite(level.value)),
        *([_straight([0.0, everyone], colours, "dot")] if np.isfinite(everyone) else []),
        {
            "type": "scatter",
            "mode": "lines",
            "name": "largest τ̂ first",
            "x": policy.share,
            "y": value,
            "line": {"color": colours["text"], "width": 2 * colours["scale"]},
            "customdata": [f"{number(gain)} ± {number(error)}" for gain, error in zip(value, half, strict=True)],
            "hovertemplate": "%{x:.0%} treated: %{customdata}<extra></extra>",
        },
    ]
    legend = [
        {"type": "scatter", "mode": "lines", "x": [None], "y": [None], "name": "at random", "hoverinfo": "skip"}
        | {"line": {"color": colours["muted"], "width": 1.3, "dash": "dot"}}
    ]
    return figure(
        title,
        [*traces, *legend],
        colours,
        height=HEIGHT,
        legend_items=2,
        margin={"r": round(78 * colours["scale"]), "l": 62},
        annotations=level_labels(levels, colours, low, high, linear=True, inside=False),
        xaxis=axis(colours, "share of rows treated", range=[0, 1], tickformat=".0%", tickvals=[0, 0.5, 1], tickangle=0),
        yaxis=axis(colours, "gain over treating none", range=[low, high], nticks=7),
    )


def _straight(ends: list[float], colours: Palette, dash: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "showlegend": False,
        "x": [0, 1],
        "y": ends,
        "line": {"color": colours["muted"], "width": 1.3, "dash": dash},
        "hoverinfo": "skip",
    }


def _with_room(low: float, high: float, *, room: float = 0.06) -> Range:
    """An axis' ends with a share of its length beyond each."""
    return interval(low - room * (high - low), high + room * (high - low))


def _short(name: str, most: int = 15) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
