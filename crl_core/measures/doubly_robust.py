"""Doubly robust scores: of every row a noisy effect whose mean is right if the outcome or the propensity model is.

Score:      Γ = ŷ¹ - ŷ⁰ + (t - e) / (e (1 - e)) · (y - ŷᵗ), the augmented inverse propensity weighted (AIPW) effect.
Nuisances:  ŷ⁰, ŷ¹ and e of a row come from models of the other folds: ridge per arm (logistic regression where y is 0
            or 1 only) and a logistic propensity, on standardised covariates. The environment is no covariate of
            theirs, as it is none of the networks'.
Clipping:   a propensity beyond `FLOOR` from 0 or 1 is held there, and its row is counted: how many of them there are
            stands beside every figure made of the scores, since such rows decide it.
A single score says nothing of its row. What holds of means of scores holds under no hidden confounding only.
Source:     Robins, Rotnitzky, Zhao (1994), Estimation of regression coefficients when some regressors are not always
            observed, JASA 89; cross-fitting: Chernozhukov et al. (2018), Double/debiased machine learning, Econometrics
            Journal 21.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from crl_core.data.scm import MultiEnvData

FLOOR = 0.05  # a propensity is held between this and 1 - this
FOLDS = 5
RIDGE = np.logspace(-3, 4, 8)  # strengths that leave-one-out error chooses among
MOST_FITTED = 5000  # rows of an arm that a nuisance is fitted to at most, so that 100,000 rows take seconds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nuisances:
    """Of every row, by models that did not see it, [n] each: its propensity as estimated, and its outcome in each arm.

    floor: the propensity is held between it and 1 - floor wherever it is divided by.
    """

    propensity: np.ndarray
    y0: np.ndarray
    y1: np.ndarray
    floor: float = FLOOR

    @property
    def held(self) -> np.ndarray:
        """The propensity that scores divide by, [n], in [floor, 1 - floor]."""
        return np.asarray(np.clip(self.propensity, self.floor, 1 - self.floor))

    @property
    def clipped(self) -> np.ndarray:
        """Which rows are hardly ever given the other treatment, [n] bool."""
        return np.asarray((self.propensity < self.floor) | (self.propensity > 1 - self.floor))


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over rows and its standard error, in units of the outcome; NaN where there are too few rows."""

    value: float
    se: float


def nuisances(rows: MultiEnvData, seed: int, folds: int = FOLDS) -> Nuisances:
    """Nuisances of `rows`, out of fold.

    folds:  how many; each has its share of every arm within every environment, but for one row.
    Raises: ValueError if an arm has fewer than 2 rows, or `folds` is below 2.
    """
    return nuisances_by(rows, folds_of(rows, seed, folds), seed)


def folds_of(rows: MultiEnvData, seed: int, folds: int = FOLDS) -> np.ndarray:
    """The fold of every row, [n] int in 0 .. folds - 1: rows of an arm within an environment are dealt out in turn."""
    if folds < 2:
        raise ValueError(f"folds is {folds}; give 2 or more, e.g. {FOLDS}.")
    order = np.lexsort((np.random.default_rng(seed).random(len(rows)), rows.env, rows.t))
    fold = np.empty(len(rows), dtype=np.int64)
    fold[order] = np.arange(len(rows)) % folds
    return fold


def nuisances_by(rows: MultiEnvData, fold: np.ndarray, seed: int) -> Nuisances:
    """Nuisances of `rows` where the fold of each is known, e.g. because the effects were estimated by the same folds.

    fold:   [n] int.  seed: of the rows that are drawn where an arm has more than `MOST_FITTED`.
    Raises: as `nuisances`, and where a fold holds all rows of an arm.
    """
    counts = [int((rows.t == arm).sum()) for arm in (0, 1)]
    if min(counts) < 2:
        raise ValueError(f"there are {counts[0]} untreated and {counts[1]} treated rows; both arms need at least 2.")
    binary = bool(np.isin(rows.y, (0, 1)).all())
    found = np.empty((3, len(rows)))
    for one in np.unique(fold):
        asked, others = rows.x[fold == one], [(fold != one) & (rows.t == arm) for arm in (0, 1)]
        if not min(which.sum() for which in others):
            raise ValueError("all rows of an arm are in one fold; deal them out over two folds or more.")
        drawn = [some_of(which, MOST_FITTED, seed) for which in others]
        for arm, own in enumerate(drawn):
            found[arm, fold == one] = _outcome(rows.x[own], rows.y[own], asked, binary=binary)
        shares = [len(own) / which.sum() for own, which in zip(drawn, others, strict=True)]
        found[2, fold == one] = _propensity(rows.x, drawn, shares, asked)
    return Nuisances(y0=found[0], y1=found[1], propensity=found[2])


