"""Discrepancies between samples, batched over models. An integral probability metric (IPM) is the λ-weighted penalty.

MMD² between many groups at once is one quadratic form: with u_e = (indicator of group e) / n_e over the pooled batch,

    mean over pairs of MMD²(e, e') = Σ_ij S_ij k(φ_i, φ_j),   S = (P Σ_e u_e u_eᵀ - v vᵀ) / pairs,   v = Σ_e u_e,

for P groups and pairs = P (P - 1) / 2. S depends on the labels alone, so it is shared by all models of a batch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def mmd2(a: Tensor, b: Tensor, bandwidth: float | Tensor | None = None) -> Tensor:
    """Squared maximum mean discrepancy between two samples, one value per model.

    Kernel:    Gaussian, k(u, v) = exp(-|u - v|² / (2 h²)).
    Estimator: biased (V-statistic); the diagonal terms k(u, u) are included.
    Root:      not taken; the result is squared and smooth at zero.
    a, b:      [n, k] and [m, k], or stacks [M, n, k] and [M, m, k], in the units of the latents.
    bandwidth: h > 0; None is the median distance between rows of the pooled sample (`median_distance`), detached.
    Returns:   a scalar, or [M]; >= 0; dtype and device of `a`.
    Raises:    ValueError if `bandwidth` is not positive or a sample is empty.
    Source:    Gretton et al. (2012), A Kernel Two-Sample Test, JMLR 13, the squared biased estimate.
    """
    n, m = a.shape[-2], b.shape[-2]
    if n == 0 or m == 0:
        raise ValueError(f"the samples have {n} and {m} rows; both need at least 1. Use a larger sample.")
    if isinstance(bandwidth, (int, float)) and not bandwidth > 0:
        raise ValueError(f"bandwidth is {bandwidth}; it must be > 0. Try the median distance between rows.")
    pooled = torch.cat([a, b], dim=-2)
    stacked = pooled if pooled.dim() == 3 else pooled.unsqueeze(0)
    h = median_distance(stacked) if bandwidth is None else torch.as_tensor(bandwidth).to(stacked)
    signed = torch.cat([a.new_full((n,), 1 / n), a.new_full((m,), -1 / m)])
    value = grouped_mmd2(stacked, torch.outer(signed, signed).unsqueeze(0), h.expand(len(stacked)))
    return value if pooled.dim() == 3 else value[0]


def pair_factors(
    labels: Tensor, n_groups: int, dtype: torch.dtype, strata: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Factors F, F' [..., b, n_groups + 1] with S = F F'ᵀ, from the group of each row, [..., b] int64.

    A group with fewer than two rows is left out: one row says nothing about a distribution. With fewer than two groups
    left S is zero.
    strata: [..., b] of 0 and 1; groups are then compared among rows of the same one, and S is the mean of both. The
            factors of both stand side by side, and one in which fewer than two groups are left counts as 0.
    """
    member = torch.nn.functional.one_hot(labels, n_groups).to(dtype)
    if strata is None:
        return member_factors(member)
    within = [member_factors(member * (strata == value).unsqueeze(-1)) for value in (0, 1)]
    left, right = (torch.cat(side, dim=-1) * 0.5**0.5 for side in zip(*within, strict=True))
    return left, right


def member_factors(member: Tensor) -> tuple[Tensor, Tensor]:
    """`pair_factors` from member [..., b, n_groups], 1 where a row is of a group, else 0; a row may be of none."""
    count = member.sum(dim=-2, keepdim=True)
    present = (count >= 2).to(member.dtype)
    u = member * present / count.clamp_min(1)
    n_present = present.sum(dim=-1, keepdim=True)
    pairs = n_present * (n_present - 1) / 2
    per_pair = torch.where(pairs > 0, 1 / pairs.clamp_min(1), 0)
    own = u * (n_present * per_pair).sqrt()
    all_groups = u.sum(dim=-1, keepdim=True) * per_pair.sqrt()
    return torch.cat([own, all_groups], dim=-1), torch.cat([own, -all_groups], dim=-1)


def pair_weights(labels: Tensor, n_groups: int, dtype: torch.dtype, strata: Tensor | None = None) -> Tensor:
    """S of the module's formula, [..., b, b], from the group of each row, [..., b] int64; strata: as `pair_factors`."""
    left, right = pair_factors(labels, n_groups, dtype, strata)
    return left @ right.mT


