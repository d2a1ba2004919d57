"""Words have room on every page, zoomed to 200 % and on a phone: none cut, none on top of others, none off a canvas.

`room.js` finds what is wrong by the boxes of all texts, in the page, in the figures and on the canvases.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, TimeoutError

from pages.shared.shell import PAGES
from tests.browser.conftest import WAIT_MS, Server
from tests.browser.test_app import settled

pytestmark = pytest.mark.browser
FINDER = Path(__file__).with_name("room.js")
SIZES = [(1280, 720), (720, 450), (360, 740)]  # 720 x 450: 1440 x 900 at 200 %
DRAW_MS = 300  # a figure takes its new width some frames after its window
PATIENCE_MS = 8_000  # on a busy machine many frames after
STEMS = [stem for pages in PAGES.values() for stem, _ in pages]


@pytest.mark.parametrize("stem", STEMS)
def test_no_word_is_cut_or_covered_in_any_window(server: Server, chromium: Browser, stem: str) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, color_scheme="dark")
    context.set_default_timeout(WAIT_MS)
    context.add_init_script(path=FINDER)
    page = context.new_page()
    page.goto(server.url("" if stem == "train" else stem, preset="hospitals"))  # four names to place
    if stem == "lecture":
        page.get_by_role("slider", name="λ", exact=True).wait_for()
    else:
        settled(page)
    faults = {}
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(DRAW_MS)
        with suppress(TimeoutError):
            page.wait_for_function("faultsOfRoom().length === 0", timeout=PATIENCE_MS, polling=500)
            continue
        faults[width] = page.evaluate("faultsOfRoom()")
    context.close()
    assert not any(faults.values()), faults
