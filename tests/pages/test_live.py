"""Latent, Effects and λ path while their run trains, of every kind of rows: in words and pictures, without an error."""

from __future__ import annotations

import re

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from crl_core import RunConfig
from crl_core.events import RunFinished, ViewSampled
from crl_core.measures.view_samples import ViewSampler
from crl_core.runs.eventlog import EventLog
from crl_core.runs.store import RunStore
from crl_core.training.path import train_path
from pages.shared import figure
from tests.pages.conftest import Open, Tiny, words
from tests.pages.figures import figures
from tests.pages.test_edits import FILTER, LABEL, link
from tests.pages.test_images import LAMP

ERROR = "Effect error: ITE RMSE (√PEHE)"
PAGES = ("latent", "effects", "path")


def titles(app: AppTest) -> list[str]:
    return [re.sub("<.*?>", "", drawn["layout"]["title"]["text"]) for drawn in figures(app)]


def under_way(store: RunStore, config: RunConfig, *, looked_at: bool = True) -> None:
    """Write the events of a run that has not ended."""
    with EventLog(store.events_path(config.key)) as log:
        for event in train_path(config, watch=ViewSampler(config)):
            if not isinstance(event, RunFinished) and (looked_at or not isinstance(event, ViewSampled)):
                log.append(event)


def opened(open_app: Open, store: RunStore, config: RunConfig, page: str, **params: str) -> AppTest:
    with store.lock(config.key):
        app = open_app(page, **params)
    assert not app.exception
    return app


@pytest.mark.parametrize("page", PAGES)
def test_a_world_that_is_known_shows_its_pictures_by_now(
    open_app: Open, store: RunStore, tiny: Tiny, page: str
) -> None:
    under_way(store, tiny.config)
    app = opened(open_app, store, tiny.config, page, **tiny.params, lam="1")
    said = words(app)
    assert "In training" in said
    assert "Epoch 3 of 3" in said
    drawn = {
        "latent": ["Latent at λ = 1", "Input x, before the encoder"],
        "effects": ["Estimated against true, λ = 1", ERROR, "Estimate τ̂ at λ = 1", "Truth τ", "Difference τ̂ − τ"],
        "path": [ERROR, "Factual error", "MMD²"],
    }[page]
    assert titles(app) == drawn
    assert page == "latent" or figure(float(np.median(tiny.result.ite_rmse[2::4]))) in said


@pytest.mark.parametrize("page", PAGES)
def test_before_the_first_look_the_page_says_when_it_comes(
    open_app: Open, store: RunStore, tiny: Tiny, page: str
) -> None:
    under_way(store, tiny.config, looked_at=False)
    app = opened(open_app, store, tiny.config, page, **tiny.params)
    assert ("The first picture comes with the first epoch" in words(app)) == (page != "path")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("config", [FILTER, LABEL, LAMP], ids=["traces", "label", "images"])
def test_traces_and_images_move_too_and_where_there_is_no_map_it_is_said(
    open_app: Open, store: RunStore, config: RunConfig, page: str
) -> None:
    under_way(store, config)
    app = opened(open_app, store, config, page, **link(config))
    assert "In training" in words(app)
    known = config is FILTER
    assert len(titles(app)) == {"latent": 2, "effects": 5 if known else 2, "path": 3 if known else 2}[page]
    if page == "effects" and config is not FILTER:
        assert "no map of it" in words(app)
