"""Penalties on latents: how far the groups' distributions are apart, mean over pairs of groups."""

from __future__ import annotations

import torch
from torch import Tensor

from crl_core.ipm import member_factors
from crl_core.training.penalties.base import Batch, Penalty, group_means, mean_over_pairs, pairs

_WIDEST = 2.0  # of the three bandwidths, in median distances
_DIRECTIONS, _LEVELS = 24, 16


def mmd2_multi(batch: Batch) -> Tensor:
    """Mean over bandwidths h/2, h, 2h of the Gaussian MMD² (biased, not rooted) between groups."""
    widest, middle, narrow = _kernels(_centred(batch))
    return _quadratic((widest + middle + narrow) / 3, batch.member)


def mmd2_multi_and_gradient(batch: Batch) -> tuple[Tensor, Tensor]:
    """The same with its gradient: with K_f the kernel of width h_f and S the weights of the groups' rows,
    ∂/∂φ_i = -2/3 Σ_j S_ij Σ_f K_f,ij / h_f² (φ_i - φ_j); see `ipm.grouped_mmd2_and_gradient`."""
    c, (left, right) = _centred(batch), member_factors(batch.member)
    weights = left @ right.mT
    widest, middle, narrow = _kernels(c)
    value = torch.einsum("mij,mij->m", weights, widest + middle + narrow) / 3
    # Σ_f K_f / h_f², times the square of the widest h_f.
    steep = widest.add_(middle, alpha=4).add_(narrow, alpha=16).mul_(weights)
    pulled = c * steep.sum(dim=2, keepdim=True) - steep @ c
    return value.clamp_min(0), pulled * (-2 / (3 * _WIDEST * batch.bandwidth[:, None, None]))


def _centred(batch: Batch) -> Tensor:
    """Latents about their mean, in units of the widest bandwidth."""
    centred = batch.phi - batch.phi.mean(dim=1, keepdim=True)
    return centred / (_WIDEST * batch.bandwidth[:, None, None])


def _kernels(c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gaussian kernels of widths 1, 1/2, 1/4 of rows c [M, b, k]: half the width is the fourth power."""
    half = 0.5 * c.square().sum(dim=-1, keepdim=True)
    widest = torch.exp(torch.baddbmm(half + half.mT, c, c.mT, beta=-1))
    middle = widest.square().square()
    return widest, middle, middle.square().square()


def mmd2_linear(batch: Batch) -> Tensor:
    """Squared distance between the means of the groups: MMD² with a linear kernel."""
    means = group_means(batch.phi, batch.member)
    return mean_over_pairs(
        [(means[:, e] - means[:, f]).square().sum(dim=-1) for e, f in pairs(batch.member)], batch.member
    )


def coral(batch: Batch) -> Tensor:
    """Squared Frobenius distance between the groups' covariances (divisor n - 1), over 4 k²."""
    means = group_means(batch.phi, batch.member)
    covariances = []
    for e in range(batch.member.shape[-1]):
        rows = (batch.phi - means[:, e : e + 1]) * batch.member[:, :, e : e + 1]
        freedom = (batch.member[:, :, e].sum(dim=1) - 1).clamp_min(1)
        covariances.append(rows.mT @ rows / freedom[:, None, None])
    scale = 4 * batch.phi.shape[-1] ** 2
    return mean_over_pairs(
        [(covariances[e] - covariances[f]).square().sum(dim=(1, 2)) / scale for e, f in pairs(batch.member)],
        batch.member,
    )


def sliced_wasserstein2(batch: Batch) -> Tensor:
    """Squared 2-Wasserstein distance between groups, mean over fixed directions and levels of the quantile functions.

    Accuracy: 24 directions drawn once, and 16 mid-levels of a step-wise quantile function. Exact for these directions
              when every group has 16 rows; otherwise within the steps of the larger group's quantiles.
    """
    k = batch.phi.shape[-1]
    quantiles = _quantiles(batch.phi @ directions(k, batch.phi), batch.member)
    return mean_over_pairs(
        [(quantiles[e] - quantiles[f]).square().mean(dim=(1, 2)) for e, f in pairs(batch.member)],
        batch.member,
    )


def directions(k: int, like: Tensor) -> Tensor:
    """Unit directions [k, 24], the same in every step and process."""
    generator = torch.Generator().manual_seed(20_000 + k)
    drawn = torch.randn((k, _DIRECTIONS), generator=generator, dtype=torch.float64)
    unit: Tensor = drawn / drawn.norm(dim=0, keepdim=True)
    return unit.to(like)


def _quantiles(projected: Tensor, member: Tensor) -> list[Tensor]:
    """Of every group the values at the mid-levels, [M, levels, directions]."""
    levels = (torch.arange(_LEVELS, device=projected.device, dtype=projected.dtype) + 0.5) / _LEVELS
    found = []
    for e in range(member.shape[-1]):
        own = torch.where(member[:, :, e : e + 1] > 0, projected, torch.full_like(projected, torch.inf))
        rank = torch.argsort(own, dim=1)
        size = member[:, :, e].sum(dim=1, keepdim=True).clamp_min(1)
        at = (levels[None] * size).floor().long().clamp_max(projected.shape[1] - 1)  # [M, levels]
        rows = rank.gather(1, at.unsqueeze(-1).expand(-1, -1, projected.shape[-1]))
        found.append(projected.gather(1, rows))
    return found


def _quadratic(kernel: Tensor, member: Tensor) -> Tensor:
    """Mean MMD² over pairs of groups from a kernel [M, b, b]."""
    u = member / member.sum(dim=1, keepdim=True).clamp_min(1)
    inner = u.mT @ kernel @ u  # [M, E, E]
    values = [inner[:, e, e] + inner[:, f, f] - 2 * inner[:, e, f] for e, f in pairs(member)]
    return mean_over_pairs(values, member).clamp_min(0)


LATENT_PENALTIES = (
    Penalty(id="mmd-multi", acts_on="phi", value=mmd2_multi, written_out=mmd2_multi_and_gradient),
    Penalty(id="mmd-linear", acts_on="phi", value=mmd2_linear),
    Penalty(id="coral", acts_on="phi", value=coral),
    Penalty(id="wasserstein", acts_on="phi", value=sliced_wasserstein2),
)
