"""A path trains every λ as it would be trained alone, reports what happened, and hides no failure."""

import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from crl_core import RunConfig, Scenario, Training, preset, train, train_path
from crl_core.config.text import altered
from crl_core.data.scm import MultiEnvData
from crl_core.events import COLLAPSED, DIVERGED, OK, EpochEnded, RunFinished, RunStarted
from crl_core.results import data_of, mmd_rows, predict, view_rows
from crl_core.training.path import resolve_device
from tests.crl_core.made_up import tiny_config


def config(**changes: object) -> RunConfig:
    scenario = Scenario(n_samples=500, propensity=(1.0, 0.0), offset=(2.0, -2.0), heterogeneity=0.5)
    scenario = replace(scenario, **{k: v for k, v in changes.items() if hasattr(scenario, k)})  # type: ignore[arg-type]
    training = Training(lams=(0.0, 0.1, 10.0), replicates=2, epochs=3, batch_size=64, hidden=16, latent_dim=4)
    training = replace(training, **{k: v for k, v in changes.items() if hasattr(training, k)})  # type: ignore[arg-type]
    return RunConfig(scenario=scenario, training=training)


def test_the_stream_is_started_then_every_epoch_in_order_then_finished() -> None:
    events = list(train_path(config()))
    assert isinstance(events[0], RunStarted)
    assert [event.epoch for event in events[1:-1] if isinstance(event, EpochEnded)] == [1, 2, 3]
    assert isinstance(events[-1], RunFinished)
    assert events[0].n_pairs == 1
    assert events[0].n_train == 400
    assert events[0].n_held_out == 100
    np.testing.assert_array_equal(events[0].lam, [0, 0.1, 10, 0, 0.1, 10])
    np.testing.assert_array_equal(events[0].replicate, [0, 0, 0, 1, 1, 1])


def test_the_same_config_gives_the_same_numbers() -> None:
    a, b = train(config()), train(config())
    for name in a.weights:
        np.testing.assert_array_equal(a.weights[name], b.weights[name])
    np.testing.assert_array_equal(a.ite_rmse, b.ite_rmse)


@pytest.mark.parametrize("lam", [0.0, 0.1, 10.0])
def test_a_model_of_a_path_equals_the_same_model_trained_alone(lam: float) -> None:
    together = train(config(), dtype="float64")
    alone = train(config(lams=(lam,), replicates=1), dtype="float64")
    m = together.model(lam)
    for name in ("loss", "factual_mse", "mmd2", "ite_rmse"):
        np.testing.assert_allclose(together.history[name][:, m], alone.history[name][:, 0], rtol=1e-8, atol=1e-10)


def test_a_second_replicate_is_the_first_of_the_next_seed() -> None:
    both = train(config(seed=4), dtype="float64")
    next_seed = train(config(seed=5, replicates=1), dtype="float64")
    np.testing.assert_allclose(both.ite_rmse[3:], next_seed.ite_rmse, rtol=1e-8)


def test_in_float32_a_path_and_a_model_alone_agree_within_a_percent() -> None:
    together = train(config(epochs=10))
    for lam in together.lams:
        alone = train(config(epochs=10, lams=(lam,), replicates=1))
        assert together.ite_rmse[together.model(lam)] == pytest.approx(float(alone.ite_rmse[0]), rel=0.01)


