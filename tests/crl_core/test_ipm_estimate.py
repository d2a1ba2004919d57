"""MMD² estimated in linear time: features and blocks give what a plain computation gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.kernel_approximation import RBFSampler
from torch import Tensor

from crl_core import RunConfig, ipm, preset, train
from crl_core.config.text import altered
from crl_core.training import group
from tests.any_config import drawing

SMALL = altered(preset("hospital"), n_samples=1500, epochs=3, replicates=2, lams=(0.0, 1.0), device="cpu")


def normal(seed: int, *shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def factors(labels: list[list[int]], n_groups: int) -> tuple[Tensor, Tensor]:
    return ipm.pair_factors(torch.tensor(labels), n_groups, torch.float64)


def by_hand(phi: Tensor, labels: list[int], frequencies: Tensor, h: float) -> Tensor:
    """Mean over pairs of groups of two rows or more of the squared distance between their mean features."""
    angles = phi @ frequencies / h
    psi = torch.cat([angles.cos(), angles.sin()], dim=1) / frequencies.shape[1] ** 0.5
    member = torch.tensor(labels)
    means = [psi[member == e].mean(dim=0) for e in sorted(set(labels)) if labels.count(e) >= 2]
    gaps = [(a - b).square().sum() for i, a in enumerate(means) for b in means[i + 1 :]]
    return torch.stack(gaps).mean() if gaps else psi.sum() * 0


@drawing(40, 200)
@given(
    st.lists(st.lists(st.integers(0, 2), min_size=7, max_size=7), min_size=1, max_size=3),
    st.integers(1, 3),
    st.floats(0.3, 3.0),
    st.integers(0, 1000),
)
def test_features_give_the_squared_distance_of_mean_features_and_its_gradient(
    labels: list[list[int]], each: int, h: float, seed: int
) -> None:
    phi, frequencies = normal(seed, len(labels) * each, 7, 4) + 5, normal(seed + 1, len(labels), 4, 9)
    widths = torch.full((len(phi),), h, dtype=torch.float64)
    value, gradient = ipm.fourier_mmd2_and_gradient(phi, *factors(labels, 3), frequencies, widths)
    for model, rows in enumerate(phi):
        own = rows.clone().requires_grad_()
        wanted = by_hand(own, labels[model // each], frequencies[model // each], h)
        (slope,) = torch.autograd.grad(wanted, own)
        torch.testing.assert_close(value[model], wanted.detach(), atol=1e-10, rtol=1e-8)
        torch.testing.assert_close(gradient[model], slope, atol=1e-10, rtol=1e-7)


def test_the_error_of_512_features_is_that_of_scikit_learns_sampler_and_falls_with_their_root() -> None:
    a, b, h = normal(0, 60, 16).numpy(), normal(1, 60, 16).numpy() + 0.3, 4.0
    pooled = torch.from_numpy(np.concatenate([a, b])).unsqueeze(0)
    sides = factors([[0] * 60 + [1] * 60], 2)
    width = torch.tensor([h], dtype=torch.float64)
    exact = float(ipm.mmd2(torch.from_numpy(a), torch.from_numpy(b), h))

    def ours(n_features: int, seed: int) -> float:
        frequencies = normal(seed, 1, 16, n_features // 2)
        return float(ipm.fourier_mmd2_and_gradient(pooled, *sides, frequencies, width)[0])

    def theirs(seed: int) -> float:
        sampler = RBFSampler(gamma=1 / (2 * h**2), n_components=512, random_state=seed).fit(a)
        return float(np.square(sampler.transform(a).mean(axis=0) - sampler.transform(b).mean(axis=0)).sum())

    few, many = (np.array([ours(n, seed) for seed in range(300)]) for n in (64, 1024))
    assert few.mean() == pytest.approx(exact, abs=4 * few.std() / 300**0.5)  # unbiased
    assert many.mean() == pytest.approx(exact, abs=4 * many.std() / 300**0.5)
    assert few.std() / many.std() == pytest.approx(4, rel=0.2)
    sampled = np.array([theirs(seed) for seed in range(300)])
    own = np.array([ours(512, seed) for seed in range(300)])
    assert own.std() < sampled.std()  # a cosine and a sine of one frequency know more than two cosines


@drawing(30, 200)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 1000))
def test_blocks_give_the_mean_of_the_exact_values_of_each_and_its_gradient(blocks: int, each: int, seed: int) -> None:
    rows, groups = 6, 2
    labels = np.random.default_rng(seed).integers(0, 3, (groups, blocks, rows))
    phi, widths = normal(seed, groups * each, blocks * rows + 2, 3), torch.linspace(0.5, 2, groups * each).double()
    left, right = ipm.pair_factors(torch.from_numpy(labels), 3, torch.float64)
    value, gradient = ipm.block_mmd2_and_gradient(phi, left, right, widths)
    own = phi.clone().requires_grad_()
    for model in range(len(phi)):
        parts = [
            ipm.grouped_mmd2(
                own[model : model + 1, block * rows : (block + 1) * rows],
                (left @ right.mT)[model // each, block : block + 1],
                widths[model : model + 1],
            )
            for block in range(blocks)
        ]
        wanted = torch.stack(parts).mean()
        (slope,) = torch.autograd.grad(wanted, own)
        torch.testing.assert_close(value[model], wanted.detach())
        torch.testing.assert_close(gradient[model], slope[model], atol=1e-12, rtol=1e-7)


def test_one_block_is_the_exact_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    exact, block = train(SMALL, dtype="float64"), train(altered(SMALL, ipm_estimate="block"), dtype="float64")
    np.testing.assert_allclose(block.history["penalty"], exact.history["penalty"], rtol=1e-7)
    monkeypatch.setattr(group, "BLOCK_ROWS", 32)
    smaller = train(altered(SMALL, ipm_estimate="block"), dtype="float64")
    assert (smaller.history["penalty"][-1] > exact.history["penalty"][-1]).all()  # a small sample looks further apart


@pytest.mark.parametrize("estimate", ["rff", "block"])
@pytest.mark.parametrize("align", ["environment", "treatment"])
def test_an_estimate_pulls_latents_together_like_the_exact_penalty_and_gives_the_same_bits_again(
    estimate: str, align: str
) -> None:
    config = altered(SMALL, ipm_estimate=estimate, align=align, propensity=(0.7, 0.3), batch_size=300)
    one, other = train(config), train(config)
    np.testing.assert_array_equal(one.mmd2, other.mmd2)
    exact = train(altered(config, ipm_estimate="exact"))
    assert one.history["penalty"][0] == pytest.approx(exact.history["penalty"][0], rel=0.15)
    free, pulled = one.by_lam(one.mmd2).mean(axis=0)
    assert pulled < 0.6 * free


def test_within_the_outcome_an_estimate_compares_the_same_rows() -> None:
    config = altered(SMALL, outcome="binary", align="environment within outcome", epochs=1, batch_size=300)
    exact = train(config, dtype="float64").history["penalty"]
    estimate = train(altered(config, ipm_estimate="rff"), dtype="float64").history["penalty"]
    np.testing.assert_allclose(estimate, exact, rtol=0.2)


def test_an_estimate_of_mmd2_under_another_penalty_is_refused_with_both_ways_out() -> None:
    with pytest.raises(ValueError, match=r"the penalty is coral; set training.penalty to mmd, or training.ipm_estim"):
        altered(SMALL, ipm_estimate="rff", penalty="coral")


def test_a_run_of_before_is_exact_and_keeps_its_key() -> None:
    before = SMALL.to_dict()
    assert "ipm_estimate" not in before["training"]
    again = RunConfig.from_dict(before)
    assert (again.training.ipm_estimate, again.key) == ("exact", SMALL.key)
