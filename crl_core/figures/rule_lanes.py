"""Lanes under a curve along λ: for every rule, the λ that it picks in each replicate, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crl_core.figures.axes import finite_of
from crl_core.figures.base import Trace, note, number
from crl_core.figures.lam_axis import positions
from crl_core.figures.palette import Palette
from crl_core.measures.lam_choice import Choice, words_of

_LARGEST, _SMALLEST = 15, 7  # pixels of the mark of a λ that every replicate picks, and of one that few do


def lanes(lams: Sequence[float], choices: Sequence[Choice], colours: Palette) -> list[Trace]:
    """Picks as marks on the second y axis, lane 0 at y = 0, the next at -1; a mark's area is how often it is picked.

    Numbers beside the marks would touch where neighbouring λ are picked on a narrow screen.
    """
    at = positions(lams)
    traces: list[Trace] = []
    for lane, choice in enumerate(choices):
        picked, counts = np.unique(choice.index[choice.index >= 0], return_counts=True)
        if len(picked) == 0:
            continue
        replicates, words = len(choice.index), words_of(choice.rule)
        costs = [finite_of(choice.regret[choice.index == index]) for index in picked]
        regret = [np.median(cost) if len(cost) else np.nan for cost in costs]
        texts = [
            f"{words.title}<br>λ = {lams[int(index)]:g}"
            + (f", in {count} of {replicates} replicates" if replicates > 1 else "")
            + f"<br>{number(float(times))} × the oracle's error"
            for index, count, times in zip(picked, counts, regret, strict=True)
        ]
        colour = colours["truth"] if choice.knows_truth else colours["muted"]
        sizes = np.maximum(_SMALLEST, _LARGEST * np.sqrt(counts / replicates))
        traces.append(
            {
                "type": "scatter", "mode": "markers", "x": at[picked], "y": [-lane] * len(picked), "yaxis": "y2",
                "cliponaxis": False, "opacity": 1, "customdata": texts,
                "hovertemplate": "%{customdata}<extra></extra>", "showlegend": False,
                "marker": {
                    "symbol": "star" if choice.knows_truth else "triangle-up", "color": colour,
                    "size": sizes * colours["scale"], "line": {"width": 0.6, "color": colours["panel"]},
                },
            }
        )  # fmt: skip
    return traces


def lane_labels(choices: Sequence[Choice], colours: Palette) -> list[dict[str, Any]]:
    """Name of each rule, and how many times the oracle\'s error it costs in the median."""
    notes = []
    for lane, choice in enumerate(choices):
        known = choice.regret[np.isfinite(choice.regret)]
        cost = "" if choice.knows_truth else (f" ×{np.median(known):.1f}" if len(known) else " –")
        colour = colours["text"] if choice.knows_truth else colours["muted"]
        notes.append(note(words_of(choice.rule).short + cost, 1, "left", -lane, "y2", colour, colours, xshift=5))
    return notes


def lane_lines(choices: Sequence[Choice], colours: Palette) -> list[dict[str, Any]]:
    """A hairline for each lane."""
    return [
        {
            "type": "line",
            "xref": "paper",
            "yref": "y2",
            "x0": 0,
            "x1": 1,
            "y0": -lane,
            "y1": -lane,
            "layer": "below",
            "line": {"color": colours["grid"], "width": 1},
        }
        for lane in range(len(choices))
    ]