def plain_training(run: RunConfig, lam: float) -> float:
    """One model in the plainest torch: Linear layers, autograd through MMD² as defined, Adam. Returns its ITE RMSE."""
    from crl_core.data.scm import Stream, rng_for
    from crl_core.ipm import median_distance
    from crl_core.training.group import BANDWIDTH_STEPS
    from crl_core.training.nets import initial_weights
    from tests.crl_core.test_nets import plain_cfrnet

    training, seed = run.training, run.training.seed
    rows, held_out = data_of(run)
    start = initial_weights(rng_for(seed, Stream.WEIGHTS), 2, training.hidden, training.latent_dim)
    encoder, control, treated = (m.double() for m in plain_cfrnet({k: v[None] for k, v in start.items()}, 0))
    modules = torch.nn.ModuleList([encoder, control, treated])
    optimiser = torch.optim.Adam(modules.parameters(), training.learning_rate, weight_decay=training.weight_decay)
    order = rng_for(seed, Stream.BATCHES)
    moved = [
        (values.mean(axis=0), values.std(axis=0)) if training.standardise else (0.0, 1.0) for values in (rows.x, rows.y)
    ]
    (x_mean, x_sd), (y_mean, y_sd) = moved
    x, y = torch.from_numpy((rows.x - x_mean) / x_sd), torch.from_numpy((rows.y - y_mean) / y_sd)
    steps = len(rows) // training.batch_size
    for _ in range(training.epochs):
        permutation = order.permutation(len(rows))
        for step in range(steps):
            index = permutation[step * training.batch_size : (step + 1) * training.batch_size]
            t, env = rows.t[index], rows.env[index]
            phi = encoder(x[index])
            if step % BANDWIDTH_STEPS == 0:
                h = median_distance(phi.detach()[None])[0]
            loss = torch.zeros((), dtype=torch.float64)
            for arm, head in ((0, control), (1, treated)):
                if (t == arm).any():
                    loss = loss + (head(phi[t == arm]).squeeze(1) - y[index][t == arm]).square().mean()
            kernel = torch.exp(-torch.cdist(phi, phi).square() / (2 * h**2))
            a, b = env == 0, env == 1
            loss = loss + lam * (kernel[a][:, a].mean() + kernel[b][:, b].mean() - 2 * kernel[a][:, b].mean())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    phi = encoder(torch.from_numpy((held_out.x - x_mean) / x_sd))
    ite_hat = (treated(phi) - control(phi)).squeeze(1).detach().numpy() * y_sd
    return float(np.sqrt(np.mean((ite_hat - held_out.ite) ** 2)))


@pytest.mark.parametrize("good_practice", [{}, {"standardise": True}, {"standardise": True, "weight_decay": 0.01}])
@pytest.mark.parametrize("lam", [0.0, 10.0])
def test_the_ensemble_equals_the_plainest_way_to_train_one_model(lam: float, good_practice: dict[str, object]) -> None:
    run = config(lams=(lam,), replicates=1, **good_practice)
    assert train(run, dtype="float64").ite_rmse[0] == pytest.approx(plain_training(run, lam), rel=1e-4)


@pytest.mark.parametrize("standardise", [False, True])
def test_reported_metrics_can_be_recomputed_from_the_stored_weights(standardise: bool) -> None:
    result = train(config(standardise=standardise))
    for replicate in range(2):
        _, held_out = data_of(result.config, replicate)
        mine = slice(3 * replicate, 3 * replicate + 3)
        _, y0_hat, y1_hat = predict({k: v[mine] for k, v in result.weights.items()}, held_out.x)
        rmse = np.sqrt(np.mean((y1_hat - y0_hat - held_out.ite) ** 2, axis=1))
        np.testing.assert_allclose(result.ite_rmse[mine], rmse, rtol=1e-4)
        factual = np.mean((np.where(held_out.t == 1, y1_hat, y0_hat) - held_out.y) ** 2, axis=1)
        np.testing.assert_allclose(result.factual_mse[mine], factual, rtol=1e-4)
    np.testing.assert_array_equal(result.history["ite_rmse"][-1], result.ite_rmse)


def test_the_reported_mmd2_is_that_of_the_latents_of_the_stored_view() -> None:
    from crl_core.ipm import mmd2

    result = train(config())
    rows = mmd_rows(view_rows(result.config))
    phi = torch.from_numpy(predict(result.weights, rows.x)[0][:3])
    want = mmd2(phi[:, rows.env == 0], phi[:, rows.env == 1])
    np.testing.assert_allclose(result.mmd2[:3], want, rtol=1e-3, atol=1e-6)


