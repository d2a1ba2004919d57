"""Everything that stands beside the pictures of a run, computed once in the worker after training.

Probes, overlap, baselines and the choices of λ need weights, rows and scikit-learn, but not torch. Per-model measures
are taken on each replicate's view rows; baselines and choices on all held-out rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from crl_core.data.scm import MultiEnvData, Stream, aligned_groups, along, rng_for
from crl_core.events import OK
from crl_core.measures import selection
from crl_core.measures.baselines import BASELINES, fit_all
from crl_core.measures.lam_choice import RULES
from crl_core.measures.overlap import Overlap, overlap, overlaps
from crl_core.measures.probes import effective_rank, latent_norm, read_from
from crl_core.results import RunResult, data_of, mmd_index, view_of

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Measures of every model [M] and replicate [R]; NaN where one is not defined. See `overlap`, `probes`,
    `selection`.

    baseline_*: [B, R], in the order of `baseline_names`; baseline_reason says why one could not be fitted, else "".
    rule_pick:  [K, R] index of λ, -1 where the rule is not defined; rule_reason says why, else "".
    """

    domain_auc: np.ndarray  # [M]
    knn_mixing: np.ndarray  # [M]
    mmd2_p: np.ndarray  # [M]
    x_domain_auc: np.ndarray  # [R], of the inputs x, as the next three
    x_knn_mixing: np.ndarray
    x_mmd2: np.ndarray
    x_mmd2_p: np.ndarray
    r2_z_ridge: np.ndarray  # [M]
    r2_z_knn: np.ndarray
    r2_s_ridge: np.ndarray
    r2_s_knn: np.ndarray
    latent_norm: np.ndarray  # [M]
    effective_rank: np.ndarray  # [M]
    baseline_ite_rmse: np.ndarray  # [B, R]
    baseline_factual_mse: np.ndarray
    baseline_ate_error: np.ndarray
    baseline_reason: np.ndarray  # [B, R] str, "" where it could be fitted
    rule_pick: np.ndarray  # [K, R] int
    rule_reason: np.ndarray  # [K, R] str
    baseline_names: np.ndarray = field(default_factory=lambda: np.array(list(BASELINES)))
    rule_ids: np.ndarray = field(default_factory=lambda: np.array(RULES))

    def as_arrays(self) -> dict[str, np.ndarray]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Evidence:
        """Inverse of `as_arrays`. Raises TypeError if an array is missing or unknown."""
        return cls(**arrays)


def gather(result: RunResult, progress: OnProgress | None = None) -> Evidence:
    """The evidence of a run. progress(done, total) counts models; it may raise to stop."""
    n_lams, n_models = len(result.lams), len(result.lam)
    seed = result.config.training.seed
    per_model: dict[str, list[Any]] = {}
    per_replicate: dict[str, list[Any]] = {}
    for replicate in range(result.config.training.replicates):
        train, held_out = data_of(result.config, replicate)
        view = view_of(held_out, seed + replicate)
        groups = aligned_groups(result.config, view)
        phi = result.predict(view.x, replicate)[0].astype(np.float64)
        at = mmd_index(len(view))
        measures = overlaps(phi, groups, rng_for(seed + replicate, Stream.OVERLAP), at)
        for index, found in enumerate(measures):
            _add(per_model, _of_overlap(found))
            _add(per_model, _read_from(phi[index], view, rng_for(seed + replicate, Stream.PROBES)))
            if progress is not None:
                progress(replicate * n_lams + index + 1, n_models)
        inputs = overlap(view.x, groups, rng_for(seed + replicate, Stream.OVERLAP), at)
        _add(per_replicate, {f"x_{name}": value for name, value in _of_overlap(inputs).items()})
        _add(per_replicate, {"x_mmd2": inputs.mmd2})
        auc = np.array(per_model["domain_auc"][-n_lams:])
        _add(per_replicate, _of_replicate(result, replicate, auc, train, held_out))
    return Evidence(
        **{name: np.array(values) for name, values in per_model.items()},
        **{name: np.stack(values, axis=-1) for name, values in per_replicate.items()},
    )


def _add(columns: dict[str, list[Any]], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        columns.setdefault(name, []).append(value)


def _of_overlap(measures: Overlap) -> dict[str, float]:
    return {
        "domain_auc": measures.domain_auc,
        "knn_mixing": measures.knn_mixing,
        "mmd2_p": measures.p_value,
    }


def _read_from(phi: np.ndarray, view: MultiEnvData, rng: np.random.Generator) -> dict[str, float]:
    """What the probes say of one model's latents [n, k]."""
    ridge, knn = np.full(2, np.nan), np.full(2, np.nan)
    norm, rank = np.nan, np.nan
    if np.isfinite(phi).all():
        norm, rank = float(latent_norm(phi[None])[0]), float(effective_rank(phi[None])[0])
        if view.z is not None and view.s is not None:
            ridge, knn = read_from(phi, np.column_stack([along(view.z), along(view.s)]), rng)
    found = {"r2_z_ridge": ridge[0], "r2_z_knn": knn[0], "r2_s_ridge": ridge[1], "r2_s_knn": knn[1]}
    return found | {"latent_norm": norm, "effective_rank": rank}


def _of_replicate(
    result: RunResult,
    replicate: int,
    auc: np.ndarray,
    train: MultiEnvData,
    held_out: MultiEnvData,
) -> dict[str, np.ndarray]:
    rng = rng_for(result.config.training.seed + replicate, Stream.BASELINES)
    baselines = fit_all(train, held_out, rng)
    # Collapse and divergence show without the truth, and nobody would deploy such a model; so no rule picks one.
    usable = result.by_lam(result.status)[replicate] == OK
    factual, auc = (np.where(usable, values, np.nan) for values in (result.by_lam(result.factual_mse)[replicate], auc))
    ite_hat = np.where(usable[:, None], result.effects(held_out.x, replicate), np.nan)
    picks = selection.choose(factual, auc, ite_hat, train, held_out, rng)
    return {
        "baseline_ite_rmse": np.array([item.ite_rmse for item in baselines]),
        "baseline_factual_mse": np.array([item.factual_mse for item in baselines]),
        "baseline_ate_error": np.array([item.ate_error for item in baselines]),
        "baseline_reason": np.array([item.reason for item in baselines]),
        "rule_pick": np.array([-1 if pick.index is None else pick.index for pick in picks]),
        "rule_reason": np.array([pick.reason for pick in picks]),
    }
