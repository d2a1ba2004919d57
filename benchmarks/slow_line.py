"""A first visit on a slow line: python benchmarks/slow_line.py [--latency 600] [--kb 60] [--json FILE]

A real server that one visitor has already opened, and a browser with an empty cache, whose line Chromium slows down.
Until the first words can be read, until the app's own words, until the lecture is drawn, and what was sent until then.
Budgets: words ≤ 10 s, the lecture ≤ 30 s at 600 ms and 60 kB/s.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import sync_playwright

from benchmarks.lecture import CHROMIUM_ARGS
from tests.browser.conftest import start_server

WORDS = "(document.body?.innerText ?? '').trim().length > 100"
APP = "document.querySelector('[data-testid=stMain]')?.innerText.trim()"


def first_visit(url: str, latency_ms: float, kb_per_s: float) -> dict[str, float]:
    """Seconds since the address was entered, and bytes until the lecture was drawn."""
    with sync_playwright() as driver:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = driver.chromium.launch(executable_path=path, args=CHROMIUM_ARGS)
        warm = browser.new_page()
        warm.goto(url)
        slider = warm.get_by_role("slider", name="λ", exact=True)
        slider.wait_for(timeout=120_000)
        warm.close()
        page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
        session, sent = page.context.new_cdp_session(page), [0.0]
        session.send("Network.enable")
        rate = kb_per_s * 1000
        line = {"offline": False, "latency": latency_ms, "downloadThroughput": rate, "uploadThroughput": rate}
        session.send("Network.emulateNetworkConditions", line)
        session.on("Network.loadingFinished", lambda e: sent.append(e["encodedDataLength"]))
        messages = [0.0]  # as the page sees them: unpacked
        session.on(
            "Network.webSocketFrameReceived", lambda e: messages.append(len(e["response"]["payloadData"]) * 3 / 4)
        )
        found, began = {}, time.perf_counter()
        page.goto(url, wait_until="commit", timeout=120_000)
        for name, condition in (("slow_words_s", WORDS), ("slow_app_s", APP)):
            page.wait_for_function(condition, timeout=240_000, polling=50)
            found[name] = time.perf_counter() - began
        page.locator(".lecture-frame canvas").first.wait_for(timeout=240_000)
        found["slow_lecture_s"] = time.perf_counter() - began
        browser.close()
    return found | {"slow_files_kb": sum(sent) / 1000, "slow_messages_kb": sum(messages) / 1000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=600, metavar="MS")
    parser.add_argument("--kb", type=float, default=60, metavar="KB_PER_S")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder) / "cache")
        try:
            figures = first_visit(server.url("lecture"), options.latency, options.kb)
        finally:
            server.stop()
    for name, value in figures.items():
        print(f"{name:24} {value:10.2f}")
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