def test_the_outcomes_unit_changes_no_effect_of_standardised_networks_but_its_unit() -> None:
    """y in thousands: every number in the outcome's unit follows, and nothing else moves."""

    class Thousands(Scenario):
        def rows(self, seed: int) -> tuple[MultiEnvData, MultiEnvData]:
            train, held_out = (
                replace(part, y=1000 * part.y + 5e5, y0=1000 * part.y0, y1=1000 * part.y1)
                for part in super().rows(seed)
            )
            return train, held_out

    run = config(standardise=True, weight_decay=1e-3)
    scenario = Thousands(**{item.name: getattr(run.scenario, item.name) for item in fields(run.scenario)})
    one, other = train(run, dtype="float64"), train(replace(run, scenario=scenario), dtype="float64")
    np.testing.assert_allclose(other.ite_rmse, 1000 * one.ite_rmse, rtol=1e-8)
    np.testing.assert_allclose(other.factual_mse, 1e6 * one.factual_mse, rtol=1e-8)
    np.testing.assert_allclose(other.history["factual_train"], 1e6 * one.history["factual_train"], rtol=1e-8)
    np.testing.assert_allclose(other.history["loss"], one.history["loss"], rtol=1e-8)
    np.testing.assert_allclose(other.mmd2, one.mmd2, rtol=1e-8)


def test_a_constant_covariate_is_no_obstacle_to_standardising() -> None:
    run = config(
        standardise=True, sigma=(0.0, 0.0), offset=(20.0, 20.0), propensity=(0.5, 0.5), epochs=20, lams=(0.0, 0.1)
    )
    result = train(run)
    assert (result.status == OK).all()
    assert (result.ite_rmse < 5).all()


def test_weight_decay_makes_weights_smaller_and_too_much_of_it_is_recognised_as_a_collapse() -> None:
    def size(decay: float) -> float:
        weights = train(config(standardise=True, weight_decay=decay, epochs=10)).weights
        return float(
            np.mean([np.square(value).mean() for name, value in weights.items() if name == "encoder.1.weight"])
        )

    assert size(0.1) < size(0.001) < size(0.0)
    killed = train(config(standardise=True, weight_decay=5.0, epochs=30, learning_rate=0.01))
    assert (killed.status == COLLAPSED).all()


def test_the_penalty_pulls_the_environments_together() -> None:
    result = train(config(n_samples=1000, epochs=10, replicates=1, learning_rate=0.01))
    assert result.mmd2[2] < 0.6 * result.mmd2[0]


def test_aligning_by_treatment_compares_the_arms_instead() -> None:
    same = config(propensity=(0.5, 0.5), offset=(0.0, 0.0), confounding=3.0, epochs=8, replicates=1, lams=(0.0, 10.0))
    by_arm = train(replace(same, training=replace(same.training, align="treatment")))
    rows = mmd_rows(view_rows(same))
    phi = torch.from_numpy(predict(by_arm.weights, rows.x)[0])
    from crl_core.ipm import mmd2

    np.testing.assert_allclose(by_arm.mmd2, mmd2(phi[:, rows.t == 0], phi[:, rows.t == 1]), rtol=1e-3, atol=1e-6)
    assert by_arm.mmd2[1] < 0.3 * by_arm.mmd2[0]


def test_one_environment_trains_without_a_penalty_and_says_so() -> None:
    run = config(sigma=(1.0,), propensity=(0.5,), offset=(0.0,), cause_mean=(0.0,), cause_scale=(1.0,))
    events = list(train_path(run))
    assert isinstance(events[0], RunStarted)
    assert events[0].n_pairs == 0
    assert isinstance(events[-1], RunFinished)
    result = events[-1].result
    assert result is not None
    np.testing.assert_array_equal(result.mmd2, 0)
    np.testing.assert_array_equal(result.ite_rmse[:3], result.ite_rmse[0])  # λ changes nothing


