"""Intervals over few seeds: p-values of a family, and one p-value of several."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_core.measures.intervals import holm, too_few, twice_the_mean
from crl_core.measures.lam_choice import best_elsewhere

P = st.floats(0.0, 1.0)


def by_hand(p_values: list[float]) -> list[float]:
    """Holm's adjusted p as it is defined: the largest of (m - j + 1) p_(j) over all that are no larger."""
    m, ordered = len(p_values), sorted(p_values)
    steps = [min(1.0, (m - j) * p) for j, p in enumerate(ordered)]
    return [max(steps[: ordered.index(p) + ordered.count(p)]) for p in p_values]


@given(st.lists(P, min_size=1, max_size=12))
def test_holms_adjusted_p_is_that_of_its_definition(p_values: list[float]) -> None:
    np.testing.assert_allclose(holm(p_values), by_hand(p_values), atol=1e-12)


def test_what_has_no_p_is_no_member_of_the_family() -> None:
    np.testing.assert_array_equal(holm([0.01, np.nan, 0.04]), [0.02, np.nan, 0.04])
    assert len(holm([])) == 0


@pytest.mark.parametrize("alike", [0.0, 0.5, 1.0])
def test_twice_the_mean_of_p_values_keeps_its_level_however_alike_they_are(alike: float) -> None:
    """The median of three does not: alike, it alarms in one of twenty; apart, in one of a hundred and forty."""
    rng, draws = np.random.default_rng(0), 4000
    shared, own = rng.random(draws), rng.random((draws, 3))
    p = np.where(rng.random((draws, 1)) < alike, shared[:, None], own)
    found = np.array([twice_the_mean(row) for row in p])
    assert (found <= 0.05).mean() <= 0.05
    assert (found <= 0.5).mean() <= 0.5
    assert twice_the_mean(np.array([0.03])) == 0.03
    assert twice_the_mean(np.array([0.03, np.nan, 0.01])) == pytest.approx(0.04)
    assert np.isnan(twice_the_mean(np.array([np.nan])))


def test_a_replicates_lam_is_that_of_the_others_and_a_broken_model_is_the_worst() -> None:
    values = np.array([[3.0, 1.0, 2.0], [3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [0.1, np.nan, 4.0]])
    assert best_elsewhere(values).tolist() == [2, 1, 1, 2]  # of two as good the smaller
    assert best_elsewhere(values[:1]).tolist() == [-1]
    assert best_elsewhere(np.full((3, 2), np.nan)).tolist() == [-1, -1, -1]


def test_how_many_seeds_there_are_and_how_many_it_takes_is_said() -> None:
    assert [too_few(n) for n in (3, 5)] == ["3 of the 5 seeds that a verdict takes", ""]
