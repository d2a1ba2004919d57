"""The endpoint over HTTP: effects as the network gives them, bad input in one sentence, and an alarm when z moves."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from crl_core import PRESETS, RunStore
from crl_core.cli.program import main
from crl_core.data.interventions import deploy
from crl_core.export.exporter import dockerfile
from crl_core.export.model_file import read_model
from crl_core.export.models import Subject, export_model, subject
from crl_core.serve.app import create_app
from crl_core.serve.monitor import ALARM, OTHERS, Monitor
from crl_core.serve.monitor_process import test_window as p_of_window
from crl_core.serve.protocol import DeadlineProtocol
from crl_core.serve.settings import Settings

CONFIG = PRESETS["linear"].config
KEY = "a-key-for-tests"
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def made_of() -> Subject:
    return subject(RunStore().load(CONFIG.key), 1.9)


@pytest.fixture(scope="module")
def file(made_of: Subject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served") / "model.onnx"
    path.write_bytes(export_model(made_of, "onnx-int8"))
    return path


class Server:
    """The app behind a real uvicorn in a thread."""

    def __init__(self, app: Any) -> None:
        import uvicorn

        self.app, self.socket = app, socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=2,
            proxy_headers=False,
            http=DeadlineProtocol,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self.socket]}, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def ask(self, path: str = "/v1/effects", body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        content = body if isinstance(body, (bytes, str)) else None if body is None else json.dumps(body).encode()
        sent = {
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        connection.request("GET" if body is None else "POST", path, content, sent)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return (
            answer.status,
            json.loads(text) if "json" in found.get("content-type", "") else text,
            found,
        )

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)


@pytest.fixture(scope="module")
def server(file: Path) -> Iterator[Server]:
    running = Server(create_app(file, Settings(timeout_s=1.5)))
    yield running
    running.close()


# -- effects -----------------------------------------------------------------------------------------------------------


def test_held_out_rows_over_http_have_the_ite_rmse_of_the_report(server: Server, made_of: Subject) -> None:
    x = made_of.held_out.x
    ite: list[float] = []
    for at in range(0, len(x), 1000):
        status, said, _ = server.ask(body={"rows": x[at : at + 1000].tolist()})
        assert status == 200
        assert np.allclose(np.subtract(said["y1"], said["y0"]), said["ite"], atol=1e-5)
        ite += said["ite"]
    assert np.sqrt(np.mean((np.array(ite) - made_of.held_out.ite) ** 2)) < 0.13


def test_the_example_of_the_openapi_page_works(server: Server) -> None:
    status, said, _ = server.ask("/openapi.json")
    example = said["components"]["schemas"]["EffectsRequest"]["examples"][0]
    assert status == 200
    status, answer, _ = server.ask(body=example)
    assert status == 200
    assert len(answer["ite"]) == len(example["rows"])
    assert set(answer["invariance"]["environments"]) == set(example["environments"])


def test_the_model_says_what_it_is_and_metrics_can_be_read(server: Server) -> None:
    _, about, _ = server.ask("/v1/model")
    assert (about["key"], about["lam"], about["format"]) == (CONFIG.key, 1.9, "onnx-int8")
    assert [item["name"] for item in about["features"]] == ["z1", "s1"]
    assert server.ask("/healthz")[1] == {"status": "ok"}
    server.ask(body={"rows": [[0, 0]], "environments": ["seen-in-metrics"]})
    _, metrics, _ = server.ask("/metrics")
    assert 'crl_invariance_drifted{environment="seen-in-metrics"} 0.0' in metrics
    assert "crl_request_seconds_bucket" in metrics


# -- bad input ---------------------------------------------------------------------------------------------------------

BAD = {
    "too few features": {"rows": [[1.0]]},
    "too many features": {"rows": [[1.0, 2.0, 3.0]]},
    "NaN": b'{"rows": [[NaN, 1]]}',
    "infinity": b'{"rows": [[Infinity, 1]]}',
    "overflow": b'{"rows": [[1e999, 1]]}',
    "beyond float32": {"rows": [[1e30, 1.0]]},
    "strings": {"rows": [["1", "2"]]},
    "booleans": {"rows": [[True, False]]},
    "null": {"rows": [[None, 1.0]]},
    "empty batch": {"rows": []},
    "too many rows": {"rows": [[0, 0]] * 1025},
    "no rows": {},
    "another field": {"rows": [[0, 0]], "debug": True},
    "not JSON": b"{",
    "not UTF-8": b"\xff\xfe{}",
    "a list": [1, 2],
    "deep nesting": b'{"rows": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "other number of labels": {"rows": [[0, 0]] * 3, "environments": ["a", "b"]},
    "long label": {"rows": [[0, 0]], "environments": ["a" * 100_000]},
    "control characters": {"rows": [[0, 0]], "environments": ['a\n{"status": 200}']},
    "label with a trailing line": {"rows": [[0, 0]], "environments": ["a\n"]},
    "empty label": {"rows": [[0, 0]], "environments": [""]},
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_gets_a_sentence_and_the_server_goes_on(what: str, server: Server) -> None:
    status, said, _ = server.ask(body=BAD[what])
    assert status in (400, 413, 422), said
    assert set(said) == {"error", "request_id"}
    assert "\n" not in said["error"]
    assert len(said["error"]) < 300
    assert server.ask(body={"rows": [[0.0, 0.0]]})[0] == 200


def test_a_row_that_is_refused_is_told_by_the_names_of_its_features(server: Server) -> None:
    said = [server.ask(body={"rows": [[0.0, 0.0], row]})[1]["error"] for row in ([1.0], [1.0, 2.0, 3.0], [1.0, "two"])]
    assert said[0].startswith("body.rows.1: give 2 numbers, z1, s1; this row has 1; see ")
    assert said[1].startswith("body.rows.1: give 2 numbers, z1, s1; this row has 3; see ")
    assert said[2].startswith("body.rows.1.1: s1: Input should be a valid number")


def test_each_row_says_which_of_its_inputs_training_never_saw(server: Server, made_of: Subject) -> None:
    train = made_of.held_out.x.astype(np.float32)
    seen = {item["name"]: (item["low"], item["high"]) for item in server.ask("/v1/model")[1]["features"]}
    inside = [sum(ends) / 2 for ends in seen.values()]
    rows = [inside, [inside[0], -40.0], [99.0, -40.0], *train[:50].tolist()]
    said = server.ask(body={"rows": rows})[1]["outside_range"]
    assert said[:3] == [[], ["s1"], ["z1", "s1"]]
    assert said[3:] == [
        [name for name, value in zip(seen, row, strict=True) if not seen[name][0] <= value <= seen[name][1]]
        for row in train[:50].tolist()
    ]


HEAD = b"POST /v1/effects HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def test_a_million_rows_are_refused_by_their_size(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
        raw.sendall(HEAD + b"Content-Length: 12000012\r\n\r\n")
        assert b" 413 " in raw.recv(4000).split(b"\r\n")[0]
    body = json.dumps({"rows": [[0, 0]] * 200_000}).encode()  # the length unknown beforehand
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
        raw.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        raw.sendall(b"%x\r\n" % len(body) + body[:1_100_000])
        assert b" 413 " in raw.recv(4000).split(b"\r\n")[0]


def test_a_sender_that_stops_is_not_waited_for(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
        raw.sendall(HEAD + b'Content-Length: 100\r\n\r\n{"rows"')
        assert b" 408 " in raw.recv(4000).split(b"\r\n")[0]


def test_there_are_no_other_doors(server: Server) -> None:
    for path in ("/", "/debug", "/v1", "/v1/effects/..%2f..%2fetc", "/admin"):
        status, said, _ = server.ask(path)
        assert status == 404
        assert said["error"] == "there is nothing at this address; see /docs for those there are."
    status, said, _ = server.ask("/v1/effects")
    assert (status, said["error"]) == (405, "this address takes POST only; see /docs.")


def test_a_body_that_is_not_called_json_is_told_how_to_be_sent(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request(
        "POST", "/v1/effects", b'{"rows": [[0, 0]]}', {"content-type": "application/x-www-form-urlencoded"}
    )
    answer = connection.getresponse()
    assert answer.status == 422
    assert "content-type: application/json" in json.loads(answer.read())["error"]


def test_the_app_keeps_its_own_openapi_description(server: Server) -> None:
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.checks import CHECKS, load_all_checks

    load_all_checks()
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")
    named = (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    )
    checks = CHECKS.get_by_names(
        named
    )  # whether a positive case is accepted cannot be in a schema: labels must match rows
    operations = [item.ok() for item in schema.get_all_operations()]
    assert {item.path for item in operations} == {"/v1/effects", "/v1/model", "/healthz", "/metrics"}
    for operation in operations:
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            if mode is schemathesis.GenerationMode.NEGATIVE and operation.method != "post":
                continue

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=40,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def holds(case: Any) -> None:
                case.call_and_validate(checks=checks)

            holds()


# -- the log, the key, the process -------------------------------------------------------------------------------------


def test_a_log_line_names_the_request_and_never_the_features(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"rows": [[0.123456, 0.654321]], "environments": ["site-a"]}
    _, _, headers = server.ask(body=body, X_Request_ID="given-1")
    assert headers["x-request-id"] == "given-1"
    server.ask(body={"rows": [[0.123456]], "environments": ["b\r\nc"]}, X_Request_ID="bad id\t")
    out = ""
    for _ in range(100):  # a line is written after its answer
        out += capsys.readouterr().out
        if out.count("request_id") == 2:
            break
        time.sleep(0.1)
    of_request = {line["request_id"]: line for line in map(json.loads, out.splitlines()) if "request_id" in line}
    given = of_request.pop("given-1")
    said = {"rows": 1, "status": 200, "path": "/v1/effects", "environments": {"site-a": 1}}
    assert {name: given[name] for name in said} == said
    assert given["ms"] > 0
    assert [line["status"] for line in of_request.values()] == [422]
    assert "123456" not in out


def test_features_are_logged_where_that_is_asked_for(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    running = Server(create_app(file, Settings(log_features=True)))
    running.ask(body={"rows": [[0.25, 0.5]]})
    running.close()
    assert json.loads(capsys.readouterr().out.splitlines()[0])["features"] == [[0.25, 0.5]]


def test_with_a_key_only_its_holders_get_answers(file: Path) -> None:
    running = Server(create_app(file, Settings(api_key=KEY)))
    body = {"rows": [[0, 0]]}
    assert running.ask(body=body)[0] == 401
    assert running.ask(body=body, X_API_Key="wrong")[0] == 401
    assert running.ask(body=body, X_API_Key="w\xf6rong")[0] == 401
    assert running.ask("/metrics")[0] == 401
    assert running.ask("/healthz")[0] == 200
    assert running.ask(body=body, X_API_Key=KEY)[0] == 200
    running.close()


def test_the_command_serves_an_onnx_file_without_torch_and_ends_when_told(file: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom crl_core.cli.program import main\n"
        f"status = main(['serve', {str(file)!r}, '--port', '0'])\nprint('torch' in sys.modules)\nraise "
        f"SystemExit(status)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = json.loads(process.stdout.readline())["address"]
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
    connection.request("POST", "/v1/effects", json.dumps({"rows": [[0, 0]]}), {"content-type": "application/json"})
    assert connection.getresponse().status == 200
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert json.loads(out.splitlines()[-2])["event"] == "stopped"
    assert out.splitlines()[-1] == "False"  # torch was never imported


def test_the_packages_of_the_dockerfile_are_all_that_serving_needs(file: Path, tmp_path: Path) -> None:
    text = dockerfile(file.name, "onnx-int8")
    allowed = {"numpy", "scipy", "fastapi", "uvicorn", "prometheus-client", "onnxruntime"}
    assert set(re.findall(r"([a-z-]+)==", text)) == allowed
    others = (
        "torch",
        "sklearn",
        "pandas",
        "plotly",
        "streamlit",
        "joblib",
        "safetensors",
        "filelock",
        "onnx",
        "onnxscript",
    )
    code = (
        "import runpy, sys\n"
        f"for name in {others!r}: sys.modules[name] = None\n"  # importing one of them raises ImportError
        f"sys.argv = ['serve', {str(file)!r}, '--port', '0']\n"
        "runpy.run_module('crl_core.serve', run_name='__main__')"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = json.loads(process.stdout.readline())["address"]
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
    for _ in range(2):  # enough rows that the monitor's process tests them as well
        body = json.dumps({"rows": [[0.0, 0.0]] * 50})
        connection.request("POST", "/v1/effects", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200
        answer.read()
    deadline = time.monotonic() + 60
    tested = False
    while not tested and time.monotonic() < deadline:
        connection.request("GET", "/metrics")
        tested = 'crl_invariance_p{environment="unnamed"}' in connection.getresponse().read().decode()
        time.sleep(0.1)
    assert tested
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_a_damaged_file_and_a_port_in_use_end_with_a_sentence(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(file.read_bytes()[:5000])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for command, word in (
            (["serve", str(file), "--port", port], "choose another with --port"),
            (["serve", str(damaged), "--port", "0"], "export it again"),
            (["serve", str(tmp_path / "none.onnx"), "--port", "0"], "cannot be read"),
            (["serve", str(file), "--port", "70000"], "from 0 to 65535"),
            (["serve", str(file), "--port", "0", "--api-key", "short"], "8 to 200"),
            (["serve", str(file), "--port", "0", "--max-rows", "0"], "max_rows is 0"),
        ):
            assert main(command) == 2
            said = capsys.readouterr().err.strip()
            assert word in said
            assert "\n" not in said


# -- behind a proxy ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told(file: Path) -> Iterator[Server]:
    """A server that learns its prefix from the proxy's header."""
    running = Server(create_app(file, Settings()))
    yield running
    running.close()


