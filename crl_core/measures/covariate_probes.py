"""Which covariates can still be read from the latent? What can be read at λ = 0 and not later, the penalty took out.

R²:  of ridge regression from the latent, cross-validated on rows that no model was trained on: 1 is perfect, 0 is no
     better than the mean. Of a category, the share of all its levels' variance together.
Use: what can be read need not be used by the heads, and what cannot be read linearly may be there bent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crl_core.config import Align
from crl_core.data.scm import Stream, rng_for
from crl_core.data.tables.columns import Column, placed
from crl_core.measures.probes import linear_r2
from crl_core.network import one_model, predict
from crl_core.results import RunResult

READABLE = 0.25  # R² from which a covariate counts as one that the latent holds
FORGOTTEN = 0.5  # share of it, below which it counts as forgotten
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CovariateProbes:
    """R² of each covariate, [c], the median over replicates whose latents are finite; NaN of one that does not vary.

    without: at the least λ of the run.  here: at the λ asked for.
    """

    names: tuple[str, ...]
    without: np.ndarray
    here: np.ndarray

    @property
    def by_loss(self) -> np.ndarray:
        """Indices of covariates whose R² are known, those that lost most first."""
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite has no place in the order
            lost = self.without - self.here
        known = np.flatnonzero(np.isfinite(lost))
        return known[np.argsort(-lost[known], kind="stable")]

    @property
    def held(self) -> np.ndarray:
        """Which can be read at the least λ, [c] bool."""
        return np.asarray(self.without >= READABLE)

    @property
    def forgotten(self) -> np.ndarray:
        """Of those, which have less than `FORGOTTEN` of their R² left, [c] bool."""
        return np.asarray(self.held & (self.here < FORGOTTEN * self.without))


def covariate_probes(result: RunResult, x: np.ndarray, at: int, covariates: Sequence[Column]) -> CovariateProbes:
    """Probes of covariates at the λ of index `at`, beside the least λ.

    x: [n, d], held-out rows.
    """
    without, here = (_over_replicates(result, x, index, covariates) for index in (0, at))
    return CovariateProbes(names=tuple(column.name for column in covariates), without=without, here=here)


def probe_sentences(found: CovariateProbes, lams: tuple[float, float], align: Align) -> str:
    """What the probes say, and what it means where something is forgotten. lams: the least, and the one in view."""
    least, lam = lams
    held, lost = int(found.held.sum()), [found.names[at] for at in found.by_loss if found.forgotten[at]]
    first = f"At λ = {least:g} the latent holds {held} of {len(found.names)} covariates (R² {READABLE:g} or more)."
    if lam == least:
        return f"{first} Choose a larger λ to see which of them the penalty makes it forget."
    if not lost:
        return f"{first} At λ = {lam:g} none of them is forgotten."
    what = (
        "treated from untreated rows, and more may go with it: a column that drives the outcome, too, is a confounder, "
        "and without it the effect drifts towards the difference in means"
        if align == "treatment"
        else "the environments apart, and more may go with it: if the effect depends on such a column, that is lost"
    )
    more = len(lost) - _MOST_NAMED
    named = ", ".join(lost[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"{first} At λ = {lam:g} less than half of that is left of {named}. The penalty takes out what tells {what}."


def _over_replicates(result: RunResult, x: np.ndarray, at: int, covariates: Sequence[Column]) -> np.ndarray:
    found = []
    for replicate in range(result.config.training.replicates):
        m = replicate * len(result.lams) + at
        phi = predict(one_model(result.weights, m), x)[0][0].astype(np.float64)
        if np.isfinite(phi).all():
            rng = rng_for(result.config.training.seed + replicate, Stream.PROBES)
            found.append(_of_latents(phi, x, covariates, rng))
    return np.median(found, axis=0) if found else np.full(len(covariates), np.nan)


def _of_latents(phi: np.ndarray, x: np.ndarray, covariates: Sequence[Column], rng: np.random.Generator) -> np.ndarray:
    """R² of each covariate from latents [n, k], [c]: a number's own, a category's levels together."""
    own, weight = linear_r2(phi, x, rng), x.var(axis=0)
    found = np.full(len(covariates), np.nan)
    for index, (column, place) in enumerate(placed(covariates)):
        levels = slice(place.start, place.stop if column.kind == "category" else place.start + 1)
        known = np.isfinite(own[levels])
        if known.any():
            found[index] = np.average(own[levels][known], weights=weight[levels][known])
    return found
