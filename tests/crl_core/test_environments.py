"""The environments study: its worlds, where it judges, what is not defined, and the report."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_core.cli.program import main
from crl_core.config import FIRST_SEED, LIMITS, RECIPE_VERSION, RunConfig
from crl_core.config.presets import PRESETS, preset
from crl_core.data.scm import sample
from crl_core.figures.by_envs import Line, by_envs, by_envs_svg, spread
from crl_core.figures.palette import palette
from crl_core.jobs.ensure_runs import Found, Wanted
from crl_core.jobs.executors import Here
from crl_core.measures.overlap import gaussian_kernel, pairs_mmd2
from crl_core.metrics import ite_rmse
from crl_core.results import data_of, mmd_rows, predict, view_rows
from crl_core.runs.store import RunStore
from crl_core.studies import environments
from crl_core.studies import environments_report as report
from crl_core.studies.environments import (
    BAKED,
    LAMS,
    SERIES,
    SETS,
    SIZES,
    EnvironmentsStudy,
    baked_environments,
    config_of,
    errors_on,
    fresh_rows,
    left_out_scenarios,
    pick,
    run_environments,
    runs_of,
    scenario_of,
    unbiased_mmd2,
    unseen,
)
from crl_core.training.path import train
from tests.crl_core.made_up import made_up_result, store_in, without_truth


def made_up(**series: object) -> EnvironmentsStudy:
    """Two seeds; every series 1 unless given."""
    whole = {name: np.ones((len(SIZES), 2, len(LAMS))) for name in SERIES}
    whole |= {name.replace("__", "."): np.asarray(values, dtype=float) for name, values in series.items()}
    return EnvironmentsStudy(
        preset_id="hospital",
        seeds=2,
        epochs=1,
        series=whole,
        folds=((), (0, 2), (0, 1, 2, 3), (0, 1, 2, 3, 4)),
    )


# -- scenarios ---------------------------------------------------------------------------------------------------------


def test_the_three_sets_of_the_two_hospitals_are_those_that_were_tried_before() -> None:
    offsets = {name: scenario_of("hospital", name, 5).offset for name in SETS}
    assert offsets == {"range": (2, -2, 0, 4, -4), "inside": (2, -2, 1, -1, 0), "copies": (2, -2, 2, -2, 2)}
    assert {name: unseen("hospital", name).offset for name in SETS} == {
        "range": (6,),
        "inside": (0.5,),
        "copies": (6,),
    }
    assert scenario_of("hospital", "copies", 5).sigma == (0.1, 1.0, 0.1, 1.0, 0.1)
    assert scenario_of("hospital", "range", 5).propensity == (1, 0, 1, 0, 1)


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_can_be_studied_and_all_sets_begin_with_the_same_two_environments(name: str) -> None:
    assert len({scenario_of(name, set_id, 2) for set_id in SETS}) == 1
    for set_id in SETS:
        for n_envs in SIZES:
            scenario = scenario_of(name, set_id, n_envs)
            assert scenario.n_envs == n_envs
            assert scenario.n_samples == preset(name).scenario.n_samples
            assert scenario.sigma[:2] == scenario_of(name, set_id, 2).sigma
        assert LIMITS["offset"][0] <= unseen(name, set_id).offset[0] <= LIMITS["offset"][1]
        assert unseen(name, set_id).offset[0] not in scenario_of(name, set_id, 5).offset
    assert len(runs_of(name, 5)) <= 21


@given(st.lists(st.integers(0, 4), min_size=1, max_size=5))
def test_picking_environments_keeps_everything_else(envs: list[int]) -> None:
    full = scenario_of("hospital", "inside", 5)
    picked = pick(full, envs)
    assert picked.offset == tuple(full.offset[e] for e in envs)
    assert (picked.n_samples, picked.heterogeneity, picked.noise) == (
        full.n_samples,
        full.heterogeneity,
        full.noise,
    )


def test_an_environment_is_left_out_only_where_the_rest_has_treated_and_untreated_units() -> None:
    assert left_out_scenarios("hospital", 2) == [None, None]
    assert [item is None for item in left_out_scenarios("hospital", 3)] == [False, True, False]
    assert None not in left_out_scenarios("hospital", 4)
    assert None not in left_out_scenarios("leaky", 2)
    for item in left_out_scenarios("hospital", 4):
        assert item is not None
        assert len(set(sample(item, 0).t)) == 2


def test_the_unseen_environment_repeats_no_training_row_and_speaks_the_same_inputs() -> None:
    config = config_of("waves", scenario_of("waves", "inside", 2), 2, 1)
    for replicate in (0, 1):
        seed = FIRST_SEED + replicate
        rows, (train_rows, _) = fresh_rows(unseen("waves", "inside"), seed), data_of(config, replicate)
        assert not np.isin(np.round(rows.z[:, 0], 9), np.round(train_rows.z[:, 0], 9)).any()
        # One linear map leads from latents to inputs, in the training rows and in the unseen ones.
        latents = np.concatenate([train_rows.z, train_rows.s], axis=1)
        mixing = np.linalg.lstsq(latents, train_rows.x, rcond=None)[0]
        np.testing.assert_allclose(np.concatenate([rows.z, rows.s], axis=1) @ mixing, rows.x, atol=1e-8)


# -- measuring ---------------------------------------------------------------------------------------------------------


def test_errors_are_those_of_each_replicates_own_networks_on_its_own_rows() -> None:
    run = train(config_of("hospital", scenario_of("hospital", "inside", 2), 2, 1))
    there = unseen("hospital", "inside")
    effect, factual = errors_on(run, there)
    assert effect.shape == factual.shape == (2, len(LAMS))
    for replicate in range(2):
        rows = fresh_rows(there, FIRST_SEED + replicate)
        for index in range(len(LAMS)):
            m = replicate * len(LAMS) + index
            _, y0_hat, y1_hat = predict({name: value[m : m + 1] for name, value in run.weights.items()}, rows.x)
            tau = (y1_hat - y0_hat)[0]
            assert effect[replicate, index] == pytest.approx(float(ite_rmse(tau, rows.ite)))
            by_hand = [((y1_hat if t else y0_hat)[0, i] - rows.y[i]) ** 2 for i, t in enumerate(rows.t)]
            assert factual[replicate, index] == pytest.approx(np.mean(by_hand), rel=1e-4)


def test_a_study_is_made_of_stored_runs_and_says_what_is_not_defined(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crl_core.studies.environments.SIZES", (2, 3))
    monkeypatch.setattr("crl_core.studies.environments.N_FRESH", 200)
    small = PRESETS["hospital"].config.scenario.__class__(
        n_samples=300, propensity=(1.0, 0.0), offset=(2.0, -2.0), heterogeneity=0.5
    )
    config = type(PRESETS["hospital"].config)(scenario=small, training=PRESETS["hospital"].config.training)
    monkeypatch.setattr("crl_core.studies.environments.preset", lambda name: config)
    store = store_in(tmp_path)
    heard: list[object] = []
    study = run_environments("hospital", 2, store, Here(store, heard.append), epochs=1)
    assert set(store.keys()) == {config.key for config, _ in runs_of("hospital", 2, 1)}
    assert study.folds == ((), (0, 2))
    assert np.isnan(study.at("left_out.ite_rmse", 1.0)[0]).all()
    assert np.isfinite(study.at("left_out.ite_rmse", 1.0)[1]).all()
    for name, values in study.series.items():
        assert values.shape == (2, 2, len(LAMS)), name
    heard.clear()
    again = run_environments("hospital", 2, store, Here(store, heard.append), epochs=1)
    assert heard == []
    for name in study.series:
        np.testing.assert_array_equal(study.series[name], again.series[name])


@pytest.mark.parametrize(
    ("preset_id", "seeds", "says"),
    [("hotel", 5, "no preset 'hotel'"), ("hospital", 0, "seeds is 0"), ("hospital", 99, "seeds is 99")],
)
def test_bad_input_is_one_sentence(preset_id: str, seeds: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        runs_of(preset_id, seeds)
    assert main(["environments", "--preset", "hotel"]) == 2


def test_a_study_survives_json() -> None:
    study = made_up(left_out__ite_rmse=np.full((len(SIZES), 2, len(LAMS)), np.nan))
    content = study.to_dict()
    content["series"] = {
        k: [[[None if v != v else v for v in r] for r in s] for s in m] for k, m in content["series"].items()
    }
    back = EnvironmentsStudy.from_dict(json.loads(json.dumps(content, allow_nan=False)))
    assert back.folds == study.folds
    for name in study.series:
        np.testing.assert_array_equal(back.series[name], study.series[name])


@pytest.mark.parametrize(
    "change",
    [
        {"recipe_version": -1},
        {"lams": [0, 1]},
        {"series": None},
        {"series": {}},
        {"seeds": 3},
        {"left_out": 3},
    ],
)
def test_a_stored_study_of_another_form_is_refused_in_one_sentence(change: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / BAKED.file).write_text(json.dumps(made_up().to_dict() | change))
    assert baked_environments(tmp_path, "hospital") is None
    assert re.fullmatch(
        r"The stored study environments .*; run it again: python -m crl_core bake --only environments\.",
        str(BAKED.problem(tmp_path)),
    )
    assert baked_environments(tmp_path, "leaky") is None
    assert baked_environments(tmp_path / "nowhere", "hospital") is None


# -- in words ----------------------------------------------------------------------------------------------------------


def test_the_answer_counts_seeds_and_never_says_more_than_they_do() -> None:
    values = np.ones((len(SIZES), 2, len(LAMS)))
    values[-1, 0] = 0.5
    words = report.headline(
        made_up(
            unseen__inside__ite_rmse=values,
            unseen__range__ite_rmse=values * np.array([1, 0.9, 0.8, 0.7])[:, None, None],
        )
    )
    assert words == (
        "From 2 to 5 environments at λ = 1, the effect error on one that no network has seen: "
        "wider range: no verdict (1.00 → 0.52, lower in 2 of 2 seeds); between the first two: no verdict "
        "(1.00 → 0.75, lower in 1 of 2 seeds); exact copies: no verdict (1.00 → 1.00, lower in 0 of 2 seeds). "
        "No verdicts: these are 2 of the 5 seeds that a verdict takes."
    )


def test_the_answer_says_lower_from_five_seeds_on_where_students_t_does_and_no_broken_network_is_left_out() -> None:
    lower, noise, broken = (np.ones((len(SIZES), 6, len(LAMS))) for _ in range(3))
    lower[-1] = np.array([0.5, 0.6, 0.45, 0.55, 0.5, 0.6])[:, None]
    noise[-1] = np.array([0.5, 1.6, 0.9, 1.4, 0.7, 1.1])[:, None]
    broken[-1] = 0.5
    broken[-1, 0] = np.nan
    study = made_up(unseen__range__ite_rmse=lower, unseen__inside__ite_rmse=noise, unseen__copies__ite_rmse=broken)
    words = report.headline(replace(study, seeds=6))
    assert "wider range: lower (1.00 → 0.53, lower in 6 of 6 seeds)" in words
    assert "between the first two: no difference seen (1.00 → 1.00, lower in 3 of 6 seeds)" in words
    assert "exact copies: no verdict, a network broke (1.00 → 0.50, lower in 5 of 6 seeds)" in words
    assert "No verdicts" not in words


def test_a_broken_network_counts_as_the_worst_on_either_side() -> None:
    values = np.ones((len(SIZES), 2, len(LAMS)))
    values[-1, 0] = np.nan
    values[0, 1] = np.nan
    moved = report.change(made_up(unseen__copies__ite_rmse=values), "unseen.copies.ite_rmse", 1.0, 2, 5)
    assert moved is not None
    assert moved.better == 1
    mixing = report.change(made_up(within__knn_mixing=values), "within.knn_mixing", 1.0, 2, 5, smaller_is_better=False)
    assert mixing is not None
    assert mixing.better == 1


def test_the_left_out_rule_picks_the_least_mean_error_and_pays_the_true_one() -> None:
    left, error = np.ones((len(SIZES), 2, len(LAMS))), np.ones((len(SIZES), 2, len(LAMS)))
    left[2, :, 1] = 0.5
    error[2] = [4.0, 3.0, 2.0, 1.5]
    rows = {
        (row.envs, row.rule): row
        for row in report.rules(made_up(left_out__factual_mse=left, seen__inside__ite_rmse=error))
    }
    row = rows[4, "least factual error on the environment left out"]
    assert row.lams == (0.1, 0.1)
    assert row.regrets == pytest.approx((2.0, 2.0))
    assert "nothing to align" in rows[2, "least factual error on the environment left out"].reason


@given(st.lists(st.one_of(st.floats(0.001, 1e3), st.just(float("nan"))), min_size=1, max_size=7))
def test_spread_is_the_median_with_broken_seeds_at_the_end(values: list[float]) -> None:
    least, middle, largest = spread(np.array(values))
    finite = [v for v in values if v == v]
    if not finite:
        assert np.isnan([least, middle, largest]).all()
        return
    assert least == min(finite)
    assert largest == (np.inf if len(finite) < len(values) else max(finite))
    if len(finite) == len(values):
        assert middle == pytest.approx(np.median(finite))
    assert least <= middle <= largest


def test_figures_say_so_where_nothing_is_defined_and_hold_no_nan() -> None:
    nothing = [Line(name="λ = 1", values=np.full((len(SIZES), 2), np.nan))]
    drawn = by_envs(SIZES, nothing, palette("dark"), title="T", label="L")
    assert "No value is defined" in drawn.layout.annotations[0].text
    assert "nan" not in by_envs_svg(SIZES, nothing, palette("light"), title="T", label="L", log=True)
    half = [Line(name="λ = 1", values=np.array([[np.nan, np.nan], [1.0, np.nan], [2.0, 3.0], [4.0, 5.0]]))]
    for log in (False, True):
        svg = by_envs_svg(SIZES, half, palette("light"), title="T", label="L", log=log)
        assert "nan" not in svg
        assert svg.count("<circle") == 2  # not defined, and broken in the median, are not drawn as numbers
        assert by_envs(SIZES, half, palette("dark"), title="T", label="L", log=log).data[0].name == "λ = 1"


def test_the_reports_hold_the_same_numbers_and_need_nothing_from_outside() -> None:
    rng = np.random.default_rng(0)
    study = made_up(unseen__range__ite_rmse=rng.uniform(0.1, 0.9, (len(SIZES), 2, len(LAMS))))
    page, text = report.html(study), report.markdown(study)
    for cell in report.table_cells(study, report.UNSEEN)[0]:
        assert cell in page
        assert cell in text
    assert page.count("<svg") == text.count("data:image/svg+xml") == 9
    assert not re.findall(r"(?:src|href)=[\"']?http", page)
    assert "nan" not in page.lower().replace("nance", "")
    assert "--preset hospital --seeds 2" in page


def test_the_study_that_comes_with_the_program_is_of_this_recipe() -> None:
    study = baked_environments(RunStore().baked, "hospital")
    assert study is not None
    assert study.to_dict()["recipe_version"] == RECIPE_VERSION
    assert study.seeds >= 5


def test_unbiased_mmd2_is_the_u_statistic_computed_pair_by_pair() -> None:
    run = train(config_of("hospital", replace(scenario_of("hospital", "inside", 3), n_samples=300), 2, 1))
    found = unbiased_mmd2(run)
    assert found.shape == (2, len(LAMS))
    rows = mmd_rows(view_rows(run.config, 1))
    m = len(LAMS) + 2
    phi = predict({name: value[m : m + 1] for name, value in run.weights.items()}, rows.x)[0][0].astype(float)
    distances = [np.linalg.norm(a - b) for i, a in enumerate(phi) for b in phi[:i]]
    h = sorted(distances)[(len(distances) - 1) // 2]
    groups = [phi[rows.env == e] for e in range(3)]

    def mean_kernel(a: np.ndarray, b: np.ndarray, own: bool) -> float:
        values = [
            np.exp(-np.sum((u - v) ** 2) / (2 * h**2))
            for i, u in enumerate(a)
            for j, v in enumerate(b)
            if not own or i != j
        ]
        return float(np.mean(values))

    pairs = [
        mean_kernel(a, a, True) + mean_kernel(b, b, True) - 2 * mean_kernel(a, b, False)
        for k, a in enumerate(groups)
        for b in groups[:k]
    ]
    assert found[1, 2] == pytest.approx(np.mean(pairs), abs=1e-6)


def test_more_environments_raise_the_biased_mmd2_of_one_distribution_and_not_the_unbiased_one() -> None:
    rng = np.random.default_rng(0)
    kernel, means = gaussian_kernel(rng.standard_normal((400, 3))), {}
    for n_envs in (2, 5):
        labels = np.stack([rng.permutation(np.arange(400) % n_envs) for _ in range(200)])
        means[n_envs] = [pairs_mmd2(kernel, labels, unbiased=unbiased).mean() for unbiased in (False, True)]
    assert means[5][0] > 2 * means[2][0]
    assert max(abs(means[n_envs][1]) for n_envs in (2, 5)) < 0.1 * means[2][0]


@pytest.mark.slow
def test_new_environments_help_where_nobody_has_been_and_copies_do_not(tmp_path: Path) -> None:
    """At λ = 0, where the third environment matters most; copies are compared in the median."""
    there, seeds = {}, 4
    for name, n_envs in (("range", 2), ("range", 3), ("range", 5), ("inside", 5), ("copies", 5)):
        run = train(config_of("hospital", scenario_of("hospital", name, n_envs), seeds, 15))
        there[name, n_envs] = errors_on(run, unseen("hospital", name))[0][:, LAMS.index(0.0)]
        if name == "range" and n_envs == 2:
            there["inside", 2] = errors_on(run, unseen("hospital", "inside"))[0][:, LAMS.index(0.0)]
    assert np.median(there["range", 5]) < 0.6 * np.median(there["range", 2])
    assert np.median(there["inside", 5]) < 0.5 * np.median(there["inside", 2])
    assert np.median(there["copies", 5]) > 0.6 * np.median(there["range", 2])


def test_a_study_of_a_world_whose_effects_are_not_known_has_gaps_for_them_and_all_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(wanted: Wanted, *_: object) -> dict[RunConfig, Found]:
        values = {config: np.full(config.training.n_models, 0.5) for config, _ in wanted}
        return {
            config: (without_truth(made_up_result(config)), {"knn_mixing": found, "domain_auc": found})
            for config, found in values.items()
        }

    drawn = environments.fresh_rows
    monkeypatch.setattr(environments, "ensure_runs", trained)
    monkeypatch.setattr(environments, "fresh_rows", lambda *a: replace(drawn(*a), y0=None, y1=None))
    study = run_environments("hospital", 1, store_in(tmp_path), epochs=1)
    for name, values in study.series.items():
        about_effects = name.endswith(("ite_rmse", "gap_ite"))
        assert np.isnan(values).all() == about_effects, name
