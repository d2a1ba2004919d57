"""Perfect interventions behind an invertible map, in two steps.

    log p_e(x) = log N(h(x); μ_e, Σ_e) + log |det ∂h/∂x|        h shared, μ_e and Σ_e free in every environment
    z = A h(x)                                                  A from the Σ_e, by `linear.causes_of`

The first step makes h(x) linear in the latents, whatever their edges are; the second finds the latents among its
directions. Both need more rows than independent latents do: what is bent in h is wrong in Σ_e.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from crl_core.identify.flows.flow import Flow
from crl_core.identify.linear import causes_of


class CausesFlow(Flow):
    """Flows with a free covariance in every environment; cut [E, d] bool as in `linear.causes_of`."""

    def __init__(
        self, starts: Sequence[tuple[int, int]], dim: int, cut: np.ndarray, *, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__(starts, dim, len(cut), dtype=dtype)
        eye = torch.eye(dim, dtype=dtype).repeat(len(starts), len(cut), 1, 1)
        self.whiten = eye.requires_grad_()  # [M, E, d, d], W with Wᵀ W = Σ⁻¹
        self.cut = cut

    def parameters(self) -> list[Tensor]:
        return [value for params in self.params for value in params.values()] + [self.mean, self.whiten]

    def _nll(self, u: Tensor, log_det: Tensor) -> Tensor:
        standard = torch.einsum("meij,mjeb->mieb", self.whiten, u - self.mean)
        square = 0.5 * standard.square().sum(dim=1).mean(dim=(1, 2))
        volume = torch.linalg.slogdet(self.whiten)[1].mean(dim=1) + log_det.mean(dim=1)
        own: Tensor = square + 0.5 * self.dim * math.log(2 * math.pi) - volume
        return own

    @torch.no_grad()
    def latents(self, x: Tensor) -> Tensor:
        """[M, n, d] of rows x [M, n, d]; NaN where a model diverged."""
        found = super().latents(x)
        inverse = torch.linalg.inv(self.whiten.double()).numpy()
        covariances = inverse @ inverse.swapaxes(-1, -2)
        maps = [
            causes_of(own, self.cut) if np.isfinite(own).all() else np.full((self.dim,) * 2, np.nan)
            for own in covariances
        ]
        return found @ torch.from_numpy(np.stack(maps)).to(found).mT
