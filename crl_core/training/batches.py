"""Which rows a step sees, where that is more than a random part of the data: balanced groups, and matched pairs."""

from __future__ import annotations

import numpy as np

from crl_core.data.matching import Matches


def balanced_order(rng: np.random.Generator, group: np.ndarray, steps: int, batch: int) -> np.ndarray:
    """Row indices [steps · batch] in which every batch holds as many rows of each group, but for one where it must.

    Each group goes round its own rows in a new order each time, so a small group's rows come more often.
    """
    labels = np.unique(group)
    quota = [batch // len(labels) + (k < batch % len(labels)) for k in range(len(labels))]
    parts = []
    for label, size in zip(labels, quota, strict=True):
        members = np.flatnonzero(group == label)
        rounds = -(-steps * size // len(members))
        order = np.concatenate([rng.permutation(members) for _ in range(rounds)])[: steps * size]
        parts.append(order.reshape(steps, size))
    return np.concatenate(parts, axis=1).reshape(-1)


def pair_rows(rng: np.random.Generator, found: Matches, steps: int, n_pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of each step's pairs, [steps, 2 · n_pairs] (all firsts, then all partners), and which are real.

    Real: [steps, n_pairs] bool.

    A step takes its pairs from one pair of groups, in turn, each at most once; where there are too few, the last ones
    only fill up.
    """
    groups = list(found.pairs.values())
    rows, real = np.empty((steps, 2, n_pairs), dtype=np.int64), np.empty((steps, n_pairs), dtype=bool)
    for step in range(steps):
        among = groups[step % len(groups)]
        take = rng.permutation(len(among))[:n_pairs]
        rows[step] = among[np.resize(take, n_pairs)].T
        real[step] = np.arange(n_pairs) < len(take)
    return rows.reshape(steps, -1), real
