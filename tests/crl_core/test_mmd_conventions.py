"""An MMD read by another source's convention is what that source would report, beside what chance alone gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
from sklearn.preprocessing import normalize

from crl_core import train
from crl_core.data.scm import aligned_groups
from crl_core.measures.mmd_conventions import (
    CONVENTIONS,
    RULES,
    SOURCES,
    Convention,
    as_trained,
    conventions_beside,
    equal_weight,
    formula,
    read,
    readable_groups,
    rule_of,
    rule_text,
    unit_rows,
)
from crl_core.results import mmd_rows, predict, view_rows
from tests.crl_core.made_up import tiny_config


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def two(shift: float, n: int = 60, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Latents [1, 2n, k] of two groups whose means differ by `shift`."""
    phi = np.random.default_rng(seed).standard_normal((2 * n, k))
    phi[n:] += shift
    return phi[None], np.repeat([0, 1], n)


def by_hand(a: np.ndarray, b: np.ndarray, gamma: float, *, biased: bool) -> float:
    """MMD² from scikit-learn's kernel exp(-gamma d²), written out as in Gretton et al. (2012), equations 3 and 5."""
    aa, bb, ab = rbf_kernel(a, gamma=gamma), rbf_kernel(b, gamma=gamma), rbf_kernel(a, b, gamma=gamma)
    if biased:
        return float(aa.mean() + bb.mean() - 2 * ab.mean())
    n, m = len(a), len(b)
    within = (aa.sum() - np.trace(aa)) / (n * (n - 1)) + (bb.sum() - np.trace(bb)) / (m * (m - 1))
    return float(within - 2 * ab.mean())


def median_of_pairs(rows: np.ndarray) -> float:
    d = euclidean_distances(rows)
    return float(np.median(d[np.triu_indices(len(d), 1)]))


def test_cfrnets_reading_is_scikit_learns_kernel_on_latents_of_length_one_without_the_two() -> None:
    phi, groups = two(1.0)
    unit = normalize(phi[0])
    found = read(phi, groups, CONVENTIONS["cfrnet"], rng())
    assert found.value[0] == pytest.approx(by_hand(unit[:60], unit[60:], 1 / 0.1**2, biased=False), abs=1e-10)
    assert found.bandwidth[0] == 0.1