def scores(rows: MultiEnvData, known: Nuisances) -> np.ndarray:
    """The doubly robust score Γ of every row, [n]."""
    return aipw(rows.t, rows.y, known.y0, known.y1, known.held)


def aipw(t: np.ndarray, y: np.ndarray, y0: np.ndarray, y1: np.ndarray, propensity: np.ndarray) -> np.ndarray:
    """Γ of rows whose nuisances are known, [n]; the propensity lies strictly between 0 and 1."""
    residual = y - np.where(t == 1, y1, y0)
    return np.asarray(y1 - y0 + (t - propensity) / (propensity * (1 - propensity)) * residual)


def untreated_scores(rows: MultiEnvData, known: Nuisances) -> np.ndarray:
    """The doubly robust score of the untreated outcome, ŷ⁰ + (1 - t) / (1 - e) · (y - ŷ⁰), [n]."""
    return np.asarray(known.y0 + (1 - rows.t) / (1 - known.held) * (rows.y - known.y0))


def average(scores: np.ndarray) -> Estimate:
    """Mean of scores [n] and s / √n, s their standard deviation; NaN below two rows."""
    n = len(scores)
    if n < 2:
        return Estimate(value=float(scores[0]) if n else np.nan, se=np.nan)
    return Estimate(value=float(scores.mean()), se=float(scores.std(ddof=1) / np.sqrt(n)))


def effect_on_treated(rows: MultiEnvData, known: Nuisances) -> Estimate:
    """Average effect on the treated, by its own score (t - (1 - t) e / (1 - e)) (y - ŷ⁰) / P(t = 1).

    Clipping: at 1 - floor only. An untreated row that is hardly ever treated has little weight here, as it should; held
              at `floor`, thousands of them would count as much as the treated.
    Standard error: of the score less its share of the effect, t θ / P(t = 1).
    Source:   Hahn (1998), On the role of the propensity score in efficient semiparametric estimation, Econometrica 66.
    """
    share, n = float(rows.t.mean()), len(rows)
    if share == 0 or n < 2:
        return Estimate(value=np.nan, se=np.nan)
    e = np.minimum(known.propensity, 1 - known.floor)
    score = (rows.t - (1 - rows.t) * e / (1 - e)) * (rows.y - known.y0) / share
    value = float(score.mean())
    return Estimate(value=value, se=average(score - rows.t / share * value).se)


def effect_in_overlap(rows: MultiEnvData, known: Nuisances) -> Estimate:
    """Average effect on the rows that are not clipped: of those who might have had either treatment.

    Estimand: another one than the average of all rows, which no clipping reaches; nothing is divided by `floor` here.
    Source:   Crump, Hotz, Imbens, Mitnik (2009), Dealing with limited overlap in estimation of average treatment
              effects, Biometrika 96.
    """
    return average(scores(rows, known)[~known.clipped])


def scaled(model: Any) -> Any:
    """A model of scikit-learn on standardised covariates."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), model)


def scaled_ridge() -> Any:
    """Ridge on standardised covariates, its strength by leave-one-out error."""
    from sklearn.linear_model import RidgeCV

    return scaled(RidgeCV(RIDGE))


def scaled_logistic() -> Any:
    """Logistic regression on standardised covariates."""
    from sklearn.linear_model import LogisticRegression

    return scaled(LogisticRegression(solver="newton-cholesky"))


def some_of(which: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Indices of all that `which` names, or of `most` of them, drawn without replacement."""
    index = np.flatnonzero(which)
    return index if len(index) <= most else np.random.default_rng(seed).permutation(index)[:most]


def _outcome(x: np.ndarray, y: np.ndarray, asked: np.ndarray, *, binary: bool) -> np.ndarray:
    """Mean outcome at `asked` [m, d], learnt from rows of one arm; their one value where they have no other."""
    if np.ptp(y) == 0:
        return np.full(len(asked), y[0])
    if binary:
        return np.asarray(scaled_logistic().fit(x, y).predict_proba(asked)[:, 1])
    return np.asarray(scaled_ridge().fit(x, y).predict(asked))


def _propensity(x: np.ndarray, by_arm: list[np.ndarray], shares: list[float], asked: np.ndarray) -> np.ndarray:
    """P(t = 1) at `asked` [m, d], learnt from the rows of x that `by_arm` names.

    shares: of each arm's rows, how many are among them; a row stands for as many as were not drawn.
    """
    own = np.concatenate(by_arm)
    t = np.repeat([0, 1], [len(rows) for rows in by_arm])
    weight = np.repeat(1 / np.array(shares), [len(rows) for rows in by_arm])
    model = scaled_logistic().fit(x[own], t, logisticregression__sample_weight=weight)
    return np.asarray(model.predict_proba(asked)[:, 1])
