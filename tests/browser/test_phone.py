"""A phone: λ, the preset and Train under the thumb, every page two taps away, room for a finger, no picture lost."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from crl_core.config.presets import PRESETS
from pages.shared.places import PLACES, TITLES
from tests.browser.conftest import Server
from tests.browser.test_app import settled

pytestmark = pytest.mark.browser
ON_ITS_SIDE = {"width": 844, "height": 390}
LEAST_PX = 32
PATIENCE_MS = 10_000
BAR = ".st-key-bottom_bar .bar"
# Buttons, fields and the like that are shown, in the page and in the components, and are too small for a finger.
_TOO_SMALL = """least => {
  const found = [], all = root => { for (const e of root.querySelectorAll('*')) {
    if (e.matches('button, summary, select, input:not([type=range]), textarea, label:has(> input), [role=tab], ' +
        '[role=slider], [data-testid=stTooltipHoverTarget], [data-testid=stSidebarNavLink]')
        && e.checkVisibility({ opacityProperty: true, visibilityProperty: true })) {
      const finger = e.matches('input') ? e.closest('label, [role=group]') ?? e : e; // what takes a tap in its place
      const { width, height, right } = finger.getBoundingClientRect();
      if (width > 0 && height > 0 && right > 0 && Math.min(width, height) < least - .5)
        found.push(`${e.dataset.testid ?? e.className} “${e.innerText.trim()}” ${width} × ${height}`);
    }
    if (e.shadowRoot) all(e.shadowRoot);
  } };
  all(document.querySelector('[data-testid=stApp]'));
  return found;
}"""

_SEEN_THROUGH = """node => {
  let share = 1;
  for (let e = node; e; e = e.parentElement ?? e.getRootNode().host) share *= getComputedStyle(e).opacity;
  return share;
}"""
# Scrolled to its end, the page's last line stands above the bar.
_END_IS_SEEN = """bar => {
  const main = document.querySelector('[data-testid=stMain]');
  main.scrollTo(0, main.scrollHeight);
  const parts = [...main.querySelectorAll('[data-testid=stElementContainer]:not(.st-key-bottom_bar)')];
  const seen = parts.filter(part => part.checkVisibility());  // not what is folded away
  return Math.max(...seen.map(part => part.getBoundingClientRect().bottom)) <= bar;
}"""


def opened(phone: Page, server: Server, stem: str, **params: str) -> None:
    phone.goto(server.url("" if stem == "train" else stem, **params))
    if stem == "lecture":
        phone.get_by_role("slider", name="λ", exact=True).wait_for()
    else:
        settled(phone)
    if PLACES[stem].of_a_run:
        expect(phone.locator(f"{BAR} .now")).to_have_text(re.compile("λ = "))  # its script runs


def test_the_bar_moves_lam_and_the_preset_and_the_page_follows(phone: Page, server: Server) -> None:
    opened(phone, server, "latent")
    lam = phone.locator(BAR).get_by_role("slider", name="λ shown")
    expect(phone.locator(f"{BAR} .now")).to_have_text("λ = 0.72")
    lam.press("End")
    expect(phone.locator(".crl-numbers")).to_contain_text("100")
    expect(phone).to_have_url(re.compile(r"lam=100"))
    lam.press("Home")
    expect(phone).to_have_url(re.compile(r"lam=0(&|$)"))
    expect(phone.locator(f"{BAR} .now")).to_have_text("λ = 0")
    phone.locator(BAR).get_by_label("Preset").select_option("leaky")
    expect(phone).to_have_url(re.compile(r"preset=leaky"))
    expect(phone.locator(".crl-lead")).to_contain_text(PRESETS["leaky"].title)


def test_the_bar_trains_and_cancels(phone: Page, server: Server) -> None:
    opened(phone, server, "latent", epochs="1000", samples="20000")
    bar = phone.locator(BAR)
    bar.get_by_role("button", name=re.compile("^Train")).click()
    bar.get_by_role("button", name="Cancel").click()
    expect(bar.get_by_role("button", name=re.compile("^Train"))).to_be_enabled()


def test_where_the_last_picture_is_dimmed_the_bar_that_trains_is_not(phone: Page, server: Server) -> None:
    opened(phone, server, "train")
    phone.locator(BAR).get_by_role("button", name="Menu and settings").tap()
    epochs = phone.get_by_test_id("stSidebar").get_by_role("spinbutton", name="Epochs")
    epochs.fill("77")
    epochs.press("Enter")
    expect(phone.locator(".stMain .st-key-panel_path")).to_have_css("opacity", "0.45")
    assert phone.locator(BAR).evaluate(_SEEN_THROUGH) == 1


def test_every_page_is_two_taps_away_and_the_drawer_closes_behind_it(phone: Page, server: Server) -> None:
    opened(phone, server, "latent")
    drawer = phone.get_by_test_id("stSidebar")
    phone.locator(BAR).get_by_role("button", name="Menu and settings").tap()
    for place in PLACES.values():
        expect(drawer.get_by_role("link", name=place.title, exact=True)).to_be_visible()
    assert phone.evaluate(_TOO_SMALL, LEAST_PX) == []
    drawer.get_by_role("link", name=TITLES["claims"], exact=True).tap()
    expect(phone).to_have_url(re.compile("/claims"))
    expect(drawer).to_have_attribute("data-collapsed", "true")
    phone.get_by_role("button", name="Expand sidebar").tap()  # this page has no bar
    drawer.get_by_role("link", name=TITLES["effects"], exact=True).tap()
    expect(phone).to_have_url(re.compile("/effects"))
    expect(drawer).to_have_attribute("data-collapsed", "true")


@pytest.mark.parametrize("stem", TITLES)
def test_a_page_fits_its_width_and_a_finger_and_is_not_covered(phone: Page, server: Server, stem: str) -> None:
    opened(phone, server, stem)
    main = phone.get_by_test_id("stMain")
    assert main.evaluate("e => e.scrollWidth - e.clientWidth") <= 1
    assert phone.locator(".modebar-container").filter(visible=True).count() == 0
    with suppress(PlaywrightTimeout):  # until the last of the page is drawn
        phone.wait_for_function(f"({_TOO_SMALL})({LEAST_PX}).length === 0", timeout=PATIENCE_MS, polling=300)
    assert phone.evaluate(_TOO_SMALL, LEAST_PX) == []
    bar = phone.locator(BAR).filter(visible=True)
    assert bar.count() == PLACES[stem].of_a_run
    if bar.count():
        upper_edge = bar.evaluate("e => e.getBoundingClientRect().top")
        phone.wait_for_function(_END_IS_SEEN, arg=upper_edge, timeout=PATIENCE_MS, polling=300)


def test_on_its_side_the_lecture_has_its_pictures_and_the_bar(phone: Page, server: Server) -> None:
    phone.set_viewport_size(ON_ITS_SIDE)  # type: ignore[arg-type]
    opened(phone, server, "lecture")
    expect(phone.get_by_test_id("stSidebar")).to_have_attribute("data-collapsed", "true")
    expect(phone.locator(BAR)).to_be_visible()
    phone.wait_for_timeout(500)  # a canvas takes its size some frames after its window
    heights = phone.locator(".lecture .plot").evaluate_all("found => found.map(e => e.clientHeight)")
    assert len(heights) == 5
    assert min(heights) >= 220


def test_a_wide_window_has_no_bar(page: Page, server: Server) -> None:
    opened(page, server, "latent")
    expect(page.locator(BAR)).to_be_hidden()
