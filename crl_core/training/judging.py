"""What models are judged by after an epoch, where they are: one tensor of numbers comes back from the device, not every
row's outcomes. The formulas are those of `metrics` and `collapse`, which a test holds against these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from crl_core.data.scm import MultiEnvData


def exact(device: torch.device) -> torch.dtype:
    """The type in which means over rows are taken: float64 where the device has it."""
    return torch.float32 if device.type == "mps" else torch.float64


class Judge:
    """Rows that no model was trained on, of each replicate, and what outcomes predicted for them are worth."""

    def __init__(self, rows: Sequence[MultiEnvData], n_lams: int, device: torch.device) -> None:
        """n_lams: models of a replicate, which follow each other."""

        def by_replicate(values: Sequence[np.ndarray]) -> Tensor:
            return torch.from_numpy(np.stack(values)).to(device, exact(device)).unsqueeze(1)

        self._n_lams = n_lams
        self._y = by_replicate([part.y for part in rows])  # [G, 1, n]
        self._treated = by_replicate([part.t for part in rows]) == 1
        effects = [part.ite for part in rows if part.ite is not None]
        self._ite = by_replicate(effects) if effects else None

    def factual_mse(self, outcomes: Tensor) -> Tensor:
        """Of the outcomes under both arms, [M, n, 2] -> [M]."""
        return self._received(outcomes).sub_(self._y).square_().mean(dim=2).flatten()

    def ite_rmse(self, outcomes: Tensor) -> Tensor | None:
        """[M, n, 2] -> [M]; None where no effect is known."""
        if self._ite is None:
            return None
        y0_hat, y1_hat = self._by_replicate(outcomes).unbind(-1)
        return (y1_hat - y0_hat).sub_(self._ite).square_().mean(dim=2).sqrt_().flatten()

    def spread(self, outcomes: Tensor) -> Tensor:
        """Mean over the arms present of the variance of predictions within the arm, [M, n, 2] -> [M]."""
        received = self._received(outcomes)
        total, arms = torch.zeros_like(received[..., 0]), torch.zeros_like(received[..., 0])
        for arm in (self._treated, ~self._treated):
            n = arm.sum(dim=2).clamp_min(1)
            mean = (received * arm).sum(dim=2) / n
            total += (received - mean[..., None]).square_().mul_(arm).sum(dim=2) / n
            arms += arm.any(dim=2)
        return (total / arms).flatten()

    def _by_replicate(self, outcomes: Tensor) -> Tensor:
        """[M, n, 2] -> [G, L, n, 2]."""
        return outcomes.view(-1, self._n_lams, *outcomes.shape[1:])

    def _received(self, outcomes: Tensor) -> Tensor:
        """Under the treatment that each row has had, [G, L, n]."""
        y0_hat, y1_hat = self._by_replicate(outcomes).unbind(-1)
        return torch.where(self._treated, y1_hat, y0_hat)


def fetched(numbers: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Numbers [M] of a device as NumPy float64, in one transfer."""
    dtype = exact(next(iter(numbers.values())).device)
    together = torch.stack([value.to(dtype) for value in numbers.values()]).cpu().numpy().astype(np.float64)
    return dict(zip(numbers, together, strict=True))
