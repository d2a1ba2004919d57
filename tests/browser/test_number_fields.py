"""Numbers typed or pasted into number fields: understood where they say one thing, refused in words where two."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import WAIT_MS, Server
from tests.browser.test_app import settled

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def opened(server: Server, chromium: Browser) -> Iterator[Page]:
    """The Train page with all its fields in view."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.goto(server.url())
    page.get_by_text("Advanced").click()
    expect(_field(page, "Outcome noise")).to_be_visible()
    yield page
    context.close()


def _field(page: Page, name: str) -> Locator:
    return page.get_by_role("spinbutton", name=name, exact=True)


def _enter(page: Page, field: Locator, text: str, how: str) -> None:
    field.click()
    field.press("Control+a")
    if how == "typed":
        page.keyboard.type(text)
    else:  # as one piece, like a paste or a phone's keyboard
        page.keyboard.insert_text(text)
    field.press("Tab")


def _names(page: Page) -> tuple[list[str], list[str]]:
    """Labels of the fields of a number, and of those of a whole number."""
    found = page.locator('[data-testid="stNumberInputField"]').evaluate_all(
        "fields => fields.map(field => [field.getAttribute('aria-label'), field.step])"
    )
    return [name for name, step in found if "." in step], [name for name, step in found if "." not in step]


@pytest.mark.parametrize("how", ["typed", "pasted"])
def test_a_decimal_comma_is_understood_in_every_field_of_a_number(opened: Page, how: str) -> None:
    names, _ = _names(opened)
    assert len(names) >= 6
    for name in names:
        _enter(opened, _field(opened, name), "0,2" if how == "typed" else "\u202f0,2 ", how)
        expect(_field(opened, name)).to_have_value("0.2")
    expect(opened).to_have_url(re.compile("noise=0.2"))


@pytest.mark.parametrize("how", ["typed", "pasted"])
def test_a_whole_number_is_never_changed_in_silence(opened: Page, how: str) -> None:
    _, names = _names(opened)
    assert len(names) >= 5
    for name in names:
        before = _field(opened, name).input_value()
        for text, words in (("0,2", "no whole number"), ("1,000", "as 1.000 or as 1000"), ("1.000", "as 1 or as 1000")):
            _enter(opened, _field(opened, name), text, how)
            expect(opened.get_by_role("alert").filter(has_text=words)).to_be_visible()
            expect(opened.get_by_role("alert").filter(has_text=f"Kept: {before}.")).to_be_visible()
            expect(_field(opened, name)).to_have_value(before)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("Samples", "2\u202f000", "2000"),
        ("Samples", "3 000 samples", "3000"),
        ("Epochs", "1e1", "10"),
        ("Epochs", "5 epochs", "5"),
        ("Interaction z·s", "\u22120,5", "-0.5"),
        ("Outcome noise", "1e-3", "0.001"),
        ("Outcome noise", "\uff10\uff0e\uff13", "0.3"),
        ("Outcome noise", "0.004", "0.004"),
    ],
)
def test_a_number_as_people_write_it_is_understood_and_shown(opened: Page, name: str, text: str, value: str) -> None:
    for how in ("typed", "pasted"):
        _enter(opened, _field(opened, "Seed"), "0", "typed")
        _enter(opened, _field(opened, name), text, how)
        expect(_field(opened, name)).to_have_value(value)


@pytest.mark.parametrize("text", ["1,000", "20 %", "much"])
def test_what_says_two_numbers_or_none_is_refused_and_the_value_is_kept(opened: Page, text: str) -> None:
    field = _field(opened, "Outcome noise")
    _enter(opened, field, "0.05", "typed")
    field.click()
    field.press("Control+a")
    opened.keyboard.type(text)
    field.press("Enter")
    expect(opened.get_by_role("alert").filter(has_text=f"“{text}”")).to_be_visible()
    expect(field).to_have_value(text)  # still there to be mended
    field.press("Tab")
    expect(field).to_have_value("0.05")
    expect(opened.get_by_role("alert").filter(has_text="Kept: 0.05.")).to_be_visible()


def test_arrow_keys_step_from_what_is_typed_and_limits_are_still_told(opened: Page) -> None:
    field = _field(opened, "Outcome noise")
    field.click()
    field.press("Control+a")
    opened.keyboard.type("0,2")
    field.press("ArrowUp")
    expect(field).to_have_value("0.25")
    _enter(opened, field, "99", "typed")
    expect(opened.get_by_text("outside the allowed range").first).to_be_attached()
    _enter(opened, field, "0.05", "typed")


def test_on_a_page_of_its_own_fields_too(page: Page, server: Server) -> None:
    page.goto(server.url("identify"))
    for name in ("Further observed", "Seed"):
        field = page.get_by_test_id("stMain").get_by_role("spinbutton", name=name, exact=True)
        before = field.input_value()
        _enter(page, field, "0,2", "typed")
        expect(page.get_by_role("alert").filter(has_text="no whole number")).to_be_visible()
        expect(field).to_have_value(before)


def _becomes(page: Page, true: Callable[[], bool]) -> bool:
    """Whether it does within a few seconds."""
    for _ in range(50):
        if true():
            return True
        page.wait_for_timeout(100)
    return False


def test_a_cell_of_the_intervention_matrix_takes_a_decimal_comma_and_refuses_two_readings(
    page: Page, server: Server
) -> None:
    page.goto(server.url("identify"))
    grid = page.get_by_test_id("stDataFrame").first
    expect(grid.locator("canvas").first).to_be_visible()
    told = page.get_by_text("can be read as 1.000 or as 1000")
    for text, seen in (("0,2", lambda: "0.2%2C1%2C1" in page.url), ("1,000", told.is_visible)):
        for _ in range(5):  # an edit is lost where the grid is drawn anew under it
            settled(page)
            box = grid.bounding_box()
            assert box is not None
            page.mouse.dblclick(box["x"] + 90, box["y"] + 85)
            editor = page.locator("#portal textarea, #portal input")
            expect(editor).to_be_visible()
            page.keyboard.press("Control+a")
            page.keyboard.type(text, delay=30)  # as a person types: the grid forgets a key that Enter follows at once
            expect(editor).to_have_value(text)
            page.wait_for_timeout(200)
            page.keyboard.press("Enter")
            if _becomes(page, seen):
                break
        assert seen()
