"""What a run says of effects where nobody knows the true ones: averages along λ, and every row's at one λ.

Effect:  of a row, the mean over replicates of what their models say. With a bootstrap each replicate was fitted to rows
         drawn anew, so that their spread is that of sampling and training; without, it is that of training alone.
λ:       the one of least validation error, the mean over replicates; of least held-out factual error where no rows were
         kept for validation. A wider rule takes a λ that erases the confounders, which the error hardly notices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crl_core.data.refits import fitted_rows
from crl_core.data.scm import MultiEnvData
from crl_core.events import DIVERGED, OK
from crl_core.network import one_model, predict
from crl_core.results import RunResult

NORMAL_90 = 1.645  # standard deviations of a refit that a 90 % interval reaches to either side


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AverageEffects:
    """lams: [L].  factual_mse, mmd2: held out, means over replicates, [L].  ate, att: of each replicate, [R, L].

    choosing: the error that λ is chosen by, [L]; `factual_mse` where no rows were kept for validation.
    picked: index of the λ of least such error; None where no λ has models that all predict.
    """

    lams: tuple[float, ...]
    factual_mse: np.ndarray
    choosing: np.ndarray
    mmd2: np.ndarray
    ate: np.ndarray
    att: np.ndarray
    picked: int | None

    @property
    def lam(self) -> float | None:
        return None if self.picked is None else self.lams[self.picked]


@dataclass(frozen=True, slots=True, kw_only=True)
class AverageLevels:
    """Average effects without a network, over the same rows.

    naive: difference of the arms' mean outcomes, the same answer for all rows and for the treated.
    least_squares, least_squares_treated: by least squares per arm, over all rows and over the treated.
    """

    naive: float
    least_squares: float
    least_squares_treated: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowEffects:
    """Of every row at one λ. y0_hat, effects: of each replicate's model, [R, n]; NaN of one that diverged.

    fitted: whether the replicate was fitted to the row, [R, n]; a row kept for validation was not.
    """

    y0_hat: np.ndarray
    effects: np.ndarray
    fitted: np.ndarray

    @property
    def effect(self) -> np.ndarray:
        """The mean over replicates, [n]."""
        return _mean(self.effects)

    def averages(self, which: np.ndarray) -> np.ndarray:
        """The average effect over some rows by each replicate's model, [R]; NaN where there is no row.

        which: [n] bool.
        """
        return self.effects[:, which].mean(axis=1) if which.any() else np.full(len(self.effects), np.nan)

    @property
    def sd(self) -> np.ndarray:
        """The standard deviation over replicates, [n]; NaN of one replicate."""
        known = np.isfinite(self.effects).sum(axis=0)
        spread = np.sqrt(np.nansum(np.square(self.effects - self.effect), axis=0) / np.maximum(known - 1, 1))
        return np.where(known > 1, spread, np.nan)

    @property
    def out_of_fold(self) -> np.ndarray:
        """The mean over the replicates that were not fitted to the row, [n]; NaN where all were."""
        return _mean(np.where(self.fitted, np.nan, self.effects))


def chosen_by_error(result: RunResult) -> tuple[np.ndarray, int | None]:
    """The error that λ is chosen by, [L], and the index of the λ of least; None where no λ has models that all
    predict."""
    broken = result.by_lam(result.status) != OK  # [R, L]
    judged = result.factual_mse if result.validation_mse is None else result.validation_mse
    choosing = result.by_lam(judged).mean(axis=0)
    error = np.where(broken.any(axis=0), np.inf, choosing)
    return choosing, int(np.argmin(error)) if np.isfinite(error).any() else None


def average_effects(result: RunResult, rows: MultiEnvData) -> AverageEffects:
    """Average effects over `rows`, and over the treated among them, along λ."""
    replicates, treated = range(result.config.training.replicates), rows.t == 1
    choosing, picked = chosen_by_error(result)
    effects = [result.effects(rows.x, replicate).astype(np.float64) for replicate in replicates]  # [L, n] each
    return AverageEffects(
        lams=result.lams,
        factual_mse=result.by_lam(result.factual_mse).mean(axis=0),
        choosing=choosing,
        mmd2=result.by_lam(result.mmd2).mean(axis=0),
        ate=np.stack([found.mean(axis=-1) for found in effects]),
        att=np.stack([found[:, treated].mean(axis=-1) for found in effects]),
        picked=picked,
    )


def average_levels(rows: MultiEnvData) -> AverageLevels:
    """What those who align nothing say of `rows`, of which both arms have some; least squares is fitted to all of
    them."""
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    x = StandardScaler().fit_transform(rows.x)
    treated = rows.t == 1
    # The faintest ridge: levels of a category add up to one, for which its solver has no inverse otherwise.
    untreated_hat, treated_hat = (Ridge(alpha=1e-3).fit(x[own], rows.y[own]).predict(x) for own in (~treated, treated))
    effect = treated_hat - untreated_hat
    return AverageLevels(
        naive=float(rows.y[treated].mean() - rows.y[~treated].mean()),
        least_squares=float(effect.mean()),
        least_squares_treated=float(effect[treated].mean()),
    )


def outcomes_at(result: RunResult, rows: MultiEnvData, at: int) -> tuple[np.ndarray, np.ndarray]:
    """Untreated outcome and effect of `rows` by each replicate's model at the λ of index `at`, [R, n] each; NaN of one
    that diverged."""
    outcomes = []
    for replicate in range(result.config.training.replicates):
        m = replicate * len(result.lams) + at
        _, y0_hat, y1_hat = predict(one_model(result.weights, m), rows.x)
        if result.status[m] == DIVERGED:
            y0_hat = y1_hat = np.full((1, len(rows)), np.nan)
        outcomes.append((y0_hat[0].astype(np.float64), y1_hat[0].astype(np.float64)))
    return np.stack([y0 for y0, _ in outcomes]), np.stack([y1 - y0 for y0, y1 in outcomes])


def row_effects(result: RunResult, rows: MultiEnvData, train: np.ndarray, at: int) -> RowEffects:
    """Effects of `rows` at the λ of index `at`.

    train: indices into `rows` of the training part, as the source gives it to every replicate.
    """
    training = result.config.training
    y0_hat, effects = outcomes_at(result, rows, at)
    fitted = np.zeros(effects.shape, dtype=bool)
    for replicate in range(training.replicates):
        fit, _ = fitted_rows(
            rows.rows(train),
            validation=training.validation,
            bootstrap=training.resample == "bootstrap",
            seed=training.seed + replicate,
        )
        fitted[replicate, train[fit]] = True
    return RowEffects(y0_hat=y0_hat, effects=effects, fitted=fitted)


def _mean(values: np.ndarray) -> np.ndarray:
    """Over replicates, of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, known.sum(axis=0), out=np.full(total.shape, np.nan), where=known.any(axis=0)))
