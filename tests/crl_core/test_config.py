"""A config determines a run: it checks itself, round-trips, and has one key everywhere."""

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_core import PRESETS, RunConfig, Scenario, Training, preset
from crl_core.config import DEFAULT_LAMS, LIMITS, MAX_ENVS
from crl_core.config.settings import moves, title_of
from crl_core.config.text import altered, imagined

finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


def within(name: str) -> st.SearchStrategy[float]:
    low, high = LIMITS[name]
    return st.floats(low, high, allow_nan=False)


@st.composite
def configs(draw: st.DrawFn) -> RunConfig:
    n_envs = draw(st.integers(1, MAX_ENVS))
    per_env = {
        name: tuple(draw(within(name)) for _ in range(n_envs))
        for name in ("sigma", "offset", "propensity", "cause_mean", "cause_scale")
    }
    leak = draw(st.booleans())
    scenario = Scenario(
        n_samples=draw(st.integers(200, 5000)),
        interaction=0.0 if leak else draw(within("interaction")),
        leak=draw(within("leak")) if leak else 0.0,
        mixing=draw(st.sampled_from(["none", "rotation", "nonlinear"])),
        dim_causal=draw(st.integers(1, 5)),
        **per_env,
    )
    lams = tuple(draw(st.lists(within("lams"), min_size=1, max_size=16)))
    return RunConfig(scenario=scenario, training=Training(lams=lams, seed=draw(st.integers(0, 1000)), epochs=3))


@given(configs())
def test_a_config_survives_json_and_keeps_its_key(config: RunConfig) -> None:
    again = RunConfig.from_json(config.to_json())
    assert again == config
    assert again.key == config.key
    assert hash(again) == hash(config)


def test_whole_numbers_and_lists_give_the_same_key_as_floats_and_tuples() -> None:
    a = RunConfig(scenario=Scenario(sigma=(1, 0), effect=1), training=Training(lams=(0, 1), epochs=5))
    b = RunConfig(
        scenario=Scenario(sigma=[1.0, -0.0], effect=np.float64(1.0)),  # type: ignore[arg-type]
        training=Training(lams=[1.0, 0.0, 0.0], epochs=5.0),  # type: ignore[arg-type]
    )
    assert a == b
    assert a.key == b.key


def test_the_key_is_the_same_in_another_process() -> None:
    code = "from crl_core import preset; print(preset('hospital').key)"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert other.stdout.strip() == preset("hospital").key


def test_every_field_but_the_device_changes_the_key() -> None:
    config = preset("hospital")
    assert replace(config, training=replace(config.training, device="cpu")).key == config.key
    other = {"sigma": (0.2, 1.0), "mixing": "rotation", "leak": 0.0, "lams": (0.0,), "bandwidth": 1.0}
    other |= {"align": "treatment", "propensity": (1.0, 0.5), "offset": (1.0, 2.0)}
    other |= {"cause_mean": (0.0, 1.0), "cause_scale": (1.0, 2.0), "learning_rate": 0.01, "noise": 0.1}
    other |= {
        "env_weight": (1.0, 0.5),
        "matching": "rank",
        "balanced": True,
        "standardise": not config.training.standardise,
        "surface": "waves",
        "arm_weight": "plain",
        "resample": "bootstrap",
        "ipm_estimate": "rff",
        "validation": 0.3,
        "x_scale": "whole",
        "outcome": "binary",
        "observation": "ecg",
        "hum_hz": 60.0,
        "hum_phase": "locked",
        "latents": ("t",),
        "prevalence": (0.5, 0.2),
        "pixel_noise": (0.1, 0.2),
    }
    machine = {"hum_mv": 0.5, "wander": 0.1, "highpass": (0.5, 0.0), "notch": (0.5, 1.0), "electrode_noise": (0.1, 0.0)}
    other |= machine | {"gain": (1.2, 0.9)}
    for part in ("scenario", "training"):
        for field in fields(getattr(config, part)):
            if field.name in ("device", "penalty", "leak", "encoder"):  # of signals alone: see test_conv1d
                continue
            fits = {"dim_causal": 1, "dim_spurious": 1, "mixing": "none"} if field.name == "observation" else {}
            now = getattr(getattr(config, part), field.name)
            value = other[field.name] if field.name in other else now + 1
            changed = replace(config, **{part: replace(getattr(config, part), **fits, **{field.name: value})})
            assert changed.key != config.key, field.name


