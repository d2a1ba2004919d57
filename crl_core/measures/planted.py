"""Effects planted in a table of one's own: real rows, of which the effects are known because they were put there.

Rows:    the untreated ones alone, with their covariates, outcome, environment and noise as they are.
Placebo: a treatment that did nothing, drawn for each of them from a propensity that was fitted to the whole table, its
         logit shifted until the real share of rows is treated; a coin of that share where covariates tell the arms
         apart no better than chance would. The environment is none of its covariates, as it is none of the networks':
         beyond x nothing decides who is treated, so that there is no hidden confounding.
Effect:  τ(x), added to the outcome of the placebo-treated. constant: `size` standard deviations of the untreated
         outcome. linear: so on average, moving by half of that with a random direction of a few standardised columns.
Two outcomes: whether one is 1 is a chance, which no sum moves exactly. An untreated 0 of a placebo-treated row becomes
         1 with probability τ / (1 - p), or where τ < 0 a 1 becomes 0 with probability -τ / p, p being the row's chance
         of 1 by models that did not see it; τ is cut to what p allows, [-p, 1 - p]. The average effect is then known
         exactly, in expectation over the changes, whatever p is: rows' own outcomes are in it. A row's own effect is τ
         as far as its p is right (where outcomes were logistic it was off by 1.1 percentage points in 630 untreated
         rows, by 0.4 in 14,000), and no other change of outcomes would know it better: what a change does to a chance
         depends on the chance.
Limits:  rows that look only like treated ones are not in it. Nothing here may choose a λ or a method: the errors on
         planted and on real effects go together only loosely.
Source:  tables of the empirical Monte Carlo kind: Huber, Lechner, Wunsch (2013), The performance of estimators based on
         the propensity score, Journal of Econometrics 175.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy.special import expit, logit

from crl_core.data.scm import MultiEnvData, Stream, rng_for, split
from crl_core.data.tables.making import LEAST_IN_ARM
from crl_core.measures.doubly_robust import Nuisances, nuisances

Shape = Literal["constant", "linear", "zero"]
LARGEST = 10.0  # standard deviations, either way
USUAL, USUAL_OF_TWO = 1.0, 0.3  # standard deviations; of two outcomes 0.3 are 9 to 15 percentage points
COLUMNS, TILT = 3, 0.5  # that a linear effect depends on, and its standard deviation in shares of its mean
COMMON = 0.9  # share of rows that may have a column's commonest value; a rarer level would carry the whole effect
CHANCE = 2.0  # standard errors of the AUC from 0.5 within which arms are drawn by lot
_SURE = 1e-6  # a propensity stays this far from 0 and 1, so that its logit is finite


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planting:
    """Untreated rows with a placebo treatment and a planted effect.

    rows:    in the table's order. y0 is the outcome as it was, noise included, y1 the same with the effect.
    place:   of each among the table's rows, [n].
    ite:     the planted effect, [n], in the outcome's unit: exactly, but of two outcomes as far as fitted chances are
             right.
    ate:     the planted effect on average, exactly; of two outcomes in expectation over which of them were changed.
    two_outcomes: whether the table's outcome is 0 or 1.
    cut:     share of rows whose effect is smaller than was asked for, since a chance has no room for it.
    chance:  of the placebo, [n].  coin: whether it is the same for all because arms look drawn by lot.
    sd:      standard deviation of the untreated outcome, which `size` is measured in.
    columns: of x that the effect depends on.
    """

    rows: MultiEnvData
    place: np.ndarray
    ite: np.ndarray
    ate: float
    cut: float
    two_outcomes: bool
    chance: np.ndarray
    coin: bool
    sd: float
    size: float
    shape: Shape
    columns: tuple[int, ...] = ()

    def parts(self, seed: int) -> tuple[MultiEnvData, MultiEnvData]:
        """Training rows and held-out rows, split as a table's are."""
        train, held_out = split(self.rows, seed)
        return self.rows.rows(train), self.rows.rows(held_out)


