"""Comparing runs: the settings that differ, and differences over replicates with what they do not know."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial
from statistics import mean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_core import preset, sample
from crl_core.measures.comparison import (
    Difference,
    difference,
    differences,
    differing_settings,
    figures_at,
    least_over_lam,
    nearest_pair,
    of_lam,
    outcome,
    same_draws,
    seeds,
    settings_apart,
    signed,
)
from crl_core.metrics import Metric
from crl_core.results import RunResult
from tests.crl_core.made_up import made_up_result, tiny_config

HOSPITAL, SHIFTED = preset("hospital"), preset("shifted")
VALUES = st.floats(-100, 100).map(lambda value: round(value, 3))


def trained(**changes: object):  # type: ignore[no-untyped-def]
    return replace(HOSPITAL, training=replace(HOSPITAL.training, **changes))


def sorted_quantile(values: list[float], share: float) -> float:
    """The least value that at least `share` of all lie at or below."""
    ordered = sorted(values)
    return next(v for i, v in enumerate(ordered) if (i + 1) / len(ordered) >= share - 1e-12)


def by_loops(a: list[float], b: list[float]) -> tuple[float, float]:
    """The unpaired interval, every resample of both written out."""
    means = [
        mean(y) - mean(x) for x in itertools.product(a, repeat=len(a)) for y in itertools.product(b, repeat=len(b))
    ]
    return sorted_quantile(means, 0.025), sorted_quantile(means, 0.975)


def test_only_settings_that_differ_are_listed_with_each_runs_value() -> None:
    found = differing_settings([HOSPITAL, SHIFTED, trained(seed=5)])
    assert [(row.name, row.values) for row in found] == [
        ("mean of z", ("0 in each", "1.5, −1.5", "0 in each")),
        ("seed", ("0", "0", "5")),
    ]
    assert differing_settings([HOSPITAL, trained(device="cpu")]) == []


def test_runs_with_other_environments_and_grids_can_be_listed() -> None:
    found = {row.name: row.values for row in differing_settings([HOSPITAL, preset("hospitals"), trained(lams=(0, 1))])}
    assert found["environments"] == ("2", "4", "2")
    assert found["λ grid"] == ("16 λ, 0 to 100", "16 λ, 0 to 100", "0, 1")


def test_grids_with_the_same_ends_do_not_look_alike() -> None:
    one, other = (0.0, 1, 2, 3, 4, 5, 9), (0.0, 1, 2, 3, 4, 6, 9)
    row = differing_settings([trained(lams=one), trained(lams=other)])[0]
    assert len(set(row.values)) == 2


def test_a_runs_distance_counts_its_settings() -> None:
    assert settings_apart(HOSPITAL, SHIFTED) == 1
    assert settings_apart(HOSPITAL, trained(seed=1, epochs=9)) == 2


def test_equal_seeds_draw_the_same_units_where_pairing_says_so() -> None:
    assert same_draws(HOSPITAL, SHIFTED)
    a, b = sample(HOSPITAL.scenario, 3), sample(SHIFTED.scenario, 3)
    assert a.z is not None
    assert b.z is not None
    shift = np.array(SHIFTED.scenario.cause_mean)[b.env][:, None]
    np.testing.assert_allclose(b.z - shift, a.z, atol=1e-12)


@pytest.mark.parametrize("name", ["hospitals", "sensors"])
def test_worlds_of_another_shape_are_not_paired(name: str) -> None:
    assert not same_draws(HOSPITAL, preset(name))


def test_a_replicates_seed_is_the_runs_seed_plus_its_number() -> None:
    assert seeds(trained(seed=7, replicates=3)).tolist() == [7, 8, 9]


@given(st.lists(st.tuples(VALUES, VALUES), min_size=2, max_size=4))
def test_a_paired_interval_is_that_of_every_resample_of_the_differences(
    pairs: list[tuple[float, float]],
) -> None:
    a, b = (np.array(column) for column in zip(*pairs, strict=True))
    found = difference(a, b, np.arange(len(a)), np.arange(len(b)), pair=True)
    apart = [y - x for x, y in pairs]
    means = [mean(chosen) for chosen in itertools.product(apart, repeat=len(apart))]
    assert found.paired
    assert found.n == len(pairs)
    assert found.mean == pytest.approx(mean(apart), abs=1e-9)
    assert found.low == pytest.approx(sorted_quantile(means, 0.025), abs=1e-6)
    assert found.high == pytest.approx(sorted_quantile(means, 0.975), abs=1e-6)


@given(st.lists(VALUES, min_size=2, max_size=3), st.lists(VALUES, min_size=2, max_size=3))
def test_an_unpaired_interval_is_that_of_every_resample_of_both(a: list[float], b: list[float]) -> None:
    found = difference(np.array(a), np.array(b), np.arange(len(a)), np.arange(len(b)) + 50, pair=True)
    low, high = by_loops(a, b)
    assert not found.paired
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))


def test_pairing_follows_the_seeds_and_not_the_order() -> None:
    a, b = np.array([1.0, 2.0, 3.0]), np.array([12.0, 13.0, 14.0])
    found = difference(a, b, np.array([0, 1, 2]), np.array([1, 2, 3]), pair=True)
    assert (found.n, found.mean, found.low, found.high) == (2, 10.0, 10.0, 10.0)
    assert found.seen
    assert found.same_sign


@given(st.lists(VALUES, min_size=2, max_size=4), st.lists(VALUES, min_size=2, max_size=4), st.booleans())
def test_swapping_the_runs_turns_the_sign(a: list[float], b: list[float], pair: bool) -> None:
    sa, sb = np.arange(len(a)), np.arange(len(b))
    one = difference(np.array(a), np.array(b), sa, sb, pair=pair)
    other = difference(np.array(b), np.array(a), sb, sa, pair=pair)
    assert one.mean == pytest.approx(-other.mean, abs=1e-9)
    assert one.low <= one.mean + 1e-9
    assert one.mean - 1e-9 <= one.high


def test_a_run_against_itself_shows_no_difference() -> None:
    values = np.array([0.3, 0.1, 0.2])
    found = difference(values, values, np.arange(3), np.arange(3), pair=True)
    assert (found.mean, found.low, found.high, found.seen) == (0.0, 0.0, 0.0, False)
    assert "no difference seen between A and B" in outcome("ITE RMSE", found, "A", "B")


def test_many_replicates_agree_with_the_normal_interval() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 20), rng.normal(2, 1, 20)
    found = difference(a, b, np.arange(20), np.arange(20) + 100, pair=True)
    half = 1.96 * np.sqrt(a.var() / 20 + b.var() / 20)
    assert found.low == pytest.approx(b.mean() - a.mean() - half, abs=0.08)
    assert found.high == pytest.approx(b.mean() - a.mean() + half, abs=0.08)
    assert found == difference(a, b, np.arange(20), np.arange(20) + 100, pair=True)  # the same every time


def test_three_replicates_hold_the_truth_three_times_in_four() -> None:
    """What the page says of so few: the interval then runs from the smallest to the largest."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(1000):
        apart = rng.normal(0, 1, 3)
        found = difference(np.zeros(3), apart, np.arange(3), np.arange(3), pair=True)
        assert (found.low, found.high) == (pytest.approx(apart.min()), pytest.approx(apart.max()))
        held += found.low <= 0 <= found.high
    assert 0.70 < held / 1000 < 0.80


