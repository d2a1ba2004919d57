"""What the flat version 1 wrote keeps its key, opens, and is equal. `before/` holds files that it made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crl_core import RunConfig, RunStore
from crl_core.results import view_rows
from crl_core.runs.bundle import export_bytes, import_run

ROOT = Path(__file__).parents[1]
BEFORE = Path(__file__).parent / "before"


@pytest.mark.parametrize("written", json.loads((BEFORE / "configs.json").read_text()), ids=lambda item: item["key"])
def test_a_config_that_version_1_wrote_still_names_its_run(written: dict[str, Any]) -> None:
    config = RunConfig.from_dict(written["config"])
    assert config.key_in(1) == written["key"]
    assert not config.training.standardise
    assert RunConfig.from_dict(json.loads(config.to_json())) == config
    assert config.to_dict() == written["config"]


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
