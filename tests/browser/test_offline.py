"""Without the internet a HTML file that was taken home is drawn; that no page asks for it is in test_access."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from crl_core.config.presets import PRESETS
from crl_core.export.figure_page import figure_page
from crl_core.runs.store import RunStore

pytestmark = pytest.mark.browser


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
