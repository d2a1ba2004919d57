"""Scores of a run's estimated effects against the true ones: error, bias and correlation, by environment.

From stored weights in NumPy, on held-out rows of each model's own replicate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crl_core.data.scm import MultiEnvData
from crl_core.metrics import by_env
from crl_core.results import RunResult, data_of

MAX_PREDICTIONS = 200_000  # rows × models: about a second on one core
MIN_ROWS = 700
_FLAT = 1e-9  # a spread below this is no spread


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EffectScores:
    """Scores of every model, [M], and by environment, [M, E].

    NaN: not defined (see `pearson`), or the model diverged.
    """

    ite_rmse: np.ndarray  # [M]
    bias: np.ndarray  # [M] mean τ̂ - τ
    correlation: np.ndarray  # [M]
    ite_rmse_by_env: np.ndarray  # [M, E]
    bias_by_env: np.ndarray  # [M, E]
    correlation_by_env: np.ndarray  # [M, E]
    n_rows: int  # held-out rows a replicate
    n_by_env: np.ndarray  # [E] rows of replicate 0


def is_constant(ite: np.ndarray) -> bool:
    """Whether the effect is the same for everyone."""
    return len(ite) == 0 or float(np.ptp(ite)) < _FLAT


def pearson(estimate: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Correlation of estimates [M, n] with a truth [n], [M]; NaN where one of them does not vary: it is not defined."""
    out = np.full(len(estimate), np.nan)
    if is_constant(truth):
        return out
    a = estimate.astype(np.float64) - estimate.mean(axis=1, keepdims=True, dtype=np.float64)
    b = truth - truth.mean()
    spread = np.sqrt((a**2).sum(axis=1) * (b**2).sum())
    varies = np.ptp(estimate, axis=1) > _FLAT  # False for NaN
    out[varies] = (a[varies] @ b) / spread[varies]
    return out


def effect_scores(result: RunResult) -> EffectScores | None:
    """Scores of every model of a run; None where the true effects are not known."""
    n_replicates, n_envs = result.config.training.replicates, result.config.source.n_envs
    most = max(MIN_ROWS, MAX_PREDICTIONS // len(result.lam))
    parts: list[tuple[np.ndarray, ...]] = []
    n_by_env = np.zeros(n_envs, dtype=np.int64)
    n_rows = 0
    for replicate in range(n_replicates):
        rows = _evenly(data_of(result.config, replicate)[1], most)
        if rows.ite is None:
            return None
        if replicate == 0:
            n_rows, n_by_env = len(rows), np.bincount(rows.env, minlength=n_envs)
        estimates = result.effects(rows.x, replicate)
        parts += [_scores(ite_hat[None], rows.ite, rows.env, n_envs) for ite_hat in estimates]
    total, correlation, mse_env, bias_env, correlation_env = (np.concatenate(part) for part in zip(*parts, strict=True))
    return EffectScores(
        ite_rmse=np.sqrt(total[:, 0]),
        bias=total[:, 1],
        correlation=correlation,
        ite_rmse_by_env=np.sqrt(mse_env),
        bias_by_env=bias_env,
        correlation_by_env=correlation_env,
        n_rows=n_rows,
        n_by_env=n_by_env,
    )


def _scores(ite_hat: np.ndarray, ite: np.ndarray, env: np.ndarray, n_envs: int) -> tuple[np.ndarray, ...]:
    """Of models [M, n]: [M, 2] mean square and mean error, [M] correlation, and the same by environment, [M, E]."""
    error = ite_hat.astype(np.float64) - ite
    correlation = np.full((len(ite_hat), n_envs), np.nan)
    for e in np.unique(env):
        correlation[:, e] = pearson(ite_hat[:, env == e], ite[env == e])
    total = np.stack([(error**2).mean(axis=1), error.mean(axis=1)], axis=1)
    return (
        total,
        pearson(ite_hat, ite),
        by_env(error**2, env, n_envs),
        by_env(error, env, n_envs),
        correlation,
    )


def _evenly(data: MultiEnvData, most: int) -> MultiEnvData:
    """At most `most` rows, evenly spaced, so that each environment keeps its share."""
    return data if len(data) <= most else data.rows(np.linspace(0, len(data) - 1, most).astype(np.int64))
