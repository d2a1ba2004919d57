"""Samples follow the structural equations, and the same seed gives the same bits."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_core import MultiEnvData, Scenario, preset, sample
from crl_core.data.scm import along, mix, split


def digest(data: MultiEnvData) -> str:
    parts = (data.x, data.t, data.env, data.y, data.y0, data.y1, data.z, data.s)
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()


@pytest.mark.parametrize("name", ["hospital", "recipe", "leaky", "sensors"])
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(name: str) -> None:
    scenario = preset(name).scenario
    assert digest(sample(scenario, 3)) == digest(sample(scenario, 3))
    assert digest(sample(scenario, 3)) != digest(sample(scenario, 4))


def test_outcomes_follow_the_structural_equations_row_by_row() -> None:
    scenario = Scenario(
        n_samples=600,
        sigma=(0.1, 1.0, 0.5),
        offset=(1.0, -1.0, 0.0),
        interaction=-1.0,
        effect=2.0,
        heterogeneity=0.5,
    )
    data = sample(scenario, 1)
    for i in range(len(data)):
        z, s = float(data.z[i, 0]), float(data.s[i, 0])
        assert data.y0[i] == pytest.approx(2 * z - z * s)
        assert data.y1[i] == pytest.approx(2 * z - z * s + 2 + 0.5 * z)
        factual = data.y1[i] if data.t[i] else data.y0[i]
        assert abs(data.y[i] - factual) < 6 * scenario.noise
    np.testing.assert_array_equal(data.x, np.concatenate([data.z, data.s], axis=1))
    np.testing.assert_allclose(data.ite, 2 + 0.5 * data.z[:, 0])


def test_each_environment_has_its_own_nuisance_cause_and_policy() -> None:
    scenario = Scenario(
        n_samples=60_000,
        sigma=(0.1, 2.0),
        offset=(3.0, -3.0),
        propensity=(0.9, 0.2),
        cause_mean=(1.0, -1.0),
        cause_scale=(2.0, 0.5),
    )
    data = sample(scenario, 0)
    for e in range(2):
        rows = data.env == e
        assert data.s[rows].mean() == pytest.approx(scenario.offset[e], abs=0.05)
        assert data.s[rows].std() == pytest.approx(scenario.sigma[e], rel=0.03)
        assert data.z[rows].mean() == pytest.approx(scenario.cause_mean[e], abs=0.05)
        assert data.z[rows].std() == pytest.approx(scenario.cause_scale[e], rel=0.03)
        assert data.t[rows].mean() == pytest.approx(scenario.propensity[e], abs=0.02)


def test_confounding_makes_the_cause_decide_the_treatment() -> None:
    data = sample(Scenario(n_samples=50_000, confounding=2.0), 0)
    for low in (-1.0, 0.0, 1.0):
        rows = np.abs(data.z[:, 0] - low) < 0.1
        assert data.t[rows].mean() == pytest.approx(1 / (1 + np.exp(-2 * low)), abs=0.03)


def test_certain_treatment_stays_certain_under_confounding() -> None:
    data = sample(Scenario(n_samples=400, propensity=(1.0, 0.0), confounding=3.0), 0)
    np.testing.assert_array_equal(data.t, 1 - data.env)


def test_a_leak_makes_the_nuisance_a_child_of_the_factual_outcome() -> None:
    plain = sample(Scenario(n_samples=400, offset=(3.0, -3.0), noise=0.3), 5)
    leaky = sample(Scenario(n_samples=400, offset=(3.0, -3.0), noise=0.3, leak=1.0), 5)
    np.testing.assert_allclose(leaky.s[:, 0] - plain.s[:, 0], plain.y)
    np.testing.assert_array_equal(leaky.y, plain.y)


def test_more_coordinates_enter_through_a_fixed_unit_direction() -> None:
    data = sample(preset("sensors").scenario, 0)
    np.testing.assert_allclose(along(data.z), data.z @ np.full(5, 5**-0.5))
    np.testing.assert_allclose(data.y0, 2 * along(data.z))
    assert data.x.shape == (5000, 25)


def test_mixing_depends_on_the_seed_alone_and_can_be_undone() -> None:
    scenario = Scenario(n_samples=400, dim_causal=2, dim_spurious=3, mixing="rotation")
    data = sample(scenario, 2)
    u = np.concatenate([data.z, data.s], axis=1)
    np.testing.assert_allclose(mix(u[:7], scenario, 2), data.x[:7])
    np.testing.assert_allclose(np.linalg.norm(data.x, axis=1), np.linalg.norm(u, axis=1))
    bent = sample(replace(scenario, mixing="nonlinear"), 2)
    distances = np.linalg.norm(bent.x[:, None] - bent.x[None], axis=-1)[np.triu_indices(len(bent), 1)]
    assert distances.min() > 0  # different latents stay different rows


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 10),
    st.integers(200, 2500),
    st.floats(0, 1),
    st.integers(0, 50),
)
def test_the_split_is_exact_disjoint_and_shows_every_stratum_in_both_parts(
    n_envs: int, n: int, propensity: float, seed: int
) -> None:
    data = sample(Scenario(n_samples=n, sigma=(0.5,) * n_envs, propensity=(propensity,)), seed)
    train, held_out = split(data, seed)
    assert len(held_out) == round(0.2 * n)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), np.arange(n))
    stratum = 2 * data.env + data.t
    values, sizes = np.unique(stratum, return_counts=True)
    off = 1.5 * len(values) / len(held_out)  # rounding, and a row more for each stratum too small for its share
    for value, size in zip(values, sizes, strict=True):
        if size >= 2:
            assert value in stratum[train]
            assert value in stratum[held_out]
        if size >= 50:
            assert np.mean(stratum[held_out] == value) == pytest.approx(size / n, abs=off)


def test_one_to_ten_environments_can_be_sampled() -> None:
    for n_envs in range(1, 11):
        data = sample(preset("hospital").scenario.with_envs(n_envs), 0)
        sizes = np.bincount(data.env)
        assert len(sizes) == n_envs
        assert sizes.max() - sizes.min() <= 1


def test_a_table_without_truth_has_no_effects() -> None:
    data = MultiEnvData(x=np.zeros((3, 2)), t=np.zeros(3, int), env=np.zeros(3, int), y=np.zeros(3))
    assert data.ite is None
    assert data.rows(np.array([0, 2])).z is None
    assert len(data.rows(np.array([0, 2]))) == 2
