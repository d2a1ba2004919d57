"""What only a browser shows: links, the live curves, the URL that follows, two visitors and one training."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, at_rest

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(own_server: Server) -> Server:
    return own_server


TINY = {"epochs": "3", "samples": "400", "replicates": "1", "set": "training.lams=0,0.1,1,10"}
# Long enough to be looked at while it trains, short enough not to be waited for.
SLOW = {"epochs": "1000", "samples": "8000", "replicates": "1", "set": "training.lams=0,0.1,1,10"}


def said(page: Page, what: str | re.Pattern[str]) -> None:
    expect(page.locator("body")).to_contain_text(what, timeout=90_000)


def settled(page: Page) -> None:
    """Wait until no script runs and the page is drawn."""
    page.wait_for_selector("[data-testid=stMain] h1")
    page.wait_for_function("document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'")


def params(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlparse(page.url).query)


def sidebar_slider(page: Page, label: str) -> str:
    return (
        page.get_by_test_id("stSidebar").get_by_role("slider", name=label, exact=True).get_attribute("aria-valuetext")
        or ""
    )


def starts(server: Server) -> int:
    """How many trainings have begun in the server's cache."""
    logs = (server.cache / "runs").glob("*/events.jsonl")
    return sum(json.loads(line)["event"] == "RunStarted" for log in logs for line in log.read_text().splitlines())


@pytest.mark.parametrize("address", ["latent", "train"])
def test_a_link_opens_its_page_with_all_settings_on_a_server_nobody_has_visited(
    cold_server: Server, page: Page, address: str
) -> None:
    page.goto(cold_server.url(address, preset="leaky", sigma1="0.5", lam="10" if address == "latent" else "14"))
    settled(page)
    said(page, "Your world: two sites, σ₁ 0.5")
    expect(page.get_by_test_id("stSidebar").get_by_role("slider", name="λ shown")).to_have_attribute(
        "aria-valuetext", "14"
    )
    assert urlparse(page.url).path.strip("/") in (address, "")
    found = params(page)
    assert found["preset"] == ["leaky"]
    assert found["sigma1"] == ["0.5"]
    assert found["lam"] == ["14"]


