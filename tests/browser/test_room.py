"""Words have room on every page, zoomed to 200 % and on a phone: none cut, none on top of others, none off a canvas.

`room.js` finds what is wrong by the boxes of all texts, in the page, in the figures and on the canvases.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, TimeoutError

from crl_core.config.presets import PRESETS
from pages.shared.places import TITLES
from tests.browser.conftest import ROOT, WAIT_MS, Server
from tests.browser.test_app import settled

pytestmark = pytest.mark.browser
FINDER = Path(__file__).with_name("room.js")
PHONE = (360, 740)
SIZES = [(1280, 720), (720, 450), PHONE]  # 720 x 450: 1440 x 900 at 200 %
DRAW_MS = 300  # a figure takes its new width some frames after its window
PATIENCE_MS = 8_000  # on a busy machine many frames after
STEMS = list(TITLES)
TEN = {"preset": "hospitals", "envs": "10", "epochs": "2", "samples": "800", "replicates": "1"}


def opened(chromium: Browser, address: str) -> Page:
    """A page that notes from its start what is written on canvases; close its context."""
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, color_scheme="dark")
    context.set_default_timeout(WAIT_MS)
    context.add_init_script(path=FINDER)
    page = context.new_page()
    page.goto(address)
    return page


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
def test_no_word_is_cut_or_covered_in_any_window(server: Server, chromium: Browser, stem: str) -> None:
    page = opened(chromium, server.url("" if stem == "train" else stem, preset="hospitals"))  # four names to place
    if stem == "lecture":
        page.get_by_role("slider", name="λ", exact=True).wait_for()
    else:
        settled(page)
    found = faults(page, SIZES)
    page.context.close()
    assert not any(found.values()), found


@pytest.fixture(scope="module")
def ten_environments(server: Server) -> None:
    command = [sys.executable, "-m", "crl_core", "train", "--preset", TEN["preset"], "--envs", TEN["envs"]]
    command += ["--epochs", TEN["epochs"], "--replicates", TEN["replicates"]]
    command += ["--set", f"scenario.n_samples={TEN['samples']}"]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"CRL_CACHE": str(server.cache)}, check=True)


@pytest.mark.usefixtures("ten_environments")
@pytest.mark.parametrize("stem", ["scenario", "latent", "effects", "unseen"])
def test_ten_environments_are_named_in_full_on_a_phone(server: Server, chromium: Browser, stem: str) -> None:
    page = opened(chromium, server.url(stem, **TEN))
    settled(page)
    assert "has not been trained" not in page.locator("body").inner_text()
    found = faults(page, [PHONE])
    page.context.close()
    assert not any(found.values()), found


@pytest.mark.usefixtures("ten_environments")
def test_four_runs_of_many_environments_are_compared_on_a_phone(server: Server, chromium: Browser) -> None:
    keys = [PRESETS[name].config.key for name in ("hospitals", "leaky", "hospital")]
    own = next((server.cache / "runs").iterdir()).name
    page = opened(chromium, server.url("compare") + "?" + "&".join(f"runs={key}" for key in [own, *keys]))
    settled(page)
    assert "D, effect error" in page.locator("body").inner_text()
    found = faults(page, [PHONE])
    page.context.close()
    assert not any(found.values()), found
