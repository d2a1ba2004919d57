"""The run of a person's table taken home: a bundle without rows, and a notebook that asks for the file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from crl_core import train
from crl_core.cli.program import main
from crl_core.config.table import table_config
from crl_core.config.text import altered
from crl_core.data.tables import source as tables
from crl_core.data.tables.making import table_source
from crl_core.data.tables.private import forget_rows, private_rows
from crl_core.data.tables.source import TableSource, find_with
from crl_core.export.notebook import notebook
from crl_core.measures.evidence import gather
from crl_core.measures.projection import project_run
from crl_core.results import RunResult, of_table
from crl_core.runs.bundle import BundleRefused, _json, _zipped, export_bytes, import_run
from crl_core.runs.kept_tables import KeptTables
from crl_core.runs.library import Library
from crl_core.runs.sealing import sealed_entry
from crl_core.runs.store import RunStore
from tests.crl_core.made_up import assert_same, store_in
from tests.crl_core.test_own_tables import ROLES, frame, read

ROOT = Path(__file__).parents[2]
CANARY_NUMBER = 73.15926535897


@dataclass(frozen=True)
class Home:
    """A private run as a session has it, and its table by the hash of its rows."""

    store: RunStore
    result: RunResult
    source: TableSource

    @property
    def key(self) -> str:
        return self.result.config.key


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    table = frame()
    table.loc[7, "age"] = CANARY_NUMBER
    source = table_source(read(table), ROLES, label="trial.csv")
    rows = private_rows(source)
    config = table_config(rows, np.array([[60, 60], [60, 60]]), lams=(0.0, 1.0), replicates=2, steps=40)
    result = train(altered(config, hidden=8, latent_dim=4, device="cpu"))
    store = store_in(tmp_path_factory.mktemp("home"))
    store.save(result)
    store.add(result.config.key, "evidence", gather(result))
    store.add(result.config.key, "projection", project_run(result))
    yield Home(store, result, source)
    forget_rows(rows.token)
    find_with(None)
    tables.forget(source.content)


def members(bundle: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_bundle_of_a_private_table_names_its_columns_and_holds_no_row_nor_the_sessions_token(
    home: Home, tmp_path: Path
) -> None:
    bundle = export_bytes(home.store, home.key, table=home.source)
    found = members(bundle)
    assert "projection.npz" not in found
    assert "events.jsonl" not in found
    whole = b"".join(found.values())
    assert b"age" in whole
    token = home.result.config.table.token  # type: ignore[union-attr]
    assert token.encode() not in whole
    assert home.key.encode() not in whole
    for kind in (np.float64, np.float32):
        assert kind(CANARY_NUMBER).tobytes() not in whole
    there = store_in(tmp_path)
    key = import_run(there, bundle)
    assert [run.key for run in Library(there).runs()] == [key]
    assert_same(there.load(key), of_table(home.result, home.source))
    assert there.part(key, "evidence") is not None
    assert there.part(key, "projection") is None
    with_maps = members(export_bytes(home.store, home.key, table=home.source, maps=True))
    assert "projection.npz" in with_maps
    assert {name for name in with_maps if name not in found} == {"projection.npz"}


def test_a_bundle_of_a_kept_table_has_no_maps_unless_they_are_asked_for(home: Home, tmp_path: Path) -> None:
    there = store_in(tmp_path)
    key = there.save(of_table(home.result, home.source))
    there.add(key, "projection", project_run(home.result))
    assert "projection.npz" not in members(export_bytes(there, key))
    assert "projection.npz" in members(export_bytes(there, key, maps=True))


def test_a_private_run_is_no_bundle_without_its_tables_name_neither_here_nor_there(home: Home, tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="export it from the session that has the table"):
        export_bytes(home.store, home.key)
    found = members(export_bytes(home.store, home.key, table=home.source))
    config = json.loads(found["config.json"]) | {"table": home.result.config.to_dict()["table"]}
    found["config.json"] = _json(config)
    manifest = json.loads(found.pop("manifest.json")) | {"key": home.key}
    manifest["files"]["config.json"] = sealed_entry(found["config.json"])
    with pytest.raises(BundleRefused, match="no name outside the session"):
        import_run(store_in(tmp_path), _zipped({"manifest.json": _json(manifest)} | found))


def test_who_imports_a_bundle_is_told_how_its_rows_are_had(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.zip"
    file.write_bytes(export_bytes(home.store, home.key, table=home.source))
    there = store_in(tmp_path)
    monkeypatch.setenv("CRL_CACHE", str(there.root))
    assert main(["runs", "import", str(file)]) == 0
    assert "The rows of its table are not in it: load its file on the page Data" in capsys.readouterr().out
    columns = {name: values for name, values in read(frame()).columns.items() if name != "id"}
    KeptTables(there).keep(home.source, columns)
    assert main(["runs", "import", str(file)]) == 0
    assert "not in it" not in capsys.readouterr().out


# -- notebook ----------------------------------------------------------------------------------------------------------


def test_a_notebook_of_a_table_names_no_path_and_asks_for_the_file(home: Home) -> None:
    book = json.loads(notebook(of_table(home.result, home.source), 0.0))
    code = "\n".join("".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code")
    compile(code, "notebook", "exec")
    assert 'FILE = ""' in code
    assert home.source.content in code
    assert "It asks for the file of its table" in "".join(book["cells"][0]["source"])
    assert "ite_rmse" not in code


def executed(home: Home, file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[str]]:
    """What the notebook prints, and the titles of its figures, with the table's file at `file`."""
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
    text = notebook(of_table(home.result, home.source), 0.0)
    book = nbformat.reads(text.replace('FILE = \\"\\"', f"FILE = {json.dumps(str(file))[1:-1]!r}"), as_version=4)
    nbformat.validate(book)
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    printed = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    drawn = [output.data["application/vnd.plotly.v1+json"] for output in outputs if "data" in output]
    return printed, [figure["layout"]["title"]["text"] for figure in drawn]


@pytest.mark.slow
def test_the_notebook_reads_the_file_trains_again_and_gets_the_same_figures(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a copy of it.csv"
    table = frame()
    table.loc[7, "age"] = CANARY_NUMBER
    table.to_csv(file, index=False)
    printed, titles = executed(home, file, tmp_path, monkeypatch)
    assert "400 rows, the same as then" in printed
    assert float(printed.split("from the record: ")[1].split()[0]) < 1e-5
    assert titles == ["Average effect along λ", "MMD² while training", "Latents, aligned along λ (PCA)"]


@pytest.mark.slow
def test_the_notebook_stops_at_another_file_with_one_sentence(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbclient.exceptions import CellExecutionError

    frame().to_csv(tmp_path / "trial.csv", index=False)
    with pytest.raises(CellExecutionError, match="is not the one that the run was trained on"):
        executed(home, tmp_path / "trial.csv", tmp_path, monkeypatch)
