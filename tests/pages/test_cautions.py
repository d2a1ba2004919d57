"""Where everything is missing each page says what happened and what to change, and promises nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crl_core.config.presets import PRESETS
from crl_core.events import DIVERGED
from crl_core.results import RunResult
from crl_core.runs.store import RunStore
from pages.shared import fields
from tests.crl_core.made_up import made_up_result
from tests.pages.conftest import Open, words

VALUES = {"epochs": 2, "samples": 400, "replicates": 1, "set": "training.lams=0,1"}
PAGES = ("train", "latent", "effects", "path", "lecture", "lens", "unseen", "serve")


def result(**more: str | int) -> RunResult:
    return made_up_result(fields.build("recipe", VALUES | more))


def link(**more: str | int) -> dict[str, str]:
    return {"preset": "recipe"} | {name: str(value) for name, value in (VALUES | more).items()}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_a_run_that_diverged_altogether_says_so(page: str, open_app: Open, store: RunStore) -> None:
    found = result(seed=3)
    empty = {
        name: None if (value := getattr(found, name)) is None else np.full_like(value, np.nan)
        for name in ("factual_mse", "factual_mse_by_env", "mmd2", "ite_rmse", "ate_error", "ite_rmse_by_env")
    }
    store.save(replace(found, status=np.full_like(found.status, DIVERGED), **empty))
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
