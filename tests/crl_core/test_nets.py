"""A network of the ensemble is an ordinary CFRNet, and torch is not needed to use it."""

import numpy as np
import pytest
import torch

from crl_core.network import predict, shapes
from crl_core.training.nets import Ensemble, initial_weights


def plain_cfrnet(weights: dict[str, np.ndarray], m: int) -> tuple[torch.nn.Module, torch.nn.Module, torch.nn.Module]:
    """Network m built from torch.nn.Linear, as anyone would write a single CFRNet."""

    def linear(weight: np.ndarray, bias: np.ndarray) -> torch.nn.Linear:
        layer = torch.nn.Linear(*weight.shape)
        layer.weight.data = torch.from_numpy(weight.T.copy())
        layer.bias.data = torch.from_numpy(bias.copy())
        return layer

    def named(name: str) -> torch.nn.Linear:
        return linear(weights[name + ".weight"][m], weights[name + ".bias"][m, 0])

    units = weights["head.1.weight"].shape[-1]
    encoder = torch.nn.Sequential(
        named("encoder.0"), torch.nn.ELU(), named("encoder.1"), torch.nn.ELU(), named("encoder.2")
    )
    heads = []
    for arm in range(2):
        mine = slice(arm * units, (arm + 1) * units)
        first = linear(weights["head.0.weight"][m][:, mine], weights["head.0.bias"][m, 0, mine])
        last = linear(weights["head.1.weight"][m, arm][:, None], weights["head.1.bias"][m, arm][None])
        heads.append(torch.nn.Sequential(first, torch.nn.ELU(), last))
    return encoder, heads[0], heads[1]


@pytest.fixture
def net() -> Ensemble:
    starts = [initial_weights(np.random.default_rng(seed), 5, 8, 3) for seed in range(2)]
    return Ensemble(starts, 3, device=torch.device("cpu"), dtype=torch.float32)


def test_each_network_equals_one_built_from_ordinary_layers(net: Ensemble) -> None:
    x = torch.randn(6, 11, 5, generator=torch.Generator().manual_seed(0))
    done = net(x)
    phi, y_hat = done.phi, done.y_hat
    for m in range(6):
        encoder, control, treated = plain_cfrnet(dict(net.weights()), m)
        own = encoder(x[m])
        torch.testing.assert_close(phi[m], own)
        torch.testing.assert_close(y_hat[m], torch.cat([control(own), treated(own)], dim=1))


def test_numpy_predicts_what_torch_predicts(net: Ensemble) -> None:
    x = np.random.default_rng(0).standard_normal((20, 5))
    done = net(torch.from_numpy(x).float().expand(6, -1, -1))
    got = predict(net.weights(), x)
    for mine, theirs in zip(got, (done.phi, done.y_hat[..., 0], done.y_hat[..., 1]), strict=True):
        np.testing.assert_allclose(mine, theirs.numpy(), atol=1e-6)
    one = predict({name: value[4:5] for name, value in net.weights().items()}, x)
    np.testing.assert_allclose(one[0][0], got[0][4], atol=1e-6)


def test_all_lams_of_a_replicate_start_from_the_same_weights(net: Ensemble) -> None:
    for value in net.weights().values():
        np.testing.assert_array_equal(value[0], value[2])
        np.testing.assert_array_equal(value[3], value[5])
        assert not np.array_equal(value[0], value[3])


def test_initial_weights_have_the_range_of_torchs_linear_layer() -> None:
    start = initial_weights(np.random.default_rng(0), 4, 64, 16)
    assert {name: value.shape for name, value in start.items()} == shapes(4, 64, 16)
    assert np.abs(start["encoder.0.weight"]).max() == pytest.approx(1 / 2, rel=0.05)
    assert np.abs(start["head.0.weight"]).max() == pytest.approx(1 / 4, rel=0.05)


def test_the_gradient_written_out_is_autograds() -> None:
    starts = [initial_weights(np.random.default_rng(seed), 5, 8, 3) for seed in range(2)]
    net = Ensemble(starts, 1, device=torch.device("cpu"), dtype=torch.float64)
    draw = torch.Generator().manual_seed(0)
    x, d_phi, d_y = (torch.randn(2, 11, k, generator=draw, dtype=torch.float64) for k in (5, 3, 2))
    net.gradient(net(x), d_phi, d_y)
    for m in range(2):
        encoder, control, treated = (
            part.double() for part in plain_cfrnet({k: v.numpy() for k, v in net.params.items()}, m)
        )
        phi = encoder(x[m])
        outcomes = torch.cat([control(phi), treated(phi)], dim=1)
        ((phi * d_phi[m]).sum() + (outcomes * d_y[m]).sum()).backward()
        for name, module in (("encoder.0", encoder[0]), ("encoder.1", encoder[2]), ("encoder.2", encoder[4])):
            torch.testing.assert_close(net.grads[name + ".weight"][m], module.weight.grad.T)
            torch.testing.assert_close(net.grads[name + ".bias"][m, 0], module.bias.grad)
        heads = (control, treated)
        first = torch.cat([head[0].weight.grad for head in heads]).T
        torch.testing.assert_close(net.grads["head.0.weight"][m], first)
        torch.testing.assert_close(net.grads["head.0.bias"][m, 0], torch.cat([head[0].bias.grad for head in heads]))
        torch.testing.assert_close(net.grads["head.1.weight"][m], torch.cat([head[2].weight.grad for head in heads]))
        torch.testing.assert_close(net.grads["head.1.bias"][m], torch.cat([head[2].bias.grad for head in heads]))


def test_gradients_land_in_one_flat_tensor_and_reach_their_own_model_alone(net: Ensemble) -> None:
    done = net(torch.randn(6, 4, 5))
    d_y = torch.zeros_like(done.y_hat)
    d_y[2] = 1
    net.gradient(done, torch.zeros_like(done.phi), d_y)
    assert net.flat.grad is not None
    assert net.flat.grad.abs().sum() > 0
    for grad in net.grads.values():
        touched = grad.flatten(1).abs().sum(dim=1) > 0
        assert not touched[[0, 1, 3, 4, 5]].any()
