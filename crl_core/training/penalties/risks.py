"""Penalties on risks: what the factual error of each group says, R_e = mean over its rows of (ŷ − y)²."""

from __future__ import annotations

import torch
from torch import Tensor

from crl_core.training.penalties.base import Batch, Penalty, present


def irm(batch: Batch) -> Tensor:
    """IRMv1: mean over groups of (∂R_e(w ŷ)/∂w at w = 1)², with ∂R_e/∂w = mean of 2 (ŷ − y) ŷ."""
    slope = _by_group(2 * (batch.y_hat - batch.y) * batch.y_hat, batch.member)
    return _mean_over_groups(slope.square(), batch.member)


def vrex(batch: Batch) -> Tensor:
    """V-REx: variance over groups of their risks (divisor: number of groups)."""
    risk = risks(batch)
    there = present(batch.member)
    mean = _mean_over_groups(risk, batch.member).unsqueeze(1)
    return ((risk - mean).square() * there).sum(dim=1) / there.sum(dim=1).clamp_min(1) * _two_or_more(there)


def risks(batch: Batch) -> Tensor:
    """R_e of every group, [M, E]; 0 for an empty one."""
    return _by_group((batch.y_hat - batch.y).square(), batch.member)


def _by_group(values: Tensor, member: Tensor) -> Tensor:
    """Mean of values [M, b] in every group, [M, E]."""
    return torch.einsum("mb,mbe->me", values, member) / member.sum(dim=1).clamp_min(1)


def _mean_over_groups(values: Tensor, member: Tensor) -> Tensor:
    there = present(member)
    return (values * there).sum(dim=1) / there.sum(dim=1).clamp_min(1) * _two_or_more(there)


def _two_or_more(there: Tensor) -> Tensor:
    return (there.sum(dim=1) >= 2).to(there.dtype)


RISK_PENALTIES = (
    Penalty(id="irm", acts_on="y_hat", value=irm),
    Penalty(id="vrex", acts_on="y_hat", value=vrex),
)
