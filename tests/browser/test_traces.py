"""A point that is tapped with a finger shows its own trace, not that of the tap before."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from crl_core import train
from crl_core.runs.store import RunStore
from tests.browser.conftest import Server, drawn, start_server
from tests.browser.pressing import Visitor
from tests.browser.test_app import settled
from tests.browser.test_room import SIZES, faults
from tests.pages.test_edits import FILTER, link

pytestmark = pytest.mark.browser

# Row and place, in pixels of the window, of every point of a picture of rows.
_PLACES = """gd => { const box = gd.getBoundingClientRect(), { xaxis, yaxis } = gd._fullLayout;
  return gd._fullData.filter(t => t.customdata).flatMap(t => Array.from(t.x, (x, i) => [
    t.customdata[i], box.left + xaxis._offset + xaxis.l2p(x), box.top + yaxis._offset + yaxis.l2p(t.y[i])])); }"""


# A figure that is being replaced has points already, and no axes yet.
_LAID_OUT = "() => document.querySelector('.st-key-panel_latent .js-plotly-plot')?._fullLayout?.xaxis"


def tap_a_point(page: Page, tap: Callable[[float, float], None], rank: int = 0) -> int:
    """Tap the point that stands `rank` places from the loneliest; its row."""
    plot = page.locator(".st-key-panel_latent .js-plotly-plot").first
    expect(plot.locator(".point").first).to_be_visible()
    page.wait_for_function(_LAID_OUT)
    plot.scroll_into_view_if_needed()
    found = np.array(plot.evaluate(_PLACES))
    for _ in range(20):  # the panels above may still be growing
        page.wait_for_timeout(150)
        before, found = found, np.array(plot.evaluate(_PLACES))
        if np.array_equal(before, found):
            break
    apart = np.hypot(*(found[:, None, 1:] - found[None, :, 1:]).transpose(2, 0, 1))
    np.fill_diagonal(apart, np.inf)
    row, x, y = found[np.argsort(-apart.min(axis=1))[rank]].tolist()
    tap(x, y)
    return int(row)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    cache: Path = tmp_path_factory.mktemp("traces") / "cache"
    RunStore(cache).save(train(FILTER))
    running = start_server(cache)
    yield running
    running.stop()


def test_each_tap_of_a_finger_shows_the_trace_of_the_point_below_it(server: Server, phone: Page) -> None:
    phone.set_viewport_size({"width": 390, "height": 900})
    phone.goto(server.url("latent", **link(FILTER), lam="1"))
    drawn(phone)
    for rank in range(3):
        row = tap_a_point(phone, phone.touchscreen.tap, rank)
        title = phone.locator(".st-key-panel_trace .gtitle").first
        expect(title).to_have_text(re.compile(rf"^Row {row + 1}, hospital [AB]$"))
        drawn(phone)


@pytest.mark.parametrize(("preset", "stem"), [("filter", "effects"), ("hum-label", "path"), ("hum-label", "latent")])
def test_no_word_is_cut_beside_a_trace_or_its_gradient(server: Server, window: Page, preset: str, stem: str) -> None:
    page = window
    page.goto(server.url(stem, preset=preset))
    settled(page)
    if stem != "latent":
        fold = page.get_by_test_id("stExpander").filter(has_text="Where it looks").locator("summary")
        spectrum = page.locator(".gtitle").filter(has_text="Spectrum of the gradient")
        Visitor(server, page).press_until("fold", at=fold, sees=spectrum.wait_for)
        settled(page)
    found = faults(page, SIZES)
    assert not any(found.values()), found
