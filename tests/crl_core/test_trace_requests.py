"""Rows of samples are sent as the README and the export page say, as many as the endpoint promises to take."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from crl_core import RunConfig, RunStore, Scenario, Training, preset, train
from crl_core.data.ecg import R_AT, heart
from crl_core.export import exporter
from crl_core.export.checkpoint import loading_example, trace_said
from crl_core.export.models import export_model, subject
from crl_core.results import RunResult, data_of
from crl_core.serve.app import create_app
from crl_core.serve.settings import Settings
from tests.crl_core.test_serve import Server

README = Path(__file__).parents[2] / "README.md"
FILTER = preset("filter")
WIDE = RunConfig(
    scenario=Scenario(observation="ecg", n_samples=200, samples=256, rate=250.0),
    training=Training(lams=(0.0,), epochs=1, replicates=1, hidden=8, latent_dim=4),
)


@pytest.fixture(scope="module")
def result() -> RunResult:
    return RunStore().load(FILTER.key)


@pytest.fixture(scope="module")
def server(result: RunResult, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    file = tmp_path_factory.mktemp("traces") / "model.onnx"
    file.write_bytes(export_model(subject(result, 3.0), "onnx"))
    running = Server(create_app(file))
    yield running
    running.close()


def test_the_readmes_request_sends_traces_of_a_file_and_prints_their_effects(
    server: Server, result: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    block = next(text for text in blocks if "traces.csv" in text)
    assert block == exporter.python_client([])
    rows = data_of(FILTER)[1].x[:5]
    np.savetxt(tmp_path / "traces.csv", rows, delimiter=",")
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block.replace(":8000/", f":{server.port}/"), "readme", "exec"), {})
    answer = next(line for line in printed.getvalue().splitlines() if line.startswith("["))  # the server logs as well
    effects = json.loads(answer[: answer.index("]") + 1])
    np.testing.assert_allclose(effects, result.effects(rows)[result.lams.index(3.0)], atol=1e-4)


def test_without_this_program_traces_of_a_file_have_the_same_effects(
    result: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.onnx").write_bytes(export_model(subject(result, 3.0), "onnx"))
    row = data_of(FILTER)[1].x[:1]
    np.savetxt("traces.csv", row, delimiter=",")
    exec(compile(exporter.python_local("model.onnx", "onnx", []), "local", "exec"), {})
    printed = float(capsys.readouterr().out.strip().splitlines()[-1].strip("[]"))
    assert printed == pytest.approx(float(result.effects(row)[result.lams.index(3.0), 0]), abs=1e-4)


def test_the_endpoint_says_what_a_row_is_and_refuses_a_trace_of_another_length(server: Server) -> None:
    said = trace_said(FILTER.scenario)
    assert said == "128 samples of an ECG in mV, 160 a second, an R peak 300 ms after the first"
    assert server.ask("/v1/model")[1]["trace"] == said
    body = server.ask("/openapi.json")[1]["components"]["schemas"]["EffectsRequest"]["properties"]["rows"]
    assert said in body["description"]
    assert "x127" not in body["description"]
    status, refused, _ = server.ask(body={"rows": [[0.0] * 100]})
    assert status == 422
    assert "128" in str(refused)


def test_the_r_peak_is_where_a_sender_is_told_it_is() -> None:
    time = np.arange(WIDE.scenario.samples) / WIDE.scenario.rate
    beat = heart(np.zeros((1, 1)), ("st",), time)[0]
    assert time[beat.argmax()] == pytest.approx(R_AT)
    assert "256 samples of an ECG in mV, 250 a second, an R peak 300 ms after" in trace_said(WIDE.scenario)
    assert trace_said(preset("hospital").scenario) == ""


def test_as_many_rows_as_are_promised_fit_a_request_with_all_their_digits(tmp_path: Path) -> None:
    run = train(WIDE)
    file = tmp_path / "wide.onnx"
    file.write_bytes(export_model(subject(run, 0.0), "onnx"))
    running = Server(create_app(file))
    try:
        rows = -1e-5 * (1 + np.random.default_rng(0).random((Settings().max_rows, 256)))
        text = json.dumps({"rows": rows.tolist(), "environments": ["e" * 64] * len(rows)})
        assert len(text) > 5_000_000
        status, said, _ = running.ask(body=text)
        assert status == 200, said
        np.testing.assert_allclose(said["ite"], run.effects(rows)[0], atol=1e-4)
        many = {"rows": np.zeros((len(rows) + 1, 256)).tolist()}
        assert running.ask(body=many)[0] == 422
    finally:
        running.close()


def test_a_body_of_few_features_has_the_room_that_it_always_had() -> None:
    assert Settings().with_room(2) == Settings()
    assert Settings(max_rows=10).with_room(256).max_body == Settings().max_body
    assert Settings().with_room(256).max_body < 10_000_000


def test_a_checkpoint_of_traces_says_what_its_columns_are(result: RunResult) -> None:
    assert trace_said(FILTER.scenario) in loading_example(result, 3.0)
