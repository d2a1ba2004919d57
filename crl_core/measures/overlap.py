"""Overlap of the environments in latent space, by three measures, since a picture is none.

domain AUC:  how well a classifier tells the environments apart; 0.5 cannot, 1 always. One-vs-rest, mean over
             environments; cross-validated in `FOLDS` stratified folds. The largest of three classifiers: kNN, which
             sees distances, ridge and boosting, which see every direction alike (`domain_classifiers`). At chance the
             largest of three lies a little above 0.5.
kNN mixing:  share of a row's nearest neighbours that are of other environments, over the share that full mixing would
             give.
MMD²:        Gaussian kernel, median bandwidth, biased, not rooted, mean over pairs of environments, with a permutation
             p-value (k + 1) / (n + 1), k of n relabellings at least as large; never zero.
kNN and mixing look at latents standardised per coordinate, so that shrinking the latent changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

NEIGHBOURS = 15
FOLDS = 3
PERMUTATIONS = 200
LEAST_ROWS = 2 * FOLDS  # an environment with fewer cannot be in every fold and say anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """The measures of one set of rows; NaN where they are not defined (one environment, or broken latents)."""

    auc_knn: float
    auc_ridge: float
    auc_boosting: float
    knn_mixing: float
    mmd2: float
    p_value: float

    @property
    def domain_auc(self) -> float:
        """The largest of the three."""
        return max(self.auc_knn, self.auc_ridge, self.auc_boosting)


NOT_DEFINED = Overlap(**dict.fromkeys(Overlap.__slots__, np.nan))


def overlap(phi: np.ndarray, groups: np.ndarray, rng: np.random.Generator, at: np.ndarray | None = None) -> Overlap:
    """All measures of latents [n, k] (or covariates) of rows from the environments, or arms, `groups` [n].

    at: indices of the rows that MMD² is computed on; None is all of them.
    """
    return next(overlaps(phi[None], groups, rng, at))


def overlaps(
    phi: np.ndarray, groups: np.ndarray, rng: np.random.Generator, at: np.ndarray | None = None
) -> Iterator[Overlap]:
    """`overlap` of each of L sets of latents [L, n, k] of the same rows, in turn.

    All share the folds and the shuffles, so that what differs along λ is the latents. Groups with fewer than
    `LEAST_ROWS` rows are left out.
    """
    at = np.arange(phi.shape[1]) if at is None else at
    kept = np.isin(groups, [g for g in np.unique(groups) if np.sum(groups[at] == g) >= LEAST_ROWS])
    at = at[kept[at]]
    if len(np.unique(groups[kept])) < 2:
        yield from [NOT_DEFINED] * len(phi)
        return
    shuffles = relabelled(groups[at], PERMUTATIONS, rng)
    labels = relabelled(groups[kept], 0, rng)[0]
    folds = folds_of(labels, rng)
    for rows in phi:
        if not np.isfinite(rows).all():
            yield NOT_DEFINED
            continue
        distance2 = squared_distances(standardised(rows[kept].astype(np.float64)))
        value, p_value = _tested(gaussian_kernel(rows[at]), shuffles)
        knn, ridge, boosting = _aucs(rows[kept].astype(np.float64), distance2, labels, folds)
        yield Overlap(
            auc_knn=knn,
            auc_ridge=ridge,
            auc_boosting=boosting,
            knn_mixing=_mixing(distance2, labels),
            mmd2=value,
            p_value=p_value,
        )


def standardised(phi: np.ndarray) -> np.ndarray:
    """Each coordinate with mean 0 and standard deviation 1; one that does not vary becomes 0."""
    spread = phi.std(axis=0)
    return np.asarray((phi - phi.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0))


def knn_auc(phi: np.ndarray, env: np.ndarray, rng: np.random.Generator) -> float:
    """Cross-validated AUC of a kNN classifier that tells the environments apart; see the module."""
    labels = relabelled(env, 0, rng)[0]
    return _auc(squared_distances(standardised(phi)), labels, folds_of(labels, rng))


def knn_mixing(phi: np.ndarray, env: np.ndarray) -> float:
    """Share of neighbours from other environments over that of full mixing; 0 apart, 1 fully mixed."""
    return _mixing(squared_distances(standardised(phi)), env)


def folds_of(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which of `FOLDS` stratified folds each row is in, [n]."""
    # Here, not above: a served model needs the rest of this room, and no scikit-learn.
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
    found = np.empty(len(labels), dtype=np.int64)
    for fold, (_, rows) in enumerate(folds.split(labels, labels)):
        found[rows] = fold
    return found


