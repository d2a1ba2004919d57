"""Do the environments overlap in latent space? Three answers, since a picture is none.

domain AUC:  how well a kNN classifier tells the environments apart; 0.5 cannot, 1 always. One-vs-rest, mean over
             environments; cross-validated in `FOLDS` stratified folds.
kNN mixing:  share of a row's nearest neighbours that are of other environments, over the share that full mixing would give.
MMD²:        Gaussian kernel, median bandwidth, biased, not rooted, mean over pairs of environments, with a permutation
             p-value (k + 1) / (n + 1), k of n relabellings at least as large; never zero.
The first two look at latents standardised per coordinate, so that shrinking the latent changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

Array = np.ndarray

NEIGHBOURS = 15
FOLDS = 3
PERMUTATIONS = 200
LEAST_ROWS = 2 * FOLDS  # an environment with fewer cannot be in every fold and say anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """The measures of one set of rows; NaN where they are not defined (one environment, or broken latents)."""

    domain_auc: float
    knn_mixing: float
    mmd2: float
    p_value: float


def overlap(phi: Array, groups: Array, rng: np.random.Generator, at: Array | None = None) -> Overlap:
    """All measures of latents [n, k] (or covariates) of rows from the environments, or arms, `groups` [n].

    at: indices of the rows that MMD² is computed on; None is all of them.
    """
    at = np.arange(len(phi)) if at is None else at
    kept = np.isin(groups, [g for g in np.unique(groups) if np.sum(groups[at] == g) >= LEAST_ROWS])
    if len(np.unique(groups[kept])) < 2 or not np.isfinite(phi).all():
        return Overlap(domain_auc=np.nan, knn_mixing=np.nan, mmd2=np.nan, p_value=np.nan)
    at = at[kept[at]]
    value, p_value = mmd2_test(phi[at], groups[at], rng)
    return Overlap(
        domain_auc=domain_auc(phi[kept], groups[kept], rng),
        knn_mixing=knn_mixing(phi[kept], groups[kept]),
        mmd2=value,
        p_value=p_value,
    )


def standardised(phi: Array) -> Array:
    """Each coordinate with mean 0 and standard deviation 1; one that does not vary becomes 0."""
    spread = phi.std(axis=0)
    return np.asarray((phi - phi.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0))


def domain_auc(phi: Array, env: Array, rng: np.random.Generator) -> float:
    """Cross-validated AUC of a kNN classifier that tells the environments apart; see the module."""
    labels = np.unique(env, return_inverse=True)[1]
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
    classifier = KNeighborsClassifier(min(NEIGHBOURS, len(env) * (FOLDS - 1) // FOLDS))
    chance = cross_val_predict(classifier, standardised(phi), labels, cv=folds, method="predict_proba")
    return float(np.mean([roc_auc_score(labels == e, chance[:, e]) for e in range(chance.shape[1])]))


def knn_mixing(phi: Array, env: Array) -> float:
    """Share of neighbours from other environments over that of full mixing; 0 apart, 1 fully mixed."""
    k = min(NEIGHBOURS, len(env) - 1)
    index = NearestNeighbors(n_neighbors=k).fit(standardised(phi)).kneighbors(return_distance=False)
    others = (env[index] != env[:, None]).mean(axis=1)
    size = np.array([np.sum(env == e) for e in env])
    return float(np.mean(others) / np.mean((len(env) - size) / (len(env) - 1)))


def squared_distances(phi: Array) -> Array:
    """Squared Euclidean distances between all rows of [n, k], [n, n] float64."""
    centred = phi.astype(np.float64) - phi.mean(axis=0)
    norm = np.square(centred).sum(axis=1)
    return np.asarray(np.maximum(norm[:, None] + norm[None] - 2 * centred @ centred.T, 0))


def gaussian_kernel(phi: Array, bandwidth: float | None = None) -> Array:
    """k(u, v) = exp(-|u - v|² / (2 h²)) between all rows [n, n]; h is the median distance unless given."""
    distance2 = squared_distances(phi)
    return kernel_of(distance2, median_distance(distance2) if bandwidth is None else bandwidth)


def kernel_of(distance2: Array, bandwidth: float) -> Array:
    """exp(-d² / (2 h²)) of squared distances."""
    return np.asarray(np.exp(-distance2 / (2 * bandwidth**2)))


def median_distance(distance2: Array) -> float:
    """Median distance between different rows from squared distances [n, n]; the lower of two middle ones, 1 if it is 0."""
    pairs = distance2[np.triu_indices(len(distance2), 1)]
    if len(pairs) == 0:
        return 1.0
    return float(np.sqrt(np.partition(pairs, (len(pairs) - 1) // 2)[(len(pairs) - 1) // 2])) or 1.0


def pairs_mmd2(kernel: Array, labels: Array, *, unbiased: bool = False) -> Array:
    """Mean MMD² over pairs of groups for each labelling: kernel [n, n], labels [P, n] (0 .. E - 1) -> [P].

    biased: V-statistic, diagonal included.  unbiased: U-statistic, diagonal left out; may be negative.
    Groups have the same sizes in every labelling. One matrix product serves all labellings.
    """
    n_groups = int(labels.max()) + 1
    member = (labels[:, None, :] == np.arange(n_groups)[:, None]).astype(np.float64)  # [P, E, n]
    size = member[0].sum(axis=1)
    sums = np.einsum(
        "pen,pfn->pef", (member.reshape(-1, labels.shape[1]) @ kernel).reshape(member.shape), member
    )
    between = sums / np.outer(size, size)
    within = np.einsum("pee->pe", sums)
    if unbiased:
        on_diagonal = member @ np.diagonal(kernel)
        within = (within - on_diagonal) / (size * (size - 1))
    else:
        within = within / size**2
    first, second = np.triu_indices(n_groups, 1)
    return np.asarray((within[:, first] + within[:, second] - 2 * between[:, first, second]).mean(axis=1))


def relabelled(env: Array, n: int, rng: np.random.Generator) -> Array:
    """The labels 0 .. E - 1 of `env` first, then `n` random permutations of them, [n + 1, rows]."""
    labels = np.unique(env, return_inverse=True)[1]
    return np.stack([labels, *(rng.permutation(labels) for _ in range(n))])


def mmd2_test(phi: Array, env: Array, rng: np.random.Generator) -> tuple[float, float]:
    """MMD² of the environments and its permutation p-value; the null: all rows come from one distribution."""
    values = pairs_mmd2(gaussian_kernel(phi), relabelled(env, PERMUTATIONS, rng))
    k = int(np.sum(values[1:] >= values[0] - 1e-12))
    return float(max(values[0], 0.0)), (k + 1) / (PERMUTATIONS + 1)
