"""Images of a camera: of every environment a row of them, and one of them as taken and as an edit has it.

All images of a figure share one scale of gray, the same on a dark and on a light page: what is brighter was brighter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import Range, colour_scale, compact, evenly, held_in, interval, robust_range
from crl_core.figures.base import Trace, axis, empty, figure
from crl_core.figures.palette import Palette

HEIGHT = 300  # of one image and its edit
_EACH = 4  # images of a label in a row
_GAP = 1  # pixels of an image between two
_ROW = 76  # height of a row of images
_GRAY = ("#000000", "#ffffff")
_LABELS = ("no", "yes")


def gray_limits(*images: np.ndarray) -> Range:
    """Black and white of some images [n, pixels]: all but the outermost of their pixels lie between."""
    return robust_range(np.concatenate([np.empty(0), *(image.ravel() for image in images)]), room=0.0)


def images_by_env(
    x: np.ndarray, y: np.ndarray, env: np.ndarray, env_names: Sequence[str], colours: Palette, *, title: str
) -> go.Figure:
    """A few images of each environment, those of the label no on the left, those of yes on the right.

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
    side, columns = _side(x.shape[1]), _EACH * len(_LABELS)
    sheet = np.full((len(env_names) * (side + _GAP) - _GAP, columns * (side + _GAP) - _GAP), np.nan)
    for place, images in enumerate(chosen):
        for k, image in enumerate(images):
            top = place // 2 * (side + _GAP)
            left = ((place % 2) * _EACH + k) * (side + _GAP)
            sheet[top : top + side, left : left + side] = image.reshape(side, side)
    middle, step = side / 2 - 0.5, side + _GAP
    frames = [
        _frame(-0.5 - _GAP / 2, e * step - 0.5 - _GAP / 2, sheet.shape[1] - 0.5 + _GAP / 2, step, colours["envs"][e])
        for e in range(len(env_names))
    ]
    half = _EACH * step / 2
    return figure(
        title,
        [_gray(sheet, gray_limits(np.array([*chain(*chosen)])), colours)],
        colours,
        height=110 + _ROW * len(env_names),
        margin={"l": 86, "b": 18, "t": 62},
        shapes=frames,
        xaxis=_square(colours)
        | {"side": "top", "tickvals": [half - 1, 3 * half - 1], "ticktext": [f"label: {word}" for word in _LABELS]},
        yaxis=_square(colours, "x")
        | {"tickvals": [e * step + middle for e in range(len(env_names))], "ticktext": list(env_names)},
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
        [_gray(sheet, limits, colours)],
        colours,
        height=HEIGHT,
        margin={"l": 12, "b": 18, "t": 62},
        shapes=[
            _frame(start - 0.75, -0.75, start + side - 0.25, side + 0.5, colour)
            for start, colour in ((0, colours["envs"][env]), (away, colours["accent"]))
        ],
        xaxis=_square(colours)
        | {"side": "top", "tickvals": [middle, away + middle], "ticktext": ["as recorded", after_name]},
        yaxis=_square(colours, "x") | {"showticklabels": False},
    )


def _side(pixels: int) -> int:
    return math.isqrt(pixels)


def _gray(sheet: np.ndarray, limits: Range, colours: Palette) -> Trace:
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
    return look | {"scaleanchor": anchor, "autorange": "reversed", "fixedrange": True}


def _frame(left: float, top: float, right: float, tall: float, colour: str) -> dict[str, Any]:
    return {
        "type": "rect",
        "x0": left,
        "x1": right,
        "y0": top,
        "y1": top + tall,
        "line": {"color": colour, "width": 2},
    }