def test_a_diverged_replicate_is_left_out_with_its_partner() -> None:
    a, b = np.array([1.0, np.nan, 3.0]), np.array([2.0, 9.0, 5.0])
    found = difference(a, b, np.arange(3), np.arange(3), pair=True)
    assert (found.n, found.mean) == (2, 1.5)


@pytest.mark.parametrize("pair", [True, False])
def test_without_numbers_nothing_is_claimed(pair: bool) -> None:
    gone = difference(np.array([np.nan] * 2), np.array([1.0, 2.0]), np.arange(2), np.arange(2), pair=pair)
    assert not gone.known
    assert not gone.seen
    assert "no number here" in outcome("MMD²", gone, "A", "B")
    single = difference(np.array([1.0]), np.array([3.0]), np.arange(1), np.arange(1), pair=pair)
    assert single.mean == 2.0
    assert not single.has_interval
    assert not single.seen
    assert "single replicate" in outcome("MMD²", single, "A", "B")


def test_the_sentence_says_direction_size_and_interval() -> None:
    found = Difference(mean=-0.25, low=-0.4, high=-0.1, n=3, paired=True, same_sign=True)
    assert outcome("ITE RMSE", found, "A", "B") == (
        "ITE RMSE: B is lower than A by 0.25 (95 % interval of B − A: −0.4 to −0.1), in each of 3 pairs of replicates."
    )
    assert [signed(value) for value in (0.0, -1.0, 2.5, np.nan)] == ["0", "−1", "+2.5", "–"]


def test_a_figure_is_read_at_its_lam_and_at_its_best() -> None:
    config = tiny_config()
    config = replace(config, training=replace(config.training, lams=(0.0, 1.0, 2.0), replicates=2))
    values = np.array([3.0, 1.0, np.nan, np.nan, np.nan, np.nan])
    result = replace(made_up_result(config), ite_rmse=values)
    np.testing.assert_array_equal(of_lam(result, result.ite_rmse, 1.0), [1.0, np.nan])
    np.testing.assert_array_equal(least_over_lam(result, result.ite_rmse), [1.0, np.nan])
    assert np.isnan(of_lam(result, None, 1.0)).all()
    assert np.isnan(least_over_lam(result, None)).all()


def test_the_two_runs_that_are_most_alike_are_found_the_first_such_two() -> None:
    far, near = trained(seed=5, epochs=9, hidden=7), trained(seed=5)
    assert nearest_pair([SHIFTED, far, HOSPITAL, near]) == (0, 2)
    assert nearest_pair([far, near]) == (0, 1)
    assert settings_apart(far, near) == 2


def test_runs_are_compared_by_figures_that_may_be_missing_and_paired_where_they_draw_the_same() -> None:
    config = tiny_config()
    config = replace(config, training=replace(config.training, replicates=3))
    one = replace(made_up_result(config), ite_rmse=np.array([4.0, 2.0, 5.0, 3.0, 6.0, 1.0]))
    other = replace(one, ite_rmse=one.ite_rmse - 0.5)  # type: ignore[operator]

    def without_mmd2(run: RunResult, metric: Metric) -> np.ndarray | None:
        return np.full(6, np.nan) if metric.name == "mmd2" else run.metric(metric, None)

    a, b = (figures_at(run, 1.0, partial(without_mmd2, run)) for run in (one, other))
    np.testing.assert_array_equal(a["ITE RMSE"], [2, 3, 1])
    np.testing.assert_array_equal(a["factual MSE"], one.factual_mse[1::2])
    assert np.isnan(a["MMD²"]).all()
    assert np.isnan(a["domain AUC"]).all()
    found = differences(config, config, a, b)
    assert list(found) == list(a)
    assert (found["ITE RMSE"].mean, found["ITE RMSE"].low, found["ITE RMSE"].high) == (-0.5, -0.5, -0.5)
    assert found["ITE RMSE"].paired
    assert not found["domain AUC"].known
    larger = replace(config, scenario=replace(config.scenario, n_samples=300))
    assert not differences(config, larger, a, b)["ITE RMSE"].paired
