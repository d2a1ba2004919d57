"""Average effects along λ beside the answers of those who align nothing: where a collapse to the naive one shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import interval, joined, span
from crl_core.figures.base import ARM_SYMBOLS, Trace, axis, empty, figure, key_entry
from crl_core.figures.lam_axis import break_marks, lam_axis
from crl_core.figures.lam_curves import Level, band, curve, in_view, lam_line, level_labels, level_lines
from crl_core.figures.palette import Palette
from crl_core.measures.average_effects import AverageLevels

HEIGHT = 360
ATE, ATT = "average effect (ATE)", "on the treated (ATT)"
NAIVE, LEAST_SQUARES = "naive difference", "least squares"
LEAST_SQUARES_TREATED = "LS, treated"


def effects_along_lam(
    lams: Sequence[float],
    ate: np.ndarray,
    att: np.ndarray,
    levels: AverageLevels,
    picked: int | None,
    colours: Palette,
    *,
    title: str,
) -> go.Figure:
    """ATE and ATT along λ: median and range over replicates, the λ that was chosen marked.

    ate, att: [R, L], NaN where a model diverged.
    levels:   answers without a network; where a large λ erases confounders, both curves end at the naive one.
    picked:   index of the chosen λ; None where none was.
    """
    if ate.size == 0 or not (np.isfinite(ate).any() or np.isfinite(att).any()):
        return empty(title, "No λ has an average effect.", colours, height=HEIGHT)
    named = [
        Level(name=NAIVE, value=levels.naive),
        Level(name=LEAST_SQUARES, value=levels.least_squares),
        Level(name=LEAST_SQUARES_TREATED, value=levels.least_squares_treated),
    ]
    spreads = [band(values) for values in (ate, att)]
    ends = [end for spread in spreads for end in (spread.low, spread.high)]
    low, high = span(joined([*ends, *(level.value for level in named)]))
    low, high = interval(low - 0.06 * (high - low), high + 0.06 * (high - low))
    traces: list[Trace] = level_lines(lams, named, colours, linear=True)
    looks = [(ATE, colours["text"], str(ARM_SYMBOLS[0])), (ATT, colours["muted"], str(ARM_SYMBOLS[1]))]
    for spread, (name, colour, symbol) in zip(spreads, looks, strict=True):
        traces += curve(lams, spread, colours, name, len(ate), colour=colour, symbol=symbol)
    if picked is not None:
        for spread in spreads:
            traces += in_view(lams, spread.median, lams[picked], colours)
    legend = [key_entry(name, colour, symbol, colours) for name, colour, symbol in looks]
    return figure(
        title,
        [*traces, *legend],
        colours,
        height=HEIGHT,
        legend_items=len(legend),
        margin={"r": round(106 * colours["scale"]), "l": 62},
        annotations=level_labels(named, colours, low, high, linear=True, inside=False),
        xaxis=lam_axis(lams, colours),
        yaxis=axis(colours, "", range=[low, high], nticks=7),
        shapes=[*([] if picked is None else [lam_line(lams, lams[picked], colours)]), *break_marks(lams, colours)],
    )
