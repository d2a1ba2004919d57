"""On a figure along λ a tap on a point sets the λ in view, again and again, and the slider goes on to do so, too."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import WAIT_MS, Server
from tests.browser.test_app import settled

pytestmark = pytest.mark.browser

# Where the points of the curve are, in pixels of the window.
_PLACES = """gd => { const box = gd.getBoundingClientRect(), { xaxis, yaxis } = gd._fullLayout;
  const curve = gd._fullData.find(t => t.mode.includes("markers") && t.x.length > 4);
  return Array.from(curve.x, (x, i) => [box.left + xaxis._offset + xaxis.l2p(x),
    box.top + yaxis._offset + yaxis.l2p(yaxis.d2l(curve.y[i]))]); }"""


def tap(page: Page, panel: str, at: int) -> None:
    plot = page.locator(f".st-key-{panel} .js-plotly-plot").first
    expect(plot.locator(".point").first).to_be_visible()
    plot.scroll_into_view_if_needed()
    page.mouse.click(*plot.evaluate(_PLACES)[at])


def shown(page: Page, lam: str) -> None:
    """Wait until the page itself, and not only the slider, is at this λ; the figure may be mounted anew by then."""
    expect(page.locator("[data-testid=stMain] div:has(> span:text-is('λ in view')) > b").first).to_have_text(lam)
    settled(page)


@pytest.mark.parametrize(("address", "panel"), [("path", "panel_path_error"), ("path", "panel_path_mmd2")])
def test_a_tap_on_a_point_takes_its_lam_also_twice(server: Server, chromium: Browser, address: str, panel: str) -> None:
    page = chromium.new_context(viewport={"width": 1440, "height": 1000}).new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(server.url(address, preset="hospital"))
    settled(page)
    slider = page.get_by_test_id("stSidebar").get_by_role("slider", name="λ shown")
    tap(page, panel, 3)
    expect(slider).not_to_have_attribute("aria-valuetext", "0.72")
    third = str(slider.get_attribute("aria-valuetext"))
    shown(page, third)
    tap(page, panel, 8)
    expect(slider).not_to_have_attribute("aria-valuetext", third)
    shown(page, str(slider.get_attribute("aria-valuetext")))
    assert f"lam={slider.get_attribute('aria-valuetext')}" in page.url
    for _ in range(2):
        slider.press("Home")
        shown(page, "0")
        tap(page, panel, 3)
        shown(page, third)
    page.context.close()
