"""An encoder that slides over a signal: the network that torch's own layers make, at home and wherever it is taken."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import conv1d, elu

from crl_core import RunConfig, Scenario, Training, preset, train, train_path
from crl_core.config.text import altered, imagined, refusal
from crl_core.data.scm import Stream, rng_for
from crl_core.events import EpochEnded
from crl_core.export.checkpoint import checkpoint, checkpoint_name, loading_example
from crl_core.export.formats import FORMATS
from crl_core.export.model_file import read_model
from crl_core.export.models import export_model, subject
from crl_core.ipm import median_distance
from crl_core.jobs.cost import estimate_seconds
from crl_core.network import one_model, predict, shapes, slopes
from crl_core.results import RunResult, data_of
from crl_core.runs.bundle import export_bytes, import_run
from crl_core.serve.app import create_app
from crl_core.serve.settings import Settings
from crl_core.training.group import BANDWIDTH_STEPS
from crl_core.training.nets import Ensemble, initial_weights
from tests.crl_core.made_up import assert_same, store_in
from tests.crl_core.test_serve import Server as Endpoint

BEAT = Scenario(observation="ecg", n_samples=240, samples=128, heterogeneity=1.0, highpass=(0.5, 0.05))
SMALL = Training(
    lams=(0.0, 1.0, 10.0), replicates=2, epochs=2, batch_size=64, hidden=8, latent_dim=4, encoder="conv1d", device="cpu"
)
RUN = RunConfig(scenario=BEAT, training=SMALL)


def plain_convolution(params: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """φ of rows x [n, d] by one network, as anyone would write it."""
    h = x[:, None]
    for at in range(3):
        h = elu(conv1d(h, params[f"conv.{at}.weight"], params[f"conv.{at}.bias"], stride=2))
    pooled = torch.cat([h.mean(dim=2), h.max(dim=2).values], dim=1)
    return pooled @ params["pooled.weight"] + params["pooled.bias"]


def plain_outcomes(params: dict[str, torch.Tensor], phi: torch.Tensor) -> torch.Tensor:
    """ŷ⁰ and ŷ¹ of latents [n, k] by one network, [n, 2]."""
    arms = elu(phi @ params["head.0.weight"] + params["head.0.bias"]).reshape(len(phi), 2, -1)
    return (arms * params["head.1.weight"]).sum(dim=-1) + params["head.1.bias"]


def ensemble(dtype: torch.dtype, dim_x: int = 50) -> Ensemble:
    starts = [initial_weights(np.random.default_rng(seed), dim_x, 8, 3, "conv1d") for seed in range(2)]
    return Ensemble(starts, 2, device=torch.device("cpu"), dtype=dtype)


# -- forward and backward ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim_x", [37, 50, 128])
def test_forward_and_gradient_are_those_of_torchs_own_layers_under_autograd(dim_x: int) -> None:
    net = ensemble(torch.float64, dim_x)
    draw = torch.Generator().manual_seed(0)
    x, d_phi, d_y = (torch.randn(4, 11, k, generator=draw, dtype=torch.float64) for k in (dim_x, 3, 2))
    with torch.inference_mode():  # as it is trained
        done = net(x)
        net.gradient(done, d_phi.clone(), d_y.clone())
    for m in range(4):
        params = {name: value[m].detach().clone().requires_grad_() for name, value in net.params.items()}
        phi = plain_convolution(params, x[m])
        outcomes = plain_outcomes(params, phi)
        torch.testing.assert_close(done.phi[m], phi)
        torch.testing.assert_close(done.y_hat[m], outcomes)
        ((phi * d_phi[m]).sum() + (outcomes * d_y[m]).sum()).backward()
        for name, value in params.items():
            torch.testing.assert_close(net.grads[name][m], value.grad, msg=name)


def test_a_gradient_reaches_its_own_model_alone() -> None:
    net = ensemble(torch.float32)
    done = net(torch.randn(4, 6, 50, generator=torch.Generator().manual_seed(0)))
    d_y = torch.zeros_like(done.y_hat)
    d_y[2] = 1
    net.gradient(done, torch.zeros_like(done.phi), d_y)
    for grad in net.grads.values():
        touched = grad.flatten(1).abs().sum(dim=1) > 0
        assert touched.tolist() == [False, False, True, False]


def test_initial_weights_have_the_range_of_torchs_layers() -> None:
    start = initial_weights(np.random.default_rng(0), 128, 64, 16, "conv1d")
    assert {name: value.shape for name, value in start.items()} == shapes(128, 64, 16, "conv1d")
    for name, inputs in {"conv.0": 9, "conv.1": 8 * 7, "conv.2": 16 * 5, "pooled": 32, "head.0": 16}.items():
        assert np.abs(start[name + ".weight"]).max() == pytest.approx(inputs**-0.5, rel=0.05)


def slow_phi(weights: dict[str, np.ndarray], m: int, x: np.ndarray) -> np.ndarray:
    """φ that model m makes of one row, place by place and channel by channel, in Python's floats."""
    h = [list(map(float, x))]
    for at in range(3):
        weight, bias = (weights[f"conv.{at}.{part}"][m] for part in ("weight", "bias"))
        out_channels, in_channels, kernel = weight.shape
        made = []
        for out in range(out_channels):
            row = []
            for place in range(0, len(h[0]) - kernel + 1, 2):
                total = float(bias[out])
                for channel in range(in_channels):
                    total += sum(h[channel][place + k] * float(weight[out, channel, k]) for k in range(kernel))
                row.append(total if total > 0 else float(np.expm1(total)))
            made.append(row)
        h = made
    pooled = np.array([sum(row) / len(row) for row in h] + [max(row) for row in h])
    return np.asarray(pooled @ weights["pooled.weight"][m] + weights["pooled.bias"][m, 0])


