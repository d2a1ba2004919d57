"""Penalties with an opponent, which learns from every batch before the penalty is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from crl_core.training.adam import Adam
from crl_core.training.penalties.base import Batch, Penalty, present
from crl_core.training.penalties.risks import risks

UNITS, CRITIC_RATE = 32, 1e-2
# Weight of the critic's own smoothness. Without it a critic of environments that lie apart is a cliff: its gradient is
# 0 or huge, and the encoder runs from it in circles (hospital: latent MMD² never fell). 1 was taken for the latent MMD²
# it leads to, not for ITE.
SMOOTH = 1.0
DRO_RATE = 0.01  # of the exponentiated gradient, Sagawa et al. (2020)


class Critic:
    """One small classifier of groups a model, [k → 32 → E]; a step of Adam on every batch."""

    def __init__(self, rngs: Sequence[np.random.Generator], n_lams: int, k: int, n_groups: int, like: Tensor) -> None:
        def drawn(fan_in: int, *shape: int) -> Tensor:
            values = np.stack([rng.normal(0, fan_in**-0.5, shape) for rng in rngs])
            return torch.from_numpy(values).to(like).repeat_interleave(n_lams, dim=0)

        with torch.inference_mode(False):
            models = len(rngs) * n_lams
            self._params = [
                drawn(k, k, UNITS),
                like.new_zeros((models, 1, UNITS)),
                drawn(UNITS, UNITS, n_groups),
                like.new_zeros((models, 1, n_groups)),
            ]
            for param in self._params:
                param.requires_grad_()
            self._optimiser = Adam(self._params, lr=CRITIC_RATE)

    def learn(self, batch: Batch) -> tuple[Tensor, ...]:
        """One step towards telling the groups of `batch` apart; the weights after it, detached.

        Loss: cross-entropy + SMOOTH · mean squared gradient of it in a row's φ / h (times rows), as R1 of Mescheder et
              al. (2018).
        """
        with torch.inference_mode(False), torch.enable_grad():
            self._optimiser.zero_grad()
            own = replace(batch.own(), opponent=tuple(self._params))
            value = domain_confusion(replace(own, phi=own.phi.requires_grad_())).sum()
            if value.requires_grad:
                (slope,) = torch.autograd.grad(value, own.phi, create_graph=True)
                steep = slope.shape[1] * own.bandwidth[:, None, None] * slope  # [M, b, k], of a row by itself
                (SMOOTH * steep.square().sum(dim=2).mean(dim=1).sum() - value).backward()  # type: ignore[no-untyped-call]
                self._optimiser.step()
        return tuple(param.detach() for param in self._params)


class GroupWeights:
    """Weights of the groups' risks [M, E], moved to the worst ones by exponentiated gradient."""

    def __init__(self, rngs: Sequence[np.random.Generator], n_lams: int, k: int, n_groups: int, like: Tensor) -> None:
        self._weight = like.new_full((len(rngs) * n_lams, n_groups), 1 / n_groups)

    def learn(self, batch: Batch) -> tuple[Tensor, ...]:
        step = torch.exp(DRO_RATE * risks(batch) * present(batch.member))
        self._weight = self._weight * step
        self._weight = self._weight / self._weight.sum(dim=1, keepdim=True)
        return (self._weight,)


def domain_confusion(batch: Batch) -> Tensor:
    """log E − cross-entropy of the critic, groups weighing the same: 0 if it cannot tell, log E if it always can."""
    first, first_bias, second, second_bias = batch.opponent
    phi = (batch.phi - batch.phi.mean(dim=1, keepdim=True)) / batch.bandwidth[:, None, None]
    logits = torch.relu(phi @ first + first_bias) @ second + second_bias  # [M, b, E]
    there = present(batch.member)
    logits = logits.masked_fill((there == 0).unsqueeze(1), -1e9)
    surprise = (batch.member * -logits.log_softmax(dim=-1)).sum(dim=1) / batch.member.sum(dim=1).clamp_min(1)
    n = there.sum(dim=1)
    value: Tensor = (n.clamp_min(1).log() - (surprise * there).sum(dim=1) / n.clamp_min(1)) * (n >= 2)
    return value


def worst_risk(batch: Batch) -> Tensor:
    """Σ_e q_e R_e with the weights q of `GroupWeights`, renormalised over the groups that are present."""
    there = present(batch.member)
    weight = batch.opponent[0] * there
    value: Tensor = (weight * risks(batch)).sum(dim=1) / weight.sum(dim=1).clamp_min(1e-12) * (there.sum(dim=1) >= 2)
    return value


OPPONENT_PENALTIES = (
    Penalty(id="adversarial", acts_on="phi", value=domain_confusion, opponent=Critic),
    Penalty(id="groupdro", acts_on="y_hat", value=worst_risk, opponent=GroupWeights),
)
