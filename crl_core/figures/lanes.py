"""Names one below the other, each with a lane of its own: the first is at 0, the next at -1, and so on."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from crl_core.figures.base import Trace, axis
from crl_core.figures.palette import Palette

LANE = 27  # pixels
EDGE = 0.6  # lanes beyond the first and the last
LONGEST = 16  # letters of a name beside an axis
MARGIN = 128  # pixels that they take
LONGEST_INPUT, INPUT_MARGIN = 22, 168  # of an input: a column and one of its levels


def height_of(lanes: int) -> int:
    """Pixels of a figure of so many lanes, and never of fewer than three."""
    return 96 + LANE * max(3, lanes)


def stems(values: np.ndarray, lanes: np.ndarray, inks: list[str]) -> Trace:
    """A thin bar from 0 to each value in its lane, all [n]."""
    return {
        "type": "bar",
        "orientation": "h",
        "x": values,
        "y": lanes,
        "width": 0.08,
        "marker": {"color": inks},
        "showlegend": False,
        "hoverinfo": "skip",
    }


def lane_axis(names: Sequence[str], colours: Palette, longest: int = LONGEST) -> dict[str, Any]:
    """The axis that the names stand at."""
    return axis(
        colours,
        "",
        range=[-len(names) + 1 - EDGE, EDGE],
        tickvals=[-float(at) for at in range(len(names))],
        ticktext=[short(name, longest) for name in names],
        showgrid=False,
        fixedrange=True,
    )


def short(name: str, longest: int = LONGEST) -> str:
    """A name of a file in a figure: no markup, and no longer than there is room for."""
    return escape(name if len(name) <= longest else name[: longest - 1] + "…")
