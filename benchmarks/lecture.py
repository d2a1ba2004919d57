"""How fast the λ scrubber follows a pointer: a real browser with software rendering, 16 λ × 1,500 points.

    python benchmarks/lecture.py [--json FILE] [--url PAGE] [--preset NAME] [--drags N] [--full]

Without --url it measures the handout file of a preset, opened from disk; a world of traces with its edit pressed.
Latency: from the time stamp of a pointer event to the task after the frame that painted it. Every move is painted, or
superseded by a newer one before the next frame.
Budgets: p95 ≤ 50 ms, no task above 100 ms, payload ≤ 3 MB, ready ≤ 1.5 s, memory flat over the drags.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crl_core import Training, preset, train
from crl_core.lecture.handout import handout_html

N_POINTS = 1500
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-precise-memory-info",
]

# In the page: when each pointer move was painted, the gaps between frames, and tasks of 50 ms and more.
PROBE = """() => {
  const seen = { latency: [], superseded: 0, frames: [], long: [], moves: 0 };
  window.__lecture = seen;
  let waiting = [], last = 0, counting = false;
  const channel = new MessageChannel();
  channel.port1.onmessage = (event) => { const now = performance.now();
    for (const t of event.data) seen.latency.push(now - t); };
  const painted = (time) => {
    if (last) seen.frames.push(time - last);
    last = time;
    if (waiting.length) { seen.superseded += waiting.length - 1; const newest = waiting[waiting.length - 1];
      waiting = []; channel.port2.postMessage([newest]); }
    if (counting) requestAnimationFrame(painted); else last = 0;
  };
  document.addEventListener("pointerdown", () => { counting = true; requestAnimationFrame(painted); }, true);
  document.addEventListener("pointerup", () => { counting = false; }, true);
  document.addEventListener("pointermove", (event) => { if (counting) { seen.moves++; waiting.push(event.timeStamp); }
    }, true);
  new PerformanceObserver((list) => { for (const e of list.getEntries()) seen.long.push(e.duration); }).observe({
    type: "longtask" });
}"""

# Drags that need no hand: the same events, sent from inside, so that a thousand of them take a minute.
MANY = """async (count) => {
  const find = (node) => { const hit = node.querySelector && node.querySelector("[role=slider][aria-label='λ']");
    if (hit) return hit;
    for (const e of node.querySelectorAll("*")) if (e.shadowRoot) { const inner = find(e.shadowRoot);
      if (inner) return inner; } return null; };
  for (const list of Object.values(window.__lecture)) if (Array.isArray(list)) list.length = 0;
    // the probe's own memory
  const grip = find(document), box = grip.getBoundingClientRect(), y = box.top + box.height / 2;
  const send = (type, share) => grip.dispatchEvent(new PointerEvent(type, { bubbles: true, composed: true,
    pointerId: 7, button: 0, clientX: box.left + share * box.width, clientY: y }));
  for (let k = 0; k < count; k++) {
    send("pointerdown", 0.1);
    for (let m = 1; m <= 4; m++) { send("pointermove", 0.1 + 0.2 * m); await new Promise(requestAnimationFrame); }
    send("pointerup", 0.9);
  }
  for (const list of Object.values(window.__lecture)) if (Array.isArray(list)) list.length = 0;
}"""


def quantile(values: list[float], q: float) -> float:
    return float(np.quantile(values, q)) if values else float("nan")


def heap(session: Any) -> float:
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def measure(url: str, drags: int, *, full: bool = False) -> dict[str, float]:
    """One page, opened, dragged across the whole range, and dragged `drags` more times for its memory."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=CHROMIUM_ARGS)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        began = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.locator("[data-testid=stMainBlockContainer], .lecture-frame").first.wait_for(timeout=60_000)
        if not url.startswith("file:"):
            began = time.perf_counter()  # the page is there; from here on it is the scrubber's time
        slider = page.get_by_role("slider", name="λ", exact=True)
        slider.wait_for(timeout=60_000)
        ready = time.perf_counter() - began
        edit = page.locator("[data-do=edit]").first
        if edit.count():
            edit.click()
        if full:
            page.locator("[data-do=full]").click()
            page.wait_for_timeout(1500)
            assert page.evaluate("document.fullscreenElement !== null"), "the page did not take the full screen"
        page.evaluate(PROBE)
        page.wait_for_timeout(500)
        box = slider.bounding_box()
        assert box is not None
        y = box["y"] + box["height"] / 2
        for _ in range(2):
            page.mouse.move(box["x"] + 50, y)
            page.mouse.down()
            for k in range(240):
                share = k / 239
                page.mouse.move(box["x"] + 50 + share * (box["width"] - 210), y)
            page.mouse.up()
            page.wait_for_timeout(400)
        last = int(slider.get_attribute("aria-valuemax") or 0)
        assert int(slider.get_attribute("aria-valuenow") or -1) == last, "the drag did not reach the end"
        seen = page.evaluate("() => window.__lecture")
        session = page.context.new_cdp_session(page)
        page.evaluate(MANY, 50)
        before = heap(session)
        page.evaluate(MANY, drags)
        after = heap(session)
        browser.close()
    return {
        "ready_s": ready,
        "moves": seen["moves"],
        "painted": len(seen["latency"]),
        "superseded": seen["superseded"],
        "latency_p50_ms": quantile(seen["latency"], 0.5),
        "latency_p95_ms": quantile(seen["latency"], 0.95),
        "latency_max_ms": max(seen["latency"]),
        "frame_p50_ms": statistics.median(seen["frames"]),
        "frame_p95_ms": quantile(seen["frames"], 0.95),
        "long_tasks_over_100ms": sum(d > 100 for d in seen["long"]),
        "longest_task_ms": max(seen["long"], default=0.0),
        "drags": drags,
        "heap_before_mb": before,
        "heap_after_mb": after,
    }


def handout(name: str) -> str:
    """A preset with the default 16 λ and 1,500 drawn rows; few epochs, since only the drawing is timed."""
    config = preset(name)
    training = replace(config.training, epochs=6, replicates=1, lams=Training().lams)
    scenario = replace(config.scenario, n_samples=max(config.scenario.n_samples, 5 * N_POINTS))
    result = train(replace(config, scenario=scenario, training=training))
    return handout_html(result, theme="dark", n_rows=N_POINTS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    parser.add_argument("--url", help="measure this page instead of a fresh handout")
    parser.add_argument("--preset", default="hospital", metavar="NAME", help="whose handout is measured")
    parser.add_argument("--drags", type=int, default=1000, help="drags for the memory figure")
    parser.add_argument("--full", action="store_true", help="drag in full screen, as a lecturer does")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url, size = options.url, 0.0
        if url is None:
            path = Path(folder) / "handout.html"
            text = handout(options.preset)
            path.write_text(text, encoding="utf-8")
            size, url = len(text.encode()) / 1e6, path.as_uri()
        known = {"payload_mb": size, "points": N_POINTS} if options.url is None else {}
        figures = known | measure(url, options.drags, full=options.full)
    for name, value in figures.items():
        print(f"{name:24} {value:10.2f}" if isinstance(value, float) else f"{name:24} {value:10d}")
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
