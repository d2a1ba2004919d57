"""How the treated rows of a table compare with the untreated ones, and its environments with each other, by linear
models that are cheap enough to look with.

x: [n, d], t: [n] of 0 and 1, in all functions.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from crl_core.data.scm import MultiEnvData


def propensities(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Chance of the treatment by a cross-fitted logistic regression, [n].

    Folds are drawn: in a file that is sorted, e.g. by site, those of neighbours would be sites never seen.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit_transform(x)
    folds = StratifiedKFold(int(min(5, np.bincount(t, minlength=2).min())), shuffle=True, random_state=0)
    model = LogisticRegression(max_iter=1000)
    chance: np.ndarray = cross_val_predict(model, scaled, t, cv=folds, method="predict_proba")[:, 1]
    return chance


def aucs(values: np.ndarray, t: np.ndarray) -> np.ndarray:
    """How well each column tells treated from untreated rows, [d]: Mann and Whitney's U as a share. values: [n, d]."""
    from scipy.stats import rankdata

    n_treated = int(t.sum())
    ranks = rankdata(values, axis=0)[t == 1].sum(axis=0)
    return np.asarray((ranks - n_treated * (n_treated + 1) / 2) / (n_treated * (len(t) - n_treated)))


def env_auc(rows: MultiEnvData, least: int) -> float:
    """How well covariates tell the arms of these rows apart; NaN where one has fewer than `least`."""
    if min(np.bincount(rows.t, minlength=2)) < least:
        return float("nan")
    return float(aucs(propensities(rows.x, rows.t)[:, None], rows.t)[0])


def mean_differences(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Difference of the arms' means over the root of their mean variance, [d]; over the spread of all rows where
    neither arm has any, and 0 of a constant. x: [n, d]."""
    treated, untreated = x[t == 1], x[t == 0]
    spread = np.sqrt((treated.var(axis=0) + untreated.var(axis=0)) / 2)
    spread = np.where(spread > 0, spread, x.std(axis=0))
    return np.asarray((treated.mean(axis=0) - untreated.mean(axis=0)) / np.where(spread > 0, spread, 1))


def accuracies(rows: MultiEnvData) -> tuple[float, float]:
    """R² of the outcome, cross-fitted over rows drawn of every environment, and over environments left out whole."""
    from sklearn.model_selection import KFold, LeaveOneGroupOut
    from sklearn.preprocessing import StandardScaler

    groups = np.unique(rows.env)
    if len(groups) < 2 or np.ptp(rows.y) == 0:
        return float("nan"), float("nan")
    x = StandardScaler().fit_transform(np.column_stack([rows.x, rows.t]))
    y = (rows.y - rows.y.min()) / np.ptp(rows.y)  # R² has no unit, and squares of very small numbers are 0
    within = KFold(5, shuffle=True, random_state=0).split(x)
    return _r2(x, y, within), _r2(x, y, LeaveOneGroupOut().split(x, y, rows.env))


def _r2(x: np.ndarray, y: np.ndarray, folds: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    from sklearn.linear_model import Ridge

    y_hat = np.empty(len(y))
    for train, others in folds:
        y_hat[others] = Ridge(alpha=1.0).fit(x[train], y[train]).predict(x[others])
    return 1 - float(np.square(y - y_hat).mean() / np.var(y))
