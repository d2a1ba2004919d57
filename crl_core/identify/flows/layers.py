"""Layers of invertible flows for M models at once. Rows stand last, [M, d, N], so that products run along them.

Each layer maps u to (u', log |det ∂u'/∂u|), the latter [M, N] or [M, 1] where it is the same for all rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import softplus

Params = dict[str, Tensor]
KNOTS = 6
_BISECTIONS = 60


class Turn:
    """u' = W u with a free d × d matrix, orthogonal at the start."""

    def start(self, rng: np.random.Generator, dim: int) -> dict[str, np.ndarray]:
        return {"w": np.linalg.qr(rng.standard_normal((dim, dim)))[0]}

    def forward(self, p: Params, u: Tensor) -> tuple[Tensor, Tensor]:
        return torch.bmm(p["w"], u), torch.linalg.slogdet(p["w"])[1].unsqueeze(-1)

    def inverse(self, p: Params, v: Tensor) -> Tensor:
        solved: Tensor = torch.linalg.solve(p["w"], v)
        return solved


class Bend:
    """Each coordinate by itself: u' = u + Σ_k a_k tanh(b_k (u - c_k)) with a, b > 0, so that it always rises."""

    def start(self, rng: np.random.Generator, dim: int) -> dict[str, np.ndarray]:
        return {
            "a": np.full((dim, KNOTS), -2.0),
            "b": np.full((dim, KNOTS), 0.5),
            "c": np.tile(np.linspace(-2.0, 2.0, KNOTS), (dim, 1)),
        }

    def forward(self, p: Params, u: Tensor) -> tuple[Tensor, Tensor]:
        v, log_slope = bend(u, softplus(p["a"]), softplus(p["b"]), p["c"])
        return v, log_slope.sum(dim=1)

    @torch.no_grad()
    def inverse(self, p: Params, v: Tensor) -> Tensor:
        """By bisection: the bend moves a coordinate by at most Σ a."""
        a, b, c = softplus(p["a"]), softplus(p["b"]), p["c"]
        reach = a.sum(dim=-1, keepdim=True)
        low, high = v - reach, v + reach
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            below = bend(middle, a, b, c)[0] < v
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return (low + high) / 2


class Couple:
    """Affine coupling: half of the coordinates scale and move the other half, by a small network of their own."""

    HIDDEN = 32

    def __init__(self, parity: int) -> None:
        self.parity = parity

    def start(self, rng: np.random.Generator, dim: int) -> dict[str, np.ndarray]:
        return {
            "w1": rng.normal(0, 1 / np.sqrt(dim), (self.HIDDEN, dim)),
            "b1": rng.normal(0, 0.3, (self.HIDDEN, 1)),
            "w2": rng.normal(0, 0.01, (2 * dim, self.HIDDEN)),
            "b2": np.zeros((2 * dim, 1)),
        }

    def _scale_and_shift(self, p: Params, u: Tensor) -> tuple[Tensor, Tensor]:
        dim = u.shape[1]
        kept = ((torch.arange(dim, device=u.device) + self.parity) % 2 == 0).to(u.dtype)[:, None]
        hidden = torch.tanh(torch.baddbmm(p["b1"], p["w1"], u * kept))
        log_scale, shift = torch.baddbmm(p["b2"], p["w2"], hidden).chunk(2, dim=1)
        return 2 * torch.tanh(log_scale / 2) * (1 - kept), shift * (1 - kept)

    def forward(self, p: Params, u: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self._scale_and_shift(p, u)
        return u * log_scale.exp() + shift, log_scale.sum(dim=1)

    def inverse(self, p: Params, v: Tensor) -> Tensor:
        log_scale, shift = self._scale_and_shift(p, v)  # of the half that does not change
        return (v - shift) * (-log_scale).exp()


def bend(u: Tensor, a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """u + Σ_k a_k tanh(b_k (u - c_k)) and the log of its slope. u: [M, d, N]; a, b > 0 and c: [M, d, K]."""
    value, log_slope = _Bend.apply(u, a, b, c)  # type: ignore[no-untyped-call]
    return value, log_slope


class _Bend(torch.autograd.Function):
    """The gradient is written out: three tensors of [M d, K, N] instead of a dozen, which is where the time goes.

    With t = tanh, s = 1 - t²: value u + Σ a t, slope q = 1 + Σ ab s; ∂q/∂u = -2 Σ ab² ts.
    """

    @staticmethod
    def forward(ctx: Any, u: Tensor, a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        groups, n, k = u.shape[0] * u.shape[1], u.shape[2], a.shape[2]
        u1 = u.reshape(groups, 1, n)
        a1, b1, c1 = (part.reshape(groups, k, 1) for part in (a, b, c))
        t = torch.baddbmm(-b1 * c1, b1, u1).tanh_()
        s = torch.addcmul(t.new_ones(()), t, t, value=-1)
        q = torch.bmm((a1 * b1).mT, s).add_(1)
        value = torch.bmm(a1.mT, t).add_(u1)
        ctx.save_for_backward(u1, a1, b1, c1, t, s, q)
        return value.view_as(u), q.log().view_as(u)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_value: Tensor, d_log: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        u, a, b, c, t, s, q = ctx.saved_tensors
        shape = d_value.shape
        dv = d_value.reshape(u.shape)
        dq = d_log.reshape(u.shape) / q
        ts = t * s
        d_u = torch.bmm((-2 * a * b * b).mT, ts).mul_(dq).addcmul_(dv, q)
        by_t = torch.bmm(t, dv.mT)
        by_s = torch.bmm(s, torch.cat([dv, dq, dv * u], dim=1).mT)
        by_ts = torch.bmm(ts, torch.cat([dq, dq * u], dim=1).mT)
        s_v, s_q, s_vu = (by_s[..., k : k + 1] for k in range(3))
        r_q, r_qu = by_ts[..., :1], by_ts[..., 1:]
        d_a = by_t + b * s_q
        d_b = a * (s_vu - c * s_v) + a * s_q - 2 * a * b * (r_qu - c * r_q)
        d_c = -a * b * s_v + 2 * a * b * b * r_q
        form = (*shape[:2], a.shape[1])
        return d_u.view(shape), d_a.view(form), d_b.view(form), d_c.view(form)
