"""The Penalties page: the shipped contest, a world not yet tried, a world in which nothing or not everything can
work."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.runs.store import RunStore
from crl_core.studies import unit_tests
from crl_core.studies.penalties import (
    BAKED,
    Contest,
    ContestSetting,
    baked_contests,
    better_than_none,
    changes,
    run_contest,
)
from crl_core.studies.unit_tests_table import lines
from pages.shared.penalties_contest import named
from tests.pages.conftest import Open, words

OVERVIEW = 3  # figures beside the paths of all: the heat table, one path, and one penalty against all others
SHIPPED = Path(__file__).parents[2] / "cache" / "baked" / BAKED.file


def ship(store: RunStore) -> None:
    store.baked.mkdir(parents=True)
    shutil.copy(SHIPPED, store.baked / BAKED.file)


def first_of(store: RunStore) -> Contest:
    """The contest that the first visit sees."""
    return next(item for item in baked_contests(store.baked) if item.setting.gap is None)


def figures(app) -> int:  # type: ignore[no-untyped-def]
    return len(app.get("plotly_chart"))


def test_the_first_visit_sees_every_penalty_its_table_and_what_it_assumes(open_app: Open, store: RunStore) -> None:
    ship(store)
    app = open_app("penalties")
    assert not app.exception
    shown = words(app)
    for item in PENALTY_WORDS.values():
        assert item.short in shown
    better, _ = better_than_none(first_of(store), "at_blind")
    answer = (
        f"these have a lower mean error than no penalty: {named(better)}" if better else "none has a lower mean error"
    )
    assert f"With λ chosen by held-out factual error, {answer}" in shown
    assert "Measured before the program was shipped" in shown
    assert "are not stored on this machine" in shown
    contest = first_of(store)
    assert contest.setting.seed_words in shown
    for row in contest.ran:
        if row.at_end:
            assert f"{PENALTY_WORDS[row.penalty].short} {row.end_words}" in shown
    assert figures(app) == len(PENALTY_WORDS) + OVERVIEW
    assert "nan" not in shown.lower().replace("finance", "")
    for quantity in ("Factual error", "Domain AUC"):
        app.segmented_control(key="penalties.quantity").set_value(quantity).run()
        assert not app.exception
        assert figures(app) == len(PENALTY_WORDS) + OVERVIEW


def test_the_heat_table_has_every_shipped_world_at_the_lambda_that_is_asked_for(
    open_app: Open, store: RunStore
) -> None:
    ship(store)
    app = open_app("penalties")
    for where in ("at_blind", "at_best"):
        app.segmented_control(key="penalties.heat_where").set_value(where).run()
        assert not app.exception
        heat = json.loads(app.get("plotly_chart")[0].proto.spec)["data"]
        (cells,) = (trace["text"] for trace in heat if trace["type"] == "scatter")
        contests = baked_contests(store.baked)
        by_hand = [
            np.exp(np.mean(np.log(item.of(name).error(where) / item.of(name).error("at_zero"))))
            for name in PENALTY_WORDS
            for item in contests
        ]
        shown = [float(text.removeprefix("<b>").removesuffix("</b>")) for text in cells]
        assert shown == pytest.approx(by_hand, abs=0.0051)
        marked = [text.startswith("<b>") for text in cells]
        seen = [name in changes(item, where) for name in PENALTY_WORDS for item in contests]
        assert marked == seen


def test_a_chosen_penalty_has_a_large_path_and_says_what_it_assumes(open_app: Open, store: RunStore) -> None:
    ship(store)
    app = open_app("penalties")
    app.selectbox(key="penalties.shown").set_value("vrex").run()
    assert not app.exception
    one = json.loads(app.get("plotly_chart")[1].proto.spec)
    assert one["layout"]["title"]["text"].startswith(f"<b>{PENALTY_WORDS['vrex'].short}")
    assert PENALTY_WORDS["vrex"].assumption in words(app)


def test_a_world_that_was_not_tried_offers_one_click_and_names_those_that_were(open_app: Open, store: RunStore) -> None:
    ship(store)
    app = open_app("penalties")
    app.select_slider(key="rare").set_value("1/10").run()
    assert not app.exception
    assert "This world has not been tried yet" in words(app)
    assert "means of z are ±1" in words(app)
    assert figures(app) == 1  # the heat table of the worlds that were
    assert "Train the penalties here" in [button.label for button in app.button]


def test_without_shared_units_pairs_are_left_out_with_the_reason_and_the_others_can_be_trained(
    open_app: Open, store: RunStore
) -> None:
    ship(store)
    app = open_app("penalties")
    app.select_slider(key="shared").set_value(0).run()
    assert not app.exception
    assert "Contrastive pairs is left out: the contrastive penalty pulls pairs together" in words(app)
    assert "Train the penalties here" in [button.label for button in app.button]


@pytest.mark.slow
def test_trained_here_two_penalties_stand_side_by_side_with_latents_and_effect_maps(
    open_app: Open, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_setting = ContestSetting.config

    def tiny(setting: ContestSetting, penalty: str, lams: tuple[float, ...] | None = None):  # type: ignore[no-untyped-def]
        config = of_setting(setting, penalty, (0.0, 1.0))
        return replace(
            config,
            scenario=replace(config.scenario, n_samples=400),
            training=replace(config.training, epochs=30, replicates=2, hidden=16),
        )

    monkeypatch.setattr(ContestSetting, "config", tiny)
    monkeypatch.setattr("crl_core.studies.penalties.STEPS", 0)
    run_contest(ContestSetting(preset="hospital"), store)
    app = open_app("penalties")
    assert not app.exception
    assert "Measured on this machine" in words(app)
    assert figures(app) == len(PENALTY_WORDS) + OVERVIEW + 4
    app.multiselect(key="penalties.two").set_value(["coral", "vrex"]).run()
    assert not app.exception
    assert figures(app) == len(PENALTY_WORDS) + OVERVIEW + 4


def test_the_unit_tests_stand_on_the_page_with_either_way_of_choosing(open_app: Open, store: RunStore) -> None:
    store.baked.mkdir(parents=True)
    shutil.copy(SHIPPED.parent / unit_tests.BAKED.file, store.baked)
    found = unit_tests.baked_unit_tests(store.baked)
    assert found is not None
    app = open_app("penalties")
    for where in ("largest", "oracle"):
        app.segmented_control(key="penalties.unit_tests_where").set_value(where).run()
        assert not app.exception
        shown = words(app)
        for line in lines(found, where):
            assert "".join(f">{cell}</td>" in shown and "." for cell in line) == "." * len(line)
        assert ("At the end of its grid" in shown) <= (where == "oracle")
    assert "python -m crl_core unit-tests" in shown


def test_unit_tests_that_are_not_there_or_of_another_version_say_the_command(open_app: Open, store: RunStore) -> None:
    app = open_app("penalties")
    assert not app.exception
    assert "The unit tests have not been measured yet" in words(app)
    assert "python -m crl_core bake --only unit-tests" in words(app)
    store.baked.mkdir(parents=True)
    text = (SHIPPED.parent / unit_tests.BAKED.file).read_text()
    (store.baked / unit_tests.BAKED.file).write_text(text.replace('"recipe_version":', '"recipe_version":9'))
    app = open_app("penalties")
    assert not app.exception
    assert "was made by another version of the recipe; run it again" in words(app)
