"""The lecture's trace panel is sent what the edits measure, once, and small; what cannot be shown is said."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from crl_core import RunConfig, Scenario, Training, preset, train
from crl_core.config.presets import PRESETS
from crl_core.figures import palette
from crl_core.lecture.frames import frames
from crl_core.lecture.naming import Naming
from crl_core.lecture.packed_arrays import unpack
from crl_core.lecture.story import say, texts
from crl_core.lecture.traces import N_TRACES, picked_rows, traces_of
from crl_core.lecture.training_frames import training_frames
from crl_core.measures.edits import EDITS, MOST_REPLICATES, edited, moved
from crl_core.measures.so_far import SoFar
from crl_core.results import N_VIEW, RunResult, data_of, predict, view_of, view_rows
from tests import tables
from tests.crl_core.made_up import made_up_result
from tests.lecture_runs import broken, run_of

HUM, MACHINE = EDITS
PALETTES = {name: palette(name) for name in ("dark", "light", "projector")}
LABEL = replace(preset("hum-label").scenario, n_samples=600)
EFFECT = replace(preset("filter").scenario, n_samples=600)


def config_of(scenario: Scenario, **training: Any) -> RunConfig:
    values = {"lams": (0.0, 1.0, 10.0), "epochs": 2, "replicates": 2, "hidden": 8, "latent_dim": 2} | training
    return RunConfig(scenario=scenario, training=Training(**values))


@cache
def run(scenario: Scenario, replicates: int = 2) -> RunResult:
    return train(config_of(scenario, replicates=replicates))


def sent(result: RunResult, naming: Naming | None = None, n_rows: int = 100) -> dict[str, Any]:
    naming = naming or Naming(title="A world of traces")
    data = frames(result, naming=naming, palettes=PALETTES, n_rows=n_rows)
    content: dict[str, Any] = json.loads(json.dumps(data, allow_nan=False))
    return content


@pytest.mark.parametrize("scenario", [LABEL, EFFECT], ids=["label", "effect"])
@pytest.mark.parametrize("replicates", [1, 2, MOST_REPLICATES + 1])
def test_the_curve_along_lambda_is_what_the_edit_moves_and_its_band_the_replicates(
    scenario: Scenario, replicates: int
) -> None:
    result = run(scenario, replicates)
    edits = sent(result)["trace"]["edits"]
    assert edits
    for edit in edits:
        found = np.stack([moved(result, edit["name"], r).size for r in range(min(replicates, MOST_REPLICATES))])
        np.testing.assert_allclose(edit["value"], found[0], atol=1e-9)
        np.testing.assert_allclose(edit["low"], found.min(axis=0), atol=1e-9)
        np.testing.assert_allclose(edit["high"], found.max(axis=0), atol=1e-9)


@pytest.mark.parametrize("scenario", [LABEL, EFFECT], ids=["label", "effect"])
def test_the_traces_and_their_answers_are_those_of_held_out_rows_before_and_after_the_edit(scenario: Scenario) -> None:
    result = run(scenario)
    data, seed = sent(result), result.config.training.seed
    before = view_of(data_of(result.config)[1], seed, 100)
    row = unpack(data["arrays"]["trace.row"]).astype(int)
    versions = [before, *(view_of(edited(result.config, e["name"]), seed, 100) for e in data["trace"]["edits"])]
    x, answers = unpack(data["arrays"]["trace.x"]), unpack(data["arrays"]["trace.answers"])
    assert len(x) == len(answers) == len(versions) > 1
    for k, rows in enumerate(versions):
        np.testing.assert_allclose(x[k], rows.x[row], atol=1e-4)  # mV
        for m in range(3):
            own = {name: value[m : m + 1] for name, value in result.weights.items()}
            for j, i in enumerate(row):
                _, y0_hat, y1_hat = predict(own, rows.x[i : i + 1])
                said = y1_hat - y0_hat if scenario is EFFECT else y1_hat if rows.t[i] else y0_hat
                assert answers[k, m, j] == pytest.approx(float(said[0, 0]), abs=1e-5)
    np.testing.assert_array_equal(unpack(data["arrays"]["trace.env"]), before.env[row])
    truth = before.ite if scenario is EFFECT else before.y
    assert truth is not None
    np.testing.assert_allclose(unpack(data["arrays"]["trace.truth"]), truth[row], atol=1e-6)


def test_a_few_rows_of_each_hospital_are_drawn_from_the_runs_seed_and_take_turns() -> None:
    env = np.repeat([0, 1, 2], [30, 50, 20])
    picked = picked_rows(env, seed=4)
    assert env[picked].tolist() == [0, 1, 2] * (N_TRACES // 3)
    assert len(set(picked.tolist())) == N_TRACES
    assert np.array_equal(picked, picked_rows(env, seed=4))
    assert not np.array_equal(picked, picked_rows(env, seed=5))


def test_a_hospital_of_one_row_gives_that_row_and_twenty_hospitals_one_row_each() -> None:
    assert sorted(picked_rows(np.array([0, 1, 0]), seed=0)) == [0, 1, 2]
    assert len(picked_rows(np.repeat(np.arange(20), 3), seed=0)) == 20
    assert len(picked_rows(np.array([], dtype=int), seed=0)) == 0


def test_the_trace_that_the_edit_moves_most_at_the_smallest_lambda_comes_first() -> None:
    found = traces_of(run(LABEL))
    assert found is not None
    apart = [abs(found.answers[1, 0, j] - found.answers[0, 0, j]) for j in range(len(found.picked))]
    assert apart[found.first] == max(apart) > 0


def test_the_telling_edit_comes_first_and_one_that_can_move_nothing_is_not_offered() -> None:
    assert [edit["name"] for edit in sent(run(EFFECT))["trace"]["edits"]] == [MACHINE, HUM]
    assert [edit["name"] for edit in sent(run(LABEL))["trace"]["edits"]] == [HUM]  # its machines are alike
    silent = sent(run(replace(LABEL, hum_mv=0.0)))
    assert silent["trace"]["edits"] == []
    assert "no hum in this world" in silent["trace"]["idle"]
    assert "machines of all hospitals are alike" in silent["trace"]["idle"]
    assert unpack(silent["arrays"]["trace.x"]).shape == (1, N_TRACES, 128)


def test_a_diverged_model_has_no_answer_and_no_place_on_the_curve() -> None:
    data = sent(broken(run(LABEL), diverged=0, collapsed=2))
    assert data["trace"]["edits"][0]["value"][0] is None
    assert np.isnan(unpack(data["arrays"]["trace.answers"])[:, 0]).all()
    assert np.isfinite(unpack(data["arrays"]["trace.answers"])[:, 1:]).all()


def test_where_every_model_diverged_the_traces_are_still_there_and_the_numbers_are_not() -> None:
    result = run(LABEL)
    lost = {name: np.full_like(value, np.nan) for name, value in result.weights.items()}
    data = sent(replace(result, weights=lost, status=np.ones_like(result.status)))
    (edit,) = data["trace"]["edits"]
    assert edit["value"] == edit["low"] == edit["high"] == [None] * 3
    assert np.isfinite(unpack(data["arrays"]["trace.x"])).all()


def test_a_world_of_covariates_and_a_table_have_no_traces() -> None:
    assert traces_of(run_of()) is None
    data = frames(run_of(), naming=Naming(title="w"), palettes=PALETTES, n_rows=50)
    assert data["trace"] is None
    assert not [name for name in data["arrays"] if name.startswith("trace")]
    with tables.tables_can_be_read():
        assert traces_of(train(tables.config_of("blind"))) is None


def test_while_it_is_trained_a_run_of_traces_names_the_panel_that_comes() -> None:
    data = training_frames(config_of(LABEL), SoFar(), naming=Naming(title="w"), palettes=PALETTES)
    assert data["trace"] is None
    assert data["captions"]["map"]["title"] == "What it looks at"


@pytest.mark.parametrize("scenario", [LABEL, EFFECT], ids=["label", "effect"])
def test_the_longest_traces_of_ten_hospitals_along_sixteen_lambdas_are_below_three_megabytes(
    scenario: Scenario,
) -> None:
    world = replace(scenario.with_envs(10), n_samples=10_000, samples=256)
    lams = (0.0, *np.geomspace(1e-4, 100, 15).round(6))
    result = made_up_result(config_of(world, lams=lams, replicates=1, hidden=64, latent_dim=16))
    data = frames(result, naming=Naming(title="w"), palettes=PALETTES, n_rows=1500)
    assert data["n"] == 1500
    assert len(data["trace"]["edits"]) == (2 if scenario is EFFECT else 1)
    assert len(json.dumps(data)) < 3_000_000


@pytest.mark.parametrize("name", ["filter", "hum-label"])
def test_the_story_of_a_world_of_traces_shows_the_edit_at_both_ends_and_says_its_numbers(name: str) -> None:
    scenario = EFFECT if name == "filter" else LABEL
    result = run(scenario)
    steps = [step for step in sent(result, Naming.of(PRESETS[name]))["story"] if step["point"] == "trace"]
    assert [step["edit"] for step in steps] == [True, True]
    first = moved(result, MACHINE if name == "filter" else HUM).size[0]
    assert (f"{first:.2f}" if name == "filter" else f"{100 * first:.0f} %") in steps[0]["sentence"]


def test_a_story_claims_that_the_edit_lost_its_say_only_where_it_did() -> None:
    step = next(s for s in texts()["presets"]["hum-label"] if s["at"] == 20)
    told = say(step["variants"], {"lam": 20.0, "flip_percent": 2.8, "first_flip_percent": 51.2}, "hospital")
    assert "flips 3 % of the labels" in told
    assert "51 %" in told
    assert "lost its say" in told
    assert "lost" not in say(step["variants"], {"lam": 20.0, "flip_percent": 45.0, "first_flip_percent": 51.2}, "h")
    assert say(step["variants"], {"lam": 20.0, "flip_percent": float("nan")}, "hospital") == ""


def test_no_reading_speaks_of_an_effect_where_there_is_none() -> None:
    numbers = {"use_effect_rms": 0.0, "first_use_effect_rms": 1.0, "domain_auc": 0.7, "factual_mse": 0.1}
    assert "effect" not in say(texts()["readings"], numbers, "hospital")


def test_the_rows_in_view_hold_the_rows_of_the_traces() -> None:
    found, view = traces_of(run(LABEL), N_VIEW), view_rows(run(LABEL).config)
    assert found is not None
    np.testing.assert_array_equal(found.x[0], view.x[found.picked])
