"""What a finished run is in memory: final metrics, curves, weights, and the held-out rows that views are drawn from.

Nothing here needs torch: `RunResult.predict` is a NumPy forward pass through the stored weights (`network`), so a page
computes latents, predictions and effect maps of any λ without the library that trained them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from crl_core import metrics
from crl_core.config import RunConfig
from crl_core.config.text import altered, nearest_lam
from crl_core.data.scm import MultiEnvData, Stream, rng_for
from crl_core.data.tables.source import TableSource
from crl_core.metrics import Metric
from crl_core.network import multiply_adds, shapes
from crl_core.network import one_model as one_model
from crl_core.network import predict as predict  # notebooks taken home import it from here

N_VIEW = 700  # held-out rows that are drawn and projected
N_MMD = 400  # of these, the rows that every MMD² figure is computed on; at each epoch all 700 would cost a fifth more


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunResult:
    """One trained λ path. Models are replicate-major: m = replicate · len(lams) + index of λ. All metrics are held out.
    They are of the last epoch or, where training rows were kept for validation, of the epoch that erred least on them.

    history: name of a field of `EpochEnded` -> [epochs, M].
    weights: name -> [M, ...] float32, with the names and shapes of `network.shapes`.
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
    ite_rmse: np.ndarray | None = None  # [M]; None where the truth is not known, as the next two
    ate_error: np.ndarray | None = None  # [M] |mean ITE estimate - mean ITE|
    ite_rmse_by_env: np.ndarray | None = None  # [M, E]
    validation_mse: np.ndarray | None = None  # [M]; None where no training rows were kept for that
    ate: np.ndarray | None = None  # [M] mean effect of the held-out rows of a table; None elsewhere, or in older runs
    history: Mapping[str, np.ndarray]
    weights: Mapping[str, np.ndarray]

    @property
    def lams(self) -> tuple[float, ...]:
        return self.config.training.lams

    def model(self, lam: float, replicate: int = 0) -> int:
        """Index m of the model whose λ is nearest to `lam` on the slider's scale, in one replicate."""
        return replicate * len(self.lams) + self.lams.index(nearest_lam(self.lams, lam))

    @property
    def kept(self) -> tuple[Metric, ...]:
        """The metrics of models that it was trained to have; None where the truth is not known."""
        return tuple(m for m in metrics.kept_in("result") if m.needs_truth or getattr(self, m.name) is not None)

    @property
    def generalisation_gap(self) -> np.ndarray:
        """Held-out factual MSE of the worst environment less the mean over environments, [M]; NaN where there is one
        environment only, or a model broke."""
        if self.config.source.n_envs == 1:
            return np.full(len(self.lam), np.nan)
        return metrics.generalisation_gap(self.factual_mse_by_env)

    def metric(self, metric: Metric, evidence: Mapping[str, np.ndarray] | None) -> np.ndarray | None:
        """Values [M] of a metric at the end of training, its own or of its evidence; None where there are none."""
        if self.config.source.n_envs < metric.least_envs:
            return None
        if "evidence" in metric.kept:
            return None if evidence is None else evidence.get(metric.name)
        value: np.ndarray | None = getattr(self, metric.name)
        return value

    def by_lam(self, values: np.ndarray | None) -> np.ndarray:
        """[M, ...] -> [replicates, len(lams), ...]; NaN [replicates, len(lams)] for what is not known."""
        if values is None:
            return np.full((self.config.training.replicates, len(self.lams)), np.nan)
        return values.reshape(self.config.training.replicates, len(self.lams), *values.shape[1:])

    def of_replicate(self, replicate: int = 0) -> dict[str, np.ndarray]:
        """The weights of a replicate's models along λ: name -> [L, ...]."""
        return {name: self.by_lam(value)[replicate] for name, value in self.weights.items()}

    def predict(self, x: np.ndarray, replicate: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Latents and both outcomes that a replicate's models give rows x [n, d]: phi [L, n, k], y0_hat, y1_hat [L, n].

        float32; not finite for a diverged model.
        """
        return predict(self.of_replicate(replicate), x)

    def outcomes(self, x: np.ndarray, replicate: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Both outcomes that a replicate's models give rows x [n, d]: y0_hat, y1_hat [L, n]; see `predict`."""
        models = range(replicate * len(self.lams), (replicate + 1) * len(self.lams))
        # One after the other: all at once, layers would take L times the room.
        found = [predict(one_model(self.weights, m), x)[1:] for m in models]
        y0_hat, y1_hat = (np.concatenate(arm) for arm in zip(*found, strict=True))
        return y0_hat, y1_hat

    def effects(self, x: np.ndarray, replicate: int = 0) -> np.ndarray:
        """Effects that a replicate's models estimate for rows x [n, d], [L, n]; see `predict`."""
        y0_hat, y1_hat = self.outcomes(x, replicate)
        with np.errstate(invalid="ignore", over="ignore"):  # of a diverged model
            return np.asarray(y1_hat - y0_hat)


def of_table(result: RunResult, table: TableSource) -> RunResult:
    """A run whose rows had no name as one of the table that they are: the same figures, under the key that anybody with
    that table would get."""
    return replace(result, config=altered(result.config, table=table))


def products_of(config: RunConfig) -> int:
    """Products that a forward pass of one of a run's networks takes for one row."""
    training = config.training
    return multiply_adds(config.dim_x, training.hidden, training.latent_dim, training.encoder)


def parameters_of(config: RunConfig) -> int:
    """Numbers that one of a run's networks has learnt."""
    training = config.training
    return sum(map(prod, shapes(config.dim_x, training.hidden, training.latent_dim, training.encoder).values()))


def data_of(config: RunConfig, replicate: int = 0) -> tuple[MultiEnvData, MultiEnvData]:
    """The training rows and the held-out rows of a replicate, asked for again with its seed."""
    return config.source.rows(config.training.seed + replicate)


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
