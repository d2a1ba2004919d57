"""The contrastive penalty: matched pairs from two groups should be nearer to each other than to other pairs' rows."""

from __future__ import annotations

import torch
from torch import Tensor

from crl_core.training.penalties.base import Batch, Penalty

TEMPERATURE = 0.1


def info_nce(batch: Batch) -> Tensor:
    """Symmetric InfoNCE over the batch's pairs, similarity −‖a − b‖² / (2 h² · .1); 0 without two pairs."""
    n = batch.valid.sum(dim=1)  # [M]
    a, b = batch.phi[:, batch.matched[0]], batch.phi[:, batch.matched[1]]  # [M, P, k]
    if a.shape[1] == 0:
        return batch.phi.new_zeros(len(batch.phi))
    distance2 = (
        a.square().sum(-1).unsqueeze(2) + b.square().sum(-1).unsqueeze(1) - 2 * a @ b.mT
    )  # [M, P, P], own partner on the diagonal
    logits = -distance2 / (2 * TEMPERATURE * batch.bandwidth.square())[:, None, None]
    # Pairs that only fill up the batch are no one's alternative.
    absent = (batch.valid == 0) & (n > 0).unsqueeze(1)
    own = logits.diagonal(dim1=1, dim2=2)
    among_b = logits.masked_fill(absent.unsqueeze(1), -torch.inf).logsumexp(dim=2)
    among_a = logits.masked_fill(absent.unsqueeze(2), -torch.inf).logsumexp(dim=1)
    loss = ((among_a + among_b - 2 * own) / 2 * batch.valid).sum(dim=1) / n.clamp_min(1)
    return loss * (n >= 2)


PAIR_PENALTIES = (Penalty(id="contrastive", acts_on="phi", value=info_nce, needs_pairs=True),)
