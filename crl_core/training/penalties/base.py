"""A penalty: a function of a batch's latents, or of its risks, one value a model; autograd gives its gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """What a penalty may look at, for M models.

    phi:       [M, b, k] latents.  y_hat: [M, b] factual predictions.  y: [M, b] factual outcomes.
    member:    [M, b, E], 1 where a row is of a group (environment, or arm where treatments are aligned), else 0.
    bandwidth: [M], the median distance between latents, detached.
    matched:   [2, P] int64, rows that are pairs; of no group.  valid: [M, P], 1 for a pair, 0 for one that only fills
               up.
    opponent:  what an `Opponent` has learned so far; empty for penalties without one.
    """

    phi: Tensor
    y_hat: Tensor
    y: Tensor
    member: Tensor
    bandwidth: Tensor
    matched: Tensor = field(default_factory=lambda: torch.zeros((2, 0), dtype=torch.int64))
    valid: Tensor = field(default_factory=lambda: torch.zeros((1, 0)))
    opponent: tuple[Tensor, ...] = ()

    def own(self) -> Batch:
        """A copy that autograd may use, also where this one was made in inference mode."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        copied: dict[str, Any] = {
            name: tuple(part.clone() for part in value) if isinstance(value, tuple) else value.clone()
            for name, value in values.items()
        }
        return Batch(**copied)


class Opponent(Protocol):
    """Memory of a penalty from step to step; it sees every batch before the penalty's value is taken.

    Made of: generators of the replicates, λ, k, E, and a tensor of the device and dtype.
    """

    def __init__(
        self, rngs: Sequence[np.random.Generator], n_lams: int, k: int, n_groups: int, like: Tensor
    ) -> None: ...

    def learn(self, batch: Batch) -> tuple[Tensor, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty:
    """One idea of invariance.

    value:   Batch -> [M], differentiable in `phi` or in `y_hat`, invariant to the order of rows. A group with fewer
             than two rows counts for nothing, and with fewer than two groups left the value is 0.
    acts_on: which of the two it is differentiated by.
    needs_pairs: whether the batch must come with matched pairs.
    written_out: value and gradient by hand, where autograd's would cost too much; `value` stays what it is tested
                 against.
    """

    id: str  # its words are `penalty_words.PENALTY_WORDS[id]`
    acts_on: Literal["phi", "y_hat"]
    value: Callable[[Batch], Tensor]
    needs_pairs: bool = False
    opponent: type[Opponent] | None = None
    written_out: Callable[[Batch], tuple[Tensor, Tensor]] | None = None


def gradient(penalty: Penalty, batch: Batch) -> tuple[Tensor, Tensor]:
    """Value [M] and its gradient with respect to what the penalty acts on, in that tensor's shape. No graph is kept."""
    if penalty.written_out is not None:
        return penalty.written_out(batch)
    with torch.inference_mode(False), torch.enable_grad():
        own = batch.own()
        variable = getattr(own, penalty.acts_on).requires_grad_()
        value = penalty.value(own)
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
    """Mean of `values`, [M] a pair in the order of `pairs`, over the pairs of present groups; 0 if there is none."""
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
