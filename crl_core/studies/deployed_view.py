"""A model deployed somewhere new, for a page: a fixed plane for new rows, one batch, and dose curves.

Seen:  latents in the plane of largest variance of training latents. Unlike a t-SNE it can place rows it was not made
       with, and it stays where it is while the intervention and its dose move.
Found: the tests' report on a batch, beside the true effect error, which only a simulation knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from crl_core.data.interventions import deploy, limits
from crl_core.data.scm import MultiEnvData, along
from crl_core.figures.axes import robust_range
from crl_core.measures.falsifiers import latent_test
from crl_core.results import RunResult, predict
from crl_core.studies.along_dose import rightness
from crl_core.studies.deployed import BatchReport, Reference, batch_report, reference_of, true_error
from crl_core.studies.detection_rates import MONITOR, WRONG, quadrant

Limits = tuple[float, float]

_MOST = 700  # training rows in a picture
_LATENT_REACH, _CAUSE_REACH = 1.7, 1.5  # so much further than training a new row may lie before it sits on the edge
_NUISANCE = (-9.0, 9.0)  # holds every kind of s that an intervention makes
_TRUTH_ROWS = 2000  # that a true error is measured on
_TRUTH_DRAW = 10_000
_DOSES, _CURVE_ROWS = 17, 1000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """What stays while a dose moves: the model, a plane through its latents, and training rows in two views."""

    model: Reference
    centre: np.ndarray  # [k] mean training latent
    plane: np.ndarray  # [k, 2] orthonormal
    phi: np.ndarray  # [m, 2] training latents in the plane
    zs: np.ndarray  # [m, 2] their cause and nuisance
    env: np.ndarray  # [m]
    window: tuple[Limits, Limits]  # of `phi`
    zs_window: tuple[Limits, Limits]

    def place(self, x: np.ndarray) -> np.ndarray:
        """New rows [n, d] in the plane, [n, 2]."""
        return np.asarray((predict(self.model.weights, x)[0][0] - self.centre) @ self.plane)


def scene_of(run: RunResult, lam: float, held_out: MultiEnvData) -> Scene:
    """The model of `lam` among its held-out rows, which carry z and s. Raises ValueError if the model diverged."""
    model = reference_of(run, lam, held_out=held_out)
    kept = np.unique(np.linspace(0, len(held_out) - 1, _MOST).astype(int))
    phi = predict(model.weights, held_out.x[kept])[0][0].astype(np.float64)
    centre = phi.mean(axis=0)
    plane = np.linalg.svd(phi - centre, full_matrices=False)[2][:2].T
    flat, zs = (phi - centre) @ plane, cause_and_nuisance(held_out)[kept]
    across, up = (_wider(robust_range(flat[:, axis]), _LATENT_REACH) for axis in (0, 1))
    return Scene(
        model=model,
        centre=centre,
        plane=plane,
        phi=flat,
        zs=zs,
        env=held_out.env[kept],
        window=(across, up),
        zs_window=(_wider(robust_range(zs[:, 0]), _CAUSE_REACH), _NUISANCE),
    )


def cause_and_nuisance(data: MultiEnvData) -> np.ndarray:
    """z and s of rows whose latents are known, as the scalars that enter the equations, [n, 2]."""
    assert data.z is not None, "rows of a simulation carry their latents"
    assert data.s is not None
    return np.column_stack([along(data.z), along(data.s)])


def _wider(limits: Limits, times: float) -> Limits:
    middle, half = (limits[0] + limits[1]) / 2, (limits[1] - limits[0]) / 2
    return middle - times * half, middle + times * half


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deployment:
    """A batch after an intervention: what the tests say of it, and what only the simulation knows."""

    batch: MultiEnvData
    report: BatchReport
    error: float  # true ITE RMSE under the intervention
    usual: float  # of unchanged rows

    @property
    def alarms(self) -> int:
        """How many tests alarm."""
        return sum(bool(finding.alarm) for finding in self.report.findings)

    @property
    def quadrant(self) -> str:
        """Of `detection_rates.QUADRANTS`, for a monitor that acts on latent MMD² and residuals."""
        alarm = any(finding.alarm for finding in self.report.findings if finding.test in MONITOR)
        return quadrant(alarm, self.error > WRONG * self.usual)


def deployment(model: Reference, intervention: str, dose: float, n: int, draw: int = 0) -> Deployment:
    """A batch of `n` rows after an intervention, tested; `draw` numbers the batches of a seed. Raises as `deploy`."""
    scenario, seed = model.run.config.scenario, model.run.config.training.seed
    batch = deploy(scenario, intervention, dose, n, seed, draw)
    error, usual = (
        true_error(model, deploy(scenario, what, at, _TRUTH_ROWS, seed, _TRUTH_DRAW))
        for what, at in ((intervention, dose), ("none", 0.0))
    )
    report = batch_report(model, batch.x, np.random.default_rng([seed, draw]), t=batch.t, y=batch.y)
    return Deployment(batch=batch, report=report, error=error, usual=usual)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DoseCurves:
    """What a monitor and what only the simulation sees along the dose of an intervention."""

    doses: tuple[float, ...]  # [D], ascending
    mmd2: np.ndarray  # [D] latent MMD² of one batch
    right: Mapping[str, np.ndarray]  # [D] each: true ITE RMSE as "ite_rmse", or "accuracy" and "auc" of a label


def dose_curves(model: Reference, intervention: str, n: int) -> DoseCurves:
    """Along every environment, or 17 doses of another change: latent MMD² of about n rows, and how right the model is
    on 1,000."""
    scenario, seed = model.run.config.scenario, model.run.config.training.seed
    low, high = limits(scenario, intervention)
    doses = np.arange(low, high + 1) if intervention == "site" else np.linspace(low, high, _DOSES)
    mmd2, right = np.empty(len(doses)), []
    for at, dose in enumerate(doses):
        rows = deploy(scenario, intervention, float(dose), _CURVE_ROWS, seed)
        phi = predict(model.weights, rows.x[:: max(1, _CURVE_ROWS // n)])[0][0]
        mmd2[at] = latent_test(phi, model.latents, np.random.default_rng(0), 1)[0]
        right.append(rightness(model, rows))
    found = {name: np.array([item[name] for item in right]) for name in right[0]}
    return DoseCurves(doses=tuple(doses.tolist()), mmd2=mmd2, right=found)
