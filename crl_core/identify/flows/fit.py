"""Training of M models, seeds × restarts, and the choice of a restart by its loss on rows kept for that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

BATCH = 512  # rows of a step, over all environments
_BETAS = (0.9, 0.98)


class Model(Protocol):
    """M models whose losses do not touch each other."""

    n_models: int

    def parameters(self) -> list[Tensor]: ...
    def loss(self, x: Tensor, step: int = 0) -> Tensor:
        """[M] from rows [M, E, b, d]; `step` seeds what is random in it."""

    def latents(self, x: Tensor) -> Tensor:
        """[M, n, k] from rows [M, n, d] of the reference environment."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """What a method recovered for S seeds, R restarts each."""

    latents: np.ndarray  # [S, n, k], of the chosen restart on the rows asked for
    losses: np.ndarray  # [S, R], on the rows kept for choosing
    chosen: np.ndarray  # [S] int
    every: np.ndarray  # [S, R, n, k], of all restarts


class Diverged(ValueError):
    """No restart of a seed has a finite loss."""


class Stopped(RuntimeError):
    """Someone asked for the training to stop."""


Listen = Callable[[int, np.ndarray, np.ndarray], None]  # step, losses [S, R], latents [S, R, n, k]


def fit(
    model: Model,
    train: np.ndarray,
    choose: np.ndarray,
    look: np.ndarray,
    *,
    restarts: int,
    steps: int,
    rate: float = 5e-3,
    watch: Sequence[int] = (),
    listen: Listen | None = None,
    should_stop: Callable[[], bool] | None = None,
    dtype: torch.dtype = torch.float32,
) -> Fitted:
    """Train by Adam with a one-cycle rate on minibatches of equally many rows of every environment.

    train, choose: [S, E, n, d] rows.  look: [S, n, d], rows of the reference whose latents are wanted.
    watch: steps after which `listen` hears where all restarts are; it changes nothing.
    should_stop: asked at every step.
    Raises: Diverged if all restarts of a seed end with a loss that is not finite; Stopped.
    """
    rows, kept, seen = (torch.from_numpy(part).to(dtype) for part in (train, choose, look))
    n_seeds, n_envs, n, _ = rows.shape
    size = min(n, max(2, BATCH // n_envs))
    rng = np.random.default_rng([n_envs, n, 11])  # the order of rows, the same for all models
    optimiser = torch.optim.Adam(model.parameters(), lr=rate, betas=_BETAS, foreach=True)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1, cycle_momentum=False)
    order, at = rng.permutation(n), 0
    for step in range(1, steps + 1):
        if should_stop is not None and should_stop():
            raise Stopped
        if at + size > n:
            order, at = rng.permutation(n), 0
        batch = rows[:, :, torch.from_numpy(order[at : at + size])]
        at += size
        optimiser.zero_grad(set_to_none=True)
        model.loss(spread(batch, restarts), step).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        cycle.step()
        if listen is not None and step in watch:
            listen(step, *_where(model, kept, seen, restarts))
    losses, latents = _where(model, kept, seen, restarts)
    if not np.isfinite(losses).any(axis=1).all():
        raise Diverged(
            "the likelihood is not finite after training, in every restart: the data reach too far for the flow. "
            "Use scales nearer to 1, another mixing or another seed."
        )
    chosen = np.where(np.isfinite(losses), losses, np.inf).argmin(axis=1)
    return Fitted(latents=latents[np.arange(n_seeds), chosen], losses=losses, chosen=chosen, every=latents)


def spread(rows: Tensor, restarts: int) -> Tensor:
    """[S, ...] -> [S · R, ...], the restarts of a seed side by side."""
    return rows.unsqueeze(1).expand(-1, restarts, *rows.shape[1:]).flatten(0, 1)


@torch.no_grad()
def _where(model: Model, kept: Tensor, seen: Tensor, restarts: int) -> tuple[np.ndarray, np.ndarray]:
    losses = model.loss(spread(kept, restarts)).double().numpy().reshape(-1, restarts)
    latents = model.latents(spread(seen, restarts)).double().numpy()
    return losses, latents.reshape(-1, restarts, *latents.shape[1:])
