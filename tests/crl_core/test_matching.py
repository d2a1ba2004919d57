"""Which rows are a pair, by each definition; balanced batches; shared units and rare environments in the data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_core import RunConfig, Scenario, Training, preset, sample, train
from crl_core.config import Align, Matching
from crl_core.data.matching import CALIPER, Matches, matches
from crl_core.data.scm import MultiEnvData, split
from crl_core.results import data_of
from crl_core.training.batches import balanced_order, pair_rows
from tests.crl_core.made_up import tiny_config


def config_of(matching: Matching, *, align: Align = "environment", **scenario: object) -> RunConfig:
    base = preset("hospital")
    return replace(
        base,
        scenario=replace(base.scenario, n_samples=1000, **scenario),  # type: ignore[arg-type]
        training=replace(base.training, matching=matching, align=align),
    )


# -- data --------------------------------------------------------------------------------------------------------------


def test_shared_units_have_one_cause_in_all_environments_and_come_from_each_in_turn() -> None:
    scenario = Scenario(sigma=(0.1, 1.0, 0.5), n_samples=900, shared_units=30, cause_mean=(5.0, 0.0, -5.0))
    data = sample(scenario, 3)
    assert data.unit is not None
    assert data.z is not None
    assert (data.unit >= 0).sum() == 90
    for unit in range(30):
        rows = data.unit == unit
        np.testing.assert_array_equal(np.unique(data.env[rows]), [0, 1, 2])
        assert len(np.unique(data.z[rows])) == 1
        assert abs(data.z[rows][0, 0] - (5, 0, -5)[unit % 3]) < 4.5
    train_rows, _ = split(data, 3)
    assert (data.unit[train_rows] >= 0).sum() == 90  # none is lost to the held-out part


def test_without_shared_units_the_data_and_keys_of_older_runs_stay_as_they_are() -> None:
    scenario = preset("hospital").scenario
    assert sample(scenario, 0).unit is None
    content = preset("hospital").to_dict()
    assert not {"shared_units", "env_weight"} & set(content["scenario"])
    assert not {"matching", "balanced"} & set(content["training"])
    equal = replace(preset("hospital"), scenario=replace(scenario, env_weight=(0.5, 0.5)))
    assert equal.key == preset("hospital").key
    rare = replace(preset("hospital"), scenario=replace(scenario, env_weight=(1.0, 0.1)))
    assert rare.key != preset("hospital").key
    assert RunConfig.from_json(rare.to_json()) == rare


@given(st.lists(st.floats(0.05, 1.0), min_size=1, max_size=6), st.integers(1000, 5000))
@settings(max_examples=60, deadline=None)
def test_rows_of_environments_follow_their_weights_and_add_up(weights: list[float], n: int) -> None:
    scenario = Scenario(sigma=(0.5,) * len(weights), env_weight=tuple(weights), n_samples=n)
    sizes = np.array(scenario.env_sizes)
    assert sizes.sum() == n
    np.testing.assert_allclose(sizes, n * np.array(weights) / sum(weights), atol=1.0)
    np.testing.assert_array_equal(np.bincount(sample(scenario, 0).env), sizes)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"shared_units": 300}, "at most half of them, 250"),
        ({"shared_units": -1}, "shared_units is -1"),
        ({"env_weight": (1.0, 0.001)}, "leaves .* rows to an environment"),
        ({"env_weight": (1.0, 0.5, 0.5)}, "env_weight has 3 values"),
    ],
)
def test_a_world_that_cannot_be_is_refused_in_a_line(fields: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(preset("hospital").scenario, n_samples=1000, **fields)  # type: ignore[arg-type]


# -- pairs -------------------------------------------------------------------------------------------------------------


def test_pairs_of_shared_units_are_the_units_seen_in_both() -> None:
    config = config_of("shared", shared_units=40)
    rows, _ = data_of(config)
    found = matches(rows, config.training.align, config.training.matching)
    (pairs,) = found.pairs.values()
    assert rows.unit is not None
    assert len(pairs) == 40
    np.testing.assert_array_equal(rows.unit[pairs[:, 0]], rows.unit[pairs[:, 1]])
    np.testing.assert_array_equal(rows.env[pairs], [[0, 1]] * 40)
    assert found.distance == 0
    assert found.unmatched == pytest.approx(1 - 80 / 800)


def test_oracle_pairs_are_the_nearest_in_z_within_the_caliper_as_found_one_by_one() -> None:
    config = config_of("oracle", env_weight=(1.0, 0.5), cause_mean=(0.5, -0.5))
    rows, _ = data_of(config)
    (pairs,) = matches(rows, config.training.align, config.training.matching).pairs.values()
    assert rows.z is not None
    z, one, other = rows.z[:, 0], np.flatnonzero(rows.env == 0), np.flatnonzero(rows.env == 1)
    expected = []
    for j in other:
        gap = np.abs(z[one] - z[j])
        if gap.min() <= CALIPER:
            expected.append((one[gap.argmin()], j))
    np.testing.assert_array_equal(pairs, expected)


def test_rank_pairs_have_the_same_place_among_their_own_group() -> None:
    config = config_of("rank", env_weight=(0.5, 1.0))
    rows, _ = data_of(config)
    (pairs,) = matches(rows, config.training.align, config.training.matching).pairs.values()
    place = np.empty(len(rows))
    for env in (0, 1):
        members = rows.env == env
        place[members] = rows.y[members].argsort().argsort() / members.sum()
    assert np.abs(place[pairs[:, 0]] - place[pairs[:, 1]]).max() < 0.01
    assert len(pairs) == (rows.env == 0).sum()


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (config_of("rank", propensity=(1.0, 1.0), align="treatment"), "one treatment arm only"),
        (config_of("oracle", cause_mean=(9.0, -9.0)), "let the environments overlap more"),
        (config_of("shared"), "no unit was seen twice; set scenario.shared_units"),
        (
            config_of(
                "rank",
                sigma=(1.0,),
                propensity=(0.5,),
                offset=(0.0,),
                cause_mean=(0.0,),
                cause_scale=(1.0,),
                env_weight=(1.0,),
            ),
            "one environment only",
        ),
    ],
)
def test_no_pairs_at_all_is_refused_with_the_reason(config: RunConfig, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        matches(data_of(config)[0], config.training.align, config.training.matching)


def test_shared_units_that_were_treated_alike_everywhere_are_no_pair_across_arms() -> None:
    config = config_of("shared", shared_units=10, align="treatment")
    rows = MultiEnvData(
        x=np.zeros((4, 2)),
        t=np.array([0, 0, 1, 1]),
        env=np.array([0, 1, 0, 1]),
        y=np.zeros(4),
        unit=np.array([0, 0, 1, 1]),
    )
    with pytest.raises(ValueError, match="each got the same treatment everywhere"):
        matches(rows, config.training.align, config.training.matching)
    with pytest.raises(ValueError, match="a table without truth has none"):
        matches(rows, "treatment", "oracle")


def test_a_world_without_shared_units_refuses_contrast_before_any_training() -> None:
    with pytest.raises(ValueError, match="this world has no shared units"):
        RunConfig(scenario=Scenario(), training=Training(penalty="contrastive"))


def test_a_step_draws_each_pair_once_from_one_pair_of_groups_and_says_which_are_real() -> None:
    pairs = {(0, 1): np.array([[1, 2], [3, 4], [5, 6]]), (0, 2): np.arange(100).reshape(50, 2)}
    rows, real = pair_rows(np.random.default_rng(0), Matches(pairs=pairs, unmatched=0, distance=0), 4, 8)
    assert rows.shape == (4, 16)
    np.testing.assert_array_equal(real.sum(axis=1), [3, 8, 3, 8])
    for step in range(4):
        drawn = np.stack(rows[step].reshape(2, 8), axis=1)[real[step]]
        allowed = {tuple(pair) for pair in pairs[(0, 1) if step % 2 == 0 else (0, 2)]}
        assert len({tuple(pair) for pair in drawn}) == len(drawn)
        assert {tuple(pair) for pair in drawn} <= allowed


# -- batches -----------------------------------------------------------------------------------------------------------


@given(st.integers(2, 5), st.integers(8, 40), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_a_balanced_batch_holds_as_many_rows_of_each_group(n_groups: int, batch: int, steps: int) -> None:
    group = np.repeat(np.arange(n_groups), [3 + 40 * k for k in range(n_groups)])
    order = balanced_order(np.random.default_rng(0), group, steps, batch).reshape(steps, batch)
    for rows in order:
        count = np.bincount(group[rows], minlength=n_groups)
        assert count.max() - count.min() <= 1
    last = order[group[order] == n_groups - 1]
    assert len(set(last)) == min(len(last), (group == n_groups - 1).sum())  # round by round, so none is left out


def test_balanced_batches_change_the_run_and_random_ones_do_not() -> None:
    config = tiny_config()
    rare = replace(config, scenario=replace(config.scenario, env_weight=(1.0, 0.1)))
    balanced = replace(rare, training=replace(rare.training, balanced=True))
    assert balanced.key != rare.key
    assert not np.array_equal(train(balanced).factual_mse, train(rare).factual_mse)
    with pytest.raises(ValueError, match="balanced is 'often'; it must be yes or no"):
        replace(rare.training, balanced="often")  # type: ignore[arg-type]
