"""Linear ways to recover latents: principal components, independent components, generalised eigenvectors."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.linalg import eigh


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
