"""CFRNet as a batched ensemble: M independent networks in one set of [M, ...] tensors.

What a CFRNet is made of is written in `crl_core.network`; here it is trained.
All parameters live in one flat tensor, so that the optimiser makes one pass; each layer is a view of it.
Source: Shalit, Johansson, Sontag (2017), Estimating individual treatment effect, ICML.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import elu

from crl_core.network import encoder_of, fan_in, shapes
from crl_core.training.encoders import ENCODERS, layer, layer_gradient, through_elu

Weights = dict[str, np.ndarray]


def initial_weights(
    rng: np.random.Generator, dim_x: int, hidden: int, latent_dim: int, encoder: str = "mlp"
) -> Weights:
    """Initial parameters of one network, as torch's layers: U(-1/√fan_in, 1/√fan_in) for weights and biases."""
    inputs = fan_in(dim_x, hidden, latent_dim, encoder)
    return {
        name: rng.uniform(-1, 1, shape) / math.sqrt(inputs[name.rsplit(".", 1)[0]])
        for name, shape in shapes(dim_x, hidden, latent_dim, encoder).items()
    }


@dataclass(frozen=True, slots=True)
class Pass:
    """A forward pass: what the encoder keeps for its gradient, the latents, the heads' units and both outcomes."""

    kept: tuple[Tensor, ...]
    phi: Tensor  # [M, n, k]
    arms: Tensor  # [M, n, 2 · units]
    y_hat: Tensor  # [M, n, 2]


class Ensemble:
    """M CFRNets that share nothing but the calls. `flat` holds all parameters, `flat.grad` all gradients.

    The gradient is written out, the encoder's in `encoders`: a dozen products instead of a recorded graph, which for
    networks this small costs more than their arithmetic. Everything runs without autograd.
    """

    def __init__(self, starts: Sequence[Weights], repeats: int, *, device: torch.device, dtype: torch.dtype) -> None:
        """One network for each of `starts` (one a replicate), each repeated `repeats` times (along λ),
        replicate-major. Which encoder they have, their names say."""
        self._encoder = ENCODERS[encoder_of(starts[0]).id]
        stacked = {name: np.repeat(np.stack([w[name] for w in starts]), repeats, axis=0) for name in starts[0]}
        self.n_models = len(starts) * repeats
        self.flat = torch.cat([torch.from_numpy(value).flatten() for value in stacked.values()]).to(device, dtype)
        self.flat.grad = torch.zeros_like(self.flat)
        self.params: dict[str, Tensor] = {}
        self.grads: dict[str, Tensor] = {}
        start = 0
        for name, value in stacked.items():
            end = start + value.size
            self.params[name] = self.flat[start:end].view(value.shape)
            self.grads[name] = self.flat.grad[start:end].view(value.shape)
            start = end
        units = stacked["head.1.weight"].shape[-1]
        # Each arm's units reach its own outcome only: the last weight as a product is two blocks in a matrix of zeros.
        self._last = torch.zeros((self.n_models, 2 * units, 2), device=device, dtype=dtype)

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Pass:
        """Forward pass of covariates [M, n, d]."""
        phi, kept = self._encoder.forward(self.params, x)
        arms = elu(layer(self.params, "head.0", phi), inplace=True)
        _blocks(self._last).copy_(self.params["head.1.weight"].mT)
        y_hat = torch.baddbmm(self.params["head.1.bias"].unsqueeze(1), arms, self._last)
        return Pass(kept, phi, arms, y_hat)

    @torch.no_grad()
    def gradient(self, done: Pass, d_phi: Tensor, d_y: Tensor) -> None:
        """Put into `flat.grad` the gradient of a loss whose derivative with respect to φ is `d_phi`, apart from what
        reaches φ through the outcomes, and with respect to both outcomes `d_y`; both as φ and y_hat in shape.
        """
        self.grads["head.1.weight"].copy_(_blocks(torch.bmm(done.arms.mT, d_y)).mT)
        torch.sum(d_y, dim=1, out=self.grads["head.1.bias"])
        d_arms = through_elu(torch.bmm(d_y, self._last.mT), done.arms)
        layer_gradient(self.grads, "head.0", done.phi, d_arms)
        d_phi = torch.baddbmm(d_phi, d_arms, self.params["head.0.weight"].mT)
        self._encoder.backward(self.params, self.grads, done.kept, d_phi)

    def weights(self) -> Mapping[str, np.ndarray]:
        """All parameters as NumPy, [M, ...]."""
        return {name: param.cpu().numpy() for name, param in self.params.items()}


def _blocks(weight: Tensor) -> Tensor:
    """The entries [M, units, 2] of a last-layer matrix [M, 2 · units, 2] from an arm's units to its outcome."""
    n_models, rows, _ = weight.shape
    return weight.view(n_models, 2, rows // 2, 2).diagonal(dim1=1, dim2=3)
