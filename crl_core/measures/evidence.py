"""Evidence of a run: all that stands beside its pictures, computed once in the worker after training.

Probes, overlap, baselines and the choices of λ need weights, rows and scikit-learn, but not torch. Per-model measures
are taken on each replicate's view rows; baselines and choices on all held-out rows. NaN where one is not defined.

    <name>            [M] of each metric kept in the evidence (`metrics.METRICS`); see `overlap`, `probes` and `use`.
                      What needs the equations is left out where nobody knows them
    x_<name>          [R] of the inputs x instead of the latent
    baseline_<name>   [B, R], in the order of `baseline_names`
    baseline_reason   [B, R] why one could not be fitted, else ""
    rule_pick         [K, R] index of λ, in the order of `rule_ids`; -1 where a rule is not defined
    rule_reason       [K, R] why it is not, else ""
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from crl_core.data.scm import MultiEnvData, Stream, aligned_groups, along, rng_for
from crl_core.events import OK
from crl_core.measures import selection
from crl_core.measures.baselines import BASELINES, fit_all
from crl_core.measures.lam_choice import RULES
from crl_core.measures.overlap import Overlap, overlap, overlaps
from crl_core.measures.probes import effective_rank, latent_norm, read_from
from crl_core.measures.use import use_of_s
from crl_core.metrics import kept_in
from crl_core.results import RunResult, data_of, mmd_index, view_of

OnProgress = Callable[[int, int], None]


def gather(
    result: RunResult, progress: OnProgress | None = None, *, left_out: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """The evidence of a run, by name. progress(done, total) counts models; it may raise to stop.

    left_out: what `training.left_out` found, which needs torch, [M]; None where it was not trained.
    """
    n_lams, n_models = len(result.lams), len(result.lam)
    seed = result.config.training.seed
    per_model: dict[str, list[Any]] = {}
    per_replicate: dict[str, list[Any]] = {}
    for replicate in range(result.config.training.replicates):
        train, held_out = data_of(result.config, replicate)
        view = view_of(held_out, seed + replicate)
        groups = aligned_groups(view, result.config.training.align)
        phi = result.predict(view.x, replicate)[0].astype(np.float64)
        at = mmd_index(len(view))
        measures = overlaps(phi, groups, rng_for(seed + replicate, Stream.OVERLAP), at)
        for index, found in enumerate(measures):
            _add(per_model, _of_overlap(found))
            _add(per_model, _read_from(phi[index], view, rng_for(seed + replicate, Stream.PROBES)))
            if progress is not None:
                progress(replicate * n_lams + index + 1, n_models)
        if "equations" in result.config.source.knows:
            used = use_of_s(result.of_replicate(replicate), view, result.config.scenario, seed + replicate)
            for name, values in used.items():
                per_model.setdefault(name, []).extend(values)
        inputs = overlap(view.x, groups, rng_for(seed + replicate, Stream.OVERLAP), at)
        _add(per_replicate, {f"x_{name}": value for name, value in _of_overlap(inputs).items()})
        _add(per_replicate, {"x_mmd2": inputs.mmd2})
        auc = np.array(per_model["domain_auc"][-n_lams:])
        errors = None if left_out is None else result.by_lam(left_out)[replicate]
        _add(per_replicate, _of_replicate(result, replicate, auc, errors, train, held_out))
    return {
        **{name: np.array(values) for name, values in per_model.items()},
        **({} if left_out is None or result.config.source.n_envs < 3 else {"left_out_mse": left_out}),
        **{name: np.stack(values, axis=-1) for name, values in per_replicate.items()},
        "baseline_names": np.array(list(BASELINES)),
        "rule_ids": np.array(RULES),
    }


def _add(columns: dict[str, list[Any]], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        columns.setdefault(name, []).append(value)


def _of_overlap(measures: Overlap) -> dict[str, float]:
    return {
        "domain_auc": measures.domain_auc,
        "domain_auc_knn": measures.auc_knn,
        "domain_auc_ridge": measures.auc_ridge,
        "domain_auc_boosting": measures.auc_boosting,
        "knn_mixing": measures.knn_mixing,
        "mmd2_p": measures.p_value,
    }


def _read_from(phi: np.ndarray, view: MultiEnvData, rng: np.random.Generator) -> dict[str, float]:
    """R² of the probes, norm and rank of one model's latents [n, k]."""
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
    left_out: np.ndarray | None,
    train: MultiEnvData,
    held_out: MultiEnvData,
) -> dict[str, np.ndarray]:
    rng = rng_for(result.config.training.seed + replicate, Stream.BASELINES)
    baselines = fit_all(train, held_out, rng)
    # Collapse and divergence show without the truth, and nobody would deploy such a model; so no rule picks one.
    usable = result.by_lam(result.status)[replicate] == OK
    factual, auc = (np.where(usable, values, np.nan) for values in (result.by_lam(result.factual_mse)[replicate], auc))
    ite_hat = np.where(usable[:, None], result.effects(held_out.x, replicate), np.nan)
    picks = selection.choose(factual, auc, ite_hat, train, held_out, rng, left_out)
    return {
        **{f"baseline_{m.name}": np.array([getattr(item, m.name) for item in baselines]) for m in kept_in("baseline")},
        "baseline_reason": np.array([item.reason for item in baselines]),
        "rule_pick": np.array([-1 if pick.index is None else pick.index for pick in picks]),
        "rule_reason": np.array([pick.reason for pick in picks]),
    }
