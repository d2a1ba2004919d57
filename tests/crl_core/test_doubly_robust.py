"""Doubly robust scores: what they are made of, what their means find, and what they cope with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_core.data.scm import MultiEnvData
from crl_core.measures import doubly_robust
from crl_core.measures.doubly_robust import (
    FLOOR,
    Nuisances,
    average,
    effect_in_overlap,
    effect_on_treated,
    folds_of,
    nuisances,
    nuisances_by,
    scores,
    untreated_scores,
)


def drawn(seed: int, n: int = 300, *, pull: float = 1.0, noise: float = 1.0) -> MultiEnvData:
    """Two sites; who is treated depends on x₀, which moves the outcome; the effect is 1 + x₁ / 2."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 4))
    t = (rng.random(n) < 1 / (1 + np.exp(-pull * x[:, 0]))).astype(np.int64)
    y0 = 2 * x[:, 0] + x[:, 2]
    y1 = y0 + 1 + x[:, 1] / 2
    y = np.where(t == 1, y1, y0) + noise * rng.standard_normal(n)
    return MultiEnvData(x=x, t=t, env=rng.integers(0, 2, n), y=y, y0=y0, y1=y1)


def swapped(rows: MultiEnvData) -> MultiEnvData:
    return replace(rows, t=1 - rows.t)


def test_a_score_is_that_of_its_definition_row_by_row() -> None:
    rows = drawn(0, pull=4.0)
    known = nuisances(rows, 0)
    assert 0 < known.clipped.sum() < len(rows)
    for i, found in enumerate(scores(rows, known)):
        e = min(max(known.propensity[i], 0.05), 0.95)
        expected = known.y1[i] - known.y0[i]
        if rows.t[i] == 1:
            expected += (rows.y[i] - known.y1[i]) / e
        else:
            expected -= (rows.y[i] - known.y0[i]) / (1 - e)
        assert found == pytest.approx(expected)
        assert known.clipped[i] == (known.propensity[i] != e)


def test_an_average_is_the_mean_with_the_standard_error_of_a_mean() -> None:
    values = np.array([1.0, 2.0, 6.0])
    assert (average(values).value, average(values).se) == pytest.approx((3.0, np.sqrt(7 / 3)))
    assert average(values[:1]).value == 1
    assert np.isnan(average(values[:1]).se)
    assert np.isnan(average(values[:0]).value)


def test_folds_share_every_arm_of_every_environment_evenly() -> None:
    rows = drawn(1, 187)
    fold = folds_of(rows, 3, 5)
    for arm in (0, 1):
        for env in (0, 1):
            counts = np.bincount(fold[(rows.t == arm) & (rows.env == env)], minlength=5)
            assert counts.max() - counts.min() <= 1
    assert (fold == folds_of(rows, 3, 5)).all()
    assert (fold != folds_of(rows, 4, 5)).any()


def test_a_rows_nuisances_do_not_see_its_own_outcome_or_treatment() -> None:
    rows, fold = drawn(2, 100), np.arange(100) % 5
    before = nuisances_by(rows, fold, 0)
    y, t = rows.y.copy(), rows.t.copy()
    y[7], t[7] = 1000.0, 1 - t[7]
    after = nuisances_by(replace(rows, y=y, t=t), fold, 0)
    together = fold == fold[7]
    for name in ("propensity", "y0", "y1"):
        was, now = getattr(before, name), getattr(after, name)
        np.testing.assert_array_equal(was[together], now[together])
        assert (was[~together] != now[~together]).any()


@given(seed=st.integers(0, 10**6))
@settings(max_examples=10)
def test_the_order_of_rows_does_not_matter_given_their_folds(seed: int) -> None:
    rows, order = drawn(seed, 90), np.random.default_rng(seed).permutation(90)
    fold = folds_of(rows, seed)
    known, moved = nuisances_by(rows, fold, 0), nuisances_by(rows.rows(order), fold[order], 0)
    np.testing.assert_allclose(scores(rows, known)[order], scores(rows.rows(order), moved), rtol=1e-5, atol=1e-5)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=10)
def test_arms_that_change_names_turn_the_sign_of_the_average(seed: int) -> None:
    rows = drawn(seed, 90)
    fold = folds_of(rows, seed)
    one = average(scores(rows, nuisances_by(rows, fold, 0)))
    other = average(scores(swapped(rows), nuisances_by(swapped(rows), fold, 0)))
    assert other.value == pytest.approx(-one.value, abs=1e-5)
    assert other.se == pytest.approx(one.se, abs=1e-5)


def test_95_percent_intervals_cover_the_average_effect_and_that_on_the_treated_where_the_naive_difference_fails() -> (
    None
):
    draws, covered, naive = 60, np.zeros(2), 0
    for seed in range(draws):
        rows = drawn(seed)
        known, ite, treated = nuisances(rows, seed), rows.ite, rows.t == 1
        assert ite is not None
        # The effects' own spread is in the standard errors, so that the truth is the population's: 1, and on the
        # treated 1 as well, since x₁ is independent of who is treated.
        for which, found in enumerate((average(scores(rows, known)), effect_on_treated(rows, known))):
            covered[which] += abs(found.value - 1) <= 1.96 * found.se
        difference = rows.y[treated].mean() - rows.y[~treated].mean()
        naive += abs(difference - 1) <= 1.96 * rows.y.std() * np.sqrt(1 / treated.sum() + 1 / (~treated).sum())
    assert (covered >= 0.85 * draws).all(), covered
    assert naive < 0.1 * draws


