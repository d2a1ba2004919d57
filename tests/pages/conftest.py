"""A tiny run trained once for all page tests, a cache of its own for every test, and the app run in this process."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from crl_core import RunConfig, train
from crl_core.results import RunResult
from crl_core.runs.store import RunStore
from pages.shared import fields, server_cache

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


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunStore]:
    """The app's store, empty, without baked runs; no worker is started unless a test trains."""
    own = RunStore(root=tmp_path / "cache", baked=tmp_path / "baked")
    monkeypatch.setattr(server_cache, "RunStore", lambda: own)
    monkeypatch.setattr(server_cache, "_warm", lambda manager: manager)
    st.cache_resource.clear()
    yield own
    server_cache.jobs().close()
    st.cache_resource.clear()


Open = Callable[..., AppTest]


@pytest.fixture
def open_app(store: RunStore) -> Open:
    """open_app("runs", preset="leaky", ...): the app at that page and link, run once."""

    def run(page: str = "train", **params: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
        for name, value in params.items():
            app.query_params[name] = value
        app.run()
        if page != "train":
            app.switch_page(f"pages/{page}.py").run()
        return app

    return run


_SPOKEN = re.compile(r'<span class="crl-spoken"[^>]*></span>')


def words(app: AppTest) -> str:
    """Everything that is written on the page, the sidebar included; not what figures say to who does not see them."""
    kinds = ("html", "markdown", "error", "warning", "info", "success", "title", "caption", "progress")
    texts = []
    for kind in kinds:
        for element in app.get(kind):
            proto = getattr(element, "proto", None)
            texts.append(str(getattr(proto, "text", "") or getattr(proto, "body", "") or getattr(element, "value", "")))
    return _SPOKEN.sub("", " ".join(texts))


def charts(app: AppTest) -> int:
    """How many Vega-Lite charts the page has."""
    return len(app.get("vega_lite_chart")) + len(app.get("arrow_vega_lite_chart"))
