"""The effect over the plane of cause and nuisance: what each model of a λ path believes there, and what is true.

Plane:  (z̄, s̄), the latents along the unit directions with which they enter the equations (`scm.along`). A point
        becomes covariates the way data of the first environment does, without noise: x = `scm.noiseless`(z, s).
Slice:  with more than two inputs, all that is orthogonal to the two directions is held at its mean over the rows.
A model that ignores s has vertical bands only. Where no rows lie, a map is extrapolation; draw the rows on top.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crl_core.config import RunConfig
from crl_core.data.scm import MultiEnvData, along, effect, noiseless
from crl_core.results import RunResult

SIZE = 48  # points a side; a picture smooths between them
_LEAST_HALF = 0.25  # of the colour scale, so that rounding does not look like an effect


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EffectMap:
    """τ̂ of every λ of one replicate, and τ, on a grid of (z̄, s̄)."""

    z: np.ndarray  # [size], ascending
    s: np.ndarray  # [size], ascending
    tau_hat: np.ndarray  # [L, size, size] float32, first s then z; NaN for a diverged model
    tau: np.ndarray  # [size, size]
    rows: np.ndarray  # [n, 2], where the data lies
    centre: float  # the rows' average true effect
    half: float  # half the width of a colour scale that holds for every λ
    is_slice: bool

    @property
    def limits(self) -> tuple[float, float]:
        """Of the colour scale."""
        return self.centre - self.half, self.centre + self.half


def at_plane(view: MultiEnvData, z_bar: np.ndarray, s_bar: np.ndarray) -> np.ndarray:
    """Latents u = [z, s] of points on the plane, [points, dz + ds]; off the plane at the rows' mean.

    z_bar, s_bar: [points].  Raises: ValueError if the rows do not carry z and s.
    """
    if view.z is None or view.s is None:
        raise ValueError("the rows have no z and s; an effect map needs data from a simulation.")
    parts = []
    for latents, values in ((view.z, z_bar), (view.s, s_bar)):
        unit = np.full(latents.shape[1], 1 / np.sqrt(latents.shape[1]))
        mean = latents.mean(axis=0)
        parts.append(mean - (mean @ unit) * unit + values[:, None] * unit)
    return np.concatenate(parts, axis=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plane:
    """Points of the plane before any model is asked about them, and what is true of them."""

    z: np.ndarray  # [size], ascending
    s: np.ndarray  # [size], ascending
    x: np.ndarray  # [size · size, d], row by row of s
    tau: np.ndarray  # [size, size]
    rows: np.ndarray  # [n, 2], where the data lies
    centre: float  # the rows' average true effect
    is_slice: bool

    def under(self, tau_hat: np.ndarray) -> EffectMap:
        """The map of models that estimate these effects at x, [L, size · size]."""
        size = len(self.z)
        away = np.abs(tau_hat[np.isfinite(tau_hat)] - self.centre)
        most = float(np.abs(self.tau - self.centre).max())
        return EffectMap(
            z=self.z,
            s=self.s,
            tau_hat=tau_hat.reshape(-1, size, size),
            tau=self.tau,
            rows=self.rows,
            centre=self.centre,
            half=max(most, float(np.median(away)) if len(away) else 0.0, _LEAST_HALF),
            is_slice=self.is_slice,
        )


def effect_map(result: RunResult, view: MultiEnvData, replicate: int = 0, size: int = SIZE) -> EffectMap | None:
    """The maps of all λ of a replicate; None where z, s, the true effect or the equations are not known.

    view: rows of the same replicate; their reach is the maps' reach.
    """
    plane = plane_of(result.config, view, replicate, size)
    return None if plane is None else plane.under(result.effects(plane.x, replicate))


def plane_of(config: RunConfig, view: MultiEnvData, replicate: int = 0, size: int = SIZE) -> Plane | None:
    """The points that `effect_map` asks a replicate's models about; None where it is None."""
    if view.z is None or view.s is None or view.ite is None or len(view) == 0:
        return None
    if "equations" not in config.source.knows:  # a point of the plane has no x
        return None
    scenario = config.scenario
    rows = np.stack([along(view.z), along(view.s)], axis=1)
    z, s = (np.linspace(*_reach(column), size) for column in rows.T)
    z_bar, s_bar = (grid.ravel() for grid in np.meshgrid(z, s))
    z_at, s_at = np.split(at_plane(view, z_bar, s_bar), [scenario.dim_causal], axis=1)
    first = np.zeros(len(z_bar), dtype=np.int64)
    return Plane(
        z=z,
        s=s,
        x=noiseless(scenario, z_at, s_at, first, config.training.seed + replicate),
        tau=effect(scenario, z_bar).reshape(size, size),
        rows=rows,
        centre=float(view.ite.mean()),
        is_slice=scenario.dim_causal + scenario.dim_spurious > 2,
    )


def _reach(values: np.ndarray) -> tuple[float, float]:
    """All but the outermost rows, with some room around them."""
    low, high = (float(value) for value in np.quantile(values, [0.002, 0.998]))
    room = 0.08 * (high - low) or 0.5
    return low - room, high + room
