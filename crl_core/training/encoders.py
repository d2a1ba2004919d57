"""Encoders as M networks are trained: what goes forward, and the gradient written out. What they are made of, and
their forward pass without torch, is in `crl_core.network`.

Both run without autograd. Parameters and gradients are views of the ensemble's flat tensors, by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import conv1d, elu

from crl_core.network import LAYERS, STRIDE

Params = Mapping[str, Tensor]


class Encoder(Protocol):
    """forward:  rows [M, n, d] -> φ [M, n, k], with what `backward` wants to see again.
    backward: puts into `grads` the gradient of a loss whose derivative with respect to φ is `d_phi`.
    """

    def forward(self, params: Params, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]: ...
    def backward(self, params: Params, grads: Params, kept: tuple[Tensor, ...], d_phi: Tensor) -> None: ...


class Mlp:
    """Three layers with ELU between them: a dozen products, batched over models."""

    def forward(self, params: Params, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        h0 = elu(layer(params, "encoder.0", x), inplace=True)
        h1 = elu(layer(params, "encoder.1", h0), inplace=True)
        return layer(params, "encoder.2", h1), (x, h0, h1)

    def backward(self, params: Params, grads: Params, kept: tuple[Tensor, ...], d_phi: Tensor) -> None:
        x, h0, h1 = kept
        layer_gradient(grads, "encoder.2", h1, d_phi)
        d_h1 = through_elu(torch.bmm(d_phi, params["encoder.2.weight"].mT), h1)
        layer_gradient(grads, "encoder.1", h0, d_h1)
        d_h0 = through_elu(torch.bmm(d_h1, params["encoder.1.weight"].mT), h0)
        layer_gradient(grads, "encoder.0", x, d_h0)


class Conv1d:
    """Three convolutions, mean and maximum over time, a layer. Models are groups of the channels: [n, M · C, length].

    Windows beside batched products took a third longer. Each convolution's gradient is the library's own kernel.
    """

    def forward(self, params: Params, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        models = len(x)
        h = x.transpose(0, 1).contiguous()  # [n, M, d]
        steps = [h]
        for name in LAYERS:
            weight, bias = params[name + ".weight"], params[name + ".bias"]
            h = elu(conv1d(h, weight.flatten(0, 1), bias.flatten(), stride=STRIDE, groups=models), inplace=True)
            steps.append(h)
        highest, at = h.view(len(h), models, -1, h.shape[-1]).max(dim=-1)  # [n, M, C]
        pooled = torch.cat([h.mean(dim=-1).view_as(highest), highest], dim=-1).transpose(0, 1)
        return layer(params, "pooled", pooled), (pooled, at, *steps)

    def backward(self, params: Params, grads: Params, kept: tuple[Tensor, ...], d_phi: Tensor) -> None:
        pooled, at, *steps = kept
        layer_gradient(grads, "pooled", pooled, d_phi)
        d_pooled = torch.bmm(d_phi, params["pooled.weight"].mT).transpose(0, 1)  # [n, M, 2 · C]
        d_mean, d_highest = d_pooled.chunk(2, dim=-1)
        length = steps[-1].shape[-1]
        d_out = (d_mean / length).unsqueeze(-1).repeat(1, 1, 1, length)
        d_out.scatter_add_(-1, at.unsqueeze(-1), d_highest.unsqueeze(-1))
        d_out = d_out.flatten(1, 2)
        for index in reversed(range(len(LAYERS))):
            name, rows = LAYERS[index], steps[index]
            d_out = through_elu(d_out, steps[index + 1])
            wanted = [index > 0, True, True]  # of the rows before, the weight, the bias
            weight = params[name + ".weight"].flatten(0, 1)
            d_out, d_weight, d_bias = torch.ops.aten.convolution_backward(
                d_out, rows, weight, [len(weight)], [STRIDE], [0], [1], False, [0], len(d_phi), wanted
            )
            grads[name + ".weight"].copy_(d_weight.view_as(grads[name + ".weight"]))
            grads[name + ".bias"].copy_(d_bias.view_as(grads[name + ".bias"]))


ENCODERS: Mapping[str, Encoder] = {"mlp": Mlp(), "conv1d": Conv1d()}


def layer(params: Params, name: str, rows: Tensor) -> Tensor:
    """Rows [M, n, in] after a layer of M models."""
    return torch.baddbmm(params[name + ".bias"], rows, params[name + ".weight"])


def layer_gradient(grads: Params, name: str, rows: Tensor, d_out: Tensor) -> None:
    """The gradient of a layer that took `rows`, where that of what it gave is `d_out`."""
    torch.bmm(rows.mT, d_out, out=grads[name + ".weight"])
    torch.sum(d_out, dim=1, keepdim=True, out=grads[name + ".bias"])


def through_elu(d_out: Tensor, out: Tensor) -> Tensor:
    """Derivative before an ELU, from that after it and its output: × 1 if out > 0, else out + 1. Overwrites `d_out`."""
    found: Tensor = torch.ops.aten.elu_backward(d_out, 1, 1, 1, True, out, grad_input=d_out)
    return found
