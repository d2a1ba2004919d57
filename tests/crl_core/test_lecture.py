"""What the scrubber is sent is what was computed, to the last drawn pixel, and small."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crl_core import train
from crl_core.config import RunConfig, Scenario, Training
from crl_core.config.presets import PRESETS
from crl_core.config.text import altered
from crl_core.data.scm import mix, mixing_maps
from crl_core.events import EpochEnded, RunFinished, RunStarted
from crl_core.figures import palette
from crl_core.lecture import frames as frames_module
from crl_core.lecture.frames import MAP_SIZE, frames
from crl_core.lecture.naming import Naming
from crl_core.lecture.packed_arrays import pack_f32, pack_i16, pack_u8, unpack
from crl_core.lecture.shift import shift_arrays, shifted
from crl_core.lecture.training_frames import training_frames
from crl_core.measures.effect_map import effect_map
from crl_core.measures.so_far import SoFar
from crl_core.results import RunResult, data_of, predict, view_of, view_rows
from crl_core.training.path import train_path
from tests.lecture_runs import LAMS, broken, config_of, evidence_of, run_of

PALETTES = {name: palette(name) for name in ("dark", "light", "projector")}
NAMING = Naming.of(PRESETS["hospital"])


def frames_of(result: RunResult, projection=None, evidence=None, n_rows=200) -> dict:
    data = frames(result, projection, evidence, naming=NAMING, palettes=PALETTES, n_rows=n_rows)
    return json.loads(json.dumps(data, allow_nan=False))


def rows_of(result: RunResult, n_rows=200):
    return view_of(data_of(result.config)[1], result.config.training.seed, n_rows)


def effects_of(result: RunResult, x: np.ndarray) -> np.ndarray:
    weights = {name: value[: len(result.lams)] for name, value in result.weights.items()}
    _, y0_hat, y1_hat = predict(weights, x)
    return y1_hat - y0_hat


finite = st.floats(-1e6, 1e6, allow_nan=False)
arrays = hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=6), elements=finite | st.just(np.nan))


@given(arrays)
def test_a_quantised_array_comes_back_within_half_a_step_and_nan_stays_nan(values):
    packed = pack_i16(values)
    back = unpack(packed)
    step = (packed["high"] - packed["low"]) / 65534
    assert back.shape == values.shape
    assert np.array_equal(np.isnan(back), np.isnan(values))
    assert np.nanmax(np.abs(back - values), initial=0) <= step / 2 * (1 + 1e-6) + 1e-9


@given(arrays)
def test_what_lies_outside_the_axes_sits_at_their_edge(values):
    for pack in (pack_i16, pack_u8):
        back = unpack(pack(values, -1.0, 2.0))
        tolerance = 3 / 508 + 1e-9
        assert np.nanmax(np.abs(back - np.clip(values, -1, 2)), initial=0) <= tolerance


def test_float_arrays_come_back_exactly():
    values = np.array([[0.1, -3.5e-8], [np.nan, 7e9]], dtype=np.float32)
    assert np.array_equal(unpack(pack_f32(values)).astype(np.float32), values, equal_nan=True)


def test_predicted_effects_are_those_of_the_networks():
    result = run_of()
    data, rows = frames_of(result), rows_of(result)
    hat = effects_of(result, rows.x)
    spec = data["scatter"]
    expected = np.clip(hat, spec["low"], spec["high"])
    assert np.abs(unpack(data["arrays"]["ite_hat"]) - expected).max() < 1e-3
    assert np.allclose(unpack(data["arrays"]["ite"]), rows.ite, atol=1e-6)
    assert np.array_equal(unpack(data["arrays"]["env"]), rows.env)
    assert np.array_equal(unpack(data["arrays"]["t"]), rows.t)


def test_the_aligned_tsne_is_shown_where_it_is_there_and_pca_says_its_name():
    result = run_of()
    n = len(rows_of(result))
    xy = np.random.default_rng(0).normal(0, 30, (len(LAMS), n, 2)).astype(np.float32)
    with_map = frames_of(result, {"tsne_xy": xy})
    assert with_map["picture"] == "t-SNE"
    assert "t-SNE" in with_map["captions"]["latent"]["caption"]
    assert np.abs(unpack(with_map["arrays"]["xy"]) - xy).max() < 0.02
    for projection in (None, {"tsne_xy": xy[:, :-1]}):  # not there, or of other rows
        without = frames_of(result, projection)
        assert without["picture"] == "PCA"
        assert "PCA" in without["captions"]["latent"]["caption"]


def test_the_effect_map_is_drawn_from_its_upper_row_down():
    result = run_of()
    maps = effect_map(result, rows_of(result), size=MAP_SIZE)
    packed = frames_of(result)
    spec, drawn = packed["map"], unpack(packed["arrays"]["map"])
    step = 2 * maps.half / 254
    want = np.clip(maps.tau_hat[:, ::-1], maps.centre - maps.half, maps.centre + maps.half)
    assert np.abs(drawn.reshape(want.shape) - want).max() <= step
    assert (spec["x"], spec["y"]) == ([maps.z[0], maps.z[-1]], [maps.s[0], maps.s[-1]])


def test_with_many_inputs_the_map_is_called_a_slice():
    assert "slice" in frames_of(run_of("sensors"))["captions"]["map"]["caption"]


def test_the_line_is_the_median_the_band_all_replicates_and_the_pictures_own_number_is_beside_it():
    result = run_of()
    data = frames_of(result, evidence=evidence_of(result))
    for name in ("ite_rmse", "factual_mse", "mmd2"):
        values = result.by_lam(getattr(result, name))
        metric = data["metrics"][name]
        assert np.allclose(metric["value"], np.median(values, axis=0), rtol=1e-5)
        assert np.allclose(metric["own"], values[0], rtol=1e-5)
        assert np.allclose(metric["low"], values.min(axis=0), rtol=1e-5)
        assert np.allclose(metric["high"], values.max(axis=0), rtol=1e-5)
    assert data["metrics"]["domain_auc"]["own"][0] == pytest.approx(0.99)
    assert "domain_auc" not in frames_of(result)["metrics"]  # nobody has computed it yet


def test_curves_over_epochs_are_those_of_the_run():
    result = run_of()
    data = frames_of(result)
    assert data["history"]["epochs"] == [1, 2, 3]
    for name in ("loss", "mmd2"):
        mine = unpack(data["arrays"][f"history.{name}"])
        assert np.allclose(mine, np.median(result.history[name].reshape(3, -1, len(LAMS)), axis=1), rtol=1e-6)
    first = np.median(result.history["ite_rmse"][0].reshape(-1, len(LAMS)), axis=0)
    assert np.allclose(data["earlier"]["values"][0], first, rtol=1e-5)


def test_a_diverged_and_a_collapsed_model_have_no_numbers_and_a_sentence():
    data = frames_of(broken(run_of(), diverged=1, collapsed=4))
    assert data["status"] == [0, 1, 0, 0, 2]
    assert data["metrics"]["ite_rmse"]["own"][1] is None
    assert "diverged" in data["readings"][1]
    assert "collapsed" in data["readings"][4]
    assert np.isnan(unpack(data["arrays"]["ite_hat"])[1]).all()
    assert np.isfinite(unpack(data["arrays"]["ite_hat"])[[0, 2, 3]]).all()


def test_one_environment_has_no_mmd_and_says_that_there_is_nothing_to_align():
    data = frames_of(run_of(n_envs=1))
    assert "mmd2" not in data["metrics"]
    assert len(data["envs"]) == 1
    assert all("only one environment" in sentence for sentence in data["readings"])


def test_one_lambda_has_a_picture_and_no_slider_to_promise():
    data = frames_of(run_of(lams=(1.0,)))
    assert len(data["lams"]) == 1
    assert data["captions"]["path"]["title"] == "One λ was trained"


def test_the_ticks_of_the_slider_are_0_and_the_decades_between_the_models_beside_them() -> None:
    lams = (0.0, 0.01, 0.03, 0.3, 1.0)
    config = altered(config_of(), lams=lams)
    ticks = frames_module.head_of(config, Naming.of(PRESETS["hospital"]), {})["lam_ticks"]
    assert [tick["label"] for tick in ticks] == ["0", "0.01", "0.1", "1"]
    between = np.log(0.1 / 0.03) / np.log(0.3 / 0.03)
    np.testing.assert_allclose([tick["at"] for tick in ticks], [0, 1, 2 + between, 4], atol=1e-3)


def test_the_curve_of_before_lies_where_its_lambdas_are_on_the_slider_and_what_is_beyond_it_is_left_out() -> None:
    found = frames_module.curve_before(
        (0.0, 0.01, 0.1, 1.0, 10.0), np.array([4.0, np.nan, 2.0, 1.0, 3.0]), (0, 0.01, 0.03, 0.3, 1)
    )
    np.testing.assert_allclose(found["at"], [0, 2 + np.log(0.1 / 0.03) / np.log(10), 4], rtol=1e-4)
    assert found["value"] == [4.0, 2.0, 1.0]


def test_a_constant_effect_is_drawn_by_environment_around_its_truth():
    data = frames_of(run_of("recipe"))
    assert data["scatter"]["by_env"]
    assert data["scatter"]["truth"] == pytest.approx(1.0)


def test_frames_of_sixteen_lambdas_and_1500_rows_are_below_three_megabytes():
    config = config_of(lams=config_of().training.lams)
    lams = (0.0, *np.geomspace(1e-4, 100, 15).round(6))
    base = run_of()
    models = np.resize(np.arange(len(LAMS)), len(lams))  # the same weights again: only the size matters here
    weights = {
        "encoder.0.weight": (config.dim_x, 64),
        "encoder.0.bias": (1, 64),
        "encoder.1.weight": (64, 64),
        "encoder.1.bias": (1, 64),
        "encoder.2.weight": (64, 16),
        "encoder.2.bias": (1, 16),
        "head.0.weight": (16, 64),
        "head.0.bias": (1, 64),
        "head.1.weight": (2, 32),
        "head.1.bias": (2,),
    }
    rng = np.random.default_rng(0)
    training = replace(config.training, lams=lams, replicates=1, hidden=64)
    big = replace(
        base,
        config=replace(config, scenario=replace(config.scenario, n_samples=10_000), training=training),
        lam=np.array(lams),
        replicate=np.zeros(len(lams), int),
        status=np.zeros(len(lams), int),
        factual_mse=base.factual_mse[models],
        factual_mse_by_env=base.factual_mse_by_env[models],
        mmd2=base.mmd2[models],
        ite_rmse=base.ite_rmse[models],
        history={name: np.repeat(value[:, models], 17, axis=0) for name, value in base.history.items()},
        weights={name: rng.normal(0, 0.1, (16, *shape)).astype(np.float32) for name, shape in weights.items()},
    )
    data = frames(big, naming=NAMING, palettes=PALETTES, n_rows=1500)
    assert data["n"] == 1500
    assert data["probe"] is not None
    assert len(json.dumps(data)) < 3_000_000


def test_while_training_the_curves_so_far_are_there_and_the_rest_waits():
    config = config_of()
    result = run_of()
    started = RunStarted(
        key=config.key,
        device="cpu",
        lam=result.lam,
        replicate=result.replicate,
        epochs=3,
        steps_per_epoch=6,
        n_train=800,
        n_held_out=200,
        n_pairs=1,
    )
    nothing = training_frames(config, SoFar(), naming=NAMING, palettes=PALETTES)
    assert nothing["history"]["epochs"] == []
    history = {name: values for name, values in result.history.items() if name != "status"}
    epochs = [
        EpochEnded(epoch=e + 1, elapsed_s=1.0, status=result.status, **{k: v[e] for k, v in history.items()})
        for e in range(2)
    ]
    data = json.loads(
        json.dumps(
            training_frames(config, SoFar(started=started, epochs=tuple(epochs)), naming=NAMING, palettes=PALETTES),
            allow_nan=False,
        )
    )
    assert data["state"] == "training"
    assert data["epoch"] == 2
    second = np.median(result.history["ite_rmse"][1].reshape(-1, len(LAMS)), axis=0)
    assert np.allclose(data["metrics"]["ite_rmse"]["value"], second, rtol=1e-5)
    assert "xy" not in data["arrays"]
    assert data["captions"]["effect"]["caption"] == "appears with the first epoch"


def test_the_probe_with_the_runs_own_sigma_predicts_as_before():
    result = run_of()
    same = shifted(result, result.config.scenario.sigma, 200)
    assert np.allclose(same.ite_hat, effects_of(result, rows_of(result).x), atol=1e-5)


def test_the_probe_of_rows_whose_effects_are_not_known_predicts_without_an_error(monkeypatch):
    result = run_of()
    known = shifted(result, (1.0, 2.0), 200)
    monkeypatch.setattr("crl_core.lecture.shift.view_of", lambda *a: replace(view_of(*a), y0=None, y1=None))
    blind = shifted(result, (1.0, 2.0), 200)
    assert np.array_equal(blind.ite_hat, known.ite_hat)
    assert np.isfinite(known.ite_rmse).all()
    assert np.isnan(blind.ite_rmse).all()


def test_the_probe_moves_only_s_and_leaves_the_true_effect():
    result = run_of("leaky")
    moved, before = shifted(result, (2.0, 0.0), 200), rows_of(result)
    assert np.array_equal(moved.view.z, before.z)
    assert np.array_equal(moved.view.t, before.t)
    assert np.array_equal(moved.view.ite, before.ite)
    assert not np.allclose(moved.view.s, before.s)
    calm = moved.view.env == 1  # σ = 0: s is its offset and what leaks
    scenario = result.config.scenario
    expected = scenario.offset[1] + scenario.leak * moved.view.y[calm]
    assert np.allclose(moved.view.s[calm, 0], expected)


@pytest.mark.parametrize("name", ["linear", "leaky", "waves", "hospital"])
def test_the_parts_sent_for_the_probe_rebuild_the_shifted_rows(name):
    result = run_of(name)
    about, parts = shift_arrays(result, 200)
    sigma = np.array([0.7, 2.0])
    rows = shifted(result, tuple(sigma), 200).view
    s = (
        np.asarray(about["offset"])[rows.env][:, None]
        + sigma[rows.env][:, None] * parts["noise"]
        + parts["leaked"][:, None]
    )
    assert np.allclose(s, rows.s)
    u = np.concatenate([parts["z"], s], axis=1)
    turned = u if about["mixing"] == "none" else u @ parts["first"]
    bent = about["mixing"] == "nonlinear"
    assert np.allclose((0.25 * turned + 0.75 * np.tanh(turned)) @ parts["second"] if bent else turned, rows.x)


def test_the_mixing_maps_are_those_that_mix_uses():
    scenario = Scenario(dim_causal=2, dim_spurious=3, mixing="nonlinear")
    first, second = mixing_maps(scenario, 4)
    u = np.random.default_rng(1).normal(size=(7, 5))
    bent = u @ first
    assert np.allclose(mix(u, scenario, 4), (0.25 * bent + 0.75 * np.tanh(bent)) @ second)


def test_sigma_for_another_number_of_environments_is_refused_with_a_sentence():
    with pytest.raises(ValueError, match="this run has 2 environments"):
        shifted(run_of(), (1.0,), 200)


def test_view_rows_are_the_rows_that_the_frames_hold():
    result = run_of()
    assert np.array_equal(view_rows(result.config).x, rows_of(result, 700).x)


def test_the_best_without_a_penalty_is_named_and_drawn_where_it_is_known() -> None:
    evidence = {
        "baseline_names": np.array(["constant effect", "least squares per arm"]),
        "baseline_reason": np.array([[""], [""]]),
        **{f"baseline_{name}": np.array([[0.5], [0.25]]) for name in ("ite_rmse", "factual_mse", "ate_error")},
    }
    shown = frames_module._unpenalised(evidence)
    assert shown == {"name": "least squares per arm", "value": 0.25}
    assert frames_module._unpenalised(None) is None


@pytest.mark.parametrize("standardise", [True, False])
def test_the_factual_part_of_a_loss_is_drawn_in_the_losss_unit(standardise: bool) -> None:
    """A standardised run's loss is in units of the outcome's variance, its factual error in the outcome's own."""
    config = altered(config_of(), lams=(0.0, 1.0), standardise=standardise)
    drawn = frames_of(next(event.result for event in train_path(config) if isinstance(event, RunFinished)))
    loss, factual = (unpack(drawn["arrays"][f"history.{name}"]) for name in ("loss", "factual_train"))
    np.testing.assert_allclose(factual[:, 0], loss[:, 0], rtol=1e-5)
    assert (factual[:, 1] < loss[:, 1]).all()


def label_config(**scenario: object) -> RunConfig:
    """A world whose outcome is a label, of traces unless said otherwise."""
    values = {"observation": "ecg", "n_samples": 400, "outcome": "binary", "leak": 1.0} | scenario
    return RunConfig(scenario=Scenario(**values), training=Training(lams=(0.0, 1.0), epochs=2, replicates=1))


def test_the_lecture_of_a_label_draws_what_is_said_of_each_row() -> None:
    label = label_config()
    result = train(label)
    data, rows = frames_of(result), rows_of(result)
    _, y0_hat, y1_hat = result.predict(rows.x)
    low, high = data["scatter"]["low"], data["scatter"]["high"]
    assert (low, high) == (-0.04, 1.04)  # of probabilities, whatever λ
    expected = np.where(rows.t == 1, y1_hat, y0_hat)
    np.testing.assert_allclose(unpack(data["arrays"]["ite_hat"]), expected, atol=1e-3)
    assert data["captions"]["effect"]["title"] == "Predicted labels"
    assert data["captions"]["map"]["caption"] == "no map: treatment has no part in this outcome"


def test_no_sigma_is_shifted_where_there_is_no_effect() -> None:
    assert shift_arrays(train(label_config(observation="covariates")), 50) is None
