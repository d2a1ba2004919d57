"""The use of s is torch's own derivative of the network through the mixing, and 0 for a network that ignores s."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from crl_core import RunConfig, Scenario, Training, sample, train
from crl_core.data.scm import along_nuisance, mix
from crl_core.measures.use import use_of_s
from crl_core.network import predict, shapes, slopes
from crl_core.training.nets import Ensemble, initial_weights

SCENARIO = Scenario(n_samples=200, dim_causal=2, dim_spurious=3, mixing="nonlinear")


def weights_of(models: int, dim_x: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    return {n: draw.normal(0, 0.5, (models, *s)).astype(np.float32) for n, s in shapes(dim_x, 12, 4).items()}


def test_slopes_are_those_of_torchs_autograd() -> None:
    net = Ensemble([initial_weights(np.random.default_rng(1), 5, 12, 4)], 2, device="cpu", dtype=torch.float32)
    weights = net.weights()
    x, direction = np.random.default_rng(2).standard_normal((2, 40, 5)).astype(np.float32)

    def outcomes(step: torch.Tensor) -> torch.Tensor:
        h = torch.from_numpy(x) + step * torch.from_numpy(direction)
        w = {name: torch.from_numpy(value) for name, value in weights.items()}
        for layer in ("encoder.0", "encoder.1"):
            h = torch.nn.functional.elu(h @ w[layer + ".weight"] + w[layer + ".bias"])
        phi = h @ w["encoder.2.weight"] + w["encoder.2.bias"]
        arms = torch.nn.functional.elu(phi @ w["head.0.weight"] + w["head.0.bias"]).unflatten(-1, (2, -1))
        return (arms * w["head.1.weight"][:, None]).sum(-1) + w["head.1.bias"][:, None]

    at = torch.zeros(())
    np.testing.assert_allclose(outcomes(at)[..., 0].numpy(), predict(weights, x)[1], atol=1e-5)
    want = torch.autograd.functional.jacobian(outcomes, at).numpy()
    for arm, slope in enumerate(slopes(weights, x, direction)):
        np.testing.assert_allclose(slope, want[..., arm], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mixing", ["none", "rotation", "nonlinear"])
def test_moving_along_the_nuisance_is_a_step_of_s_alone(mixing: str) -> None:
    scenario = replace(SCENARIO, mixing=mixing)
    data = sample(scenario, 3)
    assert data.z is not None
    assert data.s is not None
    step = 1e-5
    moved = mix(np.column_stack([data.z, data.s + step / np.sqrt(3)]), scenario, 3)
    np.testing.assert_allclose(data.x + step * along_nuisance(data, scenario, 3), moved, atol=1e-9)


def test_the_figures_are_mean_and_root_mean_square_of_what_the_outputs_do() -> None:
    data, weights = sample(SCENARIO, 0), weights_of(3, 5)
    assert data.z is not None
    assert data.s is not None
    weights["head.1.weight"][2] = np.nan
    found = use_of_s(weights, data, SCENARIO, 0)
    step = 0.02
    ahead, behind = (
        predict(weights, mix(np.column_stack([data.z, data.s + way / np.sqrt(3)]), SCENARIO, 0))
        for way in (step, -step)
    )
    y0, y1 = ((ahead[arm].astype(float) - behind[arm]) / (2 * step) for arm in (1, 2))
    for name, slope in (("effect", y1 - y0), ("outcome", np.where(data.t == 1, y1, y0))):
        np.testing.assert_allclose(found[f"use_{name}_mean"][:2], slope[:2].mean(1), atol=2e-3)
        np.testing.assert_allclose(found[f"use_{name}_rms"][:2], np.sqrt((slope[:2] ** 2).mean(1)), atol=2e-3)


def test_a_network_blind_to_s_does_not_use_it_and_a_diverged_one_has_no_number() -> None:
    scenario = replace(SCENARIO, mixing="none")
    data, weights = sample(scenario, 0), weights_of(2, 5)
    weights["encoder.0.weight"][0, 2:] = 0  # x is [z, s] here
    weights["encoder.0.weight"][1] = np.nan
    found = use_of_s(weights, data, scenario, 0)
    assert [values[0] for values in found.values()] == [0, 0, 0, 0]
    assert all(np.isnan(values[1]) for values in found.values())


def test_the_outcome_uses_s_where_the_world_does_and_the_effect_need_not() -> None:
    """Where y depends on z·s in truth, a network that predicts well must use s for y, not for the effect."""
    scenario = Scenario(n_samples=2000, interaction=1.0)
    training = Training(lams=(0.0,), replicates=1, epochs=15, hidden=32, learning_rate=0.003)
    result = train(RunConfig(scenario=scenario, training=training))
    found = use_of_s(result.weights, sample(scenario, 0), scenario, 0)
    assert found["use_outcome_rms"][0] == pytest.approx(1, abs=0.2)  # ∂y/∂s̄ = z̄
    assert found["use_effect_rms"][0] < 0.4 * found["use_outcome_rms"][0]
