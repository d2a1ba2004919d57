"""A setting by itself, the name of a run among others, and the runs of a sweep."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.presets import PRESETS
from crl_core.config.settings import (
    UNCHANGED,
    Setting,
    all_settings,
    changed,
    name_of,
    names_among,
    settings_of,
    varying,
    world_of,
)
from crl_core.config.sweep import Axis, axes_of, combined, expand, read_axis
from crl_core.config.text import N_ENVS, altered

BASE = PRESETS["hospital"].config
SIGMA, SEED, PENALTY, ENVS = Setting("sigma", 1), Setting("seed"), Setting("penalty"), Setting(N_ENVS)
ALIGNED = ("mmd", "mmd-linear", "coral", "irm", "vrex")


def axis(setting: Setting, *values: object) -> Axis:
    return Axis(setting=setting, values=values)


# -- one setting -------------------------------------------------------------------------------------------------------


def test_every_value_of_a_config_is_a_setting_by_itself_with_a_word_and_a_name_of_its_own() -> None:
    for preset in PRESETS.values():
        found = settings_of(preset.config)
        assert len({setting.word for setting in found}) == len({setting.name for setting in found}) == len(found)
        assert all(setting.of(preset.config) is not None for setting in found)
    assert Setting("sigma", 1).word == "σ₂"
    assert Setting("sigma", 9).word == "σ₁₀"


def test_what_a_run_does_not_have_is_none() -> None:
    assert Setting("sigma", 2).of(BASE) is None
    assert Setting("sigma", 2) not in all_settings([BASE])
    assert Setting("sigma", 2) in all_settings([BASE, altered(BASE, n_envs=3)])


def test_settings_that_vary_are_those_whose_values_differ() -> None:
    runs = [BASE, altered(BASE, seed=7), altered(BASE, sigma=(0.1, 0.5)), altered(BASE, n_envs=3)]
    assert varying(runs) == [ENVS, SIGMA, SEED]
    assert varying([BASE, BASE]) == []


# -- names -------------------------------------------------------------------------------------------------------------


def test_a_run_is_named_by_what_was_changed_and_by_its_world_where_nothing_was() -> None:
    assert name_of(altered(BASE, sigma=(0.1, 0.5), penalty="coral")) == "σ₂ 0.5, CORAL"
    assert name_of(altered(BASE, n_envs=3)) == "3 environments"
    assert name_of(BASE) == world_of(BASE) == "Two hospitals, one cause"
    assert changed(BASE) == ()


def test_runs_are_told_apart_by_what_most_of_the_others_do_not_have() -> None:
    six = [altered(BASE, epochs=6, replicates=2)] * 2
    runs = [altered(six[0], seed=7), altered(six[0], penalty="coral"), altered(six[0], n_envs=3), six[0]]
    assert names_among(runs) == ["seed 7", "CORAL", "3 environments", UNCHANGED]
    assert names_among([BASE, altered(BASE, seed=7)]) == [UNCHANGED, "seed 7"]


def test_runs_of_several_worlds_begin_with_their_world() -> None:
    other = PRESETS["shifted"].config
    assert names_among([BASE, other, altered(other, seed=3)]) == [
        world_of(BASE),
        world_of(other),
        f"{world_of(other)}, seed 3",
    ]


members = st.fixed_dictionaries(
    {},
    optional={
        "n_envs": st.integers(1, 4),
        "seed": st.integers(0, 3),
        "penalty": st.sampled_from(ALIGNED),
        "epochs": st.sampled_from([5, 50]),
        "noise": st.sampled_from([0.05, 0.5]),
    },
)


@given(st.lists(st.tuples(st.sampled_from(["hospital", "shifted", "leaky"]), members), min_size=1, max_size=8))
def test_two_different_runs_never_have_one_name(asked: list[tuple[str, dict[str, object]]]) -> None:
    runs = list({run.key: run for world, own in asked if (run := altered(PRESETS[world].config, **own))}.values())
    names = names_among(runs)
    assert len(set(names)) == len(runs)
    assert all(names)


# -- values that a person writes ---------------------------------------------------------------------------------------


def test_values_are_read_between_commas_each_once() -> None:
    assert read_axis(SIGMA, "0.5, 1;2, 1.0").values == (0.5, 1.0, 2.0)
    assert read_axis(SEED, "7, 8").values == (7, 8)
    assert read_axis(PENALTY, "CORAL, mmd, IRMv1").values == ("coral", "mmd", "irm")
    assert read_axis(Setting("balanced"), "no, yes").values == (False, True)
    assert read_axis(Setting("bandwidth"), "median, 0.5").values == ("median", 0.5)
    assert read_axis(ENVS, "2, 3").values == (2, 3)


@pytest.mark.parametrize(
    ("setting", "text", "says"),
    [
        (SIGMA, " , ", "σ₂ has no value; write some with commas between them, e.g. 1, 2."),
        (SIGMA, "0.5, 50", "σ₂ is 50; it must be a number from 0 to 10."),
        (SEED, "1.5", "seed is 1.5; it must be a whole number from 0 to"),
        (SEED, "nan", "seed is nan; it must be"),
        (PENALTY, "corel", "penalty is corel; it must be one of mmd, "),
        (ENVS, "0", "environments is 0; it must be a whole number from 1 to 10."),
        (ENVS, "two", "environments is two; it must be a number, e.g. 1, 2."),
        (Setting("balanced"), "maybe", "balanced batches is maybe; it must be one of yes, no."),
        (Setting("bandwidth"), "wide", "bandwidth is wide; it must be a number or median"),
    ],
)
def test_a_value_that_cannot_be_is_named_in_one_sentence(setting: Setting, text: str, says: str) -> None:
    with pytest.raises(ValueError, match="^" + says.replace("(", r"\(").replace(".", r"\.")):
        read_axis(setting, text)


def test_every_setting_that_can_be_swept_is_read_back_from_its_own_value() -> None:
    for setting in axes_of(BASE):
        value = setting.of(BASE)
        text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
        assert read_axis(setting, text).values == (value,), setting
        for kept in (None, {}):
            assert combined(BASE, [(setting, value)], kept=kept) == BASE


# -- the runs ----------------------------------------------------------------------------------------------------------

sigmas = st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=1, max_size=4)
penalties = st.lists(st.sampled_from(ALIGNED), min_size=1, max_size=4)


@given(sigmas, penalties)
def test_a_sweep_is_the_product_in_order_and_no_run_comes_twice(first: list[float], second: list[str]) -> None:
    found = expand(BASE, [axis(SIGMA, *first), axis(PENALTY, *second)])
    plain = []
    for one in first:
        for other in second:
            config = altered(altered(BASE, penalty=other), sigma=(0.1, one))
            if config not in plain:
                plain.append(config)
    assert [member.config for member in found] == plain
    assert len({member.name for member in found}) == len(found)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True), sigmas)
def test_more_environments_and_a_value_of_one_of_them_go_together_in_any_order(
    envs: list[int], second: list[float]
) -> None:
    assume(min(envs) >= 2)
    a = {member.config for member in expand(BASE, [axis(ENVS, *envs), axis(SIGMA, *second)])}
    b = {member.config for member in expand(BASE, [axis(SIGMA, *second), axis(ENVS, *envs)])}
    assert a == b
    assert {(config.scenario.n_envs, config.scenario.sigma[1]) for config in a} == set(product(envs, second))


def test_a_sweep_of_nothing_is_the_base_itself() -> None:
    assert [member.config for member in expand(BASE, [])] == [BASE]


def test_each_penalty_can_be_given_its_own_grid() -> None:
    shared, own = (
        expand(BASE, [axis(PENALTY, "mmd", "coral")], own_grids=own)[1].config.training.lams for own in (False, True)
    )
    assert shared == BASE.training.lams
    assert own == PENALTY_WORDS["coral"].lams


def test_a_combination_that_cannot_be_is_named() -> None:
    with pytest.raises(ValueError, match=r"^contrastive pairs cannot be: the contrastive penalty pulls"):
        expand(BASE, [axis(PENALTY, "mmd", "contrastive")])
    with pytest.raises(ValueError, match=r"^σ₃ 1 cannot be: there are 2 environments, and σ₃ is of environment 3"):
        expand(BASE, [axis(Setting("sigma", 2), 1.0)])
    with pytest.raises(ValueError, match="σ₂ stands twice"):
        expand(BASE, [axis(SIGMA, 1.0), axis(SIGMA, 2.0)])
