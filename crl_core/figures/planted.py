"""Estimated against planted effects: how far off a method is where the effects are known because they were planted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.axes import joined, robust_range
from crl_core.figures.base import empty
from crl_core.figures.effects import HEIGHT, effect_distribution, estimated_against_true, tallest_bin
from crl_core.figures.palette import Palette
from crl_core.measures.effect_scores import is_constant


def estimated_against_planted(
    ite: np.ndarray,
    ite_hat: np.ndarray,
    env: np.ndarray,
    t: np.ndarray,
    env_names: Sequence[str],
    colours: Palette,
    *,
    title: str,
) -> go.Figure:
    """Scatter with the line on which both agree; where one effect was planted for all, how estimates spread around it.

    ite, ite_hat, env, t: [n]; t is the placebo.
    """
    if len(ite) == 0 or not np.isfinite(ite_hat).all():
        return empty(title, "No planted effect has an estimate to draw.", colours, height=HEIGHT)
    limits = robust_range(joined([ite, ite_hat]))  # errors are what is asked about: nearly all of them are inside
    if is_constant(ite):
        tallest = tallest_bin(ite_hat[None], env, limits)
        return effect_distribution(
            ite_hat, float(ite[0]), env, env_names, colours, limits=limits, tallest=tallest, title=title, planted=True
        )
    return estimated_against_true(ite, ite_hat, env, t, env_names, colours, limits=limits, title=title, planted=True)
