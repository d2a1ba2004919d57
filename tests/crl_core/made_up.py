"""Small runs for tests of what keeps and carries runs: made up without training, or trained in a moment."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from crl_core import RunConfig, RunStore, Scenario, Training
from crl_core.metrics import METRICS
from crl_core.network import shapes
from crl_core.results import RunResult


def tiny_config(seed: int = 0, epochs: int = 3, n_samples: int = 200) -> RunConfig:
    return RunConfig(
        scenario=Scenario(n_samples=n_samples, propensity=(1.0, 0.0), offset=(2.0, -2.0), heterogeneity=0.5),
        training=Training(
            lams=(0.0, 1.0), replicates=1, epochs=epochs, hidden=8, latent_dim=4, seed=seed, device="cpu"
        ),
    )


def endless_config(seed: int = 0) -> RunConfig:
    """Takes far longer than any test; to be cancelled or killed."""
    return tiny_config(seed, epochs=1000, n_samples=20_000)


def made_up_result(config: RunConfig | None = None) -> RunResult:
    """A result with numbers of the right shapes that no training has seen."""
    config = config or tiny_config()
    rng = np.random.default_rng(config.training.seed)
    models, n_envs, epochs = config.training.n_models, config.scenario.n_envs, config.training.epochs
    training = config.training
    layers = shapes(config.scenario.dim_x, training.hidden, training.latent_dim, training.encoder)
    return RunResult(
        config=config,
        device="cpu",
        seconds=1.5,
        lam=np.tile(config.training.lams, config.training.replicates),
        replicate=np.repeat(np.arange(config.training.replicates), len(config.training.lams)),
        status=np.zeros(models, dtype=np.int64),
        factual_mse=rng.random(models),
        factual_mse_by_env=rng.random((models, n_envs)),
        mmd2=rng.random(models),
        ite_rmse=rng.random(models),
        ate_error=rng.random(models),
        ite_rmse_by_env=rng.random((models, n_envs)),
        history={"loss": rng.random((epochs, models)), "ite_rmse": rng.random((epochs, models))},
        weights={name: rng.random((models, *shape)).astype(np.float32) for name, shape in layers.items()},
    )


def without_truth(result: RunResult) -> RunResult:
    """The same run as if nobody knew the true effects."""
    needing = [metric for metric in METRICS if metric.needs_truth]
    fields = [metric.name for metric in needing if "result" in metric.kept]
    fields += [f"{metric.name}_by_env" for metric in needing if "by_env" in metric.kept]
    curves = {metric.name for metric in needing}
    history = {name: values for name, values in result.history.items() if name not in curves}
    return replace(result, history=history, **dict.fromkeys(fields))


def made_up_part(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"tsne_xy": rng.random((2, 30, 2)).astype(np.float32), "names": np.array(["one", "two"])}


def store_in(folder: Path) -> RunStore:
    return RunStore(folder / "cache", folder / "baked")


def assert_same(a: RunResult, b: RunResult) -> None:
    assert a.config == b.config
    assert (a.device, a.seconds) == (b.device, b.seconds)
    for name in (
        "lam",
        "replicate",
        "status",
        "factual_mse",
        "factual_mse_by_env",
        "mmd2",
        "ite_rmse",
        "ate_error",
        "validation_mse",
        "ate",
    ):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert getattr(getattr(a, name), "dtype", None) == getattr(getattr(b, name), "dtype", None)
    for left, right in ((a.history, b.history), (a.weights, b.weights)):
        assert left.keys() == right.keys()
        for name in left:
            np.testing.assert_array_equal(left[name], right[name])


def wait_until(true: Callable[[], bool], limit_s: float = 120.0) -> None:
    """Wait for something that another process does; the limit only ends a test that hangs."""
    end = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def plain_answer(file: Path) -> dict[str, Any]:
    """A shipped answer of a study, out of its envelope if it is in one."""
    found: dict[str, Any] = json.loads(file.read_text())
    if "content" not in found:
        return found
    return {"recipe_version": found["recipe_version"], **found["settings"], **found["content"]}
