"""Exact maximum likelihood: an invertible map to latents that are Gaussian and independent in every environment.

    log p_e(x) = Σ_i log N(h_i(x); μ_ei, σ_ei²) + log |det ∂h/∂x|

h is shared by all environments, μ and σ are free in each. M models train side by side, weights [M, ...].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from crl_core.identify.flows.layers import Bend, Couple, Params, Turn

Family = Literal["bend", "coupling"]


class _Layer(Protocol):
    def start(self, rng: np.random.Generator, dim: int) -> dict[str, np.ndarray]: ...
    def forward(self, p: Params, u: Tensor) -> tuple[Tensor, Tensor]: ...
    def inverse(self, p: Params, v: Tensor) -> Tensor: ...


def layers_of(family: Family) -> Sequence[_Layer]:
    """The layers of a family.

    bend:     three times a matrix and a bend, then a matrix.
    coupling: six times a matrix and an affine coupling, then a matrix.
    """
    if family == "bend":
        return [*(layer for _ in range(3) for layer in (Turn(), Bend())), Turn()]
    return [*(layer for step in range(6) for layer in (Turn(), Couple(step % 2))), Turn()]


class Flow:
    """M flows. `starts`: what their initial weights are drawn from, one pair (seed, restart) a model.

    A model depends on its own pair and data only, so a batch trains as its models would alone.
    """

    def __init__(
        self,
        starts: Sequence[tuple[int, int]],
        dim: int,
        n_envs: int,
        *,
        family: Family = "bend",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.layers = layers_of(family)
        self.dim, self.n_envs, self.n_models = dim, n_envs, len(starts)
        rngs = [np.random.default_rng([*start, 7]) for start in starts]
        self.params: list[Params] = []
        for layer in self.layers:
            drawn = [layer.start(rng, dim) for rng in rngs]
            self.params.append({name: _stack([one[name] for one in drawn], dtype) for name in drawn[0]})
        zero = np.zeros((dim, n_envs, 1))
        self.mean = _stack([zero] * len(starts), dtype)
        self.log_scale = _stack([zero] * len(starts), dtype)

    def parameters(self) -> list[Tensor]:
        return [value for params in self.params for value in params.values()] + [self.mean, self.log_scale]

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Latents [M, N, d] and log |det ∂h/∂x| [M, N] of rows x [M, N, d]."""
        u, log_det = self._forward(x.mT)
        return u.mT, log_det

    def _forward(self, u: Tensor) -> tuple[Tensor, Tensor]:
        log_det = u.new_zeros((u.shape[0], u.shape[2]))
        for layer, params in zip(self.layers, self.params, strict=True):
            u, more = layer.forward(params, u)
            log_det = log_det + more
        return u, log_det

    @torch.no_grad()
    def inverse(self, latents: Tensor) -> Tensor:
        """Rows x [M, N, d] whose latents these are, [M, N, d]."""
        v = latents.mT
        for layer, params in zip(reversed(self.layers), reversed(self.params), strict=True):
            v = layer.inverse(params, v)
        return v.mT

    def loss(self, x: Tensor, step: int = 0) -> Tensor:
        """Mean negative log likelihood of rows x [M, E, b, d], [M], in nats a row."""
        m, e, b, d = x.shape
        u, log_det = self._forward(x.permute(0, 3, 1, 2).reshape(m, d, e * b))
        return self._nll(u.view(m, d, e, b), log_det)

    def _nll(self, u: Tensor, log_det: Tensor) -> Tensor:
        standard = (u - self.mean) * torch.exp(-self.log_scale)
        square = 0.5 * standard.square().sum(dim=1).mean(dim=(1, 2))
        own: Tensor = square + self.log_scale.sum(dim=1).mean(dim=(1, 2)) + 0.5 * self.dim * math.log(2 * math.pi)
        return own - log_det.mean(dim=1)

    @torch.no_grad()
    def latents(self, x: Tensor) -> Tensor:
        """[M, n, d] of rows x [M, n, d] of the reference environment."""
        return self(x)[0]


def _stack(arrays: list[np.ndarray], dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(np.stack(arrays)).to(dtype).requires_grad_()
