"""Runs at the edges of what can be asked for, in a real browser: no page shows an exception, no script ends in one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from crl_core.runs.store import RunStore
from pages.shared import fields
from tests import degenerate
from tests.browser.conftest import Server, start_server

pytestmark = pytest.mark.browser
RUNS = ("everyone treated", "one λ", "learning that explodes", "all diverged")
PAGES = ("lecture", "effects", "path", "latent", "unseen", "scenario", "compare")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Server]:
    """A server whose store has a run of each kind."""
    cache = tmp_path_factory.mktemp("app") / "cache"
    for name in RUNS:
        RunStore(cache).save(degenerate.RUNS[name]())
    server = start_server(cache)
    yield server
    server.stop()


@pytest.mark.parametrize("name", RUNS)
def test_every_page_that_draws_the_run_opens_without_an_exception(page: Page, filled: Server, name: str) -> None:
    config = degenerate.RUNS[name]().config
    preset_id, values = fields.describe(config)
    home = fields.defaults(preset_id)
    link = {field: str(value) for field, value in values.items() if value != home.get(field)}
    trouble: list[str] = []
    page.set_viewport_size({"width": 1280, "height": 900})
    page.on("pageerror", lambda error: trouble.append(str(error)))
    for address in PAGES:
        also = {"runs": config.key} if address == "compare" else {}
        page.goto(filled.url(address, preset=preset_id, **link, **also))
        expect(page.locator("[data-testid=stMain] h1, .lecture .title").first).to_be_visible()
        expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_attached()
        if address == "lecture":
            expect(page.locator(".lecture .title")).not_to_have_text("This lecture cannot be drawn")
            page.wait_for_timeout(300)
        expect(page.locator("[data-testid=stException]")).to_have_count(0)
        expect(page.get_by_text("cannot be drawn")).to_have_count(0)
    assert trouble == []
