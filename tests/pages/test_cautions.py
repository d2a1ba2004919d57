"""Where everything is missing each page says what happened and what to change, and promises nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crl_core.config.presets import PRESETS
from crl_core.config.text import altered
from crl_core.identify.presets import LATENT_PRESETS
from crl_core.results import RunResult
from crl_core.runs.library import Library
from crl_core.runs.store import RunStore
from crl_core.studies import claims_run, detection_rates, environments, penalties
from crl_core.studies.claims import judged, load_claims
from crl_core.studies.detection_rates import Power
from crl_core.studies.environments_report import report_content
from pages.shared import fields
from pages.shared.runs_table import kind_of
from tests.crl_core.made_up import made_up_result
from tests.crl_core.test_cautions_everywhere import broken, dead_contest, dead_study
from tests.pages.conftest import Open, words

VALUES = {"epochs": 2, "samples": 400, "replicates": 1, "set": "training.lams=0,1"}
PAGES = ("train", "latent", "effects", "path", "lecture", "lens", "unseen", "serve")


def result(**more: str | int) -> RunResult:
    return made_up_result(fields.build("recipe", VALUES | more))


def link(**more: str | int) -> dict[str, str]:
    return {"preset": "recipe"} | {name: str(value) for name, value in (VALUES | more).items()}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_a_run_that_diverged_altogether_says_so(page: str, open_app: Open, store: RunStore) -> None:
    store.save(broken(result(seed=3)))
    app = open_app(page, **link(seed=3))
    assert not app.exception
    said = words(app)
    assert "All 2 models diverged" in said
    assert "lower learning rate" in said
    assert PRESETS["recipe"].look_for not in said


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_a_run_in_which_everyone_is_treated_says_that_no_effect_can_be_learnt(
    page: str, open_app: Open, store: RunStore
) -> None:
    store.save(result(set="training.lams=0,1 scenario.propensity=1"))
    app = open_app(page, **link(set="training.lams=0,1 scenario.propensity=1"))
    assert not app.exception
    assert "no effect can be learnt" in words(app)


def test_the_train_page_says_before_training_that_no_effect_can_be_learnt(open_app: Open) -> None:
    app = open_app("train", **link(set="training.lams=0,1 scenario.propensity=1"))
    assert "no effect can be learnt" in words(app)


# -- pages of studies, and of the world before training ----------------------------------------------------------------


def test_the_scenario_page_says_that_no_effect_can_be_learnt_and_shows_no_verdict_of_the_preset(open_app: Open) -> None:
    app = open_app("scenario", **link(set="training.lams=0,1 scenario.propensity=1"))
    assert not app.exception
    assert "no effect can be learnt" in words(app)
    assert "verdict measured on the preset" not in words(app)
    assert "verdict measured on the preset" in words(open_app("scenario", **link()))


def test_the_penalties_page_of_a_contest_without_a_usable_model_says_so(open_app: Open, store: RunStore) -> None:
    contest = dead_contest()
    store.baked.mkdir(parents=True)
    penalties.BAKED.write(store.baked, {"contests": [contest.to_dict()]})
    app = open_app("penalties", preset="recipe")
    assert not app.exception
    assert "No penalty has a number" in words(app)
    assert "lower mean error" not in words(app)
    assert "no model of any penalty is usable" in words(app)


def test_the_environments_page_of_a_study_without_a_usable_model_says_so(open_app: Open, store: RunStore) -> None:
    store.baked.mkdir(parents=True)
    environments.BAKED.write(store.baked, report_content(dead_study()))
    app = open_app("environments", preset="recipe")
    assert not app.exception
    assert "No number of environments has a number" in words(app)
    assert "nothing can be said of what another environment buys" in words(app)


def test_the_claims_page_says_of_which_claims_every_model_broke(open_app: Open, store: RunStore) -> None:
    store.baked.mkdir(parents=True)
    measured = [judged(claim, np.full(3, np.nan)) for claim in load_claims()]
    claims_run.BAKED.write(store.baked, claims_run.content_of(measured, 3))
    app = open_app("claims")
    assert not app.exception
    assert "Not one number was measured for any claim" in words(app)


def test_the_identifiability_page_says_before_training_that_nothing_can_be_recovered(open_app: Open) -> None:
    app = open_app("identify", world=LATENT_PRESETS["one"].title)
    assert not app.exception
    assert "No latent is promised to be recovered" in words(app)
    assert "No latent is promised to be recovered" not in words(open_app("identify"))


def test_the_unseen_page_says_that_no_model_of_its_table_can_be_deployed(open_app: Open, store: RunStore) -> None:
    store.save(result())
    store.baked.mkdir(parents=True)
    dead = Power(preset_id="recipe", seeds=1, rows=(), dose_correlation={})
    detection_rates.BAKED.write(store.baked, dead.to_dict())
    app = open_app("unseen", **link())
    assert not app.exception
    assert "No test has a number" in words(app)


def test_the_runs_page_marks_a_run_without_a_figure_and_says_of_the_one_selected_what_it_lacks(
    store: RunStore,
) -> None:
    store.save(broken(result()))
    store.save(result(seed=1))
    marks = {run.config.training.seed: kind_of(run) for run in Library(store).runs()}
    assert marks == {0: "no figures: every model diverged", 1: ""}


@pytest.mark.parametrize("page", ["environments", "penalties", "claims", "scenario"])
@pytest.mark.parametrize("changed", [{"n_samples": 100}, {"propensity": (1.0, 1.0)}, {"n_envs": 1}])
def test_a_study_page_of_a_preset_with_other_fields_opens(
    page: str, changed: dict[str, object], open_app: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = altered(PRESETS["recipe"].config, **changed)
    monkeypatch.setitem(PRESETS, "recipe", replace(PRESETS["recipe"], config=config))  # type: ignore[index]
    assert not open_app(page, preset="recipe").exception
