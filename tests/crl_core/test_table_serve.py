"""A model of a table is asked with the table's own columns: missing cells and levels it never saw included."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crl_core import train
from crl_core.cli.program import main
from crl_core.config.table import table_config
from crl_core.config.text import altered
from crl_core.data.tables.columns import Raw
from crl_core.data.tables.making import table_source
from crl_core.data.tables.private import forget_rows, private_rows
from crl_core.data.tables.source import TableSource
from crl_core.export.exporter import make
from crl_core.export.model_file import Model, read_model
from crl_core.network import one_model, predict
from crl_core.results import RunResult
from crl_core.serve.app import create_app
from crl_core.serve.records import covariates_of, inputs_of
from crl_core.serve.settings import Settings
from tests.crl_core.made_up import store_in
from tests.crl_core.test_own_tables import frame
from tests.crl_core.test_serve import Server

ROLES = {"y": "outcome", "t": "treatment", "age": "covariate", "drug": "covariate", "seen": "covariate"}


Made = tuple[TableSource, RunResult, bytes]  # and the ONNX file


def source() -> TableSource:
    rng = np.random.default_rng(0)
    n = 240
    age = rng.normal(50, 10, n)
    age[::9] = np.nan
    columns = {
        "y": np.nan_to_num(age, nan=50.0) / 10 + rng.normal(size=n),
        "t": (rng.random(n) < 0.5).astype(float),
        "age": age,
        "drug": np.array(["pills", "drops", "none"] * (n // 3), dtype=object),
        "seen": np.datetime64("2024-01-01") + rng.integers(0, 300, n).astype("timedelta64[D]"),
    }
    return table_source(Raw(columns=columns), ROLES, label="a table")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A private run, and what the Export page makes of it."""
    table = source()
    rows = private_rows(table)
    config = table_config(rows, np.array([[120, 120]]), lams=(0.0, 1.0), replicates=1, steps=20)
    result = train(altered(config, hidden=8, latent_dim=4, device="cpu"))
    store = store_in(tmp_path_factory.mktemp("store"))
    store.save(result)
    exports = make(store, result, 0.0)
    assert not list(store.root.rglob("*.onnx"))
    content = exports.content("onnx")
    forget_rows(rows.token)
    return table, result, content


@pytest.fixture(scope="module")
def model(made: Made) -> Model:
    return read_model(made[2], "model.onnx")


@pytest.fixture(scope="module")
def server(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    file = tmp_path_factory.mktemp("served") / "model.onnx"
    file.write_bytes(made[2])
    running = Server(create_app(file, Settings()))
    yield running
    running.close()


def test_the_file_carries_the_encoding_and_no_token_of_the_session(made: Made, model: Model) -> None:
    table, result, content = made
    assert covariates_of(model.metadata) == table.covariates
    assert result.config.table is not None
    assert result.config.table.token.encode() not in content  # type: ignore[attr-defined]
    age = model.metadata["features"][0]
    rows = table.all_rows()[0].x[:, 0]
    assert rows.min() < age["low"] < age["high"] < rows.max()  # quantiles: an extreme may be one person's


def test_a_row_of_the_table_gives_what_the_network_gives_of_its_inputs(made: Made, server: Server) -> None:
    row = {"age": 61.5, "drug": "drops", "seen": "2024-03-01"}
    _, answer, _ = server.ask(body={"rows": [row]})
    names = made[0].features
    x = np.zeros((1, len(names)))
    start = np.datetime64(next(column.start for column in made[0].covariates if column.name == "seen"))
    at = {"age": 61.5, "drug = drops": 1.0, "seen": float((np.datetime64("2024-03-01") - start).astype(int))}
    for name, value in at.items():
        x[0, names.index(name)] = value
    _, y0_hat, y1_hat = predict(one_model(made[1].weights, 0), x)
    assert answer["y0"][0] == pytest.approx(float(y0_hat[0, 0]), abs=1e-4)
    assert answer["ite"][0] == pytest.approx(float(y1_hat[0, 0] - y0_hat[0, 0]), abs=1e-4)
    assert answer["notes"] == []


def test_what_is_missing_and_what_training_never_saw_is_filled_and_said(server: Server) -> None:
    rows = [{"drug": "syrup", "seen": ""}, {"age": None, "drug": "pills", "seen": "2024-02-02"}]
    status, answer, _ = server.ask(body={"rows": rows})
    assert status == 200
    assert np.isfinite(answer["ite"]).all()
    assert answer["notes"] == [
        "2 rows with no age, which is taken for the median of training.",
        "1 row with a value of drug that training did not see, which counts as (other).",
        "1 row with no seen, which is taken for the median of training.",
    ]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"agee": 3}], "columns that the model does not know; it knows age, drug, seen"),
        ([{"age": "old"}], "a cell of age cannot be read; it takes a number"),
        ([{"seen": "yesterday"}], "it takes a day such as 2024-05-31"),
        ([{"age": 1}, [0.0] * 6], "send all of them in one form"),
        ([{"age": "1e9"}], "beyond ± 1e+06"),
        ([{"age": 2e6}], "beyond ± 1e+06"),
    ],
)
def test_a_bad_cell_is_refused_in_a_sentence_that_repeats_nothing(
    server: Server, rows: list[object], says: str
) -> None:
    status, answer, _ = server.ask(body={"rows": rows})
    assert status == 422
    assert says in answer["error"]
    assert not {"old", "yesterday", "agee"} & set(answer["error"].replace(";", " ").replace(".", " ").split())


