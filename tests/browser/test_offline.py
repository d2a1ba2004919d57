"""Without the internet: no page of the app, and no HTML file taken home, asks for anything but its own server."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, Page

from crl_core.config.presets import PRESETS
from crl_core.export.figure_page import figure_page
from crl_core.runs.store import RunStore
from pages.shared.places import TITLES
from tests.browser.conftest import Server, drawn

pytestmark = pytest.mark.browser


def test_no_page_asks_for_anything_from_outside(server: Server, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.context.route(lambda url: urlparse(url).hostname not in ("127.0.0.1", None), lambda route: route.abort())
    for stem in TITLES:
        page.goto(server.url(stem))
        drawn(page)
        page.wait_for_load_state("networkidle")
    assert len([url for url in asked if url.startswith("ws:")]) >= len(TITLES)
    assert {urlparse(url).netloc for url in asked if urlparse(url).scheme not in ("data", "blob")} == {
        f"127.0.0.1:{server.port}"
    }


def test_the_figures_taken_home_are_drawn_without_a_network(chromium: Browser, tmp_path: Path) -> None:
    store, key = RunStore(), PRESETS["hospital"].config.key
    parts = {name: store.part(key, name) for name in ("projection", "evidence")}
    file = tmp_path / "figures.html"
    file.write_text(figure_page(store.load(key), 1.9, ("A", "B"), parts), encoding="utf-8")
    context = chromium.new_context(offline=True)
    page, asked = context.new_page(), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    page.locator("#latents .main-svg").first.wait_for()
    context.close()
    assert asked == [file.as_uri()]
