"""One stored model as a plain PyTorch module, and all that travels with it."""

from __future__ import annotations

import base64
import json
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from crl_core.config import RunConfig
from crl_core.config.text import altered
from crl_core.data.scm import MultiEnvData
from crl_core.data.tables.private import PrivateRows
from crl_core.events import DIVERGED
from crl_core.export.checkpoint import state_dict, trace_said
from crl_core.export.formats import FORMAT_VERSION
from crl_core.measures.cautions import cautions_of_model
from crl_core.measures.falsifiers import REFERENCE
from crl_core.metrics import factual_mse, ite_rmse
from crl_core.network import LINK, STRIDE
from crl_core.results import RunResult, data_of, one_model, predict

_PACKAGES = ("torch", "numpy", "onnx", "onnxruntime")


class Network(nn.Module):
    """CFRNet at one λ: covariates as drawn -> ŷ⁰ [n], ŷ¹ [n], φ [n, k].

    It was trained on covariates as drawn, so whatever standardising they need is in the first layer's weights and there
    is none to repeat outside. Both arms of the heads are one layer each, the last with zeros between them.

    weights:       as `network.state_dict` names them, of either encoder.
    dim_x:         numbers in a row.
    probabilities: whether the heads give logits, of which ŷ⁰ and ŷ¹ are the probabilities.
    """

    def __init__(self, weights: dict[str, np.ndarray], dim_x: int, *, probabilities: bool = False) -> None:
        super().__init__()
        self.link = nn.Sigmoid() if probabilities else nn.Identity()
        self.encoder = _convolution(weights, dim_x) if "encoder.8.weight" in weights else _mlp(weights)
        units = len(weights["control.0.bias"])
        last = np.zeros((2, 2 * units))
        last[0, :units], last[1, units:] = weights["control.2.weight"][0], weights["treated.2.weight"][0]
        self.heads = nn.Sequential(
            _linear(
                np.concatenate([weights["control.0.weight"], weights["treated.0.weight"]]),
                np.concatenate([weights["control.0.bias"], weights["treated.0.bias"]]),
            ),
            nn.ELU(),
            _linear(last, np.concatenate([weights["control.2.bias"], weights["treated.2.bias"]])),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        phi = self.encoder(x)
        y = self.link(self.heads(phi))
        return y[:, 0], y[:, 1], phi


class MeanAndMax(nn.Module):
    """Channels over time [n, C, length] -> their means, then their maxima [n, 2 · C]."""

    def forward(self, rows: Tensor) -> Tensor:
        return torch.cat([rows.mean(dim=-1), rows.amax(dim=-1)], dim=-1)


def _mlp(weights: dict[str, np.ndarray]) -> nn.Sequential:
    first, second, last = (_linear(weights[f"encoder.{at}.weight"], weights[f"encoder.{at}.bias"]) for at in (0, 2, 4))
    return nn.Sequential(first, nn.ELU(), second, nn.ELU(), last)


def _convolution(weights: dict[str, np.ndarray], dim_x: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Unflatten(-1, (1, dim_x))]
    for at in (1, 3, 5):
        weight = weights[f"encoder.{at}.weight"]
        layer = nn.Conv1d(weight.shape[1], weight.shape[0], weight.shape[2], stride=STRIDE)
        layers += [_filled(layer, weight, weights[f"encoder.{at}.bias"]), nn.ELU()]
    return nn.Sequential(*layers, MeanAndMax(), _linear(weights["encoder.8.weight"], weights["encoder.8.bias"]))


def _linear(weight: np.ndarray, bias: np.ndarray) -> nn.Module:
    return _filled(nn.Linear(weight.shape[1], weight.shape[0]), weight, bias)


def _filled(layer: nn.Linear | nn.Conv1d, weight: np.ndarray, bias: np.ndarray) -> nn.Module:
    """The layer with these parameters."""
    layer.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
    return layer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """What is exported: the network, the rows it was trained on and those it was not, and its metadata."""

    network: Network
    train: MultiEnvData
    held_out: MultiEnvData
    metadata: dict[str, Any]


def subject(result: RunResult, lam: float, replicate: int = 0) -> Subject:
    """The model whose λ is nearest to `lam`.

    Raises: ValueError if the model diverged, the replicate is not there, or a λ is no number.
    """
    if not np.isfinite(lam) or lam < 0:
        raise ValueError(f"λ is {lam}; give a number from 0, e.g. {result.lams[-1]:g}.")
    weights = state_dict(result, lam, replicate)  # checks the replicate
    m = result.model(lam, replicate)
    if result.status[m] == DIVERGED or not all(np.isfinite(value).all() for value in weights.values()):
        raise ValueError(f"The model of λ = {result.lam[m]:g} diverged and has no weights; choose another λ.")
    train, held_out = data_of(result.config, replicate)
    return Subject(
        network=Network(weights, result.config.dim_x, probabilities=LINK in result.weights).eval(),
        train=train,
        held_out=held_out,
        metadata=_metadata(result, m, replicate, train, held_out),
    )


def _named(config: RunConfig) -> RunConfig:
    """The config that a file holds: of a private table with its names, levels and fills, by which raw rows become
    inputs, and without the token of its session."""
    words = config.table.words if isinstance(config.table, PrivateRows) else None
    return config if words is None else altered(config, table=words)


def _range(column: np.ndarray, *, of_table: bool) -> tuple[float, float]:
    """Lowest and highest of a feature; of a table what 98 % of its rows lie between, since an extreme may be one
    person's."""
    low, high = np.quantile(column, (0.01, 0.99)) if of_table else (column.min(), column.max())
    return float(low), float(high)


def _metadata(result: RunResult, m: int, replicate: int, train: MultiEnvData, held_out: MultiEnvData) -> dict[str, Any]:
    kept = np.unique(np.linspace(0, len(held_out) - 1, REFERENCE).astype(int))
    weights = one_model(result.weights, m)
    phi = predict(weights, held_out.x[kept])[0][0].astype("<f4")
    _, y0_hat, y1_hat = predict(weights, held_out.x)
    metrics = {"factual_mse": float(factual_mse(y0_hat, y1_hat, held_out.t, held_out.y)[0])}
    if held_out.ite is not None:
        metrics["ite_rmse"] = float(ite_rmse(y1_hat - y0_hat, held_out.ite)[0])
    config, of_table = _named(result.config), result.config.table is not None
    trace = "" if of_table else trace_said(config.scenario)
    return {
        "kind": "CRL Explorer model",
        "format_version": FORMAT_VERSION,
        "key": config.key,
        "lam": float(result.lam[m]),
        "replicate": replicate,
        "config": config.to_dict(),
        "metrics": metrics,  # of the float32 network, on held-out rows
        "features": [
            {
                "name": name,
                **dict(zip(("low", "high"), _range(column, of_table=of_table), strict=True)),
                "mean": float(column.mean()),
                "std": float(column.std()),
            }
            for name, column in zip(config.source.features, train.x.T, strict=True)
        ],
        **({"trace": trace} if trace else {}),
        "reference": {  # held-out latents that traffic is compared with
            "shape": list(phi.shape),
            "float32": base64.b64encode(phi.tobytes()).decode(),
            "environment": held_out.env[kept].tolist(),
        },
        "cautions": list(cautions_of_model(result, m)),
        "versions": {"python": platform.python_version()}
        | {name: found for name in _PACKAGES if (found := _version(name))},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def metadata_text(metadata: dict[str, Any]) -> str:
    """As it is kept inside a file."""
    return json.dumps(metadata, allow_nan=False, separators=(",", ":"))
