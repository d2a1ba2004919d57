"""A real server on a free loopback port with a cache of its own, and a real Chromium to look at it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from crl_core.lecture.handout import handout_html
from crl_core.results import RunResult
from tests.browser.hand import N_ROWS, Hand, Open
from tests.crl_core.made_up import wait_until
from tests.lecture_runs import evidence_of

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A page that lives for seconds gains nothing by these: scripts parsed ahead, though they are compiled already (see
    # below), and code made as fast as can be. Somewhat faster code pays where a page looks on while a run trains.
    # With room for what a page allocates while it opens, little is collected, and by one thread.
    "--disable-features=ScriptStreaming",
    "--js-flags=--no-opt --min-semi-space-size=32 --max-semi-space-size=32 --no-parallel-scavenge",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE *.localhost",  # there is no outside
    "--process-per-site",  # a page finds the scripts of the last one of its profile compiled: half of what it costs
]
# To a browser with this cookie the bare address is that of Train; who was never here begins with the lessons.
BEEN_HERE = {"name": "crl_last", "value": "", "url": "http://127.0.0.1"}
STORED = "cookies,local_storage,indexeddb,cache_storage,service_workers"  # what a page may leave in a browser
FINDER = Path(__file__).with_name("room.js")  # of words that have no room
VISITS = 30  # after which a profile has a new process
WAIT_MS = 40_000  # generous: the machine may be busy, and nothing here measures time
expect.set_options(timeout=WAIT_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test in a browser that fails is tried once more, and named at the end (R) where only that passed.

    Two browsers and two servers share the cores with the rest of the suite, and what a page takes a moment to redraw
    may take ten: of eight hundred such tests one or two missed a press in every run, each time another one.
    The second try has a server as the first test of the module had it (`as_if_it_were_the_first`).
    """
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))
    items.sort(key=lambda item: item.path.name != "test_soak.py")  # minutes of waiting, for which at the end all wait


