"""A CFRNet of either encoder: the shapes of its parameters, its forward pass in NumPy, its cost, its layers by name.

    encoder: x -> φ (`encoders`)
    heads:   φ -> hidden / 2 -> ŷ⁰ and φ -> hidden / 2 -> ŷ¹, both in one product with the units of an arm side by side

Whoever trains, stores, sends or rebuilds a network asks here what it is made of. Weights of several models are stacked:
name -> [M, ...] float32, with names as in `shapes`; which encoder they are of, the names say.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crl_core.encoders import CHANNELS as CHANNELS
from crl_core.encoders import ENCODERS, back, dense, elu_slope
from crl_core.encoders import KERNELS as KERNELS
from crl_core.encoders import LAYERS as LAYERS
from crl_core.encoders import POOLED as POOLED
from crl_core.encoders import STRIDE as STRIDE
from crl_core.encoders import elu as elu
from crl_core.encoders import encoder_of as encoder_of

LINK = "link"  # [M], beside the weights of models whose outcomes are probabilities: σ of what the heads give


def shapes(dim_x: int, hidden: int, latent_dim: int, encoder: str = "mlp") -> dict[str, tuple[int, ...]]:
    """Shape of every parameter of one network. Raises ValueError where x is too short for the encoder."""
    head = hidden // 2
    return ENCODERS[encoder].shapes(dim_x, hidden, latent_dim) | {
        "head.0.weight": (latent_dim, 2 * head),  # control's units, then the treated arm's
        "head.0.bias": (1, 2 * head),
        "head.1.weight": (2, head),
        "head.1.bias": (2,),
    }


def fan_in(dim_x: int, hidden: int, latent_dim: int, encoder: str = "mlp") -> dict[str, int]:
    """Inputs that a unit of each layer sums, by the layer's name."""
    return ENCODERS[encoder].fan_in(dim_x, hidden) | {"head.0": latent_dim, "head.1": hidden // 2}


def multiply_adds(dim_x: int, hidden: int, latent_dim: int, encoder: str = "mlp") -> int:
    """Products that a forward pass takes for one row: of the MLP and of the heads one an entry of a weight."""
    head = hidden // 2
    return ENCODERS[encoder].multiply_adds(dim_x, hidden, latent_dim) + latent_dim * 2 * head + 2 * head


def predict(weights: Mapping[str, np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Forward pass of M networks: phi [M, n, k], y0_hat [M, n], y1_hat [M, n], float32; not finite for a diverged one.

    weights: of all models of a run, or `one_model` of them.
    x:       [n, d], or [M, n, d] for rows of its own for each model.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # a diverged model's weights are not finite
        phi = encoder_of(weights).phi(weights, np.asarray(x, dtype=np.float32))
        arms = elu(dense(weights, "head.0", phi))  # [M, n, 2 · units], control's units first
        arms = arms.reshape(*arms.shape[:-1], 2, -1) * weights["head.1.weight"][:, None]  # [M, n, 2, units]
        y_hat = arms.sum(axis=-1) + weights["head.1.bias"][:, None]  # [M, n, 2]
        if LINK in weights:
            from scipy.special import expit  # few networks need it, and it is slow to load

            y_hat = expit(y_hat)
    return phi, y_hat[..., 0], y_hat[..., 1]


def slopes(weights: Mapping[str, np.ndarray], x: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How fast ŷ⁰ and ŷ¹ of M networks change as each row x [n, d] moves along its own direction [n, d], [M, n] each.

    Forward mode: the direction goes through the layers beside the row. Not finite for a diverged model.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        rows, along = np.asarray(x, dtype=np.float32), np.asarray(direction, dtype=np.float32)
        phi, moved = encoder_of(weights).moved(weights, rows, along)
        moved = (moved @ weights["head.0.weight"]) * elu_slope(dense(weights, "head.0", phi))
        moved = moved.reshape(*moved.shape[:-1], 2, -1) * weights["head.1.weight"][:, None]
        slope = moved.sum(axis=-1)  # [M, n, 2]
        if LINK in weights:
            outcomes = np.stack(predict(weights, x)[1:], axis=-1)
            slope = slope * outcomes * (1 - outcomes)
    return slope[..., 0], slope[..., 1]


def gradients(weights: Mapping[str, np.ndarray], x: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """How pull⁰ f⁰ + pull¹ f¹ of M networks changes with every entry of each row x [n, d], [M, n, d] float32.

    f:    what the two heads give; where outcomes are probabilities their logits, which do not level off at 0 and 1.
    pull: of each row, [n, 2].

    Reverse mode: backwards through the layers, once for all entries. Not finite for a diverged model.
    """

    with np.errstate(invalid="ignore", over="ignore"):
        rows, encoder = np.asarray(x, dtype=np.float32), encoder_of(weights)
        arms = dense(weights, "head.0", encoder.phi(weights, rows))  # [M, n, 2 · units], control's units first
        moved = pull.astype(np.float32)[:, :, None] * weights["head.1.weight"][:, None]  # [M, n, 2, units]
        return encoder.pulled(weights, rows, back(weights, "head.0", moved.reshape(arms.shape) * elu_slope(arms)))


def folded(
    weights: Mapping[str, np.ndarray], x_mean: np.ndarray, x_sd: np.ndarray, y_mean: np.ndarray, y_sd: np.ndarray
) -> dict[str, np.ndarray]:
    """The same M networks as functions of raw covariates, to raw outcomes.

    weights:      of networks that take (x - x_mean) / x_sd and give (y - y_mean) / y_sd.
    x_mean, x_sd: [M, d]; for a convolution the same in all columns.  y_mean, y_sd: [M].
    """
    last, level = weights["head.1.weight"], weights["head.1.bias"]
    return (
        dict(weights)
        | encoder_of(weights).folded(weights, x_mean, x_sd)
        | {"head.1.weight": last * y_sd[:, None, None], "head.1.bias": level * y_sd[:, None] + y_mean[:, None]}
    )


def one_model(weights: Mapping[str, np.ndarray], m: int) -> dict[str, np.ndarray]:
    """The weights of model m alone, as `predict` takes them."""
    return {name: value[m : m + 1] for name, value in weights.items()}


def state_dict(weights: Mapping[str, np.ndarray], m: int) -> dict[str, np.ndarray]:
    """Model m's parameters as torch's own layers have them, linear weights [out, in]: control.{0,2}, treated.{0,2},
    and encoder.{0,2,4} of the MLP or encoder.{1,3,5,8} of the convolution."""
    one = {name: np.asarray(value[m]) for name, value in weights.items()}
    named = encoder_of(weights).state_dict(one)
    units = one["head.1.weight"].shape[-1]
    for arm, name in enumerate(("control", "treated")):
        mine = slice(arm * units, (arm + 1) * units)  # control's units first
        named[f"{name}.0.weight"] = one["head.0.weight"][:, mine].T
        named[f"{name}.0.bias"] = one["head.0.bias"][0, mine]
        named[f"{name}.2.weight"] = one["head.1.weight"][arm][None]
        named[f"{name}.2.bias"] = one["head.1.bias"][arm : arm + 1]
    return named
