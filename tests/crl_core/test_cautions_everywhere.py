"""What is everywhere missing is said by every command, in its JSON too, and by an exported model; its status is 0."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crl_core import RunConfig, preset, train
from crl_core.cli import identify, studies
from crl_core.cli import penalties as penalties_command
from crl_core.cli import unseen as unseen_command
from crl_core.cli.program import main
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.presets import PRESETS
from crl_core.config.text import altered, imagined
from crl_core.events import COLLAPSED, DIVERGED, OK
from crl_core.export.model_file import read_model
from crl_core.export.models import export_model, subject
from crl_core.identify.chance import chance
from crl_core.identify.flows.recover import Recovery
from crl_core.measures.cautions import cautions_before, cautions_of_model, cautions_of_runs
from crl_core.results import RunResult
from crl_core.runs.store import RunStore
from crl_core.studies import claims_run
from crl_core.studies import environments as study
from crl_core.studies import penalties as contests
from crl_core.studies.claims import judged, load_claims
from crl_core.studies.detection_rates import Power, run_power
from tests.crl_core.made_up import made_up_result

Said = Callable[[str], tuple[list[str], str]]
SMALL = {"n_samples": 400, "lams": (0.0, 1.0), "replicates": 1, "epochs": 1, "hidden": 4, "latent_dim": 2}


def small(name: str = "recipe", **more: object) -> RunConfig:
    return altered(preset(name), **SMALL | {"device": "cpu"} | more)


def broken(result: RunResult, code: int = DIVERGED) -> RunResult:
    """The run as if every model of it had ended so."""
    names = ("factual_mse", "factual_mse_by_env", "mmd2", "ite_rmse", "ate_error", "ite_rmse_by_env")
    empty = {} if code == COLLAPSED else {name: np.full_like(getattr(result, name), np.nan) for name in names}
    return replace(result, status=np.full_like(result.status, code), **empty)


WORLDS: dict[str, tuple[Callable[[], RunResult], str]] = {
    "all diverged": (lambda: broken(made_up_result(small())), "All 2 models diverged"),
    "all collapsed": (lambda: broken(made_up_result(small()), COLLAPSED), "All 2 models collapsed"),
    "everyone treated": (lambda: made_up_result(small(propensity=(1.0, 1.0))), "no effect can be learnt"),
    "no one treated": (lambda: made_up_result(small(propensity=(0.0, 0.0))), "no effect can be learnt"),
    "one environment": (lambda: made_up_result(small(n_envs=1)), "nothing to compare"),
}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.setenv("CRL_CACHE", str(tmp_path / "cache"))
    return RunStore()


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """The cautions in a command's JSON, and its standard error; the command must end with 0."""

    def run(command: str) -> tuple[list[str], str]:
        capsys.readouterr()
        assert main([*command.split(), "--json", "-"]) == 0
        out, err = capsys.readouterr()
        return json.loads(out)["cautions"], err

    return run


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("command", ["train", "runs show", "export"])
def test_a_command_about_a_run_warns_of_what_the_run_lacks(
    command: str, world: str, store: RunStore, said: Said, tmp_path: Path
) -> None:
    make, words = WORLDS[world]
    result = make()
    store.save(result)
    key = result.config.key
    (tmp_path / "config.json").write_text(result.config.to_json())
    full = {
        "train": f"train --config {tmp_path / 'config.json'}",
        "runs show": f"runs show {key}",
        "export": f"export {key} --lam 0 --format torchscript --out {tmp_path / 'model.pt'}",
    }[command]
    if command == "export" and world == "all diverged":
        assert main(full.split()) == 2  # such a model has nothing to take away, in a sentence
        return
    cautions, err = said(full)
    assert any(words in caution for caution in cautions)
    assert f"warning: {cautions[0]}" in err


@pytest.mark.parametrize("world", [name for name in WORLDS if name != "all diverged"])
def test_an_exported_model_says_what_its_run_lacks_wherever_it_is_opened(world: str) -> None:
    make, words = WORLDS[world]
    model = read_model(export_model(subject(make(), 0.0), "torchscript"), "model.pt")
    assert any(words in caution for caution in model.cautions)


def test_one_model_that_collapsed_beside_good_ones_is_said_when_it_is_taken_out() -> None:
    result = made_up_result(small(propensity=(0.5, 0.5)))
    status = np.array([OK, COLLAPSED])
    result = replace(result, status=status)
    assert cautions_of_model(result, 0) == ()
    (caution,) = cautions_of_model(result, 1)
    assert caution.startswith("The model of λ = 1, replicate 0, collapsed")
    assert "1 of the run's 2 models are usable" in caution


def test_runs_that_lack_the_same_are_named_unless_all_do() -> None:
    good, alone = small(), small(n_envs=1)
    assert cautions_of_runs({"a": good, "b": good}) == ()
    assert cautions_of_runs({"a": alone, "b": alone}) == cautions_before(alone)
    (caution,) = cautions_of_runs({"a": good, "b": alone})
    assert caution == f"b: {cautions_before(alone)[0]}"


# -- studies -----------------------------------------------------------------------------------------------------------


def dead_contest() -> contests.Contest:
    found = contests.judged(broken(made_up_result(small())), np.full(2, np.nan))
    rows = tuple(replace(found, penalty=name) for name in PENALTY_WORDS)
    return contests.Contest(setting=contests.ContestSetting(preset="recipe"), rows=rows)


