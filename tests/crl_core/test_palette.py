"""Colours can be seen: on a projector, in both themes, and by people who see red and green alike."""

import itertools
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from crl_core.figures.palette import THEMES, palette

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "red-blind": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "green-blind": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}


def linear(colour: str) -> np.ndarray:
    c = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG 2.1 contrast ratio."""
    low, high = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(colour: str, sight: np.ndarray) -> np.ndarray:
    rgb = np.clip(sight @ linear(colour), 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ rgb / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_contrast_is_the_standards() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
def test_text_can_be_read_on_page_and_panel(theme: str) -> None:
    colours = palette(theme)
    for ground in (colours["bg"], colours["panel"]):
        for word in (colours["text"], colours["muted"], colours["accent"], colours["bad"]):
            assert contrast(word, ground) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_marks_stand_out_from_the_panel(theme: str) -> None:
    colours = palette(theme)
    marks = [
        *colours["envs"],
        *colours["runs"],
        *colours["arms"],
        *colours["sequential"],
        *colours["lam_scale"],
        colours["truth"],
    ]
    for mark in marks:
        assert contrast(mark, colours["panel"]) >= 3, mark


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("sight", SIGHT)
def test_environments_are_told_apart_by_every_eye(theme: str, sight: str) -> None:
    envs = palette(theme)["envs"]
    assert len(envs) == 10
    seen = [lab(colour, SIGHT[sight]) for colour in envs]
    apart = [np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)]
    assert min(apart) > 7  # of any two of ten; 2.3 is the least that an eye notices
    first = [np.linalg.norm(a - b) for a, b in itertools.combinations(seen[:4], 2)]
    assert min(first) > 14


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("sight", SIGHT)
def test_runs_are_told_apart_and_never_taken_for_an_environment(theme: str, sight: str) -> None:
    colours = palette(theme)
    assert len(colours["runs"]) == len(set(colours["run_dashes"])) == 8
    runs = [lab(colour, SIGHT[sight]) for colour in colours["runs"]]
    taken = [lab(colour, SIGHT[sight]) for colour in [*colours["envs"], colours["accent"], colours["bad"]]]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(runs, 2)) > 25
    apart = min(np.linalg.norm(a - b) for a in runs for b in taken)
    assert apart > (24 if sight == "normal" else 9)


@pytest.mark.parametrize("theme", THEMES)
def test_scales_are_ordered_and_the_diverging_one_is_balanced(theme: str) -> None:
    colours = palette(theme)
    for name in ("sequential", "lam_scale"):
        light = [lab(c, np.eye(3))[0] for c in colours[name]]  # type: ignore[literal-required]
        steps = np.diff(light)
        assert (steps > 0).all() or (steps < 0).all(), name
    low, centre, high = (lab(colours["diverging"][i], np.eye(3)) for i in (0, 2, 4))
    assert low[2] < -30 < 20 < high[2]  # blue and orange
    assert np.hypot(*centre[1:]) < 12  # neutral
    assert abs(low[0] - high[0]) < 12


def test_the_themes_agree_with_the_apps_settings() -> None:
    settings = tomllib.loads((Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text())["theme"]
    for theme in ("dark", "light"):
        colours = palette(theme)
        assert settings[theme]["primaryColor"] == colours["accent"]
        assert settings[theme]["backgroundColor"] == colours["bg"]
        assert settings[theme]["secondaryBackgroundColor"] == colours["panel"]
        assert settings[theme]["textColor"] == colours["text"]


def test_a_palette_goes_through_json_and_is_ones_own() -> None:
    colours = palette("dark")
    assert json.loads(json.dumps(colours)) == colours
    colours["envs"].clear()
    assert len(palette("dark")["envs"]) == 10


def test_an_unknown_theme_gets_a_sentence() -> None:
    with pytest.raises(ValueError, match="choose one of dark, light, projector"):
        palette("sepia")
