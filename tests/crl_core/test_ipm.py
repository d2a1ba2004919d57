"""MMD² is what Gretton et al. define, and its closed-form gradient is its gradient."""

import statistics

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import rbf_kernel

from crl_core import ipm


def mmd2_by_loops(a: np.ndarray, b: np.ndarray, h: float) -> float:
    def mean_kernel(u: np.ndarray, v: np.ndarray) -> float:
        return float(np.mean([[np.exp(-np.sum((p - q) ** 2) / (2 * h**2)) for q in v] for p in u]))

    return mean_kernel(a, a) + mean_kernel(b, b) - 2 * mean_kernel(a, b)


def draw(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_two_points_give_the_value_on_paper() -> None:
    a, b = torch.tensor([[0.0]]), torch.tensor([[1.0]])
    assert float(ipm.mmd2(a, b, bandwidth=1.0)) == pytest.approx(2 - 2 * np.exp(-0.5))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 4), st.floats(0.3, 3.0), st.integers(0, 1000))
def test_mmd2_equals_the_definition_computed_with_loops(n: int, m: int, k: int, h: float, seed: int) -> None:
    a, b = draw(seed, n, k), draw(seed + 1, m, k) + 1
    got = float(ipm.mmd2(torch.from_numpy(a), torch.from_numpy(b), h))
    assert got == pytest.approx(mmd2_by_loops(a, b, h), abs=1e-6)


def test_mmd2_equals_scikit_learns_kernel() -> None:
    a, b, h = draw(0, 60, 16), draw(1, 40, 16) * 2, 3.0
    gamma = 1 / (2 * h**2)
    want = rbf_kernel(a, a, gamma).mean() + rbf_kernel(b, b, gamma).mean() - 2 * rbf_kernel(a, b, gamma).mean()
    assert float(ipm.mmd2(torch.from_numpy(a), torch.from_numpy(b), h)) == pytest.approx(want, abs=1e-6)
    single = ipm.mmd2(torch.from_numpy(a).float(), torch.from_numpy(b).float(), h)
    assert float(single) == pytest.approx(want, abs=1e-6)


def test_a_stack_gives_each_models_own_value() -> None:
    a, b = torch.from_numpy(draw(0, 3, 20, 4)), torch.from_numpy(draw(1, 3, 30, 4) + 0.5)
    stacked = ipm.mmd2(a, b)
    alone = torch.stack([ipm.mmd2(a[m], b[m]) for m in range(3)])
    torch.testing.assert_close(stacked, alone)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 15), st.integers(2, 15), st.integers(0, 1000))
def test_mmd2_is_symmetric_ignores_row_order_and_vanishes_for_equal_samples(n: int, m: int, seed: int) -> None:
    a, b = torch.from_numpy(draw(seed, n, 3)), torch.from_numpy(draw(seed + 1, m, 3))
    value = ipm.mmd2(a, b, 1.0)
    assert float(value) >= 0
    torch.testing.assert_close(ipm.mmd2(b, a, 1.0), value)
    torch.testing.assert_close(ipm.mmd2(a.flip(0), b.flip(0), 1.0), value)
    assert float(ipm.mmd2(a, a, 1.0)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("labels", [[0, 0, 0, 1, 1, 1, 1], [0, 1, 2, 0, 1, 2, 2], [0, 0, 0, 1, 2, 2, 3]])
def test_all_pairs_in_one_product_equal_the_mean_over_pairs(labels: list[int]) -> None:
    phi = torch.from_numpy(draw(3, 2, len(labels), 3))
    groups = [[i for i, e in enumerate(labels) if e == group] for group in range(5)]
    groups = [group for group in groups if len(group) >= 2]
    h = torch.tensor([0.7, 1.5], dtype=torch.float64)
    want = [
        np.mean(
            [
                mmd2_by_loops(phi[m, a].numpy(), phi[m, b].numpy(), float(h[m]))
                for i, a in enumerate(groups)
                for b in groups[i + 1 :]
            ]
        )
        for m in range(2)
    ]
    weights = ipm.pair_weights(torch.tensor([labels]), 5, torch.float64)
    np.testing.assert_allclose(ipm.grouped_mmd2(phi, weights, h), want, atol=1e-9)


def test_empty_and_single_row_environments_add_nothing() -> None:
    phi = torch.from_numpy(draw(0, 1, 6, 2)).requires_grad_()
    h = torch.ones(1, dtype=torch.float64)
    for labels in ([0] * 6, [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 1, 3]):
        value = ipm.grouped_mmd2(phi, ipm.pair_weights(torch.tensor([labels]), 5, torch.float64), h)
        (gradient,) = torch.autograd.grad(value.sum(), phi)
        assert float(value.detach()) == 0
        assert float(gradient.abs().max()) == 0


def test_the_closed_form_gradient_passes_gradcheck() -> None:
    phi = torch.from_numpy(draw(0, 4, 9, 3)).requires_grad_()
    labels = torch.tensor([[0, 0, 0, 1, 1, 1, 2, 2, 3], [0, 1, 0, 1, 0, 1, 0, 1, 0]])  # two replicates of two models
    weights = ipm.pair_weights(labels, 4, torch.float64)
    h = torch.tensor([0.5, 1.0, 2.0, 1.3], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: ipm.grouped_mmd2(p, weights, h), (phi,))
    a, b = torch.from_numpy(draw(1, 5, 3)).requires_grad_(), torch.from_numpy(draw(2, 4, 3)).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: ipm.mmd2(a, b, 1.0), (a, b))


