"""Which covariates the latent holds without a penalty, and which it still holds at the λ in view."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.base import Trace, axis, empty, figure, key_entry
from crl_core.figures.lanes import LANE, MARGIN, lane_axis
from crl_core.figures.palette import Palette
from crl_core.measures.covariate_probes import CovariateProbes

MOST_SHOWN = 15  # covariates, those that lost most


def kept_covariates(found: CovariateProbes, lams: tuple[float, float], colours: Palette, *, title: str) -> go.Figure:
    """R² of each covariate at the least λ, hollow, and at the λ in view, filled, joined; who lost most stands first.

    lams: the two λ. Below 0 an R² is drawn at 0: nothing can be read.
    """
    shown = found.by_loss[:MOST_SHOWN]
    height = 118 + LANE * max(3, len(shown))
    if len(shown) == 0:
        return empty(title, "No covariate varies in these rows, or no model has latents.", colours, height=height)
    before, here = np.clip(found.without[shown], 0.0, 1.0), np.clip(found.here[shown], 0.0, 1.0)
    lanes = -np.arange(len(shown), dtype=float)
    names = [found.names[at] for at in shown]
    moved: list[Trace] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [first, last],
            "y": [lane, lane],
            "line": {"color": colours["muted"], "width": 2 * colours["scale"]},
            "showlegend": False,
            "hoverinfo": "skip",
        }
        for first, last, lane in zip(before.tolist(), here.tolist(), lanes.tolist(), strict=True)
    ]
    looks = [(before, lams[0], colours["text"], "circle-open"), (here, lams[1], colours["accent"], "circle")]
    looks = looks if lams[0] != lams[1] else looks[1:]
    points: list[Trace] = [
        {
            "type": "scatter",
            "mode": "markers",
            "x": values,
            "y": lanes,
            "marker": {
                "color": ink,
                "symbol": symbol,
                "size": 9 * colours["scale"],
                "line": {"width": 2, "color": ink},
            },
            "showlegend": False,
            "cliponaxis": False,
            "hovertemplate": f"λ = {lam:g}: R² %{{x:.2f}}<extra></extra>",
        }
        for values, lam, ink, symbol in looks
    ]
    return figure(
        title,
        [*moved, *points, *(key_entry(f"λ = {lam:g}", ink, symbol, colours) for _, lam, ink, symbol in looks)],
        colours,
        height=height,
        legend_items=len(looks),
        margin={"l": MARGIN},
        xaxis=axis(colours, "R², held out", range=[-0.02, 1.02], nticks=6, fixedrange=True),
        yaxis=lane_axis(names, colours),
    )
