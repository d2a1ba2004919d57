"""What a penalty is: a function of a batch's latents, or of its risks, one value a model; autograd gives its gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """What a penalty may look at, for M models.

    phi:       [M, b, k] latents.  y_hat: [M, b] factual predictions.  y: [M, b] factual outcomes.
    member:    [M, b, E], 1 where a row is of a group (environment, or arm where treatments are aligned), else 0.
    bandwidth: [M], the median distance between latents, detached.
    """

    phi: Tensor
    y_hat: Tensor
    y: Tensor
    member: Tensor
    bandwidth: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty:
    """One idea of invariance.

    value:   Batch -> [M], >= 0, differentiable in `phi` or in `y_hat`, invariant to the order of rows. A group with fewer
             than two rows counts for nothing, and with fewer than two groups left the value is 0.
    acts_on: which of the two it is differentiated by.
    """

    id: str  # its words are `penalty_words.PENALTY_WORDS[id]`
    acts_on: Literal["phi", "y_hat"]
    value: Callable[[Batch], Tensor]


def gradient(penalty: Penalty, batch: Batch) -> tuple[Tensor, Tensor]:
    """Value [M] and its gradient with respect to what the penalty acts on, in that tensor's shape. No graph is kept."""
    with torch.inference_mode(False), torch.enable_grad():
        own = {name: getattr(batch, name).clone() for name in ("phi", "y_hat", "y", "member", "bandwidth")}
        variable = own[penalty.acts_on].requires_grad_()
        value = penalty.value(Batch(**own))
        if not value.requires_grad:  # nothing to compare in this batch
            return value.detach(), torch.zeros_like(variable)
        (found,) = torch.autograd.grad(value.sum(), variable)
    return value.detach(), found


def pairs(member: Tensor) -> list[tuple[int, int]]:
    """All pairs of groups."""
    n_groups = member.shape[-1]
    return [(e, f) for e in range(n_groups) for f in range(e + 1, n_groups)]


def present(member: Tensor) -> Tensor:
    """[M, E], 1 where a group has two rows or more."""
    return (member.sum(dim=1) >= 2).to(member.dtype)


def mean_over_pairs(values: list[Tensor], member: Tensor) -> Tensor:
    """Mean over the pairs of present groups of `values`, one [M] a pair in the order of `pairs`; 0 where there is none."""
    if not values:
        return member.new_zeros(len(member))
    there = present(member)
    weight = torch.stack([there[:, e] * there[:, f] for e, f in pairs(member)])
    total = (torch.stack(values) * weight).sum(dim=0)
    return total / weight.sum(dim=0).clamp_min(1)


def group_means(values: Tensor, member: Tensor) -> Tensor:
    """Mean of values [M, b, k] in every group, [M, E, k]; 0 for an empty one."""
    size = member.sum(dim=1).clamp_min(1).unsqueeze(-1)
    return member.mT @ values / size
