"""Two processes of the app behind a real nginx, with the configuration of `docs/deploy`, on one folder of runs."""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.sessions import Visitor, run
from crl_core.events import RunStarted
from crl_core.runs.eventlog import read_entries
from crl_core.runs.store import RunStore
from pages.shared import fields
from tests.browser.conftest import ROOT, Server, free_port, nginx_serving, start_server

pytestmark = pytest.mark.browser
TINY = {"epochs": "3", "samples": "400", "replicates": "1", "set": "training.lams=0,1"}
LINK = "preset=hospital&" + "&".join(f"{name}={value}" for name, value in TINY.items())


@dataclass
class Site:
    port: int
    servers: dict[str, Server]  # by node
    cache: Path

    def ask(self, node: str = "") -> tuple[int, str]:
        """Status of the first page, and the node that a visitor with this cookie is told to stay with."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/", headers={"Cookie": f"crl_node={node}"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, re.findall(r"crl_node=(\w+)", answer.headers["Set-Cookie"])[0]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    cache, port = folder / "cache", free_port()
    servers = {"app1": start_server(cache), "app2": start_server(cache)}
    text = (ROOT / "docs/deploy/nginx.conf").read_text()
    here = {"listen 80;": f"listen 127.0.0.1:{port};"}
    here |= {f":850{at}": f":{servers[f'app{at}'].port}" for at in (1, 2)}
    for written, instead in here.items():
        assert written in text
        text = text.replace(written, instead)
    with nginx_serving(folder, text, f"http://127.0.0.1:{port}/"):
        yield Site(port, servers, cache)
    for server in servers.values():
        server.stop()


def test_new_visitors_are_spread_and_each_stays_with_his_process(site: Site) -> None:
    assert {site.ask()[1] for _ in range(40)} == {"app1", "app2"}
    for node in site.servers:
        assert {site.ask(node)[1] for _ in range(10)} == {node}


async def trains(site: Site, node: str, link: str = LINK) -> Visitor:
    visitor = Visitor(site.port, link, "train", cookie=f"crl_node={node}")
    await visitor.open()
    await visitor.until("", widget="job.train")
    await visitor.sees(**{"job.train": ("trigger_value", True)})
    return visitor


def test_one_run_asked_for_on_both_is_trained_once_and_seen_on_both(site: Site) -> None:
    values = {"epochs": 3, "samples": 400, "replicates": 1, "set": TINY["set"]}
    key = fields.build("hospital", values).key
    store = RunStore(site.cache)

    async def both() -> None:
        visitors = await asyncio.gather(*(trains(site, node) for node in site.servers))
        deadline = time.monotonic() + 120
        while not (store.has(key) and not store.missing_parts(key)):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)
        for visitor in visitors:
            await visitor.sees()
            await visitor.socket.close()

    run(both())
    entries, _ = read_entries(store.events_path(key))
    assert sum(isinstance(entry.event, RunStarted) for entry in entries) == 1


def test_runs_asked_for_on_both_are_trained_one_after_the_other(site: Site) -> None:
    seeds = {"app1": 1, "app2": 2}
    values = {"epochs": 3, "samples": 400, "replicates": 1, "set": TINY["set"]}
    keys = [fields.build("hospital", values | {"seed": seed}).key for seed in seeds.values()]
    store = RunStore(site.cache)

    async def both() -> None:
        asked = [trains(site, node, f"{LINK}&seed={seed}") for node, seed in seeds.items()]
        visitors = await asyncio.gather(*asked)
        deadline = time.monotonic() + 120
        while not all(store.has(key) and not store.missing_parts(key) and not store.busy(key) for key in keys):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)
        for visitor in visitors:
            await visitor.socket.close()

    run(both())
    times = sorted([json.loads(line)["at"] for line in store.events_path(key).open()] for key in keys)
    (_, *_, end), (begin, *_) = times
    assert end <= begin


def test_a_visitor_whose_process_is_killed_goes_on_with_the_other(site: Site) -> None:
    async def looks(node: str) -> None:
        visitor = Visitor(site.port, "preset=hospital", "effects", cookie=f"crl_node={node}")
        await visitor.open()
        await visitor.until("", widget="job.train")
        await visitor.socket.close()

    run(looks("app1"))
    site.servers["app1"].process.kill()
    site.servers["app1"].process.wait()
    assert site.ask("app1")[0] == 200
    run(looks("app1"))
