"""Views of a trace are what a plain reading of each row gives, and the baselines that are given them know no truth."""

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor

from crl_core import RunConfig, Scenario, Training, preset, train
from crl_core.data import ecg
from crl_core.measures.baselines import (
    BASELINES,
    OF_TRACES,
    REGULARISED,
    Baseline,
    Rows,
    fit_all,
    methods,
    ranked,
    views_said,
    word_of,
)
from crl_core.measures.evidence import gather
from crl_core.measures.trace_views import FEATURES, VIEWS, Recorder, clinical, own_scale, recorder_of, without_hum
from crl_core.measures.views import views_of
from crl_core.results import data_of
from crl_core.runs.bundle_arrays import check_evidence, evidence_specs, from_npz, to_npz

AT = Recorder(rate=160.0, hum_hz=50.0)
SEEN = {name: partial(view, recorder=AT) for name, view in VIEWS.items()}
TINY = Training(lams=(0.0, 1.0), replicates=1, epochs=2, batch_size=64, hidden=8, latent_dim=4)
FILTERS = replace(preset("filter").scenario, n_samples=200)


def recorded(rate: float = 160.0, samples: int = 128, n: int = 6, **changes: Any) -> np.ndarray:
    """Beats of different hearts, [n, samples], with the hum of the mains unless told otherwise."""
    given: dict[str, Any] = {"hum_mv": 0.1, "hum_hz": 50.0, "wander": 0.0, "saturation": 0.0, "phase": "random"}
    given |= changes
    flat = {"gain": np.ones(n), "highpass": np.zeros(n), "notch": np.zeros(n), "electrode_noise": np.zeros(n)}
    machine = ecg.Machine(**flat, rate=rate, samples=samples, **given)
    rng = np.random.default_rng(3)
    z = rng.standard_normal((n, 4))
    return ecg.traces(z, rng.standard_normal(n), ("st", "t", "qrs", "qt"), machine, rng)


# -- hum filtered out --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "samples"), [(160.0, 128), (100.0, 96), (250.0, 230)])
def test_a_hum_that_is_added_is_taken_out_whatever_its_phase(rate: float, samples: int) -> None:
    x, hum = recorded(rate, samples, hum_mv=0.0), recorded(rate, samples)
    assert np.abs(hum - x).max() > 0.05
    at = Recorder(rate=rate, hum_hz=50.0)
    np.testing.assert_allclose(without_hum(hum, at), without_hum(x, at), atol=1e-6)
    assert np.abs(without_hum(x, at) - x).max() < 0.05  # of the beat hardly anything goes with it


def test_what_is_filtered_out_of_a_row_is_its_own_least_squares_fit() -> None:
    x, seconds = recorded(), np.arange(128) / 160
    waves = np.column_stack([np.sin(2 * np.pi * 50 * seconds), np.cos(2 * np.pi * 50 * seconds)])
    for row, left in zip(x, without_hum(x, AT), strict=True):
        np.testing.assert_allclose(left, row - waves @ np.linalg.lstsq(waves, row, rcond=None)[0], atol=1e-10)


# -- each trace z-scored -----------------------------------------------------------------------------------------------


def test_a_z_scored_trace_knows_neither_gain_nor_level_and_a_constant_one_is_nothing() -> None:
    x = recorded()
    np.testing.assert_allclose(own_scale(x, AT), [(row - row.mean()) / row.std() for row in x])
    np.testing.assert_allclose(own_scale(1.3 * x + 0.7, AT), own_scale(x, AT), atol=1e-9)
    assert not own_scale(np.full((2, 128), 0.3), AT).any()


# -- clinical features -------------------------------------------------------------------------------------------------


def plain_features(row: np.ndarray, at: Recorder) -> list[float]:
    """One trace read sample by sample."""
    seconds = [i / at.rate for i in range(len(row))]
    clean = without_hum(row[None], at)[0]
    room = [i for i in range(len(row)) if seconds[i] >= 0.29 - 1e-9 and i + math.floor(0.48 * at.rate) <= len(row) - 1]
    r = max(room, key=lambda i: clean[i])

    def window(low: float, high: float) -> list[int]:
        return [i for i in range(len(row)) if low - 1e-9 <= seconds[i] - seconds[r] <= high + 1e-9]

    def mean(values: Any) -> float:
        found = list(values)
        return sum(found) / len(found)

    before, after = window(-0.29, -0.26), window(0.42, 0.48)
    x0, x1 = mean(seconds[i] for i in before), mean(seconds[i] for i in after)
    y0, y1 = mean(clean[i] for i in before), mean(clean[i] for i in after)
    beat = [clean[i] - (y0 + (y1 - y0) * (seconds[i] - x0) / (x1 - x0)) for i in range(len(row))]
    st_level = mean(beat[i] for i in window(0.08, 0.2))
    t_at = max(window(0.15, 0.4), key=lambda i: beat[i])
    qrs = window(-0.1, 0.08)
    energy = sum(beat[i] ** 2 for i in qrs)
    spread = sum(beat[i] ** 2 * (seconds[i] - seconds[r]) ** 2 for i in qrs)
    return [
        st_level,
        st_level - mean(beat[i] for i in window(-0.1, -0.075)),
        beat[t_at],
        seconds[t_at] - seconds[r],
        math.sqrt(spread / energy),
        energy / at.rate,
        max(beat[i] for i in qrs),
        max(beat[i] for i in window(-0.25, -0.1)),
        mean((a - b) ** 2 for a, b in zip(row, clean, strict=True)),
    ]


