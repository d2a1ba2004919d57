"""Lessons in a browser: each from start to end by mouse, keyboard and touch; what is hidden stays so till predicted."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from crl_core.lessons.lesson import Lesson, Step, lessons
from tests.browser.conftest import ROOT, WAIT_MS, Server, drawn
from tests.browser.test_app import settled

pytestmark = pytest.mark.browser
By = Literal["mouse", "keys", "touch"]
STORED = "JSON.parse(localStorage.getItem('crl-lessons') || '{}')"


class Reader:
    """A reader of one lesson, who uses a mouse, the keyboard alone, or a finger."""

    def __init__(self, page: Page, by: By) -> None:
        self.page, self.by = page, by
        self.card = page.locator(".st-key-lesson_card")

    def press(self, button: Locator) -> None:
        if self.by == "keys":
            button.focus()
            self.page.keyboard.press("Enter")
        elif self.by == "touch":
            self.page.wait_for_timeout(250)  # no finger is there sooner; while it is redrawn a page takes no tap
            button.tap()
        else:
            button.click()

    def button(self, name: str) -> Locator:
        return self.card.get_by_role("button", name=name)

    def at(self, step: int, of: int) -> None:
        expect(self.card.locator(".crl-steps")).to_contain_text(f"step {step} of {of}")
        settled(self.page)

    def predict(self, step: Step) -> None:
        getattr(self, step.kind)()

    def choose(self) -> None:
        options = self.card.get_by_role("radio")
        if self.by == "keys":
            options.first.focus()
            self.page.keyboard.press("Space")
        else:
            self.press(self.card.locator("[role=radiogroup] label").nth(1))

    def number(self) -> None:
        if self.by == "keys":
            self.card.get_by_role("slider").focus()
            self.page.keyboard.press("ArrowRight")
        else:
            self.press(self.card.locator(".st-key-lesson-stay button"))

    def draw(self) -> None:
        svg = self.page.locator(".st-key-lesson_stage svg")
        handles = svg.get_by_role("slider")
        if self.by == "keys":
            handles.first.focus()
            self.page.keyboard.press("ArrowUp")
            self.page.keyboard.press("End")
            self.page.keyboard.press("ArrowDown")
            expect(handles.last).to_be_focused()
            return
        svg.scroll_into_view_if_needed()
        box = svg.bounding_box()
        assert box is not None
        across = [(box["x"] + box["width"] * (0.2 + 0.07 * k), box["y"] + 60 + 8 * k) for k in range(10)]
        if self.by == "touch":
            touches = self.page.context.new_cdp_session(self.page)
            for name, points in (("touchStart", across[:1]), *(("touchMove", [at]) for at in across), ("touchEnd", [])):
                touch = {"type": name, "touchPoints": [{"x": x, "y": y} for x, y in points]}
                touches.send("Input.dispatchTouchEvent", touch)
                self.page.wait_for_timeout(40)  # at full speed it would be a fling, which the next tap only stops
            return
        self.page.mouse.move(*across[0])
        self.page.mouse.down()
        for x, y in across:
            self.page.mouse.move(x, y)
        self.page.mouse.up()

    def write(self) -> None:
        field = self.card.get_by_role("textbox")
        field.fill("Because the hospital decided who was treated.")
        if self.by == "keys":
            self.page.keyboard.press("Control+Enter")
        else:
            field.blur()


def figure(page: Page, label: str) -> Locator:
    """The large figure of the header that is called so."""
    figures = page.locator(".st-key-page_head .crl-numbers div")
    return figures.filter(has=page.get_by_text(label, exact=True)).locator("b")


def masked(page: Page, step: Step) -> None:
    """What the step shows is there, what it hides is veiled, and its figures are question marks."""
    for name in step.show:
        expect(page.locator(f".st-key-panel_{name}")).to_be_visible()
    hidden = () if step.kind == "draw" else step.hide
    for name in hidden:
        panel = page.locator(f".st-key-panel_{name}")
        expect(panel).to_be_visible()
        assert panel.evaluate("e => [...e.children].every(c => getComputedStyle(c).visibility === 'hidden')"), name
    for label in step.mask:
        expect(figure(page, label)).to_have_text("?")


def unmasked(page: Page, step: Step) -> None:
    for name in step.hide:
        panel = page.locator(f".st-key-panel_{name}")
        expect(panel).to_be_visible()
        assert panel.evaluate("e => [...e.children].every(c => getComputedStyle(c).visibility === 'visible')"), name
    for label in step.mask:
        expect(figure(page, label)).not_to_have_text("?")


def read(page: Page, lesson: Lesson, by: By) -> None:
    reader = Reader(page, by)
    for index, step in enumerate(lesson.steps):
        reader.at(index + 1, len(lesson.steps))
        if step.asks:
            masked(page, step)
            reveal = reader.button("Compare" if step.kind == "write" else "Reveal")
            if step.kind != "write":
                expect(reveal).to_be_disabled()
            reader.predict(step)
            expect(reveal).to_be_enabled()
            settled(page)
            reader.press(reveal)
            expect(reader.card.locator(".crl-lesson-found")).to_be_visible()
            settled(page)
            unmasked(page, step)
        onward = reader.button("Finish" if index == len(lesson.steps) - 1 else "Next")
        expect(onward).to_be_visible()
        reader.press(onward)
    expect(page.get_by_test_id("stMain")).to_contain_text("The code stands for this lesson and these answers")


@pytest.mark.parametrize("by", ["mouse", "keys", "touch"])
@pytest.mark.parametrize("lesson", lessons().values(), ids=lambda lesson: lesson.id)
def test_a_lesson_can_be_read_from_start_to_end(
    server: Server, page: Page, phone: Page, lesson: Lesson, by: By
) -> None:
    browser = phone if by == "touch" else page
    browser.goto(server.url("lessons"))
    settled(browser)
    Reader(browser, by).press(browser.locator(f".st-key-lessons-begin-{list(lessons()).index(lesson.id) + 1} button"))
    read(browser, lesson, by)
    stored = browser.evaluate(STORED)
    assert len(stored[lesson.id]["answers"]) == sum(step.asks for step in lesson.steps)
    browser.reload()  # another session: what was predicted is in the browser
    tile = browser.locator(f".st-key-panel_lesson_{lesson.id}")
    expect(tile).to_contain_text("done")


def test_begin_next_and_leave_are_not_lost_where_something_else_is_pressed_before_the_page_has_come(
    server: Server, page: Page
) -> None:
    """A message of the page that is being left asks for it again. A polling page sends one without a hand."""
    page.goto(server.url("lessons"))
    reader = Reader(page, "mouse")
    settled(page)
    at_once(page, ".st-key-lessons-begin-1 button", ".stMain summary")
    reader.at(1, 5)
    expect(page).to_have_url(re.compile("/scenario.*lesson=machine&step=1"))
    expect(reader.button("Next")).to_be_visible()
    at_once(page, ".st-key-lesson-next button", ".stMain summary")
    reader.at(2, 5)
    expect(page).to_have_url(re.compile("/effects.*lesson=machine&step=2"))
    expect(reader.button("leave lesson")).to_be_visible()
    at_once(page, ".st-key-lesson-leave button", ".st-key-lesson_card [role=radiogroup] label")
    expect(page.get_by_role("heading", level=1)).to_have_text("Learn")
    settled(page)
    expect(reader.card.locator(".crl-steps")).to_have_count(0)
    assert page.get_by_test_id("stException").count() == 0


def at_once(page: Page, first: str, then: str) -> None:
    """Press what the one selector finds, and what the other finds as soon as the message of the first is on its way."""
    for selector in (first, then):
        page.locator(selector).first.wait_for(state="attached")  # what a lesson veils is there, too
    settled(page)
    page.wait_for_timeout(500)  # so that no message is under way
    page.evaluate(
        "([first, then]) => { const next = document.querySelector(then); document.querySelector(first).click();"
        " setTimeout(() => next.click(), 5); }",
        [first, then],
    )


def test_a_first_visit_begins_with_the_lessons_and_the_next_one_where_the_last_ended(
    server: Server, chromium: Browser
) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.clear_cookies()
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.goto(server.url())
    settled(page)
    expect(page).to_have_url(server.url("lessons"))
    page.get_by_role("link", name="Latent").first.click()
    settled(page)
    page.goto(server.url("latent", preset="leaky"))
    settled(page)
    page.close()
    page = context.new_page()
    page.goto(server.url())
    settled(page)
    expect(page).to_have_url(server.url("latent", preset="leaky"))
    page.goto(server.url("train", preset="shifted"))  # a link is not changed by where one was
    expect(page.get_by_test_id("stMain")).to_contain_text("Two hospitals, two kinds of patients")
    context.close()


def test_where_the_browser_keeps_nothing_it_is_said_and_lessons_work(server: Server, chromium: Browser) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(WAIT_MS)
    context.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('off'); } });")
    page = context.new_page()
    page.goto(server.url("effects", lesson="machine", step="2"))
    reader = Reader(page, "mouse")
    expect(reader.card).to_contain_text("This browser keeps nothing")
    reader.choose()
    reader.press(reader.button("Reveal"))
    expect(reader.card.locator(".crl-lesson-found")).to_be_visible()
    context.close()


def test_page_down_goes_on_and_enter_reveals_as_on_a_stage(server: Server, page: Page) -> None:
    page.goto(server.url("scenario", lesson="machine", step="1"))
    reader = Reader(page, "keys")
    expect(reader.button("Next")).to_be_visible()
    settled(page)
    page.wait_for_timeout(1000)  # the page listens for keys a moment after it is drawn
    page.keyboard.press("PageDown")
    reader.at(2, 5)
    reader.choose()
    expect(reader.button("Reveal")).to_be_enabled()
    page.locator(".stMain h1").click()
    page.keyboard.press("Enter")
    expect(reader.card.locator(".crl-lesson-found")).to_be_visible()


def test_what_was_written_is_sent_by_the_click_that_leaves_the_field(server: Server, page: Page) -> None:
    page.goto(server.url("effects", lesson="machine", step="5"))
    reader = Reader(page, "mouse")
    reader.card.get_by_role("textbox").fill("The hospital decided.")
    reader.button("Compare").click()
    expect(reader.card.locator(".crl-lesson-found")).to_contain_text("The hospital decided.")


def test_a_lecturer_shares_a_page_with_locks_as_link_code_and_frame(server: Server, page: Page) -> None:
    page.goto(server.url("lecture", preset="leaky"))
    drawn(page)
    page.locator(".st-key-lecture-share button").first.click()
    dialogue = page.get_by_role("dialog")
    dialogue.get_by_text("λ", exact=True).click()
    link = dialogue.get_by_test_id("stCode").first
    expect(link).to_contain_text("lock=lam")
    expect(dialogue.locator("img[alt^='QR code']")).to_be_visible()
    page.goto("".join(link.inner_text().split()))
    drawn(page)
    expect(page.get_by_test_id("stSidebar")).to_contain_text("Set by your lecturer: λ")


def test_a_class_sees_its_histogram_once_the_lecturer_reveals(
    server: Server, page: Page, other_page: Page, phone: Page
) -> None:
    place = {"lesson": "machine", "step": "2", "room": "blue7"}
    for student in (page, phone):
        student.goto(server.url("effects", **place, reveal="off"))
        reader = Reader(student, "mouse")
        reader.choose()
        send = reader.button("Send prediction")
        expect(send).to_be_enabled()
        send.click()
        expect(reader.card).to_contain_text("Your lecturer reveals")
        expect(reader.card.locator(".crl-lesson-found")).to_have_count(0)
    other_page.goto(server.url("effects", **place))
    stage = Reader(other_page, "mouse")
    stage.button("Skip").click()
    expect(stage.card).to_contain_text("Predictions in this room: 2")
    for student in (page, phone):  # theirs opens by itself
        expect(Reader(student, "mouse").card.locator(".crl-lesson-found")).to_be_visible()


def test_a_room_of_two_hundred_counts_every_prediction_and_all_see_the_reveal(server: Server) -> None:
    code = "import asyncio, sys; from benchmarks import rooms; "
    code += "print(asyncio.run(rooms.run(int(sys.argv[1]), 200, 40.0))['counted'])"
    found = subprocess.run([sys.executable, "-c", code, str(server.port)], capture_output=True, text=True, cwd=ROOT)
    assert found.stdout.strip() == "200", found.stderr[-2000:]


def test_a_table_of_ones_own_is_not_lost_to_the_lesson_on_a_table(server: Server, page: Page) -> None:
    page.goto(server.url("data"))
    settled(page)
    page.locator(".st-key-data-take button").click()
    settled(page)
    page.get_by_role("link", name="Learn").first.click()
    settled(page)
    stored = json.dumps({"machine": {"version": "an old one", "answers": {"1": 1}}})
    page.evaluate(f"localStorage.setItem('crl-lessons', {stored!r})")
    page.locator(".st-key-lessons-begin-8 button").click()
    expect(page.locator(".st-key-lesson_card")).to_contain_text("Can this table tell?")
    expect(page.get_by_test_id("stMain")).to_contain_text("Blood pressure in four clinics")
