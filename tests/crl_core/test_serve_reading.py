"""A running endpoint read from this machine, in plain words; any other address, and what is none, in a sentence."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from crl_core.serve.reading import loopback, read_endpoint

METRICS = """# HELP crl_rows_total Rows answered
crl_rows_total 250.0
crl_requests_total{path="/v1/effects",status="200"} 4.0
crl_requests_total{path="/v1/effects",status="422"} 1.0
crl_requests_total{path="/metrics",status="200"} 7.0
crl_invariance_p{environment="site-a"} 0.000125
crl_invariance_drifted{environment="site-a"} 1.0
crl_invariance_drifted{environment="site-b"} 0.0
crl_invariance_alarms_total{environment="site-a"} 2.0
crl_invariance_tests_total{environment="site-a"} 3.0
crl_model{lam="1.9",model="abc onnx"} 1.0
"""


def serving(metrics: str, status: int = 200) -> tuple[HTTPServer, str]:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (metrics if self.path == "/metrics" else '{"status":"ok"}').encode()
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def endpoint() -> Iterator[str]:
    server, address = serving(METRICS)
    yield address
    server.shutdown()
    server.server_close()


def test_the_state_is_what_the_metrics_say(endpoint: str) -> None:
    found = read_endpoint(endpoint)
    assert (found.model, found.rows, found.answered, found.refused) == ("abc onnx", 250, 4, 1)
    a, b = found.watched
    assert (a.label, a.drifted, a.p, a.tests, a.alarms) == ("site-a", True, 0.000125, 3, 2)
    assert (b.label, b.drifted, b.p, b.tests, b.alarms) == ("site-b", False, None, 0, 0)


@pytest.mark.parametrize(("metrics", "status", "says"), [
    ("python_gc 1.0\n", 200, "its metrics name no model"),
    (METRICS, 401, "asks for an API key"),
    (METRICS, 404, "answers /healthz with 404"),
    (METRICS, 302, "answers /healthz with 302"),
])  # fmt: skip
def test_what_is_no_endpoint_is_said(metrics: str, status: int, says: str) -> None:
    server, address = serving(metrics, status)
    try:
        with pytest.raises(ValueError, match=says):
            read_endpoint(address)
    finally:
        server.shutdown()
        server.server_close()


def test_one_that_does_not_answer_is_left_after_a_moment() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ValueError, match=r"did not answer within 0\.2 s"):
            read_endpoint(address, timeout_s=0.2)


@pytest.mark.parametrize(("address", "host", "port"), [
    ("http://127.0.0.1:8000", "127.0.0.1", 8000),
    ("localhost:8123", "127.0.0.1", 8123),
    (" http://127.0.0.2/ ", "127.0.0.2", 80),
    ("http://[::1]:9000", "::1", 9000),
])  # fmt: skip
def test_addresses_of_this_machine_are_read(address: str, host: str, port: int) -> None:
    assert loopback(address) == (host, port)


@pytest.mark.parametrize("address", [
    "http://example.org", "http://10.0.0.1:8000", "http://169.254.169.254/latest", "http://127.0.0.1@example.org:80",
    "http://0.0.0.0:8000", "https://127.0.0.1", "file:///etc/passwd", "http://127.0.0.1:99999", "", "http://localhost.example.org",
])  # fmt: skip
def test_any_other_address_is_refused_before_anything_is_asked(address: str) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1:8000"):
        loopback(address)
