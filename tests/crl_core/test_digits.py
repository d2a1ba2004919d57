"""Images of digits under a lamp: which image a row has, what lamp and noise add, and who may see which image."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.datasets import load_digits

from crl_core import MultiEnvData, RunConfig, Scenario, Training, preset, sample, train
from crl_core.config.text import altered
from crl_core.data import digits
from crl_core.data.interventions import OF_CAMERA, deploy, offered
from crl_core.data.scm import Change, along_nuisance, noiseless
from crl_core.measures.edit_words import idle_said, limits_said, mended_said
from crl_core.measures.edits import OF_IMAGES, moved, recorded
from crl_core.measures.prediction import ceiling, elsewhere, prediction
from crl_core.results import data_of
from crl_core.world.equations import equations, notes
from crl_core.world.graph import edges
from tests.any_config import configs, drawing

LAMP = altered(preset("lamp").scenario, n_samples=400)
CLEAR = altered(LAMP, pixel_noise=(0.0,))


def latents(rows: MultiEnvData) -> tuple[np.ndarray, np.ndarray]:
    assert rows.z is not None
    assert rows.s is not None
    return rows.z[:, 0], rows.s[:, 0]


def pictures(rows: MultiEnvData, scenario: Scenario) -> np.ndarray:
    """The image under each row's light, to 1e-6, as bytes that can be compared; of rows without pixel noise."""
    plain = rows.x - scenario.light * latents(rows)[1][:, None]
    return np.round(plain * 16).astype(np.int64)


def plain_image(z: float, seed: int, separation: float, *, trained: bool) -> int:
    """The place of a row's image, found by walking through all of them."""
    digit = load_digits().target
    order = list(np.random.default_rng(np.random.SeedSequence([seed, 0])).permutation(1797))
    mine = sorted(order[:1200] if trained else order[1200:])
    half = [place for d in (range(5, 10) if z > 0 else range(5)) for place in mine if digit[place] == d]
    place = (norm.cdf(z - separation) + norm.cdf(z + separation)) / 2
    share = 2 * place - (1 if z > 0 else 0)
    return half[min(max(math.floor(share * len(half)), 0), len(half) - 1)]


@pytest.mark.parametrize("seed", [0, 17])
def test_a_rows_pixels_are_those_of_its_image_and_the_light_of_its_s(seed: int) -> None:
    images = load_digits().data / 16
    scenario = replace(CLEAR, separation=1.0, light=0.4)
    for trained, rows in zip((True, False), scenario.rows(seed), strict=True):
        for x, z, s in zip(rows.x, *latents(rows), strict=True):
            np.testing.assert_allclose(x, images[plain_image(z, seed, 1.0, trained=trained)] + 0.4 * s, atol=1e-12)


def test_the_label_is_whether_the_image_shows_a_five_or_more_and_all_its_digits_are_as_frequent() -> None:
    rows = sample(altered(CLEAR, n_samples=20_000, prevalence=(0.7, 0.2)), 3)
    pixels, digit = np.round(digits.all_images()[0] * 16).astype(int), digits.all_images()[1]
    known = {image.tobytes(): d for image, d in zip(pixels, digit, strict=True)}
    shown = np.array([known[image.tobytes()] for image in pictures(rows, CLEAR)])
    assert np.mean((shown >= 5) == (rows.y == 1)) > 0.999
    for label in (0, 1):
        shares = np.bincount(shown[rows.y == label], minlength=10)[5 * label : 5 * label + 5] / np.sum(rows.y == label)
        np.testing.assert_allclose(shares, 0.2, atol=0.025)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), shared=st.sampled_from([0, 9]), n_envs=st.integers(1, 4))
def test_no_image_that_is_trained_on_is_ever_asked_about(seed: int, shared: int, n_envs: int) -> None:
    world = altered(CLEAR, shared_units=shared).with_envs(n_envs)
    train, held_out = data_of(RunConfig(scenario=world, training=Training(seed=seed)))
    seen = {image.tobytes() for image in pictures(train, world)}
    asked = [held_out, *elsewhere(world, seed, n=300).values(), deploy(world, "s-scale", 2.0, 300, seed)]
    for rows in asked:
        assert not seen & {image.tobytes() for image in pictures(rows, world)}
    pools = [set(digits.pool(seed, trained=trained).tolist()) for trained in (True, False)]
    assert [len(pool) for pool in pools] == [1200, 597]
    assert not pools[0] & pools[1]


@pytest.mark.parametrize(
    ("change", "factor"),
    [
        (Change(), 1.0),
        (Change(machine=lambda camera: replace(camera, light=0.0)), 0.0),
        (OF_CAMERA["lamp"].change(-1), -1),
    ],
)
def test_two_lamps_over_the_same_rows_differ_by_their_light_alone(change: Change, factor: float) -> None:
    usual, other = sample(LAMP, 5), sample(LAMP, 5, change)
    for name in ("y", "t", "env", "z", "s"):
        np.testing.assert_array_equal(getattr(other, name), getattr(usual, name))
    light = LAMP.light * (factor - 1) * latents(usual)[1]
    np.testing.assert_allclose(other.x - usual.x, np.repeat(light[:, None], 64, axis=1), atol=1e-12)


def test_a_cameras_noise_is_its_hospitals_own() -> None:
    world = altered(LAMP, n_samples=2000, pixel_noise=(0.05, 0.3))
    rows = sample(world, 1)
    clear = sample(altered(world, pixel_noise=(0.0,)), 1)
    for env, sd in enumerate(world.pixel_noise):
        assert (rows.x - clear.x)[rows.env == env].std() == pytest.approx(sd, rel=0.02)


def test_without_noise_an_image_moves_with_s_by_the_light() -> None:
    rows = LAMP.rows(2)[1]
    np.testing.assert_allclose(along_nuisance(rows, LAMP, 2), LAMP.light, atol=1e-9)
    clear = CLEAR.rows(2)[1]
    z, s = latents(clear)
    np.testing.assert_allclose(noiseless(LAMP, z[:, None], s[:, None], clear.env, 2), clear.x, atol=1e-12)


def test_a_reversed_lamp_says_the_opposite_and_a_next_one_nothing() -> None:
    places = elsewhere(LAMP, 0)
    for place, sign in (("next", 0.0), ("reversed", -1.0)):
        s = latents(places[place])[1]
        gap = np.mean(s[places[place].y == 1]) - np.mean(s[places[place].y == 0])
        assert gap == pytest.approx(2 * LAMP.leak * sign, abs=0.15)


def test_the_digit_allows_nearly_everything_unless_labels_lie_close() -> None:
    assert ceiling(LAMP) > 0.999
    assert ceiling(altered(LAMP, separation=1.0)) == pytest.approx(norm.cdf(1), abs=1e-3)


@settings(max_examples=25, deadline=None)
@given(z=st.floats(-40, 40), separation=st.floats(0.3, 4), trained=st.booleans(), seed=st.integers(0, 50))
def test_every_z_has_an_image_of_its_side(z: float, separation: float, trained: bool, seed: int) -> None:
    found = digits.which(np.array([z]), separation, np.array([trained]), seed)
    assert (digits.all_images()[1][found[0]] >= 5) == (z > 0)
    assert found[0] in digits.pool(seed, trained=trained)


def test_what_no_image_can_be_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"set scenario.outcome to binary"):
        Scenario(observation="digits")
    with pytest.raises(ValueError, match=r"one causal and one spurious dimension and no mixing; dim_causal is 2"):
        altered(LAMP, dim_causal=2)
    with pytest.raises(ValueError, match="no intervention 'hum' in this world"):
        deploy(LAMP, "hum", 1.0, 10, 0)
    assert set(OF_CAMERA) <= set(offered(LAMP))
    assert not set(OF_CAMERA) & set(offered(preset("filter").scenario))


@settings(max_examples=15, deadline=None)
@given(name=st.sampled_from(list(offered(LAMP))), share=st.floats(0, 1), n=st.integers(1, 20))
def test_any_allowed_dose_gives_images_of_numbers(name: str, share: float, n: int) -> None:
    item = offered(LAMP)[name]
    high = 2 if name == "site" else item.high
    rows = deploy(LAMP, name, item.low + share * (high - item.low), n, 0)
    assert rows.x.shape == (n, 64)
    assert np.isfinite(rows.x).all()


@drawing(8, 200)
@given(configs(small=True))
def test_any_config_may_be_one_of_images(config: RunConfig) -> None:
    try:
        images = altered(
            config, observation="digits", outcome="binary", dim_causal=1, dim_spurious=1, mixing="none", penalty="mmd"
        )
    except ValueError:
        assume(False)
        raise
    assert RunConfig.from_json(images.to_json()) == images
    assert images.dim_x == 64
    assert images.one_scale == (images.training.x_scale != "columns")
    result = train(images)
    found = prediction(result)
    shares = np.concatenate([*found.accuracy.values(), *(moved(result, edit).flips for edit in OF_IMAGES)])
    assert ((shares >= 0) & (shares <= 1) | np.isnan(shares)).all()
    assert r"\mathrm{digit}_z(p)" in equations(images.scenario)
    assert "8 × 8 pixels" in notes(images.scenario)
    assert limits_said(images.scenario).startswith("Digits, treatments")
    assert [arrow.label for arrow in edges(images.scenario) if arrow.target == "x" and not arrow.by_env] == [
        "digit",
        "lamp",
    ]


def test_what_mends_the_image_is_said_and_why_nothing_can_move() -> None:
    dark = altered(LAMP, light=0.0)
    for edit in OF_IMAGES:
        assert "its own mean brightness" in mended_said(LAMP, edit)
        assert not idle_said(LAMP, edit)
        assert not mended_said(dark, edit)
        assert "no lamp in this world" in idle_said(dark, edit)
    with pytest.raises(ValueError, match="must be one of without the lamp, with the lamp turned over"):
        recorded(LAMP, "without the hum")


def test_all_images_are_there_once_and_nobody_can_write_to_them() -> None:
    images, digit = digits.all_images()
    assert images.shape == (1797, 64)
    assert (images.min(), images.max()) == (0, 1)
    assert np.bincount(digit).min() > 170
    with pytest.raises(ValueError, match="read-only"):
        images[0, 0] = 1
