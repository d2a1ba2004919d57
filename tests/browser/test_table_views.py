"""Effects and latents of a table without true effects, in a real browser: by any column, and with room for its
words."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import WAIT_MS, Server
from tests.browser.pressing import Visitor
from tests.browser.test_app import settled
from tests.browser.test_data import drop
from tests.browser.test_room import SIZES, faults
from tests.crl_core.test_own_tables import frame

pytestmark = pytest.mark.browser
AGE, WORK = "age at the first visit, in years", "employment of the last year"


def choose(visitor: Visitor, key: str, option: str) -> None:
    field = visitor.of(key).locator("input").first
    field.click()
    field.fill(option)
    visitor.page.keyboard.press("Enter")
    visitor.settle()


def test_effects_and_latents_are_seen_by_any_column_and_words_have_room(server: Server, window: Page) -> None:
    page = window
    page.goto(server.url("data"))
    visitor = Visitor(server, page)
    settled(page)
    table = frame(n=600).rename(columns={"age": AGE})
    table[WORK] = np.resize(["full time, permanent contract", "part time, with a contract", "none"], len(table))
    drop(visitor, "a file with a rather long name, of the year 2019.csv", table.to_csv(index=False).encode())
    visitor.press("data-confirm", at=visitor.main.get_by_role("button", name="Confirm roles"))
    visitor.press("data-train", at=visitor.main.get_by_role("button", name="Train on this table"))
    expect(visitor.world).to_contain_text("Table “")
    expect(visitor.sidebar).to_contain_text("Already trained", timeout=8 * WAIT_MS)

    bar = page.get_by_test_id("stTopNavLinkContainer")
    bar.get_by_text("Effects", exact=True).click()
    for panel in ("projection", "importance"):
        expect(visitor.of(f"panel_effects_{panel}").locator(".js-plotly-plot").first).to_be_visible()
    expect(visitor.of("panel_effects_projection")).to_contain_text("by chance alone about")
    choose(visitor, "effects-column-1", WORK)
    expect(visitor.of("panel_effects_columns")).to_contain_text("part time, with a contract")
    expect(visitor.of("panel_effects_columns")).to_contain_text("Is the effect the same in all groups?")
    effects = faults(page, SIZES)

    page.set_viewport_size({"width": 1280, "height": 720})
    bar.get_by_text("Latent", exact=True).click()
    expect(visitor.of("panel_kept_covariates").locator(".js-plotly-plot").first).to_be_visible()
    visitor.of("latent-colour").get_by_text("a covariate", exact=True).click()
    visitor.settle()
    expect(visitor.of("panel_latent").locator(".colorbar")).to_have_count(1)  # of a number
    choose(visitor, "latent-covariate-1", WORK)
    expect(visitor.of("panel_latent").locator(".colorbar")).to_have_count(0)
    expect(visitor.of("panel_latent").locator(".legendtext").first).to_contain_text("full time, permanent")
    latent = faults(page, SIZES)
    assert not any(effects.values()), effects
    assert not any(latent.values()), latent
