"""The choice of an encoder is there where x is a signal, with what was measured of it, and nowhere else."""

from __future__ import annotations

import pytest

from crl_core.config.presets import PRESETS
from crl_core.config.text import altered
from pages.shared import fields, sidebar
from tests.pages.conftest import Open, words

SAYS = "Conv1d"


def keys(app: object) -> set[str | None]:
    return {item.key for item in app.sidebar.button_group}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("link", "offered"),
    [
        ({"preset": "hospital"}, False),
        ({"preset": "hum-label"}, True),
        ({"preset": "hum-label", "set": "scenario.observation=covariates scenario.outcome=number"}, False),
        ({"preset": "hospital", "set": "scenario.observation=ecg scenario.mixing=none scenario.dim_spurious=1"}, True),
    ],
)
def test_encoders_are_offered_where_x_is_a_signal(open_app: Open, link: dict[str, str], offered: bool) -> None:
    app = open_app(**link)
    app.session_state[sidebar.ADVANCED] = True  # the fold is open
    app.run()
    assert not app.exception
    assert ("encoder" in keys(app)) == offered
    assert (SAYS in words(app)) == offered


def test_a_link_with_the_convolution_opens_it_and_changing_the_preset_takes_it_back(open_app: Open) -> None:
    app = open_app(preset="filter", encoder="conv1d")
    found = app.session_state["sidebar.controls"]
    assert found.config == altered(PRESETS["filter"].config, encoder="conv1d")
    app.sidebar.selectbox[0].set_value("hospital").run()
    assert not app.exception
    assert app.session_state["sidebar.controls"].config == PRESETS["hospital"].config
    assert "encoder" not in keys(app)
    app.sidebar.selectbox[0].set_value("hum-label").run()
    assert app.session_state["sidebar.controls"].config == PRESETS["hum-label"].config


def test_a_link_that_wants_the_convolution_of_columns_says_why_not_and_can_be_mended_by_hand(open_app: Open) -> None:
    app = open_app(preset="hospital", encoder="conv1d")
    assert not app.exception
    assert "slides over the samples of a signal" in app.error[0].value
    assert "encoder" in keys(app)
    next(item for item in app.sidebar.button_group if item.key == "encoder").set_value("mlp").run()
    assert app.session_state["sidebar.controls"].config == PRESETS["hospital"].config
    assert not app.error


def test_the_sidebar_describes_a_convolution_by_its_field() -> None:
    config = altered(PRESETS["filter"].config, encoder="conv1d")
    preset_id, values = fields.describe(config)
    assert (preset_id, values["encoder"], values[fields.SET]) == ("filter", "conv1d", "")
    assert fields.mend({"preset": "filter", "encoder": "lstm"}) == (
        {"encoder": "mlp"},
        ["The link has encoder = lstm; it must be mlp or conv1d. Shown: mlp."],
    )
