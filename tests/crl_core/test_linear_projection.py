"""With which columns effects go: the projection and its errors, what is left out of it, and what is said of many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from crl_core.data.tables.columns import Column
from crl_core.measures.doubly_robust import nuisances, scores
from crl_core.measures.effect_words import columns_words, projection_words
from crl_core.measures.linear_projection import LinearProjection, Term, linear_projection
from tests.crl_core.test_doubly_robust import drawn


def numbers(*names: str) -> list[Column]:
    return [Column(name=name, role="covariate", kind="number") for name in names]


SITE = Column(name="site", role="covariate", kind="category", levels=("east", "north", "west"))


def plain(x: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same written out row by row, the intercept among the columns: slopes, and their HC3 errors."""
    z = np.column_stack([np.ones(len(x)), (x - x.mean(axis=0)) / x.std(axis=0)])
    beta, *_ = np.linalg.lstsq(z, found, rcond=None)
    bread = np.linalg.pinv(z.T @ z)
    meat = np.zeros_like(bread)
    for row, score in zip(z, found, strict=True):
        leverage = row @ bread @ row
        meat += np.outer(row, row) * ((score - row @ beta) / (1 - leverage)) ** 2
    return beta[1:], np.sqrt(np.diag(bread @ meat @ bread))[1:]


@given(seed=st.integers(0, 10_000), n=st.sampled_from([40, 200]), unit=st.sampled_from([1e-6, 1.0, 1e8]))
@settings(max_examples=30)
def test_terms_and_errors_are_those_of_least_squares_and_its_sandwich_written_out(
    seed: int, n: int, unit: float
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4)) @ rng.normal(size=(4, 4)) * [1, 100, 1e-3, 1] + [5, 0, 0, -1]
    gamma = unit * (x[:, 0] + rng.normal(size=n) * (1 + np.abs(x[:, 3])))
    found = linear_projection(gamma, np.arange(n) < 7, x, numbers("a", "b", "c", "d"))
    slope, se = plain(x, gamma)
    by_name = {term.name: term for term in found.terms}
    np.testing.assert_allclose([by_name[name].value for name in "abcd"], slope, rtol=1e-6, atol=1e-9 * unit)
    np.testing.assert_allclose([by_name[name].se for name in "abcd"], se, rtol=1e-6)
    sizes = [abs(term.value) for term in found.terms]
    assert sizes == sorted(sizes, reverse=True)
    assert (found.n, found.n_clipped, found.left_out, found.reason) == (n, 7, (), "")


def test_the_column_that_moves_the_true_effect_is_found_and_the_others_miss_zero_by_chance_only() -> None:
    covariates, hits, missed, small = numbers("a", "b", "c", "d"), 0, 0, 0
    for seed in range(40):
        rows = drawn(seed, 600)  # the effect is 1 + b / 2
        known = nuisances(rows, seed)
        found = linear_projection(scores(rows, known), known.clipped, rows.x, covariates)
        by_name = {term.name: term for term in found.terms}
        hits += abs(by_name["b"].value - 0.5 * rows.x[:, 1].std()) < 1.96 * by_name["b"].se
        missed += sum(abs(by_name[name].value) > 1.96 * by_name[name].se for name in "acd")
        small += found.p < 0.05
    assert hits >= 34
    assert missed <= 15  # of 120, 6 by chance
    assert small >= 36


def test_the_joint_test_is_that_of_wald_and_finds_nothing_in_noise_more_often_than_it_says() -> None:
    rng = np.random.default_rng(1)
    x, p_values = rng.normal(size=(400, 5)), []
    for _ in range(200):
        gamma = rng.normal(size=400)
        p_values.append(linear_projection(gamma, np.zeros(400, bool), x, numbers(*"abcde")).p)
    assert 0.01 <= np.mean(np.array(p_values) < 0.05) <= 0.09
    # One input: the square of a t is an F, which is a χ² of one degree where rows are many.
    one = linear_projection(gamma, np.zeros(400, bool), x[:, :1], numbers("a"))
    assert one.p == pytest.approx(chi2.sf((one.terms[0].value / one.terms[0].se) ** 2, 1), abs=0.01)


