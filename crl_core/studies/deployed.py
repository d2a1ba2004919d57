"""Tests of a deployment batch: a trained model as reference, what the tests find, and a report of all findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from crl_core.data.scm import MultiEnvData
from crl_core.measures import falsifiers
from crl_core.measures.falsifiers import LEVEL, RATIO, REFERENCE
from crl_core.results import RunResult, data_of, one_model, predict

ALARM_TESTS = ("pooled", "nearest", "residuals", "classifier")
TITLES = {
    "pooled": "latent MMD², all environments",
    "nearest": "latent MMD², nearest environment",
    "residuals": "residuals of labelled rows",
    "classifier": "classifier, second opinion",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """A trained model and the held-out rows that stand for its training.

    latents [m, k], env [m]: of at most `REFERENCE` rows, evenly spaced.
    residual, t:             factual residuals and treatments of all held-out rows.
    """

    run: RunResult
    m: int
    lam: float
    weights: dict[str, np.ndarray]
    latents: np.ndarray
    env: np.ndarray
    residual: np.ndarray
    t: np.ndarray
    ite_rmse: float  # held out, known only in simulation; NaN where it is not


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one test found. p is None where the test has none; alarm is None where it could not be made."""

    test: str  # of ALARM_TESTS
    statistic: float
    threshold: float  # the statistic of `residuals` alarms above it, the p of the others at or below it
    p: float | None
    alarm: bool | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchReport:
    """All findings on a batch, with notes on the batch itself."""

    findings: tuple[Finding, ...]
    n_rows: int  # tested
    notes: tuple[str, ...]

    def of(self, test: str) -> Finding:
        return next(finding for finding in self.findings if finding.test == test)


def reference_of(run: RunResult, lam: float, replicate: int = 0, held_out: MultiEnvData | None = None) -> Reference:
    """The reference of a run's model: of `replicate`, at the λ nearest to `lam`.

    held_out: the run's held-out rows of that replicate, if they are at hand; otherwise drawn again from the seed.
    Raises: ValueError if the model diverged.
    """
    m = run.model(lam, replicate)
    weights = one_model(run.weights, m)
    if not all(np.isfinite(value).all() for value in weights.values()):
        raise ValueError(f"the model at λ = {run.lam[m]:g} diverged; there is nothing to watch. Choose another λ.")
    rows = data_of(run.config, replicate)[1] if held_out is None else held_out
    phi, y0_hat, y1_hat = (values[0] for values in predict(weights, rows.x))
    kept = np.unique(np.linspace(0, len(rows) - 1, min(REFERENCE, len(rows))).astype(int))  # in environment order
    return Reference(
        run=run,
        m=m,
        lam=float(run.lam[m]),
        weights=weights,
        latents=phi[kept],
        env=rows.env[kept],
        residual=rows.y - np.where(rows.t == 1, y1_hat, y0_hat),
        t=rows.t,
        ite_rmse=float("nan") if run.ite_rmse is None else float(run.ite_rmse[m]),
    )


def batch_report(
    model: Reference,
    x: Any,
    rng: np.random.Generator,
    *,
    t: Any = None,
    y: Any = None,
    permutations: int = falsifiers.PERMUTATIONS,
    tests: tuple[str, ...] = ALARM_TESTS,
) -> BatchReport:
    """The report of all tests on a deployment batch x [n, d], with treatments and outcomes [n] where labels are known.

    Raises: ValueError in one sentence for a batch that cannot be tested (see `falsifiers.checked_rows`).
    """
    n = len(x) if hasattr(x, "__len__") else 0
    arms, outcomes = falsifiers.as_arms(t, n), falsifiers.as_outcomes(y, n)
    rows, kept, notes = falsifiers.checked_rows(x, model.run.config.dim_x, rng)
    phi, y0_hat, y1_hat = (values[0] for values in predict(model.weights, rows))
    found = []
    if "pooled" in tests:
        found.append(_by_p("pooled", *falsifiers.latent_test(phi, model.latents, rng, permutations)))
    if "nearest" in tests:
        value, p, env = falsifiers.nearest_test(phi, model.latents, model.env, rng, permutations)
        found.append(_by_p("nearest", value, p, f" Nearest: environment {env + 1}."))
    if "residuals" in tests:
        both = None if arms is None or outcomes is None else (arms[kept], outcomes[kept])
        found.append(_unlabelled() if both is None else _residuals(model, *both, y0_hat, y1_hat))
    if "classifier" in tests:
        found.append(_by_p("classifier", *falsifiers.classifier_test(phi, model.latents, rng)))
    return BatchReport(findings=tuple(found), n_rows=len(rows), notes=tuple(notes))


def _by_p(test: str, statistic: float, p: float, more: str = "") -> Finding:
    alarm = p <= LEVEL
    words = (
        f"p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}, at the level {LEVEL:g}: "
        + ("these rows differ from training." if alarm else "as training rows would look.")
        + more
    )
    return Finding(test=test, statistic=statistic, threshold=LEVEL, p=p, alarm=alarm, words=words)


def _residuals(model: Reference, t: np.ndarray, y: np.ndarray, y0_hat: np.ndarray, y1_hat: np.ndarray) -> Finding:
    ratio = falsifiers.residual_ratio(y - np.where(t == 1, y1_hat, y0_hat), t, model.residual, model.t)
    alarm = falsifiers.alarms(ratio)
    said = [
        f"{arm}: {value:.1f} × held out" if np.isfinite(value) else f"{arm}: no labelled row, nothing can be said"
        for arm, value in zip(("untreated", "treated"), ratio, strict=True)
    ]
    worst = float(np.nanmax(ratio)) if np.isfinite(ratio).any() else float("nan")
    return Finding(test="residuals", statistic=worst, threshold=RATIO, p=None, alarm=alarm, words="; ".join(said) + ".")


def _unlabelled() -> Finding:
    words = "No outcomes came with these rows, so no residual can be computed."
    return Finding(test="residuals", statistic=float("nan"), threshold=RATIO, p=None, alarm=None, words=words)


def true_error(model: Reference, data: MultiEnvData) -> float:
    """ITE RMSE of the model on deployed rows; only a simulation knows it. Raises ValueError where none is known."""
    if data.ite is None:
        raise ValueError(
            "treatment has no part in this outcome, so no effect can be wrong; deploy a number as outcome."
        )
    _, y0_hat, y1_hat = (values[0] for values in predict(model.weights, data.x))
    return float(np.sqrt(np.mean(np.square(y1_hat - y0_hat - data.ite))))
