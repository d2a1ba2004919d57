"""The model server among strangers: who sends nothing, or slowly, or without the key, keeps nobody else out."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crl_core.serve import middleware, protocol
from crl_core.serve.app import create_app
from crl_core.serve.descriptors import raise_limit
from crl_core.serve.settings import Settings
from tests.crl_core.test_serve import HEAD, KEY, Server, file, made_of  # noqa: F401  # fixtures

BODY = {"rows": [[0, 0]]}


@pytest.fixture
def server(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:  # noqa: F811
    monkeypatch.setattr(protocol, "HEADERS_S", 1.0)
    running = Server(create_app(file, Settings(timeout_s=1.5)))
    yield running
    running.close()


@pytest.fixture
def locked(file: Path) -> Iterator[Server]:  # noqa: F811
    running = Server(create_app(file, Settings(api_key=KEY)))
    yield running
    running.close()


def connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def closed_within(raw: socket.socket, seconds: float) -> bool:
    raw.settimeout(seconds)
    try:
        while raw.recv(4000):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def test_a_thousand_silent_connections_keep_nobody_out_and_are_closed(server: Server) -> None:
    raise_limit()
    silent = [connected(server) for _ in range(1000)]
    assert server.ask("/healthz")[0] == 200
    assert server.ask(body=BODY)[0] == 200
    assert len(protocol.DeadlineProtocol.waiting) <= protocol.MOST_WAITING
    assert all(closed_within(raw, 10.0) for raw in silent)
    assert server.ask(body=BODY)[0] == 200
    for raw in silent:
        raw.close()


@pytest.mark.parametrize("sent", [b"GET /healthz HTTP/1.1\r\nX-", b"POST /v1/effects HTTP/1.1\r\nHost: x\r\nA: "])
@pytest.mark.parametrize("after_an_answer", [False, True])
def test_who_sends_a_header_byte_by_byte_is_hung_up_on(server: Server, sent: bytes, after_an_answer: bool) -> None:
    with connected(server) as raw:
        if after_an_answer:
            raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in raw.recv(4000)
        raw.sendall(sent)
        begun = time.monotonic()
        while time.monotonic() - begun < 10:
            try:
                raw.sendall(b"a")
            except ConnectionError:
                break
            time.sleep(0.1)
        assert time.monotonic() - begun < 5


def test_a_connection_that_idles_between_two_requests_is_kept(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    for _ in range(3):
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b'{"status":"ok"}')
        time.sleep(1.2)  # more than the headers have
    connection.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HEAD + b'Content-Length: 100\r\n\r\n{"rows"', b" 408 "),
        (HEAD + b"Content-Length: 12000012\r\n\r\n", b" 413 "),
        (HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b" 400 "),
        (b"\x16\x03\x01 this is no HTTP\r\n\r\n", b" 400 "),
    ],
)
def test_a_connection_with_half_a_request_is_closed_with_the_refusal(
    server: Server, sent: bytes, status: bytes
) -> None:
    with connected(server) as raw:
        raw.sendall(sent)
        answer = raw.recv(4000)
        assert status in answer.split(b"\r\n")[0]
        assert json.loads(answer.partition(b"\r\n\r\n")[2] or raw.recv(4000))["error"].endswith(".")
        assert closed_within(raw, 5.0)


def test_head_is_answered_as_get_without_a_body(server: Server) -> None:
    for path in ("/healthz", "/v1/model", "/docs", "/metrics"):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("HEAD", path)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
        connection.close()


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff\xfe", b'{"rows": [[' + b"9" * 5000 + b", 1]]}"])
def test_json_that_cannot_be_read_is_told_in_our_words(server: Server, body: bytes) -> None:
    status, said, _ = server.ask(body=body)
    assert status in (400, 422)
    assert "see /docs for what is expected" in said["error"]
    assert "parsing" not in said["error"]


def test_with_a_key_nothing_is_told_to_who_has_none(locked: Server) -> None:
    for path in ("/docs", "/docs/page.js", "/redoc", "/openapi.json", "/v1/model", "/metrics", "/nothing"):
        assert locked.ask(path)[0] == 401, path
    assert locked.ask("/healthz")[0] == 200
    assert locked.ask("/openapi.json", X_API_Key=KEY)[1]["components"]["securitySchemes"]


def test_the_key_is_asked_for_before_the_body_is_read(locked: Server) -> None:
    with connected(locked) as raw:
        raw.sendall(HEAD + b"Content-Length: 900000\r\n\r\n")  # of which nothing comes
        begun = time.monotonic()
        assert b" 401 " in raw.recv(4000).split(b"\r\n")[0]
        assert time.monotonic() - begun < 5


def test_one_can_always_ask_whether_it_is_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "MOST_AT_ONCE", 0)
    status, said, headers = server.ask(body=BODY)
    assert (status, headers["retry-after"]) == (503, "1")
    assert "try again" in said["error"]
    assert server.ask("/healthz")[0] == 200
