"""What a latent still knows: how well z and s can be read from it, and how large and how flat it is.

R² is that of a regression fitted on one half of the rows and scored on the other. Ridge finds what can be read linearly,
kNN what can be read at all. z and s are the scalars that enter the structural equations (`scm.along`).
"""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.neighbors import KNeighborsRegressor

from crl_core.overlap import standardised

Array = np.ndarray

NEIGHBOURS = 10
RIDGE_STRENGTHS = (1e-3, 1e-1, 10.0)


def read_from(phi: Array, targets: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Held-out R² of each column of `targets` [n, c] from latents [n, k]: by ridge [c] and by kNN [c].

    1 is perfect, 0 is no better than the mean, below 0 worse. NaN for a target that does not vary.
    """
    order = rng.permutation(len(phi))
    fit, score = order[: len(order) // 2], order[len(order) // 2 :]
    x = standardised(phi)
    ridge = RidgeCV(RIDGE_STRENGTHS).fit(x[fit], targets[fit])
    neighbours = KNeighborsRegressor(min(NEIGHBOURS, len(fit))).fit(x[fit], targets[fit])
    varies = targets[score].std(axis=0) > 1e-12

    def r2(predicted: Array) -> Array:
        values = np.atleast_1d(
            r2_score(targets[score], predicted.reshape(targets[score].shape), multioutput="raw_values")
        )
        return np.where(varies, values, np.nan)

    return r2(ridge.predict(x[score])), r2(neighbours.predict(x[score]))


def latent_norm(phi: Array) -> Array:
    """Root mean square distance from the centre, [M, n, k] -> [M]; MMD² also falls when a latent shrinks."""
    centred = phi - phi.mean(axis=-2, keepdims=True)
    return np.asarray(np.sqrt(np.square(centred).sum(axis=-1).mean(axis=-1)), dtype=np.float64)


def effective_rank(phi: Array) -> Array:
    """exp of the entropy of the covariance's normalised eigenvalues, [M, n, k] -> [M], 1 .. k; NaN without variance.

    Source: Roy, Vetterli (2007), The effective rank.
    """
    centred = (phi - phi.mean(axis=-2, keepdims=True)).astype(np.float64)
    values = np.square(np.linalg.svd(centred, compute_uv=False))
    total = values.sum(axis=-1, keepdims=True)
    share = values / np.where(total > 0, total, 1)
    entropy = -(share * np.log(np.where(share > 0, share, 1))).sum(axis=-1)
    return np.where(total[..., 0] > 0, np.exp(entropy), np.nan)