def grouped_mmd2(phi: Tensor, weights: Tensor, bandwidth: Tensor) -> Tensor:
    """Σ_ij S_ij k(φ_i, φ_j) per model: the mean MMD² over pairs of groups when `weights` comes from `pair_weights`.

    phi: [M, b, k].  weights: S, symmetric, rows summing to 0, [G, b, b] with M a multiple of G (models of a group
    follow each other).  bandwidth: h, [M].  Returns: [M], clamped at 0 since rounding can dip below.
    The gradient with respect to `phi` is in closed form; there is none with respect to the other arguments.
    """
    value: Tensor = _WeightedKernelSum.apply(phi, weights, bandwidth)  # type: ignore[no-untyped-call]
    return value


@torch.no_grad()
def grouped_mmd2_and_gradient(phi: Tensor, weights: Tensor, bandwidth: Tensor) -> tuple[Tensor, Tensor]:
    """`grouped_mmd2` [M] with its gradient with respect to `phi` [M, b, k], in one go.

    value = Σ_ij G_ij with G = S ∘ K, and ∂value/∂φ_i = -(2 / h²) Σ_j G_ij (φ_i - φ_j), since S and K are symmetric.
    With c = (φ - mean) / h and a = |c|² / 2 the kernel's exponent is c_i·c_j - a_i - a_j, and G [c, 1] gives both sums
    of the gradient in one product.
    """
    rows = phi.shape[1]
    h = bandwidth[:, None, None]
    c = (phi - phi.mean(dim=1, keepdim=True)) / h  # centred: distances do not change, and far less cancels
    a = c.square().sum(dim=-1, keepdim=True).mul_(0.5)
    kernel = torch.baddbmm(a + a.mT, c, c.mT, beta=-1).clamp_max_(0).exp_()  # rounding may leave it above 0
    kernel.view(len(weights), -1, rows, rows).mul_(weights.unsqueeze(1))
    sums = torch.bmm(kernel, torch.cat([c, torch.ones_like(a)], dim=-1))
    row_sum = sums[..., -1:]
    gradient = (c * row_sum).sub_(sums[..., :-1]).mul_(-2 / h)
    return row_sum.sum(dim=(1, 2)).clamp_min_(0), gradient


# Rows go through the features so many numbers at a time: where they leave the cache, it takes 1.4 to 1.7 times as long.
_NUMBERS, _FEWEST_ROWS = 2**19, 64


