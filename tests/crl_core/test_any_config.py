"""Any config that config.py allows can be said in words, kept, sent, and taken home: it is the same config after."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from crl_core import RunConfig, preset, train
from crl_core.cli import config as cli_config
from crl_core.cli import program
from crl_core.config import ABOUT, PARTS
from crl_core.config.text import (
    N_ENVS,
    PART_OF,
    altered,
    differing,
    nearest,
    preset_of,
    read,
    reproducing_command,
    written,
)
from crl_core.export.checkpoint import checkpoint, citation, history_csv, loading_example, metrics_csv
from crl_core.export.figure_page import figure_page
from crl_core.export.models.network import metadata_text, subject
from crl_core.export.notebook import notebook
from crl_core.lecture.handout import handout_html
from crl_core.measures.comparison import differing_settings, same_draws
from crl_core.measures.evidence import gather
from crl_core.results import RunResult, view_rows
from crl_core.runs.bundle import export_bytes, import_run
from crl_core.studies.certificate import certificate
from crl_core.studies.deployed import batch_report, reference_of
from crl_core.studies.environments import pick
from pages.shared import fields
from tests.any_config import configs
from tests.crl_core.made_up import assert_same, store_in

PARSER = program._parser()


def trained_by(command: str) -> RunConfig:
    """The config that a command line would train."""
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "crl_core", "train"]
    return cli_config.config_of(PARSER.parse_args(words[3:]))


# -- in words ----------------------------------------------------------------------------------------------------------


def by_link(config: RunConfig) -> RunConfig:
    """The config that a link to it opens; nothing of the link may need mending."""
    preset_id, values = fields.describe(config)
    link = {"preset": preset_id} | {name: str(value) for name, value in values.items()}
    assert fields.mend(link) == ({}, [])
    assert fields.grid(preset_id, link) == config.training.lams
    read_back = {name: value if isinstance(value, str) else float(link[name]) for name, value in values.items()}
    return fields.build(preset_id, read_back)


@pytest.mark.slow
@settings(max_examples=500, suppress_health_check=list(HealthCheck))
@given(configs())
def test_any_config_comes_back_from_command_line_link_sidebar_and_json_with_its_key(
    config: RunConfig,
) -> None:
    assert trained_by(reproducing_command(config)) == config
    assert by_link(config).key == config.key
    preset_id, values = fields.describe(config)
    assert fields.build(preset_id, values).key == config.key
    assert RunConfig.from_json(config.to_json()) == config
    nearest_id, changed = nearest(config)
    assert nearest_id == preset_id
    for change in changed:
        assert str(change).startswith(change.word)
        if change.name != N_ENVS:
            part, name, value = read(change.assignment)
            assert replace(getattr(config, part), **{name: value}) == getattr(config, part)


@given(configs(), configs())
def test_two_configs_have_the_same_key_exactly_where_nothing_is_said_to_differ(a: RunConfig, b: RunConfig) -> None:
    assert (a.key == b.key) == (not differing_settings([a, b]))
    assert differing([a, a]) == []


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_written_so_that_it_reads_back_to_the_bit(value: float) -> None:
    assert float(written(value)) == value


@pytest.mark.parametrize("text", ["scenario.sigma=0.1,", "scenario.sigma=0.1", " scenario.sigma = 0.1 "])
def test_a_list_of_one_value_can_be_written(text: str) -> None:
    part, name, value = read(text)
    assert (part, name) == ("scenario", "sigma")
    assert replace(preset("recipe").scenario.with_envs(1), sigma=value).sigma == (0.1,)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sigma=1", "write scenario.FIELD=VALUE or training.FIELD=VALUE, e.g."),
        ("scenario.sigma=,", "write scenario.FIELD=VALUE"),
        ("training.sigma=1", "training has no field sigma; its fields are align, arm_weight, balanced,"),
    ],
)
def test_what_is_no_setting_is_refused_with_what_is_one(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(text)


# -- of any age --------------------------------------------------------------------------------------------------------


SIGNALS = {"observation", "latents", "samples", "rate", "highpass", "saturation", "outcome"}


@given(configs(), st.sets(st.sampled_from([name for name, about in ABOUT.items() if about.young])))
def test_a_config_that_lacks_younger_fields_takes_their_defaults(config: RunConfig, lacking: set[str]) -> None:
    content = config.to_dict()
    if lacking & SIGNALS:  # they only fit together
        lacking = lacking | SIGNALS
        content["training"]["align"] = "environment"
        content["training"].pop("encoder", None)
    for part in PARTS:
        content[part] = {name: value for name, value in content[part].items() if name not in lacking}
    if content["training"]["penalty"] == "contrastive":
        content["training"]["penalty"] = "mmd"
    older = RunConfig.from_dict(content)
    assert older == RunConfig.from_json(json.dumps(content))
    for name in lacking:
        assert name not in older.to_dict()[PART_OF[name]]


def test_a_config_of_the_future_is_refused_by_the_name_of_its_field() -> None:
    with pytest.raises(ValueError, match="scenario has no field sky; its fields are cause_mean, "):
        RunConfig.from_dict({"scenario": {"sky": 1}})


def test_every_field_has_a_word_a_help_and_its_limits_beside_it() -> None:
    words = [about.word for about in ABOUT.values()]
    assert len(set(words)) == len(words)
    for name, about in ABOUT.items():
        assert about.help.endswith(".")
        assert about.limits or about.options or name in ("balanced", "standardise")


# -- taken home --------------------------------------------------------------------------------------------------------


def taken_home(result: RunResult, folder: Path) -> None:
    """Make everything that one run is taken home as, and look for the command in it."""
    config, lam = result.config, result.lams[-1]
    command = reproducing_command(config)
    assert command in citation(result, 0.0)
    json.loads(notebook(result, 0.0))
    assert metrics_csv(result).count("\n") == config.training.n_models + 1
    assert history_csv(result).count("\n") == config.training.n_models * config.training.epochs + 1
    whole = all(np.isfinite(value[result.model(lam)]).all() for value in result.weights.values())
    if whole:  # a model that diverged has no weights to take home
        assert config.key.encode() in checkpoint(result, lam)
        metadata = json.loads(metadata_text(subject(result, lam).metadata))
        assert RunConfig.from_dict(metadata["config"]).key == metadata["key"] == config.key
        findings = batch_report(
            reference_of(result, lam), view_rows(config).x, np.random.default_rng(0), permutations=39
        )
        assert command in certificate(reference_of(result, lam), findings).markdown()
    assert f'load_file("crl-{config.key}' in loading_example(result, lam)
    names = tuple(f"place {env}" for env in range(config.scenario.n_envs))
    evidence = gather(result)
    assert config.key in figure_page(result, lam, names, {"evidence": evidence})
    assert config.key in handout_html(result, None, evidence)
    here, there = store_in(folder / "here"), store_in(folder / "there")
    here.save(result)
    assert import_run(there, export_bytes(here, config.key)) == config.key
    assert_same(there.load(config.key), result)


@pytest.mark.slow
@settings(max_examples=24, phases=[Phase.reuse, Phase.generate], suppress_health_check=list(HealthCheck))
@given(configs(small=True))
def test_a_run_of_any_config_is_taken_home_in_every_form(
    tmp_path_factory: pytest.TempPathFactory, config: RunConfig
) -> None:
    try:
        result = train(config)
    except ValueError:
        assume(config.training.penalty != "contrastive")  # data without a pair are refused, in a sentence
        raise
    taken_home(result, tmp_path_factory.mktemp("home"))


# -- four cases that once broke ----------------------------------------------------------------------------------------


def hospital(**changes: dict[str, object]) -> RunConfig:
    """The hospital preset, small, with changes of each part."""
    base = preset("hospital")
    small = {"lams": (0.0, 1.0), "replicates": 1, "epochs": 1, "hidden": 4, "latent_dim": 2, "device": "cpu"}
    return RunConfig(
        scenario=replace(base.scenario, **{"n_samples": 400} | changes.get("scenario", {})),
        training=replace(base.training, **small | changes.get("training", {})),
    )


def test_a_run_with_shared_units_is_taken_home_in_every_form(tmp_path: Path) -> None:
    taken_home(train(hospital(scenario={"shared_units": 16})), tmp_path)


@pytest.mark.parametrize("name", ["filter", "hum-label"])
def test_a_convolution_is_taken_home_in_every_form(name: str, tmp_path: Path) -> None:
    small = {"n_samples": 240, "lams": (0.0, 1.0), "replicates": 1, "epochs": 1, "batch_size": 64, "device": "cpu"}
    taken_home(train(altered(preset(name), encoder="conv1d", **small)), tmp_path)


@pytest.mark.parametrize("preset_id", ["hum-label", "lamp"])
def test_a_run_of_traces_or_images_is_taken_home_in_every_form(tmp_path: Path, preset_id: str) -> None:
    small = {"lams": (0.0, 1.0), "replicates": 1, "epochs": 1, "hidden": 4, "latent_dim": 2, "device": "cpu"}
    base = preset(preset_id)
    scenario = replace(base.scenario, n_samples=200)
    taken_home(train(replace(base, scenario=scenario, training=replace(base.training, **small))), tmp_path)


@pytest.mark.parametrize(
    ("part", "changed", "said"),
    [
        ("training", {"balanced": True}, "--set training.balanced=yes"),
        ("training", {"matching": "rank"}, "--set training.matching=rank"),
        ("scenario", {"env_weight": (1.0, 0.05)}, "--set scenario.env_weight=1,0.05"),
        ("scenario", {"shared_units": 16}, "--set scenario.shared_units=16"),
    ],
)
def test_a_field_younger_than_the_presets_is_part_of_the_command(part: str, changed: dict, said: str) -> None:  # type: ignore[type-arg]
    base = preset("hospital")
    config = replace(base, **{part: replace(getattr(base, part), **changed)})
    assert reproducing_command(config) == f"python -m crl_core train --preset hospital {said}"
    assert trained_by(reproducing_command(config)) == config


def test_environments_are_picked_with_their_weights() -> None:
    scenario = hospital(scenario={"env_weight": (1.0, 0.05)}).scenario
    assert pick(scenario, [1, 0, 1]).env_weight == (0.05, 1.0, 0.05)
    assert pick(scenario, [1]).env_sizes == (400,)


@pytest.mark.parametrize("changed", [{"env_weight": (1.0, 0.5)}, {"shared_units": 16}])
def test_a_rare_environment_or_shared_units_are_another_world_with_other_units(changed: dict[str, object]) -> None:
    plain, other = hospital(), hospital(scenario=changed)
    assert preset_of(plain) == "hospital"
    assert preset_of(other) is None
    assert not same_draws(plain, other)
    assert len(differing_settings([plain, other])) == 1
