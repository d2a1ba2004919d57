"""The Scenario page for every world: with and without a run, with one environment and with ten, and for bad input."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from crl_core import PRESETS
from crl_core.runs.store import RunStore
from crl_core.studies.preset_verdicts import BAKED, baked_verdicts, in_words
from tests.pages.conftest import Open, Tiny, words

FIGURES = 3  # the plane, who is treated, outcomes

SHIPPED = Path(__file__).parents[2] / "cache" / "baked" / BAKED.file


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_is_shown_without_a_run_with_its_verdict_and_why(open_app: Open, name: str) -> None:
    app = open_app("scenario", preset=name, samples="400")
    assert not app.exception
    text = words(app)
    preset = PRESETS[name]
    assert f"<b>{preset.verdict}</b><span>verdict measured on the preset</span>" in text
    recorded = preset.config.scenario.observation != "covariates"
    assert len(app.get("plotly_chart")) == FIGURES + recorded
    (graph,) = app.get("graphviz_chart")
    assert "digraph" in str(graph.proto.spec)
    assert "nan" not in text.lower().split()


def test_as_it_comes_a_preset_says_what_was_measured_and_why(open_app: Open) -> None:
    text = words(open_app("scenario", preset="recipe"))
    assert PRESETS["recipe"].why in text
    assert "the verdict may not hold" not in text
    assert "Without s the factual error cannot fall below 0.507" in text


def test_the_figures_behind_a_verdict_stand_beside_it_and_those_of_all_worlds_in_a_table(
    open_app: Open, store: RunStore
) -> None:
    store.baked.mkdir(parents=True)
    shutil.copy(SHIPPED, store.baked)
    measured = baked_verdicts(store.baked)
    assert measured
    text = words(open_app("scenario", preset="linear"))
    assert in_words(measured["linear"]) in text
    for name, item in measured.items():
        assert PRESETS[name].title in text
        for value in item.medians:
            assert f">{value:.2g}<" in text


def test_a_reader_of_three_worlds_is_told_when_alignment_helps(open_app: Open) -> None:
    told = {name: words(open_app("scenario", preset=name)) for name in ("recipe", "hospital", "shifted")}
    assert "<b>nothing to gain</b><span>expectation" in told["recipe"]
    assert "Treatment is a coin flip in every environment" in told["recipe"]
    assert "<b>can help</b><span>expectation" in told["hospital"]
    assert "may take s for the treatment, since both follow the hospital" in told["hospital"]
    assert "<b>takes the signal away</b><span>expectation" in told["shifted"]
    assert "hospitals differ in z, the cause of the outcome" in told["shifted"]


def test_where_no_overlap_is_there_are_words_for_it(open_app: Open) -> None:
    text = words(open_app("scenario", preset="hospital"))
    assert "Hospital A treats everyone: no untreated unit is ever seen there." in text
    assert "Hospital B treats no one: no treated unit is ever seen there." in text


def test_a_slider_that_moves_takes_the_verdict_back_and_names_itself(open_app: Open) -> None:
    app = open_app("scenario", preset="hospital", sigma1="0.7")
    text = words(app)
    assert "Changed from the preset (σ): the verdict may not hold" in text
    assert "Measured: alignment helps" not in text
    coin = words(open_app("scenario", preset="hospital", propensity1="0.5", propensity2="0.5"))
    assert "<b>nothing to gain</b><span>expectation" in coin
    assert "Changed from the preset (P(t = 1)" in coin


def test_what_is_trained_does_not_change_the_world(open_app: Open) -> None:
    assert "Changed from the preset" not in words(open_app("scenario", preset="hospital", epochs="7"))


@pytest.mark.parametrize("envs", ["1", "10"])
def test_one_environment_and_ten_are_worlds_too(open_app: Open, envs: str) -> None:
    app = open_app("scenario", preset="hospital", envs=envs, samples="400")
    assert not app.exception
    text = words(app)
    assert "number of environments" in text
    assert len(app.get("plotly_chart")) == FIGURES
    if envs == "1":
        assert "One treatment is never seen anywhere" in text or "one hospital only" in text
        assert "With one more environment there would be hospital B" in text
    else:
        assert "hospital J (new)" in text
        assert "the most that there can be" in text


@pytest.mark.parametrize("mixing", ["rotation", "nonlinear"])
def test_mixed_inputs_are_said_to_be_mixed(open_app: Open, mixing: str) -> None:
    app = open_app("scenario", preset="hospital", set=f"scenario.mixing={mixing}")
    assert not app.exception
    assert "mixed into" in words(app)


@pytest.mark.parametrize(
    "setting",
    [
        "scenario.cause_scale=0",
        "scenario.effect=0 scenario.heterogeneity=0",
        "scenario.sigma=0,0",
        "scenario.noise=0",
        "scenario.propensity=1,1",
        "scenario.confounding=10",
        "scenario.dim_causal=50 scenario.dim_spurious=200",
        "scenario.interaction=2",
        "training.align=treatment",
    ],
)
def test_extreme_worlds_have_a_page_without_nan(open_app: Open, setting: str) -> None:
    app = open_app("scenario", preset="hospital", samples="100", set=setting)
    assert not app.exception
    text = words(app)
    assert "nan" not in text.lower().split()
    assert len(app.get("plotly_chart")) == FIGURES


def test_settings_that_are_no_world_get_a_sentence(open_app: Open) -> None:
    app = open_app("scenario", preset="recipe", leak="1")
    assert not app.exception
    assert "cannot be both a cause and a child of y" in words(app)
    assert len(app.get("plotly_chart")) == 0


def test_a_trained_run_changes_nothing_on_the_page(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    def page() -> str:
        return " ".join(item.proto.body for item in open_app("scenario", **tiny.params).main.get("html"))

    before = page()
    assert "The penalty removes" in before
    store.save(tiny.result)
    assert page() == before


def test_of_a_large_world_as_many_rows_are_drawn_as_fit_into_memory_and_it_is_said(open_app: Open) -> None:
    app = open_app("scenario", samples="200000")
    assert not app.exception
    assert "of 100000 rows, drawn and counted here for a run of 200000." in words(app)
    assert "drawn and counted here" not in words(open_app("scenario", samples="100000"))