@dataclass
class Server:
    """The app on a loopback port, under a path prefix such as /tools/crl, with a cache folder of its own.

    before: a command that starts the rest of its line, such as one that sets limits.
    """

    port: int
    cache: Path
    prefix: str = ""
    before: Sequence[str] = ()
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        if self.cache.exists():
            shutil.copytree(self.cache, self.at_first)
        self.start()

    @property
    def at_first(self) -> Path:
        """What lay in the cache folder before the first visit."""
        return self.cache.with_name(f"{self.cache.name}-at-first-{self.port}")

    def url(self, page: str = "", **params: str) -> str:
        return f"http://127.0.0.1:{self.port}{self.prefix}/{page}" + (f"?{urlencode(params)}" if params else "")

    def start(self) -> None:
        """Returns once it answers."""
        log = (self.cache.parent / f"server-{self.port}.log").open("ab")
        options = {
            "port": str(self.port),
            "address": "127.0.0.1",
            "headless": "true",
            "baseUrlPath": self.prefix,
        }
        flags = [part for name, value in options.items() for part in (f"--server.{name}", value)]
        self.process = subprocess.Popen(
            [*self.before, sys.executable, "-m", "streamlit", "run", "app.py", *flags],
            cwd=ROOT,
            env=os.environ | {"CRL_CACHE": str(self.cache)},
            stdout=log,
            stderr=log,
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(self.url("_stcore/health"), timeout=2):
                    return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    pytest.fail(f"The server did not start: {Path(log.name).read_text()[-2000:]}")
                time.sleep(0.2)

    def start_anew(self) -> None:
        """On the same port, with the cache folder as it was before the first visit."""
        self.stop()
        shutil.rmtree(self.cache, ignore_errors=True)
        if self.at_first.exists():
            shutil.copytree(self.at_first, self.cache, dirs_exist_ok=True)  # a worker that ends may still write
        self.start()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def trainer(server: Server) -> psutil.Process:
    """The process that trains for this server, once it is there."""

    def found() -> list[psutil.Process]:
        children = psutil.Process(server.process.pid).children()
        return [process for process in children if "crl_core.jobs.worker" in process.cmdline()]

    wait_until(lambda: bool(found()), WAIT_MS / 1000)
    return found()[0]


def told(server: Server) -> str:
    """All that the runs of this server have told, as it stands in their logs."""
    return "".join(log.read_text() for log in (server.cache / "runs").glob("*/events.jsonl"))


@contextmanager
def at_rest(server: Server) -> Iterator[psutil.Process]:
    """What trains rests while a test looks on: however busy the machine is, pages have the time that they need to
    follow, and nothing is computed that nobody looks at."""
    worker = trainer(server)
    worker.suspend()
    try:
        yield worker
    finally:
        worker.resume()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def needed(*names: str, what: str) -> str:
    """The first of these programs on the path. Without one the test is skipped, or fails where all must run."""
    for name in names:
        if (found := shutil.which(name)) is not None:
            return found
    if os.environ.get("CRL_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{what} is missing; install it, or unset CRL_REQUIRE_BROWSER to skip the tests that need it.")
    pytest.skip(f"{what} is missing.")


@contextmanager
def nginx_serving(folder: Path, site: str, ready: str) -> Iterator[None]:
    """A real nginx with this configuration of a site, logging to `folder`/access.log, once `ready` is answered."""
    nginx = needed("nginx", "/usr/sbin/nginx", what="nginx")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log {folder}/access.log;\n{temporary}\n{site}\n}}\n"
    )
    process = subprocess.Popen([nginx, "-p", str(folder), "-c", str(file), "-e", f"{folder}/error.log"])
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(ready, timeout=20):
                    break
            except OSError:
                assert process.poll() is None, (folder / "error.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(timeout=15)


def start_server(cache: Path, prefix: str = "", before: Sequence[str] = ()) -> Server:
    """The app on a free port; returns once it answers."""
    return Server(free_port(), cache, prefix, before)


def drawn(page: Page) -> None:
    """Wait until a page has drawn something and no script runs; the lecture has no heading to wait for."""
    page.wait_for_selector("[data-testid=stMain] [data-testid=stElementContainer]", state="attached")
    page.wait_for_function("document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'")


def gives_way(browser: Browser) -> None:
    """Leave half of the processors to servers, workers and tests, where three browsers want all of them.

    Linux divides time among sessions before it does among their processes, and Playwright begins one with each
    browser. Three would take three quarters; a run that pages look at would take several times as long to train, and
    be drawn for as long.
    """
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    pid = next(process["id"] for process in processes if process["type"] == "browser")
    with suppress(OSError):  # a system that divides otherwise
        Path(f"/proc/{pid}/autogroup").write_text("5")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = needed("chromium-headless-shell", "chromium", "chromium-browser", what="Chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        gives_way(browser)
        new_context = browser.new_context

        def been_here(**options) -> BrowserContext:
            context = new_context(**options)
            context.add_cookies([BEEN_HERE])
            return context

        browser.new_context = been_here
        browser.new_page = lambda **options: been_here(**options).new_page()
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Server]:
    """One server for all tests that look only at what comes with the program, or at what nobody else asks for.

    A module whose tests mind what others have trained takes `own_server` in its place.
    """
    running = start_server(tmp_path_factory.mktemp("app") / "cache")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Server]:
    """One server for the tests of a module."""
    running = start_server(tmp_path_factory.mktemp("app") / "cache")
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def as_if_it_were_the_first(request: pytest.FixtureRequest) -> None:
    """What the first try of a test left on its server, a stored run or one under way, is not there in its second."""
    if is_again(request) and "server" in request.fixturenames:
        request.getfixturevalue("server").start_anew()


@pytest.fixture
def cold_server(tmp_path: Path, chromium: Browser) -> Iterator[Server]:
    """A server that nobody has visited yet."""
    running = start_server(tmp_path / "cache")
    yield running
    running.stop()


