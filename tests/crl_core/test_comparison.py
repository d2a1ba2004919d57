"""Comparing runs: the settings that differ, and differences over replicates with what they do not know."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from crl_core import preset, sample
from crl_core.config.text import imagined
from crl_core.measures.comparison import (
    AT_BEST,
    Difference,
    best_over_lam,
    difference,
    differences,
    differing_settings,
    figures_at,
    nearest_pair,
    of_lam,
    outcome,
    same_draws,
    seeds,
    settings_apart,
    signed,
    together,
)
from crl_core.metrics import Metric
from crl_core.results import RunResult
from tests.crl_core.made_up import made_up_result, tiny_config

HOSPITAL, SHIFTED = preset("linear"), preset("shifted")
VALUES = st.floats(-100, 100).map(lambda value: round(value, 3))


def trained(**changes: object):  # type: ignore[no-untyped-def]
    return replace(HOSPITAL, training=replace(HOSPITAL.training, **changes))


def test_what_is_one_value_for_all_environments_is_no_difference_where_one_run_has_more_of_them() -> None:
    three = imagined(HOSPITAL, n_envs=3)
    assert three is not None
    found = {row.name: row.values for row in differing_settings([HOSPITAL, three])}
    assert found["environments"] == ("2", "3")
    assert set(found) == {"environments", "σ", "offset of s", "P(t = 1)"}


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


@given(st.lists(st.tuples(VALUES, VALUES), min_size=2, max_size=12))
def test_a_paired_interval_and_p_are_scipys_paired_t(pairs: list[tuple[float, float]]) -> None:
    a, b = (np.array(column) for column in zip(*pairs, strict=True))
    assume(np.ptp(b - a) > 1e-6)
    found = difference(a, b, np.arange(len(a)), np.arange(len(b)), pair=True)
    theirs = scipy.stats.ttest_rel(b, a)
    low, high = theirs.confidence_interval(0.95)
    assert (found.paired, found.n) == (True, len(pairs))
    assert (found.low, found.high) == (pytest.approx(low, rel=1e-6), pytest.approx(high, rel=1e-6))
    assert found.p == pytest.approx(theirs.pvalue, abs=1e-9)


@given(st.lists(VALUES, min_size=2, max_size=9), st.lists(VALUES, min_size=2, max_size=9))
def test_an_unpaired_interval_and_p_are_scipys_welch(a: list[float], b: list[float]) -> None:
    assume(np.ptp(a) + np.ptp(b) > 1e-6)
    found = difference(np.array(a), np.array(b), np.arange(len(a)), np.arange(len(b)) + 50, pair=True)
    theirs = scipy.stats.ttest_ind(b, a, equal_var=False)
    low, high = theirs.confidence_interval(0.95)
    assert not found.paired
    assert (found.low, found.high) == (pytest.approx(low, rel=1e-6), pytest.approx(high, rel=1e-6))
    assert found.p == pytest.approx(theirs.pvalue, abs=1e-9)


def test_pairing_follows_the_seeds_and_not_the_order() -> None:
    a, b = np.arange(1.0, 7.0), np.arange(11.0, 17.0)
    found = difference(a, b, np.arange(6), np.arange(6) + 1, pair=True)
    assert (found.n, found.mean, found.low, found.high) == (5, 9.0, 9.0, 9.0)
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
    values = np.array([0.3, 0.1, 0.2, 0.5, 0.4])
    found = difference(values, values, np.arange(5), np.arange(5), pair=True)
    assert (found.mean, found.low, found.high, found.seen) == (0.0, 0.0, 0.0, False)
    assert "no difference seen between A and B" in outcome("ITE RMSE", found, "A", "B")


def errors(rng: np.random.Generator, n: int, k: int, *, skewed: bool, paired: bool) -> np.ndarray:
    """Errors of k runs over n seeds that differ by chance alone, [k, n]; what a seed's data do is shared if paired."""
    own = rng.normal(size=(k, n))
    found = own + (rng.normal(size=n) if paired else 0.0)
    return np.exp(0.7 * found) if skewed else found


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("skewed", [True, False])
@pytest.mark.parametrize("n", [3, 5, 10])
def test_where_there_is_no_difference_one_is_seen_in_seven_of_a_hundred_comparisons_at_most(
    n: int, skewed: bool, paired: bool
) -> None:
    """The interval's own coverage as well, since below five seeds none is ever said to be seen."""
    rng, draws = np.random.default_rng(n), 2000
    missed = seen = 0
    for _ in range(draws):
        a, b = errors(rng, n, 2, skewed=skewed, paired=paired)
        found = difference(a, b, np.arange(n), np.arange(n) + (0 if paired else 50), pair=True)
        missed += found.low > 0 or found.high < 0
        seen += found.seen
    assert missed / draws <= 0.07
    assert seen == (0 if n < 5 else missed)


