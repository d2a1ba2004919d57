"""What methods get: whitened rows of several seeds; labels kept, pooled or shuffled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from crl_core.identify.latent_worlds import LatentWorld, Sample, sample_world

Labels = Literal["kept", "pooled", "shuffled"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seeds:
    """Rows of S seeds, whitened by each seed's pooled training rows. The truth stands apart, for scores alone."""

    world: LatentWorld
    seeds: tuple[int, ...]
    train: np.ndarray  # [S, E, n, d], whitened x
    choose: np.ndarray  # [S, E, n', d]
    look: np.ndarray  # [S, n'', d], test rows of the reference environment
    truth: tuple[Sample, ...]

    @property
    def z(self) -> np.ndarray:
        """[S, n'', d] true latents of the rows to look at."""
        return np.stack([sample.test.z[0] for sample in self.truth])

    @property
    def noise(self) -> np.ndarray:
        """[S, n'', d] their true noises."""
        return np.stack([sample.test.noise[0] for sample in self.truth])


def draw(world: LatentWorld, seeds: Sequence[int], redraw: int = 0) -> Seeds:
    """Sample every seed and whiten it to d dimensions. Arguments and errors as of `sample_world`."""
    samples = [sample_world(world, seed, redraw) for seed in seeds]
    parts = []
    for sample in samples:
        mean, map_ = whitening(sample.train.x.reshape(-1, world.dim_x), world.dim)
        parts.append([(rows - mean) @ map_ for rows in (sample.train.x, sample.choose.x, sample.test.x[0])])
    train, choose, look = (np.stack(part) for part in zip(*parts, strict=True))
    return Seeds(world=world, seeds=tuple(seeds), train=train, choose=choose, look=look, truth=tuple(samples))


def whitening(x: np.ndarray, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean [D] and map [D, d] that make rows x [n, D] uncorrelated with unit variance in their d widest directions.

    With D > d the rows lie in a d-dimensional plane, and nothing is lost. Raises ValueError if they fill fewer than d
    directions.
    """
    mean = x.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(x - mean, rowvar=False))
    values, vectors = values[::-1][:dim], vectors[:, ::-1][:, :dim]
    if not values[-1] > 1e-12 * values[0]:
        raise ValueError(
            f"the observed rows fill fewer than {dim} directions: the mixing is singular. Use another mixing."
        )
    return mean, vectors / np.sqrt(values)


def relabelled(seeds: Seeds, labels: Labels) -> Seeds:
    """The same rows with the environments thrown together, or with their labels dealt out anew at random."""
    if labels == "kept":
        return seeds
    if labels == "pooled":
        return replace(seeds, train=_pooled(seeds.train), choose=_pooled(seeds.choose))
    return replace(seeds, train=_shuffled(seeds.train, seeds.seeds, 1), choose=_shuffled(seeds.choose, seeds.seeds, 2))


def _pooled(rows: np.ndarray) -> np.ndarray:
    return rows.reshape(len(rows), 1, -1, rows.shape[-1])


def _shuffled(rows: np.ndarray, seeds: Sequence[int], part: int) -> np.ndarray:
    dealt = [
        np.random.default_rng([seed, part, 5]).permutation(own)
        for seed, own in zip(seeds, _pooled(rows)[:, 0], strict=True)
    ]
    return np.stack(dealt).reshape(rows.shape)
