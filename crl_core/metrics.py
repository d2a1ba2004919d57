"""The metrics of a model: one table of what they are, and the errors of effects and of factual outcomes, in float64.

What stores, bundles, prints, draws or compares metrics iterates `METRICS`. A new one needs its row here and, where it
is kept, a field: of `RunResult` for "result", of `EpochEnded` for "epoch", each `= None` for older runs and events.
Estimates are [M, n], one row a model; truth, treatment and environment are [n]. Nothing here needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Place = Literal["epoch", "result", "by_env", "derived", "listed", "evidence", "of_inputs", "baseline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number a model, [M]: what it is called, where it is kept, and the axis that it is drawn on, if it is.

    word:   on screen, inside a sentence; `title` is that of a figure of its own.
    unit:   "y" or "y²" where it is an error of outcomes or effects, in the outcome's units.
    kept:   epoch      a field of `EpochEnded`, and so a curve in `RunResult.history`
            result     a field of `RunResult`, at the last epoch
            by_env     a field `<name>_by_env` of `RunResult` too, [M, E]
            derived    a property of `RunResult`, [M], worked out from what it keeps
            listed     medians over replicates in a run's manifest, which lists of runs show
            evidence   an array of the run's evidence
            of_inputs  an array `x_<name>` of the evidence, [R]: the same of the inputs x
            baseline   an array `baseline_<name>` of the evidence, [B, R]: the same of models that are no network
    needs:  the grade of truth (`data.source`) without which there is no such number, "validation" where rows of the
            training part must have been kept for that, "table" where rows must be a person's own; None for what anyone
            can compute.
    least_envs: the number of environments below which there is no such number.
    usual:  a log axis, and the range that usual runs stay in.
    linear: a linear axis, and the least and the largest value there is.
    late:   younger than the first stored runs, which stay readable without it.
    """

    name: str
    word: str
    kept: tuple[Place, ...]
    title: str = ""
    unit: str = ""
    held_out: bool = True  # else a mean over the epoch's batches
    needs: Literal["effects", "latents", "equations", "validation", "table"] | None = None
    least_envs: int = 1
    shown: bool = True  # wherever runs or λ are compared; else only on the page that explains it
    usual: tuple[float, float] | None = None
    linear: tuple[float, float] | None = None
    late: bool = False

    @property
    def needs_truth(self) -> bool:
        return self.needs not in (None, "validation", "table")

    @property
    def drawn(self) -> bool:
        return self.usual is not None or self.linear is not None

    @property
    def heading(self) -> str:
        """The word as a line begins with it."""
        return self.word[0].upper() + self.word[1:]

    @property
    def window(self) -> tuple[float, float] | None:
        """A linear axis with room for a mark at either end; None for a log axis, which follows its values."""
        if self.linear is None:
            return None
        low, high = self.linear
        return low - 0.1 * (high - low), high + 0.06 * (high - low)


METRICS = (
    Metric(name="loss", word="loss", unit="y²", kept=("epoch",), held_out=False, usual=(0.003, 100.0)),
    Metric(name="factual_train", word="factual error", unit="y²", kept=("epoch",), held_out=False, usual=(0.003, 30.0)),
    Metric(name="penalty", word="penalty", kept=("epoch",), held_out=False, usual=(0.001, 1.0)),
    Metric(
        name="factual_mse",
        word="factual error",
        title="Factual error",
        unit="y²",
        kept=("epoch", "result", "by_env", "listed", "baseline"),
        usual=(0.003, 30.0),
    ),
    Metric(
        name="validation_mse",
        word="validation error",
        title="Factual error on validation rows",
        unit="y²",
        kept=("epoch", "result"),
        needs="validation",
        shown=False,
        usual=(0.003, 30.0),
        late=True,
    ),
    Metric(
        name="mmd2",
        word="MMD²",
        title="MMD² of the latents",
        kept=("epoch", "result", "listed", "of_inputs"),
        usual=(0.001, 1.0),
    ),
    Metric(
        name="ite_rmse",
        word="effect error",
        title="Effect error: ITE RMSE (√PEHE)",
        unit="y",
        kept=("epoch", "result", "by_env", "listed", "baseline"),
        needs="effects",
        usual=(0.01, 3.0),
    ),
    Metric(
        name="ate",
        word="average effect",
        title="Average effect",
        unit="y",
        kept=("epoch", "result"),
        needs="table",
        shown=False,
        late=True,
    ),
    Metric(name="ate_error", word="|ATE error|", unit="y", kept=("result", "baseline"), needs="effects"),
    Metric(
        name="domain_auc",
        word="domain AUC",
        title="Domain AUC",
        kept=("evidence", "of_inputs"),
        linear=(0.5, 1.0),
    ),
    *(
        Metric(
            name=f"domain_auc_{name}",
            word=f"domain AUC, {word}",
            kept=("evidence", "of_inputs"),
            shown=False,
            late=True,
        )
        for name, word in (("knn", "kNN"), ("ridge", "ridge"), ("boosting", "boosting"))
    ),
    Metric(
        name="use_effect_rms",
        word="use of s by the effect",
        title="Use of s by the effect: root mean square of ∂τ̂/∂s",
        unit="y",
        kept=("evidence",),
        needs="equations",
        usual=(0.001, 1.0),
        late=True,
    ),
    Metric(
        name="use_outcome_rms",
        word="use of s by the outcome",
        unit="y",
        kept=("evidence",),
        needs="equations",
        late=True,
    ),
    Metric(
        name="use_effect_mean",
        word="mean ∂τ̂/∂s",
        unit="y",
        kept=("evidence",),
        needs="equations",
        shown=False,
        late=True,
    ),
    Metric(
        name="use_outcome_mean",
        word="mean ∂ŷ/∂s",
        unit="y",
        kept=("evidence",),
        needs="equations",
        shown=False,
        late=True,
    ),
    Metric(
        name="generalisation_gap",
        word="generalisation gap",
        title="Generalisation gap: worst environment less the mean, factual error",
        unit="y²",
        kept=("derived",),
        least_envs=2,
        usual=(0.001, 10.0),
    ),
    Metric(
        name="left_out_mse",
        word="factual error, environment left out",
        title="Factual error in an environment left out of training",
        unit="y²",
        kept=("evidence",),
        least_envs=3,
        usual=(0.003, 30.0),
        late=True,
    ),
    Metric(name="knn_mixing", word="kNN mixing", kept=("evidence", "of_inputs"), shown=False),
    Metric(name="mmd2_p", word="p of MMD²", kept=("evidence", "of_inputs"), shown=False),
    Metric(name="r2_z_ridge", word="R² of z, ridge", kept=("evidence",), needs="latents", shown=False),
    Metric(name="r2_z_knn", word="R² of z, kNN", kept=("evidence",), needs="latents", shown=False),
    Metric(name="r2_s_ridge", word="R² of s, ridge", kept=("evidence",), needs="latents", shown=False),
    Metric(name="r2_s_knn", word="R² of s, kNN", kept=("evidence",), needs="latents", shown=False),
    Metric(name="latent_norm", word="norm of the latent", kept=("evidence",), shown=False),
    Metric(name="effective_rank", word="effective rank", kept=("evidence",), shown=False),
)
METRIC = {metric.name: metric for metric in METRICS}


