"""A visitor who presses buttons: what is shown is gathered by name, and what is pressed is counted.

Name of a button: its Streamlit key as the page's CSS class spells it, with numbers, run keys and presets as `*`
("penalties-runs-*-start"); where it has no key, its words ("Definitions"); in the scrubber, "scrubber-" and what it
does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from fnmatch import fnmatch
from functools import wraps
from pathlib import Path

from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from crl_core.config.presets import PRESETS
from tests.browser.conftest import WAIT_MS, Server, at_rest, told
from tests.crl_core.made_up import wait_until

LOST_MS = 8_000
PRESSED: set[str] = set()  # the names of all that some test has said to press
_KINDS = {
    "button": "stButton",
    "download_button": "stDownloadButton",
    "form_submit_button": "stFormSubmitButton",
    "segmented_control": "stButtonGroup",
    "toggle": "stCheckbox",
    "tabs": "stTabs",
    "popover": "stPopover",
    "expander": "stExpander",
    "page_link": "stPageLink",
    "file_uploader": "stFileUploader",
}
_VARIES = re.compile(rf"(?:-(?:-?\d+|[0-9a-f]{{16}}|{'|'.join(PRESETS)}))+(?=-|$)")
_SHOWN = """found => found.flatMap(e => {
  const own = [...(e.closest('[data-testid=stElementContainer]')?.classList ?? [])];
  const key = own.find(name => name.startsWith('st-key-') && !name.includes('FormSubmitter'));
  if (key) return [key.slice(7)];
  if (e.dataset.testid === 'stTabs') return [...e.querySelectorAll('[role=tab]')].map(tab => tab.innerText.trim());
  return [e.querySelector('[data-testid=stMarkdownContainer]').innerText.trim()];
})"""
_SCRUBBER = "found => found.map(e => e.dataset.do ?? e.className)"


def presses(*names: str) -> Callable[[Callable[[Visitor], None]], Callable[[Visitor], None]]:
    """Says which buttons a test presses: it must press them all, and be shown none that no test presses."""

    def mark(test: Callable[[Visitor], None]) -> Callable[[Visitor], None]:
        PRESSED.update(names)

        @wraps(test)
        def held(visitor: Visitor) -> None:
            test(visitor)
            visitor.look()
            assert visitor.pressed == set(names), f"pressed: {sorted(visitor.pressed)}; said to: {sorted(names)}"
            new = sorted(visitor.shown - PRESSED)
            assert not new, f"shown, and pressed by no test: {new}"

        return held

    return mark


class Visitor:
    """A browser page on the app."""

    def __init__(self, server: Server, page: Page) -> None:
        self.server, self.page = server, page
        self.pressed: set[str] = set()
        self.shown: set[str] = set()

    @property
    def main(self) -> Locator:
        return self.page.get_by_test_id("stMain")

    @property
    def world(self) -> Locator:
        """What the page shows, by name, below its heading."""
        return self.main.locator(".crl-lead b")

    @property
    def sidebar(self) -> Locator:
        return self.page.get_by_test_id("stSidebar")

    def of(self, key: str) -> Locator:
        """The element or container with this key."""
        return self.page.locator(f".st-key-{key}")

    def open(self, address: str, **params: str) -> None:
        self.page.goto(self.server.url(address, **params))
        self.settle()
        self.look()

    def settle(self) -> None:
        """Wait until no script runs and the page is drawn; the Lecture has no heading."""
        self.page.locator("[data-testid=stMain] h1, .lecture").first.wait_for()
        self.page.wait_for_function(
            "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"
        )

    def look(self) -> None:
        """Gather the names of all buttons that are shown; no page may show an exception."""
        assert self.page.get_by_test_id("stException").count() == 0
        kinds = ", ".join(f"[data-testid={kind}]" for kind in _KINDS.values())
        names = self.page.locator(kinds).evaluate_all(_SHOWN)
        self.shown |= {_VARIES.sub("-*", name) for name in names if name}  # within a closed expander: no words
        self.shown |= {f"scrubber-{name}" for name in self.page.locator(".lecture button").evaluate_all(_SCRUBBER)}

    def press(self, name: str, option: str = "", at: Locator | None = None) -> None:
        """Press the button `name`, or its `option`; `at` says where it is if its key does not."""
        self.look()
        if at is None:
            at = (
                self.of(name).get_by_text(option, exact=True).first
                if option
                else self.of(name).locator("[data-testid^=stBaseButton]").first
            )
        at.click()
        self.pressed.add(name)

    def press_until(
        self, name: str, option: str = "", *, sees: Callable[[], object], at: Locator | None = None
    ) -> None:
        """Press, and again where nothing came of it: a click is lost where the panel is just then drawn anew."""
        for _ in range(6):
            self.press(name, option, at)
            self.page.set_default_timeout(LOST_MS)
            try:
                sees()
                return
            except PlaywrightTimeout:
                continue
            finally:
                self.page.set_default_timeout(WAIT_MS)
        sees()

    def take(self, name: str, at: Locator | None = None) -> bytes:
        """Press a download button; the file."""
        with self.page.expect_download() as coming:
            self.press(name, at=at)
        return Path(coming.value.path()).read_bytes()

    def turn_to(self, name: str, option: str, changes: Locator) -> None:
        """Choose another option, and wait until what it decides reads differently."""
        self.settle()
        expect(changes).not_to_have_text("")  # it may be just about to be drawn
        before = changes.text_content() or ""
        self.press(name, option)
        expect(changes.filter(has_not_text=before or "\n").first).to_be_visible()  # the old one may stand beside it
        self.settle()

    def unfold(self, title: str, shows: str) -> None:
        """Open an expander of the page."""
        box = self.page.get_by_test_id("stExpander").filter(has_text=title)
        self.press(title, at=box.locator("summary"))
        expect(box.get_by_text(shows).first).to_be_visible()

    def begin_and_end(self, name: str) -> None:
        """Start several runs, watch the first epochs, and cancel them."""
        key = name.removesuffix("-start")
        start = self.page.locator(f"[class*='st-key-{key.split('*')[0]}'][class*='{key.split('*')[-1]}-start'] button")
        start = start.first  # while the page is drawn anew, the button of the world before may still stand there
        cancel = self.main.get_by_role("button", name="Cancel")
        self.settle()
        before = told(self.server).count("EpochEnded")
        self.press_until(name, at=start, sees=cancel.wait_for)
        wait_until(lambda: told(self.server).count("EpochEnded") > before, WAIT_MS / 1000)
        with at_rest(self.server):  # else a busy machine can train the first run to its end between two looks
            expect(self.main).to_contain_text(re.compile(r"Run 1 of \d+\. Epoch [1-9]"))
        self.press(f"{key}-cancel", at=cancel)
        expect(start).to_be_visible()
        expect(self.main.get_by_text(re.compile(r"Run \d+ of"))).to_have_count(0)


def buttons_in_source(folder: Path) -> set[str]:
    """Names of all buttons that the source of the pages can show, as patterns."""
    found: set[str] = set()
    for file in sorted(folder.rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _KINDS):
                continue
            key = next((word.value for word in call.keywords if word.arg == "key"), None)
            label = call.args[0]
            if key is not None and call.func.attr != "expander":  # which shows its words alone
                found.add(re.sub(r"[^a-zA-Z0-9_*-]", "-", _pattern(key)))
            elif call.func.attr == "page_link":
                found.update(_pattern(word.value) for word in call.keywords if word.arg == "label")
            elif isinstance(label, ast.List):
                found.update(_pattern(one) for one in label.elts)
            else:
                found.add(_pattern(label))
    return found


def _pattern(node: ast.expr) -> str:
    """The text of a literal; `*` where it is computed."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_pattern(part) for part in node.values)
    return "*"


def is_pressed(pattern: str) -> bool:
    return any(fnmatch(name, pattern) for name in PRESSED)
