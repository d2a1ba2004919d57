"""What is read while the app arrives, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server

pytestmark = pytest.mark.browser
SAYS = "λ under the finger"  # the lecture's own sentence


def test_while_no_message_comes_the_page_says_what_it_will_be_and_fetches_no_font(server: Server, page: Page) -> None:
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.route_web_socket("**/_stcore/stream", lambda socket: None)  # opened, and silent
    page.goto(server.url("lecture"))
    expect(page.get_by_test_id("stApp")).to_be_attached()
    page.wait_for_timeout(1000)
    expect(page.locator("#first-screen")).to_contain_text(SAYS)
    assert not [url for url in fetched if "woff2" in url]


def test_once_the_app_is_there_the_first_screen_is_gone_and_icons_are_drawn(server: Server, page: Page) -> None:
    later: list[str] = []
    page.on("websocket", lambda socket: page.on("request", lambda request: later.append(request.url)))
    page.goto(server.url("lecture"))
    page.get_by_role("slider", name="λ", exact=True).wait_for()
    expect(page.locator("#first-screen")).to_have_count(0)
    expect(page.locator("html.arriving")).to_have_count(0)
    page.wait_for_function("document.fonts.check(\"1em 'Material Symbols Rounded'\")")
    expect(page.get_by_test_id("stIconMaterial").filter(visible=True)).not_to_have_count(0)
    assert [url for url in later if url.endswith(".js")] == []  # all that the page needs was named ahead


def test_a_narrow_window_shows_the_first_screen_whole(server: Server, page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    page.route_web_socket("**/_stcore/stream", lambda socket: None)
    page.goto(server.url("train"))
    screen = page.locator("#first-screen")
    expect(screen).to_contain_text("CRL Explorer")
    assert screen.evaluate("it => it.scrollWidth <= it.clientWidth")
    screen.evaluate("it => it.scrollTo(0, 1e6)")
    expect(screen.locator("p").last).to_be_in_viewport()
