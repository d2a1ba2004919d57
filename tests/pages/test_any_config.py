"""Every page opens on any config: by its link, with its run stored, and without an exception."""

from __future__ import annotations

import pytest
from hypothesis import given

from crl_core import RunConfig, train
from crl_core.data.matching import matches
from crl_core.results import data_of
from crl_core.runs.store import RunStore
from pages.shared import fields
from pages.shared.places import TITLES
from tests.any_config import MANY, configs, drawing
from tests.pages.conftest import Open, words

STEMS = list(TITLES)
SOME = drawing(few=3, many=max(3, MANY // (20 * len(STEMS))))  # a twentieth of all, shared among the pages


def can_be_trained(config: RunConfig) -> bool:
    """Whether the contrastive penalty, where it is asked for, finds a pair in the data."""
    if config.training.penalty != "contrastive":
        return True
    try:
        for replicate in range(config.training.replicates):
            matches(data_of(config, replicate)[0], config.training.align, config.training.matching)
        return True
    except ValueError:
        return False


def opened(open_app: Open, page: str, config: RunConfig) -> str:
    preset_id, values = fields.describe(config)
    home = fields.defaults(preset_id)
    link = {name: str(value) for name, value in values.items() if value != home.get(name)}
    app = open_app(page, preset=preset_id, **link)
    assert not app.exception
    return words(app)


@pytest.mark.parametrize("page", STEMS)
def test_a_page_opens_on_a_run_of_any_config(page: str, open_app: Open, store: RunStore) -> None:
    @SOME
    @given(configs(small=True).filter(can_be_trained))
    def look(config: RunConfig) -> None:
        store.save(train(config))
        assert "have not been trained yet" not in opened(open_app, page, config)

    look()


@pytest.mark.slow
@pytest.mark.parametrize("page", ["scenario", "latent", "unseen"])
def test_a_page_opens_on_any_config_that_is_not_trained(page: str, open_app: Open) -> None:
    @SOME
    @given(configs())
    def look(config: RunConfig) -> None:
        opened(open_app, page, config)

    look()


def test_the_unseen_page_makes_its_certificate_of_a_run_with_shared_units(open_app: Open, store: RunStore) -> None:
    values = {"samples": 400, "replicates": 1, "epochs": 1, "set": "scenario.shared_units=16 training.lams=0,1"}
    store.save(train(fields.build("hospital", values)))
    app = open_app("unseen", **{name: str(value) for name, value in values.items()})
    assert not app.exception