def random_weights(dim_x: int, models: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    layers = shapes(dim_x, 8, 3, "conv1d")
    return {name: rng.normal(0, 0.4, (models, *shape)).astype(np.float32) for name, shape in layers.items()}


def test_numpy_predicts_what_loops_over_places_and_what_torch_predict() -> None:
    weights, x = random_weights(45, 3), np.random.default_rng(0).standard_normal((5, 45)).astype(np.float32)
    phi, y0_hat, y1_hat = predict(weights, x)
    for m in range(3):
        np.testing.assert_allclose(phi[m], [slow_phi(weights, m, row) for row in x], rtol=1e-4, atol=1e-5)
        params = {name: torch.from_numpy(value[m]) for name, value in weights.items()}
        y_hat = plain_outcomes(params, plain_convolution(params, torch.from_numpy(x)))
        np.testing.assert_allclose(np.stack([y0_hat[m], y1_hat[m]], axis=1), y_hat, rtol=1e-4, atol=1e-5)
    own_rows = np.stack([x, x[::-1], 2 * x])
    for m, found in enumerate(predict(weights, own_rows)[0]):
        np.testing.assert_allclose(found, predict(one_model(weights, m), own_rows[m])[0][0], atol=1e-5)


def test_many_rows_are_predicted_as_each_is_alone() -> None:
    weights, x = random_weights(40, 2), np.random.default_rng(0).standard_normal((1100, 40))
    whole = predict(weights, x)[0]
    for row in (0, 511, 512, 1099):
        np.testing.assert_allclose(whole[:, row], predict(weights, x[row : row + 1])[0][:, 0], atol=1e-5)


def test_slopes_are_what_moving_the_trace_does_to_the_outcomes() -> None:
    weights = {name: value.astype(np.float64) for name, value in random_weights(60, 2).items()}
    rng = np.random.default_rng(2)
    x, direction = rng.standard_normal((2, 7, 60))
    found = slopes(weights, x, direction)
    params = [{name: torch.from_numpy(value[m]) for name, value in weights.items()} for m in range(2)]

    def outcomes(step: float) -> np.ndarray:
        rows = torch.from_numpy(x + step * direction)
        return np.stack([plain_outcomes(own, plain_convolution(own, rows)).numpy() for own in params])

    want = (outcomes(1e-5) - outcomes(-1e-5)) / 2e-5
    for arm, slope in enumerate(found):
        np.testing.assert_allclose(slope, want[..., arm], rtol=1e-3, atol=1e-4)


# -- training ----------------------------------------------------------------------------------------------------------


def plain_training(run: RunConfig, lam: float) -> tuple[float, float, float]:
    """One model, autograd through everything. The last epoch's mean factual loss and penalty, and the held-out error in
    the outcome's own unit."""
    training = run.training
    rows, held_out = data_of(run)
    start = initial_weights(rng_for(0, Stream.WEIGHTS), run.dim_x, training.hidden, training.latent_dim, "conv1d")
    params = {name: torch.from_numpy(value).double().requires_grad_() for name, value in start.items()}
    optimiser = torch.optim.Adam(params.values(), training.learning_rate, weight_decay=training.weight_decay)
    x = torch.from_numpy((rows.x - rows.x.mean()) / rows.x.std())
    y = torch.from_numpy((rows.y - rows.y.mean()) / rows.y.std())
    order = rng_for(0, Stream.BATCHES)
    for _ in range(training.epochs):
        permutation, factual, penalties = order.permutation(len(rows)), [], []
        for step in range(len(rows) // training.batch_size):
            index = permutation[step * training.batch_size : (step + 1) * training.batch_size]
            t, env = rows.t[index], rows.env[index]
            phi = plain_convolution(params, x[index])
            if step % BANDWIDTH_STEPS == 0:
                h = median_distance(phi.detach()[None])[0]
            y_hat = plain_outcomes(params, phi)
            loss = sum((y_hat[t == arm, arm] - y[index][t == arm]).square().mean() for arm in (0, 1))
            kernel = torch.exp(-torch.cdist(phi, phi).square() / (2 * h**2))
            a, b = env == 0, env == 1
            penalty = kernel[a][:, a].mean() + kernel[b][:, b].mean() - 2 * kernel[a][:, b].mean()
            factual.append(float(loss.detach()))
            penalties.append(float(penalty.detach()))
            optimiser.zero_grad()
            (loss + lam * penalty).backward()
            optimiser.step()
    with torch.no_grad():
        given = torch.from_numpy((held_out.x - rows.x.mean()) / rows.x.std())
        y_hat = plain_outcomes(params, plain_convolution(params, given)).numpy() * rows.y.std() + rows.y.mean()
    error = np.mean((y_hat[np.arange(len(held_out)), held_out.t] - held_out.y) ** 2)
    return float(np.mean(factual)), float(np.mean(penalties)), float(error)


@pytest.mark.parametrize("lam", [0.0, 10.0])
def test_a_path_of_convolutions_equals_the_plainest_way_to_train_one(lam: float) -> None:
    run = RunConfig(scenario=BEAT, training=replace(SMALL, lams=(lam,), replicates=1, weight_decay=1e-3))
    ended = [event for event in train_path(run, dtype="float64") if isinstance(event, EpochEnded)][-1]
    factual, penalty, error = plain_training(run, lam)
    assert penalty > 1e-4
    assert ended.factual_train[0] / data_of(run)[0].y.std() ** 2 == pytest.approx(factual, rel=1e-6)
    assert ended.penalty[0] == pytest.approx(penalty, rel=1e-6)
    assert ended.factual_mse[0] == pytest.approx(error, rel=1e-6)


def test_a_convolution_of_a_path_equals_the_same_one_trained_alone() -> None:
    together = train(RUN, dtype="float64")
    for lam in (0.0, 10.0):
        alone = train(altered(RUN, lams=(lam,), replicates=1), dtype="float64")
        m = together.model(lam)
        for name in ("loss", "penalty", "factual_mse", "mmd2"):
            np.testing.assert_allclose(together.history[name][:, m], alone.history[name][:, 0], rtol=1e-7, atol=1e-10)


@pytest.fixture(scope="module")
def result() -> RunResult:
    return train(RUN)


def test_stored_weights_take_millivolts_and_give_the_outcomes_unit(result: RunResult) -> None:
    for replicate in range(2):
        held_out = data_of(RUN, replicate)[1]
        _, y0_hat, y1_hat = result.predict(held_out.x, replicate)
        error = np.mean((np.where(held_out.t == 1, y1_hat, y0_hat) - held_out.y) ** 2, axis=1)
        np.testing.assert_allclose(result.by_lam(result.factual_mse)[replicate], error, rtol=1e-4)


def test_a_trace_that_begins_elsewhere_is_the_same_to_the_mean_of_a_convolution_and_not_to_the_mlp() -> None:
    """Moved by the three strides, 8 samples, in a trace whose ends are flat: what the encoder is offered for."""
    beat = np.zeros((1, 160))
    beat[0, 60:100] = np.hanning(40)
    moved = np.roll(beat, 8, axis=1)
    far, near = (
        np.abs(np.diff(predict(weights, np.concatenate([beat, moved]))[0], axis=1)).max()
        for weights in (
            {name: value[None] for name, value in initial_weights(np.random.default_rng(0), 160, 64, 16, kind).items()}
            for kind in ("mlp", "conv1d")
        )
    )
    assert near < 1e-6
    assert far > 1e-2


# -- where it is offered -----------------------------------------------------------------------------------------------


def test_it_is_young_and_older_keys_stay() -> None:
    for name in ("hospital", "filter", "hum-label"):
        config = preset(name)
        assert altered(config, encoder="mlp").key == config.key
        assert "encoder" not in config.to_dict()["training"]
    assert altered(preset("filter"), encoder="conv1d").key != preset("filter").key


def test_columns_and_a_scale_for_each_sample_are_refused_in_a_sentence() -> None:
    assert refusal(preset("hospital"), encoder="conv1d") == (
        "the encoder conv1d slides over the samples of a signal, and x is columns here; set training.encoder to mlp, "
        "or scenario.observation to ecg."
    )
    assert refusal(RUN, x_scale="columns") == (
        "x_scale is columns; the encoder conv1d meets every sample with the same kernel, so set training.x_scale to "
        "auto or whole."
    )
    assert refusal(RUN, encoder="lstm") == "encoder is 'lstm'; it must be one of mlp, conv1d."
    assert RUN.one_scale
    assert imagined(RUN, x_scale="whole", samples=96, rate=120.0) is not None


def test_a_signal_too_short_for_three_convolutions_is_refused_in_a_sentence() -> None:
    assert shapes(37, 8, 4, "conv1d")["pooled.weight"] == (32, 4)
    with pytest.raises(ValueError, match="a row has 36 samples, and three convolutions need 37 at least; give longer"):
        shapes(36, 8, 4, "conv1d")


# -- taken home --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_answers_as_the_app_does(name: str, result: RunResult) -> None:
    made_of = subject(result, 1.0)
    x = made_of.held_out.x.astype(np.float32)
    found = read_model(export_model(made_of, name), name).run(x)
    phi, y0_hat, y1_hat = (part[0] for part in predict(one_model(result.weights, result.model(1.0)), x))
    exact = FORMATS[name].tolerance < 0.01
    for one, other in zip(found, (y0_hat, y1_hat, phi), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 if exact else FORMATS[name].tolerance * made_of.train.y.std())


def test_int8_weights_are_in_the_onnx_file_of_a_convolution(result: RunResult) -> None:
    import onnx

    file = onnx.load_from_string(export_model(subject(result, 1.0), "onnx-int8"))
    kept = {tuple(item.dims) for item in file.graph.initializer if item.data_type == onnx.TensorProto.INT8}
    assert {(16, 8, 7), (16, 16, 5)} <= kept


def test_a_label_is_exported_as_a_probability() -> None:
    label = RunConfig(scenario=replace(BEAT, outcome="binary"), training=replace(SMALL, lams=(1.0,), replicates=1))
    run = train(label)
    x = data_of(label)[1].x.astype(np.float32)
    y0, y1, _ = read_model(export_model(subject(run, 1.0), "onnx"), "onnx").run(x)
    np.testing.assert_allclose(np.stack([y0, y1]), np.stack(run.predict(x)[1:])[:, 0], atol=1e-5)
    assert 0 <= y0.min() <= y0.max() <= 1


def test_the_loading_example_rebuilds_it_with_torch_alone(result: RunResult, tmp_path: Path) -> None:
    (tmp_path / checkpoint_name(result, 1.0, 1)).write_bytes(checkpoint(result, 1.0, 1))
    x = data_of(RUN, 1)[1].x.astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    code = loading_example(result, 1.0, 1) + (
        "\nimport numpy as np, sys, torch\nassert 'crl_core' not in sys.modules\n"
        "phi = net['encoder'](torch.from_numpy(np.load('x.npy')))\n"
        "out = [phi, net['control'](phi)[:, 0], net['treated'](phi)[:, 0]]\n"
        "np.savez('out.npz', *[o.detach().numpy() for o in out])\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz") as out:
        for at, want in enumerate(predict(one_model(result.weights, result.model(1.0, 1)), x)):
            np.testing.assert_allclose(out[f"arr_{at}"], want[0], atol=1e-5)


def test_a_run_is_stored_and_sent_and_comes_back_the_same(result: RunResult, tmp_path: Path) -> None:
    here, there = store_in(tmp_path / "here"), store_in(tmp_path / "there")
    here.save(result)
    assert import_run(there, export_bytes(here, RUN.key)) == RUN.key
    assert_same(there.load(RUN.key), result)


def test_the_endpoint_answers_for_traces_as_the_app_does(result: RunResult, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(export_model(subject(result, 1.0), "onnx"))
    x = data_of(RUN)[1].x[:20].astype(np.float32)
    server = Endpoint(create_app(file, Settings()))
    try:
        status, said, _ = server.ask(body={"rows": x.tolist()})
        refused, why, _ = server.ask(body={"rows": x[:, :100].tolist()})
    finally:
        server.close()
    _, y0_hat, y1_hat = predict(one_model(result.weights, result.model(1.0)), x)
    assert status == 200
    np.testing.assert_allclose(said["ite"], (y1_hat - y0_hat)[0], atol=1e-5)
    assert refused == 422
    assert "128" in json.dumps(why)


# -- cost --------------------------------------------------------------------------------------------------------------


def test_its_cost_is_said_before_it_is_paid() -> None:
    for samples, least, most in ((128, 2.2, 3.2), (256, 3.0, 4.2)):  # measured: 2.6 to 3, and 2.9 to 4.2
        mlp = altered(preset("filter"), samples=samples, rate=1.25 * samples)
        conv = altered(mlp, encoder="conv1d")
        assert least < estimate_seconds(conv, []) / estimate_seconds(mlp, []) < most


def test_more_of_it_than_the_memory_or_the_hour_holds_is_refused_in_a_sentence() -> None:
    many = altered(preset("filter"), encoder="conv1d", lams=tuple(range(32)), replicates=1, batch_size=1024)
    assert refusal(many, batch_size=4096) == (
        "a convolution keeps 131 million numbers of a batch of 3200 rows for 32 models at once, and 50 fit; use a "
        "smaller batch, or fewer λ."
    )
    assert refusal(many, n_samples=20_000, epochs=1000).startswith(
        "32 models × 1000 epochs × 20000 samples, counted 4 times for a convolution, is 1.3 times"
    )
    assert refusal(many, n_samples=20_000, epochs=1000, encoder="mlp") == ""
