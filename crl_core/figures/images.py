"""Images of a camera: of every environment a row of them, and one of them as taken and as an edit has it.

All images of a figure share one scale of gray, the same on a dark and on a light page: what is brighter was brighter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from textwrap import wrap
from typing import Any

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import Range, colour_scale, compact, evenly, held_in, interval, robust_range
from crl_core.figures.base import Trace, axis, empty, env_legend, figure
from crl_core.figures.palette import Palette

HEIGHT = 300  # of one image and its edit
_EACH = 6  # images in a row
_GAP = 1  # pixels of an image between two
_ROW = 54  # height of a row of images
_GRAY = ("#000000", "#ffffff")
_LABELS = ("no", "yes")
_WORDS = 16  # letters of a line above an image, which a phone has room for


def gray_limits(*images: np.ndarray) -> Range:
    """Black and white of some images [n, pixels]: all but the outermost of their pixels lie between."""
    return robust_range(np.concatenate([np.empty(0), *(image.ravel() for image in images)]), room=0.0)


def images_by_env(
    x: np.ndarray, y: np.ndarray, env: np.ndarray, env_names: Sequence[str], colours: Palette, *, title: str
) -> go.Figure:
    """A few images of each environment, framed in its colour: a row of those of the label no, below it those of yes.

    x: [n, pixels], square images row by row.  y, env: [n].
    """
    chosen = [
        [x[row] for row in own[evenly(len(own), _EACH)]]
        for e in range(len(env_names))
        for label in (0, 1)
        for own in [np.flatnonzero((env == e) & (y == label))]
    ]
    if not any(chosen):
        return empty(title, "There are no rows to draw.", colours, height=HEIGHT)
    side = _side(x.shape[1])
    step = side + _GAP
    sheet = np.full((len(chosen) * step - _GAP, _EACH * step - _GAP), np.nan)
    for row, images in enumerate(chosen):
        for column, image in enumerate(images):
            sheet[row * step : row * step + side, column * step : column * step + side] = image.reshape(side, side)
    around = 0.5 + _GAP / 2
    frames = [
        _frame(-around, 2 * e * step - around, sheet.shape[1] - 1 + around, 2 * step, colours["envs"][e])
        for e in range(len(env_names))
    ]
    return figure(
        title,
        [_gray(sheet, gray_limits(np.array([*chain(*chosen)]))), *env_legend(env_names, colours)],
        colours,
        height=76 + _ROW * len(chosen) + 22 * max(0, len(env_names) - 4),
        legend_items=len(env_names),
        margin={"l": 34, "b": 18},
        shapes=frames,
        xaxis=_square(colours) | {"showticklabels": False, "range": [-around, sheet.shape[1] - 1 + around]},
        yaxis=_square(colours, "x")
        | {
            "range": [sheet.shape[0] - 1 + around, -around],
            "tickvals": [row * step + side / 2 - 0.5 for row in range(len(chosen))],
            "ticktext": [*_LABELS] * len(env_names),
        },
    )


def image_edited(
    before: np.ndarray, after: np.ndarray, env: int, after_name: str, limits: Range, colours: Palette, *, title: str
) -> go.Figure:
    """One image [pixels] as taken, framed in the colour of its environment, and beside it as an edit has it.

    limits: black and white, the same for every image that can be chosen (`gray_limits`).
    """
    if before.size == 0:
        return empty(title, "There is no image to draw.", colours, height=HEIGHT)
    side = _side(len(before))
    sheet = np.full((side, 2 * side + _GAP), np.nan)
    sheet[:, :side], sheet[:, side + _GAP :] = before.reshape(side, side), after.reshape(side, side)
    middle, away = side / 2 - 0.5, side + _GAP
    return figure(
        title,
        [_gray(sheet, limits)],
        colours,
        height=HEIGHT,
        margin={"l": 12, "b": 18, "t": 74},
        shapes=[
            _frame(start - 0.75, -0.75, start + side - 0.25, side + 0.5, colour)
            for start, colour in ((0, colours["envs"][env]), (away, colours["accent"]))
        ],
        xaxis=_square(colours)
        | {
            "range": [-1, 2 * side + 1],
            "side": "top",
            "tickvals": [middle, away + middle],
            "ticktext": ["as recorded", "<br>".join(wrap(after_name, _WORDS))],
        },
        yaxis=_square(colours, "x") | {"showticklabels": False, "range": [side, -1]},
    )


def _side(pixels: int) -> int:
    return math.isqrt(pixels)


def _gray(sheet: np.ndarray, limits: Range) -> Trace:
    """The sheet of images, top row first; what is darker than black or brighter than white is drawn as such."""
    low, high = interval(*limits)
    return {
        "type": "heatmap",
        "z": compact(held_in(sheet.ravel(), (low, high))[0].reshape(sheet.shape)),
        "zmin": low,
        "zmax": high,
        "colorscale": colour_scale(_GRAY),
        "showscale": False,
        "hoverongaps": False,
        "hovertemplate": "%{z:.2f}<extra></extra>",
    }


def _square(colours: Palette, anchor: str = "") -> dict[str, Any]:
    """An axis of pixels, as long on the screen as the other's; the picture stays in the middle of its panel."""
    look = axis(colours) | {"showgrid": False, "showline": False, "ticks": "", "constrain": "domain"}
    if not anchor:
        return look | {"fixedrange": True}
    return look | {"scaleanchor": anchor, "fixedrange": True}


def _frame(left: float, top: float, right: float, tall: float, colour: str) -> dict[str, Any]:
    return {
        "type": "rect",
        "x0": left,
        "x1": right,
        "y0": top,
        "y1": top + tall,
        "line": {"color": colour, "width": 2},
    }