def test_latents_far_from_the_origin_lose_no_precision_in_float32() -> None:
    a, b = draw(0, 50, 8), draw(1, 50, 8) + 0.3
    want = float(ipm.mmd2(torch.from_numpy(a), torch.from_numpy(b), 2.0))
    far = [torch.from_numpy(v + 1000).float() for v in (a, b)]
    assert float(ipm.mmd2(far[0], far[1], 2.0)) == pytest.approx(want, abs=1e-4)


@pytest.mark.parametrize("rows", [2, 3, 4, 17, 100])
def test_the_bandwidth_is_the_median_pairwise_distance(rows: int) -> None:
    phi = draw(rows, 3, rows, 5)
    pairs = [sorted(np.linalg.norm(p[i] - p[j]) for i in range(rows) for j in range(i)) for p in phi]
    want = [statistics.median_low(distances) for distances in pairs]
    np.testing.assert_allclose(ipm.median_distance(torch.from_numpy(phi)), want, rtol=1e-10)


@given(
    st.lists(st.floats(width=32) | st.sampled_from([0.0, float("nan"), float("inf")]), min_size=1, max_size=40),
    st.data(),
)
def test_the_kth_smallest_is_torchs_to_the_last_bit(values: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(values)))
    rows = torch.tensor([values, values[::-1]], dtype=torch.float32)
    torch.testing.assert_close(ipm._smallest(rows, k), rows.kthvalue(k, dim=1).values, rtol=0, atol=0, equal_nan=True)


def test_a_bandwidth_that_cannot_be_found_is_one_and_never_zero() -> None:
    assert float(ipm.median_distance(torch.zeros(1, 8, 3))) == 1
    assert float(ipm.median_distance(torch.randn(1, 1, 3))) == 1


def test_an_empty_sample_or_a_width_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="0 and 3 rows; both need at least 1"):
        ipm.mmd2(torch.zeros(0, 2), torch.zeros(3, 2))
    with pytest.raises(ValueError, match="bandwidth is 0; it must be > 0"):
        ipm.mmd2(torch.zeros(3, 2), torch.zeros(3, 2), 0)


# -- within strata -----------------------------------------------------------------------------------------------------


def within_by_loops(phi: np.ndarray, labels: list[int], strata: list[int], h: float) -> float:
    """The mean of two: of each stratum, the mean MMD² over pairs of its groups of two rows or more; 0 without one."""
    found = []
    for stratum in (0, 1):
        groups = [[i for i, e in enumerate(labels) if e == g and strata[i] == stratum] for g in range(5)]
        groups = [group for group in groups if len(group) >= 2]
        pairs = [(a, b) for i, a in enumerate(groups) for b in groups[i + 1 :]]
        found.append(np.mean([mmd2_by_loops(phi[a], phi[b], h) for a, b in pairs]) if pairs else 0.0)
    return float(np.mean(found))


@pytest.mark.parametrize(
    ("labels", "strata"),
    [
        ([0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]),
        ([0, 1, 0, 1, 0, 1, 2, 2, 2, 0, 1, 2], [1, 0, 1, 0, 0, 1, 0, 1, 1, 0, 0, 0]),
        ([0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]),  # one row a cell: says nothing
        ([0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1], [1] * 12),  # the other stratum is empty
        ([0, 0, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]),  # two cells of one row
    ],
)
def test_groups_within_strata_equal_two_plain_means_averaged(labels: list[int], strata: list[int]) -> None:
    phi = torch.from_numpy(draw(6, 2, 12, 3))
    h = torch.tensor([0.7, 1.5], dtype=torch.float64)
    weights = ipm.pair_weights(torch.tensor([labels]), 5, torch.float64, torch.tensor([strata]))
    want = [within_by_loops(phi[m].numpy(), labels, strata, float(h[m])) for m in range(2)]
    np.testing.assert_allclose(ipm.grouped_mmd2(phi, weights, h), want, atol=1e-12)
    left, right = ipm.pair_factors(torch.tensor([labels]), 5, torch.float64, torch.tensor([strata]))
    np.testing.assert_allclose(left @ right.mT, weights, atol=1e-15)


def test_a_batch_without_two_cells_to_compare_has_no_penalty_and_no_gradient() -> None:
    phi, h = torch.from_numpy(draw(0, 1, 6, 2)).requires_grad_(), torch.ones(1, dtype=torch.float64)
    labels, strata = torch.tensor([[0, 0, 0, 1, 1, 1]]), torch.tensor([[0, 0, 0, 1, 1, 1]])  # label is environment
    value = ipm.grouped_mmd2(phi, ipm.pair_weights(labels, 2, torch.float64, strata), h)
    (gradient,) = torch.autograd.grad(value.sum(), phi)
    assert float(value.detach()) == 0
    assert float(gradient.abs().max()) == 0
    assert float(ipm.grouped_mmd2(phi.detach(), ipm.pair_weights(labels, 2, torch.float64), h)) > 0.01


def test_the_gradient_within_strata_passes_gradcheck() -> None:
    phi = torch.from_numpy(draw(0, 2, 10, 3)).requires_grad_()
    labels = torch.tensor([[0, 1, 0, 1, 0, 1, 0, 1, 0, 1], [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]])
    strata = torch.tensor([[0, 0, 0, 0, 0, 0, 1, 1, 1, 1], [0, 1, 0, 1, 0, 0, 0, 1, 1, 1]])
    weights = ipm.pair_weights(labels, 2, torch.float64, strata)
    h = torch.tensor([0.7, 1.5], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: ipm.grouped_mmd2(p, weights, h), (phi,))
