"""From x to φ without torch: the encoders there are, each one class here and one in `training.encoders` that trains it.

Weights of M models: name -> [M, ...]; x: rows [n, d], or [M, n, d] for rows of its own for each model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Weights = Mapping[str, np.ndarray]

CHANNELS = (1, 8, 16, 16)
KERNELS = (9, 7, 5)
STRIDE = 2
LAYERS = tuple(f"conv.{layer}" for layer in range(len(KERNELS)))
POOLED = 2 * CHANNELS[-1]  # mean and maximum of each channel
LEAST_SAMPLES = 37  # of which one is left after the last convolution
_AT_ONCE = 512  # rows whose windows are made: a few megabytes


class Encoder(Protocol):
    """What is asked of an encoder without torch.

    shapes:        of each parameter of one network. Raises ValueError where x is too short.
    fan_in:        of each layer: inputs that a unit sums.
    multiply_adds: products that a row takes.
    phi:           latents [M, n, k].
    moved:         latents, and how fast they move as each row moves along its own direction [n, d].
    pulled:        how pull · φ changes with every entry of each row [n, d], [M, n, d]; pull: [M, n, k].
    folded:        the parameters of the first layer for x as it is, of networks that take (x - x_mean) / x_sd;
                   x_mean, x_sd: [M, d].
    state_dict:    of one model (name -> array), by torch's names.
    """

    @property
    def id(self) -> str: ...
    def shapes(self, dim_x: int, hidden: int, latent_dim: int) -> dict[str, tuple[int, ...]]: ...
    def fan_in(self, dim_x: int, hidden: int) -> dict[str, int]: ...
    def multiply_adds(self, dim_x: int, hidden: int, latent_dim: int) -> int: ...
    def phi(self, weights: Weights, x: np.ndarray) -> np.ndarray: ...
    def moved(self, weights: Weights, x: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...
    def pulled(self, weights: Weights, x: np.ndarray, pull: np.ndarray) -> np.ndarray: ...
    def folded(self, weights: Weights, x_mean: np.ndarray, x_sd: np.ndarray) -> dict[str, np.ndarray]: ...
    def state_dict(self, one: Weights) -> dict[str, np.ndarray]: ...


class Mlp:
    """Of covariates: x -> hidden -> hidden -> φ, ELU between them, φ linear.

    Layers encoder.{0,1,2}: weights [in, out], biases [1, out].
    """

    id = "mlp"

    def shapes(self, dim_x: int, hidden: int, latent_dim: int) -> dict[str, tuple[int, ...]]:
        return {
            "encoder.0.weight": (dim_x, hidden),
            "encoder.0.bias": (1, hidden),
            "encoder.1.weight": (hidden, hidden),
            "encoder.1.bias": (1, hidden),
            "encoder.2.weight": (hidden, latent_dim),
            "encoder.2.bias": (1, latent_dim),
        }

    def fan_in(self, dim_x: int, hidden: int) -> dict[str, int]:
        return {"encoder.0": dim_x, "encoder.1": hidden, "encoder.2": hidden}

    def multiply_adds(self, dim_x: int, hidden: int, latent_dim: int) -> int:
        return dim_x * hidden + hidden * hidden + hidden * latent_dim

    def phi(self, weights: Weights, x: np.ndarray) -> np.ndarray:
        h = elu(dense(weights, "encoder.1", elu(dense(weights, "encoder.0", x))))
        return dense(weights, "encoder.2", h)

    def moved(self, weights: Weights, x: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, moved = x, direction
        for name in ("encoder.0", "encoder.1"):
            before = dense(weights, name, rows)
            rows, moved = elu(before), (moved @ weights[name + ".weight"]) * elu_slope(before)
        return dense(weights, "encoder.2", rows), moved @ weights["encoder.2.weight"]

    def pulled(self, weights: Weights, x: np.ndarray, pull: np.ndarray) -> np.ndarray:
        first = dense(weights, "encoder.0", x)
        second = dense(weights, "encoder.1", elu(first))
        moved = back(weights, "encoder.2", pull) * elu_slope(second)
        return back(weights, "encoder.0", back(weights, "encoder.1", moved) * elu_slope(first))

    def folded(self, weights: Weights, x_mean: np.ndarray, x_sd: np.ndarray) -> dict[str, np.ndarray]:
        first, bias = weights["encoder.0.weight"] / x_sd[:, :, None], weights["encoder.0.bias"]
        return {"encoder.0.weight": first, "encoder.0.bias": bias - x_mean[:, None, :] @ first}

    def state_dict(self, one: Weights) -> dict[str, np.ndarray]:
        named = {}
        for layer in range(3):
            named[f"encoder.{2 * layer}.weight"] = one[f"encoder.{layer}.weight"].T
            named[f"encoder.{2 * layer}.bias"] = one[f"encoder.{layer}.bias"][0]
        return named


class Conv1d:
    """Of signals: three convolutions over the samples, their mean and maximum over time, a layer to φ.

    x -> 8 channels, kernel 9 -> 16 channels, kernel 7 -> 16 channels, kernel 5 -> mean and maximum -> φ
    ELU after each convolution, every second place kept (stride 2), nothing put beyond the ends of x, φ linear.
    Mean and maximum forget where in the trace a feature was found. `hidden` units are of the heads alone.

    Layers conv.{0,1,2}: weights [out, in, kernel], biases [out]; pooled: weight [32, k], bias [1, k].
    """

    id = "conv1d"

    def shapes(self, dim_x: int, hidden: int, latent_dim: int) -> dict[str, tuple[int, ...]]:
        lengths(dim_x)
        shapes: dict[str, tuple[int, ...]] = {}
        for name, given, made, kernel in zip(LAYERS, CHANNELS, CHANNELS[1:], KERNELS, strict=False):
            shapes |= {f"{name}.weight": (made, given, kernel), f"{name}.bias": (made,)}
        return shapes | {"pooled.weight": (POOLED, latent_dim), "pooled.bias": (1, latent_dim)}

    def fan_in(self, dim_x: int, hidden: int) -> dict[str, int]:
        of_layers = {name: given * kernel for name, given, kernel in zip(LAYERS, CHANNELS, KERNELS, strict=False)}
        return of_layers | {"pooled": POOLED}

    def multiply_adds(self, dim_x: int, hidden: int, latent_dim: int) -> int:
        each = zip(lengths(dim_x), CHANNELS, CHANNELS[1:], KERNELS, strict=False)
        return sum(length * given * made * kernel for length, given, made, kernel in each) + POOLED * latent_dim

    def phi(self, weights: Weights, x: np.ndarray) -> np.ndarray:
        return dense(weights, "pooled", self._of_models(weights, x)[0])

    def moved(self, weights: Weights, x: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pooled, moved = self._of_models(weights, x, direction)
        return dense(weights, "pooled", pooled), moved @ weights["pooled.weight"]

    def pulled(self, weights: Weights, x: np.ndarray, pull: np.ndarray) -> np.ndarray:
        of_pooled = back(weights, "pooled", pull)  # [M, n, 32]
        return np.stack(
            [
                np.concatenate(
                    [
                        _unpooled(own, x[at : at + _AT_ONCE], of_pooled[m, at : at + _AT_ONCE])
                        for at in range(0, max(1, len(x)), _AT_ONCE)
                    ]
                )
                for m in range(len(of_pooled))
                for own in [{name: value[m] for name, value in weights.items()}]
            ]
        )

    def _of_models(self, weights: Weights, x: np.ndarray, direction: np.ndarray | None = None) -> list[np.ndarray]:
        """What is pooled of rows [n, d] or [M, n, d], [M, n, 32], and its motion where a direction is given; some rows
        of one model after the other."""
        rows = [x] if direction is None else [x, direction]
        parts: list[list[np.ndarray]] = [[] for _ in rows]
        for m in range(len(weights["pooled.bias"])):
            own = {name: value[m] for name, value in weights.items()}
            given = [part if part.ndim == 2 else part[m] for part in rows]
            blocks = [
                _pooled(own, *(part[at : at + _AT_ONCE] for part in given))
                for at in range(0, max(1, len(given[0])), _AT_ONCE)
            ]
            for found, part in zip(zip(*blocks, strict=True), parts, strict=True):
                part.append(np.concatenate(found))
        return [np.stack(part) for part in parts]

    def folded(self, weights: Weights, x_mean: np.ndarray, x_sd: np.ndarray) -> dict[str, np.ndarray]:
        # One mean and one deviation for all samples: a kernel at any place meets the same.
        first, bias = weights["conv.0.weight"] / x_sd[:, :1, None, None], weights["conv.0.bias"]
        return {"conv.0.weight": first, "conv.0.bias": bias - x_mean[:, :1] * first.sum(axis=(2, 3))}

    def state_dict(self, one: Weights) -> dict[str, np.ndarray]:
        named = {}
        for layer, name in enumerate(LAYERS):
            named[f"encoder.{2 * layer + 1}.weight"] = one[name + ".weight"]
            named[f"encoder.{2 * layer + 1}.bias"] = one[name + ".bias"]
        return named | {"encoder.8.weight": one["pooled.weight"].T, "encoder.8.bias": one["pooled.bias"][0]}


ENCODERS: Mapping[str, Encoder] = {encoder.id: encoder for encoder in (Mlp(), Conv1d())}


def encoder_of(weights: Weights) -> Encoder:
    """The encoder that parameters by these names are of."""
    return ENCODERS["conv1d" if "conv.0.weight" in weights else "mlp"]


def lengths(samples: int) -> list[int]:
    """Samples after each convolution. Raises ValueError where they do not suffice for one."""
    if samples < LEAST_SAMPLES:
        raise ValueError(
            f"a row has {samples} samples, and three convolutions need {LEAST_SAMPLES} at least; give longer signals, "
            "or set training.encoder to mlp."
        )
    found = []
    for kernel in KERNELS:
        samples = (samples - kernel) // STRIDE + 1
        found.append(samples)
    return found


def elu(values: np.ndarray) -> np.ndarray:
    """x where x > 0, else e^x - 1."""
    return np.where(values > 0, values, np.expm1(np.minimum(values, 0)))


def elu_slope(before: np.ndarray) -> np.ndarray:
    """Derivative of `elu` at what goes into it."""
    return np.asarray(np.exp(np.minimum(before, 0)))


def dense(weights: Weights, name: str, rows: np.ndarray) -> np.ndarray:
    """The layer `name` of M models: rows [n, in], or [M, n, in] of each model -> [M, n, out]."""
    return np.asarray(rows @ weights[name + ".weight"] + weights[name + ".bias"])


def back(weights: Weights, name: str, moved: np.ndarray) -> np.ndarray:
    """The layer `name` of M models backwards: [M, n, out] -> [M, n, in]."""
    return np.asarray(moved @ np.swapaxes(weights[name + ".weight"], -1, -2))


def _windows(rows: np.ndarray, kernel: int) -> np.ndarray:
    """What a kernel meets: rows [n, length, channels] -> [n, places, channels · kernel]."""
    seen = sliding_window_view(rows, kernel, axis=1)[:, ::STRIDE]
    return seen.reshape(*seen.shape[:2], rows.shape[2] * kernel)


def _pooled(own: Weights, x: np.ndarray, direction: np.ndarray | None = None) -> list[np.ndarray]:
    """Mean and maximum over time that one model makes of rows [n, d], [n, 32]; with a direction its motion too."""
    rows = x[..., None]
    moved = None if direction is None else direction[..., None]
    for name, kernel in zip(LAYERS, KERNELS, strict=True):
        weight = own[name + ".weight"].reshape(len(own[name + ".bias"]), -1).T  # [channels · kernel, out]
        before = _windows(rows, kernel) @ weight + own[name + ".bias"]
        rows = elu(before)
        if moved is not None:
            moved = (_windows(moved, kernel) @ weight) * elu_slope(before)
    found = [np.concatenate([rows.mean(axis=1), rows.max(axis=1)], axis=1)]
    if moved is not None:
        highest = np.take_along_axis(moved, rows.argmax(axis=1, keepdims=True), axis=1)[:, 0]
        found.append(np.concatenate([moved.mean(axis=1), highest], axis=1))
    return found


def _unpooled(own: Weights, x: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """How pull · pooled changes with every sample of rows x [n, d], [n, d]; pull: [n, 32]."""
    rows, befores = x[..., None], []
    for name, kernel in zip(LAYERS, KERNELS, strict=True):
        weight = own[name + ".weight"].reshape(len(own[name + ".bias"]), -1).T
        befores.append(_windows(rows, kernel) @ weight + own[name + ".bias"])
        rows = elu(befores[-1])
    of_mean, of_highest = np.split(pull[:, None], 2, axis=2)  # [n, 1, channels] each
    moved = np.repeat(of_mean / rows.shape[1], rows.shape[1], axis=1)
    highest = rows.argmax(axis=1, keepdims=True)
    np.put_along_axis(moved, highest, np.take_along_axis(moved, highest, axis=1) + of_highest, axis=1)
    for layer in reversed(range(len(LAYERS))):
        weight, kernel = own[LAYERS[layer] + ".weight"], KERNELS[layer]  # [out, in, kernel]
        by_place = np.einsum("nlo,oik->nlik", moved * elu_slope(befores[layer]), weight, optimize=True)
        length = befores[layer - 1].shape[1] if layer else x.shape[1]
        moved = np.zeros((len(x), length, weight.shape[1]), dtype=x.dtype)
        for at in range(kernel):
            moved[:, at : at + STRIDE * by_place.shape[1] : STRIDE][:, : by_place.shape[1]] += by_place[..., at]
    return moved[..., 0]
