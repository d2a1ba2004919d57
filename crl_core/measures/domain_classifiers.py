"""Classifiers that find what a nearest-neighbour one misses: a difference between groups in a direction of small
spread.

Both see whitened latents, in which every direction that varies at all counts the same. Scores are cross-validated in
the folds of `overlap`; AUC is one-vs-rest, mean over groups.
"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import RidgeCV
from sklearn.metrics import roc_auc_score
from threadpoolctl import ThreadpoolController

RIDGE_STRENGTHS = (1e-3, 1e-1, 10.0)
FLAT = 1e-5  # share of the largest spread below which a direction is the rounding of a float32
TREES, LEAVES, RATE = 60, 4, 0.4  # more and larger trees change the AUC by less than .01


def whitened(phi: np.ndarray) -> np.ndarray:
    """Principal directions of [n, k], each with standard deviation 1; those below `FLAT` are left out."""
    left, size, _ = np.linalg.svd(phi - phi.mean(axis=0), full_matrices=False)
    return np.asarray(left[:, size > FLAT * size[0]] * np.sqrt(len(phi)))


def ridge_auc(x: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> float:
    """AUC of ridge regression on the membership of each group; x [n, k] whitened, labels 0 .. E - 1."""
    member = np.eye(labels.max() + 1)[labels]
    scores = np.empty(member.shape)
    for own in (folds == fold for fold in np.unique(folds)):
        scores[own] = RidgeCV(RIDGE_STRENGTHS).fit(x[~own], member[~own]).predict(x[own])
    return _auc_of(scores, labels)


def boosting_auc(x: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> float:
    """AUC of gradient boosting, `TREES` small trees in all; as `ridge_auc`."""
    n_groups = int(labels.max()) + 1
    scores = np.empty((len(labels), n_groups))
    model = HistGradientBoostingClassifier(
        max_iter=max(5, TREES // n_groups),  # of three groups or more, a step grows a tree for each
        max_leaf_nodes=LEAVES,
        learning_rate=RATE,
        max_bins=32,
        early_stopping=False,
        random_state=0,
    )
    with ThreadpoolController().limit(limits=1):  # on so few rows threads wait for each other six times as long
        for own in (folds == fold for fold in np.unique(folds)):
            scores[own] = model.fit(x[~own], labels[~own]).predict_proba(x[own])
    return _auc_of(scores, labels)


def _auc_of(scores: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean([roc_auc_score(labels == group, column) for group, column in enumerate(scores.T)]))