def test_alibi_detects_reading_takes_its_bandwidth_from_the_first_group_alone() -> None:
    phi, groups = two(1.0)
    a, b = phi[0, :60], phi[0, 60:]
    entries = np.sort(np.square(euclidean_distances(a)).ravel())
    variance = entries[60 + (60**2 - 60) // 2 - 1] / 2  # as alibi-detect counts: past the zeros of the diagonal
    found = read(phi, groups, CONVENTIONS["alibi-detect"], rng())
    assert found.value[0] == pytest.approx(by_hand(a, b, 1 / (2 * variance), biased=False), abs=1e-10)


def test_grettons_and_our_reading_share_the_median_of_the_pooled_rows() -> None:
    phi, groups = two(1.0, n=61)  # an odd number of pairs: one median
    a, b = phi[0, :61], phi[0, 61:]
    gamma = 1 / (2 * median_of_pairs(phi[0]) ** 2)
    assert read(phi, groups, CONVENTIONS["Gretton, unbiased"], rng()).value[0] == pytest.approx(
        by_hand(a, b, gamma, biased=False), abs=1e-10
    )
    assert read(phi, groups, CONVENTIONS["this dashboard"], rng()).value[0] == pytest.approx(
        by_hand(a, b, gamma, biased=True), abs=1e-10
    )


def test_a_kernel_without_the_two_is_one_with_the_two_and_a_smaller_bandwidth() -> None:
    phi, groups = two(0.7)
    without = read(phi, groups, Convention(bandwidth=1.0, kernel="exp(−d²/h²)"), rng())
    assert without.value[0] == pytest.approx(by_hand(phi[0, :60], phi[0, 60:], 1.0, biased=True), abs=1e-10)


def test_the_default_reading_is_the_mmd2_that_the_run_reports() -> None:
    for config in (tiny_config(), tiny_config(seed=3)):
        result = train(config)
        view = mmd_rows(view_rows(config))
        n_lams = len(result.lams)
        phi = predict({name: value[:n_lams] for name, value in result.weights.items()}, view.x)[0]
        found = read(phi, aligned_groups(view, config.training.align), as_trained(config.training.bandwidth), rng())
        np.testing.assert_allclose(found.value, result.mmd2[:n_lams], rtol=2e-3, atol=1e-5)


def test_two_halves_of_one_sample_read_unbiased_as_about_zero_below_it_as_often_as_above() -> None:
    values = np.array(
        [read(*two(0.0, seed=seed), CONVENTIONS["Gretton, unbiased"], rng()).value[0] for seed in range(40)]
    )
    assert abs(values.mean()) < 0.004
    assert 8 <= np.sum(values < 0) <= 36  # a biased estimate would never be below


def test_the_band_holds_what_chance_gives_and_not_what_differs() -> None:
    inside = 0
    for seed in range(40):
        found = read(*two(0.0, seed=seed), Convention(), np.random.default_rng(seed))
        inside += int(found.low[0] <= found.value[0] <= found.high[0])
    assert inside >= 28  # nine in ten; below 28 of 40 with probability below 0.001
    apart = read(*two(2.0), Convention(), rng())
    assert apart.value[0] > apart.high[0]
    assert apart.p_value[0] == pytest.approx(1 / 201)


def test_p_counts_the_shuffles_at_least_as_large_plus_one() -> None:
    found = read(*two(0.3), CONVENTIONS["Gretton, unbiased"], rng())
    assert found.p_value[0] == (np.sum(found.null[0] >= found.value[0]) + 1) / (found.null.shape[1] + 1)


def test_a_root_keeps_the_order_the_sign_and_the_p_value() -> None:
    plain = read(*two(0.0), CONVENTIONS["Gretton, unbiased"], rng())
    rooted = read(*two(0.0), Convention(estimator="unbiased", rooted=True), rng())
    np.testing.assert_allclose(np.sign(rooted.null) * rooted.null**2, plain.null, atol=1e-12)
    assert rooted.p_value[0] == plain.p_value[0]
    assert (rooted.null < 0).any()


def test_more_than_two_groups_are_read_as_the_mean_over_their_pairs() -> None:
    phi = np.random.default_rng(1).standard_normal((1, 90, 2))
    groups = np.repeat([0, 1, 2], 30)
    parts = [phi[0, groups == g] + 0.5 * g for g in range(3)]
    phi = np.concatenate(parts)[None]
    pairs = [by_hand(parts[i], parts[j], 0.5, biased=False) for i, j in ((0, 1), (0, 2), (1, 2))]
    found = read(phi, groups, Convention(estimator="unbiased", bandwidth=1.0), rng())
    assert found.value[0] == pytest.approx(np.mean(pairs), abs=1e-10)


def test_a_diverged_lambda_is_left_out_and_a_collapsed_one_reads_as_zero() -> None:
    phi, groups = two(1.0)
    phi = np.concatenate([phi, np.full_like(phi, np.nan), np.ones_like(phi)])
    for convention in CONVENTIONS.values():
        found = read(phi, groups, convention, rng())
        assert np.isfinite(found.value[0])
        assert np.isnan(found.value[1])
        assert np.isnan(found.low[1])
        assert found.value[2] == 0
        assert found.p_value[2] == 1


def test_one_group_or_groups_of_a_handful_have_no_reading() -> None:
    phi, groups = two(1.0)
    assert np.isnan(read(phi, np.zeros_like(groups), Convention(), rng()).value).all()
    few = np.zeros_like(groups)
    few[:3] = 1
    assert list(readable_groups(few)) == [0]
    assert np.isnan(read(phi, few, Convention(), rng()).value).all()


def test_bad_conventions_are_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"bandwidth h is -1; it must be a number from 0\.001 to 1000"):
        Convention(bandwidth=-1.0)
    with pytest.raises(ValueError, match="bandwidth h is nan"):
        Convention(bandwidth=float("nan"))
    with pytest.raises(ValueError, match="must be one of median"):
        Convention(bandwidth="mean")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="choose one of biased, unbiased"):
        Convention(estimator="V")  # type: ignore[arg-type]


