"""Small runs at the edges of what a config allows or training can end in: each is asked for, and none may break a
picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np

from crl_core import preset, train
from crl_core.config import RunConfig
from crl_core.events import COLLAPSED, DIVERGED
from crl_core.results import RunResult
from tests.lecture_runs import broken

SMALL = {"lams": (0.0, 1.0), "replicates": 1, "epochs": 2, "hidden": 8, "latent_dim": 2}


@cache
def _trained(preset_id: str, scenario: tuple[tuple[str, Any], ...], training: tuple[tuple[str, Any], ...]) -> RunResult:
    base, changes = preset(preset_id), dict(scenario)
    world = base.scenario.with_envs(changes.pop("n_envs", base.scenario.n_envs))
    world = replace(world, n_samples=200, **changes)
    return train(RunConfig(scenario=world, training=replace(base.training, **(SMALL | dict(training)))))


def _run(preset_id: str = "hospital", scenario: dict[str, object] | None = None, **training: object) -> RunResult:
    return _trained(preset_id, tuple((scenario or {}).items()), tuple(training.items()))


def _all_lost(code: int) -> RunResult:
    """Every model of a run ended with this status: a diverged one has no weights, a collapsed one the same latent for
    every row."""
    result = _run()
    lost = replace(broken(broken(result, 0, 1), 1, 0), status=np.full_like(result.status, code))
    weight = np.nan if code == DIVERGED else 0.0
    return replace(
        lost,
        weights={name: np.full(value.shape, weight, np.float32) for name, value in lost.weights.items()},
        history={name: np.full(value.shape, np.nan) for name, value in lost.history.items()},
    )


def _every_number(value: float) -> RunResult:
    """All metrics and curves are one number."""
    result = _run()
    same = {
        name: np.full(there.shape, value)
        for name in ("factual_mse", "mmd2", "ite_rmse", "ate_error")
        if (there := getattr(result, name)) is not None
    }
    return replace(
        result, **same, history={name: np.full(curve.shape, value) for name, curve in result.history.items()}
    )


def _no_weights() -> RunResult:
    """Every model predicts the same for every row."""
    result = _run()
    return replace(result, weights={name: np.zeros_like(value) for name, value in result.weights.items()})


# Trained as a visitor could ask for them: a page can be opened on their address.
TRAINED: dict[str, Callable[[], RunResult]] = {
    "everyone treated": partial(_run, "confounded", {"propensity": (1.0,)}),
    "no one treated": partial(_run, "confounded", {"propensity": (0.0,)}),
    "one λ": partial(_run, lams=(1.0,)),
    "λ = 0 only": partial(_run, lams=(0.0,)),
    "one epoch": partial(_run, epochs=1),
    "one environment": partial(_run, scenario={"n_envs": 1}),
    "no noise": partial(_run, scenario={"noise": 0.0, "sigma": (0.0, 0.0)}),
    "everything equal": partial(
        _run, scenario={"noise": 0.0, "sigma": (0.0, 0.0), "offset": (0.0, 0.0), "cause_scale": (0.0, 0.0)}
    ),
    "no effect": partial(_run, scenario={"effect": 0.0, "heterogeneity": 0.0}),
    "learning that explodes": partial(_run, "recipe", lams=(5000.0, 10000.0), learning_rate=1.0, epochs=3),
}
# As training may end on other machines.
MADE: dict[str, Callable[[], RunResult]] = {
    "all diverged": partial(_all_lost, DIVERGED),
    "all collapsed": partial(_all_lost, COLLAPSED),
    "every number zero": partial(_every_number, 0.0),
    "every number one": partial(_every_number, 1.0),
    "every number huge": partial(_every_number, 1e300),
    "every number tiny": partial(_every_number, 5e-324),
    "weights of zero": _no_weights,
}
RUNS = TRAINED | MADE
