"""What is read while the app arrives, and what is drawn once it has, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import CDPSession, Page, expect

from pages.shared import delivery
from tests.browser.conftest import Server
from tests.browser.test_app import settled

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


def test_every_figure_is_drawn_once_on_a_page_that_was_opened_and_on_one_from_the_menu(
    server: Server, page: Page
) -> None:
    counts = page.context.new_cdp_session(page)
    counts.send("Profiler.enable")
    counts.send("Profiler.startPreciseCoverage", {"callCount": True, "detailed": False})
    page.goto(server.url("effects"))
    assert drawings(page, counts) == figures(page)
    page.get_by_role("link", name="λ path", exact=True).click()  # with figures that are tapped
    expect(page.get_by_role("heading", level=1)).to_contain_text("λ")
    assert drawings(page, counts) == figures(page)


def figures(page: Page) -> int:
    return page.locator(".js-plotly-plot").count()


def drawings(page: Page, counts: CDPSession) -> int:
    """How many times Plotly has drawn since it was asked last, once all figures stand there."""
    settled(page)
    page.wait_for_function(
        "() => { const all = [...document.querySelectorAll('[data-testid=stPlotlyChart]')];"
        " return all.length > 3 && all.every(one => one.querySelector('.cartesianlayer path')); }"
    )
    page.wait_for_timeout(1500)  # a second drawing would follow the first
    name = delivery.chunks("PlotlyChart")[0]
    place = delivery.script(f"static/js/{name}").decode().index("plotly_beforeplot")  # each begins with this event
    found = counts.send("Profiler.takePreciseCoverage")["result"]
    spans = [
        (end - start, function["ranges"][0]["count"])
        for script in found
        if script["url"].endswith(name)
        for function in script["functions"]
        for start, end in [(function["ranges"][0]["startOffset"], function["ranges"][0]["endOffset"])]
        if start <= place < end
    ]
    return min(spans)[1]  # of the innermost function


def test_a_figure_fills_the_window_and_goes_back_to_its_place(server: Server, page: Page) -> None:
    page.goto(server.url("latent"))
    settled(page)
    picture = page.locator(".st-key-panel_latent .js-plotly-plot").first

    def press(title: str) -> None:
        picture.hover()
        picture.locator(f".modebar-btn[data-title='{title}']").click()

    picture.locator(".main-svg").first.wait_for()
    width = "document.querySelector('.st-key-panel_latent .js-plotly-plot .main-svg').clientWidth"
    narrow = page.evaluate(width)
    press("Fullscreen")
    page.wait_for_function(f"{width} > 0.9 * innerWidth")
    press("Close fullscreen")
    page.wait_for_function(f"{width} === {narrow}")
