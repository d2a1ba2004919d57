"""App and endpoint behind a real nginx with the README's configuration, under a path each and another host name."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Browser, Page, expect

from crl_core import preset
from pages.shared.places import DEFAULT_PAGE, TITLES
from tests.browser.conftest import ROOT, drawn, free_port, nginx_serving, start_server
from tests.browser.test_app import TINY, said, settled

pytestmark = pytest.mark.browser
APP, ENDPOINT = "/tools/crl", "/models"


@dataclass
class Proxied:
    """Where a visitor finds both, and what nginx logged."""

    origin: str
    log: Path

    def url(self, path: str = "") -> str:
        return f"{self.origin}{path}"


def readme_configuration() -> str:
    return re.findall(r"```nginx\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[0]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("exported") / "model.onnx"
    command = [sys.executable, "-m", "crl_core", "export", preset("linear").key, "--lam", "1.9", "--format", "onnx"]
    subprocess.run([*command, "--out", str(file)], cwd=ROOT, check=True)
    return file


@pytest.fixture(scope="module")
def endpoint(exported: Path) -> Iterator[int]:
    """The port of the command `serve`, started as the README says."""
    command = [sys.executable, "-m", "crl_core", "serve", str(exported), "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield urlparse(json.loads(process.stdout.readline())["address"]).port or 0
    process.terminate()
    process.communicate(timeout=20)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory, chromium: Browser, endpoint: int) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("nginx")
    app, port = start_server(folder / "cache", APP), free_port()
    site = readme_configuration()
    listen = ("listen 80;", f"listen 127.0.0.1:{port};")
    for written, here in ((":8501", f":{app.port}"), (":8000", f":{endpoint}"), listen):
        assert written in site
        site = site.replace(written, here)
    with nginx_serving(folder, site, f"http://127.0.0.1:{port}{ENDPOINT}/healthz"):
        # browsers resolve names under localhost themselves
        yield Proxied(f"http://tools.localhost:{port}", folder / "access.log")
    app.stop()


def test_every_page_opens_by_link_and_by_the_bar_and_stays_under_its_path(proxied: Proxied, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.goto(proxied.url(APP))  # without the last slash
    settled(page)
    for stem in TITLES:
        page.goto(proxied.url(f"{APP}/{stem}?preset=leaky"))
        drawn(page)
        page.wait_for_url(re.compile(rf"{APP}/{'' if stem == DEFAULT_PAGE else stem}\?"))
        assert parse_qs(urlparse(page.url).query)["preset"] == ["leaky"]
        assert "encountered an error" not in page.content()
    settled(page)
    page.get_by_text("Scenario", exact=True).first.click()
    page.wait_for_url(re.compile(rf"{APP}/scenario\?"))
    page.reload()
    settled(page)
    assert urlparse(page.url).path == f"{APP}/scenario"
    outside = [url for url in asked if not urlparse(url).path.startswith(APP) and urlparse(url).scheme != "data"]
    assert [url for url in outside if not url.startswith("blob:")] == []
    # The app looks for its server beside the page first: 404 there is how it finds the prefix. 499: the browser had
    # gone to another page before the answer came.
    failed = [line for line in proxied.log.read_text().splitlines() if re.search(r'" (4(?!99)|5)\d\d ', line)]
    assert [line for line in failed if "/_stcore/h" not in line] == []


@pytest.mark.parametrize(
    ("typed", "shown", "words"),
    [
        ("/train", "/", "Train"),
        ("/Library", "/runs", "Library"),
        ("/runs/", "/runs", "Library"),
        ("/runs/of/mine", "/runs", "Library"),
        ("/no-such-page", "/", "There is no page at “no-such-page”"),
        ("/no/such/page", "/", "There is no page at “no”"),
    ],
)
def test_an_address_that_is_not_exactly_a_pages_leads_to_one(
    proxied: Proxied, page: Page, typed: str, shown: str, words: str
) -> None:
    page.goto(proxied.url(f"{APP}{typed}?preset=leaky"))
    said(page, words)
    settled(page)
    page.wait_for_url(re.compile(rf"{APP}{shown}\?"))
    assert parse_qs(urlparse(page.url).query) == {"preset": ["leaky"]}


def test_a_run_is_trained_watched_and_taken_home_through_the_proxy(
    proxied: Proxied, page: Page, tmp_path: Path
) -> None:
    link = "&".join(f"{name}={value}" for name, value in TINY.items())
    page.goto(proxied.url(f"{APP}/?{link}"))
    settled(page)
    page.get_by_test_id("stSidebar").get_by_role("button", name="Train", exact=True).click()
    said(page, re.compile(r"Already trained|Trained"))
    lam = page.get_by_test_id("stSidebar").get_by_role("slider", name="λ shown")
    lam.focus()
    lam.press("ArrowLeft")
    page.wait_for_url(re.compile(rf"{APP}/\?.*lam="))
    page.goto(proxied.url(f"{APP}/lecture?{link}"))
    drawn(page)
    page.get_by_role("slider", name="λ", exact=True).wait_for()
    with page.expect_download() as coming:
        page.get_by_role("button", name="Handout").first.click()
    coming.value.save_as(tmp_path / "handout.html")
    assert "mountScrubber" in (tmp_path / "handout.html").read_text()


def test_the_documentation_lists_the_operations_and_tries_them_with_the_outside_blocked(
    proxied: Proxied, page: Page
) -> None:
    outside: list[str] = []
    page.context.route(
        lambda url: not url.startswith(proxied.origin), lambda route: (outside.append(route.request.url), route.abort())
    )
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    page.goto(proxied.url(f"{ENDPOINT}/docs"))
    for path in ("/v1/effects", "/v1/model", "/healthz", "/metrics"):
        expect(page.get_by_role("heading", name=path)).to_be_visible()
    effects = page.get_by_role("region", name="Effects of rows")
    effects.get_by_label("Body").fill('{"rows": [[0.5, 1.0]], "environments": ["it\'s"]}')
    effects.get_by_role("button", name="Send").click()
    expect(effects.get_by_role("status")).to_contain_text("422")
    effects.get_by_label("Body").fill('{"rows": [[0.5, 1.0]]}')
    effects.get_by_role("button", name="Send").click()
    expect(effects.get_by_role("status")).to_contain_text("200 OK")
    expect(effects.get_by_role("status")).to_contain_text('"ite": [')
    effects.get_by_text("As a command").click()
    expect(effects.locator("pre").last).to_contain_text(proxied.url(f"{ENDPOINT}/v1/effects"))
    page.get_by_role("link", name="openapi.json").click()
    assert page.url == proxied.url(f"{ENDPOINT}/openapi.json")
    assert json.loads(page.locator("body").inner_text())["servers"] == [{"url": ENDPOINT}]
    page.goto(proxied.url(f"{ENDPOINT}/docs/"))  # sent on to the page, under the prefix and the visitor's host
    assert page.url == proxied.url(f"{ENDPOINT}/docs")
    assert outside == []
    assert [words for words in trouble if "422" not in words] == []


def test_a_visitors_own_prefix_is_overwritten_by_the_proxy(proxied: Proxied, page: Page) -> None:
    answer = page.request.get(
        proxied.url(f"{ENDPOINT}/openapi.json").replace("tools.localhost", "127.0.0.1"),
        headers={"X-Forwarded-Prefix": "/elsewhere"},
    )
    assert answer.json()["servers"] == [{"url": ENDPOINT}]