class Profiles:
    """Browser profiles by their options, kept from test to test: the app's scripts lie in their caches, as with whoever
    has been here before, and nothing else does. A page of the same site that stays open keeps the process alive, in
    which these scripts are compiled already."""

    def __init__(self, chromium: Browser) -> None:
        self._chromium = chromium
        self._kept: dict[str, Page] = {}  # the page that stays, of each profile
        self._visits: Counter[Page] = Counter()
        self._origins: set[str] = set()

    @contextmanager
    def visitor(self, name: str, *, anew: bool, **options) -> Iterator[Page]:
        """A page in the profile of this name. anew: without what it kept."""
        if anew and name in self._kept:
            self._kept.pop(name).context.close()
        if name not in self._kept:
            self._kept[name] = self._begun(**options)
        stays = self._kept[name]
        yield stays.context.new_page()
        self._leave(stays)
        self._visits[stays] += 1
        if self._visits[stays] == VISITS:  # the process, which keeps a little of every page, ends with its last one
            stays.close()
            self._kept[name] = self._staying(stays.context)

    def _begun(self, **options) -> Page:
        context = self._chromium.new_context(**options)
        context.set_default_timeout(WAIT_MS)
        context.on("page", lambda page: page.on("framenavigated", lambda frame: self._visited(frame.url)))
        return self._staying(context)

    @staticmethod
    def _staying(context: BrowserContext) -> Page:
        stays = context.new_page()
        stays.route("http://127.0.0.1/", lambda route: route.fulfill(body=""))
        stays.goto("http://127.0.0.1/")
        return stays

    def _visited(self, url: str) -> None:
        if url.startswith("http"):
            self._origins.add("{0.scheme}://{0.netloc}".format(urlsplit(url)))

    def _leave(self, stays: Page) -> None:
        context = stays.context
        for page in context.pages:
            if page != stays:
                page.close()
        session = context.new_cdp_session(stays)
        for origin in self._origins:
            session.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": STORED})
        session.detach()
        context.clear_cookies()
        context.add_cookies([BEEN_HERE])
        context.clear_permissions()
        context.unroute_all()


@pytest.fixture(scope="session")
def profiles(chromium: Browser) -> Profiles:
    return Profiles(chromium)


def is_again(request: pytest.FixtureRequest) -> bool:
    """Whether this is a test's second try."""
    return getattr(request.node, "execution_count", 1) > 1


@pytest.fixture
def page(profiles: Profiles, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A visitor."""
    options = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"}
    with profiles.visitor("desk", anew=is_again(request), **options) as page:
        yield page


@pytest.fixture
def window(page: Page) -> Page:
    """A visitor's page that notes from its start what is written on canvases, so that words without room are found."""
    page.set_viewport_size({"width": 1280, "height": 720})
    page.add_init_script(path=FINDER)
    return page


@pytest.fixture
def phone(profiles: Profiles, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A visitor with a phone, upright."""
    options = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with profiles.visitor("phone", anew=is_again(request), **options) as page:
        yield page


@pytest.fixture
def other_page(profiles: Profiles, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Another visitor, with a browser profile of their own."""
    options = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"}
    with profiles.visitor("other", anew=is_again(request), **options) as page:
        yield page


@pytest.fixture
def opened(chromium: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens the handout of a run from disk, offline; fails the test on any error or request of the page."""
    contexts, trouble = [], []

    def open_run(result: RunResult, *, theme: str = "dark", evidence: bool = True, **context) -> Hand:
        file = tmp_path / "handout.html"
        parts = evidence_of(result) if evidence else None
        file.write_text(handout_html(result, None, parts, theme, n_rows=N_ROWS), encoding="utf-8")
        made = chromium.new_context(viewport={"width": 1280, "height": 720}, offline=True, **context)
        contexts.append(made)
        page = made.new_page()
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: None if request.url == file.as_uri() else trouble.append(request.url))
        page.goto(file.as_uri())
        return Hand(page)

    yield open_run
    for context in contexts:
        context.close()
    assert trouble == []
