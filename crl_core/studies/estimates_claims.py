"""Measure the claims about MMD² estimated in linear time, each seed beside the exact penalty's on the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from crl_core.config import FIRST_SEED, RunConfig
from crl_core.config.presets import DEFAULT_PRESET, preset
from crl_core.config.text import altered
from crl_core.jobs.ensure_runs import ensure_runs
from crl_core.jobs.executors import Executor, Here
from crl_core.results import RunResult
from crl_core.runs.store import RunStore

LAM = 1.0
_WIDE, _LARGE = {"latent_dim": 128}, {"batch_size": 512}
WAYS: Mapping[str, tuple[str, Mapping[str, Any], str]] = {  # claim -> estimate, changes of the preset, metric
    "estimates-features": ("rff", {}, "ite_rmse"),
    "estimates-features-align": ("rff", {}, "mmd2"),
    "estimates-features-wide": ("rff", _WIDE, "ite_rmse"),
    "estimates-features-batch": ("rff", _LARGE, "ite_rmse"),
    "estimates-blocks-batch": ("block", _LARGE, "ite_rmse"),
}


def measure_claims(
    ids: Sequence[str],
    seeds: int,
    store: RunStore,
    executor: Executor | None = None,
    first_seed: int = FIRST_SEED,
) -> dict[str, np.ndarray]:
    """[seeds] values of each claim of estimates_claims.toml. Raises as `ensure_runs`."""
    pairs = {claim: _pair(*WAYS[claim][:2], seeds, first_seed) for claim in ids}
    wanted = {config: False for pair in pairs.values() for config in pair}
    found = ensure_runs(list(wanted.items()), store, executor or Here(store))
    values = {}
    for claim, pair in pairs.items():
        metric = WAYS[claim][2]
        estimate, exact = (_values(found[config][0], metric) for config in pair)
        values[claim] = estimate / exact if metric == "mmd2" else distance(estimate, exact)
    return values


def distance(estimate: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """How far each seed's error [seeds] lies from the exact one's, in standard deviations of that over seeds.

    Infinite where either model broke.
    """
    with np.errstate(invalid="ignore", divide="ignore"):  # an error is infinite of a model that diverged
        found = np.abs(estimate - exact) / exact.std(ddof=1)
    return np.where(np.isfinite(found), found, np.inf)


def _pair(estimate: str, changes: Mapping[str, Any], seeds: int, first_seed: int) -> tuple[RunConfig, RunConfig]:
    """The run with the estimate, and the exact one."""
    exact = altered(preset(DEFAULT_PRESET), lams=(LAM,), replicates=seeds, seed=first_seed, **changes)
    return altered(exact, ipm_estimate=estimate), exact


def _values(run: RunResult, metric: str) -> np.ndarray:
    values = run.by_lam(getattr(run, metric))[:, 0]
    return np.where(np.isfinite(values), values, np.inf)
