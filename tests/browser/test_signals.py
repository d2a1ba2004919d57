"""The ECG and its hum in a browser: a lecturer chooses it, drags λ, takes the hum out, and reads what is believed."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import WAIT_MS, Server, drawn

SLOW_MS = 3 * WAIT_MS  # three replicates of 4,000 traces are recorded again


def drag(page: Page, thumb: Locator, to: float) -> None:
    """Take a slider's thumb to a place of its track, from 0 to 1, and let it go."""
    rail = thumb.locator("xpath=ancestor::*[@data-testid='stSlider']").bounding_box()
    here = thumb.bounding_box()
    assert rail is not None
    assert here is not None
    page.mouse.move(here["x"] + here["width"] / 2, here["y"] + here["height"] / 2)
    page.mouse.down()
    page.mouse.move(rail["x"] + to * rail["width"], here["y"] + here["height"] / 2, steps=8)
    page.mouse.up()


def test_while_lambda_is_dragged_up_the_share_of_labels_that_flip_without_the_hum_falls_from_40_to_10_percent(
    server: Server, page: Page
) -> None:
    page.goto(server.url("effects"))
    drawn(page)
    sidebar = page.get_by_test_id("stSidebar")
    sidebar.get_by_role("combobox", name=re.compile("Preset")).click()
    page.keyboard.type("The hum")
    page.get_by_role("option", name="The hum and the label").click()
    expect(page.get_by_test_id("stMain")).to_contain_text("The hum and the label")
    panel = page.locator(".st-key-panel_edits")
    expect(panel).to_contain_text("the share of labels that flip", timeout=SLOW_MS)
    drawn(page)
    thumb = sidebar.get_by_role("slider", name="λ shown")
    drag(page, thumb, 0.0)
    expect(thumb).to_have_attribute("aria-valuetext", "0")
    drawn(page)
    panel.get_by_text("through the other hospital's machine", exact=True).first.click()
    expect(panel).to_contain_text("The machines of all hospitals are alike, so nothing can move.", timeout=SLOW_MS)
    panel.get_by_text("without the hum", exact=True).first.click()
    said = re.compile(r"Without the hum, the share of labels that flip is ([\d.]+) % at λ = 0, in view")
    expect(panel).to_contain_text(said, timeout=SLOW_MS)
    first = said.search(panel.inner_text())
    assert first is not None
    assert float(first[1]) > 40
    drag(page, thumb, 1.0)
    expect(thumb).to_have_attribute("aria-valuetext", "30")
    both = re.compile(r"the share of labels that flip is ([\d.]+) % at λ = 0 and ([\d.]+) % at λ = 30, in view")
    expect(panel).to_contain_text(both, timeout=SLOW_MS)
    last = both.search(panel.inner_text())
    assert last is not None
    assert last[1] == first[1]
    assert float(last[2]) < 10
    expect(panel.locator(".gtitle").filter(has_text="Share of labels that flip")).to_be_visible()
