"""Identifiability, Penalties and Export & serve in a browser: what is trained is watched, linked to, and taken away."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from crl_core.export.model_file import open_model
from tests.browser.conftest import WAIT_MS, Server
from tests.browser.test_app import settled

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(own_server: Server) -> Server:
    return own_server


def test_latents_are_recovered_while_a_visitor_watches_and_the_next_draw_is_in_the_link(
    server: Server, page: Page
) -> None:
    page.goto(server.url("identify", world="One environment"))
    settled(page)
    expect(page.get_by_text(re.compile("^No latent is promised to be recovered"))).to_be_visible()
    expect(page.get_by_text(re.compile("^z₁, z₂ and z₃: never change in scale"))).to_be_visible()
    page.goto(server.url("identify"))
    settled(page)
    page.get_by_test_id("stMain").get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    matrix = page.locator(".st-key-panel_identify_live .heatmaplayer")
    expect(matrix).to_have_count(1)  # while it learns
    expect(page.get_by_text(re.compile(r"[\d.]+ CPU seconds"))).to_be_visible(timeout=2 * WAIT_MS)
    expect(page.locator(".st-key-panel_identify_verdict tbody tr")).to_have_count(3)
    page.get_by_role("button", name="Train on another draw").click()
    page.wait_for_url(re.compile("draw=1"))
    with suppress(PlaywrightTimeout):  # a training takes seconds: it may have ended before the hand was there
        page.get_by_role("button", name="Cancel").click(timeout=8_000)
    again = page.get_by_test_id("stMain").get_by_role("button", name=re.compile("^Train( on another draw)?$"))
    expect(again.first).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


def test_an_edited_world_is_in_the_link_and_comes_back_from_it(server: Server, page: Page, other_page: Page) -> None:
    page.goto(server.url("identify", scales="1,1,1 2,1,1", means="0,0,0 1,0,0", edges="soft", extra="2"))
    settled(page)
    expect(page.get_by_text("the noise of z₂ and the noise of z₃: never change in scale")).to_be_visible()
    command = "--scales 1,1,1 2,1,1 --means 0,0,0 1,0,0 --edges soft --dim-x 5 --seeds 1 --first-seed 0"
    expect(page.get_by_text(command)).to_be_visible()
    page.get_by_text("Latent", exact=True).first.click()
    expect(page.get_by_role("heading", name="Latent", exact=True)).to_be_visible()
    page.get_by_text("Questions", exact=True).first.click()
    page.get_by_text("Can the cause be recovered?", exact=True).click()
    expect(page.get_by_text(command)).to_be_visible()  # leaving the page kept it
    page.wait_for_url(re.compile("scales="))
    other_page.goto(page.url)
    settled(other_page)
    expect(other_page.get_by_text(command)).to_be_visible()


def test_what_a_link_asks_these_pages_for_in_vain_is_said(server: Server, page: Page) -> None:
    page.goto(server.url("identify", scales="1,1 0,1", draw="-4", mixing="taste"))
    settled(page)
    for words in (
        "The link's matrix cannot be shown",
        "The link asks for draw = -4",
        "The link asks for mixing = taste",
    ):
        expect(page.get_by_text(words)).to_be_visible()
    page.goto(server.url("penalties", gap="7"))
    settled(page)
    expect(page.get_by_text("The link asks for gap = 7")).to_be_visible()


def test_a_link_to_a_contest_sets_what_decides_it_and_a_change_is_in_the_link(server: Server, page: Page) -> None:
    page.goto(server.url("penalties", gap="1"))
    settled(page)
    expect(page.get_by_text(re.compile("--gap 1 --seeds"))).to_be_visible()
    assert parse_qs(urlparse(page.url).query) == {"gap": ["1"]}
    shared = page.get_by_role("slider", name="Shared units")
    shared.focus()
    shared.press("ArrowLeft")
    page.wait_for_url(re.compile("shared=16"))
    expect(page.get_by_text("This world has not been tried yet")).to_be_visible()


@pytest.mark.parametrize("address", ["penalties", "identify", "serve"])
def test_nothing_stands_out_of_a_narrow_window(server: Server, page: Page, address: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(server.url(address))
    settled(page)
    main = page.get_by_test_id("stMain")
    assert main.evaluate("box => box.scrollWidth <= box.clientWidth + 1")


def test_an_engineer_takes_away_a_model_that_opens(server: Server, page: Page, tmp_path: Path) -> None:
    page.goto(server.url("serve", lam="1.9"))
    settled(page)
    page.get_by_role("button", name="Export and measure").click()
    expect(page.get_by_text("What each format costs")).to_be_visible(timeout=6 * WAIT_MS)
    settled(page)  # until then the page is still being drawn, and a press may meet what is about to go
    page.get_by_text("ONNX int8", exact=True).first.click()
    with page.expect_download() as coming:
        page.get_by_role("button", name="Download ONNX int8").click()
    target = tmp_path / coming.value.suggested_filename
    coming.value.save_as(target)
    model = open_model(target)
    assert model.lam == 1.9
    assert model.metadata["format"] == "onnx-int8"
