"""What a network is made of is written once: training, stored runs, checkpoints, costs and pages agree on it."""

import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_core import RunConfig, preset, results
from crl_core.jobs import cost
from crl_core.network import multiply_adds, one_model, predict, shapes, state_dict
from crl_core.results import N_MMD
from crl_core.runs.bundle_arrays import weight_specs
from crl_core.training.nets import initial_weights
from tests.crl_core.made_up import made_up_result, tiny_config

sizes = st.tuples(st.integers(2, 12), st.integers(4, 33), st.integers(2, 9))


def random_weights(dim_x: int, hidden: int, latent_dim: int, models: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    layers = shapes(dim_x, hidden, latent_dim)
    return {name: rng.standard_normal((models, *shape)).astype(np.float32) for name, shape in layers.items()}


def slow_predict(weights: dict[str, np.ndarray], m: int, x: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Model m on one row, unit by unit, in Python's floats."""

    def dense(values: list[float], weight: np.ndarray, bias: np.ndarray, bend: bool) -> list[float]:
        out = []
        for j in range(weight.shape[1]):
            total = float(bias[j]) + sum(v * float(weight[i, j]) for i, v in enumerate(values))
            out.append(total if total > 0 or not bend else float(np.expm1(total)))
        return out

    def layer(name: str, values: list[float], bend: bool) -> list[float]:
        return dense(values, weights[name + ".weight"][m], weights[name + ".bias"][m, 0], bend)

    phi = layer("encoder.2", layer("encoder.1", layer("encoder.0", list(map(float, x)), True), True), False)
    units = layer("head.0", phi, True)
    half = len(units) // 2
    last, bias = weights["head.1.weight"][m], weights["head.1.bias"][m]
    y = [float(bias[arm]) + sum(units[arm * half + j] * float(last[arm, j]) for j in range(half)) for arm in range(2)]
    return np.array(phi), y[0], y[1]


def test_the_forward_pass_is_the_network_computed_unit_by_unit() -> None:
    weights, x = random_weights(5, 8, 3, models=4), np.random.default_rng(1).standard_normal((6, 5))
    phi, y0_hat, y1_hat = predict(weights, x)
    assert phi.dtype == y0_hat.dtype == y1_hat.dtype == np.float32
    for m in range(4):
        for i, row in enumerate(x):
            want = slow_predict(weights, m, row)
            np.testing.assert_allclose(phi[m, i], want[0], rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose([y0_hat[m, i], y1_hat[m, i]], want[1:], rtol=1e-4, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(sizes)
def test_any_network_has_the_same_layers_in_training_in_a_file_and_in_plain_torch(size: tuple[int, int, int]) -> None:
    dim_x, hidden, latent_dim = size
    start = initial_weights(np.random.default_rng(0), *size)
    assert {name: value.shape for name, value in start.items()} == shapes(*size)
    named = state_dict(random_weights(*size, models=2), 1)

    def mlp(*widths: int) -> torch.nn.Sequential:
        layers = [layer for n, m in pairwise(widths) for layer in (torch.nn.Linear(n, m), torch.nn.ELU())]
        return torch.nn.Sequential(*layers[:-1])

    head = (latent_dim, hidden // 2, 1)
    net = torch.nn.ModuleDict(
        {"encoder": mlp(dim_x, hidden, hidden, latent_dim), "control": mlp(*head), "treated": mlp(*head)}
    )
    net.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in named.items()})
    x = np.random.default_rng(2).standard_normal((4, dim_x)).astype(np.float32)
    with torch.no_grad():
        phi = net["encoder"](torch.from_numpy(x))
        want = phi, net["control"](phi)[:, 0], net["treated"](phi)[:, 0]
    for mine, theirs in zip(predict(random_weights(*size, models=2), x), want, strict=True):
        np.testing.assert_allclose(mine[1], theirs.numpy(), rtol=1e-3, atol=1e-3)
    assert multiply_adds(*size) == sum(part.weight.numel() for part in net.modules() if hasattr(part, "weight"))


@pytest.mark.parametrize("name", ["hospital", "sensors"])
def test_files_and_costs_ask_for_the_layers_that_are_trained(name: str) -> None:
    config = preset(name)
    scenario, training = config.scenario, config.training
    layers = shapes(scenario.dim_x, training.hidden, training.latent_dim)
    assert {name: spec.shape[1:] for name, spec in weight_specs(config).items()} == layers
    d, h, k = scenario.dim_x, training.hidden, training.latent_dim
    passes = training.epochs * training.n_models * 0.8 * scenario.n_samples  # rows of all models in all epochs
    wider = replace(config, training=replace(training, hidden=h + 2))
    more = d * (h + 2) + (h + 2) ** 2 + 2 * (h + 2) * k + (h + 2) - (d * h + h**2 + 2 * h * k + h)
    judged = training.epochs * training.n_models * (0.2 * scenario.n_samples + N_MMD)
    seconds = cost._PRODUCT * (passes + cost._JUDGED * judged) * more + cost._UNIT * passes * 3 * 2
    assert cost.work(wider) - cost.work(config) == pytest.approx(
        seconds, rel=0.01
    )  # a last, incomplete batch is left out


def test_a_runs_models_are_taken_replicate_by_replicate() -> None:
    base = tiny_config()
    config = RunConfig(scenario=base.scenario, training=replace(base.training, lams=(0.0, 0.1, 1.0), replicates=2))
    run = made_up_result(config)
    x = np.random.default_rng(0).standard_normal((20, config.scenario.dim_x))
    for replicate in range(2):
        phi, y0_hat, y1_hat = run.predict(x, replicate)
        for index in range(3):
            m = 3 * replicate + index
            for name, value in run.of_replicate(replicate).items():
                np.testing.assert_array_equal(value[index], run.weights[name][m])
            own = predict(one_model(run.weights, m), x)
            for mine, theirs in zip((phi, y0_hat, y1_hat), own, strict=True):
                np.testing.assert_array_equal(mine[index], theirs[0])
            np.testing.assert_array_equal(run.effects(x, replicate)[index], (own[2] - own[1])[0])


@pytest.mark.parametrize("broken", [np.nan, np.inf, 1e38])
def test_a_diverged_model_predicts_in_silence_and_harms_no_other(broken: float) -> None:
    run = made_up_result()
    weights = {name: value.copy() for name, value in run.weights.items()}
    for value in weights.values():
        value[1] = broken
    x = np.random.default_rng(0).standard_normal((20, run.config.scenario.dim_x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        phi, y0_hat, y1_hat = replace(run, weights=weights).predict(x)
        effects = replace(run, weights=weights).effects(x)
    assert not np.isfinite(effects[1]).all()
    for mine, theirs in zip((phi, y0_hat, y1_hat), run.predict(x), strict=True):
        np.testing.assert_array_equal(mine[0], theirs[0])
    np.testing.assert_array_equal(effects[0], run.effects(x)[0])


def test_notebooks_taken_home_still_find_the_forward_pass_beside_the_results() -> None:
    assert results.predict is predict
    assert results.view_rows(tiny_config()).x.shape[1] == 2