@pytest.fixture(scope="module")
def placed(file: Path) -> Iterator[Server]:
    """A server that was given its prefix."""
    running = Server(create_app(file, Settings(root_path="/tools/models/")))
    yield running
    running.close()


@pytest.mark.parametrize("stripped", [True, False])
@pytest.mark.parametrize("prefix", ["/models", "/tools/v1.2_~-x", "/v1", "/docs"])
def test_under_a_prefix_every_address_is_right_whether_the_proxy_takes_it_off_or_not(
    told: Server, prefix: str, stripped: bool
) -> None:
    def ask(path: str, body: Any = None) -> tuple[int, Any, dict[str, str]]:
        return told.ask(path if stripped else prefix + path, body, X_Forwarded_Prefix=prefix, Host="a.example")

    assert ask("/openapi.json")[1]["servers"] == [{"url": prefix}]
    assert ask("/v1/effects", {"rows": [[0.0, 0.0]]})[0] == 200
    assert f"see {prefix}/docs for" in ask("/none")[1]["error"]
    assert f"see {prefix}/docs." in ask("/v1/effects")[1]["error"]
    assert f"see {prefix}/docs for" in ask("/v1/effects", {"rows": []})[1]["error"]
    for path in ("/docs", "/docs/page.js", "/docs/page.css", "/healthz"):
        assert ask(path)[0] == 200
    if prefix not in ("/v1", "/docs") or not stripped:
        status, _, headers = ask("/docs/")
        assert (status, headers["location"]) == (307, f"http://a.example{prefix}/docs")


