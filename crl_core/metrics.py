"""How good an estimate is: errors of effects and of factual outcomes, one value per model, in float64.

Estimates are [M, n], one row a model; truth, treatment and environment are [n]. Nothing here needs torch.
"""

from __future__ import annotations

import numpy as np


def ite_rmse(ite_hat: np.ndarray, ite: np.ndarray) -> np.ndarray:
    """ITE RMSE, also called √PEHE: √mean((τ̂ - τ)²) over units, in units of the outcome, [M].

    ite: the noiseless truth y1 - y0.  Source: Hill (2011), precision in estimating heterogeneous effects.
    """
    return np.asarray(np.sqrt(np.mean(np.square(ite_hat - ite), axis=-1)), dtype=np.float64)


def ate_error(ite_hat: np.ndarray, ite: np.ndarray) -> np.ndarray:
    """Absolute error of the average effect, |mean τ̂ - mean τ|, [M]."""
    return np.asarray(np.abs(ite_hat.mean(axis=-1) - ite.mean()), dtype=np.float64)


def factual_mse(y0_hat: np.ndarray, y1_hat: np.ndarray, t: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean squared error of the outcome under the treatment received, [M]; y is noisy, so its variance is the floor."""
    return np.asarray(np.mean(np.square(np.where(t == 1, y1_hat, y0_hat) - y), axis=-1), dtype=np.float64)


def factual_mse_by_env(
    y0_hat: np.ndarray, y1_hat: np.ndarray, t: np.ndarray, y: np.ndarray, env: np.ndarray, n_envs: int
) -> np.ndarray:
    """`factual_mse` of each environment, [M, E]; NaN for one without rows."""
    return by_env(np.square(np.where(t == 1, y1_hat, y0_hat) - y), env, n_envs)


def ite_rmse_by_env(ite_hat: np.ndarray, ite: np.ndarray, env: np.ndarray, n_envs: int) -> np.ndarray:
    """`ite_rmse` of each environment, [M, E]; NaN for one without rows."""
    return np.asarray(np.sqrt(by_env(np.square(ite_hat - ite), env, n_envs)))


def by_env(values: np.ndarray, env: np.ndarray, n_envs: int) -> np.ndarray:
    """Mean of [M, n] values over each environment's rows, [M, E]; NaN for one without rows."""
    means = np.full((len(values), n_envs), np.nan)
    for e in np.unique(env):
        means[:, e] = values[:, env == e].mean(axis=1)
    return means


def generalisation_gap(error_by_env: np.ndarray) -> np.ndarray:
    """Worst environment's error minus the mean over environments, [M, E] -> [M].

    0 for a single environment. Environments without rows are left out; NaN for a model that has no error at all.
    """
    known = np.isfinite(error_by_env)
    worst = np.where(known, error_by_env, -np.inf).max(axis=1)
    mean = np.where(known, error_by_env, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.asarray(np.where(known.any(axis=1), worst, np.nan) - mean, dtype=np.float64)
