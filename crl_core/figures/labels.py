"""Rows whose outcome is a yes or no: the cause of each label in each environment, and how often one is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import bin_counts, bin_edges, finite_of, held_in, robust_range
from crl_core.figures.base import Trace, axis, empty, env_legend, figure
from crl_core.figures.palette import Palette

HEIGHT = 300
_BINS = 36
_DASHES = {"yes": "solid", "no": "dot"}  # the label is the line's kind, since the environment is its colour


def cause_by_label(
    z: np.ndarray, y: np.ndarray, env: np.ndarray, env_names: Sequence[str], colours: Palette, *, bars: bool
) -> go.Figure:
    """How z [n] spreads over rows whose label y [n] is 1 and over those whose label is 0, in shares of an environment.

    bars: the axis is z̄, since z has several coordinates.
    """
    title = "The cause, by label"
    if len(z) == 0:
        return empty(title, "There are no rows to draw.", colours, height=HEIGHT)
    limits = robust_range(z)
    inside, beyond = held_in(z, limits)
    edges = bin_edges(limits, _BINS)
    traces: list[Trace] = []
    for e, name in enumerate(env_names):
        for word, dash in _DASHES.items():
            mine = (env == e) & (y == (word == "yes"))
            if not mine.any():
                continue
            share = bin_counts(inside[mine], edges) / (env == e).sum()
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": np.repeat(edges, 2),
                    "y": np.concatenate([[0], np.repeat(share, 2), [0]]),
                    "legendgroup": f"env{e}",
                    "showlegend": False,
                    "line": {"color": colours["envs"][e], "width": 1.8 * colours["scale"], "dash": dash},
                    "hovertemplate": f"{name}, {word}<br>z about %{{x:.2f}}: %{{y:.1%}} of its rows<extra></extra>",
                }
            )
    return figure(
        title,
        [*traces, *env_legend(env_names, colours), *(_key(word, dash, colours) for word, dash in _DASHES.items())],
        colours,
        height=HEIGHT + 22 * max(0, len(env_names) - 4),  # a longer legend takes nothing from the picture
        legend_items=len(env_names) + len(_DASHES),
        outside=beyond,
        xaxis=axis(colours, "z̄, the cause" if bars else "z, the cause", range=list(limits), nticks=7),
        yaxis=axis(colours, "share of rows", rangemode="tozero", tickformat=".0%", nticks=5),
    )


def right_along_dose(
    doses: Sequence[float],
    accuracy: np.ndarray,
    auc: np.ndarray,
    dose: float,
    colours: Palette,
    *,
    title: str,
    dose_title: str,
) -> go.Figure:
    """The share of labels that is right [D], and AUC [D], along the dose, with the dose in view marked."""
    if len(finite_of(accuracy)) == 0:
        return empty(title, "This model has no number here.", colours, height=HEIGHT)
    lines: list[Trace] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": list(doses),
            "y": values,
            "name": name,
            "line": {"color": colour, "width": width, "dash": dash},
            "hovertemplate": f"{name} at %{{x:g}}: %{{y:.3f}}<extra></extra>",
        }
        for name, values, colour, width, dash in (
            ("accuracy", accuracy, colours["accent"], 2.4, "solid"),
            ("AUC", auc, colours["muted"], 1.8, "dash"),
        )
    ]
    here: Trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [dose],
        "y": [float(np.interp(dose, doses, accuracy))],
        "showlegend": False,
        "hoverinfo": "skip",
        "marker": {
            "color": colours["panel"],
            "size": 10 * colours["scale"],
            "line": {"color": colours["accent"], "width": 2.4},
        },
    }
    return figure(
        title,
        [*lines, here],
        colours,
        height=HEIGHT,
        legend_items=len(lines),
        xaxis=axis(colours, dose_title, nticks=8),
        yaxis=axis(colours, range=[0, 1], nticks=5),
    )


def _key(word: str, dash: str, colours: Palette) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [None],
        "y": [None],
        "name": word,
        "hoverinfo": "skip",
        "line": {"color": colours["muted"], "width": 1.8 * colours["scale"], "dash": dash},
    }
