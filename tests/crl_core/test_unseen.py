"""Deployment somewhere new: interventions do what they say, tests keep their level and find what they can, and no
more."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_core import PRESETS, RunStore, Scenario, preset
from crl_core.cli.program import main
from crl_core.data.interventions import INTERVENTIONS, deploy, limits, offered
from crl_core.data.scm import along
from crl_core.measures import falsifiers as tests_of
from crl_core.studies.certificate import certificate
from crl_core.studies.deployed import Reference, batch_report, reference_of, true_error
from crl_core.studies.detection_rates import BAKED, Power, Rate, Spec, name_of, run_power, specs
from tests.crl_core.made_up import made_up_result, tiny_config

HOSPITALS = PRESETS["hospitals"].config


@pytest.fixture(scope="module")
def model() -> Reference:
    """Four hospitals at λ ≈ 0.3, the baked run."""
    return reference_of(RunStore().load(HOSPITALS.key), 0.27)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# -- interventions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", INTERVENTIONS)
def test_each_intervention_changes_what_it_says_and_nothing_else(name: str) -> None:
    scenario, n = HOSPITALS.scenario, 4000
    item, base = INTERVENTIONS[name], deploy(HOSPITALS.scenario, "none", 0.0, 4000, 3)
    data = deploy(scenario, name, item.start, n, 3)
    assert data.z is not None
    assert data.y0 is not None
    assert data.ite is not None
    same = {
        "z": np.array_equal(data.z, base.z),
        "s": np.array_equal(data.s, base.s),
        "t": np.array_equal(data.t, base.t),
        "y0": np.allclose(data.y0, base.y0),
        "ite": np.allclose(data.ite, base.ite),  # type: ignore[arg-type]
    }
    changed = {
        "none": set(),
        "site": {"s", "t"},
        "s-mean": {"s"},
        "s-scale": {"s"},
        "z-shift": {"z", "y0", "ite"},
        "z-scale": {"z", "y0", "ite"},
        "z-set": {"z", "y0", "ite"},
        "slope": {"y0"},
        "intercept": {"y0"},
        "effect": {"ite"},
        "effect-untreated": {"t", "ite"},
        "policy": {"t"},
    }[name]
    assert {what for what, is_same in same.items() if not is_same} == changed
    np.testing.assert_allclose(data.x, np.concatenate([data.z, data.s], axis=1))


def test_doses_are_what_they_are_called() -> None:
    def at(name: str, dose: float) -> tuple[np.ndarray, ...]:
        data = deploy(HOSPITALS.scenario, name, dose, 20_000, 1)
        assert data.z is not None
        assert data.s is not None
        return along(data.z), along(data.s), data.ite, data.t, data.y0  # type: ignore[return-value]

    z, _, ite, _, y0 = at("none", 0.0)
    assert at("s-mean", 6.0)[1].mean() == pytest.approx(6, abs=0.02)
    assert at("s-scale", 4.0)[1].std() == pytest.approx(4, rel=0.03)
    np.testing.assert_allclose(at("z-shift", 0.5)[0], z + 0.5)
    np.testing.assert_allclose(at("z-scale", 2.0)[0], 2 * z)
    assert set(at("z-set", 1.0)[0]) == {1.0}
    np.testing.assert_allclose(at("slope", -1.0)[4], -y0)
    np.testing.assert_allclose(at("intercept", 0.5)[4], y0 + 0.5)
    np.testing.assert_allclose(at("effect", 1.0)[2], ite + z)
    assert at("effect-untreated", 1.0)[3].sum() == 0
    assert at("policy", 0.5)[3].mean() == pytest.approx(0.5, abs=0.02)
    assert set(deploy(HOSPITALS.scenario, "site", 3.0, 100, 1).env) == {2}


def test_rows_pass_through_the_mixing_of_the_seed_that_the_network_was_trained_with() -> None:
    mixed = replace(PRESETS["waves"].config.scenario, n_samples=400)
    first, second = (deploy(mixed, "none", 0.0, 300, seed) for seed in (5, 6))
    assert first.z is not None
    assert second.z is not None
    q, *_ = np.linalg.lstsq(np.concatenate([first.z, first.s], axis=1), first.x, rcond=None)  # type: ignore[list-item]
    r, *_ = np.linalg.lstsq(np.concatenate([second.z, second.s], axis=1), second.x, rcond=None)  # type: ignore[list-item]
    np.testing.assert_allclose(q @ q.T, np.eye(len(q)), atol=1e-8)
    assert not np.allclose(q, r)


@pytest.mark.parametrize(
    ("name", "dose", "n", "says"),
    [
        ("nonsense", 0.0, 10, "there is no intervention 'nonsense'"),
        ("s-mean", 99.0, 10, "must be a number from -12 to 12"),
        ("site", 5.0, 10, "from 1 to 4"),
        ("s-mean", float("nan"), 10, "must be a number"),
        ("none", 0.0, 0, "whole number from 1"),
        ("none", 0.0, 10**7, "whole number from 1"),
    ],
)
def test_what_cannot_be_deployed_is_refused_in_a_sentence(name: str, dose: float, n: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        deploy(HOSPITALS.scenario, name, dose, n, 0)


@given(st.data(), st.floats(0, 1), st.sampled_from(list(PRESETS)), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_any_allowed_dose_gives_finite_rows_with_their_truth(
    drawn: st.DataObject, share: float, world: str, n: int
) -> None:
    scenario = preset(world).scenario
    name = drawn.draw(st.sampled_from(list(offered(scenario))))
    low, high = limits(scenario, name)
    data = deploy(scenario, name, low + share * (high - low), n, 0)
    assert len(data) == n
    assert np.isfinite(data.x).all()
    assert np.isfinite(data.y).all()
    assert (data.ite is None) == (scenario.outcome == "binary")


# -- falsifiers --------------------------------------------------------------------------------------------------------


def slow_mmd2(a: np.ndarray, b: np.ndarray) -> float:
    """Straight from the definition, pair by pair."""
    pooled = np.concatenate([a, b])
    distance = np.sqrt(((pooled[:, None] - pooled[None]) ** 2).sum(-1))
    pairs = np.sort(distance[np.triu_indices(len(pooled), 1)])
    h = pairs[(len(pairs) - 1) // 2]
    kernel = np.exp(-(distance**2) / (2 * h * h))
    n = len(a)
    return float(kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean())


def test_the_statistic_is_mmd2_by_its_definition_and_models_do_not_disturb_each_other() -> None:
    a, b = rng().normal(size=(3, 30, 4)), rng(1).normal(0.4, 1, size=(3, 40, 4))
    values, p = tests_of.latent_tests(a, b, rng(2), 99)
    for at in range(3):
        assert values[at] == pytest.approx(slow_mmd2(a[at], b[at]), rel=1e-4)
        one = tests_of.latent_test(a[at], b[at], rng(2), 99)
        assert one == (pytest.approx(values[at]), p[at])


def test_the_p_value_counts_relabellings_one_by_one() -> None:
    a, b = rng().normal(size=(12, 2)), rng(1).normal(0.8, 1, size=(10, 2))
    value, p = tests_of.latent_test(a, b, rng(5), 60)
    generator, pooled = rng(5), np.concatenate([a, b])
    sign = np.concatenate([np.ones(12), -np.ones(10)])
    sizes = np.concatenate([np.full(12, 1 / 12), np.full(10, -1 / 10)])
    assert set(sign) == {1.0, -1.0}
    at_least = 0
    for _ in range(60):
        order = generator.permutation(sizes)
        at_least += slow_mmd2_of(pooled, order) >= value - 1e-6
    assert p == pytest.approx((at_least + 1) / 61, abs=1e-9)


def slow_mmd2_of(pooled: np.ndarray, weights: np.ndarray) -> float:
    distance = np.sqrt(((pooled[:, None] - pooled[None]) ** 2).sum(-1))
    pairs = np.sort(distance[np.triu_indices(len(pooled), 1)])
    h = pairs[(len(pairs) - 1) // 2]
    return float(weights @ np.exp(-(distance**2) / (2 * h * h)) @ weights)


@pytest.mark.parametrize("test", ["latent", "classifier"])
def test_tests_on_latents_keep_their_level(test: str) -> None:
    """Level by a binomial bound: with 300 batches more than 27 alarms at level .05 happen once in 1,000 times."""
    n_batches, alarms = 300, 0
    for draw in range(n_batches):
        generator = rng(draw)
        a, b = generator.standard_t(5, size=(60, 3)), generator.standard_t(5, size=(80, 3))
        p = (
            tests_of.latent_test(a, b, generator, 39)[1]
            if test == "latent"
            else tests_of.classifier_test(a, b, generator)[1]
        )
        alarms += p <= tests_of.LEVEL
    assert alarms <= scipy.stats.binom.ppf(0.999, n_batches, tests_of.LEVEL)


def test_a_batch_of_one_seen_environment_is_quiet_for_the_nearest_form_where_the_pooled_one_alarms() -> None:
    centres = np.array([[0.0, 0.0], [6.0, 0.0]])
    env = np.repeat([0, 1], 100)
    reference = centres[env] + rng().normal(size=(200, 2))
    batch = centres[0] + rng(1).normal(size=(80, 2))
    assert tests_of.latent_test(batch, reference, rng(2))[1] <= 0.05
    _, p, nearest = tests_of.nearest_test(batch, reference, env, rng(2))
    assert (p > 0.05, nearest) == (True, 0)
    assert tests_of.nearest_test(batch + 4, reference, env, rng(2))[1] <= 0.05


def test_residuals_are_compared_arm_by_arm_and_an_arm_without_labels_says_nothing() -> None:
    held, t = np.array([1.0, -1.0, 2.0, -2.0]), np.array([0, 0, 1, 1])
    ratio = tests_of.residual_ratio(np.array([3.0, -3.0]), np.array([0, 0]), held, t)
    assert ratio[0] == pytest.approx(3.0)
    assert np.isnan(ratio[1])
    assert tests_of.alarms(ratio)
    assert not tests_of.alarms(np.array([np.nan, np.nan]))
    assert not tests_of.alarms(np.array([1.9, 0.5]))


# -- what comes in -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.zeros((0, 2)), "the batch has 0 rows; give 10 or more"),
        (np.zeros((1, 2)), "the batch has 1 row; give 10 or more"),
        (np.zeros((30, 3)), "the batch has 3 features; this model was trained on rows of 2"),
        (np.zeros(30), "1 dimensions"),
        ([["a", "b"]] * 30, "not a table of numbers"),
        (np.full((30, 2), np.nan), "30 of 30 rows hold values that are missing or infinite"),
        (np.r_[np.ones((29, 2)), [[np.inf, 0]]], "1 of 30 rows"),
    ],
)
def test_a_batch_that_cannot_be_tested_is_refused_in_one_sentence(model: Reference, x: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        batch_report(model, x, rng())


def test_labels_that_do_not_fit_are_refused_in_one_sentence(model: Reference) -> None:
    x = np.random.default_rng(0).normal(size=(30, 2))
    for t, y, says in (
        (np.full(30, 2), np.zeros(30), "some are not 0 or 1"),
        (np.zeros(29), np.zeros(30), "29 treatments for 30 rows"),
        (np.zeros(30), np.full(30, np.nan), "some are not finite numbers"),
        (["x"] * 30, np.zeros(30), "the treatments are not numbers"),
    ):
        with pytest.raises(ValueError, match=says):
            batch_report(model, x, rng(), t=t, y=y)


def test_a_million_rows_are_thinned_and_that_is_said(model: Reference) -> None:
    data = deploy(HOSPITALS.scenario, "none", 0.0, 1_000_000, 0)
    report = batch_report(model, data.x, rng(), t=data.t, y=data.y)
    assert report.n_rows == tests_of.MOST_ROWS
    assert report.notes == ("1,000,000 rows came; 500 of them, drawn at random, were tested.",)


def test_rows_that_are_all_the_same_are_tested_and_called_so(model: Reference) -> None:
    report = batch_report(model, np.ones((50, 2)), rng())
    assert "All rows are the same" in report.notes[0]
    assert report.of("pooled").alarm
    assert report.of("residuals").alarm is None


# -- a model under watch -----------------------------------------------------------------------------------------------


def found(
    model: Reference, name: str, dose: float, draw: int = 0, n: int = 200
) -> tuple[dict[str, bool | None], float]:
    data = deploy(HOSPITALS.scenario, name, dose, n, 0, draw)
    report = batch_report(model, data.x, rng(draw), t=data.t, y=data.y)
    return {finding.test: finding.alarm for finding in report.findings}, true_error(model, data)


def test_four_kinds_of_change_land_in_the_four_quadrants(model: Reference) -> None:
    usual = model.ite_rmse
    quiet, error = found(model, "none", 0.0)
    assert not any(quiet.values())
    assert error < 2 * usual
    alarmed, error = found(model, "z-set", 1.0)  # alarm but right
    assert alarmed["pooled"]
    assert error < 2 * usual
    alarmed, error = found(model, "s-mean", 6.0)  # alarm and wrong
    assert alarmed["pooled"]
    assert error > 2 * usual
    silent, error = found(model, "effect-untreated", 1.0)  # silent and wrong
    assert not any(silent.values())
    assert error > 10 * usual
    labelled, _ = found(model, "effect", 1.0)
    assert labelled["residuals"]


def test_unchanged_rows_of_a_world_with_a_rare_environment_alarm_no_more_often_than_the_level() -> None:
    scenario = replace(PRESETS["hospital"].config.scenario, n_samples=4000, env_weight=(1.0, 0.05))
    config = replace(tiny_config(), scenario=scenario)
    model = reference_of(made_up_result(config), 0.0)  # random weights: the latents tell the environments apart
    rows = deploy(scenario, "none", 0.0, 200, 0)
    assert 2 <= np.sum(rows.env == 1) <= 20  # of 200; a twentieth of the other environment's
    reports = [
        batch_report(
            model, deploy(scenario, "none", 0.0, 200, 0, draw).x, rng(draw), permutations=99, tests=("pooled",)
        )
        for draw in range(60)
    ]
    assert np.mean([report.of("pooled").alarm for report in reports]) <= 0.1


def test_a_diverged_model_is_no_reference(model: Reference) -> None:
    broken = replace(model.run, weights={name: value * np.nan for name, value in model.run.weights.items()})
    with pytest.raises(ValueError, match=r"diverged; there is nothing to watch\. Choose another λ"):
        reference_of(broken, 1.0)


# -- certificate -------------------------------------------------------------------------------------------------------


def test_a_certificate_says_what_was_tested_what_was_found_and_what_nothing_could_find(
    model: Reference,
) -> None:
    data = deploy(HOSPITALS.scenario, "effect-untreated", 1.0, 200, 0)
    silent = certificate(model, batch_report(model, data.x, rng(), t=data.t, y=data.y), sample="Ward <b>7</b>")
    assert silent.summary == "No test alarms. That is not a proof that the model is right here."
    assert any("arm that has no labelled row" in item for item in silent.blind)
    html = silent.html()
    assert "Ward &lt;b&gt;7&lt;/b&gt;" in html
    assert "<b>7" not in html
    assert HOSPITALS.key in silent.markdown()
    assert silent.markdown().count("| latent MMD²") == 2
    moved = deploy(HOSPITALS.scenario, "z-set", 1.0, 60, 0)
    alarmed = certificate(model, batch_report(model, moved.x, rng()))
    assert "tests alarm" in alarmed.summary
    assert any("no outcomes came" in item for item in alarmed.blind)
    assert any("60 rows have little power" in item for item in alarmed.blind)


# -- power -------------------------------------------------------------------------------------------------------------


def test_the_power_table_of_a_small_run_has_every_row_and_round_trips(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "cache", tmp_path / "baked")
    power = run_power(
        "hospitals",
        store,
        seeds=1,
        draws=2,
        epochs=2,
        lams=(0.0, 1.0),
        sizes=(60,),
        permutations=19,
        only=(Spec("none", 0.0, seen=True), Spec("z-set", 1.0)),
    )
    assert len(power.rows) == 2 * 2 * 1 * 4
    assert all(row.draws == 2 and 0 <= row.rejection_rate <= 1 for row in power.rows)
    assert Power.from_dict(json.loads(json.dumps(power.to_dict()))) == power
    (tmp_path / BAKED.file).write_text(json.dumps(power.to_dict() | {"recipe_version": 0}))
    assert BAKED.read(tmp_path) is None
    assert "another version" in str(BAKED.problem(tmp_path))
    with pytest.raises(ValueError, match="incomplete"):
        Power.from_dict({name: value for name, value in power.to_dict().items() if name != "rows"})


def test_quadrants_are_named_by_alarm_and_by_truth() -> None:
    def row(rate: float, error: float) -> str:
        return Rate(
            intervention="none", dose=0.0, seen=True, n=200, lam=1.0, test="pooled", rejection_rate=rate, draws=100,
            by_seed=(rate,), errors_by_seed=(error,), unchanged_by_seed=(0.05,),
        ).quadrant  # fmt: skip

    assert [row(1, 1), row(1, 0.05), row(0, 0.05), row(0, 1)] == [
        "alarm and wrong",
        "alarm but right",
        "silent and right",
        "silent and wrong",
    ]


def test_every_preset_has_a_list_of_interventions_that_is_possible_there() -> None:
    for item in PRESETS.values():
        for spec in specs(item.config.scenario):
            deploy(item.config.scenario, spec.intervention, spec.dose, 5, 0)
            assert name_of(spec.intervention, spec.dose)
    assert specs(Scenario(n_samples=100, sigma=(0.1,)))


def test_the_command_refuses_what_it_cannot_do_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--preset", "nonsense"], ["--draws", "0"]):
        assert main(["unseen", *arguments]) == 2
        assert capsys.readouterr().err.count("\n") == 1