def _aucs(phi: np.ndarray, distance2: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> tuple[float, float, float]:
    """AUC by kNN, ridge and boosting."""
    if not distance2.any():  # all rows coincide
        return 0.5, 0.5, 0.5
    from crl_core.measures.domain_classifiers import boosting_auc, ridge_auc, whitened

    white = whitened(phi)
    return _auc(distance2, labels, folds), ridge_auc(white, labels, folds), boosting_auc(white, labels, folds)


def _auc(distance2: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> float:
    """Mean one-vs-rest AUC of the votes that each row's nearest neighbours in the other folds give."""
    if not distance2.any():  # all rows coincide: whoever is nearest is an accident of order
        return 0.5
    member = labels[:, None] == np.arange(labels.max() + 1)  # [n, E]
    k = min(NEIGHBOURS, len(labels) - int(np.bincount(folds).max()))
    votes = np.empty(member.shape, dtype=np.int64)
    for fold in range(FOLDS):
        own, others = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        votes[own] = member[others[_nearest(distance2[np.ix_(own, others)], k)]].sum(axis=1)
    return float(np.mean([_auc_of_votes(votes[:, e], member[:, e], k) for e in range(member.shape[1])]))


def _auc_of_votes(votes: np.ndarray, positive: np.ndarray, k: int) -> float:
    """P(a positive row has more votes than another) + P(as many) / 2, of votes 0 .. k, [n]."""
    yes, no = (np.bincount(votes[rows], minlength=k + 1) for rows in (positive, ~positive))
    below = np.cumsum(no) - no
    return float(yes @ (below + no / 2) / (yes.sum() * no.sum()))


def _mixing(distance2: np.ndarray, env: np.ndarray) -> float:
    if not distance2.any():
        return 1.0
    apart = distance2.copy()
    np.fill_diagonal(apart, np.inf)
    index = _nearest(apart, min(NEIGHBOURS, len(env) - 1))
    others = (env[index] != env[:, None]).mean(axis=1)
    size = np.unique(env, return_counts=True)[1]
    full = (size * (len(env) - size)).sum() / (len(env) * (len(env) - 1))
    return float(others.mean() / full)


def _nearest(distance2: np.ndarray, k: int) -> np.ndarray:
    """Columns of the k smallest of each row, [m, n] -> [m, k], in no order."""
    return np.asarray(np.argpartition(distance2, k - 1, axis=1)[:, :k])


def squared_distances(phi: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances between all rows of [n, k], [n, n] float64."""
    centred = phi.astype(np.float64) - phi.mean(axis=0)
    norm = np.square(centred).sum(axis=1)
    return np.asarray(np.maximum(norm[:, None] + norm[None] - 2 * centred @ centred.T, 0))


def gaussian_kernel(phi: np.ndarray, bandwidth: float | None = None) -> np.ndarray:
    """k(u, v) = exp(-|u - v|² / (2 h²)) between all rows [n, n]; h is the median distance unless given."""
    distance2 = squared_distances(phi)
    return kernel_of(distance2, median_distance(distance2) if bandwidth is None else bandwidth)


def kernel_of(distance2: np.ndarray, bandwidth: float) -> np.ndarray:
    """exp(-d² / (2 h²)) of squared distances."""
    return np.asarray(np.exp(-distance2 / (2 * bandwidth**2)))


def median_distance(distance2: np.ndarray) -> float:
    """Median distance between different rows, of squared distances [n, n].

    Even number of pairs: the lower of the two in the middle.  Never 0: 1 stands in for it.
    """
    pairs = distance2[np.triu_indices(len(distance2), 1)]
    if len(pairs) == 0:
        return 1.0
    return float(np.sqrt(np.partition(pairs, (len(pairs) - 1) // 2)[(len(pairs) - 1) // 2])) or 1.0


def pairs_mmd2(kernel: np.ndarray, labels: np.ndarray, *, unbiased: bool = False) -> np.ndarray:
    """Mean MMD² over pairs of groups for each labelling: kernel [n, n], labels [P, n] (0 .. E - 1) -> [P].

    biased: V-statistic, diagonal included.  unbiased: U-statistic, diagonal left out; may be negative.
    Groups have the same sizes in every labelling. One matrix product serves all labellings.
    """
    n_groups = int(labels.max()) + 1
    member = (labels[:, None, :] == np.arange(n_groups)[:, None]).astype(np.float64)  # [P, E, n]
    size = member[0].sum(axis=1)
    products = np.empty_like(member)  # member @ kernel; the last group has what the others leave
    others = member[:, :-1].reshape(-1, labels.shape[1])
    products[:, :-1] = (others @ kernel).reshape(len(member), n_groups - 1, -1)
    products[:, -1] = kernel.sum(axis=0) - products[:, :-1].sum(axis=1)
    sums = np.einsum("pen,pfn->pef", products, member)
    between = sums / np.outer(size, size)
    within = np.einsum("pee->pe", sums)
    if unbiased:
        on_diagonal = member @ np.diagonal(kernel)
        within = (within - on_diagonal) / (size * (size - 1))
    else:
        within = within / size**2
    first, second = np.triu_indices(n_groups, 1)
    return np.asarray((within[:, first] + within[:, second] - 2 * between[:, first, second]).mean(axis=1))


def relabelled(env: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """The labels 0 .. E - 1 of `env` first, then `n` random permutations of them, [n + 1, rows]."""
    labels = np.unique(env, return_inverse=True)[1]
    return np.stack([labels, *(rng.permutation(labels) for _ in range(n))])


def permutation_p(values: np.ndarray, rounding: float = 1e-12) -> float:
    """(k + 1) / (n + 1) of a statistic, `values[0]`, and of the same under n relabellings, [n + 1]; never zero.

    k of the n are at least as large. rounding: by how much equal values may differ.
    """
    return float((np.sum(values[1:] >= values[0] - rounding) + 1) / len(values))


def _tested(kernel: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    values = pairs_mmd2(kernel, labels)
    return float(max(values[0], 0.0)), permutation_p(values)
