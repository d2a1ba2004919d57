"""A table before training: arms in each environment, overlap of the arms, and how their covariates differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import bin_counts, bin_edges
from crl_core.figures.base import ARM_NAMES, Trace, axis, empty, figure, note, rgba
from crl_core.figures.lanes import EDGE, LANE, MARGIN, height_of, lane_axis, short, stems
from crl_core.figures.palette import Palette

_BINS = 40  # of a propensity
MOST_SHOWN = 10  # inputs
BALANCED = 0.1  # a standardised difference that is usually taken for none


def arms_by_env(arms: np.ndarray, env_names: Sequence[str], colours: Palette) -> go.Figure:
    """Rows of each arm in each environment, [E, 2], untreated first; a treated bar is filled."""
    title = "Arms in each environment"
    n_envs = len(env_names)
    height = 122 + 2 * LANE * max(1, n_envs)
    if n_envs == 0:
        return empty(title, "There is no environment.", colours, height=height)
    lanes = -np.arange(n_envs, dtype=float)
    traces: list[Trace] = []
    for arm, (name, shift, opacity) in enumerate(zip(ARM_NAMES, (0.2, -0.2), (0.25, 1.0), strict=True)):
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "x": arms[:, arm],
                "y": lanes + shift,
                "width": 0.34,
                "text": [f"{int(count):,}" for count in arms[:, arm]],
                "textposition": "outside",
                "textfont": {"color": [colours["bad"] if count == 0 else colours["text"] for count in arms[:, arm]]},
                "cliponaxis": False,
                "marker": {
                    "color": [rgba(colours["envs"][e], opacity) for e in range(n_envs)],
                    "line": {"width": 1.2, "color": [colours["envs"][e] for e in range(n_envs)]},
                },
                "showlegend": False,
                "hovertemplate": f"%{{text}} {name}<extra></extra>",
            }
        )
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [None],
                "y": [None],
                "name": name,
                "hoverinfo": "skip",
                "marker": {"color": colours["muted"], "symbol": ("square-open", "square")[arm], "size": 9},
            }
        )
    return figure(
        title,
        traces,
        colours,
        height=height,
        legend_items=2,
        margin={"l": 118},
        barmode="overlay",
        xaxis=axis(colours, "rows", range=[0, 1.3 * max(1.0, float(arms.max()))], nticks=5, fixedrange=True),
        yaxis=axis(
            colours,
            "",
            range=[float(lanes[-1]) - 0.55, 0.55],
            tickvals=lanes,
            ticktext=[short(name) for name in env_names],
            showgrid=False,
            fixedrange=True,
        ),
    )


def overlap(propensity: np.ndarray, t: np.ndarray, edge: float, colours: Palette) -> go.Figure:
    """Propensities [n] of each arm, treated upwards and untreated downwards: shares of the arm, by their square root,
    since one bar may hold nearly all of an arm.

    edge: what lies below it, or above 1 - edge, is shaded: rows that have hardly a counterpart.
    """
    title, height = "Overlap of the arms", 340
    if len(propensity) == 0:
        return empty(title, "There are no rows to draw.", colours, height=height)
    edges = bin_edges((0.0, 1.0), _BINS)
    shares = [bin_counts(propensity[t == arm], edges) / max(1, int((t == arm).sum())) for arm in (0, 1)]
    traces: list[Trace] = [
        {
            "type": "bar",
            "x": (edges[:-1] + edges[1:]) / 2,
            "y": sign * np.sqrt(shares[arm]),
            "width": 1 / _BINS,
            "name": name,
            "showlegend": False,
            "customdata": 100 * shares[arm],
            "marker": {
                "color": rgba(colours["arms"][arm], 0.45 if arm == 0 else 0.9),
                "line": {"width": 0.8, "color": colours["panel"]},
            },
            "hovertemplate": f"propensity %{{x:.2f}}: %{{customdata:.1f}} % of the {name}<extra></extra>",
        }
        for arm, name, sign in ((0, ARM_NAMES[0], -1.0), (1, ARM_NAMES[1], 1.0))
    ]
    largest = max(0.05, float(max(share.max() for share in shares)))
    most = 1.25 * float(np.sqrt(largest))
    ticks = [share for share in (0.01, 0.05, 0.2, 0.5, 1.0) if 0.04 * most**2 < share < 1.2 * largest]
    return figure(
        title,
        traces,
        colours,
        height=height,
        margin={"l": 58, "t": 46},
        barmode="overlay",
        bargap=0,
        shapes=[
            {
                "type": "rect",
                "x0": low,
                "x1": high,
                "y0": -most,
                "y1": most,
                "line": {"width": 0},
                "layer": "below",
                "fillcolor": rgba(colours["bad"], 0.14),
            }
            for low, high in ((0.0, edge), (1 - edge, 1.0))
        ],
        annotations=[
            note(words, 0.5, "center", y, "y", colours["muted"], colours)
            for words, y in ((f"↑ {ARM_NAMES[1]}", 0.9 * most), (f"↓ {ARM_NAMES[0]}", -0.9 * most))
        ],
        xaxis=axis(
            colours,
            "propensity",
            range=[0, 1],
            tickvals=[edge, 0.5, 1 - edge],
            fixedrange=True,
        ),
        yaxis=axis(
            colours,
            "share of the arm",
            range=[-most, most],
            tickvals=[-np.sqrt(tick) for tick in ticks[::-1]] + [0.0] + [np.sqrt(tick) for tick in ticks],
            ticktext=[f"{100 * tick:.0f} %" for tick in (*ticks[::-1], 0.0, *ticks)],
            fixedrange=True,
        ),
    )


def balance(differences: Mapping[str, float], colours: Palette) -> go.Figure:
    """The largest standardised mean differences between the arms, by input; beyond ± 0.1 they are drawn strong.

    One that is not finite is left out.
    """
    title = "Where the arms differ"
    known = [name for name, value in differences.items() if np.isfinite(value)]
    largest = sorted(known, key=lambda name: -abs(differences[name]))[:MOST_SHOWN]
    height = height_of(len(largest))
    if not largest:
        return empty(title, "There is no covariate that differs between the arms.", colours, height=height)
    values = np.array([differences[name] for name in largest])
    lanes = -np.arange(len(largest), dtype=float)
    inks = [colours["text"] if abs(value) > BALANCED else colours["muted"] for value in values]
    most = 1.15 * max(0.5, min(float(np.abs(values).max()), 1e300))
    bottom, top = float(lanes[-1]) - EDGE, EDGE
    return figure(
        title,
        [
            stems(values, lanes, inks),
            {
                "type": "scatter",
                "mode": "markers",
                "x": values,
                "y": lanes,
                "marker": {"color": inks, "size": 9 * colours["scale"]},
                "text": [escape(name) for name in largest],
                "showlegend": False,
                "cliponaxis": False,
                "hovertemplate": "%{text}: %{x:.2f}<extra></extra>",
            },
        ],
        colours,
        height=height,
        margin={"l": MARGIN},
        shapes=[
            {
                "type": "rect",
                "x0": -BALANCED,
                "x1": BALANCED,
                "y0": bottom,
                "y1": top,
                "line": {"width": 0},
                "layer": "below",
                "fillcolor": rgba(colours["muted"], 0.2),
            }
        ],
        xaxis=axis(colours, "standardised difference", range=[-most, most], fixedrange=True),
        yaxis=lane_axis(largest, colours),
    )
