"""Overlap measures agree with scikit-learn computed another way, and know when they say nothing."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from crl_core.measures.overlap import (
    NEIGHBOURS,
    gaussian_kernel,
    knn_auc,
    knn_mixing,
    median_distance,
    overlap,
    overlaps,
    pairs_mmd2,
    permutation_p,
    relabelled,
    standardised,
)


def two(shift: float, n: int = 150, k: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    phi = rng.standard_normal((2 * n, k))
    phi[n:] += shift
    return phi, np.repeat([0, 1], n)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_environments_that_lie_apart_are_told_apart_and_do_not_mix() -> None:
    found = overlap(*two(10.0), rng())
    assert found.domain_auc == pytest.approx(1)
    assert found.knn_mixing == 0
    assert found.p_value == pytest.approx(1 / 201)  # never zero


def test_environments_of_one_distribution_are_at_chance_and_mix_fully() -> None:
    found = overlap(*two(0.0, n=400), rng())
    assert found.domain_auc == pytest.approx(0.5, abs=0.07)
    assert found.knn_mixing == pytest.approx(1, abs=0.06)
    assert found.p_value > 0.01


@pytest.mark.slow
def test_the_p_value_is_uniform_when_nothing_differs() -> None:
    small = [
        overlap(*two(0.0, n=25, k=2, seed=seed), np.random.default_rng(seed)).p_value <= 0.1 for seed in range(200)
    ]
    assert 6 <= sum(small) <= 36  # binomial(200, 0.1): outside with probability below 0.0005


def test_a_p_value_counts_the_relabellings_that_reach_the_statistic_up_to_rounding() -> None:
    assert permutation_p(np.array([0.5, 0.1, 0.5 - 1e-14, 0.7, 0.2])) == 3 / 5
    assert permutation_p(np.array([0.5, 0.1, 0.5 - 1e-10, 0.7, 0.2])) == 2 / 5
    assert permutation_p(np.array([0.5, 0.1, 0.5 - 1e-10, 0.7, 0.2]), rounding=1e-9) == 3 / 5


def test_mixing_is_the_share_of_foreign_neighbours_counted_by_hand() -> None:
    phi, env = two(1.0, n=40)
    x = standardised(phi)
    share, chance = [], []
    for i in range(len(x)):
        order = np.argsort(np.linalg.norm(x - x[i], axis=1), kind="stable")
        nearest = [j for j in order if j != i][:NEIGHBOURS]
        share.append(np.mean(env[nearest] != env[i]))
        chance.append(np.sum(env != env[i]) / (len(x) - 1))
    assert knn_mixing(phi, env) == pytest.approx(np.mean(share) / np.mean(chance))


@pytest.mark.parametrize("n_envs", [2, 3])
def test_auc_and_mixing_equal_scikit_learns_on_the_same_folds(n_envs: int) -> None:
    draw = np.random.default_rng(3)
    env = np.repeat(np.arange(n_envs) + 4, 70)  # names of environments need not start at 0
    phi = draw.standard_normal((len(env), 3)) + 0.4 * env[:, None]
    x, labels = standardised(phi), env - 4
    folds = StratifiedKFold(3, shuffle=True, random_state=int(rng().integers(2**31)))
    classifier = KNeighborsClassifier(NEIGHBOURS)
    chance = cross_val_predict(classifier, x, labels, cv=folds, method="predict_proba")
    if n_envs == 2:
        want = roc_auc_score(labels, chance[:, 1])
    else:
        want = roc_auc_score(labels, chance, multi_class="ovr", average="macro")
    assert knn_auc(phi, env, rng()) == pytest.approx(want, abs=1e-12)
    index = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(x).kneighbors(return_distance=False)
    foreign = (env[index] != env[:, None]).mean()
    assert knn_mixing(phi, env) == pytest.approx(foreign / (70 * (n_envs - 1) / (len(env) - 1)))


def test_the_measures_of_a_path_are_those_of_each_lam_alone() -> None:
    path = np.stack([two(shift)[0] for shift in (2.0, 0.5, 0.0)])
    path[1, 0, 0] = np.inf
    env, at = two(0.0)[1], np.arange(0, 300, 3)
    for phi, found in zip(path, overlaps(path, env, rng(), at), strict=True):
        alone = overlap(phi, env, rng(), at)
        np.testing.assert_equal(asdict(found), asdict(alone))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 3))
def test_size_and_place_of_a_latent_change_neither_auc_nor_mixing(seed: int, shift: float) -> None:
    phi, env = two(shift, n=30, seed=seed)
    order = np.random.default_rng(seed).permutation(60)
    moved = 100 * phi - 7
    assert knn_auc(moved, env, rng()) == pytest.approx(knn_auc(phi, env, rng()))
    assert knn_mixing(moved[order], env[order]) == pytest.approx(knn_mixing(phi, env))
    assert knn_mixing(phi, 1 - env) == pytest.approx(knn_mixing(phi, env))
    swapped = overlap(phi, 1 - env, rng()).mmd2
    assert overlap(phi[order], env[order], rng()).mmd2 == pytest.approx(swapped)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 4), st.integers(0, 500), st.booleans())
def test_mmd2_of_all_pairs_equals_scikit_learns_kernel_pair_by_pair(n_envs: int, seed: int, unbiased: bool) -> None:
    draw = np.random.default_rng(seed)
    env = np.repeat(np.arange(n_envs), 9)
    phi = draw.standard_normal((len(env), 3)) + env[:, None]
    h = 1.7
    got = pairs_mmd2(gaussian_kernel(phi, h), env[None], unbiased=unbiased)[0]
    values = []
    for a in range(n_envs):
        for b in range(a + 1, n_envs):
            kaa, kbb, kab = (
                rbf_kernel(phi[env == p], phi[env == q], 1 / (2 * h**2)) for p, q in ((a, a), (b, b), (a, b))
            )
            if unbiased:
                within = [(k.sum() - np.trace(k)) / (9 * 8) for k in (kaa, kbb)]
            else:
                within = [kaa.mean(), kbb.mean()]
            values.append(sum(within) - 2 * kab.mean())
    assert got == pytest.approx(np.mean(values), abs=1e-9)


def test_numpy_and_torch_compute_the_same_mmd2() -> None:
    import torch

    from crl_core import ipm

    phi, env = two(0.5)
    want = ipm.mmd2(torch.from_numpy(phi[env == 0]), torch.from_numpy(phi[env == 1]))
    assert overlap(phi, env, rng()).mmd2 == pytest.approx(float(want), rel=1e-9)


def test_relabelling_keeps_the_sizes_and_puts_the_true_labels_first() -> None:
    labels = relabelled(np.array([3, 3, 5, 5, 5, 9]), 20, rng())
    np.testing.assert_array_equal(labels[0], [0, 0, 1, 1, 1, 2])
    for row in labels:
        np.testing.assert_array_equal(np.bincount(row), [2, 3, 1])


def test_one_environment_or_broken_latents_give_no_number() -> None:
    phi, env = two(0.0, n=20)
    for found in (
        overlap(phi, np.zeros(40, int), rng()),
        overlap(np.where(phi > 1, np.nan, phi), env, rng()),
        overlap(phi, np.where(np.arange(40) < 38, 0, 1), rng()),  # two rows say nothing about an environment
    ):
        assert np.isnan([found.domain_auc, found.knn_mixing, found.mmd2, found.p_value]).all()


def test_a_latent_without_variance_cannot_tell_environments_apart() -> None:
    found = overlap(np.zeros((60, 3)), np.repeat([0, 1], 30), rng())
    assert found.domain_auc == 0.5
    assert found.knn_mixing == 1
    assert found.mmd2 == 0
    assert found.p_value == 1


def test_the_median_distance_ignores_the_diagonal() -> None:
    assert median_distance(np.array([[0.0, 4.0, 9.0], [4.0, 0.0, 1.0], [9.0, 1.0, 0.0]])) == 2
    assert median_distance(np.zeros((4, 4))) == 1
    assert median_distance(np.zeros((1, 1))) == 1


def test_a_difference_of_small_spread_is_found_though_nearest_neighbours_miss_it() -> None:
    phi, env = two(0.0, k=6)
    phi[:, 5] = 1e-3 * (phi[:, 5] + 4 * env) + phi[:, 0]  # only the difference of two coordinates tells
    found = overlap(phi, env, rng())
    assert found.auc_knn < 0.7
    assert found.auc_ridge > 0.95
    assert found.domain_auc == max(found.auc_knn, found.auc_ridge, found.auc_boosting)


def test_groups_that_differ_in_spread_alone_are_told_apart_by_boosting_and_not_by_a_line() -> None:
    phi, env = two(0.0, n=300)
    phi[env == 1] *= 3
    found = overlap(phi, env, rng())
    assert found.auc_ridge < 0.6
    assert found.auc_boosting > 0.85
