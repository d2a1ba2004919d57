"""The MMD lens page: what it reads, how it is set, and its answer where there is nothing to read."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from crl_core import train
from crl_core.data.scm import Stream, rng_for
from crl_core.events import RunStarted
from crl_core.measures.mmd_conventions import CONVENTIONS, read
from crl_core.results import mmd_rows, predict, view_rows
from crl_core.runs.eventlog import EventLog
from crl_core.runs.store import RunStore
from crl_core.training.path import train_path
from pages.shared import fields
from tests.pages.conftest import Open, Tiny, words


def sentence(app: AppTest) -> str:
    found = re.search(r"Read [^<]*apart\.", words(app))
    assert found is not None
    return found.group()


def opened_with(open_app: Open, bandwidth: str, **params: str) -> AppTest:
    """The page as one sees it who has typed a bandwidth; AppTest can only choose among options."""
    app = open_app(**params)
    app.session_state["lens.bandwidth"] = bandwidth
    return app.switch_page("pages/lens.py").run()


def test_without_a_run_the_page_says_so_and_offers_to_train(open_app: Open, tiny: Tiny) -> None:
    app = open_app("lens", **tiny.params)
    assert not app.exception
    assert "have not been trained yet" in words(app)
    assert "Train these settings" in {button.label for button in app.button}


def test_while_a_run_trains_the_page_says_so(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    with EventLog(store.events_path(tiny.config.key)) as log:
        log.append(next(event for event in train_path(tiny.config) if isinstance(event, RunStarted)))
    with store.lock(tiny.config.key):
        app = open_app("lens", **tiny.params)
    assert not app.exception
    assert "is being trained" in words(app)


def test_it_opens_on_the_mmd2_that_the_run_reports_beside_chance(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = open_app("lens", **tiny.params, lam="1")
    assert not app.exception
    assert f"Read as this dashboard does, MMD² at λ = 1 is {tiny.result.mmd2[2]:.3g}." in sentence(app)
    assert len(app.get("plotly_chart")) == 4
    assert "never what was trained" in words(app)
    for name in CONVENTIONS:
        assert name in words(app)


def test_a_named_convention_sets_every_control_and_changes_the_reading_only(
    open_app: Open, tiny: Tiny, store: RunStore
) -> None:
    store.save(tiny.result)
    app = open_app("lens", **tiny.params, lam="1")
    app.segmented_control(key="lens.named").set_value("cfrnet").run()
    assert not app.exception
    assert app.selectbox(key="lens.bandwidth").value == "0.1"
    assert app.session_state["lens.estimator"] == "unbiased"
    assert app.session_state["lens.latents"] == "length 1"
    rows = mmd_rows(view_rows(tiny.config))
    phi = predict({name: value[2:3] for name, value in tiny.result.weights.items()}, rows.x)[0]
    value = read(phi, rows.env, CONVENTIONS["cfrnet"], rng_for(0, Stream.OVERLAP)).value[0]
    assert f"Read as cfrnet does, MMD² at λ = 1 is {value:.3g}".replace("-", "−") in sentence(app)
    assert tiny.result.config.key == tiny.config.key


def test_a_single_choice_leaves_the_named_conventions(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = open_app("lens", **tiny.params, lam="1")
    app.segmented_control(key="lens.root").set_value("MMD").run()
    assert not app.exception
    assert f"Read by these choices, MMD at λ = 1 is {np.sqrt(tiny.result.mmd2[2]):.3g}" in sentence(app)
    assert app.session_state["lens.named"] is None


@pytest.mark.parametrize("typed", ["wide", "-1", "1e9", "nan"])
def test_a_bandwidth_that_is_none_is_answered_with_a_sentence(
    open_app: Open, tiny: Tiny, store: RunStore, typed: str
) -> None:
    store.save(tiny.result)
    app = opened_with(open_app, typed, **tiny.params)
    assert not app.exception
    assert len(app.error) == 1
    assert "number from 0.001 to 1000" in app.error[0].value


def test_a_typed_bandwidth_is_used(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = opened_with(open_app, "2,5", **tiny.params)
    assert not app.exception
    assert not app.error
    assert "by these choices" in sentence(app)


def test_with_one_environment_nothing_is_compared(open_app: Open, store: RunStore) -> None:
    params = {"epochs": "1", "samples": "200", "replicates": "1", "envs": "1", "set": "training.lams=0,1"}
    config = fields.build("hospital", {"epochs": 1, "samples": 200, "replicates": 1, "envs": 1, "set": params["set"]})
    store.save(train(config))
    app = open_app("lens", **params)
    assert not app.exception
    assert "An MMD is not defined here" in words(app)
    assert "one hospital only" in words(app)


def test_ten_environments_are_read_as_the_mean_over_pairs(open_app: Open, store: RunStore) -> None:
    params = {"epochs": "1", "samples": "2000", "replicates": "1", "envs": "10", "set": "training.lams=0,1"}
    config = fields.build("hospital", {"epochs": 1, "samples": 2000, "replicates": 1, "envs": 10, "set": params["set"]})
    result = train(config)
    store.save(result)
    app = open_app("lens", **params, lam="1")
    assert not app.exception
    assert f"is {result.mmd2[1]:.3g}." in sentence(app)


def test_a_diverged_lambda_has_no_reading_and_says_so(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    n_models = len(tiny.result.lam)
    broken = np.arange(n_models) % 4 == 3  # λ = 10 in both replicates
    weights = {
        name: np.where(broken.reshape(-1, *[1] * (value.ndim - 1)), np.nan, value).astype(np.float32)
        for name, value in tiny.result.weights.items()
    }
    store.save(
        replace(
            tiny.result,
            weights=weights,
            status=broken.astype(np.int64),
            mmd2=np.where(broken, np.nan, tiny.result.mmd2),
        )
    )
    app = open_app("lens", **tiny.params, lam="10")
    assert not app.exception
    text = words(app)
    assert "The model at λ = 10 diverged: there is no latent to read here; 3 of its 4 λ are unharmed." in text
    assert "λ = 10 (diverged)" in text
    assert "nan" not in text.lower().split()
    fine = open_app("lens", **tiny.params, lam="1")
    assert "apart." in sentence(fine)


def test_latents_without_a_difference_between_rows_read_as_zero(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    weights = {name: np.zeros_like(value) for name, value in tiny.result.weights.items()}
    store.save(replace(tiny.result, weights=weights, status=np.full_like(tiny.result.status, 2)))
    app = open_app("lens", **tiny.params, lam="1")
    assert not app.exception
    assert "MMD² at λ = 1 is 0." in sentence(app)
    assert "nan" not in words(app).lower().split()
