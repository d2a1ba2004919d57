"""What estimated effects are worth without a truth: slope, thirds, groups, policy curve, and the words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crl_core.measures.doubly_robust import Estimate, nuisances, scores, untreated_scores
from crl_core.measures.effect_checks import (
    LEAST_IN_GROUP,
    POINTS,
    THIRDS,
    Calibration,
    Thirds,
    by_group,
    by_thirds,
    calibration,
    policy_curve,
)
from crl_core.measures.effect_words import COVERED_ON_IHDP, spread_words, verdict
from tests.crl_core.test_doubly_robust import drawn

N = 60
NUMBER = st.floats(-100, 100).map(lambda value: round(value, 3))
ROWS = hnp.arrays(np.float64, N, elements=NUMBER)
# Few different effects, so that many are tied.
EFFECTS = st.one_of(ROWS, hnp.arrays(np.float64, N, elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0])))
NONE = np.zeros(N, dtype=bool)
NO_THIRDS = Thirds(groups=(), predicted_gap=np.nan, found_gap=Estimate(value=np.nan, se=np.nan), reason="none")


def test_the_slope_is_1_for_the_true_effects_half_for_twice_them_and_0_where_they_are_shuffled() -> None:
    draws, slopes, within, kinds = 30, [], np.zeros(2), []
    for seed in range(draws):
        rows = drawn(seed, 1000)
        known, tau = nuisances(rows, seed), rows.ite
        assert tau is not None
        found = scores(rows, known)
        as_they_are, twice = (calibration(found, times * tau, known.clipped) for times in (1, 2))
        mixed = calibration(found, np.random.default_rng(seed).permutation(tau), known.clipped)
        within += [abs(as_they_are.slope - 1) <= 2 * as_they_are.se, abs(mixed.slope) <= 2 * mixed.se]
        assert (twice.slope, twice.se) == pytest.approx((as_they_are.slope / 2, as_they_are.se / 2))
        slopes.append((as_they_are.slope, mixed.slope))
        kinds += [verdict(item, by_thirds(found, tau)).kind for item in (as_they_are, twice, mixed)]
    np.testing.assert_allclose(np.mean(slopes, axis=0), [1, 0], atol=0.1)
    assert (within >= 0.85 * draws).all(), within
    assert [max(set(kinds[at::3]), key=kinds[at::3].count) for at in range(3)] == [
        "confirmed",
        "smaller",
        "unconfirmed",
    ]


@given(found=ROWS, effects=ROWS)
@settings(max_examples=50)
def test_the_line_and_its_robust_error_are_those_of_the_sandwich(found: np.ndarray, effects: np.ndarray) -> None:
    if effects.std() < 0.01:
        return
    line = calibration(found, effects, NONE)
    x = np.column_stack([np.ones(N), effects])
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ x.T @ found
    meat = sum(np.outer(row, row) * (y - row @ beta) ** 2 for row, y in zip(x, found, strict=True))
    variance = N / (N - 2) * bread @ meat @ bread
    assert (line.intercept, line.slope) == pytest.approx(tuple(beta), rel=1e-4, abs=1e-4)
    assert line.se == pytest.approx(np.sqrt(variance[1, 1]), rel=1e-3, abs=1e-4)


@given(found=ROWS, effect=NUMBER)
def test_effects_that_do_not_vary_have_no_slope_no_thirds_and_a_reason(found: np.ndarray, effect: float) -> None:
    line, thirds = calibration(found, np.full(N, effect), ~NONE), by_thirds(found, np.full(N, effect))
    assert np.isnan([line.slope, line.se, line.intercept, thirds.predicted_gap, thirds.found_gap.value]).all()
    assert line.reason == thirds.reason == "the predicted effect is the same in all rows"
    assert line.n_clipped == N
    assert thirds.groups == ()


def test_effects_that_are_not_known_have_no_slope_no_thirds_and_no_curve() -> None:
    effects = np.where(np.arange(N) < 2, np.nan, np.arange(N))
    assert calibration(effects, np.arange(N), NONE).reason == "2 of 60 rows have no effect"
    assert by_thirds(np.ones(N), effects).reason == "2 of 60 rows have no effect"
    assert np.isnan(policy_curve(np.ones(N), effects, np.ones(N)).value).all()
    nobody = np.empty(0)
    assert calibration(nobody, nobody, nobody).reason
    assert by_thirds(nobody, nobody).reason
    assert np.isnan(policy_curve(nobody, nobody, nobody).value).all()
    assert calibration(np.arange(2.0), np.arange(2.0), NONE[:2]).reason == "2 rows are too few for a slope"


def test_thirds_are_those_of_sorted_rows_whatever_their_order() -> None:
    rng = np.random.default_rng(0)
    effects, found = rng.permutation(np.arange(90.0)), rng.normal(size=90)
    order = np.argsort(effects)
    thirds = by_thirds(found, effects)
    assert [group.name for group in thirds.groups] == list(THIRDS)
    for group, rows in zip(thirds.groups, np.split(order, 3), strict=True):
        assert (group.n, group.predicted) == (30, effects[rows].mean())
        assert group.effect == pytest.approx(found[rows].mean())
        assert group.se == pytest.approx(found[rows].std(ddof=1) / np.sqrt(30))
    low, _, high = thirds.groups
    assert thirds.predicted_gap == 60
    assert thirds.found_gap.value == pytest.approx(high.effect - low.effect)
    assert thirds.found_gap.se == pytest.approx(np.sqrt(low.se**2 + high.se**2))


def test_rows_of_equal_effect_are_in_one_third_and_a_third_of_few_rows_is_not_shown() -> None:
    effects = np.repeat([0.0, 1.0, 2.0], [40, 30, 20])
    assert [group.n for group in by_thirds(np.ones(90), effects).groups] == [40, 30, 20]
    assert by_thirds(np.ones(90), np.repeat([0.0, 1.0], 45)).reason.startswith("a third has fewer than 10 rows")
    assert by_thirds(np.ones(27), np.arange(27.0)).reason.startswith("a third has fewer than 10 rows")


def test_a_group_of_fewer_than_ten_rows_is_hidden_and_counted() -> None:
    of, names = np.repeat([1, 2, 0], [9, 10, 41]), ("more", "small", "ten", "nobody")
    found = by_group(np.arange(60.0), np.arange(60.0), np.arange(60) < 14, of, names)
    assert [(group.name, group.n) for group in found.shown] == [("more", 41), ("ten", LEAST_IN_GROUP)]
    assert [group.n_clipped for group in found.shown] == [0, 5]
    assert found.hidden == 1
    assert found.shown[1].effect == found.shown[1].predicted == 13.5


@given(found=ROWS, effects=EFFECTS, seed=st.integers(0, 99))
@settings(max_examples=40)
def test_the_policy_curve_is_that_of_treating_sorted_rows_and_tied_ones_by_lot(
    found: np.ndarray, effects: np.ndarray, seed: int
) -> None:
    curve = policy_curve(found, effects, found)
    assert curve.share.tolist() == np.linspace(0, 1, POINTS).tolist()
    for at, share in enumerate(curve.share):
        weights = np.zeros(N)
        left = share * N
        for value in sorted(set(effects.tolist()), reverse=True):
            tied = effects == value
            weights[tied] = min(1.0, left / tied.sum())
            left = max(0.0, left - tied.sum())
        assert curve.value[at] == pytest.approx((weights * found).mean(), abs=1e-9)
        assert curve.se[at] == pytest.approx((weights * found).std(ddof=1) / np.sqrt(N), abs=1e-9)
    assert curve.value[0] == curve.se[0] == 0
    assert curve.value[-1] == pytest.approx(curve.treat_all.value)
    order = np.random.default_rng(seed).permutation(N)
    np.testing.assert_allclose(policy_curve(found[order], effects[order], found).value, curve.value, atol=1e-9)


def test_treating_by_the_true_effect_gains_more_than_by_lot_and_the_curve_ends_at_treating_all() -> None:
    rows = drawn(12, 3000)
    known = nuisances(rows, 0)
    assert rows.ite is not None
    tau = rows.ite - 1  # as many are harmed as are helped
    curve = policy_curve(scores(rows, known) - 1, tau, untreated_scores(rows, known))
    half = POINTS // 2
    assert curve.value[half] - curve.treat_all.value / 2 > 4 * curve.se[half]
    assert curve.value[half] == pytest.approx(np.maximum(tau, 0).mean(), abs=4 * curve.se[half])
    flat = policy_curve(scores(rows, known), np.ones(3000), untreated_scores(rows, known))
    np.testing.assert_allclose(flat.value, flat.share * flat.treat_all.value, atol=1e-12)


LINE = Calibration(slope=1.0, se=0.1, intercept=0.0, n=100, n_clipped=0)


@pytest.mark.parametrize(
    ("changed", "kind", "words"),
    [
        ({"n_clipped": 26}, "worthless", "The slope means nothing here: 26 of 100 rows are hardly ever given"),
        ({"n_clipped": 100, "reason": "why"}, "worthless", "100 of 100 rows"),
        ({"slope": np.nan, "se": np.nan, "reason": "the reason"}, "undefined", "of these rows: the reason."),
        ({"slope": 0.6, "se": 0.4}, "open", "too few to tell"),
        ({"slope": 0.05, "se": 0.17}, "unconfirmed", "do not confirm that effects differ (slope 0.05 ± 0.17"),
        ({"slope": -0.9, "se": 0.4}, "reversed", "contradict the prediction"),
        ({"slope": 0.81, "se": 0.13}, "confirmed", "confirm that effects differ as predicted"),
        ({"slope": 1.0, "se": 0.0}, "confirmed", "as predicted"),
        ({"slope": 0.5}, "smaller", "by less than predicted"),
        ({"slope": 1.5}, "larger", "by more than predicted"),
        ({"n_clipped": 25}, "confirmed", "25 of 100 rows are hardly ever given the other treatment"),
    ],
)
def test_the_verdict_says_what_the_slope_and_the_clipped_rows_allow(
    changed: dict[str, float | str], kind: str, words: str
) -> None:
    found = verdict(replace(LINE, **changed), NO_THIRDS)  # type: ignore[arg-type]
    assert found.kind == kind
    assert words in found.words
    assert "nan" not in found.words


def test_the_verdict_says_what_was_predicted_and_found_between_the_thirds() -> None:
    effects = np.arange(90.0)
    found = verdict(LINE, by_thirds(2 * effects, effects)).words
    assert "the difference is 60 as predicted, 120 ± 4.55 as found" in found
    dollars = verdict(LINE, by_thirds(100 * effects, 50 * effects)).words
    assert "the difference is 3,000 as predicted, 6,000 ± 227 as found" in dollars
    assert "difference" not in verdict(LINE, NO_THIRDS).words.split(").")[1]


def test_what_the_spread_of_fits_is_worth_is_the_share_that_the_benchmark_measured() -> None:
    measured = json.loads((Path(__file__).parents[2] / "benchmarks" / "real_data.json").read_text())["R10"]
    covered = next(item["value"] for item in measured["figures"] if item["name"] == "covered")
    assert round(covered, 2) == COVERED_ON_IHDP
    assert f"in {100 * covered:.0f} % of the rows" in spread_words()
