"""With which covariates does the effect go? The best linear projection of doubly robust scores on all of them at once.

Line:    least squares of the scores Γ on standardised inputs: by how much the effect differs where an input is one
         standard deviation higher and the others are the same. No model of the effect has to be right for it: it is the
         line nearest to the effects, whatever they are.
Error:   HC3, Σ z z' u² / (1 - h)² between two inverses of Σ z z', u what the line leaves and h a row's leverage;
         nuisances are taken as given.
Inputs:  a category has an input for each level but its most frequent, which the others are compared with. Left out are
         inputs that fewer than `LEAST_IN_GROUP` rows have otherwise than the rest, and those that follow from others.
Source:  Semenova, Chernozhukov (2021), Debiased machine learning of conditional average treatment effects, Econometrics
         Journal 24; MacKinnon, White (1985) for the HC3 error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc, ndtri

from crl_core.data.tables.columns import Column, placed
from crl_core.measures.effect_checks import LEAST_IN_GROUP

ROWS_A_TERM = 5  # with fewer the errors mean nothing
_FOLLOWS = 1e-6  # share of an input's variance that the others leave of it
_MOST_LEVERAGE = 1 - 1e-6
_AT_ONCE = 10_000  # rows whose products are in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """What the effect gains with one standard deviation of an input, and the standard error of it."""

    name: str
    value: float
    se: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearProjection:
    """terms:  the largest first; none where there is a reason.
    p:         of no input mattering: Wald's test of all terms at once, against F.
    n_clipped: of the n rows, those whose propensity was held; with many, the terms mean nothing.
    left_out:  inputs without a term.
    """

    terms: tuple[Term, ...]
    p: float
    n: int
    n_clipped: int
    left_out: tuple[str, ...] = ()
    reason: str = ""

    def beyond(self, level: float) -> tuple[Term, ...]:
        """Terms whose interval of this many standard errors does not hold zero."""
        return tuple(term for term in self.terms if abs(term.value) > level * term.se)

    @property
    def wide(self) -> float:
        """Standard errors of an interval that is widened for so many terms (Bonferroni): at least one of all misses
        zero in 5 of 100 tables at most, if no input matters."""
        return -float(ndtri(0.025 / max(1, len(self.terms))))


def linear_projection(
    scores: np.ndarray, clipped: np.ndarray, x: np.ndarray, covariates: Sequence[Column]
) -> LinearProjection:
    """The projection of scores [n] on inputs x [n, d], those of `covariates` in order.

    clipped: which rows' propensity was held, [n] bool.
    """
    n, n_clipped = len(scores), int(np.sum(clipped))
    names = [name for column in covariates for name in column.inputs]
    kept, left_out = _inputs(x, covariates)
    z = _standardised(x[:, kept])
    apart = _apart(z)
    left_out += [names[kept[at]] for at in np.flatnonzero(~apart)]
    kept, z = [at for at, own in zip(kept, apart, strict=True) if own], z[:, apart]
    reason = ""
    if not kept:
        reason = f"no covariate differs in {LEAST_IN_GROUP} rows or more"
    elif n < ROWS_A_TERM * len(kept):
        reason = f"{n} rows are too few for {len(kept)} inputs; {ROWS_A_TERM} rows for each are the least"
    if reason:
        return LinearProjection(terms=(), p=np.nan, n=n, n_clipped=n_clipped, left_out=tuple(left_out), reason=reason)
    slope, spread = _line(z, scores)
    se = np.sqrt(np.diag(spread))
    terms = [
        Term(name=names[at], value=value, se=error)
        for at, value, error in zip(kept, slope.tolist(), se.tolist(), strict=True)
    ]
    return LinearProjection(
        terms=tuple(sorted(terms, key=lambda term: -abs(term.value))),
        p=_of_none(slope, spread, n),
        n=n,
        n_clipped=n_clipped,
        left_out=tuple(left_out),
    )


def _inputs(x: np.ndarray, covariates: Sequence[Column]) -> tuple[list[int], list[str]]:
    """Indices of inputs that may have a term, and names of those in which hardly a row differs."""
    kept, rare = [], []
    for column, place in placed(covariates):
        own = list(range(place.start, place.stop))
        if column.kind == "category" and own:
            del own[int(x[:, place].sum(axis=0).argmax())]
        for at in own:
            _, counts = np.unique(x[:, at], return_counts=True)
            if len(x) - counts.max(initial=0) >= LEAST_IN_GROUP:
                kept.append(at)
            else:
                rare.append(column.inputs[at - place.start])
    return kept, rare


def _standardised(x: np.ndarray) -> np.ndarray:
    """Each input, which varies, with mean 0 and standard deviation 1."""
    z = x / np.abs(x).max(axis=0, initial=1e-300)  # squares of very large or small numbers have no place
    z -= z.mean(axis=0)
    z /= np.maximum(z.std(axis=0), 1e-300)
    return np.asarray(z)


def _apart(z: np.ndarray) -> np.ndarray:
    """Which inputs do not follow from those before them, [p] bool: Cholesky's pivots, in the order there is."""
    left = z.T @ z / max(1, len(z))
    apart = np.zeros(len(left), dtype=bool)
    for at in range(len(left)):
        pivot = left[at, at]
        if pivot > _FOLLOWS:
            apart[at] = True
            left -= np.outer(left[:, at], left[at]) / pivot
    return apart


def _line(z: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes [p] and their covariance [p, p]; z is centred, so that the intercept stands apart."""
    bread = np.linalg.inv(z.T @ z)
    slope = bread @ (z.T @ scores)
    left = scores - scores.mean() - z @ slope
    meat = np.zeros_like(bread)
    for start in range(0, len(z), _AT_ONCE):
        some = z[start : start + _AT_ONCE]
        leverage = np.minimum(1 / len(z) + ((some @ bread) * some).sum(axis=1), _MOST_LEVERAGE)
        pulled = some * (left[start : start + _AT_ONCE] / (1 - leverage))[:, None]
        meat += pulled.T @ pulled
    return slope, bread @ meat @ bread


def _of_none(slope: np.ndarray, spread: np.ndarray, n: int) -> float:
    """Wald's p of no input mattering; NaN where the scores leave no error."""
    if np.linalg.matrix_rank(spread, hermitian=True) < len(slope):
        return float("nan")
    wald = float(slope @ np.linalg.solve(spread, slope))
    return float(fdtrc(len(slope), n - len(slope) - 1, wald / len(slope)))