def test_one_prefix_leaves_nothing_behind_for_the_next_request(told: Server) -> None:
    told.ask("/openapi.json", X_Forwarded_Prefix="/models")
    assert "servers" not in told.ask("/openapi.json")[1]


def test_the_given_prefix_wins_over_what_a_visitor_sends(placed: Server) -> None:
    for path in ("/openapi.json", "/tools/models/openapi.json"):
        for sent in ({}, {"X_Forwarded_Prefix": "/elsewhere"}, {"X_Forwarded_Prefix": "//evil"}):
            assert placed.ask(path, **sent)[1]["servers"] == [{"url": "/tools/models"}]
    assert placed.ask("/tools/modelsx/openapi.json")[0] == 404
    assert placed.ask("/tools/models/v1/effects", {"rows": [[0.0, 0.0]]})[0] == 200


def test_metrics_and_log_name_the_addresses_without_the_prefix(
    placed: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    placed.ask("/tools/models/v1/model")
    assert 'crl_requests_total{path="/v1/model",status="200"}' in placed.ask("/metrics")[1]
    assert "/v1/model" in [json.loads(line)["path"] for line in capsys.readouterr().out.splitlines()]


def test_a_host_that_is_not_trusted_tells_nothing(file: Path) -> None:
    running = Server(create_app(file, Settings(trusted_proxies="10.0.0.0/8,::1")))
    sent = {"X_Forwarded_Prefix": "/models", "X_Forwarded_Proto": "https", "Host": "a.example"}
    assert "servers" not in running.ask("/openapi.json", **sent)[1]
    assert running.ask("/openapi.json", X_Forwarded_Prefix="//evil")[0] == 200
    assert running.ask("/docs/", **sent)[2]["location"] == "http://a.example/docs"
    running.close()


def test_a_trusted_proxy_tells_the_scheme_and_the_visitor(told: Server) -> None:
    sent = {"X_Forwarded_Prefix": "/models", "X_Forwarded_Proto": "https", "Host": "a.example"}
    assert told.ask("/docs/", **sent)[2]["location"] == "https://a.example/models/docs"


NO_PREFIXES = (
    "models",
    "//evil.example",
    "/a//b",
    "https://evil.example",
    "/a/../b",
    "/..",
    "/./a",
    "/a?b",
    "/a#b",
    "/a b",
    "/a\\b",
    "/a%2e%2e",
    "/a,/b",
    "/<script>",
    "/\xe4",
    "/" + "a" * 300,
)


@pytest.mark.parametrize("prefix", NO_PREFIXES)
def test_what_is_no_prefix_gets_a_sentence_that_does_not_repeat_it(
    prefix: str, told: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said, _ = told.ask("/openapi.json", X_Forwarded_Prefix=prefix)
    assert status == 400
    assert "X-Forwarded-Prefix" in said["error"]
    assert prefix not in json.dumps(said).replace("such as /models", "").replace("no // and no ..", "")
    assert main(["serve", "x.onnx", "--port", "0", "--root-path", prefix]) == 2
    assert "path such as /models" in capsys.readouterr().err


@pytest.mark.parametrize("prefix", ["/a\nb", "/a\x00", "/a\n"])
def test_control_characters_are_no_prefix(prefix: str) -> None:
    with pytest.raises(ValueError, match="path such as /models"):
        Settings(root_path=prefix)


@pytest.mark.parametrize("proxies", ["localhost", "127.0.0.1,nginx", "10.0.0.1/8", "*,10.0.0.1", "300.0.0.1"])
def test_a_proxy_that_has_no_address_is_named(proxies: str, capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--trusted-proxies", "--forwarded-allow-ips"):
        assert main(["serve", "x.onnx", "--port", "0", flag, proxies]) == 2
        said = capsys.readouterr().err.strip()
        assert "addresses or networks" in said
        assert "\n" not in said


def test_the_documentation_is_files_of_this_server_and_allows_no_others(server: Server) -> None:
    status, page, headers = server.ask("/docs")
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in headers["content-security-policy"]
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert not re.match(r"https?:|//|/", address), "an address that is not relative breaks under a prefix"
        assert address == "data:," or server.ask(f"/{address}")[0] == 200
    assert server.ask("/redoc")[0] == 404


def test_the_command_says_at_once_what_it_is_doing(file: Path) -> None:
    code = (
        "import sys\nfrom crl_core.cli.program import main\n"
        "class Slow:\n    def find_spec(self, name, *_):\n"
        "        if name == 'uvicorn' and 'crl_core.serve.middleware' in sys.modules: print('importing', flush=True)\n"
        f"sys.meta_path.insert(0, Slow())\nmain(['serve', {str(file)!r}, '--port', '0', '--root-path', '/models'])"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    opening, importing, listening = (process.stdout.readline() for _ in range(3))
    process.terminate()
    process.communicate(timeout=20)
    assert importing == "importing\n"
    said = [json.loads(line) for line in (opening, listening)]
    assert [item["event"] for item in said] == ["opening", "listening"]
    assert said[0]["file"] == str(file)
    assert said[0]["address"] == said[1]["address"]
    assert said[1]["root_path"] == "/models"


# -- the monitor -------------------------------------------------------------------------------------------------------


@pytest.fixture
def monitor(file: Path) -> Iterator[Monitor]:
    model = read_model(file.read_bytes(), "m")
    found = Monitor(model.reference, model.environment, Settings())
    yield found
    found.close()


def latents(file: Path, x: np.ndarray) -> np.ndarray:
    return read_model(file.read_bytes(), "m").run(x.astype(np.float32))[2]


@pytest.mark.parametrize(("kind", "dose"), [("z-shift", 1.0), ("z-set", 1.0), ("z-set", 0.0)])
def test_an_intervention_on_z_raises_drifted_within_200_rows_over_http_and_unchanged_rows_do_not(
    server: Server, kind: str, dose: float
) -> None:
    site, home = f"{kind}-{dose:g}", f"home-of-{kind}-{dose:g}"
    changed = deploy(CONFIG.scenario, kind, dose, 200, 7).x
    same = deploy(CONFIG.scenario, "none", 0.0, 200, 7).x
    for at in range(0, 200, 50):
        server.ask(body={"rows": changed[at : at + 50].tolist(), "environments": [site]})
        server.ask(body={"rows": same[at : at + 50].tolist(), "environments": [home]})
    assert server.app.state.monitor.settle()
    _, said, _ = server.ask(body={"rows": changed[:1].tolist(), "environments": [site]})
    assert said["invariance"]["status"] == "drifted"
    assert said["invariance"]["p"] <= ALARM
    _, said, _ = server.ask(body={"rows": same[:1].tolist(), "environments": [home]})
    assert said["invariance"]["status"] == "ok"
    assert f'crl_invariance_drifted{{environment="{site}"}} 1.0' in server.ask("/metrics")[1]


def test_two_hundred_windows_of_unchanged_rows_raise_hardly_an_alarm(file: Path) -> None:
    model, rng, alarms = read_model(file.read_bytes(), "m"), np.random.default_rng(1), 0
    phi = latents(file, deploy(CONFIG.scenario, "none", 0.0, 40_000, 3).x)
    phi = phi[np.random.default_rng(0).permutation(len(phi))]
    for window in phi.reshape(200, 200, -1):
        p, _ = p_of_window(window.astype(np.float64), model.reference, model.environment, rng)
        alarms += p <= ALARM
    assert alarms <= 2  # 1 %; the level asks for .05 in expectation, and windows share one reference sample


@pytest.mark.slow
def test_a_long_sliding_stream_of_unchanged_rows_stays_quiet_and_a_shift_is_seen_in_each_of_five_draws(
    file: Path,
) -> None:
    model, rng = read_model(file.read_bytes(), "m"), np.random.default_rng(2)

    def alarms(phi: np.ndarray) -> list[bool]:
        ends = range(50, len(phi) + 1, 50)
        return [
            p_of_window(phi[max(0, end - 200) : end].astype(np.float64), model.reference, model.environment, rng)[0]
            <= ALARM
            for end in ends
        ]

    phi = latents(file, deploy(CONFIG.scenario, "none", 0.0, 10_000, 4).x)
    phi = phi[np.random.default_rng(1).permutation(len(phi))][:5000]
    assert sum(alarms(phi)) <= 1  # of 100 windows
    for seed in range(5):
        shifted = latents(file, deploy(CONFIG.scenario, "z-shift", 1.0, 400, 20 + seed).x)
        assert any(alarms(shifted[np.random.default_rng(seed).permutation(400)][:200]))


def test_a_single_known_site_is_no_drift(file: Path, made_of: Subject, monitor: Monitor) -> None:
    rows = made_of.train
    for env in (0, 1):
        monitor.add(f"site-{env}", latents(file, rows.x[rows.env == env][:200]))
    assert monitor.settle()
    assert {state.status for state in monitor.states().values()} == {"ok"}


def test_memory_stays_bounded_whatever_labels_come(file: Path) -> None:
    model = read_model(file.read_bytes(), "m")
    monitor = Monitor(model.reference, model.environment, Settings(max_labels=3))
    for at in range(500):
        monitor.add(f"label-{at}", model.reference[:1])
    monitor.close()
    states = monitor.states()
    assert list(states) == ["label-0", "label-1", "label-2", OTHERS]
    assert states[OTHERS].rows == 497
    assert monitor.place("label-400") == OTHERS


def test_labels_that_idle_give_way_to_new_ones(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from crl_core.serve import monitor as module

    model, clock = read_model(file.read_bytes(), "m"), [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(**vars(time) | {"monotonic": lambda: clock[0]}))  # there only
    monitor = Monitor(model.reference, model.environment, Settings(max_labels=3, idle_s=600))
    for label in ("junk 1", "junk 2", "site"):
        monitor.add(label, model.reference[:1])
    monitor.add("early", model.reference[:1])
    assert monitor.place("early") == OTHERS
    clock[0] = 500.0
    monitor.add("site", model.reference[:1])
    clock[0] = 700.0
    monitor.add("clinic", model.reference[:1])
    assert set(monitor.states()) == {"site", "junk 2", "clinic", OTHERS}
    monitor.close()


def test_a_window_is_the_newest_rows_and_one_row_is_warming_up(file: Path, monitor: Monitor) -> None:
    k = read_model(file.read_bytes(), "m").reference.shape[1]
    monitor.add("a", np.full((1, k), 1.0, np.float32))
    assert monitor.state("a").status == "warming up"
    assert monitor.state("never seen").rows == 0
    for value in range(450):
        monitor.add("a", np.full((1, k), value, np.float32))
    assert sorted(monitor._watches["a"].latents[:, 0]) == list(range(250, 450))
    monitor.add("a", np.full((1000, k), 7.0, np.float32))
    assert (monitor._watches["a"].latents == 7.0).all()


def test_a_killed_tester_is_started_again(file: Path, monitor: Monitor) -> None:
    model = read_model(file.read_bytes(), "m")
    monitor._tester._process.kill()
    monitor._tester._process.wait()
    monitor.add("a", model.reference[:100])
    assert monitor.settle()
    assert monitor.state("a").tests == 1


def test_the_environment_variable_gives_the_key(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "crl_core", "serve", str(file), "--port", "0"],
        env={**os.environ, "CRL_API_KEY": "short"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "8 to 200" in done.stderr