@pytest.mark.parametrize("wrong", ["outcome", "propensity"])
def test_the_average_is_right_where_one_of_the_two_models_is_wrong(wrong: str) -> None:
    rows = drawn(3, 20_000)
    assert rows.y0 is not None
    assert rows.y1 is not None
    right = Nuisances(propensity=1 / (1 + np.exp(-rows.x[:, 0])), y0=rows.y0, y1=rows.y1)
    nothing = np.zeros(len(rows))
    known = replace(right, y0=nothing, y1=nothing) if wrong == "outcome" else replace(right, propensity=nothing + 0.3)
    found = average(scores(rows, known))
    assert abs(found.value - 1) < 4 * found.se
    both = replace(known, y0=nothing, y1=nothing, propensity=nothing + 0.3)
    assert abs(average(scores(rows, both)).value - 1) > 0.5
    if wrong == "outcome":
        mean = average(untreated_scores(rows, known))
        assert abs(mean.value) < 4 * mean.se  # E[y⁰] = 0


def test_rows_that_are_never_treated_do_not_decide_the_effect_on_the_treated() -> None:
    """Thousands of them, each clipped up to .05, would outweigh the treated."""
    rows = drawn(4, 1000)
    far = replace(rows, x=rows.x - [8, 0, 0, 0], t=np.zeros(1000, dtype=np.int64), y=rows.y + 500)
    both = MultiEnvData(
        **{name: np.concatenate([getattr(rows, name), getattr(far, name)]) for name in ("x", "t", "env", "y")}
    )
    known = Nuisances(
        propensity=1 / (1 + np.exp(-both.x[:, 0])), y0=2 * both.x[:, 0] + both.x[:, 2], y1=np.full(2000, np.nan)
    )
    alone = effect_on_treated(rows, Nuisances(propensity=known.propensity[:1000], y0=known.y0[:1000], y1=known.y1))
    assert effect_on_treated(both, known).value == pytest.approx(alone.value, abs=1.0)
    clipped_up = replace(known, propensity=np.maximum(known.propensity, 0.05))
    assert abs(effect_on_treated(both, clipped_up).value - alone.value) > 20


def test_an_outcome_of_two_values_is_predicted_as_a_probability() -> None:
    rows = drawn(5)
    binary = replace(rows, y=(rows.y > 0).astype(float))
    known = nuisances(binary, 0)
    for name in ("y0", "y1"):
        values = getattr(known, name)
        assert 0 < values.min() < values.max() < 1
    assert (nuisances(replace(rows, y=2 * binary.y), 0).y0 < 0).any()  # 0 and 2 are numbers


def test_18_treated_rows_constant_columns_and_an_environment_of_one_arm_are_coped_with() -> None:
    rows = drawn(6, 400)
    t = np.zeros(400, dtype=np.int64)
    t[np.flatnonzero(rows.env == 1)[:18]] = 1
    rows = replace(rows, t=t, x=np.column_stack([rows.x, np.ones(400), np.arange(400) == 3, rows.x[:, 0]]))
    for y in (rows.y, np.zeros(400), (rows.y > 0).astype(float), (t == 1).astype(float)):
        known = nuisances(replace(rows, y=y), 0)
        assert np.isfinite(scores(replace(rows, y=y), known)).all()
        assert np.isfinite(effect_on_treated(replace(rows, y=y), known).se)
    exact = nuisances(replace(rows, y=(t == 1).astype(float)), 0)
    assert (exact.y1 - exact.y0 == 1).all()


def test_of_a_large_arm_some_rows_are_drawn_and_the_share_treated_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = drawn(7, 4000)
    rows = replace(rows, t=(np.random.default_rng(0).random(4000) < 0.05).astype(np.int64))
    monkeypatch.setattr(doubly_robust, "MOST_FITTED", 300)
    known = nuisances(rows, 0)
    assert known.propensity.mean() == pytest.approx(rows.t.mean(), abs=0.02)
    assert (known.y0 == nuisances(rows, 0).y0).all()


def test_what_cannot_be_estimated_is_refused_in_a_sentence() -> None:
    rows = drawn(8, 50)
    one = replace(rows, t=np.eye(50, dtype=np.int64)[3])
    with pytest.raises(ValueError, match="49 untreated and 1 treated rows; both arms need at least 2"):
        nuisances(one, 0)
    with pytest.raises(ValueError, match="folds is 1; give 2 or more"):
        nuisances(rows, 0, folds=1)
    with pytest.raises(ValueError, match="all rows of an arm are in one fold"):
        nuisances_by(rows, rows.t, 0)
    assert np.isnan(effect_on_treated(replace(rows, t=0 * rows.t), nuisances(rows, 0)).value)
    assert Nuisances(propensity=rows.y, y0=rows.y, y1=rows.y).floor == FLOOR


def test_the_effect_of_overlap_rows_is_the_mean_of_their_scores_and_none_is_clipped() -> None:
    rows = drawn(4, 800, pull=4.0)
    known = nuisances(rows, 0)
    inside = (known.propensity >= FLOOR) & (known.propensity <= 1 - FLOOR)
    assert 0 < inside.sum() < len(rows)
    e, fitted = known.propensity, np.where(rows.t == 1, known.y1, known.y0)
    gamma = known.y1 - known.y0 + np.where(rows.t == 1, 1 / e, -1 / (1 - e)) * (rows.y - fitted)
    found = effect_in_overlap(rows, known)
    assert found.value == pytest.approx(gamma[inside].mean())
    assert found.se == pytest.approx(gamma[inside].std(ddof=1) / np.sqrt(inside.sum()))
    assert rows.ite is not None
    assert found.value == pytest.approx(rows.ite[inside].mean(), abs=4 * found.se)
    nobody = replace(known, propensity=np.zeros(len(rows)))
    assert np.isnan(effect_in_overlap(rows, nobody).value)
