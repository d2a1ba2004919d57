"""What a finished run is in memory: final metrics, curves, weights, and the held-out rows that views are drawn from.

Nothing here needs torch: `predict` is a NumPy forward pass through the stored weights, so a page computes latents,
predictions and effect maps of any λ without the library that trained them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from crl_core.config import RunConfig
from crl_core.data.scm import MultiEnvData, Stream, rng_for, sample, split
from crl_core.metrics import Metric

N_VIEW = 700  # held-out rows that are drawn and projected
N_MMD = 400  # of these, the rows that every MMD² figure is computed on; at each epoch all 700 would cost a fifth more


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunResult:
    """One trained λ path. Models are replicate-major: m = replicate · len(lams) + index of λ. All metrics are held out.

    history: name of a field of `EpochEnded` -> [epochs, M].
    weights: name -> [M, ...] float32: encoder.0 .. encoder.2 and head.0, head.1, each with .weight and .bias (see
             `predict`).
    """

    config: RunConfig
    device: str
    seconds: float
    lam: np.ndarray  # [M]
    replicate: np.ndarray  # [M] int
    status: np.ndarray  # [M] int, index into events.STATUS_WORDS
    factual_mse: np.ndarray  # [M]
    factual_mse_by_env: np.ndarray  # [M, E]
    mmd2: np.ndarray  # [M]
    ite_rmse: np.ndarray | None  # [M]; None where the truth is not known, as the next three
    ate_error: np.ndarray | None  # [M] |mean ITE estimate - mean ITE|
    ite_rmse_by_env: np.ndarray | None  # [M, E]
    history: Mapping[str, np.ndarray]
    weights: Mapping[str, np.ndarray]

    @property
    def lams(self) -> tuple[float, ...]:
        return self.config.training.lams

    def model(self, lam: float, replicate: int = 0) -> int:
        """Index m of the model whose λ is nearest to `lam` on the slider's scale, in one replicate."""
        grid = np.asarray(self.lams)
        positive = grid[grid > 0]
        floor = positive.min() / 10 if len(positive) else 1.0  # where λ = 0 sits on a log axis
        distance = np.abs(np.log(np.maximum(grid, floor)) - np.log(max(lam, floor)))
        return replicate * len(grid) + int(distance.argmin())

    def metric(self, metric: Metric, evidence: Mapping[str, np.ndarray] | None) -> np.ndarray | None:
        """Values [M] of a metric at the end of training, its own or of its evidence; None where there are none."""
        if "evidence" in metric.kept:
            return None if evidence is None else evidence.get(metric.name)
        value: np.ndarray | None = getattr(self, metric.name)
        return value

    def by_lam(self, values: np.ndarray | None) -> np.ndarray:
        """[M, ...] -> [replicates, len(lams), ...]; NaN [replicates, len(lams)] for what is not known."""
        if values is None:
            return np.full((self.config.training.replicates, len(self.lams)), np.nan)
        return values.reshape(self.config.training.replicates, len(self.lams), *values.shape[1:])


def data_of(config: RunConfig, replicate: int = 0) -> tuple[MultiEnvData, MultiEnvData]:
    """The training rows and the held-out rows of a replicate, drawn again from its seed."""
    seed = config.training.seed + replicate
    data = sample(config.scenario, seed)
    train, held_out = split(data, seed)
    return data.rows(train), data.rows(held_out)


def view_of(held_out: MultiEnvData, seed: int, n_rows: int = N_VIEW) -> MultiEnvData:
    """At most `n_rows` held-out rows, drawn without replacement, the same for every λ; in environment order."""
    index = rng_for(seed, Stream.VIEW).permutation(len(held_out))[:n_rows]
    return held_out.rows(np.sort(index))


def mmd_index(n_view: int) -> np.ndarray:
    """Which of `n_view` view rows MMD² is computed on: evenly spaced ones; in environment order each keeps its
    share."""
    return np.arange(n_view) if n_view <= N_MMD else np.linspace(0, n_view - 1, N_MMD).astype(np.int64)


def mmd_rows(view: MultiEnvData) -> MultiEnvData:
    """The view rows at `mmd_index`."""
    return view.rows(mmd_index(len(view)))


def view_rows(config: RunConfig, replicate: int = 0) -> MultiEnvData:
    """The held-out rows of a run that pictures show (`view_of` its held-out part)."""
    return view_of(data_of(config, replicate)[1], config.training.seed + replicate)


def predict(weights: Mapping[str, np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Forward pass of the stored CFRNets in NumPy: phi [M, n, k], y0_hat [M, n], y1_hat [M, n], float32.

    weights: as in `RunResult`, or `{name: value[m : m + 1]}` for a single model.
    x:       [n, d], or [M, n, d] for rows of its own for each model.
    """

    def layer(name: str, rows: np.ndarray) -> np.ndarray:
        return np.asarray(rows @ weights[name + ".weight"] + weights[name + ".bias"])

    h = np.asarray(x, dtype=np.float32)
    h = elu(layer("encoder.1", elu(layer("encoder.0", h))))
    phi = layer("encoder.2", h)
    arms = elu(layer("head.0", phi))  # [M, n, 2 · units], control's units first
    arms = arms.reshape(*arms.shape[:-1], 2, -1) * weights["head.1.weight"][:, None]  # [M, n, 2, units]
    y_hat = arms.sum(axis=-1) + weights["head.1.bias"][:, None]  # [M, n, 2]
    return phi, y_hat[..., 0], y_hat[..., 1]


def one_model(weights: Mapping[str, np.ndarray], m: int) -> dict[str, np.ndarray]:
    """The weights of model m alone, as `predict` takes them."""
    return {name: value[m : m + 1] for name, value in weights.items()}


def elu(values: np.ndarray) -> np.ndarray:
    """x where x > 0, else e^x - 1."""
    return np.where(values > 0, values, np.expm1(np.minimum(values, 0)))
