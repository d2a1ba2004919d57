"""The app for who does not see it, or has no mouse: axe-core's serious rules, names, headings, what is focused."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from crl_core.figures import palette
from pages.shared.places import TITLES
from tests.browser.conftest import Server
from tests.browser.test_app import settled

pytestmark = pytest.mark.browser
SERIOUS = ("serious", "critical")
PANEL = "getComputedStyle(document.querySelector('.stApp')).getPropertyValue('--panel').trim()"


@pytest.mark.parametrize("stem", TITLES)
def test_axe_finds_nothing_serious_in_either_theme_the_tab_names_the_page_and_nothing_is_asked_for_from_outside(
    server: Server, other_page: Page, stem: str
) -> None:
    page, asked = other_page, list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.goto(server.url("" if stem == "train" else stem))
    ready(page, stem)
    expect(page).to_have_title(f"{TITLES[stem]} · CRL Explorer")
    found = serious(page)
    page.emulate_media(color_scheme="dark")  # the page is drawn again, and not only Streamlit's parts of it
    page.wait_for_function(f"{PANEL} === '{palette('dark')['panel']}'")
    ready(page, stem)
    found += serious(page)
    assert found == []
    assert any(url.startswith("ws:") for url in asked)
    of_a_server = [url for url in asked if urlsplit(url).scheme not in ("data", "blob")]
    assert {urlsplit(url).netloc for url in of_a_server} == {f"127.0.0.1:{server.port}"}


def test_a_theme_chosen_in_the_menu_is_that_of_figures_and_tables_at_once(server: Server, page: Page) -> None:
    page.goto(server.url("latent"))
    settled(page)
    page.wait_for_function(f"{PANEL} === '{palette('dark')['panel']}'")
    page.get_by_test_id("stMainMenu").get_by_role("button").click()
    page.get_by_test_id("stMainMenuPopover").get_by_text("Light").click()
    page.wait_for_function(f"{PANEL} === '{palette('light')['panel']}'")
    title = page.locator(".st-key-panel_latent .gtitle").first
    red, green, blue = bytes.fromhex(palette("light")["text"].lstrip("#"))
    expect(title).to_have_css("fill", f"rgb({red}, {green}, {blue})")


def ready(page: Page, stem: str) -> None:
    if stem == "lecture":
        page.get_by_role("slider", name="λ", exact=True).wait_for()
        page.wait_for_timeout(1_000)  # canvases are painted on the next frames
    else:
        settled(page)


def serious(page: Page) -> list[str]:
    """What axe-core finds that is serious or critical, and where."""
    return [
        f"{fault['id']}: {node['target'][-1]}: {node['failureSummary'][:200]}"
        for fault in Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        if fault["impact"] in SERIOUS
        for node in fault["nodes"]
    ]


def test_every_plotly_figure_is_told_in_a_sentence_with_its_numbers(server: Server, page: Page) -> None:
    page.goto(server.url("path"))
    settled(page)
    page.locator(".js-plotly-plot").first.wait_for()
    sentences = page.locator(".stMain [role=img].crl-spoken").evaluate_all("found => found.map(e => e.ariaLabel)")
    assert len(sentences) == page.locator(".stMain .js-plotly-plot").count()
    assert any("ffect error" in said and " at 100" in said for said in sentences), sentences


def test_who_goes_by_keyboard_sees_where_they_are_in_the_menu(server: Server, page: Page) -> None:
    page.goto(server.url("scenario"))
    settled(page)
    page.keyboard.press("Tab")  # from here on what is focused is seen
    link = page.get_by_role("link", name="Latent", exact=True)
    for _ in range(20):  # the bar may be drawn once more just then, and takes the focus away
        link.focus()
        ring = link.evaluate("e => [getComputedStyle(e).outlineStyle, parseFloat(getComputedStyle(e).outlineWidth)]")
        if ring == ["solid", 2]:
            break
        page.wait_for_timeout(250)
    assert ring == ["solid", 2]


def test_on_a_phone_no_toolbar_lies_on_a_figure(server: Server, phone: Page) -> None:
    phone.goto(server.url("effects"))
    settled(phone)
    phone.locator(".js-plotly-plot").first.wait_for()
    assert phone.locator(".modebar-container").filter(visible=True).count() == 0