def test_a_model_that_diverges_is_flagged_and_its_neighbours_are_unharmed() -> None:
    wild = config(lams=(0.0, 1e4), learning_rate=0.01, replicates=1)
    calm = train(config(lams=(0.0,), learning_rate=0.01, replicates=1), dtype="float64")
    from crl_core.training.group import Group

    original = Group.train_epoch

    def poisoned(self: Group, *arguments: object) -> object:
        for found in original(self, *arguments):  # type: ignore[arg-type]
            self.net.params["encoder.0.weight"][1].fill_(float("inf"))
            yield found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Group, "train_epoch", poisoned)
        events = list(train_path(wild, dtype="float64"))
    result = events[-1].result  # type: ignore[union-attr]
    np.testing.assert_array_equal(result.status, [OK, DIVERGED])
    assert np.isnan(result.ite_rmse[1])
    assert np.isnan(result.factual_mse_by_env[1]).all()
    np.testing.assert_allclose(result.ite_rmse[0], calm.ite_rmse[0], rtol=1e-8)


def test_a_model_whose_output_is_constant_is_flagged_as_collapsed() -> None:
    result = train(config(lams=(0.0,), epochs=8, replicates=1, learning_rate=0.01))
    stuck = train(config(lams=(0.0,), epochs=1, replicates=1, learning_rate=1e-6))
    assert result.status[0] == OK
    _, y0_hat, y1_hat = predict(stuck.weights, data_of(stuck.config)[1].x)
    assert y0_hat.std() < 0.2
    assert y1_hat.std() < 0.2
    assert stuck.status[0] == COLLAPSED


def test_nothing_to_predict_is_not_called_a_collapse() -> None:
    result = train(config(cause_scale=(0.0, 0.0), noise=1.0, lams=(0.0,), replicates=1))
    assert result.status[0] == OK


def test_a_stop_ends_the_stream_without_a_result() -> None:
    asked = []

    def stop() -> bool:
        asked.append(True)
        return len(asked) > 3

    events = list(train_path(config(epochs=50), should_stop=stop))
    assert not any(isinstance(event, RunFinished) for event in events)
    assert len(events) < 10


def test_a_cancel_waits_for_one_step_of_training_at_most() -> None:
    asked = []
    events = train_path(config(epochs=3), should_stop=lambda: bool(asked.append(True)))
    (started,) = (event for event in events if isinstance(event, RunStarted))
    assert len(asked) >= 3 * started.steps_per_epoch


def test_a_batch_larger_than_the_data_is_the_whole_data() -> None:
    result = train(config(batch_size=4096, replicates=1))
    assert np.isfinite(result.ite_rmse).all()


