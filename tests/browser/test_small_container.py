"""The app in a small container: 700 MB for server and worker together, one core, one thread."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import WAIT_MS, Server, start_server

pytestmark = pytest.mark.browser

LIMIT = 700_000_000  # bytes, of server and worker together


@dataclass
class Container:
    """A server whose processes are ended when they take more than LIMIT together, as a cloud does it."""

    server: Server
    peak: int = 0
    killed: bool = False
    over: threading.Event = field(default_factory=threading.Event)

    def guard(self) -> None:
        """Adds up proportional set sizes, in which memory shared by both processes counts once."""
        root = psutil.Process(self.server.process.pid)
        while not self.over.wait(0.05):
            try:
                family = [root, *root.children(recursive=True)]
                taken = sum(process.memory_full_info().pss for process in family)
            except psutil.Error:  # one of them has just ended
                continue
            self.peak = max(self.peak, taken)
            if taken > LIMIT:
                self.killed = True
                for process in reversed(family):
                    process.kill()
                return


@pytest.fixture
def container(tmp_path: Path, chromium: Browser, monkeypatch: pytest.MonkeyPatch) -> Iterator[Container]:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system cannot hold a process to one core")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})  # children inherit it
    try:
        running = Container(start_server(tmp_path / "cache"))
    finally:
        os.sched_setaffinity(0, mine)
    guard = threading.Thread(target=running.guard)
    guard.start()
    yield running
    running.over.set()
    guard.join()
    running.server.stop()


def test_a_visitor_of_a_small_container_sees_a_run_trains_one_looks_at_it_and_recovers_latents(
    container: Container, chromium: Browser
) -> None:
    page: Page = chromium.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(container.server.url())  # the baked run, at once
    expect(page.locator(".crl-lead b")).to_contain_text("Two hospitals")
    expect(page.get_by_text("Already trained").first).to_be_visible()

    page.goto(container.server.url(samples="2000", epochs="30"))
    page.get_by_test_id("stSidebar").get_by_role("button", name="Train a small run").click()
    expect(
        page.get_by_test_id("stSidebar").get_by_text(re.compile("Already trained: 16 λ × 1 replicate"))
    ).to_be_visible(timeout=4 * WAIT_MS)
    assert "replicates=1" in page.url
    assert "epochs=20" in page.url
    for address in ("latent", "effects", "path"):
        page.goto(page.url.replace(page.url.split("?")[0], container.server.url(address)))
        expect(page.locator(".js-plotly-plot").first).to_be_visible()
    page.goto(container.server.url("identify"))
    page.get_by_test_id("stMain").get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text("CPU seconds")).to_be_visible(timeout=4 * WAIT_MS)
    time.sleep(0.5)
    page.close()
    assert not container.killed, f"server and worker took {container.peak / 1e6:.0f} MB"
    assert 100_000_000 < container.peak <= LIMIT
    print(f"peak: {container.peak / 1e6:.0f} MB")
