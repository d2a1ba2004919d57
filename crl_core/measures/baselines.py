"""Baselines: estimators without a representation, fitted on the same training rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression

from crl_core import metrics
from crl_core.data.scm import MultiEnvData

Outcomes = tuple[np.ndarray, np.ndarray]  # y0_hat, y1_hat, each [n]

TREE_ROWS = 1500  # that a tree of a forest sees at most, so that large samples stay quick


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """One estimator's errors on held-out rows; NaN with a reason where it could not be fitted or judged."""

    name: str
    ite_rmse: float
    factual_mse: float
    ate_error: float
    reason: str = ""


def constant_effect(train: MultiEnvData, x: np.ndarray, _: np.random.Generator) -> Outcomes:
    """Difference in means: each arm's mean outcome for everyone."""
    return tuple(np.full(len(x), train.y[train.t == arm].mean()) for arm in (0, 1))  # type: ignore[return-value]


def least_squares_with_t(train: MultiEnvData, x: np.ndarray, _: np.random.Generator) -> Outcomes:
    """One linear regression of y on x and t (an S-learner): the same effect for everyone."""
    model = LinearRegression().fit(np.column_stack([train.x, train.t]), train.y)
    return tuple(model.predict(np.column_stack([x, np.full(len(x), arm)])) for arm in (0, 1))


def least_squares_per_arm(train: MultiEnvData, x: np.ndarray, _: np.random.Generator) -> Outcomes:
    """A linear regression for each arm (a T-learner)."""
    return _per_arm(train, x, lambda rows: LinearRegression())


def random_forest_per_arm(train: MultiEnvData, x: np.ndarray, rng: np.random.Generator) -> Outcomes:
    """A random forest for each arm (a T-learner)."""
    seed = int(rng.integers(2**31))

    def new(rows: int) -> RandomForestRegressor:
        seen = min(1.0, TREE_ROWS / rows)
        return RandomForestRegressor(40, min_samples_leaf=5, max_samples=seen, random_state=seed)

    return _per_arm(train, x, new)


def _per_arm(
    train: MultiEnvData, x: np.ndarray, new: Callable[[int], LinearRegression | RandomForestRegressor]
) -> Outcomes:
    """new(rows): an estimator for an arm of so many rows."""
    control, treated = (
        new(int(arm.sum())).fit(train.x[arm], train.y[arm]).predict(x) for arm in (train.t == 0, train.t == 1)
    )
    return control, treated


BASELINES: dict[str, Callable[[MultiEnvData, np.ndarray, np.random.Generator], Outcomes]] = {
    "constant effect": constant_effect,
    "least squares with t": least_squares_with_t,
    "least squares per arm": least_squares_per_arm,
    "random forest per arm": random_forest_per_arm,
}


def fit_all(train: MultiEnvData, held_out: MultiEnvData, rng: np.random.Generator) -> list[Baseline]:
    """Every baseline fitted on `train` and judged on `held_out`, in the order of `BASELINES`."""
    arms = [int(np.sum(train.t == arm)) for arm in (0, 1)]
    found = []
    for name, estimate in BASELINES.items():
        if min(arms) < 2:
            reason = f"{arms[0]} untreated and {arms[1]} treated rows; both arms need at least 2"
            found.append(Baseline(name=name, ite_rmse=np.nan, factual_mse=np.nan, ate_error=np.nan, reason=reason))
            continue
        y0_hat, y1_hat = (outcome[None] for outcome in estimate(train, held_out.x, rng))
        ite_hat, ite = y1_hat - y0_hat, held_out.ite
        found.append(
            Baseline(
                name=name,
                ite_rmse=np.nan if ite is None else float(metrics.ite_rmse(ite_hat, ite)[0]),
                factual_mse=float(metrics.factual_mse(y0_hat, y1_hat, held_out.t, held_out.y)[0]),
                ate_error=np.nan if ite is None else float(metrics.ate_error(ite_hat, ite)[0]),
            )
        )
    return found
