"""Names one below the other, each with a lane of its own: the first is at 0, the next at -1, and so on."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from crl_core.figures.base import axis
from crl_core.figures.palette import Palette

LANE = 27  # pixels
EDGE = 0.6  # lanes beyond the first and the last
LONGEST = 16  # letters of a name beside an axis
MARGIN = 128  # pixels that they take
LONGEST_INPUT, INPUT_MARGIN = 22, 168  # of an input: a column and one of its levels


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
