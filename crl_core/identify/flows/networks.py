"""Baselines without an exact likelihood: autoencoders, a classifier of environments, a supervised oracle.

M models train side by side. Each has one configuration, tuned as little as the flow was: a low score of one of them
is no proof against its idea.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

HIDDEN = 64
Starts = Sequence[tuple[int, int]]


class Net:
    """M perceptrons with one hidden pair of layers, [M, n, a] -> [M, n, b]."""

    def __init__(self, starts: Starts, stream: int, size_in: int, size_out: int, dtype: torch.dtype) -> None:
        sizes = (size_in, HIDDEN, HIDDEN, size_out)
        rngs = [np.random.default_rng([*start, stream]) for start in starts]
        self.params: list[Tensor] = []
        for a, b in pairwise(sizes):
            drawn = np.stack([rng.normal(0, a**-0.5, (a, b)) for rng in rngs])
            self.params.append(torch.from_numpy(drawn).to(dtype).requires_grad_())
            self.params.append(torch.zeros((len(starts), 1, b), dtype=dtype, requires_grad=True))

    def __call__(self, rows: Tensor) -> Tensor:
        for layer in range(0, len(self.params), 2):
            rows = torch.baddbmm(self.params[layer + 1], rows, self.params[layer])
            if layer + 2 < len(self.params):
                rows = torch.nn.functional.elu(rows)
        return rows


class Vae:
    """Variational autoencoder; `beta` weighs the divergence. labelled: iVAE, whose encoder sees the environment and
    whose prior has a free mean and scale in each (Khemakhem et al., 2020); without, the prior is standard normal
    (Kingma, Welling, 2014; Higgins et al., 2017)."""

    def __init__(
        self,
        starts: Starts,
        dim: int,
        n_envs: int,
        *,
        beta: float = 1.0,
        labelled: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.n_models, self.dim, self.n_envs, self.beta, self.labelled = (
            len(starts),
            dim,
            n_envs,
            beta,
            labelled,
        )
        self.encoder = Net(starts, 21, dim + (n_envs if labelled else 0), 2 * dim, dtype)
        self.decoder = Net(starts, 22, dim, dim, dtype)
        shape = (len(starts), n_envs, 1, dim)
        self.log_noise = torch.zeros((len(starts), 1, 1), dtype=dtype, requires_grad=True)
        self.prior_mean = torch.zeros(shape, dtype=dtype, requires_grad=labelled)
        self.prior_log_scale = torch.zeros(shape, dtype=dtype, requires_grad=labelled)

    def parameters(self) -> list[Tensor]:
        prior = [self.prior_mean, self.prior_log_scale] if self.labelled else []
        return [*self.encoder.params, *self.decoder.params, self.log_noise, *prior]

    def _encode(self, x: Tensor, env: Tensor) -> tuple[Tensor, Tensor]:
        if self.labelled:
            x = torch.cat([x, env], dim=-1)
        mean, log_scale = self.encoder(x).chunk(2, dim=-1)
        return mean, log_scale.clamp(-6, 2)

    def loss(self, x: Tensor, step: int = 0) -> Tensor:
        m, e, b, d = x.shape
        env = torch.eye(e, dtype=x.dtype).repeat_interleave(b, dim=0).expand(m, -1, -1)
        rows = x.reshape(m, e * b, d)
        mean, log_scale = self._encode(rows, env)
        rng = torch.Generator().manual_seed(step)
        noise = torch.randn(mean.shape[1:], generator=rng, dtype=x.dtype)
        found = self.decoder(mean + log_scale.exp() * noise)
        error = (
            0.5 * (rows - found).square() * torch.exp(-2 * self.log_noise)
            + self.log_noise
            + 0.5 * math.log(2 * math.pi)
        )
        mean, log_scale = (part.view(m, e, b, d) for part in (mean, log_scale))
        apart = (mean - self.prior_mean).square() + torch.exp(2 * log_scale)
        divergence = 0.5 * apart * torch.exp(-2 * self.prior_log_scale) - 0.5 + self.prior_log_scale - log_scale
        own: Tensor = error.sum(-1).mean(1) + self.beta * divergence.sum(-1).mean(dim=(1, 2))
        return own

    @torch.no_grad()
    def latents(self, x: Tensor) -> Tensor:
        reference = torch.eye(self.n_envs, dtype=x.dtype)[0].expand(*x.shape[:2], -1)
        return self._encode(x, reference)[0]


class AlignedAutoencoder:
    """An autoencoder with λ · MMD²: reconstruction + weight · MMD² of the latents.

    MMD²: mean over pairs of environments; Gaussian kernel, median bandwidth, biased.
    """

    def __init__(
        self,
        starts: Starts,
        dim: int,
        n_envs: int,
        *,
        weight: float = 1.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.n_models, self.weight = len(starts), weight
        self.encoder, self.decoder = Net(starts, 23, dim, dim, dtype), Net(starts, 24, dim, dim, dtype)

    def parameters(self) -> list[Tensor]:
        return [*self.encoder.params, *self.decoder.params]

    def loss(self, x: Tensor, step: int = 0) -> Tensor:
        m, e, b, d = x.shape
        rows = x.reshape(m, e * b, d)
        phi = self.encoder(rows)
        error = (rows - self.decoder(phi)).square().sum(-1).mean(1)
        return error + self.weight * mmd2_of_groups(phi.view(m, e, b, -1))

    @torch.no_grad()
    def latents(self, x: Tensor) -> Tensor:
        return self.encoder(x)


class Contrast:
    """Time-contrastive learning: features f(x) from which a quadratic rule names the environment.

    Source: Hyvärinen, Morioka (2016).
    """

    def __init__(self, starts: Starts, dim: int, n_envs: int, *, dtype: torch.dtype = torch.float32) -> None:
        self.n_models = len(starts)
        self.features = Net(starts, 25, dim, dim, dtype)
        rngs = [np.random.default_rng([*start, 26]) for start in starts]
        drawn = np.stack([rng.normal(0, 0.1, (2 * dim, n_envs)) for rng in rngs])
        self.rule = torch.from_numpy(drawn).to(dtype).requires_grad_()
        self.bias = torch.zeros((len(starts), 1, n_envs), dtype=dtype, requires_grad=True)

    def parameters(self) -> list[Tensor]:
        return [*self.features.params, self.rule, self.bias]

    def loss(self, x: Tensor, step: int = 0) -> Tensor:
        m, e, b, d = x.shape
        f = self.features(x.reshape(m, e * b, d))
        logits = torch.baddbmm(self.bias, torch.cat([f, f.square()], dim=-1), self.rule)
        label = torch.arange(e).repeat_interleave(b).expand(m, -1)
        return -logits.log_softmax(-1).gather(-1, label.unsqueeze(-1)).mean(dim=(1, 2))

    @torch.no_grad()
    def latents(self, x: Tensor) -> Tensor:
        return self.features(x)


class Oracle:
    """Regression of the true latents on x, the most that the network could do. Rows are [x, z] side by side."""

    def __init__(self, starts: Starts, dim: int, *, dtype: torch.dtype = torch.float32) -> None:
        self.n_models, self.dim = len(starts), dim
        self.net = Net(starts, 27, dim, dim, dtype)

    def parameters(self) -> list[Tensor]:
        return self.net.params

    def loss(self, x: Tensor, step: int = 0) -> Tensor:
        rows = x.flatten(1, 2)
        return (self.net(rows[..., : self.dim]) - rows[..., self.dim :]).square().sum(-1).mean(1)

    @torch.no_grad()
    def latents(self, x: Tensor) -> Tensor:
        return self.net(x[..., : self.dim])


def mmd2_of_groups(phi: Tensor, rows: int = 64) -> Tensor:
    """Mean over pairs of groups of MMD² of latents [M, E, b, k], [M], on the first `rows` rows of each; h detached."""
    part = phi[:, :, :rows]
    m, e, b, _ = part.shape
    flat = part.flatten(1, 2)
    distance2 = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist").square()
    h2 = distance2.detach().flatten(1).median(dim=1).values.clamp_min(1e-12)
    kernel = torch.exp(-distance2 / (2 * h2[:, None, None])).view(m, e, b, e, b).mean(dim=(2, 4))
    own = kernel.diagonal(dim1=1, dim2=2)
    apart = own.unsqueeze(1) + own.unsqueeze(2) - 2 * kernel
    value: Tensor = apart.sum(dim=(1, 2)) / max(1, e * (e - 1))
    return value
