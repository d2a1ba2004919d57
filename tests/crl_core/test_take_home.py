"""A checkpoint that plain PyTorch loads, tables that read back, a citation that reproduces, a notebook that runs."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from crl_core import RunConfig, Scenario, Training, train
from crl_core.cli.program import main
from crl_core.config.text import reproducing_command
from crl_core.export.checkpoint import (
    bibtex,
    checkpoint,
    checkpoint_name,
    citation,
    history_csv,
    loading_example,
    metrics_csv,
)
from crl_core.export.notebook import notebook
from crl_core.results import RunResult, predict, view_rows
from tests.crl_core.made_up import made_up_result, without_truth

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def result() -> RunResult:
    return train(
        RunConfig(
            scenario=Scenario(
                n_samples=200, propensity=(1.0, 0.0), offset=(2.0, -2.0), heterogeneity=0.5, dim_spurious=2
            ),
            training=Training(lams=(0.0, 0.5, 3.0), replicates=2, epochs=3, hidden=10, latent_dim=4, device="cpu"),
        )
    )


# -- checkpoint --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lam", "replicate"), [(0.5, 0), (3.0, 1)])
def test_the_loading_example_rebuilds_the_network_without_this_program(
    lam: float, replicate: int, result: RunResult, tmp_path: Path
) -> None:
    (tmp_path / checkpoint_name(result, lam, replicate)).write_bytes(checkpoint(result, lam, replicate))
    x = view_rows(result.config, replicate).x.astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    example = loading_example(result, lam, replicate)
    assert len([line for line in example.splitlines() if line]) == 10
    code = example + (
        "\nimport numpy as np, sys, torch\nassert 'crl_core' not in sys.modules\n"
        "try:\n    import crl_core\nexcept ImportError:\n    pass\nelse:\n    raise SystemExit('crl_core is there')\n"
        "x = torch.from_numpy(np.load('x.npy'))\nphi = net['encoder'](x)\n"
        "out = [phi, net['control'](phi), net['treated'](phi)]\n"
        "np.savez('out.npz', *[o.detach().numpy() for o in out])\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    m = result.model(lam, replicate)
    phi, y0_hat, y1_hat = predict({name: value[m : m + 1] for name, value in result.weights.items()}, x)
    with np.load(tmp_path / "out.npz") as out:
        np.testing.assert_allclose(out["arr_0"], phi[0], atol=1e-5)
        np.testing.assert_allclose(out["arr_1"][:, 0], y0_hat[0], atol=1e-5)
        np.testing.assert_allclose(out["arr_2"][:, 0], y1_hat[0], atol=1e-5)


def test_a_checkpoint_says_what_it_is_and_how_it_is_loaded(result: RunResult, tmp_path: Path) -> None:
    file = tmp_path / "one.safetensors"
    file.write_bytes(checkpoint(result, 0.5, 1))
    with safe_open(file, framework="np") as opened:
        metadata = opened.metadata()
    assert (metadata["run"], metadata["lam"], metadata["replicate"]) == (result.config.key, "0.5", "1")
    assert RunConfig.from_json(metadata["config"]) == result.config
    assert metadata["load"] == loading_example(result, 0.5, 1)


def test_a_diverged_model_has_no_checkpoint_and_says_so() -> None:
    result = made_up_result()
    broken = replace(result, weights={name: value * np.nan for name, value in result.weights.items()})
    with pytest.raises(ValueError, match="λ = 1 diverged and has no weights; choose another λ"):
        checkpoint(broken, 1.0)
    with pytest.raises(ValueError, match="replicate is 3; it must be from 0 to 0"):
        checkpoint(result, 1.0, 3)


# -- tables and citation -----------------------------------------------------------------------------------------------


def test_every_figure_reads_back_from_the_csv_as_the_same_number(result: RunResult) -> None:
    rows = list(csv.DictReader(io.StringIO(metrics_csv(result))))
    for name, values in (("ite_rmse", result.ite_rmse), ("mmd2", result.mmd2), ("lambda", result.lam)):
        assert values is not None
        assert [float(row[name]) for row in rows] == values.tolist()
    assert [float(row["factual_mse_env_2"]) for row in rows] == result.factual_mse_by_env[:, 1].tolist()
    curves = list(csv.DictReader(io.StringIO(history_csv(result))))
    assert [float(row["loss"]) for row in curves] == result.history["loss"].flatten().tolist()
    assert (curves[-1]["epoch"], curves[-1]["replicate"]) == ("3", "1")


def test_a_missing_number_is_an_empty_cell(result: RunResult) -> None:
    broken = replace(result, mmd2=result.mmd2 * np.nan, ite_rmse=None, ite_rmse_by_env=None, ate_error=None)
    rows = list(csv.DictReader(io.StringIO(metrics_csv(broken))))
    assert rows[0]["mmd2"] == ""
    assert "ite_rmse" not in rows[0]
    assert "nan" not in metrics_csv(broken)


def test_the_command_in_the_citation_trains_exactly_this_run(
    result: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = citation(result, created=0.0)
    assert result.config.key in text
    assert "1970-01-01" in text
    command = shlex.split(next(line for line in text.splitlines() if line.startswith("Reproduce: "))[11:])
    assert command[:3] == ["python", "-m", "crl_core"]
    monkeypatch.setenv("CRL_CACHE", str(tmp_path))
    assert main([*command[3:], "--json", "-"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["key"] == result.config.key
    assert result.ite_rmse is not None
    np.testing.assert_allclose([model["ite_rmse"] for model in content["models"]], result.ite_rmse, rtol=1e-6)


def test_the_bibtex_entry_names_authors_version_and_run_with_every_sign_escaped(result: RunResult) -> None:
    entry = bibtex(result, created=86_400.0, recipe_version=1)
    key = result.config.key_in(1)
    assert entry.startswith(f"@software{{crl-explorer-{key},\n")
    fields = dict(re.findall(r"^  (\w+) = \{(.*)\},?$", entry, re.MULTILINE))
    assert fields["author"] == "{CRL Explorer contributors}"
    assert (fields["version"], fields["year"], fields["month"], fields["day"]) == ("recipe 1", "1970", "1", "2")
    assert key in fields["title"]
    plain = re.sub(r"\\text\w+\{\}", "", fields["note"])
    assert not re.search(r"(?<!\\)[#$%&_{}~^]", plain)
    for escaped, sign in ((r"\_", "_"), (r"\textasciitilde{}", "~"), (r"\%", "%"), (r"\#", "#"), (r"\{", "{")):
        fields["note"] = fields["note"].replace(escaped, sign)
    assert fields["note"] == f"Reproduce: {reproducing_command(result.config)}"
    assert entry.count("{") - entry.count(r"\{") == entry.count("}") - entry.count(r"\}")
    assert "url" not in fields  # the program has no address to give


# -- notebook ----------------------------------------------------------------------------------------------------------


def test_a_notebook_is_one_by_its_format_and_carries_the_config(result: RunResult) -> None:
    import nbformat

    book = nbformat.reads(notebook(result, 0.0), as_version=4)
    nbformat.validate(book)
    source = "".join(cell.source for cell in book.cells)
    assert result.config.to_json(indent=1) in source


def test_a_notebook_of_a_run_without_truth_asks_for_no_effect_error(result: RunResult) -> None:
    whole, blind = (json.loads(notebook(run, 0.0))["cells"] for run in (result, without_truth(result)))
    assert len(whole) - len(blind) == 2
    code = "\n".join("".join(cell["source"]) for cell in blind if cell["cell_type"] == "code")
    compile(code, "notebook", "exec")
    assert "ite_rmse" not in code
    assert "ITE" not in code
    assert json.dumps(result.factual_mse.tolist()) in code


@pytest.mark.slow
@pytest.mark.parametrize("truth", [True, False])
def test_the_notebook_runs_top_to_bottom_and_gets_the_same_figures(
    truth: bool, result: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = result if truth else without_truth(result)
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    book = nbformat.reads(notebook(result, 0.0), as_version=4)
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    printed = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    assert f"run {result.config.key}" in printed
    difference = float(printed.split("from the record: ")[1].split()[0])
    assert difference < 1e-5
    figures = [
        o.data["application/vnd.plotly.v1+json"]
        for o in outputs
        if "data" in o and "application/vnd.plotly.v1+json" in o.data
    ]
    titles = [figure["layout"]["title"]["text"] for figure in figures]
    always = ["MMD² while training", "Latents, aligned along λ (PCA)"]
    assert titles == ["Counterfactual error along λ", *always] if truth else titles == always
    assert len(figures[-2]["data"]) == 3
    assert len(figures[-1]["layout"]["sliders"][0]["steps"]) == 3
