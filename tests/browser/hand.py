"""A hand on the λ scrubber: what can be done with it in a browser, and what can be read from it."""

from __future__ import annotations

from collections.abc import Callable

from playwright import sync_api as playwright

N_ROWS = 200  # of a handout that a test opens


class Hand:
    """A scrubber in a browser, and what can be done with it and read from it."""

    def __init__(self, page: playwright.Page) -> None:
        self.page = page
        self.slider = page.get_by_role("slider", name="λ", exact=True)
        self.slider.wait_for()

    @property
    def index(self) -> int:
        return int(self.slider.get_attribute("aria-valuenow"))

    @property
    def text(self) -> str:
        return self.slider.get_attribute("aria-valuetext")

    def figure(self, name: str) -> str:
        return self.page.locator(f"[data-figure={name}]").inner_text()

    def says(self) -> str:
        return self.page.locator(".says").inner_text()

    def place(self, index: float, count: int = 5) -> tuple[float, float]:
        """Where on the page a grid position lies, asked of the picture itself."""
        box = self.slider.bounding_box()
        share = self.page.evaluate(
            """([k, n]) => { const find = (node) => { const hit = node.querySelector('.lecture'); if (hit) return hit;
                 for (const e of node.querySelectorAll('*')) if (e.shadowRoot) { const i = find(e.shadowRoot);
                   if (i) return i; } return null; };
                 return find(document).scrubber.place(k); }""",
            [index, count],
        )
        return box["x"] + share, box["y"] + box["height"] / 2

    def drag(self, start: float, end: float, steps: int = 12) -> None:
        self.page.mouse.move(*self.place(start))
        self.page.mouse.down()
        self.page.mouse.move(*self.place(end), steps=steps)
        self.page.wait_for_timeout(120)  # the hand is still before it lets go
        self.page.mouse.up()

    def settle(self, index: int) -> None:
        playwright.expect(self.slider).to_have_attribute("aria-valuenow", str(index))

    def picture(self, view: str) -> bytes:
        return self.page.locator(f"[data-view={view}] .plot").screenshot()


Open = Callable[..., Hand]
