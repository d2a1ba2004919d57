"""Lanes under a curve along λ: for every rule, the λ that it picks in each replicate, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crl_core.figures.base import Trace, note
from crl_core.figures.lam_axis import positions
from crl_core.lam_choice import Choice
from crl_core.palette import Palette


def lanes(lams: Sequence[float], choices: Sequence[Choice], colours: Palette) -> list[Trace]:
    """Picks as marks on the second y axis, lane 0 at y = 0, the next at -1."""
    at = positions(lams)
    traces: list[Trace] = []
    for lane, choice in enumerate(choices):
        known = choice.index >= 0
        if not known.any():
            continue
        picked = choice.index[known]
        replicates = np.flatnonzero(known)
        spread = (replicates - (len(known) - 1) / 2) * min(0.16, 0.5 / max(1, len(known)))
        texts = [
            f"{choice.name}, replicate {r + 1}<br>λ = {lams[i]:g}, ITE RMSE {number(e)}, {g:.2f} × the oracle's"
            for r, i, e, g in zip(
                replicates, picked, choice.ite_rmse[known], choice.regret[known], strict=True
            )
        ]
        traces.append(
            {
                "type": "scatter", "mode": "markers", "x": at[picked], "y": -lane + spread, "yaxis": "y2", "text": texts,
                "hovertemplate": "%{text}<extra></extra>", "showlegend": False,
                "marker": {
                    "symbol": "star" if choice.knows_truth else "triangle-up", "size": (9 if choice.knows_truth else 8) * colours["scale"],
                    "color": colours["truth"] if choice.knows_truth else colours["muted"], "line": {"width": 0.6, "color": colours["panel"]},
                },
            }
        )  # fmt: skip
    return traces


def lane_labels(choices: Sequence[Choice], colours: Palette) -> list[dict[str, Any]]:
    """Name of each rule, and how many times the oracle\'s error it costs in the median."""
    notes = []
    for lane, choice in enumerate(choices):
        known = choice.regret[np.isfinite(choice.regret)]
        cost = "" if choice.knows_truth else (f" ×{np.median(known):.2g}" if len(known) else " –")
        colour = colours["text"] if choice.knows_truth else colours["muted"]
        notes.append(note(choice.name + cost, 1, "left", -lane, "y2", colour, colours, xshift=5))
    return notes


def lane_lines(choices: Sequence[Choice], colours: Palette) -> list[dict[str, Any]]:
    """A hairline for each lane."""
    return [
        {
            "type": "line", "xref": "paper", "yref": "y2", "x0": 0, "x1": 1, "y0": -lane, "y1": -lane, "layer": "below",
            "line": {"color": colours["grid"], "width": 1},
        }
        for lane in range(len(choices))
    ]  # fmt: skip
