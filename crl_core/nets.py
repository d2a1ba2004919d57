"""CFRNet as a batched ensemble: M independent networks in one set of [M, ...] tensors.

    encoder: x -> hidden -> hidden -> φ (three layers, ELU between them, φ linear)
    heads:   φ -> hidden / 2 -> ŷ⁰ and φ -> hidden / 2 -> ŷ¹, both in one product with the units of an arm side by side

All parameters live in one flat tensor, so that the optimiser makes one pass; each layer is a view of it.
Source: Shalit, Johansson, Sontag (2017), Estimating individual treatment effect, ICML.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import elu

Weights = dict[str, np.ndarray]


def shapes(dim_x: int, hidden: int, latent_dim: int) -> dict[str, tuple[int, ...]]:
    """Shape of every parameter of one network."""
    head = hidden // 2
    return {
        "encoder.0.weight": (dim_x, hidden),
        "encoder.0.bias": (1, hidden),
        "encoder.1.weight": (hidden, hidden),
        "encoder.1.bias": (1, hidden),
        "encoder.2.weight": (hidden, latent_dim),
        "encoder.2.bias": (1, latent_dim),
        "head.0.weight": (latent_dim, 2 * head),  # control's units, then the treated arm's
        "head.0.bias": (1, 2 * head),
        "head.1.weight": (2, head),
        "head.1.bias": (2,),
    }


def initial_weights(rng: np.random.Generator, dim_x: int, hidden: int, latent_dim: int) -> Weights:
    """Initial parameters of one network: U(-1/√fan_in, 1/√fan_in) for weights and biases, as torch's Linear draws them."""
    fan_in = {
        "encoder.0": dim_x,
        "encoder.1": hidden,
        "encoder.2": hidden,
        "head.0": latent_dim,
        "head.1": hidden // 2,
    }
    return {
        name: rng.uniform(-1, 1, shape) / math.sqrt(fan_in[name.rsplit(".", 1)[0]])
        for name, shape in shapes(dim_x, hidden, latent_dim).items()
    }


class Ensemble:
    """M CFRNets that share nothing but the calls. `flat` holds all parameters, `flat.grad` all gradients."""

    def __init__(
        self, starts: Sequence[Weights], repeats: int, *, device: torch.device, dtype: torch.dtype
    ) -> None:
        """One network for each of `starts` (one a replicate), each repeated `repeats` times (along λ), replicate-major."""
        stacked = {
            name: np.repeat(np.stack([w[name] for w in starts]), repeats, axis=0) for name in starts[0]
        }
        self.n_models = len(starts) * repeats
        self.flat = torch.cat([torch.from_numpy(value).flatten() for value in stacked.values()]).to(
            device, dtype
        )
        self.flat.grad = torch.zeros_like(self.flat)
        self._arms = torch.eye(2, device=device, dtype=dtype).unsqueeze(1)  # [2, 1, 2]
        self.params: dict[str, Tensor] = {}
        start = 0
        for name, value in stacked.items():
            end = start + value.size
            param = self.flat[start:end].view(value.shape).requires_grad_()
            param.grad = self.flat.grad[start:end].view(value.shape)  # autograd adds into the flat gradient
            self.params[name] = param
            start = end

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """phi [M, n, k] and both arms' outcomes [M, n, 2] of covariates [M, n, d]."""
        p = self.params

        def layer(rows: Tensor, name: str) -> Tensor:
            return torch.baddbmm(p[name + ".bias"], rows, p[name + ".weight"])

        h = elu(layer(x, "encoder.0"), inplace=True)
        h = elu(layer(h, "encoder.1"), inplace=True)
        phi = layer(h, "encoder.2")
        arms = elu(layer(phi, "head.0"), inplace=True)  # [M, n, 2 · units]
        # Each arm's units reach its own outcome only: a weight of two block columns, [M, 2, units, 2].
        last = p["head.1.weight"].unsqueeze(-1) * self._arms
        return phi, torch.baddbmm(p["head.1.bias"].unsqueeze(1), arms, last.flatten(1, 2))

    def weights(self) -> Mapping[str, np.ndarray]:
        """All parameters as NumPy, [M, ...] float32."""
        return {name: param.detach().cpu().numpy().astype(np.float32) for name, param in self.params.items()}
