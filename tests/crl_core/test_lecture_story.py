"""What the lecture says is data, and never claims more than the numbers it was chosen by."""

import re

import numpy as np
import pytest

from crl_core.config.presets import PRESETS
from crl_core.lecture import story

NUMBERS = {"lam": 0.1, "ite_rmse": 0.2, "best_ite_rmse": 0.05, "domain_auc": 0.97, "mmd2": float("nan")}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("ite_rmse > 0.1", True),
        ("ite_rmse > 2 * best_ite_rmse", True),
        ("ite_rmse > 5 * best_ite_rmse", False),
        ("domain_auc >= 0.97", True),
        ("lam == 0.1", True),
        ("mmd2 < 1", False),  # not finite: nothing may be claimed
        ("mmd2 >= 0", False),
        ("r2_s < 1", False),  # not known
    ],
)
def test_a_condition_holds_only_for_numbers_that_are_known(condition, expected):
    assert story.holds(condition, NUMBERS) is expected


def test_a_condition_that_cannot_be_read_is_refused_with_an_example():
    with pytest.raises(ValueError, match="cannot be read; write e"):
        story.holds("ite_rmse is large", NUMBERS)


def all_variants():
    texts = story.texts()
    steps = [step for steps in [*texts["presets"].values(), texts["table"], texts["any"]] for step in steps]
    return [variant for step in steps for variant in step["variants"]] + texts["readings"]


def test_every_condition_in_the_texts_can_be_read():
    for variant in all_variants():
        for condition in variant["when"]:
            story.holds(condition, NUMBERS)


def test_every_step_points_at_a_view_and_has_something_to_say_in_any_case():
    texts = story.texts()
    for steps in [*texts["presets"].values(), texts["table"], texts["any"]]:
        for step in steps:
            assert step["point"] in ("latent", "effect", "map", "trace", "training", "path")


def test_no_sentence_shows_a_number_that_no_run_has():
    known = {
        "lam",
        "best_lam",
        "ite_rmse",
        "factual_mse",
        "mmd2",
        "domain_auc",
        "use_effect_rms",
        "flip_percent",
        "moved_rms",
        "r2_s",
        "r2_z",
        "ate",
        "naive",
        "least_squares",
        "times",
        "envs",
    }
    known |= (
        {f"first_{n}" for n in known}
        | {f"last_{n}" for n in known}
        | {"best_ite_rmse", "least_factual_mse", "best_without"}
    )
    for variant in all_variants():
        assert set(re.findall(r"\{(\w+)\}", variant["say"])) <= known


@pytest.mark.parametrize("name", ["domain_auc", "r2_s", "r2_z", "best_without"])
def test_what_is_computed_after_training_is_only_said_once_it_is_known(name):
    for variant in all_variants():
        if f"{{{name}}}" in variant["say"]:
            assert any(re.search(rf"\b{name}\b", condition) for condition in variant["when"]), variant["say"]


def test_every_preset_has_a_story_of_its_own():
    assert set(story.texts()["presets"]) == set(PRESETS)
    scenes = story.texts()["scenes"]
    assert len(set(scenes)) == len(scenes) > 1
    assert set(scenes) <= set(PRESETS)


@pytest.mark.parametrize(
    ("at", "expected"),
    [("first", 0), ("last", 4), ("best", 3), ("factual", 1), ("halfway", 2), (0.09, 2), (0, 0)],
)
def test_a_step_finds_its_lambda(at, expected):
    ite = np.array([1.0, 0.6, 0.2, 0.05, np.nan])
    factual = np.array([0.3, 0.1, 0.2, 0.3, 0.4])
    assert story.position(at, (0.0, 0.01, 0.1, 1.0, 10.0), ite, factual) == expected


def test_a_claim_about_the_error_is_dropped_when_the_error_is_small():
    variants = story.texts()["presets"]["hospital"][1]["variants"]
    wrong = story.say(variants, {"ite_rmse": 1.5}, "hospital")
    right = story.say(variants, {"ite_rmse": 0.06}, "hospital")
    assert "wrong" in wrong
    assert "wrong" not in right


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.000"), (0.00004, "0.0000"), (0.0005, "0.0005"), (0.054, "0.054"), (0.0996, "0.10"), (1.508, "1.51"),
     (23.456, "23.5"), (456.7, "457"), (float("nan"), "–")],
)  # fmt: skip
def test_a_figure_keeps_to_six_characters(value, text):
    assert story.figure(value) == text
    assert len(text) <= 6


@pytest.mark.parametrize(
    ("lam", "text"), [(0.0, "0"), (0.0001, "0.0001"), (0.72, "0.72"), (14.0, "14"), (100.0, "100")]
)
def test_lambda_is_written_as_it_is_said(lam, text):
    assert story.lam_text(lam) == text
