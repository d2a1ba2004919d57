"""A server that is full says so on a page, and its log stays short."""

from __future__ import annotations

import http.client
import logging
import re
from pathlib import Path

import pytest

from benchmarks.sessions import Visitor, run
from pages.shared import load
from tests.browser.conftest import Server, start_server


def limited(cache: Path, soft: int, hard: int | str) -> Server:
    return start_server(cache, before=["sh", "-c", f'ulimit -Sn {soft}; ulimit -Hn {hard}; exec "$@"', "sh"])


def limit_of(server: Server) -> int:
    text = Path(f"/proc/{server.process.pid}/limits").read_text()
    return int(re.findall(r"Max open files +(\d+)", text)[0])


def test_the_soft_limit_of_descriptors_is_raised_at_the_start(tmp_path: Path) -> None:
    server = limited(tmp_path / "cache", 256, 4096)
    try:
        assert limit_of(server) == 4096
    finally:
        server.stop()


def asked(server: Server) -> int:
    """Status of the first page; one that is refused must be told why."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/")
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    connection.close()
    assert answer.status == 200 or "Every seat is taken" in text
    return answer.status


def test_a_visitor_too_many_gets_a_page_and_the_log_stays_short(tmp_path: Path) -> None:
    server = limited(tmp_path / "cache", 160, 160)

    async def crowd() -> int:
        refused, visitors = 0, []
        for _ in range(60):
            if asked(server) == 503:
                refused += 1
                continue
            visitor = Visitor(server.port, "preset=hospital", "words")
            await visitor.sees()
            visitors.append(visitor)
        await visitors[0].sees()  # who is in goes on
        for visitor in visitors:
            await visitor.socket.close()
        return refused

    try:
        assert run(crowd()) > 20
        (log,) = tmp_path.glob("server-*.log")
        assert log.stat().st_size < 100_000
    finally:
        server.stop()


def test_what_a_log_repeats_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, sparingly = [100.0], load.Sparingly()
    monkeypatch.setattr(load.time, "monotonic", lambda: clock[0])
    line = logging.makeLogRecord({"pathname": "selector_events.py", "lineno": 177, "msg": "socket.accept() failed"})
    other = logging.makeLogRecord({"pathname": "app.py", "lineno": 1, "msg": "another"})
    passed = [sparingly.filter(line) for _ in range(100_000)]
    assert sum(passed) == load.MOST_A_MINUTE
    assert sparingly.filter(other)
    clock[0] += 61
    assert sparingly.filter(line)


def test_live_pages_look_less_often_the_more_visitors_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load.pace(0.7) == 0.7  # without a server

    class Runtime:
        class _session_mgr:  # noqa: N801
            @staticmethod
            def num_active_sessions() -> int:
                return audience[0]

    audience = [3]
    monkeypatch.setattr(load, "get_instance", Runtime)
    assert load.pace(0.7) == 0.7
    audience[0] = 200
    assert load.pace(0.7) == pytest.approx(7.0)
