"""What the flat version 1 wrote keeps its key, opens, and is equal. `before/` holds files that it made."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crl_core import RunConfig, RunStore, preset
from crl_core.results import view_rows
from crl_core.runs.bundle import export_bytes, import_run

ROOT = Path(__file__).parents[1]
BEFORE = Path(__file__).parent / "before"
BAKED = ROOT / "cache" / "baked"
BUNDLES = {  # the first half of the SHA-256 of a baked run's bundle
    "hospital": "4007abc052d5b8ce",
    "recipe": "42c195a40912a8c5",
    "leaky": "fb01cfe830f011da",
    "sensors": "66298b4301eec41d",
    "hospitals": "5bdcab01519d36ed",
    "shifted": "10121f771da0293f",
    "confounded": "6a3638695bef9e7e",
}
TABLES = {
    "claims-identify.json": "6c0c9b70941f877f",
    "claims-penalties.json": "6e8ae6135f9c6401",
    "claims-unseen.json": "88608b269ec3c04e",
    "claims.json": "f472d8f048d5fcbe",
    "environments.json": "6b5e604198af80f8",
    "identify.json": "0793961683aa7956",
    "penalties.json": "fa9ce2cc95717620",
    "unseen.json": "06689659dc205fe9",
}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


@pytest.mark.parametrize("written", json.loads((BEFORE / "configs.json").read_text()), ids=lambda item: item["key"])
def test_a_config_that_version_1_wrote_still_names_its_run(written: dict[str, Any]) -> None:
    config = RunConfig.from_dict(written["config"])
    assert config.key_in(1) == written["key"]
    assert not config.training.standardise
    assert RunConfig.from_dict(json.loads(config.to_json())) == config
    assert config.to_dict() == written["config"]


@pytest.mark.parametrize("name", BUNDLES)
def test_a_baked_run_opens_and_its_bundle_is_the_same_to_the_byte(name: str, tmp_path: Path) -> None:
    assert digest(export_bytes(RunStore(tmp_path, BAKED), preset(name).key)) == BUNDLES[name]


@pytest.mark.parametrize("name", TABLES)
def test_a_baked_table_is_the_same_to_the_byte(name: str) -> None:
    assert digest((BAKED / name).read_bytes()) == TABLES[name]


def test_a_bundle_of_before_is_imported_and_goes_out_as_it_came(tmp_path: Path) -> None:
    store, content = RunStore(tmp_path / "cache", tmp_path / "baked"), (BEFORE / "run.zip").read_bytes()
    key = import_run(store, content)
    assert key == "de8e11f1cb25f60b"
    assert export_bytes(store, key) == content
    result = store.load(key)
    config = result.config
    assert (config.scenario.shared_units, config.training.balanced, config.training.matching) == (8, True, "rank")
    view = view_rows(config)
    assert view.ite is not None
    assert np.isfinite(result.factual_mse).all()


@pytest.mark.slow
def test_a_notebook_taken_home_before_still_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells as one script: what it imports and calls is still there, and gives the recorded figures."""
    cells = json.loads((BEFORE / "notebook.ipynb").read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    script = tmp_path / "notebook.py"
    script.write_text(code.replace("figure.show()", "figure.to_json()"))
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split("from the record: ")[1].split()[0]) < 1e-5
