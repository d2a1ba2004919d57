"""Comparisons and figures in a real browser: four runs under one λ, a link that brings them back, files that save
themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from crl_core import PRESETS, RunStore
from crl_core.export.figure_page import figure_page
from tests.browser.conftest import Server
from tests.browser.test_app import settled

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(own_server: Server) -> Server:
    return own_server


FOUR = [PRESETS[name].config.key for name in ("hospital", "shifted", "leaky", "recipe")]


def test_four_runs_follow_one_lambda_and_their_link_brings_them_back(
    server: Server, page: Page, other_page: Page
) -> None:
    page.set_viewport_size({"width": 1600, "height": 1000})
    page.goto(server.url("compare") + "?" + "&".join(f"runs={key}" for key in FOUR))
    settled(page)
    expect(page.locator(".js-plotly-plot").nth(3)).to_be_visible()
    figures, drawn = page.get_by_test_id("stPlotlyChart").count(), page.locator(".js-plotly-plot")
    expect(drawn).to_have_count(figures)
    handle = page.get_by_test_id("stSidebar").get_by_role("slider", name="λ shown")
    handle.focus()
    handle.press("ArrowRight")
    page.wait_for_url("**lam=1.9**")
    settled(page)
    expect(drawn).to_have_count(figures)
    other_page.goto(page.url)
    settled(other_page)
    expect(other_page.locator(".js-plotly-plot").nth(3)).to_be_visible()
    for key in FOUR:
        assert f"runs={key}" in other_page.url
    expect(other_page.get_by_test_id("stSidebar").get_by_role("slider", name="λ shown")).to_have_attribute(
        "aria-valuetext", "1.9"
    )


def test_the_figures_of_a_run_save_themselves_as_svg_and_png_from_a_file_on_disk(page: Page, tmp_path: Path) -> None:
    store, key = RunStore(), FOUR[0]
    parts = {name: store.part(key, name) for name in ("projection", "evidence")}
    file = tmp_path / "figures.html"
    file.write_text(figure_page(store.load(key), 1.9, ("A", "B"), parts), encoding="utf-8")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    section = page.locator("section").last
    for kind, begins in (("svg", b"<svg"), ("png", b"\x89PNG")):
        with page.expect_download() as download:
            section.get_by_role("button", name=kind.upper()).click()
        saved = tmp_path / download.value.suggested_filename
        download.value.save_as(saved)
        assert saved.name == f"crl-{key}-effects.{kind}"
        assert saved.read_bytes().startswith(begins)
        assert saved.stat().st_size > 10_000
    assert not [url for url in asked if url.startswith("http")]
    page.close()
