"""Adam by torch's functional form: the same steps as `torch.optim.Adam`, whose class imports torch's compiler, seconds
and tens of megabytes that nobody here needs, at its first use."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.optim.adam import adam


class Adam:
    """Steps of Adam (Kingma, Ba 2015) on tensors that all have a gradient.

    weight_decay: L2, added to the gradient.  fused: one kernel a step, which rounds otherwise than the plain steps.
    """

    def __init__(
        self, params: Sequence[torch.Tensor], *, lr: float, weight_decay: float = 0.0, fused: bool = False
    ) -> None:
        self._params, self._lr, self._weight_decay, self._fused = list(params), lr, weight_decay, fused
        self._means = [torch.zeros_like(param) for param in params]
        self._squares = [torch.zeros_like(param) for param in params]
        self._steps = [torch.zeros((), dtype=torch.float32, device=param.device) for param in params]

    @property
    def lasting(self) -> list[torch.Tensor]:
        """What a step changes besides the parameters."""
        return [*self._means, *self._squares, *self._steps]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for param in self._params:
            param.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One step along the gradients."""
        if self._fused:  # torch's function sorts its tensors by device at every step, which costs as much as the kernel
            self._fused_step()
            return
        adam(
            self._params,
            [param.grad for param in self._params if param.grad is not None],
            self._means,
            self._squares,
            [],
            self._steps,
            foreach=False,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self._lr,
            weight_decay=self._weight_decay,
            eps=1e-8,
            maximize=False,
        )

    def _fused_step(self) -> None:
        for step in self._steps:
            step += 1
        torch._fused_adam_(
            self._params,
            [param.grad for param in self._params if param.grad is not None],
            self._means,
            self._squares,
            [],
            self._steps,
            lr=self._lr,
            beta1=0.9,
            beta2=0.999,
            weight_decay=self._weight_decay,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )
