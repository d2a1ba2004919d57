"""Worlds of images on screen: what the network is given, what of the lamp it takes, and where its label is right."""

from __future__ import annotations

from html import unescape

import numpy as np
import pytest

from crl_core import RunConfig, Training, preset, train
from crl_core.config.text import altered
from crl_core.data.scm import sample
from crl_core.measures.edits import OF_IMAGES, edited, moved
from crl_core.measures.prediction import WORDS
from crl_core.results import RunResult, data_of
from crl_core.runs.store import RunStore
from tests.pages.conftest import Open, words
from tests.pages.figures import figures, numbers, titled
from tests.pages.test_edits import link

WITHOUT, TURNED = OF_IMAGES
LAMP = RunConfig(
    scenario=altered(preset("lamp").scenario, n_samples=400),
    training=Training(lams=(0.0, 20.0), epochs=15, replicates=2, learning_rate=0.005),
)


@pytest.fixture(scope="module")
def trained() -> RunResult:
    return train(LAMP)


def test_the_scenario_shows_images_of_each_hospital_and_label_and_what_they_are(open_app: Open) -> None:
    app = open_app("scenario", **link(LAMP))
    assert not app.exception
    drawn = titled(app, "What the network is given")
    assert drawn["layout"]["yaxis"]["ticktext"] == ["no", "yes", "no", "yes"]
    assert [trace["name"] for trace in drawn["data"][1:]] == ["hospital A", "hospital B"]
    sheet = numbers(drawn["data"][0]["z"])
    data = sample(LAMP.scenario, LAMP.training.seed)
    for env in (0, 1):
        for label in (0, 1):
            own = np.flatnonzero((data.env == env) & (data.y == label))
            top = 9 * (2 * env + label)
            low, high = drawn["data"][0]["zmin"], drawn["data"][0]["zmax"]
            image = np.clip(data.x[own[0]].reshape(8, 8), low, high)
            np.testing.assert_allclose(sheet[top : top + 8, :8], image, atol=1e-6)
    said = words(app)
    assert "z decides the digit, s the light" in said
    assert "the lamp adds 0.25 · s to every pixel" in said
    assert "ECG" not in said
    assert "mV" not in str([figure["layout"] for figure in figures(app)])


def test_cameras_that_differ_stand_in_the_table_of_hospitals(open_app: Open) -> None:
    app = open_app("scenario", **link(altered(LAMP, pixel_noise=(0.05, 0.3))))
    assert not app.exception
    assert ">pixel noise</th>" in words(app)
    assert ">0.3</td>" in words(app)


@pytest.mark.parametrize("page", ["effects", "path", "unseen"])
def test_an_image_is_shown_as_taken_and_with_the_lamp_turned_over(
    open_app: Open, store: RunStore, trained: RunResult, page: str
) -> None:
    store.save(trained)
    app = open_app(page, **link(LAMP), lam="20")
    assert not app.exception
    assert app.segmented_control(key="edits.light").value == TURNED
    app.slider(key="edits.row").set_value(7).run()
    before = data_of(LAMP)[1]
    for edit in OF_IMAGES:
        app.segmented_control(key="edits.light").set_value(edit).run()
        assert not app.exception
        drawn, after = titled(app, "Row 7"), edited(LAMP, edit)
        sheet, low, high = numbers(drawn["data"][0]["z"]), drawn["data"][0]["zmin"], drawn["data"][0]["zmax"]
        for left, rows in ((0, before), (9, after)):
            image = np.clip(rows.x[6].reshape(8, 8), low, high)
            np.testing.assert_allclose(sheet[:, left : left + 8], image, atol=1e-6)
        first, last = np.median([moved(trained, edit, replicate).flips for replicate in (0, 1)], axis=0)
        said = words(app)
        assert f"that flip is {100 * first:.1f} % at λ = 0 and {100 * last:.1f} % at λ = 20, in view." in said
        assert "take from every image its own mean brightness" in said
        assert "hearts" not in said.lower()


@pytest.mark.parametrize("page", ["path", "unseen"])
def test_of_a_digit_it_is_shown_how_often_it_is_right_and_what_the_digit_allows(
    open_app: Open, store: RunStore, trained: RunResult, page: str
) -> None:
    store.save(trained)
    app = open_app(page, **link(LAMP), lam="20")
    assert not app.exception
    for title in WORDS.values():
        assert titled(app, title[0].upper() + title[1:])
    assert "the digit allows 100.0 %" in unescape(words(app))
    assert "physiology" not in words(app)


@pytest.mark.parametrize(
    "page", ["train", "latent", "lecture", "compare", "serve", "lens", "environments", "penalties"]
)
def test_every_other_page_opens_on_images(open_app: Open, store: RunStore, trained: RunResult, page: str) -> None:
    store.save(trained)
    assert not open_app(page, **link(LAMP)).exception