@pytest.mark.parametrize(
    ("typed", "shown", "title"),
    [
        ("train", "", "Train"),
        ("Latent", "latent", "Latent"),
        ("latent/of/mine", "latent", "Latent"),
    ],
)
def test_a_page_opens_by_the_name_a_person_types_also_on_a_server_nobody_has_visited(
    cold_server: Server, page: Page, other_page: Page, typed: str, shown: str, title: str
) -> None:
    for visitor in (page, other_page):  # the second finds the server warm
        visitor.goto(cold_server.url(typed, preset="leaky", sigma1="0.5"))
        settled(visitor)
        expect(visitor.get_by_role("heading", name=title, exact=True)).to_be_visible()
        expect(visitor.get_by_role("dialog")).to_have_count(0)
        assert urlparse(visitor.url).path.strip("/") == shown
        assert params(visitor) == {"preset": ["leaky"], "sigma1": ["0.5"]}
        slider = visitor.get_by_test_id("stSidebar").get_by_role("slider", name="λ shown")
        slider.press("ArrowRight")  # nothing lies over the controls
        visitor.wait_for_url(re.compile("lam="))
        expect(visitor.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("typed", ["no-such-page", "_", "%20", "a%2Fb", "%5Bx%5D"])
def test_an_address_of_no_page_shows_the_home_page_and_says_so(server: Server, page: Page, typed: str) -> None:
    page.goto(server.url(typed, preset="leaky"))
    settled(page)
    said(page, "There is no page at")
    expect(page.get_by_role("heading", name="Train", exact=True)).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert params(page) == {"preset": ["leaky"]}


def test_train_draws_curves_live_and_the_run_is_found_again(server: Server, page: Page, other_page: Page) -> None:
    page.goto(server.url(**SLOW))
    settled(page)
    page.get_by_test_id("stSidebar").get_by_role("button", name="Train", exact=True).click()
    said(page, re.compile(r"Epoch [1-9]\d* of 1000"))
    page.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg").first.wait_for()
    with at_rest(server):
        assert "double-click to reset" not in page.content()  # no zoom while data comes in: it would not be kept
        other_page.goto(server.url(**SLOW))  # a late visitor sees the same run, from its start
        said(other_page, re.compile(r"Epoch [1-9]\d* of 1000"))
    other_page.get_by_test_id("stSidebar").get_by_role("button", name="Cancel").click()
    said(page, re.compile(r"Cancelled at epoch \d+"))
    said(other_page, re.compile(r"Cancelled at epoch \d+"))


def test_the_pages_own_button_trains_before_the_eyes_and_the_one_beside_it_leads_back(
    server: Server, page: Page
) -> None:
    page.goto(server.url(**TINY | {"samples": "8000", "seed": "77"}))  # long enough to be cancelled
    settled(page)
    main = page.get_by_test_id("stMain")
    main.get_by_role("button", name="Train these settings").click()
    said(page, "double-click to reset")  # trained to its end and drawn
    sidebar = page.get_by_test_id("stSidebar")
    sidebar.get_by_role("spinbutton", name="Epochs").fill("1000")
    sidebar.get_by_role("spinbutton", name="Epochs").press("Enter")
    expect(main).to_contain_text("epochs 3 → 1000")
    expect(main.locator(".st-key-panel_path")).to_have_css("opacity", "0.45")  # the last picture, dimmed
    main.get_by_role("button", name="Undo").click()
    expect(sidebar.get_by_role("spinbutton", name="Epochs")).to_have_value("3")
    said(page, re.compile(r"Already trained|Trained"))
    settled(page)  # until then the picture of before may still stand beside it
    expect(main.locator(".st-key-panel_path")).to_have_css("opacity", "1")
    sidebar.get_by_role("spinbutton", name="Epochs").fill("1000")
    sidebar.get_by_role("spinbutton", name="Epochs").press("Enter")
    main.get_by_role("button", name="Train these settings").click()
    expect(main).to_contain_text(re.compile(r"Epoch [1-9]\d* of 1000"))
    sidebar.get_by_role("button", name="Cancel").click()
    said(page, re.compile(r"Cancelled at epoch \d+"))
    main.get_by_role("button", name="Train these settings").click()  # and once more, where a run was cancelled
    expect(main).to_contain_text(re.compile(r"Epoch [1-9]\d* of 1000"))
    sidebar.get_by_role("button", name="Cancel").click()
    said(page, re.compile(r"Cancelled at epoch \d+"))


def test_two_visitors_who_ask_for_the_same_run_cause_one_training(server: Server, page: Page, other_page: Page) -> None:
    before = starts(server)
    for visitor in (page, other_page):
        visitor.goto(server.url(**TINY))
        settled(visitor)
    for visitor in (page, other_page):
        visitor.get_by_test_id("stSidebar").get_by_role("button", name="Train", exact=True).click()
    for visitor in (page, other_page):
        said(visitor, re.compile(r"Already trained|Trained"))
        said(visitor, "double-click to reset")  # final, so it can be zoomed
    assert starts(server) == before + 1
    page.reload()
    settled(page)
    said(page, re.compile(r"Already trained|Trained"))


def test_the_sidebar_survives_page_changes_and_the_url_is_the_state(
    server: Server, page: Page, other_page: Page
) -> None:
    page.goto(server.url())
    settled(page)
    assert params(page) == {}  # the first visit's defaults are not spelled out
    slider = page.get_by_test_id("stSidebar").get_by_role("slider", name=re.compile("σ₁"))
    slider.focus()
    slider.press("ArrowRight")
    lam = page.get_by_test_id("stSidebar").get_by_role("slider", name="λ shown")
    lam.focus()
    lam.press("ArrowLeft")
    page.wait_for_url(re.compile("sigma1=0.15.*lam=0.27|lam=0.27.*sigma1=0.15"))
    settled(page)
    page.get_by_text("Runs", exact=True).first.click()  # a menu of the bar
    page.get_by_text("Library", exact=True).click()
    expect(page.get_by_role("heading", name="Library")).to_be_visible()
    settled(page)
    assert params(page) == {"sigma1": ["0.15"], "lam": ["0.27"]}
    other_page.goto(page.url)
    settled(other_page)
    other_page.get_by_text("Effects", exact=True).first.click()
    expect(other_page.get_by_test_id("stSidebar").get_by_role("slider", name=re.compile("σ₁"))).to_have_attribute(
        "aria-valuetext", "0.15"
    )
    assert params(other_page) == params(page)


def test_a_page_opened_before_the_fields_were_bound_to_the_address_keeps_its_link(server: Server, page: Page) -> None:
    asked = {"preset": ["leaky"], "sigma1": ["0.5"], "lam": ["14"]}
    page.goto(server.url(**{name: value for name, (value,) in asked.items()}))
    settled(page)
    # What the browser does where the click comes before the fields: they are not in the address that it leaves.
    page.evaluate("window.history.replaceState({}, '', window.location.pathname)")
    page.get_by_text("Scenario", exact=True).first.click()
    page.wait_for_url(re.compile(r"/scenario\?"))
    settled(page)
    assert params(page) == asked
    page.reload()
    settled(page)
    assert params(page) == asked


def test_a_preset_resets_the_fields_and_more_environments_are_in_the_url(
    server: Server, page: Page, other_page: Page
) -> None:
    page.goto(server.url(sigma2="0.4", offset1="4"))
    settled(page)
    envs = page.get_by_test_id("stSidebar").get_by_role("slider", name="Environments")
    envs.focus()
    envs.press("ArrowRight")
    page.wait_for_url(re.compile("envs=3"))
    settled(page)
    page.wait_for_url(re.compile("offset3=2.5"))  # a quarter of the way from 4 to -2, as the scenario grows
    other_page.goto(page.url)
    settled(other_page)
    assert params(other_page) == params(page)
    page.get_by_test_id("stSidebar").get_by_role("combobox", name=re.compile("Preset")).click()
    page.get_by_role("option", name="Twenty noisy sensors").click()
    page.wait_for_url(re.compile("preset=sensors"))  # the words alone also stand in the list of presets
    said(page, "Twenty noisy sensors")
    settled(page)
    assert params(page) == {"preset": ["sensors"]}


def test_a_link_that_cannot_be_shown_is_mended_with_a_sentence_and_a_good_url(server: Server, page: Page) -> None:
    page.goto(server.url(preset="leaky", lam="3", sigma1="-1", epochs="many"))
    settled(page)
    said(page, "λ = 3 is not trained in this run. Shown: the nearest, 1.9.")
    said(page, "sigma1 = -1")
    page.wait_for_url(re.compile("lam=1.9"))
    assert params(page) == {"preset": ["leaky"], "lam": ["1.9"]}


def test_train_can_be_pressed_on_any_page_and_that_page_shows_the_new_run(server: Server, page: Page) -> None:
    page.goto(server.url("effects", **TINY, seed="5"))
    settled(page)
    said(page, "These settings have not been trained yet")
    page.get_by_test_id("stSidebar").get_by_role("button", name="Train", exact=True).click()
    said(page, "Already trained")
    settled(page)
    expect(page.get_by_text("These settings have not been trained yet")).to_have_count(0)
    assert "encountered an error" not in page.content()
    assert params(page)["seed"] == ["5"]
