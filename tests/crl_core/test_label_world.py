"""A label of two values comes first, z and s are drawn after it, and treatment has no part in it."""

from dataclasses import replace

import numpy as np
import pytest

from crl_core import MultiEnvData, RunConfig, Scenario, Training, sample
from crl_core.data.scm import UNCHANGED, Change, along, draw, mix, strata

LABELS = Scenario(n_samples=4000, outcome="binary", prevalence=(0.7, 0.2), offset=(1.0, -2.0), leak=0.5)
ENV = np.arange(4000) % 2


def rows(scenario: Scenario = LABELS, change: Change = UNCHANGED, seed: int = 5) -> MultiEnvData:
    return draw(scenario, ENV, np.random.default_rng(seed), 0, change)


def known(values: np.ndarray | None) -> np.ndarray:
    assert values is not None
    return values


def plain_rows(scenario: Scenario, change: str, seed: int = 5) -> MultiEnvData:
    """A row after the other where a draw has one, every equation in its place."""
    rng, n = np.random.default_rng(seed), len(ENV)
    chance, kick = rng.random(n), rng.standard_normal((n, scenario.dim_causal))
    coin, jitter = rng.random(n), rng.standard_normal((n, scenario.dim_spurious))
    y, t, z, s = np.zeros(n), np.zeros(n, dtype=np.int64), np.zeros(kick.shape), np.zeros(jitter.shape)
    for i, e in enumerate(ENV):
        y[i] = chance[i] < (0.5 if change == "prevalence" else scenario.prevalence[e])
        sign = 1 if y[i] == 1 else -1
        away = sign * scenario.separation / scenario.dim_causal**0.5
        z[i] = scenario.cause_mean[e] + away + scenario.cause_scale[e] * kick[i]
        t[i] = coin[i] < scenario.propensity[e]
        if change == "nuisance":
            s[i] = 3 + jitter[i]
            continue
        s[i] = scenario.offset[e] + scenario.sigma[e] * jitter[i] + scenario.leak * sign
        if change == "mirrored":
            s[i] = sum(scenario.offset) - s[i]  # twice the mean of both
    return MultiEnvData(x=mix(np.concatenate([z, s], axis=1), scenario, 0), t=t, env=ENV, y=y, z=z, s=s)


CHANGES = {
    "nothing": UNCHANGED,
    "prevalence": Change(prevalence=0.5),
    "mirrored": Change(mirrored=True),
    "nuisance": Change(nuisance=lambda noise: 3 + noise),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("dims", [1, 3])
def test_labels_causes_and_nuisances_follow_their_equations_row_by_row(change: str, dims: int) -> None:
    world = replace(LABELS, dim_causal=dims, propensity=(0.2, 0.9), cause_mean=(0.5, 0.0), separation=0.7)
    got, want = rows(world, CHANGES[change]), plain_rows(world, change)
    np.testing.assert_array_equal(got.y, want.y)
    np.testing.assert_array_equal(got.t, want.t)
    for name in ("z", "s", "x"):
        np.testing.assert_allclose(getattr(got, name), getattr(want, name), atol=1e-12)


def test_each_hospital_has_its_own_share_of_yes_unless_all_get_one() -> None:
    for change, shares in ((UNCHANGED, (0.7, 0.2)), (Change(prevalence=0.5), (0.5, 0.5))):
        data = rows(change=change)
        assert set(data.y) == {0.0, 1.0}
        for env, share in enumerate(shares):
            assert data.y[data.env == env].mean() == pytest.approx(share, abs=0.04)  # four standard errors


@pytest.mark.parametrize("dims", [1, 3])
@pytest.mark.parametrize("separation", [1.0, 2.5])
def test_the_cause_lies_as_far_from_0_as_the_separation_says_in_any_dimension(dims: int, separation: float) -> None:
    data = rows(replace(LABELS, dim_causal=dims, separation=separation))
    z_bar = along(known(data.z))
    for label in (0, 1):
        own = z_bar[data.y == label]
        assert own.mean() == pytest.approx((2 * label - 1) * separation, abs=0.1)
        assert own.std() == pytest.approx(1, abs=0.06)


def test_a_leak_raises_s_where_the_label_is_yes_and_lowers_it_where_it_is_no() -> None:
    with_leak, without = known(rows().s), known(rows(replace(LABELS, leak=0.0)).s)
    np.testing.assert_allclose((with_leak - without)[:, 0], np.where(rows().y == 1, 0.5, -0.5))


def test_mirrored_s_says_the_opposite_of_the_label_and_keeps_its_mean_over_hospitals() -> None:
    usual, reversed_ = (
        rows(replace(LABELS, prevalence=(0.5,))),
        rows(replace(LABELS, prevalence=(0.5,)), CHANGES["mirrored"]),
    )
    np.testing.assert_allclose(known(usual.s) + known(reversed_.s), -1.0)  # twice the mean of the offsets
    for data, sign in ((usual, 1), (reversed_, -1)):
        s = known(data.s)[:, 0]
        inner = [s[(data.y == 1) & (data.env == e)].mean() - s[(data.y == 0) & (data.env == e)].mean() for e in (0, 1)]
        np.testing.assert_allclose(inner, sign * 2 * LABELS.leak, atol=0.1)
    np.testing.assert_array_equal(known(usual.z), known(reversed_.z))


def test_treatment_changes_no_label_so_there_is_no_effect_to_know() -> None:
    world = replace(LABELS, propensity=(0.9, 0.1))
    data = rows(world)
    assert data.ite is None
    np.testing.assert_array_equal(data.y, rows(replace(world, propensity=(0.1, 0.9))).y)
    assert "effects" not in LABELS.knows
    assert {"latents", "equations"} <= LABELS.knows
    assert LABELS.two_outcomes
    assert "effects" in Scenario().knows
    assert not Scenario().two_outcomes


def test_a_sample_of_a_label_world_has_the_rows_that_were_asked_for() -> None:
    data = sample(LABELS, 2)
    np.testing.assert_array_equal(np.bincount(data.env), LABELS.env_sizes)
    for env, share in enumerate((0.7, 0.2)):
        assert data.y[data.env == env].mean() == pytest.approx(share, abs=0.04)


def test_environments_are_made_alike_within_the_label_only_where_that_is_asked_for() -> None:
    data = rows()
    np.testing.assert_array_equal(strata(data, "environment within outcome"), data.y)
    for align in ("environment", "treatment"):
        assert not strata(data, align).any()


@pytest.mark.parametrize(
    ("scenario", "changes", "said"),
    [
        (Scenario(), {}, "within an outcome that has two values, and this one is a number; set training.align"),
        (LABELS, {"penalty": "coral"}, "the penalty coral aligns no environments within the outcome; set"),
    ],
)
def test_what_cannot_be_aligned_within_the_outcome_is_refused_in_a_sentence(
    scenario: Scenario, changes: dict[str, str], said: str
) -> None:
    training = Training(align="environment within outcome", **changes)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=said):
        RunConfig(scenario=scenario, training=training)