def plant(rows: MultiEnvData, *, size: float = 1.0, shape: Shape = "constant", seed: int = 0) -> Planting:
    """Plant an effect in the untreated rows of a table.

    rows:   all of the table's; true effects that they may have are not looked at.
    size:   average effect in standard deviations of the untreated outcome; of "zero" it does not matter.
    seed:   of the placebo, the same for every shape and size, and of a linear effect's direction.
    Raises: ValueError with one sentence where the outcome is the same in all untreated rows, where an arm is too small,
            and where `size` or `shape` is none.
    """
    if shape not in get_args(Shape):
        raise ValueError(f"the shape is {shape}; a planted effect is {', '.join(get_args(Shape)[:-1])} or zero.")
    if not abs(size) <= LARGEST:  # not of NaN
        raise ValueError(f"the planted effect is {size:g} sd; give {-LARGEST:g} to {LARGEST:g}, e.g. 1.")
    _check_arms("the table has", rows.t)
    place = np.flatnonzero(rows.t == 0)
    own = rows.rows(place)
    sd = float(own.y.std())
    if np.ptp(own.y) == 0:
        raise ValueError("the outcome is the same in all untreated rows, no unit for an effect; choose another.")
    rng = rng_for(seed, Stream.PLACEBO)
    known = nuisances(rows, seed)
    chance, coin = placebo_chances(rows, known)
    t = (rng.random(len(own)) < chance).astype(np.int64)
    _check_arms("the placebo makes", t)
    ite = np.full(len(own), 0.0 if shape == "zero" else size * sd)
    columns: tuple[int, ...] = ()
    if shape == "linear":
        direction, columns = _direction(own.x, rng)
        ite = ite * (1 + TILT * direction)
    y1, ate, cut = own.y + ite, float(ite.mean()), 0.0
    two_outcomes = _are_two(rows.y)
    if two_outcomes:
        asked, p = ite, np.clip(known.y0[place], 0, 1)
        ite = np.clip(asked, -p, 1 - p)
        y1, ate = _changed(own.y, ite, p, rng)
        cut = float((np.abs(ite - asked) > 1e-9).mean())
    planted = MultiEnvData(x=own.x, t=t, env=own.env, y=np.where(t == 1, y1, own.y), y0=own.y, y1=y1)
    return Planting(
        rows=planted,
        place=place,
        ite=ite,
        ate=ate,
        cut=cut,
        two_outcomes=two_outcomes,
        chance=chance,
        coin=coin,
        sd=sd,
        size=0.0 if shape == "zero" else size,
        shape=shape,
        columns=columns,
    )


def usual_size(rows: MultiEnvData) -> float:
    """The size that is planted where nobody says another."""
    return USUAL_OF_TWO if _are_two(rows.y) else USUAL


def _are_two(y: np.ndarray) -> bool:
    return bool(np.isin(y, (0, 1)).all())


def _changed(y: np.ndarray, effect: np.ndarray, p: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Outcomes of 0 and 1 of which some are changed, so that a chance p moves by `effect`, [n] each; and by how much
    they change on average, in expectation over the draws."""
    room = np.where(effect > 0, 1 - p, p)
    moved = np.divide(np.abs(effect), room, out=np.zeros(len(y)), where=room > 0)
    movable = np.where(effect > 0, y == 0, y == 1)
    changes = movable & (rng.random(len(y)) < moved)
    return np.where(changes, 1 - y, y), float((np.sign(effect) * movable * moved).mean())


def placebo_chances(rows: MultiEnvData, known: Nuisances) -> tuple[np.ndarray, bool]:
    """Chance of the placebo of every untreated row, [n], whose mean is the table's share of treated rows; and whether
    it is a coin."""
    from sklearn.metrics import roc_auc_score

    share, untreated = float(rows.t.mean()), rows.t == 0
    propensity = known.propensity
    n_untreated, n_treated = int(untreated.sum()), int((~untreated).sum())
    by_lot = np.sqrt((len(rows) + 1) / (12 * n_untreated * n_treated))  # standard error of the AUC
    if roc_auc_score(rows.t, propensity) <= 0.5 + CHANCE * by_lot:
        return np.full(n_untreated, share), True
    return shifted(propensity[untreated], share), False


def shifted(propensity: np.ndarray, share: float) -> np.ndarray:
    """Propensities [n] whose logits are moved by one number, so that their mean is `share`, in (0, 1)."""
    from scipy.optimize import brentq

    logits = logit(np.clip(propensity, _SURE, 1 - _SURE))
    move = brentq(lambda by: float(expit(logits + by).mean()) - share, -60, 60, xtol=1e-12)
    return np.asarray(expit(logits + move))


def _check_arms(what: str, t: np.ndarray) -> None:
    n, treated = len(t), int(t.sum())
    if min(treated, n - treated) < LEAST_IN_ARM:
        raise ValueError(
            f"{what} {treated} treated and {n - treated} untreated rows; {LEAST_IN_ARM} of each are the "
            "least that an effect can be planted in; take more rows, or count the larger arm as untreated."
        )


def _direction(x: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, tuple[int, ...]]:
    """A number of every row, [n], linear in a few columns, with mean 0 and standard deviation 1; and the columns."""
    commonest = np.array([np.unique(column, return_counts=True)[1].max() for column in x.T])
    usable = np.flatnonzero(commonest <= COMMON * len(x))
    if not len(usable):
        usable = np.flatnonzero(commonest < len(x))
    if not len(usable):
        raise ValueError("no covariate varies among the untreated rows; plant an effect that is constant.")
    columns = np.sort(rng.permutation(usable)[:COLUMNS])
    values = (x[:, columns] - x[:, columns].mean(axis=0)) / x[:, columns].std(axis=0)
    found = values @ rng.standard_normal(len(columns))  # signs alone could cancel: two levels of a category do
    return (found - found.mean()) / found.std(), tuple(columns.tolist())
