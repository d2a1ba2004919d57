"""Which columns move the predicted effect? A column is shuffled among rows, and τ̂ changes by so much.

It says what the models use, not what is so: a column can move τ̂ much and the true effect not at all. Of two columns
that say the same each may look small, and shuffled rows may be such as cannot be.
Source: Breiman (2001), Random forests, Machine Learning 45; of τ̂ instead of an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from crl_core.data.scm import MultiEnvData
from crl_core.data.tables.columns import Column, placed
from crl_core.measures.average_effects import outcomes_at
from crl_core.results import RunResult

DRAWS = 3  # orders that a column is shuffled into


def effect_importance(
    result: RunResult, rows: MultiEnvData, at: int, covariates: Sequence[Column], seed: int
) -> np.ndarray:
    """Root mean square change of a row's τ̂, the mean over replicates, where a covariate is shuffled, [covariates].

    All inputs of a covariate move together, so that no row has two categories. Unit: the outcome's. NaN where no
    replicate's model predicts.
    at: index of a λ.  seed: of the orders, which are the same for all covariates.
    """
    effect = _effect(result, rows, at)
    orders = [np.random.default_rng([seed, draw]).permutation(len(rows)) for draw in range(DRAWS)]
    found = np.full(len(covariates), np.nan)
    for index, (_, place) in enumerate(placed(covariates)):
        squares = []
        for order in orders:
            x = rows.x.copy()
            x[:, place] = x[order, place]
            squares.append(np.square(_effect(result, replace(rows, x=x), at) - effect).mean())
        found[index] = np.sqrt(np.mean(squares))
    return found


def _effect(result: RunResult, rows: MultiEnvData, at: int) -> np.ndarray:
    """The mean over replicates whose models predict, [n]."""
    effects = outcomes_at(result, rows, at)[1]
    known = effects[np.isfinite(effects).all(axis=1)]
    return np.asarray(known.mean(axis=0)) if len(known) else np.full(len(rows), np.nan)
