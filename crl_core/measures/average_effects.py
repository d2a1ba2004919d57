"""What a run says of average effects where nobody knows the true ones: along λ, and at the λ that predicts best.

Effect:  of a row, the mean over replicates of what their models say; each replicate has initial weights and minibatches
         of its own, so that their spread is that of training, not of sampling.
λ:       the one of least validation error, the mean over replicates; of least held-out factual error where no rows were
         kept for validation. A wider rule takes a λ that erases the confounders, which the error hardly notices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crl_core.data.scm import MultiEnvData
from crl_core.events import OK
from crl_core.network import one_model, predict
from crl_core.results import RunResult


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AverageEffects:
    """lams: [L].  factual_mse, mmd2: held out, means over replicates, [L].  ate, att: of each replicate, [R, L].

    choosing: the error that λ is chosen by, [L]; `factual_mse` where no rows were kept for validation.
    picked: index of the λ of least such error.  y0_hat, effects: of each replicate's model there, for every row,
    [R, n].
    """

    lams: tuple[float, ...]
    factual_mse: np.ndarray
    choosing: np.ndarray
    mmd2: np.ndarray
    ate: np.ndarray
    att: np.ndarray
    picked: int
    y0_hat: np.ndarray
    effects: np.ndarray

    @property
    def lam(self) -> float:
        return self.lams[self.picked]


def average_effects(result: RunResult, rows: MultiEnvData) -> AverageEffects:
    """Average effects over `rows`, and over the treated among them. Raises ValueError where no λ has models that
    predict."""
    replicates, treated = range(result.config.training.replicates), rows.t == 1
    broken = result.by_lam(result.status) != OK  # [R, L]
    judged = result.factual_mse if result.validation_mse is None else result.validation_mse
    choosing = result.by_lam(judged).mean(axis=0)
    error = np.where(broken.any(axis=0), np.inf, choosing)
    if not np.isfinite(error).any():
        raise ValueError("no λ has models that all predict; take a smaller learning rate, or fewer and smaller λ.")
    picked = int(np.argmin(error))
    effects = np.stack([result.effects(rows.x, replicate).astype(np.float64) for replicate in replicates])  # [R, L, n]
    models = [one_model(result.weights, replicate * len(result.lams) + picked) for replicate in replicates]
    y0_hat = np.stack([predict(model, rows.x)[1][0].astype(np.float64) for model in models])
    return AverageEffects(
        lams=result.lams,
        factual_mse=result.by_lam(result.factual_mse).mean(axis=0),
        choosing=choosing,
        mmd2=result.by_lam(result.mmd2).mean(axis=0),
        ate=effects.mean(axis=-1),
        att=effects[..., treated].mean(axis=-1),
        picked=picked,
        y0_hat=y0_hat,
        effects=effects[:, picked],
    )
