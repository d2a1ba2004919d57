"""How long the Compare page takes to follow λ with four runs side by side: python benchmarks/compare.py [--json FILE]

Server: the page's script from the changed λ to its last figure, through Streamlit's own test driver. Budget: p50 ≤ 250
        ms.
Painted: a real server and a real browser with software rendering, from the key that moves λ to the last change that the
page's main part shows because of it, all figures drawn again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import sync_playwright

from crl_core import PRESETS
from tests.browser.conftest import FLAGS, start_server

NAMES = ("hospital", "shifted", "leaky", "recipe")
QUIET_MS = 1200  # no change for so long: the page has followed
_WATCH = """() => {
  window.__changed = 0;
  new MutationObserver(() => { window.__changed = performance.now(); })
    .observe(document.querySelector("[data-testid=stMain]"), { subtree: true, childList: true, attributes: true,
      characterData: true });
  document.addEventListener("keydown", () => { window.__pressed = performance.now(); }, true);
}"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=24, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    link = "&".join(f"runs={PRESETS[name].config.key}" for name in NAMES)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        server = start_server(Path(folder) / "cache")
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        try:
            page = browser.new_context(viewport={"width": 1600, "height": 1000}).new_page()
            page.goto(f"{server.url('compare')}?{link}")
            page.locator(".js-plotly-plot").nth(5).wait_for(timeout=60_000)
            page.wait_for_timeout(3000)
            page.evaluate(_WATCH)
            handle = page.get_by_test_id("stSidebar").get_by_role("slider", name="λ shown")
            handle.focus()
            taken = []
            for move in range(options.moves):
                handle.press("ArrowLeft" if move % 8 < 4 else "ArrowRight")
                page.wait_for_timeout(400)
                page.wait_for_function(f"performance.now() - window.__changed > {QUIET_MS}")
                taken.append(page.evaluate("window.__changed - window.__pressed"))
        finally:
            browser.close()
            server.stop()
    served = script_ms(link)
    taken = taken[4:]  # the first visits of a λ compute what is then kept
    found = {
        "compare_lam_p50_ms": statistics.median(served),
        "compare_lam_painted_p50_ms": statistics.median(taken),
        "compare_lam_painted_p95_ms": sorted(taken)[int(0.95 * len(taken))],
    }
    for name, value in found.items():
        print(f"{name:28} {value:.0f}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


def script_ms(link: str) -> list[float]:
    """Milliseconds of the page's script for each of some changes of λ, the first of each λ left out."""
    from streamlit.testing.v1 import AppTest

    from pages.shared import server_cache

    server_cache._warm = lambda manager: manager  # no worker: nothing is trained here
    app = AppTest.from_file(str(Path(__file__).parents[1] / "app.py"), default_timeout=60)
    app.query_params["runs"] = [part.removeprefix("runs=") for part in link.split("&")]
    app.run()
    app.switch_page("pages/compare.py").run()
    assert len(app.get("plotly_chart")) >= 6, "the page shows no comparison"
    lams = PRESETS[NAMES[0]].config.training.lams[6:12]
    taken = []
    for turn in range(4):
        for lam in lams if turn % 2 else reversed(lams):
            slider = next(item for item in app.select_slider if item.label == "λ shown")
            start = time.perf_counter()
            slider.set_value(lam).run()
            taken.append(1000 * (time.perf_counter() - start))
    server_cache.jobs().close()
    return taken[len(lams) :]


if __name__ == "__main__":
    sys.exit(main())