@pytest.mark.parametrize(("rate", "samples"), [(160.0, 128), (133.0, 150), (250.0, 256)])
def test_clinical_features_are_what_is_read_off_sample_by_sample(rate: float, samples: int) -> None:
    x, at = recorded(rate, samples, wander=0.1), Recorder(rate=rate, hum_hz=50.0)
    found = clinical(x, at)
    assert found.shape == (6, len(FEATURES))
    np.testing.assert_allclose(found, [plain_features(row, at) for row in x], atol=1e-9)


@pytest.mark.parametrize(
    ("latent", "feature", "moved"),
    [("st", "ST level", 0.08), ("t", "T amplitude", 0.08), ("qrs", "QRS width", 0.001), ("qt", "T place", 0.01)],
)
def test_each_latent_moves_the_feature_that_is_named_for_it(latent: ecg.Latent, feature: str, moved: float) -> None:
    low, high = clinical(ecg.heart(np.array([[-1.0], [1.0]]), (latent,), np.arange(128) / 160), AT)
    assert (high - low)[FEATURES.index(feature)] > moved


def test_features_do_not_know_the_level_of_a_trace_and_hardly_its_slope() -> None:
    x = recorded()
    tilted = x + 0.3 + 0.2 * np.arange(128) / 128
    read = [FEATURES.index(name) for name in FEATURES if name not in ("T place", "hum power")]  # T may step aside
    np.testing.assert_allclose(clinical(tilted, AT)[:, read], clinical(x, AT)[:, read], atol=2e-3)
    np.testing.assert_allclose(clinical(x + 0.3, AT), clinical(x, AT), atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(samples=st.integers(80, 256), rate=st.floats(100, 320), hum_hz=st.floats(50, 60), kind=st.integers(0, 3))
def test_every_view_of_any_trace_is_a_number(samples: int, rate: float, hum_hz: float, kind: int) -> None:
    rate = min(rate, samples / ecg.RR)
    noise = np.random.default_rng(0).standard_normal((3, samples))
    x = (noise, np.zeros((3, samples)), np.full((3, samples), 2.5), np.abs(noise) * 1e6)[kind]
    for view in VIEWS.values():
        found = view(x, Recorder(rate=rate, hum_hz=hum_hz))
        assert len(found) == 3
        assert np.isfinite(found).all()


# -- as baselines ------------------------------------------------------------------------------------------------------


def test_covariates_keep_exactly_the_baselines_that_they_have() -> None:
    covariates = RunConfig(scenario=Scenario(n_samples=200), training=TINY)
    assert recorder_of(covariates) is None
    assert [item.name for item in methods(views_of(covariates))] == list(BASELINES)
    assert not set(BASELINES) & set(OF_TRACES)
    evidence = gather(train(covariates))
    assert evidence["baseline_names"].tolist() == [*BASELINES, REGULARISED]


def test_a_run_on_traces_is_compared_with_baselines_on_every_view_of_them() -> None:
    result = train(RunConfig(scenario=FILTERS, training=TINY))
    steps: list[tuple[int, int]] = []
    evidence = gather(result, lambda done, total: steps.append((done, total)))
    names = [*BASELINES, *OF_TRACES, REGULARISED]
    assert evidence["baseline_names"].tolist() == names
    assert steps[-1] == (2 + len(BASELINES) + 9,) * 2
    viewed = {name: value[0] for name, value in zip(names, evidence["baseline_ite_rmse"], strict=True)}
    assert all(np.isfinite(viewed[name]) for name in OF_TRACES)
    assert {f"random forest per arm, {view}" for view in VIEWS} <= {item.name for item in ranked(evidence)}
    assert word_of("random forest per arm, clinical features") == "forest, clinical"
    said = views_said(ranked(evidence))
    for view, word in zip(VIEWS, ("no hum", "trace z", "clinical"), strict=True):
        assert word_of(f"ridge per arm, {view}") == f"ridge, {word}"
        assert f"{word}: " in said
    assert views_said(item for item in ranked(evidence) if item.name in BASELINES) == ""
    stored = from_npz("evidence.npz", to_npz(evidence), evidence_specs(result.config))
    check_evidence(result.config, stored)
    np.testing.assert_array_equal(stored["baseline_ite_rmse"], evidence["baseline_ite_rmse"])


@pytest.fixture(scope="module")
def fitted() -> list[Baseline]:
    """All baselines of the hospitals that filter differently."""
    return fit_all(*data_of(RunConfig(scenario=FILTERS, training=TINY)), np.random.default_rng(3), SEEN)


def test_a_baseline_on_a_view_is_the_plain_one_given_that_view_as_its_covariates(fitted: list[Baseline]) -> None:
    fit, held_out = data_of(RunConfig(scenario=FILTERS, training=TINY))
    found = {item.name: item for item in fitted}
    seed = int(np.random.default_rng(3).integers(2**31))
    assert held_out.ite is not None
    for view, see in VIEWS.items():
        given = Rows(x=see(fit.x, AT), t=fit.t, y=fit.y, at=see(held_out.x, AT), seed=seed)
        for name in ("ridge per arm", "random forest per arm", "gradient boosting per arm"):
            y0_hat, y1_hat = BASELINES[name].estimate(given)
            want = np.sqrt(np.mean((y1_hat - y0_hat - held_out.ite) ** 2))
            assert found[f"{name}, {view}"].ite_rmse == pytest.approx(want)


def test_no_view_sees_the_truth(fitted: list[Baseline]) -> None:
    fit, held_out = data_of(RunConfig(scenario=FILTERS, training=TINY))
    blank = {"y0": None, "y1": None, "z": None, "s": None}
    poisoned = fit_all(replace(fit, **blank), replace(held_out, z=None, s=None), np.random.default_rng(3), SEEN)
    assert poisoned == fitted


@pytest.mark.slow
def test_a_cardiologists_features_halve_the_error_of_samples_where_hospitals_filter_differently() -> None:
    run = RunConfig(scenario=replace(FILTERS, n_samples=4000), training=TINY)
    fit, held_out = data_of(run)
    found = {item.name: item.ite_rmse for item in fit_all(fit, held_out, np.random.default_rng(0), views_of(run))}
    assert 0.35 < found["random forest per arm, clinical features"] < 0.75
    assert found["ridge per arm"] > 0.75
    assert min(found.values()) > 0.35


def test_where_a_label_is_predicted_every_view_has_a_factual_error_and_none_an_effect_error() -> None:
    world = Scenario(observation="ecg", n_samples=200, outcome="binary", leak=1.0)
    result = train(RunConfig(scenario=world, training=TINY))
    evidence = gather(result)
    names, known = evidence["baseline_names"].tolist(), evidence["baseline_factual_mse"][:, 0]
    assert names == [*BASELINES, *OF_TRACES, REGULARISED]
    assert np.isfinite(known[:-1]).all()
    assert np.isnan(evidence["baseline_ite_rmse"]).all()
    assert ranked(evidence) == []
    check_evidence(result.config, from_npz("evidence.npz", to_npz(evidence), evidence_specs(result.config)))


def test_trees_see_a_part_of_the_samples_of_a_trace_and_all_of_few_columns() -> None:
    """The learners of the table against the same ones written out, for a trace and for what is read off it."""
    train, held_out = data_of(RunConfig(scenario=replace(FILTERS, n_samples=300), training=TINY))
    for view, forest, boosting in (
        ("each trace z-scored", {"max_features": "sqrt"}, {"max_features": 0.3, "max_bins": 63}),
        ("clinical features", {}, {}),
    ):
        x, at = (VIEWS[view](part.x, AT) for part in (train, held_out))
        rows = Rows(x=x, t=train.t, y=train.y, at=at, seed=5)
        alike: dict[str, Any] = {
            "random forest per arm": RandomForestRegressor(40, min_samples_leaf=5, random_state=5, **forest),
            "gradient boosting per arm": HistGradientBoostingRegressor(
                max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=5, **boosting
            ),
        }
        for name, model in alike.items():
            found = OF_TRACES[f"{name}, {view}"].estimate(rows)
            for arm in (0, 1):
                own = model.fit(x[train.t == arm], train.y[train.t == arm]).predict(at)
                np.testing.assert_array_equal(found[arm], own)