def kept_in(place: Place) -> tuple[Metric, ...]:
    """The metrics kept there, in the order of the table."""
    return tuple(metric for metric in METRICS if place in metric.kept)


# What is compared between runs and λ, in the order of the screen: errors of effects first.
SHOWN = tuple(
    sorted(
        (m for m in METRICS if m.shown and {"result", "derived", "evidence"} & set(m.kept)),
        key=lambda metric: metric.needs != "effects",
    )
)
DRAWN = tuple(metric for metric in SHOWN if metric.drawn)
LISTED = tuple(metric for metric in SHOWN if "listed" in metric.kept)
EPOCH_NAMES = (*(metric.name for metric in kept_in("epoch")), "status")  # of the arrays in `RunResult.history`


def ite_rmse(ite_hat: np.ndarray, ite: np.ndarray) -> np.ndarray:
    """ITE RMSE, also called √PEHE: √mean((τ̂ - τ)²) over units, in units of the outcome, [M].

    ite: the noiseless truth y1 - y0.  Source: Hill (2011), precision in estimating heterogeneous effects.
    """
    return np.asarray(np.sqrt(np.mean(np.square(ite_hat - ite), axis=-1)), dtype=np.float64)


def ate_error(ite_hat: np.ndarray, ite: np.ndarray) -> np.ndarray:
    """Absolute error of the average effect, |mean τ̂ - mean τ|, [M]."""
    return np.asarray(np.abs(ite_hat.mean(axis=-1) - ite.mean()), dtype=np.float64)


def factual_mse(y0_hat: np.ndarray, y1_hat: np.ndarray, t: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean squared error of the outcome under the treatment received, [M]; y is noisy, so its variance is the floor."""
    return np.asarray(np.mean(np.square(np.where(t == 1, y1_hat, y0_hat) - y), axis=-1), dtype=np.float64)


def factual_mse_by_env(
    y0_hat: np.ndarray, y1_hat: np.ndarray, t: np.ndarray, y: np.ndarray, env: np.ndarray, n_envs: int
) -> np.ndarray:
    """`factual_mse` of each environment, [M, E]; NaN for one without rows."""
    return by_env(np.square(np.where(t == 1, y1_hat, y0_hat) - y), env, n_envs)


def ite_rmse_by_env(ite_hat: np.ndarray, ite: np.ndarray, env: np.ndarray, n_envs: int) -> np.ndarray:
    """`ite_rmse` of each environment, [M, E]; NaN for one without rows."""
    return np.asarray(np.sqrt(by_env(np.square(ite_hat - ite), env, n_envs)))


def by_env(values: np.ndarray, env: np.ndarray, n_envs: int) -> np.ndarray:
    """Mean of [M, n] values over each environment's rows, [M, E]; NaN for one without rows."""
    means = np.full((len(values), n_envs), np.nan)
    for e in np.unique(env):
        means[:, e] = values[:, env == e].mean(axis=1)
    return means


def generalisation_gap(error_by_env: np.ndarray) -> np.ndarray:
    """Worst environment's error minus the mean over environments, [M, E] -> [M].

    0 for a single environment. Environments without rows are left out; NaN for a model that has no error at all.
    """
    known = np.isfinite(error_by_env)
    worst = np.where(known, error_by_env, -np.inf).max(axis=1)
    mean = np.where(known, error_by_env, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.asarray(np.where(known.any(axis=1), worst, np.nan) - mean, dtype=np.float64)
