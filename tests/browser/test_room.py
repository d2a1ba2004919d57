"""Words have room on every page, zoomed to 200 % and on a phone: none cut, none on top of others, none off a canvas.

`room.js` finds what is wrong by the boxes of all texts, in the page, in the figures and on the canvases.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import pytest
from playwright.sync_api import Page, TimeoutError, expect

from crl_core import train
from crl_core.config.presets import PRESETS
from crl_core.runs.store import RunStore
from pages.shared import fields
from pages.shared.places import TITLES
from tests.browser.conftest import Server
from tests.browser.test_app import settled

pytestmark = pytest.mark.browser
PHONE = (360, 740)
SIZES = [(1280, 720), (720, 450), PHONE]  # 720 x 450: 1440 x 900 at 200 %
DRAW_MS = 300  # a figure takes its new width some frames after its window
PATIENCE_MS = 8_000  # on a busy machine many frames after
STEMS = list(TITLES)
TEN = {"envs": 10, "epochs": 2, "samples": 800, "replicates": 1}


def faults(page: Page, sizes: Sequence[tuple[int, int]]) -> dict[int, list[str]]:
    """What has no room, by the width of the window; empty where everything has."""
    found = {}
    for width, height in sizes:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(DRAW_MS)
        with suppress(TimeoutError):
            page.wait_for_function("faultsOfRoom().length === 0", timeout=PATIENCE_MS, polling=500)
            continue
        found[width] = page.evaluate("faultsOfRoom()")
    return found


@pytest.mark.parametrize("stem", STEMS)
def test_no_word_is_cut_or_covered_in_any_window(server: Server, window: Page, stem: str) -> None:
    window.goto(server.url("" if stem == "train" else stem, preset="hospitals"))  # four names to place
    if stem == "lecture":
        window.get_by_role("slider", name="λ", exact=True).wait_for()
    else:
        settled(window)
    found = faults(window, SIZES)
    assert not any(found.values()), found


@pytest.fixture
def ten_environments(server: Server) -> str:
    """The key of a run of ten environments that is on the server."""
    config, store = fields.build("hospitals", TEN), RunStore(server.cache)
    if not store.has(config.key):
        store.save(train(config))
    return config.key


@pytest.mark.usefixtures("ten_environments")
@pytest.mark.parametrize("stem", ["scenario", "latent", "effects", "unseen"])
def test_ten_environments_are_named_in_full_on_a_phone(server: Server, window: Page, stem: str) -> None:
    window.goto(server.url(stem, preset="hospitals", **{name: str(value) for name, value in TEN.items()}))
    settled(window)
    assert "has not been trained" not in window.locator("body").inner_text()
    found = faults(window, [PHONE])
    assert not any(found.values()), found


def test_four_runs_of_many_environments_are_compared_on_a_phone(
    server: Server, window: Page, ten_environments: str
) -> None:
    keys = [ten_environments, *(PRESETS[name].config.key for name in ("hospitals", "leaky", "hospital"))]
    window.goto(server.url("compare") + "?" + "&".join(f"runs={key}" for key in keys))
    settled(window)
    expect(window.locator("body")).to_contain_text("D, effect error")
    found = faults(window, [PHONE])
    assert not any(found.values()), found
