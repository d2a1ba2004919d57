"""Visitors without browsers: sessions over websockets, as a browser opens them, and a server of their own."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from crl_core.serve.descriptors import raise_limit

ROOT = Path(__file__).parents[1]
PATIENCE_S = 300.0
T = TypeVar("T")


@dataclass
class Visitor:
    """A session that reads what it is sent, and answers as the page's widgets would."""

    port: int
    link: str
    page: str
    ids: dict[str, str] = field(default_factory=dict)  # of widgets, each ends in its key: the fragment it is in
    texts: str = ""
    values: dict[str, tuple[str, Any]] = field(default_factory=dict)
    socket: Any = None
    polls: tuple[float, str] | None = None
    cookie: str = ""
    exceptions: list[str] = field(default_factory=list)  # tracebacks that pages showed
    held: dict[str, tuple[str, int]] = field(default_factory=dict)  # large messages by hash: a text, the run it came in
    runs: int = 0
    oldest: int = 0  # a browser forgets a message that so many runs have not shown

    async def open(self) -> None:
        address = f"ws://127.0.0.1:{self.port}/_stcore/stream"
        self.socket = await websockets.connect(  # a browser sends no pings of its own, and hangs up for none
            address,
            subprotocols=["streamlit"],  # type: ignore[list-item]
            additional_headers={"Cookie": self.cookie} if self.cookie else None,
            max_size=None,
            open_timeout=PATIENCE_S,
            ping_interval=None,
        )
        await self.rerun()

    async def rerun(self, *, fragment: str = "", **values: tuple[str, Any]) -> None:
        """Ask for a run of the page with these widgets set: ("string_value", "…") or ("trigger_value", True)."""
        message = BackMsg()
        message.rerun_script.query_string, message.rerun_script.page_name = self.link, self.page
        message.rerun_script.fragment_id = fragment
        message.rerun_script.cached_message_hashes.extend(self.held)
        for name, (kind, value) in (self.values | values).items():
            state = message.rerun_script.widget_states.widgets.add()
            state.id = next(id for id in self.ids if id.endswith(name))
            setattr(state, kind, value)
            if name in values:
                message.rerun_script.fragment_id = self.ids[state.id]
        await self.socket.send(message.SerializeToString())

    async def until(self, words: str, *, widget: str = "") -> None:
        """Read until a run has ended whose texts have these words, and that has such a widget."""
        while True:
            ended = await asyncio.wait_for(self.reads(), PATIENCE_S)
            if ended and re.search(words, self.texts) and any(id.endswith(widget) for id in self.ids):
                return

    async def reads(self) -> bool:
        """Take one message, as a browser does; whether a run has ended with it."""
        message = ForwardMsg()
        message.ParseFromString(await self.socket.recv())
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.texts, self.oldest = "", message.new_session.config.max_cached_message_age
        elif kind == "ref_hash":
            text, _ = self.held[message.ref_hash]
            self.held[message.ref_hash] = text, self.runs
            self.texts += text
        elif kind == "delta":
            element = message.delta.new_element
            name = element.WhichOneof("type")
            if message.metadata.cacheable:
                self.held[message.hash] = element.html.body, self.runs
            if name in ("button", "radio"):
                self.ids[getattr(element, name).id] = message.delta.fragment_id
            elif name == "exception":
                self.exceptions.append(f"{element.exception.type}: {element.exception.message}"[:200])
            elif name == "html":
                self.texts += element.html.body
        elif kind == "auto_rerun":
            self.polls = (message.auto_rerun.interval, message.auto_rerun.fragment_id)
        elif kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            self.runs += 1
            self.held = {hash: it for hash, it in self.held.items() if self.runs - it[1] <= self.oldest}
        return kind == "script_finished"

    async def sees(self, **values: tuple[str, Any]) -> None:
        """`open`, or `rerun` with these values, to the end of the page's run."""
        if self.socket is None:
            await self.open()
        else:
            await self.rerun(**values)
        await self.until("")

    async def rest(self, seconds: float) -> None:
        """Take what comes meanwhile."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await self.reads()


def run(visits: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, also where this thread has a loop under way, as a test's browser has."""
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(asyncio.run, visits).result()


@dataclass(frozen=True)
class Served:
    """A server of the app on an own cache."""

    port: int
    pid: int
    cache: Path

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def cpu_s(self) -> float:
        """CPU seconds of the server itself, without its worker."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/task"))


@contextmanager
def served(port: int) -> Iterator[Served]:
    """Start the app, wait until it answers, and end it."""
    raise_limit()  # for as many sessions as are asked for
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
        command += ["--server.address", "127.0.0.1", "--server.headless", "true"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        server = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"CRL_CACHE": cache}, **quiet)  # type: ignore[call-overload]
        try:
            for _ in range(240):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2)
                    break
                except OSError:
                    time.sleep(0.25)
            yield Served(port, server.pid, Path(cache))
        finally:
            server.terminate()
            server.wait()
