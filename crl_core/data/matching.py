"""Pairs of rows from two groups that should have one latent: what the contrastive penalty pulls together.

Three definitions, named for what they need:
    shared  units seen in both groups. The realistic one: patients who were in both hospitals, parts measured on both
            machines.
    oracle  the nearest in the true cause z, within a caliper. Only a simulation knows z: a bound, not a method.
    rank    equal quantiles of the factual outcome within each group. Needs no more than the data, and assumes that the
            groups' outcomes have one distribution but for a monotone map.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from crl_core.data.scm import Align, Matching, MultiEnvData, aligned_groups

CALIPER = 0.1  # of z, times √dz: about a tenth of a standard deviation a coordinate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matches:
    """Pairs of a table's rows. Of every two groups that have any: [P, 2] row indices, the lower group's first.

    unmatched: share of the table's rows that are in no pair.
    distance:  median over pairs of the distance in true z, NaN where z is not known; for the reader, not for training.
    """

    pairs: Mapping[tuple[int, int], np.ndarray]
    unmatched: float
    distance: float

    @property
    def n(self) -> int:
        return sum(len(found) for found in self.pairs.values())


def matches(rows: MultiEnvData, align: Align, matching: Matching) -> Matches:
    """The pairs among training rows of what is aligned.

    Raises: ValueError saying why there are none, and what would make some.
    """
    group = aligned_groups(rows, align)
    labels = [int(label) for label in np.unique(group)]
    by = {"shared": _shared, "oracle": _oracle, "rank": _rank}[matching]
    members = {label: np.flatnonzero(group == label) for label in labels}
    found = {(a, b): by(rows, members[a], members[b]) for a in labels for b in labels if a < b}
    found = {pair: rows_of for pair, rows_of in found.items() if len(rows_of)}
    if not found:
        raise ValueError(_why_none(rows, align, matching, len(labels)))
    every = np.concatenate(list(found.values()))
    apart = np.nan if rows.z is None else np.median(np.linalg.norm(rows.z[every[:, 0]] - rows.z[every[:, 1]], axis=1))
    return Matches(pairs=found, unmatched=1 - len(np.unique(every)) / len(rows), distance=float(apart))


def _shared(rows: MultiEnvData, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Rows of one unit in both groups. A unit that is in a group twice gives one pair."""
    if rows.unit is None:
        return np.empty((0, 2), dtype=np.int64)
    a, b = a[rows.unit[a] >= 0], b[rows.unit[b] >= 0]
    _, at_a, at_b = np.intersect1d(rows.unit[a], rows.unit[b], return_indices=True)
    return np.stack([a[at_a], b[at_b]], axis=1)


def _oracle(rows: MultiEnvData, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """To each row of the smaller group the nearest in z of the other, if it is within the caliper."""
    if rows.z is None:
        raise ValueError(
            "matching is oracle, which needs the true z; a table without truth has none. Use shared or rank."
        )
    few, many = (a, b) if len(a) <= len(b) else (b, a)
    distance, at = KDTree(rows.z[many]).query(rows.z[few])
    near = distance <= CALIPER * np.sqrt(rows.z.shape[1])
    pair = (few[near], many[at[near]])
    return np.stack(pair if few is a else pair[::-1], axis=1)


def _rank(rows: MultiEnvData, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """To each row of the smaller group the row of the other at the same quantile of y."""
    few, many = (a, b) if len(a) <= len(b) else (b, a)
    few, many = few[np.argsort(rows.y[few], kind="stable")], many[np.argsort(rows.y[many], kind="stable")]
    level = (np.arange(len(few)) + 0.5) / max(1, len(few))
    pair = (few, many[(level * len(many)).astype(np.int64)])
    return np.stack(pair if len(a) <= len(b) else pair[::-1], axis=1)


def _why_none(rows: MultiEnvData, align: Align, matching: Matching, n_groups: int) -> str:
    groups = "treatment arm" if align == "treatment" else "environment"
    if n_groups < 2:
        return f"there is one {groups} only, so no pair across {groups}s; pairs need two."
    if matching == "shared":
        if rows.unit is None:
            return "no unit was seen twice; set scenario.shared_units to 32, say, or match by rank or oracle."
        return (
            f"no shared unit was seen in two {groups}s: each got the same treatment everywhere; align environments, or "
            "match by rank."
        )
    return (
        f"no two rows of different {groups}s are nearer than {CALIPER:g} in z; let the {groups}s overlap more "
        "(scenario.cause_mean), or match by rank."
    )
