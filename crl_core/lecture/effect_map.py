"""The effect over the plane of the cause and the nuisance: what each model believes, and what is true.

The plane is (z̄, s̄): z and s along their fixed unit directions. With more than two inputs it is a slice: all that is
orthogonal to the two directions is held at its mean over the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crl_core.results import RunResult, predict
from crl_core.scm import MultiEnvData, along, mix

Array = np.ndarray
SIZE = 56  # cells a side; the browser smooths between them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EffectMap:
    """τ̂ on a SIZE × SIZE grid of (z̄, s̄); row 0 is the largest s̄, as a picture is stored."""

    z: tuple[float, float]
    s: tuple[float, float]
    tau_hat: Array  # [L, SIZE, SIZE], the models of one replicate
    tau: Array  # [SIZE, SIZE]
    plane: Array  # [n, 2], where the rows lie
    centre: float  # the average true effect of the rows
    half: float  # half the width of the colour scale
    is_slice: bool


def _grid_rows(view: MultiEnvData, z_bar: Array, s_bar: Array) -> Array:
    """Latents [n_cells, dz + ds] at the given points of the plane, everything else at its mean."""
    assert view.z is not None
    assert view.s is not None
    parts = []
    for latents, values in ((view.z, z_bar), (view.s, s_bar)):
        k = latents.shape[1]
        unit = np.full(k, 1 / np.sqrt(k))
        rest = latents.mean(axis=0) - (latents.mean(axis=0) @ unit) * unit
        parts.append(rest + values[:, None] * unit)
    return np.concatenate(parts, axis=1)


def _edges(values: Array) -> tuple[float, float]:
    low, high = (float(v) for v in np.quantile(values, [0.002, 0.998]))
    pad = 0.08 * (high - low) or 0.5
    return low - pad, high + pad


def effect_map(result: RunResult, view: MultiEnvData, replicate: int = 0) -> EffectMap | None:
    """The maps of every λ of a replicate; None where z, s or the true effect are not known."""
    if view.z is None or view.s is None or view.ite is None:
        return None
    scenario, n_lams = result.config.scenario, len(result.lams)
    plane = np.stack([along(view.z), along(view.s)], axis=1)
    z, s = _edges(plane[:, 0]), _edges(plane[:, 1])
    z_bar, s_bar = np.meshgrid(np.linspace(*z, SIZE), np.linspace(s[1], s[0], SIZE))
    x = mix(_grid_rows(view, z_bar.ravel(), s_bar.ravel()), scenario, result.config.training.seed + replicate)
    models = slice(replicate * n_lams, (replicate + 1) * n_lams)
    weights = {name: value[models] for name, value in result.weights.items()}
    with np.errstate(invalid="ignore", over="ignore"):  # a diverged model's weights are not finite
        _, y0_hat, y1_hat = predict(weights, x)
        tau_hat = (y1_hat - y0_hat).reshape(n_lams, SIZE, SIZE)
    tau = scenario.effect + scenario.heterogeneity * z_bar  # interaction enters both arms alike

    centre = float(view.ite.mean())
    spread = np.nanmedian(np.abs(tau_hat - centre)) if np.isfinite(tau_hat).any() else 0.0
    half = max(float(np.abs(tau - centre).max()), float(spread), 0.25)
    return EffectMap(
        z=z, s=s, tau_hat=tau_hat, tau=tau, plane=plane, centre=centre, half=half, is_slice=scenario.dim_x > 2
    )  # fmt: skip
