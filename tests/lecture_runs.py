"""Small trained runs for the tests of lecture mode, each trained once a process."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from crl_core import preset, train
from crl_core.config import RunConfig
from crl_core.events import COLLAPSED, DIVERGED
from crl_core.results import RunResult

LAMS = (0.0, 0.01, 0.1, 1.0, 10.0)


def config_of(name: str = "hospital", n_envs: int | None = None, **training: object) -> RunConfig:
    base = preset(name)
    scenario = replace(base.scenario, n_samples=1000)
    if n_envs is not None:
        scenario = scenario.with_envs(n_envs)
    wanted = {"lams": LAMS, "replicates": 2, "epochs": 3, "hidden": 16, "learning_rate": 0.01} | training
    return RunConfig(scenario=scenario, training=replace(base.training, **wanted))


@cache
def run_of(
    name: str = "hospital", n_envs: int | None = None, lams: tuple[float, ...] = LAMS, epochs: int = 3
) -> RunResult:
    return train(config_of(name, n_envs, lams=lams, epochs=epochs))


def evidence_of(result: RunResult) -> dict[str, np.ndarray]:
    """An evidence part with what the lecture reads; the values only have to be recognisable."""
    return {
        "domain_auc": np.linspace(0.99, 0.52, len(result.lam)),
        "r2_s_ridge": np.full(len(result.lam), 0.05),
    }


def broken(result: RunResult, diverged: int, collapsed: int) -> RunResult:
    """The run with one model of replicate 0 diverged (no numbers, no weights) and one collapsed (marked, no
    numbers)."""
    status = result.status.copy()
    status[diverged], status[collapsed] = DIVERGED, COLLAPSED
    gone = status != 0

    def without(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else np.where(gone.reshape(-1, *[1] * (values.ndim - 1)), np.nan, values)

    weights = {
        name: np.where((status == DIVERGED).reshape(-1, *[1] * (value.ndim - 1)), np.float32(np.nan), value)
        for name, value in result.weights.items()
    }
    return replace(
        result,
        status=status,
        factual_mse=without(result.factual_mse),
        mmd2=without(result.mmd2),
        ite_rmse=without(result.ite_rmse),
        weights=weights,
    )
