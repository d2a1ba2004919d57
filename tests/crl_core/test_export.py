"""Every format says what PyTorch says, carries what it is, and opens where this program is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crl_core import PRESETS, RunStore
from crl_core.cli.program import main
from crl_core.events import DIVERGED
from crl_core.export.format_costs import report
from crl_core.export.formats import FORMATS, ORIGINAL, format_of
from crl_core.export.model_file import ModelRefused, open_model, read_model
from crl_core.export.models import Subject, export_model, subject
from crl_core.results import RunResult, one_model, predict

BEST = 1.9
INT8 = ("onnx-int8", "torchscript-int8")


@pytest.fixture(scope="module")
def result() -> RunResult:
    return RunStore().load(PRESETS["linear"].config.key)  # comes with the program


@pytest.fixture(scope="module")
def made_of(result: RunResult) -> Subject:
    return subject(result, BEST)


@pytest.fixture(scope="module")
def files(made_of: Subject) -> dict[str, bytes]:
    return {name: export_model(made_of, name) for name in FORMATS}


def truth(result: RunResult, x: np.ndarray) -> tuple[np.ndarray, ...]:
    phi, y0, y1 = predict(one_model(result.weights, result.model(BEST)), x)
    return y0[0], y1[0], phi[0]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_agrees_with_the_stored_network_on_ten_thousand_rows(
    name: str, result: RunResult, made_of: Subject, files: dict[str, bytes]
) -> None:
    mean, scale = made_of.train.x.mean(axis=0), made_of.train.x.std(axis=0)
    low, high = made_of.train.x.min(axis=0), made_of.train.x.max(axis=0)
    drawn = np.random.default_rng(0).normal(mean, scale, (10_000, len(mean)))
    x = np.clip(drawn, low, high).astype(np.float32)  # the range that int8 was calibrated for
    found, expected = read_model(files[name], name).run(x), truth(result, x)
    allowed = FORMATS[name].tolerance * made_of.train.y.std()
    for one, other in zip(found[:2], expected[:2], strict=True):
        assert np.abs(one - other).max() <= allowed


@pytest.mark.parametrize("name", FORMATS)
def test_extremes_give_what_the_network_gives_and_int8_stays_finite(
    name: str, result: RunResult, files: dict[str, bytes]
) -> None:
    corners = np.array([[a, b] for a in (-1e6, -30, 0, 30, 1e6) for b in (-1e6, -1e-30, 30, 1e6)], np.float32)
    found, expected = read_model(files[name], name).run(corners), truth(result, corners)
    for one, other in zip(found, expected, strict=True):
        assert np.isfinite(one).all()
        if name not in INT8:
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("n", [1, 3, 1025])
def test_the_batch_is_free(name: str, n: int, files: dict[str, bytes]) -> None:
    y0, y1, phi = read_model(files[name], name).run(np.zeros((n, 2), np.float32))
    assert y0.shape == y1.shape == (n,)
    assert phi.shape == (n, 16)


@pytest.mark.parametrize("name", FORMATS)
def test_what_a_file_is_travels_inside_it(
    name: str, result: RunResult, made_of: Subject, files: dict[str, bytes]
) -> None:
    model = read_model(files[name], name)
    said = model.metadata
    assert (said["key"], said["lam"], said["format"]) == (result.config.key, BEST, name)
    assert said["config"] == result.config.to_dict()
    assert said["metrics"]["ite_rmse"] == pytest.approx(float(result.ite_rmse[result.model(BEST)]), abs=1e-5)  # type: ignore[index]
    assert model.features == ("z1", "s1")
    assert said["features"][1]["high"] == made_of.train.x[:, 1].max()
    assert {"torch", "numpy", "python"} <= set(said["versions"])
    assert model.reference.shape == (300, 16)
    assert str(Path.cwd()).encode() not in files[name]


@pytest.mark.parametrize("name", ["torchscript", "torchscript-int8", "onnx", "onnx-int8"])
def test_a_file_opens_in_a_process_without_this_program(
    name: str, made_of: Subject, files: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "model").write_bytes(files[name])
    x = made_of.held_out.x[:50].astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    load = (
        "import torch\nm = torch.jit.load('model')\nout = [v.detach().numpy() for v in m(torch.from_numpy(x))]\n"
        if name.startswith("torch")
        else "import onnxruntime\nout = onnxruntime.InferenceSession('model').run(['y0', 'y1', 'phi'], {'x': x})\n"
    )
    code = (
        f"import numpy as np, sys\nx = np.load('x.npy')\n{load}assert 'crl_core' not in sys.modules\n"
        "np.savez('out.npz', *out)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, env=environment, check=True)
    with np.load(tmp_path / "out.npz") as out:
        np.testing.assert_allclose(out["arr_1"], read_model(files[name], name).run(x)[1], atol=1e-5)


def test_int8_costs_at_most_a_hundredth_of_ite_rmse(made_of: Subject) -> None:
    rows, files = report(made_of, INT8, calls={1: 5, 1024: 3})
    original, *int8 = rows
    assert original.format == ORIGINAL
    for row in int8:
        assert row.bytes == len(files[row.format])
        assert row.ite_rmse is not None
        assert row.ite_rmse <= original.ite_rmse + 0.01  # type: ignore[operator]
        assert row.largest_difference > 0
        assert 0 < row.p50_us["1"] <= row.p95_us["1"] <= row.p99_us["1"]


def test_int8_weights_are_in_the_int8_files(files: dict[str, bytes]) -> None:
    import onnx

    kinds = {item.data_type for item in onnx.load_from_string(files["onnx-int8"]).graph.initializer}
    assert onnx.TensorProto.INT8 in kinds
    assert len(files["torchscript-int8"]) < len(files["torchscript"])
    assert len(files["onnx-int8"]) < len(files["onnx"])


# -- bad input ---------------------------------------------------------------------------------------------------------


def test_a_diverged_model_and_a_wrong_replicate_are_refused(result: RunResult) -> None:
    status = result.status.copy()
    status[result.model(BEST)] = DIVERGED
    with pytest.raises(ValueError, match="diverged"):
        subject(replace(result, status=status), BEST)
    with pytest.raises(ValueError, match="replicate is 9"):
        subject(result, BEST, 9)
    with pytest.raises(ValueError, match="λ is nan"):
        subject(result, float("nan"))


def test_an_unknown_format_and_a_missing_package_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="must be one of onnx"):
        format_of("tflite")
    monkeypatch.setattr("crl_core.export.formats.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install -r requirements-serve"):
        format_of("onnx")


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_file_is_refused_in_one_sentence(name: str, files: dict[str, bytes], tmp_path: Path) -> None:
    content = files[name]
    for damaged in (content[: len(content) // 2], b"", b"not a model", content[: -len(content) // 3]):
        (tmp_path / "m").write_bytes(damaged)
        with pytest.raises(ModelRefused) as refused:
            open_model(tmp_path / "m")
        assert "export it again" in str(refused.value)
        assert "\n" not in str(refused.value)


def test_the_command_writes_a_file_that_opens_and_refuses_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, target = PRESETS["linear"].config.key, tmp_path / "m.pt"
    command = ["export", key, "--lam", "1.9", "--format", "torchscript", "--out", str(target), "--json", "-"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == target.stat().st_size
    assert open_model(target).lam == BEST
    assert main([*command[:3], "2", *command[4:]]) == 0
    assert (
        capsys.readouterr().err == "python -m crl_core: warning: the run has no λ = 2; the nearest, 1.9, was taken.\n"
    )
    assert main([*command[:3], "2", "--exact"]) == 2
    assert "give one that it has, 0, " in capsys.readouterr().err
    assert main([*command, "--exact"]) == 0
    assert capsys.readouterr().err == ""
    for bad in (
        ["export", key],
        ["export", "nosuchkey", "--lam", "1"],
        ["export", key, "--lam", "1", "--format", "x"],
        ["export", key, "--lam", "1", "--out", str(tmp_path / "no" / "m.onnx")],
    ):
        assert main(bad) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