def dead_study() -> study.EnvironmentsStudy:
    shape = (len(study.SIZES), 1, len(study.LAMS))
    return study.EnvironmentsStudy(
        preset_id="recipe",
        seeds=1,
        epochs=1,
        series={name: np.full(shape, np.nan) for name in study.SERIES},
        folds=((),) * len(study.SIZES),
    )


def test_the_penalties_command_says_when_no_penalty_is_usable(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(penalties_command, "run_contest", lambda *_: dead_contest())
    cautions, err = said("penalties --preset recipe")
    assert cautions[0].startswith("No penalty has a number")
    assert "Use smaller λ" in cautions[0]
    assert cautions[0] in err


def test_the_environments_command_says_when_no_model_is_usable(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "run_environments", lambda *_, **__: dead_study())
    cautions, err = said("environments --preset recipe")
    assert cautions[0].startswith("No number of environments has a number")
    assert cautions[0] in err


def test_the_unseen_command_says_when_no_model_can_be_deployed(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = Power(preset_id="recipe", seeds=1, rows=(), dose_correlation={})
    monkeypatch.setattr(unseen_command, "run_power", lambda *_, **__: dead)
    cautions, err = said("unseen --preset recipe")
    assert cautions[0].startswith("No test has a number")
    assert cautions[0] in err


def test_the_identify_command_says_when_nothing_can_be_recovered(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = {"score": None, "against_noise": None, "latents": None, "problem": "diverged"}
    row = Recovery(method="flow", seed=0, chance=chance(3), **nothing)  # type: ignore[arg-type]
    monkeypatch.setattr("crl_core.identify.flows.recover.recover", lambda *_, **__: [row])
    assert not any("promised" in caution for caution in said("identify --preset each")[0])
    cautions, err = said("identify --preset one")
    assert "Add an environment." in cautions[0]
    assert cautions[1].startswith("No method has a number")
    assert cautions[0] in err
    assert identify.cautions.__module__ == "crl_core.identify.recovered"


def test_the_claims_command_says_of_which_claims_every_model_broke(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    claims = load_claims()[:2]
    measured = [judged(claims[0], np.full(3, np.nan)), judged(claims[1], np.ones(3))]
    monkeypatch.setattr(claims_run, "run_claims", lambda *_, **__: measured)
    cautions, err = said(f"claims --only {claims[0].id} {claims[1].id}")
    assert len(cautions) == 1
    assert f"these claims: {claims[0].id}. " in cautions[0]
    assert cautions[0] in err


def test_a_study_of_good_runs_says_nothing() -> None:
    assert claims_run.cautions(load_claims(), {"claims": []}) == ()
    for name in PRESETS:
        assert study.cautions_before(name) == ()


def test_detection_rates_leave_out_a_weight_at_which_a_model_diverged(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PRESETS, "recipe", replace(PRESETS["recipe"], config=small()))  # type: ignore[index]
    result = train(altered(small(), lams=(0.0, 0.3, 1.0)))
    factual, weights = result.factual_mse.copy(), {name: value.copy() for name, value in result.weights.items()}
    factual[1], weights["encoder.0.weight"][1] = np.nan, np.nan
    store.save(replace(result, factual_mse=factual, weights=weights))
    power = run_power("recipe", store, seeds=1, first_seed=0, epochs=1, draws=1, sizes=(20,), permutations=5)
    assert {row.lam for row in power.rows} == {0.0, 1.0}


# -- configs that nobody asked for -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"n_samples": 100},
        {"n_samples": 100, "n_envs": 5},
        {"n_samples": 200, "n_envs": 10},
        {"shared_units": 100, "n_samples": 400},
        {"env_weight": (1.0, 0.06), "n_samples": 400},
        {"epochs": 1, "replicates": 1},
        {"replicates": 20},
        {"epochs": 1000, "replicates": 1, "n_samples": 20_000},
        {"n_envs": 1},
        {"propensity": (1.0, 1.0)},
        {"penalty": "contrastive", "shared_units": 8},
        {"lams": (10_000.0,)},
    ],
)
@pytest.mark.parametrize("name", ["hospital", "hospitals", "confounded"])
def test_a_study_of_a_preset_with_other_fields_is_planned_or_refused_in_a_sentence(
    name: str, changed: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = dict(changed)
    if name == "hospitals" and "env_weight" in values:
        values["env_weight"] = (1.0, 0.06, 1.0, 1.0)
    values |= {"propensity": (1.0,)} if "propensity" in values else {}
    config = imagined(preset(name), **values)
    if config is None:
        pytest.skip("no preset can have these fields")
    monkeypatch.setitem(PRESETS, name, replace(PRESETS[name], config=config))  # type: ignore[index]
    plans = (
        lambda: study.runs_of(name, 1),
        lambda: study.cautions_before(name),
        lambda: study.unseen(name, "range"),
        lambda: contests.configs_of(contests.ContestSetting(preset=name, seeds=1)),
        lambda: contests.pairings(contests.ContestSetting(preset=name, seeds=1)),
        lambda: claims_run.runs_of(load_claims(), 1),
    )
    for plan in plans:
        try:
            planned: object = plan()
        except ValueError as error:
            planned = str(error)
        assert planned is not None
        assert not isinstance(planned, str) or planned.endswith(".")


@pytest.mark.parametrize("name", PRESETS)
def test_leaving_one_of_two_environments_out_is_a_world_or_none(name: str) -> None:
    for rest in study.left_out_scenarios(name, 2):
        assert rest is None or rest.n_envs == 1
