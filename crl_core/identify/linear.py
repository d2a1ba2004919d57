"""Linear ways to recover latents: principal components, independent components, generalised eigenvectors, and
the likelihood of perfect interventions."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import minimize

_STARTS = 6  # of the likelihood's optimiser; up to five latents half of them or more end at the same best point
_OPTIONS = {"maxiter": 3000, "ftol": 1e-12, "gtol": 1e-7}


def pca(rows: np.ndarray, look: np.ndarray) -> np.ndarray:
    """Principal components of `look` [n, d], fitted on rows [E, n, d] thrown together."""
    from sklearn.decomposition import PCA

    return np.asarray(PCA().fit(rows.reshape(-1, rows.shape[-1])).transform(look))


def fast_ica(rows: np.ndarray, look: np.ndarray) -> np.ndarray:
    """Independent components (scikit-learn's FastICA), fitted on all rows thrown together: no labels are used."""
    from sklearn.decomposition import FastICA
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the score says how good it is
        found = FastICA(whiten="unit-variance", random_state=0, max_iter=500).fit(rows.reshape(-1, rows.shape[-1]))
    return np.asarray(found.transform(look))


def generalised_eigenvectors(rows: np.ndarray, look: np.ndarray) -> np.ndarray:
    """Directions in which the covariances of the environments differ most from the reference's: eigenvectors of
    (mean covariance of the others weighted by their place, reference covariance). Linear, and aware of labels."""
    covariances = [np.cov(part, rowvar=False) for part in rows]
    others = sum((k + 1.0) * part for k, part in enumerate(covariances[1:])) if len(covariances) > 1 else covariances[0]
    _, vectors = eigh(others, covariances[0])
    return np.asarray(look @ vectors)


def perfect_interventions(rows: np.ndarray, look: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """Latents [n, d] of a linear Gaussian system whose edges environments cut, mixed linearly; see `causes_of`."""
    covariances = np.stack([np.cov(part, rowvar=False) for part in rows])
    return np.asarray(look @ causes_of(covariances, cut).T)


def causes_of(covariances: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """The map A [d, d] to the latents of a linear Gaussian system, by maximum likelihood from covariances [E, d, d].

    In environment e the coordinates W_e x are independent with unit variance; row i of W_e is b_i (the noise of latent
    i) where the environment leaves it alone, and s_ei a_i (the latent itself) where it is cut off from its parents. No
    graph is given: it is what b_i and a_i differ by. A latent that is never cut off stays its noise.

    cut: [E, d] bool, which environments change the same latent; how the latent looks in x is not given.
    """
    n_envs, dim = cut.shape
    whiten = np.linalg.inv(np.linalg.cholesky(covariances.mean(axis=0)))  # or the optimiser stops too early
    covariances = whiten @ covariances @ whiten.T

    def parts(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        noises, causes = flat[: 2 * dim * dim].reshape(2, dim, dim)
        return noises, causes, np.exp(flat[2 * dim * dim :].reshape(n_envs, dim))

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        noises, causes, scales = parts(flat)
        weights = np.where(cut[..., None], scales[..., None] * causes, noises)  # [E, d, d]
        turned = weights @ covariances
        value = 0.5 * (turned * weights).sum() - np.linalg.slogdet(weights)[1].sum()
        slope = turned - np.linalg.inv(weights).swapaxes(1, 2)
        own = np.where(cut, scales, 0.0)[..., None] * slope
        slopes = [np.where(cut[..., None], 0.0, slope).sum(axis=0), own.sum(axis=0), (own * causes).sum(axis=-1)]
        return float(value), np.concatenate([part.ravel() for part in slopes])

    rng = np.random.default_rng(0)
    starts = [np.concatenate([rng.standard_normal(2 * dim * dim), np.zeros(cut.size)]) for _ in range(_STARTS)]
    found = [minimize(loss, start, jac=True, method="L-BFGS-B", options=_OPTIONS) for start in starts]
    noises, causes, _ = parts(min(found, key=lambda item: float(item.fun)).x)
    ever = np.any(cut, axis=0)
    return np.asarray(np.where(ever[:, None], causes, noises) @ whiten)