@pytest.mark.parametrize("n", [5, 10])
@pytest.mark.parametrize("skewed", [True, False])
def test_of_ten_comparisons_at_once_none_is_seen_by_chance_in_93_of_a_hundred_families(n: int, skewed: bool) -> None:
    rng, families = np.random.default_rng(n), 1000
    wrong = alone = 0
    for _ in range(families):
        none, *ten = errors(rng, n, 11, skewed=skewed, paired=True)
        found = [difference(none, one, np.arange(n), np.arange(n), pair=True) for one in ten]
        alone += any(one.seen for one in found)
        wrong += any(one.seen for one in together(found))
    assert wrong / families <= 0.07
    assert alone / families > 0.15  # what the adjustment is for


def test_a_large_difference_is_seen_among_ten_and_a_small_one_only_by_itself() -> None:
    noise = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    none = np.zeros(5)
    small, large = (difference(none, noise + by, np.arange(5), np.arange(5), pair=True) for by in (2.5, 30.0))
    same = difference(none, noise, np.arange(5), np.arange(5), pair=True)
    assert small.seen
    found = together([small, large, *[same] * 8])
    assert [one.seen for one in found] == [False, True] + [False] * 8
    assert (found[0].low, found[0].high) == (small.low, small.high)


def test_below_five_replicates_nothing_is_concluded_and_the_sentence_says_how_many_it_takes() -> None:
    a, b = np.zeros(4), np.array([1.0, 1.01, 0.99, 1.0])
    found = difference(a, b, np.arange(4), np.arange(4), pair=True)
    assert found.low > 0
    assert not found.seen
    assert not together([found])[0].seen
    said = outcome("ITE RMSE", found, "A", "B")
    assert "from 4 of the 5 seeds that a verdict takes: no conclusion." in said


def test_the_best_lam_of_a_replicate_is_chosen_in_the_others_and_gains_nothing_where_lam_does_nothing() -> None:
    rng, seen, draws = np.random.default_rng(0), 0, 400
    config = tiny_config()
    config = replace(
        config, training=replace(config.training, lams=tuple(float(lam) for lam in range(8)), replicates=5)
    )
    run = made_up_result(config)
    for _ in range(draws):
        grid = np.exp(0.3 * rng.normal(size=(5, 8)))
        best = best_over_lam(replace(run, ite_rmse=grid.ravel()), grid.ravel())
        found = difference(grid[:, 0], best, np.arange(5), np.arange(5), pair=True)
        seen += found.seen and found.mean < 0
        assert difference(grid[:, 0], grid.min(axis=1), np.arange(5), np.arange(5), pair=True).mean <= 0
    assert seen / draws <= 0.05


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
    found = Difference(mean=-0.25, low=-0.4, high=-0.1, n=6, paired=True, same_sign=True, p=0.01)
    assert outcome("ITE RMSE", found, "A", "B") == (
        "ITE RMSE: B is lower than A by 0.25 (95 % interval of B − A: −0.4 to −0.1), in each of 6 pairs of replicates."
    )
    assert [signed(value) for value in (0.0, -1.0, 2.5, np.nan)] == ["0", "−1", "+2.5", "–"]


def test_a_figure_is_read_at_its_lam_and_at_its_best() -> None:
    config = tiny_config()
    config = replace(config, training=replace(config.training, lams=(0.0, 1.0, 2.0), replicates=2))
    values = np.array([3.0, 1.0, np.nan, np.nan, np.nan, np.nan])
    result = replace(made_up_result(config), ite_rmse=values)
    np.testing.assert_array_equal(of_lam(result, result.ite_rmse, 1.0), [1.0, np.nan])
    np.testing.assert_array_equal(best_over_lam(result, result.ite_rmse), [np.nan, np.nan])
    known = np.array([3.0, 1.0, 2.0, 5.0, 4.0, 0.5])
    np.testing.assert_array_equal(best_over_lam(result, known), [2.0, 4.0])
    assert np.isnan(of_lam(result, None, 1.0)).all()
    assert np.isnan(best_over_lam(result, None)).all()
    assert AT_BEST in figures_at(result, 1.0, lambda metric: result.metric(metric, None))


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
    np.testing.assert_array_equal(a["effect error"], [2, 3, 1])
    np.testing.assert_array_equal(a["factual error"], one.factual_mse[1::2])
    assert np.isnan(a["MMD²"]).all()
    assert np.isnan(a["domain AUC"]).all()
    found = differences(config, config, a, b)
    assert list(found) == list(a)
    assert (found["effect error"].mean, found["effect error"].low, found["effect error"].high) == (-0.5, -0.5, -0.5)
    assert found["effect error"].paired
    assert not found["domain AUC"].known
    larger = replace(config, scenario=replace(config.scenario, n_samples=300))
    assert not differences(config, larger, a, b)["effect error"].paired
