"""The export page: before, after, without packages, and for a model that diverged."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crl_core.events import DIVERGED
from crl_core.export import exporter as exports
from crl_core.export.formats import FORMATS, file_name
from crl_core.export.models import export_model, subject
from crl_core.runs.store import RunStore
from tests.crl_core.made_up import wait_until
from tests.pages.conftest import Open, Tiny, words

TORCH = tuple(name for name, item in FORMATS.items() if not item.needs)


def made_up(store: RunStore, tiny: Tiny, lam: float, formats: Sequence[str] = tuple(FORMATS)) -> exports.Exports:
    """Exports as a process leaves them, with files that are not models."""
    folder, key = exports.folder_of(store, tiny.result, lam), tiny.result.config.key
    folder.mkdir(parents=True)
    latency: dict[str, Any] = {name: {"1": 12.0, "1024": 500.0} for name in ("p50_us", "p95_us", "p99_us")}
    rows = [
        {
            "format": name,
            "bytes": None if name == "pytorch" else 1000,
            "ite_rmse": 0.1234,
            "factual_mse": 0.2,
            "largest_difference": 1e-6,
            **latency,
        }
        for name in ("pytorch", *formats)
    ]
    for name in formats:
        (folder / file_name(key, lam, name)).write_bytes(name.encode())
    (folder / "report.json").write_text(json.dumps({"key": key, "lam": lam, "report": rows}))
    found = exports.kept(store, tiny.result, lam)
    assert found is not None
    return found


def test_without_a_run_the_page_offers_to_train(open_app: Open, tiny: Tiny) -> None:
    app = open_app("serve", **tiny.params)
    assert not app.exception
    assert "not been trained yet" in words(app)


def test_a_run_that_was_not_exported_offers_it(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = open_app("serve", **tiny.params, lam="1")
    assert not app.exception
    assert [button for button in app.button if button.label == "Export and measure"]


@pytest.mark.parametrize("name", FORMATS)
def test_what_was_exported_is_shown_with_its_file_and_its_snippets(
    name: str, open_app: Open, tiny: Tiny, store: RunStore
) -> None:
    store.save(tiny.result)
    made_up(store, tiny, 1.0)
    app = open_app("serve", **tiny.params, lam="1")
    app.get("button_group")[0].set_value(name).run()
    assert not app.exception
    assert "0.1234" in words(app)
    assert len(app.get("plotly_chart")) == 2
    assert f"Download {FORMATS[name].title}" in {item.proto.label for item in app.get("download_button")}
    code = "\n".join(item.value for item in app.code)
    assert f"serve {file_name(tiny.result.config.key, 1.0, name)}" in code
    assert "curl -s" in code
    assert "FROM python" in code


def test_a_file_that_is_no_model_is_one_sentence_in_the_trial_and_the_rest_stays(
    open_app: Open, tiny: Tiny, store: RunStore
) -> None:
    store.save(tiny.result)
    made_up(store, tiny, 1.0)
    app = open_app("serve", **tiny.params, lam="1")
    assert not app.exception
    assert "is damaged or not a model of this program" in words(app)
    assert "A running endpoint" in words(app)


def test_predict_answers_what_the_network_says_and_names_what_lies_outside(
    open_app: Open, tiny: Tiny, store: RunStore
) -> None:
    store.save(tiny.result)
    made_up(store, tiny, 1.0)
    file = exports.folder_of(store, tiny.result, 1.0) / file_name(tiny.result.config.key, 1.0, "onnx")
    file.write_bytes(export_model(subject(tiny.result, 1.0), "onnx"))
    app = open_app("serve", **tiny.params, lam="1")
    assert not app.exception
    assert '"outside_range"' not in "".join(item.value for item in app.code)
    app.number_input(key="serve.feature.0").set_value(99.0)
    next(button for button in app.button if button.label == "Predict").click().run()
    assert not app.exception
    answer = json.loads(next(item.value for item in app.code if '"outside_range"' in item.value))
    row = [field.value for field in app.number_input if str(field.key).startswith("serve.feature.")]
    y0, y1 = tiny.result.outcomes(np.array([row]))
    at = tiny.result.lams.index(1.0)
    assert answer["ite"] == pytest.approx([float(y1[at, 0] - y0[at, 0])], rel=1e-3, abs=1e-3)
    assert len(answer["outside_range"][0]) == 1
    assert answer["invariance"]["status"] == "warming up"


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://127.0.0.1:9", "Nothing listens at http://127.0.0.1:9; start the endpoint"),
        ("http://10.0.0.1:8000", "“10.0.0.1” is not this machine"),
        ("https://127.0.0.1:8000", "only http on this machine is"),
    ],
)
def test_an_endpoint_that_cannot_be_read_is_one_sentence(
    open_app: Open, tiny: Tiny, store: RunStore, address: str, says: str
) -> None:
    store.save(tiny.result)
    made_up(store, tiny, 1.0)
    app = open_app("serve", **tiny.params, lam="1")
    app.text_input(key="serve.address").set_value(address)
    next(button for button in app.button if button.label == "Read its state").click().run()
    assert not app.exception
    assert [error.value for error in app.error if says in error.value]


def pressed(app):  # type: ignore[no-untyped-def]
    next(button for button in app.button if button.label == "Export and measure").click().run()
    return app


def test_pressing_the_button_exports_in_the_background_and_shows_it_when_it_is_there(
    open_app: Open, tiny: Tiny, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(tiny.result)
    half, going = threading.Event(), threading.Event()
    folder = exports.folder_of(store, tiny.result, 1.0)
    aside = folder.with_name(f".{folder.name}-0a1b")

    def make(own: RunStore, result: object, lam: float) -> exports.Exports:
        aside.mkdir(parents=True)
        for name in ("one.onnx", "two.pt2", ".three.half"):
            (aside / name).write_bytes(b"")
        half.set()
        going.wait(30)
        return made_up(own, tiny, lam)

    monkeypatch.setattr(exports, "make", make)
    app = pressed(open_app("serve", **tiny.params, lam="1"))
    assert not app.exception
    assert "Writing and measuring" in words(app)
    half.wait(30)
    assert f"2 of {len(exports.available())} formats written" in words(app.run())
    app.switch_page("pages/latent.py").run()  # leaving does not stop it
    going.set()
    wait_until(lambda: exports.kept(store, tiny.result, 1.0) is not None, limit_s=30)
    app.switch_page("pages/serve.py").run()
    wait_until(lambda: "0.1234" in words(app.run()), limit_s=30)
    assert not app.exception


def test_a_failed_export_is_one_sentence_and_can_be_asked_for_again(
    open_app: Open, tiny: Tiny, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(tiny.result)

    def fails(*_: object) -> None:
        raise ValueError("The export failed: no room.")

    monkeypatch.setattr(exports, "make", fails)
    app = pressed(open_app("serve", **tiny.params, lam="1"))
    wait_until(lambda: bool(app.run().error), limit_s=30)
    assert [error.value for error in app.error] == ["The export failed: no room."]
    monkeypatch.setattr(exports, "make", lambda own, result, lam: made_up(own, tiny, lam))
    pressed(app)
    wait_until(lambda: "0.1234" in words(app.run()), limit_s=30)
    assert not app.error


def test_without_the_packages_for_onnx_the_others_are_exported_and_what_is_left_out_is_said(
    open_app: Open, tiny: Tiny, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(tiny.result)
    monkeypatch.setattr("crl_core.export.formats.find_spec", lambda name: None)
    app = open_app("serve", **tiny.params, lam="1")
    said = (
        "ONNX and ONNX int8 need onnx, onnxruntime, onnxscript, not installed here: pip install -r "
        "requirements-serve.txt."
    )
    assert said in words(app)
    assert [button for button in app.button if button.label == "Export and measure"]
    monkeypatch.setattr(exports, "make", lambda own, result, lam: made_up(own, tiny, lam, TORCH))
    pressed(app)
    wait_until(lambda: "0.1234" in words(app.run()), limit_s=30)
    assert said in words(app)
    assert app.get("button_group")[0].value == "torch-export"
    monkeypatch.setattr("crl_core.export.formats.find_spec", lambda name: object())  # installed meanwhile
    assert exports.kept(store, tiny.result, 1.0) is None


def test_a_machine_with_little_memory_says_where_to_export(
    open_app: Open, tiny: Tiny, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(tiny.result)
    monkeypatch.setattr("crl_core.jobs.machine.memory_bytes", lambda: 7e8)
    app = open_app("serve", **tiny.params, lam="1")
    assert f"python -m crl_core export {tiny.result.config.key} --lam 1" in words(app)
    assert not [button for button in app.button if button.label == "Export and measure"]


def test_a_diverged_model_is_not_exported(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    status = tiny.result.status.copy()
    status[tiny.result.model(1.0)] = DIVERGED
    weights = {name: value.copy() for name, value in tiny.result.weights.items()}
    for value in weights.values():
        value[tiny.result.model(1.0)] = np.nan
    store.save(replace(tiny.result, status=status, weights=weights))
    app = open_app("serve", **tiny.params, lam="1")
    assert "There is no model to export" in words(app)


@pytest.mark.slow
def test_the_process_writes_every_format_and_a_damaged_report_counts_as_none(tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    found = exports.make(store, tiny.result, 1.0)
    assert [row["format"] for row in found.rows] == ["pytorch", *FORMATS]
    assert all(len(found.content(name)) > 10_000 for name in FORMATS)
    (found.folder / "report.json").write_text("{")
    assert exports.kept(store, tiny.result, 1.0) is None
    with pytest.raises(ValueError, match=r"longer than 0\.01 s"):
        exports.make(store, tiny.result, 1.0, limit_s=0.01)
    assert not [path for path in found.folder.parent.iterdir() if path.name.startswith(".")]


def test_the_snippets_run(tiny: Tiny) -> None:
    compile(exports.python_client([[1.0, 2.0]]), "client", "exec")
    for name in FORMATS:
        compile(exports.python_local("m", name, [[1.0, 2.0]]), "local", "exec")
        assert ("torch==" in exports.dockerfile("m", name)) == name.startswith("torch")


def test_only_the_newest_exports_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MOST", 2)
    for place, name in enumerate(("old", "newer", "newest", ".aside")):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (place, place))
    exports._sweep(tmp_path)
    assert {item.name for item in tmp_path.iterdir()} == {"newer", "newest", ".aside"}
