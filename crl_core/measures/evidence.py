"""Evidence of a run: all that stands beside its pictures, computed once in the worker after training.

Probes, overlap, baselines and the choices of λ need weights, rows and scikit-learn, but not torch. Per-model measures
are taken on each replicate's view rows; baselines and choices on all held-out rows. NaN where one is not defined.

    <name>            [M] of each metric kept in the evidence (`metrics.METRICS`); see `overlap`, `probes` and `use`.
                      What needs the equations is left out where nobody knows them
    x_<name>          [R] of the inputs x instead of the latent
    baseline_<name>   [B, R], in the order of `baseline_names`; the last is the network without a penalty
    baseline_reason   [B, R] why one could not be fitted, else ""
    baseline_decay    [R] the weight decay that the network without a penalty was given
    rule_pick         [K, R] index of λ, in the order of `rule_ids`; -1 where a rule is not defined
    rule_reason       [K, R] why it is not, else ""
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any, TypeVar

import numpy as np

from crl_core.data.scm import MultiEnvData, Stream, aligned_groups, along, rng_for
from crl_core.events import OK
from crl_core.measures import selection
from crl_core.measures.baselines import REGULARISED, Baseline, each_fitted, methods
from crl_core.measures.lam_choice import RULES
from crl_core.measures.overlap import Overlap, overlaps
from crl_core.measures.probes import effective_rank, latent_norm, read_from
from crl_core.measures.use import use_of_s
from crl_core.measures.views import views_of
from crl_core.metrics import kept_in
from crl_core.results import RunResult, data_of, mmd_index, view_of

OnProgress = Callable[[int, int], None]
T = TypeVar("T")
_OF_ROWS: dict[Hashable, list[Any]] = {}  # what `_once` knows: a few numbers each, never rows
_MOST_ROWS = 256
_ONE_AT_A_TIME = Lock()


def gather(
    result: RunResult,
    progress: OnProgress | None = None,
    *,
    regularised: Mapping[str, np.ndarray] | None = None,
    left_out: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """The evidence of a run, by name. progress(done, total) counts models and baselines; it may raise to stop.

    regularised, left_out: what the modules of `training` that are called so found, which needs torch, the latter [M];
                           None where it was not trained.
    """
    n_lams, replicates = len(result.lams), result.config.training.replicates
    seed = result.config.training.seed
    views = views_of(result.config)
    names = [item.name for item in methods(views)]
    told = _Counted(replicates * (n_lams + len(names)), progress)
    per_model: dict[str, list[Any]] = {}
    per_replicate: dict[str, list[Any]] = {}
    for replicate in range(replicates):
        train, held_out = data_of(result.config, replicate)
        view = view_of(held_out, seed + replicate)
        groups = aligned_groups(view, result.config.training.align)
        phi = result.predict(view.x, replicate)[0].astype(np.float64)
        at = mmd_index(len(view))
        measures = overlaps(phi, groups, rng_for(seed + replicate, Stream.OVERLAP), at)
        for index, found in enumerate(measures):
            _add(per_model, _of_overlap(found))
            _add(per_model, _read_from(phi[index], view, rng_for(seed + replicate, Stream.PROBES)))
            told.one_more()
        if "equations" in result.config.source.knows:
            used = use_of_s(result.of_replicate(replicate), view, result.config.scenario, seed + replicate)
            for name, values in used.items():
                per_model.setdefault(name, []).extend(values)
        rows = (result.config.source, seed + replicate)
        of_inputs = overlaps(view.x[None], groups, rng_for(seed + replicate, Stream.OVERLAP), at)
        (inputs,) = _once(("overlap", *rows, result.config.training.align), of_inputs)
        _add(per_replicate, {f"x_{name}": value for name, value in _of_overlap(inputs).items()})
        _add(per_replicate, {"x_mmd2": inputs.mmd2})
        rng = rng_for(seed + replicate, Stream.BASELINES)
        of_seed = int(rng.integers(2**31))
        baselines = []
        for item in _once(("baselines", *rows), each_fitted(train, held_out, of_seed, views)):
            baselines.append(item)
            told.one_more()
        _add(per_replicate, _of_baselines([*baselines, _regularised(regularised, replicate)]))
        auc = np.array(per_model["domain_auc"][-n_lams:])
        errors = None if left_out is None else result.by_lam(left_out)[replicate]
        _add(per_replicate, _of_rules(result, replicate, auc, errors, train, held_out, rng))
    return {
        **{name: np.array(values) for name, values in per_model.items()},
        **({} if left_out is None or result.config.source.n_envs < 3 else {"left_out_mse": left_out}),
        **{name: np.stack(values, axis=-1) for name, values in per_replicate.items()},
        "baseline_names": np.array([*names, REGULARISED]),
        "baseline_decay": np.full(replicates, np.nan) if regularised is None else regularised["weight_decay"],
        "rule_ids": np.array(RULES),
    }


class _Counted:
    """Tells progress one step after the other."""

    def __init__(self, total: int, progress: OnProgress | None) -> None:
        self.done, self.total, self.progress = 0, total, progress

    def one_more(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total)


def _once(key: Hashable, found: Iterator[T]) -> Iterator[T]:
    """What is found, or what was found before under this key: what rows alone decide is the same for every run on
    them, and the runs of a study or of a contest of penalties often share their rows."""
    known = _OF_ROWS.get(key)
    if known is None:
        known = []
        for item in found:
            known.append(item)
            yield item
        with _ONE_AT_A_TIME:
            _OF_ROWS[key] = known
            while len(_OF_ROWS) > _MOST_ROWS:
                del _OF_ROWS[next(iter(_OF_ROWS))]
    else:
        yield from known


def _regularised(found: Mapping[str, np.ndarray] | None, replicate: int) -> Baseline:
    """The network without a penalty, as one more baseline of a replicate."""
    if found is None:
        unknown = dict.fromkeys((m.name for m in kept_in("baseline")), np.nan)
        return Baseline(name=REGULARISED, **unknown, reason="it was not trained with this run")
    figures = {m.name: float(found[m.name][replicate]) for m in kept_in("baseline")}
    return Baseline(name=REGULARISED, **figures, reason=str(found["reason"][replicate]))


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


def _of_baselines(baselines: Sequence[Baseline]) -> dict[str, np.ndarray]:
    found = {f"baseline_{m.name}": np.array([getattr(item, m.name) for item in baselines]) for m in kept_in("baseline")}
    return found | {"baseline_reason": np.array([item.reason for item in baselines])}


def _of_rules(
    result: RunResult,
    replicate: int,
    auc: np.ndarray,
    left_out: np.ndarray | None,
    train: MultiEnvData,
    held_out: MultiEnvData,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    # Collapse and divergence show without the truth, and nobody would deploy such a model; so no rule picks one.
    usable = result.by_lam(result.status)[replicate] == OK
    factual, auc = (np.where(usable, values, np.nan) for values in (result.by_lam(result.factual_mse)[replicate], auc))
    ite_hat = np.where(usable[:, None], result.effects(held_out.x, replicate), np.nan)
    picks = selection.choose(factual, auc, ite_hat, train, held_out, rng, left_out)
    return {
        "rule_pick": np.array([-1 if pick.index is None else pick.index for pick in picks]),
        "rule_reason": np.array([pick.reason for pick in picks]),
    }
