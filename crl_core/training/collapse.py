"""When a model has collapsed: within an arm its predictions hardly vary, though simple regressions show that outcomes
do."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from crl_core.config.run import SIMPLE_ROWS
from crl_core.data.scm import MultiEnvData

COLLAPSED_SHARE = 0.01  # of what simple regressions explain of the outcome's variance within an arm
NEAREST = 15  # rows that the second regression averages


def arm_variance(values: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Mean over the arms present of the variance of `values` [..., n] within the arm."""
    return np.asarray(np.mean([values[..., t == arm].var(axis=-1) for arm in np.unique(t)], axis=0))


def explained_variance(train: MultiEnvData, held_out: MultiEnvData) -> float:
    """Of held-out outcomes within an arm, what least squares or the nearest rows explain, whichever is more.

    Without the truth: an outcome that is all noise, which an honest model predicts by a constant, has none.
    """
    from sklearn.linear_model import LinearRegression
    from sklearn.neighbors import KNeighborsRegressor

    found = []
    for arm in np.unique(held_out.t):
        of_arm, asked = np.flatnonzero(train.t == arm)[:SIMPLE_ROWS], held_out.t == arm
        if len(of_arm) < NEAREST:
            continue
        centre, spread = train.x[of_arm].mean(axis=0), train.x[of_arm].std(axis=0)
        x, x_asked = (
            np.divide(v - centre, spread, out=np.zeros(v.shape), where=spread > 0)
            for v in (train.x[of_arm], held_out.x[asked])
        )
        simple = (LinearRegression(), KNeighborsRegressor(NEAREST))
        with threadpool_limits(1):  # on two busy cores threads take six times as long to solve for fifty columns
            errors = [np.mean((m.fit(x, train.y[of_arm]).predict(x_asked) - held_out.y[asked]) ** 2) for m in simple]
        found.append(max(0.0, held_out.y[asked].var() - min(errors)))
    return float(np.mean(found)) if found else 0.0
