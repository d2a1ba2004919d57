"""A tiny run trained once for all page tests, a cache of its own for every test, and the app run in this process."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from crl_core import RunConfig, Scenario, Training, train
from crl_core.results import RunResult
from crl_core.runs.store import RunStore
from pages.shared import fields, folds, server_cache

ROOT = Path(__file__).parents[2]
PARAMS = {"epochs": "3", "samples": "400", "replicates": "2", "set": "training.lams=0,0.1,1,10"}


@dataclass(frozen=True)
class Tiny:
    params: dict[str, str]
    config: RunConfig
    result: RunResult


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    """A run of seconds: hospital, four λ, two replicates, three epochs."""
    config = fields.build("hospital", {"epochs": 3, "samples": 400, "replicates": 2, "set": PARAMS["set"]})
    return Tiny(PARAMS, config, train(config))


def served(own: RunStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunStore]:
    """The app on this store, all folds open; no worker is started unless a test trains."""
    monkeypatch.setattr(server_cache, "RunStore", lambda: own)
    monkeypatch.setattr(server_cache, "_warm", lambda manager: manager)
    monkeypatch.setattr(folds, "is_open", lambda box: True)
    st.cache_resource.clear()
    yield own
    server_cache.jobs().close()
    st.cache_resource.clear()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunStore]:
    """The app's store, empty, without baked runs."""
    yield from served(RunStore(root=tmp_path / "cache", baked=tmp_path / "baked"), monkeypatch)


Open = Callable[..., AppTest]


def opened(page: str = "train", **params: str) -> AppTest:
    """The app at that page and link, run once; on the store of the test's fixtures."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
    for name, value in params.items():
        app.query_params[name] = value
    app.run()
    if page != "train":
        app.switch_page(f"pages/{page}.py").run()
    return app


@pytest.fixture
def open_app(store: RunStore) -> Open:
    """open_app("runs", preset="leaky", ...): the app at that page and link, run once."""
    return opened


FILTER = RunConfig(
    scenario=Scenario(
        observation="ecg", n_samples=400, propensity=(1, 0), offset=(1, -1), heterogeneity=1.5, highpass=(0.5, 0.05)
    ),
    training=Training(lams=(0.0, 1.0, 10.0), epochs=2, replicates=2),
)
LABEL = RunConfig(
    scenario=Scenario(observation="ecg", n_samples=400, outcome="binary", prevalence=(0.3, 0.7), leak=1.0),
    training=Training(lams=(0.0, 1.0), epochs=20, replicates=2, learning_rate=0.005),
)
_SPOKEN = re.compile(r'<span class="crl-spoken"[^>]*></span>')
_EXPLAINED = re.compile(r'<span class="crl-word"[^>]*>(.*?)</span>')  # a term, and what it means


def words(app: AppTest) -> str:
    """Everything that is written on the page, the sidebar included; not what figures say to who does not see them."""
    kinds = ("html", "markdown", "error", "warning", "info", "success", "title", "caption", "progress")
    texts = []
    for kind in kinds:
        for element in app.get(kind):
            proto = getattr(element, "proto", None)
            texts.append(str(getattr(proto, "text", "") or getattr(proto, "body", "") or getattr(element, "value", "")))
    return _EXPLAINED.sub(r"\1", _SPOKEN.sub("", " ".join(texts)))


def charts(app: AppTest) -> int:
    """How many Vega-Lite charts the page has."""
    return len(app.get("vega_lite_chart")) + len(app.get("arrow_vega_lite_chart"))


@pytest.fixture(scope="session")
def trained() -> RunResult:
    """Of a world of traces with effects, `FILTER`."""
    return train(FILTER)


@pytest.fixture(scope="session")
def labelled() -> RunResult:
    """Of a world of traces with a label, `LABEL`."""
    return train(LABEL)