def test_every_named_convention_says_where_it_is_from() -> None:
    assert SOURCES.keys() == CONVENTIONS.keys()


def test_an_equal_penalty_needs_the_lambda_that_makes_the_products_equal() -> None:
    assert equal_weight(2.0, 0.3, 0.1) == pytest.approx(6.0)
    assert equal_weight(0.0, 0.3, 0.1) == 0
    assert equal_weight(1.0, 0.3, -0.1) is None  # a negative estimate penalises nothing
    assert equal_weight(1.0, np.nan, 0.1) is None


@settings(max_examples=20, deadline=None)
@given(
    scale=st.floats(0.01, 100),
    name=st.sampled_from(["this dashboard", "cfrnet", "alibi-detect", "Gretton, unbiased"]),
)
def test_no_named_convention_is_fooled_by_a_latent_that_shrinks(scale: float, name: str) -> None:
    phi, groups = two(1.0, n=30)
    before, after = (read(rows, groups, CONVENTIONS[name], rng()).value[0] for rows in (phi, phi * scale))
    assert after == pytest.approx(before, abs=1e-7)


def test_a_fixed_bandwidth_on_bare_latents_is_fooled_by_a_latent_that_shrinks() -> None:
    phi, groups = two(1.0)
    fixed = Convention(bandwidth=1.0)
    assert read(phi * 0.05, groups, fixed, rng()).value[0] < 0.05 * read(phi, groups, fixed, rng()).value[0]


@settings(max_examples=20, deadline=None)
@given(length=st.floats(1e-3, 1e3))
def test_unit_rows_have_length_one_and_zeros_stay(length: float) -> None:
    rows = np.array([[length, 0.0], [0.0, 0.0], [-length, length]])
    np.testing.assert_allclose(np.linalg.norm(unit_rows(rows), axis=1), [1, 0, 1])


@pytest.mark.parametrize("rule", [*RULES.values(), 2.5, 0.001])
def test_a_bandwidth_is_written_and_read_again(rule: str | float) -> None:
    assert rule_of(rule_text(rule)) == rule  # type: ignore[arg-type]
    assert rule_of("2,5") == 2.5


@pytest.mark.parametrize("typed", ["wide", "", None, "1 2"])
def test_a_bandwidth_that_is_none_is_refused_with_what_is_allowed(typed: str | None) -> None:
    with pytest.raises(ValueError, match=r"choose a rule, or type a number from 0\.001 to 1000\."):
        rule_of(typed)


def test_a_convention_is_a_sentence() -> None:
    assert formula(CONVENTIONS["cfrnet"]) == "Unbiased, exp(−d²/h²), h = 0.1."
    assert formula(Convention()) == "Biased, exp(−d²/2h²), h by median distance."


def test_the_conventions_beside_a_run_have_its_own_bandwidth_and_nothing_else_changed() -> None:
    beside = conventions_beside(0.7)
    assert list(beside) == list(CONVENTIONS)
    assert [name for name in beside if beside[name] != CONVENTIONS[name]] == ["this dashboard"]
    assert beside["this dashboard"] == Convention(bandwidth=0.7)
    assert conventions_beside("median") == CONVENTIONS


def test_groups_are_told_apart_where_chance_would_hardly_do() -> None:
    far, groups = two(1.5)
    same, _ = two(0.0)
    broken = np.full_like(same, np.nan)
    found = read(np.concatenate([far, same, broken]), groups, Convention(), rng())
    assert found.apart.tolist() == [True, False, False]