@torch.no_grad()
def fourier_mmd2_and_gradient(
    phi: Tensor, left: Tensor, right: Tensor, frequencies: Tensor, bandwidth: Tensor
) -> tuple[Tensor, Tensor]:
    """`grouped_mmd2_and_gradient` with the kernel estimated by random Fourier features, in time linear in the rows.

    k(u, v) ≈ ψ(u)·ψ(v) with ψ = √(1/D) [cos(ω·u / h), sin(ω·u / h)] for D frequencies ω, so that with S = F F'ᵀ the
    value is Σ (Fᵀψ) ∘ (F'ᵀψ), and its derivative with respect to ψ is 2 F (F'ᵀψ).

    phi: [M, b, k].  left, right: `pair_factors`, [G, b, P].  frequencies: of standard normal entries, [G, k, D].
    bandwidth: h, [M].  Returns: value [M], unbiased over frequencies, and its gradient with respect to `phi`.
    Source: Rahimi, Recht (2007), Random Features for Large-Scale Kernel Machines, NeurIPS.
    """
    models, _, k = phi.shape
    groups, n_frequencies = len(frequencies), frequencies.shape[-1]
    each = models // groups
    h = bandwidth[:, None, None]
    c = (phi - phi.mean(dim=1, keepdim=True)).div_(h)  # a shift turns every ψ alike; small angles are exact ones
    left, right = (side.repeat_interleave(each, dim=0) for side in (left, right))
    n_rows = max(_FEWEST_ROWS, _NUMBERS // (models * n_frequencies))
    of_left, of_right = phi.new_zeros((2, models, left.shape[-1], 2 * n_frequencies))
    features = []
    for some, its_left, its_right in zip(*(torch.split(of, n_rows, dim=1) for of in (c, left, right)), strict=True):
        angles = torch.bmm(some.reshape(groups, -1, k), frequencies).view(models, -1, n_frequencies)
        psi = torch.cat([angles.cos(), angles.sin()], dim=-1)
        of_left.baddbmm_(its_left.mT, psi)
        of_right.baddbmm_(its_right.mT, psi)
        features.append((psi, its_left))
    value = (of_left * of_right).sum(dim=(1, 2)) / n_frequencies
    of_right.mul_(2 / n_frequencies)
    parts = []
    for psi, its_left in features:
        cos, sin = psi.chunk(2, dim=-1)
        d_cos, d_sin = torch.bmm(its_left, of_right).chunk(2, dim=-1)
        of_angles = d_sin.mul_(cos).sub_(d_cos.mul_(sin)).view(groups, -1, n_frequencies)
        parts.append(torch.bmm(of_angles, frequencies.mT).view(models, -1, k))
    return value.clamp_min_(0), torch.cat(parts, dim=1).div_(h)


@torch.no_grad()
def block_mmd2_and_gradient(phi: Tensor, left: Tensor, right: Tensor, bandwidth: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of `grouped_mmd2_and_gradient` over blocks of the rows, in time linear in the number of blocks.

    phi: [M, b, k], rows in random order.  left, right: `pair_factors` of each block by itself, [G, blocks, rows of one,
    P]; rows beyond the last block are left out.  Biased as MMD² of a sample as small as a block is.
    Source: Zaremba, Gretton, Blaschko (2013), B-test: A Non-parametric, Low Variance Kernel Two-sample Test, NeurIPS.
    """
    models, _, k = phi.shape
    groups, blocks, rows, _ = left.shape
    each = models // groups
    used = phi[:, : blocks * rows].reshape(groups, each, blocks, rows, k).transpose(1, 2)
    h = bandwidth.view(groups, 1, each).expand(groups, blocks, each)
    value, found = grouped_mmd2_and_gradient(used.reshape(-1, rows, k), (left @ right.mT).flatten(0, 1), h.reshape(-1))
    gradient = torch.zeros_like(phi)
    gradient[:, : blocks * rows] = found.view(used.shape).transpose(1, 2).reshape(models, -1, k) / blocks
    return value.view(groups, blocks, each).mean(dim=1).flatten(), gradient


class _WeightedKernelSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, phi: Tensor, weights: Tensor, bandwidth: Tensor) -> Tensor:
        value, gradient = grouped_mmd2_and_gradient(phi, weights, bandwidth)
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradient * grad[:, None, None], None, None


@torch.no_grad()
def median_distance(phi: Tensor) -> Tensor:
    """Median Euclidean distance between different rows of each model, [M, n, k] -> [M], > 0, without gradient.

    Of an even number of pairs it is the lower of the two in the middle, which saves a second selection. A single row,
    or equal rows, give 1: any width will do.
    """
    rows = phi.shape[1]
    if rows < 2:
        return phi.new_ones(len(phi))
    first, second = torch.triu_indices(rows, rows, offset=1, device=phi.device)
    pairs = squared_distances(phi).flatten(1).index_select(1, first * rows + second)
    median = _smallest(pairs, (pairs.shape[1] + 1) // 2).sqrt()
    return torch.where(median > 0, median, torch.ones_like(median))


def _smallest(values: Tensor, k: int) -> Tensor:
    """The k-th smallest of each row, [M, n] -> [M]; NaN counts as the largest."""
    if values.device.type == "cpu":  # NumPy's selection takes a ninth of torch's time
        return torch.from_numpy(np.partition(values.numpy(), k - 1, axis=1)[:, k - 1].copy())
    return values.kthvalue(k, dim=1).values


def squared_distances(phi: Tensor) -> Tensor:
    """Squared Euclidean distances between all rows of each model, [M, n, k] -> [M, n, n], >= 0."""
    phi = phi - phi.mean(dim=1, keepdim=True)  # distances do not change, and far less cancels in float32
    norm = phi.square().sum(dim=-1, keepdim=True)
    return (norm + norm.mT).baddbmm_(phi, phi.mT, alpha=-2).clamp_min_(0)
