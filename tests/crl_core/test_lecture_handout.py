"""The handout is one file that asks for nothing from anywhere and says where it comes from."""

import json
import re
import shlex
from html.parser import HTMLParser

import numpy as np
import pytest

from crl_core import preset
from crl_core.cli import config as cli_config
from crl_core.cli import program as cli
from crl_core.config.presets import PRESETS
from crl_core.config.text import preset_of, reproducing_command
from crl_core.lecture.assets import script, style
from crl_core.lecture.handout import handout_html
from tests.lecture_runs import config_of, evidence_of, run_of


class Page(HTMLParser):
    """Tags with their attributes, and the text of each script by its id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self._in: str | None = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self._in = dict(attrs).get("id", "code")

    def handle_endtag(self, tag):
        self._in = None

    def handle_data(self, data):
        if self._in:
            self.scripts[self._in] = self.scripts.get(self._in, "") + data


@pytest.fixture(scope="module")
def text() -> str:
    result = run_of()
    return handout_html(result, None, evidence_of(result), "dark", n_rows=200)


def test_it_refers_to_nothing_outside_itself(text):
    for _, attributes in Page(text).tags:
        assert not {"src", "href", "srcset", "poster", "action"} & set(attributes)
    code = script() + style()
    assert not re.search(
        r"https?:|//[a-z]+\.|@import|url\(|\bfetch\(|XMLHttpRequest|WebSocket|importScripts|sendBeacon", code
    )
    assert "default-src 'none'" in text


def test_it_holds_the_config_the_key_the_seed_and_the_command(text):
    result = run_of()
    origin = json.loads(Page(text).scripts["provenance"])
    assert origin["key"] == result.config.key
    assert origin["config"] == result.config.to_dict()
    assert origin["seed"] == result.config.training.seed
    assert origin["command"] == reproducing_command(result.config)
    assert "numpy" in origin["written_with"]
    assert result.config.key in text


def test_its_numbers_are_those_of_the_run(text):
    result = run_of()
    data = json.loads(Page(text).scripts["frames"])
    assert np.allclose(
        data["metrics"]["ite_rmse"]["value"], np.median(result.by_lam(result.ite_rmse), axis=0), rtol=1e-5
    )


def test_a_closing_tag_in_the_data_cannot_end_the_script(text):
    assert "<" not in Page(text).scripts["frames"]


def test_it_is_small(text):
    assert len(text.encode()) < 3_000_000


def test_an_unknown_theme_is_refused():
    with pytest.raises(ValueError, match="it must be one of auto, dark, light, projector"):
        handout_html(run_of(), theme="sepia")


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_is_reproduced_by_its_name_alone(name):
    assert preset_of(preset(name)) == name
    assert reproducing_command(preset(name)) == f"python -m crl_core train --preset {name}"


@pytest.mark.parametrize(
    "config",
    [config_of(), config_of("leaky", 4, seed=7), config_of("sensors", epochs=2), config_of(n_envs=1)],
)
def test_the_command_trains_exactly_this_config(config):
    words = shlex.split(reproducing_command(config))
    assert words[:3] == ["python", "-m", "crl_core"]
    assert cli_config.config_of(cli._parser().parse_args(words[3:])).key == config.key