def test_levels_of_a_category_are_compared_with_the_most_frequent_one() -> None:
    rng = np.random.default_rng(0)
    site = rng.choice(3, 300, p=[0.2, 0.6, 0.2])
    x = np.column_stack([rng.normal(size=300), np.eye(3)[site]])
    gamma = rng.normal(size=300) + 3.0 * (site == 2)
    found = linear_projection(gamma, np.zeros(300, bool), x, [*numbers("age"), SITE])
    assert {term.name for term in found.terms} == {"age", "site = east", "site = west"}
    slope, se = plain(x[:, [0, 1, 3]], gamma)
    assert found.terms[0].name == "site = west"
    assert (found.terms[0].value, found.terms[0].se) == pytest.approx((slope[2], se[2]))
    assert found.terms[0].value / (site == 2).std() == pytest.approx(3, abs=0.6)


def test_what_hardly_varies_or_follows_from_others_has_no_term_and_tells_of_no_person() -> None:
    rng = np.random.default_rng(2)
    a = rng.normal(size=200)
    x = np.column_stack([a, 7 - 2 * a, np.arange(200) < 9, np.full(200, 3.0), np.arange(200) < 10])
    found = linear_projection(rng.normal(size=200), np.zeros(200, bool), x, numbers(*"abcde"))
    assert {term.name for term in found.terms} == {"a", "e"}
    assert set(found.left_out) == {"b", "c", "d"}
    few = linear_projection(rng.normal(size=12), np.zeros(12, bool), rng.normal(size=(12, 3)), numbers(*"abc"))
    assert few.reason == "12 rows are too few for 3 inputs; 5 rows for each are the least"
    assert few.terms == ()
    alike = linear_projection(np.ones(50), np.zeros(50, bool), np.zeros((50, 1)), numbers("a"))
    assert "no covariate differs" in alike.reason
    assert np.isnan([few.p, alike.p]).all()


def test_scores_that_leave_no_error_have_no_p_and_no_warning() -> None:
    x = np.random.default_rng(3).normal(size=(60, 2))
    found = linear_projection(np.zeros(60), np.zeros(60, bool), x, numbers("a", "b"))
    assert np.isnan(found.p)
    assert "nan" not in projection_words(found)


def of(*pairs: tuple[float, float], **more: object) -> LinearProjection:
    terms = tuple(Term(name=f"x{at}", value=value, se=se) for at, (value, se) in enumerate(pairs))
    return LinearProjection(**{"terms": terms, "p": 0.2, "n": 100, "n_clipped": 0} | more)  # type: ignore[arg-type]


def test_the_words_count_what_misses_zero_and_what_chance_alone_would_miss() -> None:
    found = projection_words(of((9, 1), (2, 1), *[(0.1, 1.0)] * 18))
    assert "2 of 20 intervals of 1.96 standard errors miss zero; by chance alone about 1 would" in found
    assert "to 3.0 standard errors, that of x0 still does" in found
    assert "All inputs at once: p = 0.20." in found
    assert "All inputs at once: p < 0.001." in projection_words(of((9, 1), p=1e-9))
    assert "those of x0, x1 still do." in projection_words(of((9, 1), (8, 1)))
    nothing = projection_words(of((1, 1), (0, 1), p=np.nan))
    assert "0 of 2 intervals" in nothing
    assert "none does" in nothing
    assert "p =" not in nothing
    assert "1 of 1 interval of 1.96 standard errors misses zero" in projection_words(of((9, 1)))
    worthless = projection_words(of((9, 1), n_clipped=26))
    assert worthless.startswith("This means nothing here: 26 of 100 rows are hardly ever given the other treatment")
    assert "cannot be asked of these rows: why." in projection_words(of(reason="why"))


def test_of_several_columns_it_is_said_how_many_are_small_by_chance() -> None:
    assert columns_words([0.01, 0.2, np.nan, 0.5]) == (
        "Asked of each of 3 columns, 1 has p below 0.05; by chance alone about 0.15 would, if effects were the same "
        "for all."
    )
    assert columns_words([0.01]) == columns_words([]) == ""