def test_a_device_that_is_not_there_is_refused_and_auto_finds_one() -> None:
    assert resolve_device("auto") in ("cuda", "mps", "cpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="device is cuda, which this machine does not have; it has cpu"):
            resolve_device("cuda")


def test_no_tensor_is_made_on_the_wrong_device_and_no_step_waits_for_it() -> None:
    """Fake tensors know devices, not values: mixing two devices, or asking a value of the device, raises."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    from crl_core.training.group import Group

    run = config(validation=0.2)
    with FakeTensorMode(allow_non_fake_inputs=True), pytest.MonkeyPatch.context() as patch:
        # "meta" stands for the accelerator, which a processor's build of torch cannot name; Adam refuses to fuse on it.
        patch.setattr(torch.optim, "Adam", lambda params, lr, **_: torch.optim.SGD(params, lr, foreach=False))
        group = Group(run, [0, 1], [data_of(run, r) for r in (0, 1)], torch.device("meta"), torch.float32)
        ((_, losses),) = group.train_epoch(1)
        judged = group._judged(keep=True)
    assert losses is not None
    assert judged.keys() >= {"factual_mse", "mmd2", "ite_rmse", "validation_mse"}
    for value in (*losses.values(), *judged.values()):
        assert value.device.type == "meta"
        assert value.shape == (6,)


def test_an_epoch_is_brought_from_the_device_in_one_transfer(monkeypatch: pytest.MonkeyPatch) -> None:
    transfers = 0
    fetch = torch.Tensor.cpu

    def counted(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal transfers
        transfers += 1
        return fetch(tensor)

    monkeypatch.setattr(torch.Tensor, "cpu", counted)
    events = train_path(config(epochs=4, validation=0.2))
    assert [transfers for event in events if isinstance(event, EpochEnded)] == [1, 2, 3, 4]


@pytest.mark.parametrize("changes", [{}, {"propensity": (0.5, 0.3)}])
def test_what_is_judged_on_the_device_is_what_plain_numpy_says(changes: dict[str, object]) -> None:
    from crl_core import metrics
    from crl_core.training.collapse import arm_variance
    from crl_core.training.judging import Judge, fetched

    run = config(**changes)
    rows = [data_of(run, r)[1] for r in (0, 1)]
    rng = np.random.default_rng(0)
    outcomes = rng.normal(size=(6, len(rows[0]), 2))
    outcomes[4] = 1e6  # a model that is far off
    judge = Judge(rows, 3, torch.device("cpu"))
    given = torch.from_numpy(outcomes)
    found = fetched({name: getattr(judge, name)(given) for name in ("factual_mse", "ite_rmse", "spread")})
    for m, model in enumerate(outcomes):
        own = rows[m // 3]
        y0_hat, y1_hat = model.T[:, None]
        assert own.ite is not None
        expected = {
            "factual_mse": metrics.factual_mse(y0_hat, y1_hat, own.t, own.y),
            "ite_rmse": metrics.ite_rmse(y1_hat - y0_hat, own.ite),
            "spread": arm_variance(np.where(own.t == 1, y1_hat, y0_hat), own.t),
        }
        for name, value in expected.items():
            np.testing.assert_allclose(found[name][m], value[0], rtol=1e-10, atol=1e-12)


def test_importing_the_library_loads_numpy_and_nothing_else_that_is_slow() -> None:
    code = "import sys, crl_core, crl_core.events; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    slow = {"torch", "scipy", "sklearn", "pandas", "plotly", "streamlit", "joblib", "safetensors"}
    assert slow & set(loaded) == set()


def test_servers_commands_and_training_start_without_what_only_fits_baselines() -> None:
    rooms = "crl_core.figures, crl_core.cli.program, crl_core.training.path"
    code = f"import sys, {rooms}; assert not sys.modules.keys() & {{'sklearn', 'scipy.stats'}}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_opening_a_result_does_not_load_torch() -> None:
    code = "import sys, crl_core.results, crl_core.runs.store; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_hospital_needs_the_penalty_and_finds_the_effect_with_it() -> None:
    base = preset("hospital")
    run = replace(base, training=replace(base.training, lams=(0.0, 1.0), replicates=5, epochs=25))
    by_lam = np.median(train(run).ite_rmse.reshape(5, 2), axis=0)
    assert by_lam[0] > 0.5
    assert by_lam[1] < by_lam[0] / 3


@pytest.mark.parametrize("penalty", ["coral", "irm"])
def test_a_kernel_far_narrower_than_the_distances_overflows_nothing(penalty: str) -> None:
    """Rounding once left the kernel's exponent above 0, where the exponential of large latents is no number."""
    scenario = Scenario(n_samples=100, sigma=(10.0,), cause_scale=(10.0,))
    training = Training(lams=(0.0, 1e4), replicates=1, epochs=2, hidden=8, latent_dim=2, batch_size=8)
    training = replace(training, learning_rate=1.0, bandwidth=1e-3, penalty=penalty, standardise=False)  # type: ignore[arg-type]
    result = train(RunConfig(scenario=scenario, training=training))
    assert all(np.isfinite(value).all() for value in result.weights.values())
    assert (result.status != DIVERGED).all()
    assert np.isfinite(result.mmd2).all()


@pytest.mark.parametrize("kept", [{}, {"validation": 0.2}, {"validation": 0.3, "resample": "bootstrap"}])
def test_how_many_rows_are_fitted_is_known_before(kept: dict[str, object]) -> None:
    config = altered(tiny_config(), **kept)
    started = next(train_path(config))
    assert isinstance(started, RunStarted)
    assert started.n_train == config.training.n_fitted(config.source.n_rows - config.source.n_held_out)