def test_a_config_cannot_be_changed_in_place() -> None:
    with pytest.raises(FrozenInstanceError):
        preset("hospital").training.epochs = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("sigma", (-0.1, 1.0), "sigma is -0.1; sigma must be a number from 0 to 10"),
        ("sigma", (float("nan"), 1.0), "sigma is nan"),
        ("sigma", (), "sigma has 0 values"),
        ("sigma", (0.1,) * 11, "sigma has 11 values; give one an environment, 1 to 10"),
        ("sigma", "0.1", "give a list of numbers"),
        ("offset", (1.0, 2.0, 3.0), "offset has 3 values but sigma has 2"),
        ("propensity", (1.5,), "propensity is 1.5; propensity must be a number from 0 to 1"),
        ("n_samples", 10, "n_samples is 10; n_samples must be a whole number from 100 to 1000000"),
        ("n_samples", 200.5, "n_samples is 200.5"),
        ("n_samples", True, "n_samples is True"),
        ("n_samples", 10**400, "n_samples is inf; n_samples must be a whole number"),
        ("mixing", "tanh", "mixing is 'tanh'; it must be one of none, rotation, nonlinear"),
        ("noise", float("inf"), "noise is inf"),
    ],
)
def test_a_bad_scenario_is_named_with_what_is_allowed(field: str, value: object, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("(", r"\(")) as raised:
        Scenario(**{field: value})  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("lams", (), "lams has 0 values; give 1 to 32"),
        ("lams", (-1.0,), "lams is -1; lams must be a number from 0 to 1000000"),
        ("epochs", 0, "epochs is 0; epochs must be a whole number from 1 to 1000"),
        ("replicates", 99, "replicates is 99"),
        ("bandwidth", "mean", "bandwidth is 'mean'; it must be \"median\" or a number"),
        ("bandwidth", 0.0, "bandwidth is 0"),
        ("penalty", "entropy", "penalty is 'entropy'"),
        ("device", "tpu", "device is 'tpu'"),
        ("seed", -1, "seed is -1"),
    ],
)
def test_a_bad_training_is_named_with_what_is_allowed(field: str, value: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Training(**{field: value})  # type: ignore[arg-type]


def test_leak_and_interaction_cannot_both_be_on() -> None:
    with pytest.raises(ValueError, match="one of them must be 0"):
        Scenario(leak=1.0, interaction=1.0)


def test_more_models_or_work_than_a_run_may_ask_for_is_refused() -> None:
    with pytest.raises(ValueError, match="640 models; at most 320"):
        Training(lams=tuple(range(32)), replicates=20)
    with pytest.raises(ValueError, match="times what one run may ask for"):
        RunConfig(scenario=Scenario(n_samples=100_000), training=Training(epochs=1000))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "the config is not JSON"),
        ("[]", r"the config is \[\]; it must be an object"),
        ('{"scenarios": {}}', "the config has no field scenarios"),
        ('{"config_version": 99}', "the config has version 99; this program reads version 1"),
        ('{"training": {"lam": [0]}}', "training has no field lam"),
        ('{"scenario": {"sigma": [NaN]}}', "sigma is nan"),
        ('{"scenario": 3}', "scenario is 3; it must be an object"),
    ],
)
def test_a_damaged_config_file_is_refused_in_one_sentence(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as raised:
        RunConfig.from_json(text)
    assert "\n" not in str(raised.value)


@given(configs(), st.integers(1, MAX_ENVS))
def test_environments_that_stay_are_unchanged_when_their_number_changes(config: RunConfig, n_envs: int) -> None:
    scenario = config.scenario
    other = scenario.with_envs(n_envs)
    kept = min(n_envs, scenario.n_envs)
    assert other.n_envs == n_envs
    for name in ("sigma", "offset", "propensity", "cause_mean", "cause_scale"):
        assert getattr(other, name)[:kept] == getattr(scenario, name)[:kept]
    assert scenario.with_envs(scenario.n_envs) == scenario


def test_two_hospitals_grow_to_the_four_of_the_design() -> None:
    four = preset("hospital").scenario.with_envs(4)
    assert four.propensity == (1.0, 0.0, 1.0, 0.0)
    assert four.offset == (2.0, -2.0, 1.0, -1.0)
    assert four.sigma == (0.1, 1.0, 0.5, 0.3)


def test_an_impossible_number_of_environments_is_refused() -> None:
    for n_envs in (0, 11, 2.5, True):
        with pytest.raises(ValueError, match="whole number from 1 to 10"):
            Scenario().with_envs(n_envs)  # type: ignore[arg-type]


def test_the_default_path_is_zero_and_fifteen_steps_of_equal_ratio() -> None:
    assert Training().lams == DEFAULT_LAMS
    assert len(DEFAULT_LAMS) == 16
    np.testing.assert_allclose(DEFAULT_LAMS[1:], np.logspace(-4, 2, 15), rtol=0.05)


def test_every_preset_explains_itself_and_an_unknown_one_is_refused() -> None:
    for name, item in PRESETS.items():
        assert item.id == name
        assert item.title
        assert item.sentence.endswith(".")
        assert item.look_for.endswith(".")
        assert item.why.endswith(".")
        assert json.loads(item.config.to_json())
    with pytest.raises(ValueError, match="there is no preset 'hospitel'; choose one of hospital"):
        preset("hospitel")


@given(configs())
def test_a_hypothetical_config_is_allowed_or_none(config: RunConfig) -> None:
    more = imagined(config, n_envs=config.scenario.n_envs + 1)
    assert more is None or more.scenario.n_envs == config.scenario.n_envs + 1
    assert imagined(config) == config
    assert imagined(config, sigma=(-1.0,)) is None
    assert imagined(config, epochs=0) is None


def test_a_world_as_it_comes_has_its_presets_title_and_another_says_what_is_other_in_it() -> None:
    home = preset("hospital")
    assert title_of(home) == "Two hospitals, one cause"
    assert title_of(altered(home, epochs=3, seed=9, n_samples=400)) == "Two hospitals, one cause"
    assert title_of(altered(home, sigma=(0.1, 0.5))) == "Your world: two hospitals, σ₂ 0.5"
    assert title_of(altered(home, n_envs=3)) == "Your world: three hospitals"
    many = altered(home, sigma=(0.2, 0.5), noise=0.7, dim_causal=3)
    assert title_of(many).startswith("Your world: two hospitals, ")
    assert title_of(many).endswith(" and 2 more")


def test_what_was_changed_between_two_runs_is_said_setting_by_setting() -> None:
    home = preset("hospital")
    assert moves(home, home) == []
    assert moves(home, altered(home, sigma=(0.1, 0.5), epochs=20)) == ["σ₂ 1 → 0.5", "epochs 50 → 20"]
    assert moves(home, altered(home, n_envs=3))[0] == "environments 2 → 3"
