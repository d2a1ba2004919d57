"""On a figure along λ a tap on a point sets the λ in view, again and again, and the slider goes on to do so, too."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, expect

from crl_core.config import DEFAULT_LAMS
from pages.shared.fields import lam_text
from tests.browser.conftest import Server
from tests.browser.test_app import settled

pytestmark = pytest.mark.browser

# Where the points of the curve are, in pixels of the window.
_PLACES = """gd => { const box = gd.getBoundingClientRect(), { xaxis, yaxis } = gd._fullLayout;
  const curve = gd._fullData.find(t => t.mode.includes("markers") && t.x.length > 4);
  return Array.from(curve.x, (x, i) => [box.left + xaxis._offset + xaxis.l2p(x),
    box.top + yaxis._offset + yaxis.l2p(yaxis.d2l(curve.y[i]))]); }"""


def tap(page: Page, panel: str, at: int, lam: str) -> None:
    """Tap a point until its λ is in the address: a tap is lost where the figure is just then mounted anew."""
    plot = page.locator(f".st-key-{panel} .js-plotly-plot").first
    for _ in range(6):
        settled(page)
        page.wait_for_timeout(800)
        with suppress(PlaywrightError):
            expect(plot.locator(".point").first).to_be_visible()
            plot.scroll_into_view_if_needed()
            page.mouse.click(*plot.evaluate(_PLACES)[at])
            page.wait_for_url(re.compile(rf"lam={re.escape(lam)}(&|$)"), timeout=8_000)
            return
    raise AssertionError(f"no tap on point {at} brought λ = {lam}")


def test_a_tap_on_a_point_takes_its_lam_again_and_again(server: Server, page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 1000})
    page.goto(server.url("path", preset="hospital"))
    settled(page)
    slider = page.get_by_test_id("stSidebar").get_by_role("slider", name="λ shown")
    lams = [lam_text(lam) for lam in DEFAULT_LAMS]
    for at in (3, 8, 3):
        tap(page, "panel_path_error", at, lams[at])
        expect(slider).to_have_attribute("aria-valuetext", lams[at])
