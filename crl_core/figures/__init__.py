"""Figures: arrays in, a Plotly figure out. A builder given no rows returns a titled, empty figure.

Encodings are the same everywhere: environment is colour, treatment is symbol, λ one ordered axis with 0 beyond a break,
truth a thin line in the colour of text. Axes hold for a whole λ path, so nothing jumps while λ moves; what lies beyond
an axis sits on its edge and is counted (`outside`).
"""

from __future__ import annotations

from crl_core.figures.average_effects import effects_along_lam
from crl_core.figures.axes import effect_limits
from crl_core.figures.base import KNOWN_ONLY, empty, outside
from crl_core.figures.effect_columns import columns_that_move_effects, effect_by_inputs
from crl_core.figures.effect_plane import effect_plane
from crl_core.figures.effects import effect_distribution, estimated_against_true, tallest_bin
from crl_core.figures.embedding import Limits, Units, embedding, path_limits
from crl_core.figures.estimated_effects import effects_by_env, gain_by_share_treated, predicted_against_found
from crl_core.figures.images import gray_limits, image_edited, images_by_env
from crl_core.figures.kept_covariates import kept_covariates
from crl_core.figures.lam_curves import Level, along_lam, band, error_along_lam
from crl_core.figures.palette import THEMES, Palette, Theme, palette
from crl_core.figures.planted import estimated_against_planted
from crl_core.figures.ranking import ErrorRow, error_range, error_ranking
from crl_core.figures.saliency import gradient_spectrum, trace_gradient
from crl_core.figures.traces import mv_limits, trace_among, trace_edited, traces_by_env

__all__ = [
    "KNOWN_ONLY",
    "THEMES",
    "ErrorRow",
    "Level",
    "Limits",
    "Palette",
    "Theme",
    "Units",
    "along_lam",
    "band",
    "columns_that_move_effects",
    "effect_by_inputs",
    "effect_distribution",
    "effect_limits",
    "effect_plane",
    "effects_along_lam",
    "effects_by_env",
    "embedding",
    "empty",
    "error_along_lam",
    "error_range",
    "error_ranking",
    "estimated_against_planted",
    "estimated_against_true",
    "gain_by_share_treated",
    "gradient_spectrum",
    "gray_limits",
    "image_edited",
    "images_by_env",
    "kept_covariates",
    "mv_limits",
    "outside",
    "palette",
    "path_limits",
    "predicted_against_found",
    "tallest_bin",
    "trace_among",
    "trace_edited",
    "trace_gradient",
    "traces_by_env",
]
