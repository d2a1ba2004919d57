"""What a term means is shown where it stands: to a mouse, a key, and a finger; and the glossary finds it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from crl_core.config.words import words
from tests.browser.conftest import Server
from tests.browser.test_app import settled

pytestmark = pytest.mark.browser
SAYS = f'"{words()["domain_auc"].says}"'  # as a style has it
SHOWN = "getComputedStyle(e, '::after').content"


def test_hover_or_focus_on_a_dotted_term_says_what_it_means(server: Server, page: Page) -> None:
    page.goto(server.url("latent"))
    settled(page)
    term = page.locator(".stMain .crl-word").filter(has_text="domain AUC")
    expect(term).to_have_count(1)  # where it first stands on the page
    assert term.evaluate(f"e => {SHOWN}") == "none"
    term.hover()
    assert term.evaluate(f"e => {SHOWN}") == SAYS
    page.mouse.move(0, 0)
    assert term.evaluate(f"e => {SHOWN}") == "none"
    term.focus()
    assert term.evaluate(f"e => {SHOWN}") == SAYS
    assert page.locator(".stMain").evaluate("e => e.scrollWidth <= e.clientWidth")
    assert page.get_by_test_id("stSidebar").locator(".crl-word").count() == 0


def test_a_tap_on_a_phone_says_it_too_and_another_ends_it(server: Server, phone: Page) -> None:
    phone.goto(server.url("latent"))
    settled(phone)
    term = phone.locator(".stMain .crl-word").filter(has_text="domain AUC")
    term.tap()
    assert term.evaluate(f"e => {SHOWN}") == SAYS
    assert phone.locator(".stMain").evaluate("e => e.scrollWidth - e.clientWidth") <= 1
    phone.get_by_role("heading", name="Latent", exact=True).tap()
    assert term.evaluate(f"e => document.activeElement === e ? 'focused' : {SHOWN}") == "none"


def test_the_glossary_is_in_the_menu_and_finds_a_term_by_any_word(server: Server, page: Page) -> None:
    page.goto(server.url("words"))
    settled(page)
    main = page.get_by_test_id("stMain")
    field = main.get_by_role("textbox", name="Find a term")
    field.fill("coin flip")
    field.press("Enter")
    expect(main.locator(".st-key-words p")).to_have_count(2)  # what it means, and where it is used
    expect(main).to_contain_text("Domain AUC")
