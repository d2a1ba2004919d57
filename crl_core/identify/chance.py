"""What knowing nothing scores: the distribution of MCC over random rotations of the truth.

A rotation keeps the span of the latents and forgets which is which, so it scores what a method scores that explains the
data and identifies nothing. Its mean is far from all of it: one rotation of three latents in thirteen scores above .95.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import permutations

import numpy as np

from crl_core.identify.latent_worlds import LatentWorld, sample_world
from crl_core.identify.scores import Kind

DRAWS = 20_000
HIGH = 0.95  # quantile that a claim must beat
_WORLDS = 10  # draws of a chain's edges, each with its share of the rotations


@dataclass(frozen=True, kw_only=True, eq=False)
class Chance:
    """scores: MCC of random rotations, in ascending order."""

    scores: np.ndarray

    @property
    def mean(self) -> float:
        return float(self.scores.mean())

    @cached_property
    def median(self) -> float:
        return float(np.median(self.scores))

    @cached_property
    def high(self) -> float:
        """The 95 % point: one rotation in twenty scores more."""
        return float(np.quantile(self.scores, HIGH))

    @property
    def band(self) -> tuple[float, float]:
        """Median and 95 % point."""
        return self.median, self.high

    def share_above(self, mcc: float) -> float:
        """Share of rotations that score at least `mcc`."""
        return float((self.scores >= mcc).mean())


def chance(dim: int, kind: Kind = "pearson") -> Chance:
    """Chance for `dim` independent Gaussian latents, scored by `kind`; 95 % points of 2 to 5: .999, .96, .90, .84."""
    return _independent(dim, kind)


@cache
def _independent(dim: int, kind: Kind) -> Chance:
    return Chance(scores=_rotated(np.eye(dim), kind, DRAWS))


def chance_among(z: np.ndarray, kind: Kind = "pearson", draws: int = DRAWS) -> Chance:
    """Chance for latents that are correlated as the rows z [n, d]; correlated latents score higher by chance."""
    return Chance(scores=_rotated(np.corrcoef(z, rowvar=False), kind, draws))


@lru_cache(maxsize=32)
def chance_in(world: LatentWorld, kind: Kind = "pearson") -> Chance:
    """Chance for the latents of a world; with edges, over draws of their weights."""
    if world.edges == "none":
        return chance(world.dim, kind)
    drawn = [sample_world(world, seed).test.z[0] for seed in range(_WORLDS)]
    return Chance(scores=np.sort(np.concatenate([chance_among(z, kind, DRAWS // _WORLDS).scores for z in drawn])))


def _rotated(correlation: np.ndarray, kind: Kind, draws: int, seed: int = 0) -> np.ndarray:
    """[draws] MCC, ascending, of random rotations of Gaussian latents with this correlation [d, d].

    Spearman's correlation of two Gaussians with correlation r is 6/π · arcsin(r/2).
    """
    dim = len(correlation)
    rng = np.random.default_rng([seed, dim])
    q, r = np.linalg.qr(rng.standard_normal((draws, dim, dim)))
    turns = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
    spread = np.sqrt(np.einsum("mij,ik,mkj->mj", turns, correlation, turns))
    crossed = np.abs(correlation @ turns / spread[:, None, :])  # latents (rows) with their rotation (columns)
    if kind == "spearman":
        crossed = 6 / np.pi * np.arcsin(crossed / 2)
    rows = np.arange(dim)
    scores = np.zeros(draws)
    for order in permutations(range(dim)):  # few, and all rotations at once: faster than one assignment each
        np.maximum(scores, crossed[:, rows, order].mean(axis=1), out=scores)
    return np.sort(scores)