def test_a_list_of_inputs_is_still_understood_and_the_documentation_has_a_row_that_works(server: Server) -> None:
    d = len(source().features)
    assert server.ask(body={"rows": [[0.0] * d]})[0] == 200
    schema = server.ask("/openapi.json")[1]["components"]["schemas"]["EffectsRequest"]
    assert server.ask(body=schema["examples"][0])[0] == 200


def test_the_encoding_of_a_row_is_that_of_training(made: Made, model: Model) -> None:
    """All rows of the table, as they would be sent, give the inputs that were trained on."""
    table = made[0]
    rows, _ = table.all_rows()
    rng = np.random.default_rng(0)
    age = rng.normal(50, 10, 240)
    age[::9] = np.nan
    sent = [
        {"age": None if np.isnan(a) else float(a), "drug": drug}
        for a, drug in zip(age, ["pills", "drops", "none"] * 80, strict=True)
    ]
    x, _ = inputs_of(covariates_of(model.metadata), sent)
    np.testing.assert_allclose(x[:, :5], rows.x[:, :5], rtol=1e-6)


def test_without_the_session_there_is_nothing_to_export(made: Made, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.save(made[1])
    with pytest.raises(ValueError, match="session has ended; load the table again"):
        make(store, replace(made[1]), 0.0)


def test_the_command_writes_the_chosen_model_which_takes_the_tables_own_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, file, effects = frame(), tmp_path / "model.pt", tmp_path / "effects.csv"
    (tmp_path / "trial.csv").write_text(table.to_csv(index=False))
    command = ["table", str(tmp_path / "trial.csv"), "--outcome", "y", "--treatment", "treated", "--json", "-"]
    quick = ["--lam", "0", "1", "--replicates", "1", "--steps", "50", "--effects", str(effects)]
    assert main([*command, *quick, "--export", str(file)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["export"]["lam"] == found["lam"]
    assert found["export"]["bytes"] == file.stat().st_size
    home = pd.read_csv(effects)  # of one fit, so that it is what the file says
    covariates = ["site", "age", "sex", "seen"]
    some = table.loc[[0, 3, 8], covariates]
    running = Server(create_app(file, Settings()))
    rows = [{name: value for name, value in row.items() if value == value} for row in some.to_dict("records")]
    status, answer, _ = running.ask(body={"rows": rows})
    running.close()
    assert status == 200
    np.testing.assert_allclose(answer["ite"], home["effect"][[0, 3, 8]], atol=1e-4)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--export", "model.bin"], "end it in .onnx, .pt2 or .pt"),
        (["--export", "model.pt", "--look"], "give one of them"),
        (["--export", "nowhere/model.pt"], "--export"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_any_training(
    options: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trial.csv").write_text(frame().to_csv(index=False))
    assert main(["table", "trial.csv", "--outcome", "y", "--treatment", "treated", *options]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "epoch" not in said
