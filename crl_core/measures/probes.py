"""What a latent still knows: how well z and s can be read from it, and how large and how flat it is.

R² is cross-validated: each row is predicted by a regression fitted on the other folds, and all rows are scored
together. One half against the other was tried first and moved R² of s by .1 from split to split. Ridge finds what can
be read linearly, kNN what can be read at all. z and s are the scalars that enter the structural equations
(`scm.along`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from crl_core.measures.overlap import NEIGHBOURS, standardised

FOLDS = 5
RIDGE_STRENGTHS = (1e-3, 1e-1, 10.0)
Predicted = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def read_from(phi: np.ndarray, targets: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Held-out R² of each column of `targets` [n, c] from latents [n, k]: by ridge [c] and by kNN [c].

    1 is perfect, 0 is no better than the mean, below 0 worse. NaN for a target that does not vary.
    Plain NumPy, since this runs for every model; the tests hold it to scikit-learn's RidgeCV and KNeighborsRegressor.
    """
    y, (ridge, knn) = _held_out(phi, targets, rng, (ridge_predicted, neighbours_predicted))
    return r2(ridge, y), r2(knn, y)


def linear_r2(phi: np.ndarray, targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same by ridge alone, which many columns take little time for, [c]."""
    y, (ridge,) = _held_out(phi, targets, rng, (ridge_predicted,))
    return r2(ridge, y)


def _held_out(
    phi: np.ndarray, targets: np.ndarray, rng: np.random.Generator, by: Sequence[Predicted]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Targets, and what each regression predicts for rows that it was not fitted to, [n, c]."""
    fold = rng.permutation(len(phi)) % FOLDS
    x, y = standardised(phi), targets.astype(np.float64)
    found = [np.empty_like(y) for _ in by]
    for out in (fold == index for index in range(FOLDS)):
        for values, predicted in zip(found, by, strict=True):
            values[out] = predicted(x[~out], y[~out], x[out])
    return y, found


def r2(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """1 - squared error over that of the mean, of each column of [n, c], [c]; NaN for a column that does not vary."""
    about_mean = np.square(truth - truth.mean(axis=0)).sum(axis=0)
    error = np.square(truth - predicted).sum(axis=0)
    varies = about_mean > len(truth) * 1e-24
    return np.asarray(np.where(varies, 1 - error / np.where(varies, about_mean, 1.0), np.nan))


def better_r2(evidence: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """R² of "z" or "s" by the better of the two probes, [M]: what can be read at all. NaN where neither is defined."""
    return np.asarray(np.fmax(evidence[f"r2_{name}_ridge"], evidence[f"r2_{name}_knn"]))


def ridge_predicted(x: np.ndarray, y: np.ndarray, new_x: np.ndarray) -> np.ndarray:
    """Ridge regression with intercept of each column of y [n, c] on x [n, k], predicted for `new_x`, [m, c].

    Each column takes the strength of `RIDGE_STRENGTHS` with the least leave-one-out error, in closed form.
    """
    centre, level = x.mean(axis=0), y.mean(axis=0)
    left, size, right = np.linalg.svd(x - centre, full_matrices=False)
    seen = left.T @ (y - level)  # [k, c]
    least = np.full(y.shape[1], np.inf)
    best = np.zeros((x.shape[1], y.shape[1]))
    for strength in RIDGE_STRENGTHS:
        shrunk = size**2 / (size**2 + strength)
        leverage = np.square(left) @ shrunk + 1 / len(x)  # 1/n is the intercept's
        residual = y - level - left @ (shrunk[:, None] * seen)
        error = np.square(residual / np.maximum(1 - leverage, 1e-12)[:, None]).mean(axis=0)
        coefficients = right.T @ ((size / (size**2 + strength))[:, None] * seen)
        best = np.where(error < least, coefficients, best)
        least = np.minimum(error, least)
    return np.asarray((new_x - centre) @ best + level)


def neighbours_predicted(x: np.ndarray, y: np.ndarray, new_x: np.ndarray) -> np.ndarray:
    """Mean of y [n, c] over the rows of x [n, k] that are nearest to each row of `new_x` [m, k], [m, c]."""
    k = min(NEIGHBOURS, len(x))
    distance2 = np.square(x).sum(axis=1) - 2 * new_x @ x.T  # less |new_x|², which orders nothing
    nearest = np.argpartition(distance2, k - 1, axis=1)[:, :k]
    return np.asarray(y[nearest].mean(axis=1))


def latent_norm(phi: np.ndarray) -> np.ndarray:
    """Root mean square distance from the centre, [M, n, k] -> [M]; MMD² also falls when a latent shrinks."""
    centred = phi - phi.mean(axis=-2, keepdims=True)
    return np.asarray(np.sqrt(np.square(centred).sum(axis=-1).mean(axis=-1)), dtype=np.float64)


def effective_rank(phi: np.ndarray) -> np.ndarray:
    """exp of the entropy of the normalised singular values of the centred latents, [M, n, k] -> [M]; 1 .. k.

    NaN without variance.  Source: Roy, Vetterli (2007), The effective rank.
    """
    centred = (phi - phi.mean(axis=-2, keepdims=True)).astype(np.float64)
    squares = np.linalg.eigvalsh(np.swapaxes(centred, -1, -2) @ centred)
    values = np.sqrt(np.maximum(squares, 0))  # rounding can dip below 0
    total = values.sum(axis=-1, keepdims=True)
    share = values / np.where(total > 0, total, 1)
    entropy = -(share * np.log(np.where(share > 0, share, 1))).sum(axis=-1)
    return np.where(total[..., 0] > 0, np.exp(entropy), np.nan)


def norm_and_rank(phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`latent_norm` and `effective_rank` of each model, [M, n, k] -> [M] and [M]; NaN where latents are not finite."""
    norm, rank = np.full(len(phi), np.nan), np.full(len(phi), np.nan)
    finite = np.isfinite(phi).all(axis=(1, 2))
    norm[finite], rank[finite] = latent_norm(phi[finite]), effective_rank(phi[finite])
    return norm, rank
