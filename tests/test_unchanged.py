"""What the flat version 1 wrote keeps its key, opens, and is equal. `before/` holds files that it made."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crl_core import PRESETS, RunConfig, RunStore, preset
from crl_core.results import view_rows
from crl_core.runs.bundle import export_bytes, import_run

ROOT = Path(__file__).parents[1]
BEFORE = Path(__file__).parent / "before"
BAKED = ROOT / "cache" / "baked"
KEYS = {
    "hospital": "8f20aa3f76c5c2bf",
    "recipe": "ab88dfa2aa144e84",
    "leaky": "908c37046dc2dd29",
    "sensors": "db2ec017b4f77358",
    "hospitals": "4e5ecabdb80d896e",
    "shifted": "ff30fd4146fb2e6d",
    "confounded": "594e8d3cd999120b",
}
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
OTHER_KEYS = [
    ({"preset": "hospital", "scenario": {"shared_units": 16}, "training": {}}, "3e633c9a56b93968"),
    (
        {"preset": "hospital", "scenario": {"env_weight": (1.0, 0.05)}, "training": {"balanced": True}},
        "26b527388a8972f7",
    ),
    (
        {
            "preset": "hospitals",
            "scenario": {"n_samples": 2001, "noise": 0.3},
            "training": {"matching": "rank", "penalty": "contrastive", "bandwidth": 2.5},
        },
        "ab5bdf90b346d542",
    ),
    (
        {
            "preset": "leaky",
            "scenario": {"sigma": (0.1, 2.0), "leak": -0.5},
            "training": {"penalty": "irm", "lams": (0.0, 0.1, 3.0)},
        },
        "7b3c9e569f090544",
    ),
    (
        {
            "preset": "sensors",
            "scenario": {"mixing": "nonlinear", "dim_spurious": 7},
            "training": {"align": "treatment", "seed": 2147483647},
        },
        "9681d1cc0b9519ab",
    ),
    (
        {
            "preset": "recipe",
            "scenario": {
                "sigma": (0.3,),
                "offset": (0.0,),
                "propensity": (0.5,),
                "cause_mean": (0.0,),
                "cause_scale": (1.0,),
                "env_weight": (1.0,),
            },
            "training": {"learning_rate": 0.0003, "hidden": 32},
        },
        "16c967e968e9f6b0",
    ),
    (
        {
            "preset": "confounded",
            "scenario": {"confounding": -1.25, "effect": 0.0},
            "training": {
                "latent_dim": 3,
                "batch_size": 512,
                "device": "cpu",
                "epochs": 1000,
                "replicates": 1,
                "lams": (0.0001, 10000.0),
            },
        },
        "2591e4290f17ccbd",
    ),
]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


@pytest.mark.parametrize("name", KEYS)
def test_a_preset_keeps_its_key(name: str) -> None:
    assert preset(name).key == KEYS[name]
    assert PRESETS.keys() <= KEYS.keys()


@pytest.mark.parametrize(("changes", "key"), OTHER_KEYS)
def test_any_other_run_keeps_its_key(changes: dict[str, dict[str, Any]], key: str) -> None:
    config = preset(changes["preset"])  # type: ignore[arg-type]
    config = RunConfig(
        scenario=replace(config.scenario, **changes.get("scenario", {})),
        training=replace(config.training, **changes.get("training", {})),
    )
    assert config.key == key
    assert RunConfig.from_dict(json.loads(config.to_json())).key == key


@pytest.mark.parametrize("name", BUNDLES)
def test_a_baked_run_opens_and_its_bundle_is_the_same_to_the_byte(name: str, tmp_path: Path) -> None:
    assert digest(export_bytes(RunStore(tmp_path, BAKED), KEYS[name])) == BUNDLES[name]


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
