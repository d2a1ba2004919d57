"""Alignment against identification: the flow with λ · MMD² between its environments' latents added to the likelihood.

The map stays invertible, so nothing can be thrown away; what alignment can do is to turn latents so that environments
differ less in each coordinate. That is exactly the difference by which latents are recognised.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from crl_core.identify.chance import chance_among
from crl_core.identify.flows.fit import fit
from crl_core.identify.flows.flow import Flow
from crl_core.identify.flows.networks import mmd2_of_groups
from crl_core.identify.latent_worlds import LatentWorld
from crl_core.identify.method_inputs import Seeds, draw
from crl_core.identify.scores import score

LAMS = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


class AlignedFlow(Flow):
    """Flows, each with its own weight λ [M] of the MMD² of its standardised latents.

    MMD²: Gaussian kernel, median bandwidth, biased.
    """

    def __init__(self, starts: Sequence[tuple[int, int]], dim: int, n_envs: int, lams: np.ndarray) -> None:
        super().__init__(starts, dim, n_envs)
        self.lams = torch.from_numpy(lams).float()

    def loss(self, x: Tensor, step: int = 0) -> Tensor:
        m, e, b, d = x.shape
        u, log_det = self._forward(x.permute(0, 3, 1, 2).reshape(m, d, e * b))
        own = self._nll(u.view(m, d, e, b), log_det)
        if step == 0:  # restarts are not in play: one a λ
            return own
        return own + self.lams * mmd2_of_groups(standardised(u.mT).view(m, e, b, d))


def standardised(u: Tensor) -> Tensor:
    """Columns of [M, N, d] with mean 0 and variance 1, so that a scale cannot do alignment's work."""
    centred = u - u.mean(dim=1, keepdim=True)
    return centred / centred.square().mean(dim=1, keepdim=True).sqrt().clamp_min(1e-6)


def tradeoff(
    world: LatentWorld, seeds: Sequence[int], steps: int, lams: Sequence[float] = LAMS
) -> list[dict[str, Any]]:
    """One entry a λ and seed: {"lam", "seed", "mcc", "per_coordinate", "mmd2", "outcome", "r2", "floor"}.

    mmd2:    between the environments' standardised latents, on rows kept for choosing.
    outcome: R² of the outcome from the one recovered coordinate that tells most of it (chosen on half of the rows).
    Raises: ValueError if the world has no outcome.
    """
    if not world.outcome:
        raise ValueError("the trade-off needs a world with an outcome; give `outcome`, one coefficient a latent.")
    drawn = draw(world, seeds)
    given = Seeds(
        world=world,
        seeds=tuple(seed for seed in drawn.seeds for _ in lams),
        train=np.repeat(drawn.train, len(lams), axis=0),
        choose=np.repeat(drawn.choose, len(lams), axis=0),
        look=np.repeat(drawn.look, len(lams), axis=0),
        truth=drawn.truth,
    )
    starts = [(seed, 0) for seed in given.seeds]
    model = AlignedFlow(starts, world.dim, world.n_envs, np.tile(lams, len(drawn.seeds)))
    found = fit(model, given.train, given.choose, given.look, restarts=1, steps=steps)
    with torch.no_grad():
        kept = torch.from_numpy(given.choose).float()
        m, e, b, d = kept.shape
        u = standardised(model(kept.view(m, e * b, d))[0]).view(m, e, b, d)
        apart = mmd2_of_groups(u, rows=400).numpy()
    floors = [chance_among(z).mean for z in drawn.z]
    rows = []
    for index, seed in enumerate(given.seeds):
        place = drawn.seeds.index(seed)
        own = score(drawn.z[place], found.latents[index])
        y = drawn.truth[place].test.y[0]
        rows.append(
            {
                "lam": float(lams[index % len(lams)]),
                "seed": seed,
                "mcc": own.mcc,
                "per_coordinate": own.per_coordinate.tolist(),
                "r2": own.r2,
                "mmd2": float(apart[index]),
                "outcome": best_single(found.latents[index], y),
                "floor": floors[place],
            }
        )
    return rows


def best_single(latents: np.ndarray, y: np.ndarray) -> float:
    """R² of y from the coordinate most correlated with it: chosen on the first half of rows, taken on the second."""
    half = len(y) // 2
    first = np.abs(np.corrcoef(np.column_stack([latents[:half], y[:half]]), rowvar=False)[-1, :-1])
    return float(np.corrcoef(latents[half:, first.argmax()], y[half:])[0, 1] ** 2)
