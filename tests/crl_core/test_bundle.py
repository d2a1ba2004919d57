"""A run as one file: what comes back is what was sent, and whatever else comes leaves no trace but a sentence."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import struct
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crl_core import metrics
from crl_core.cli.program import main
from crl_core.config import DEFAULT_LAMS, RunConfig, Scenario, Training
from crl_core.events import DIVERGED
from crl_core.jobs.train_and_store import train_and_store
from crl_core.network import shapes
from crl_core.results import RunResult, data_of, view_rows
from crl_core.runs import bundle, bundle_arrays
from crl_core.runs.bundle import AlreadyStored, BundleRefused, export_bytes, export_run, import_run, read_bundle
from crl_core.runs.bundle_arrays import to_npz, to_safetensors
from crl_core.runs.sealing import StoreError, sealed_entry
from crl_core.runs.store import RunBusy, RunNotFound, RunStore
from tests.crl_core.made_up import store_in, tiny_config
from tests.tables import config_of, tables_can_be_read

Members = dict[str, bytes]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> RunStore:
    """A store with one small run that was trained, with evidence, projection and events."""
    store = store_in(tmp_path_factory.mktemp("origin"))
    assert train_and_store(tiny_config(), store).ending == "trained"
    return store


@pytest.fixture(scope="module")
def content(origin: RunStore) -> bytes:
    return export_bytes(origin, tiny_config().key)


@pytest.fixture(scope="module")
def members(content: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(members: Members, compress: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compress) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def resealed(members: Members, **manifest: Any) -> Members:
    """The members with checksums that are right, whatever is in them."""
    found = json.loads(members["manifest.json"]) | manifest
    found["files"] = {k: sealed_entry(v) for k, v in members.items() if k != "manifest.json"}
    return members | {"manifest.json": json.dumps(found).encode()}


def with_array(members: Members, file: str, name: str, change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    """A bundle, sealed again, in which one array is another."""
    with np.load(io.BytesIO(members[file]), allow_pickle=False) as opened:
        arrays = {key: opened[key] for key in opened}
    arrays[name] = change(arrays[name].copy())
    return zipped(resealed(members | {file: to_npz(arrays)}))


def traces(store: RunStore) -> list[str]:
    """Every file under the store's folder and beside it, but for lock files."""
    around = store.root.parent
    return sorted(
        str(path.relative_to(around)) for path in around.rglob("*") if path.is_file() and path.parent.name != "locks"
    )


def refused(store: RunStore, file: bytes) -> str:
    """The sentence with which a file is refused; nothing is left of it."""
    before = traces(store)
    with pytest.raises(BundleRefused) as caught:
        import_run(store, file)
    assert traces(store) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def without_looks(store: RunStore, key: str) -> bytes:
    """The events of a run less what was seen while it trained, which no bundle takes along."""
    lines = store.events_path(key).read_bytes().splitlines(keepends=True)
    return b"".join(line for line in lines if b"ViewSampled" not in line and b"StepsTaken" not in line)


def same_bits(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())


def assert_bit_identical(a: RunResult, b: RunResult) -> None:
    for field in fields(RunResult):
        left, right = getattr(a, field.name), getattr(b, field.name)
        if isinstance(left, np.ndarray):
            assert same_bits(left, right), field.name
        elif field.name in ("history", "weights"):
            assert left.keys() == right.keys()
            assert all(same_bits(left[name], right[name]) for name in left), field.name
        else:
            assert left == right, field.name


# -- what comes back ---------------------------------------------------------------------------------------------------


def test_an_imported_run_is_bit_identical_in_every_array_metric_and_event(
    origin: RunStore, content: bytes, tmp_path: Path
) -> None:
    store, key = store_in(tmp_path), tiny_config().key
    assert import_run(store, content) == key
    assert_bit_identical(store.load(key), origin.load(key))
    for name in ("evidence", "projection"):
        sent, came = origin.part(key, name), store.part(key, name)
        assert sent is not None
        assert came is not None
        assert sent.keys() == came.keys()
        assert all(same_bits(sent[k], came[k]) for k in sent)
    assert store.events_path(key).read_bytes() == without_looks(origin, key)
    assert store.verify() == []
    assert store.missing_parts(key) == ()
    found, made = store.summary(key), origin.summary(key)
    assert found is not None
    assert made is not None
    assert found.figures == made.figures
    assert not (store.root / "incoming").exists()


def test_the_same_run_gives_the_same_bytes(origin: RunStore, content: bytes) -> None:
    assert export_bytes(origin, tiny_config().key) == content


def test_a_run_with_a_diverged_model_and_without_parts_comes_back(origin: RunStore, tmp_path: Path) -> None:
    a, b = store_in(tmp_path / "a"), store_in(tmp_path / "b")
    result = origin.load(tiny_config().key)
    config = replace(result.config, training=replace(result.config.training, seed=5))
    status = result.status.copy()
    status[1] = DIVERGED
    values = {m.name: getattr(result, m.name).copy() for m in result.kept}
    by_env = {n: getattr(result, n).copy() for n in (f"{m.name}_by_env" for m in metrics.kept_in("by_env"))}
    weights = {n: w.copy() for n, w in result.weights.items()}
    history = {n: h.copy() for n, h in result.history.items()}
    for array in (*values.values(), *by_env.values(), *weights.values()):
        array[1] = np.nan
    for name, array in history.items():
        array[-1, 1] = DIVERGED if name == "status" else np.nan
    key = a.save(replace(result, config=config, status=status, history=history, weights=weights, **values, **by_env))
    export_run(a, key, tmp_path / "run.zip")
    assert import_run(b, tmp_path / "run.zip") == key
    assert_bit_identical(b.load(key), a.load(key))
    assert b.summary(key).parts == ()  # type: ignore[union-attr]


def test_a_run_whose_truth_is_not_known_is_trained_exported_and_comes_back_equal(tmp_path: Path) -> None:
    config = config_of("blind")
    a, b, key = store_in(tmp_path / "a"), store_in(tmp_path / "b"), config.key
    with tables_can_be_read():
        outcome = train_and_store(config, a)
        assert (outcome.ending, outcome.reason) == ("trained", None)
        sent = a.load(key)
        assert (sent.ite_rmse, sent.ate_error, sent.ite_rmse_by_env) == (None, None, None)
        assert "ite_rmse" not in sent.history
        assert import_run(b, export_bytes(a, key)) == key
        assert_bit_identical(b.load(key), sent)
        assert b.summary(key).parts == ("evidence", "projection")  # type: ignore[union-attr]
        assert b.events_path(key).read_bytes() == without_looks(a, key)
        assert b.summary(key).best() is None  # type: ignore[union-attr]


def without_array(members: Members, file: str, *names: str) -> Members:
    """The members, sealed again, with fewer arrays in one of them."""
    with np.load(io.BytesIO(members[file]), allow_pickle=False) as opened:
        return resealed(members | {file: to_npz({key: opened[key] for key in opened if key not in names})})


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("metrics.npz", "ite_rmse"),
        ("history.npz", "ite_rmse"),
        ("metrics.npz", "ite_rmse_by_env"),
        ("metrics.npz", "mmd2"),
        ("history.npz", "loss"),
        ("evidence.npz", "r2_s_knn"),
    ],
)
def test_an_array_that_is_missing_is_refused(file: str, name: str, members: Members, tmp_path: Path) -> None:
    sentence = refused(store_in(tmp_path), zipped(without_array(members, file, name)))
    assert f"{file} does not hold the arrays" in sentence


@pytest.fixture
def effects_are_young(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the first runs had had no errors of effects, so that a bundle may lack them."""
    young = [replace(metric, late=metric.late or metric.needs_truth) for metric in metrics.METRICS]
    monkeypatch.setattr(metrics, "METRICS", tuple(young))


@pytest.mark.parametrize(
    ("file", "name", "says"),
    [
        ("metrics.npz", "ite_rmse", "ite_rmse is in only one of metrics.npz and history.npz"),
        ("history.npz", "ite_rmse", "ite_rmse is in only one of metrics.npz and history.npz"),
        ("metrics.npz", "ite_rmse_by_env", "only one of ite_rmse and ite_rmse_by_env"),
    ],
)
def test_a_younger_metric_that_is_half_there_is_refused(
    file: str, name: str, says: str, members: Members, effects_are_young: None, tmp_path: Path
) -> None:
    assert says in refused(store_in(tmp_path), zipped(without_array(members, file, name)))


def test_events_that_tell_more_than_the_curves_are_refused(
    members: Members, effects_are_young: None, tmp_path: Path
) -> None:
    fewer = without_array(members, "metrics.npz", "ite_rmse", "ite_rmse_by_env", "ate_error")
    fewer = without_array(fewer, "history.npz", "ite_rmse")
    assert "events are not those of its run" in refused(store_in(tmp_path), zipped(fewer))


def test_a_run_older_than_a_metric_is_still_exported_and_imported(
    content: bytes, origin: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    young = metrics.Metric(name="young", word="young", kept=("evidence", "of_inputs"), late=True)
    monkeypatch.setattr(metrics, "METRICS", (*metrics.METRICS, young))
    assert "young" in bundle_arrays.evidence_specs(tiny_config())
    assert export_bytes(origin, tiny_config().key) == content
    assert import_run(store_in(tmp_path), content) == tiny_config().key


def test_a_bundle_of_the_default_size_fits_an_upload(tmp_path: Path) -> None:
    """Streamlit's limit is 5 MB; noise compresses worse than curves do."""
    config = RunConfig(scenario=Scenario(), training=Training())
    rng = np.random.default_rng(0)
    sizes = 0
    for specs in (
        bundle_arrays.weight_specs(config),
        bundle_arrays.history_specs(config),
        bundle_arrays.metric_specs(config),
        bundle_arrays.projection_specs(config),
    ):
        sizes += len(to_npz({n: rng.random(s.shape).astype(s.dtype) for n, s in specs.items()}))
    text = 7 * config.training.epochs * config.training.n_models * 20  # events, not compressed
    limit = (Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text()
    megabytes = int(limit.split("maxUploadSize = ")[1].split()[0])
    assert len(DEFAULT_LAMS) == 16
    assert sizes + text < megabytes * 1_000_000


def test_what_a_config_demands_is_what_training_makes(origin: RunStore) -> None:
    config = tiny_config(n_samples=430)
    layers = shapes(config.scenario.dim_x, config.training.hidden, config.training.latent_dim)
    specs = bundle_arrays.weight_specs(config)
    assert {n: s.shape for n, s in specs.items()} == {n: (2, *s) for n, s in layers.items()}
    evidence = origin.part(tiny_config().key, "evidence")
    assert evidence is not None
    assert bundle_arrays.evidence_specs(config).keys() == evidence.keys()
    for n_samples in (100, 103, 430, 5000):
        config = tiny_config(n_samples=n_samples)
        assert bundle_arrays.projection_specs(config)["tsne_x"].shape == (len(view_rows(config)), 2)
        assert len(data_of(config)[1]) == round(0.2 * n_samples)


# -- what is not changed -----------------------------------------------------------------------------------------------


def test_a_run_that_is_here_already_stays_as_it_is(content: bytes, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    key = import_run(store, content)
    folder = store.root / "runs" / key
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(AlreadyStored, match=f"{key} is stored here already; nothing was changed"):
        import_run(store, content)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_damaged_run_is_replaced_by_the_imported_one(content: bytes, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    key = import_run(store, content)
    (store.root / "runs" / key / "result.joblib").write_bytes(b"?")
    assert import_run(store, content) == key
    assert store.intact(key)


def test_a_run_under_way_is_not_touched(content: bytes, tmp_path: Path) -> None:
    store, key = store_in(tmp_path), tiny_config().key
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store.lock(key):
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    try:
        with pytest.raises(RunBusy):
            import_run(store, content)
    finally:
        done.set()
        thread.join()
    assert store.keys() == []


@pytest.mark.parametrize("step", ["save", "add", "adopt"])
def test_a_disk_that_fails_leaves_no_half_a_run(
    step: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    store = store_in(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(RunStore, step, full)
        with pytest.raises(StoreError):
            import_run(store, content)
    assert traces(store) == []
    assert store.keys() == []
    import_run(store, content)
    assert store.intact(tiny_config().key)


def test_what_a_killed_import_left_is_removed_by_a_later_one(content: bytes, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    left = store.root / "incoming" / "0123"
    left.mkdir(parents=True)
    os.utime(left, (time.time() - 7200,) * 2)
    import_run(store, content)
    assert not left.exists()


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_a_changed_byte_in_any_member_is_refused(members: Members, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for name, content in members.items():
        if name != "manifest.json":
            changed = content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]
            assert f"{name} differs from its checksum" in refused(store, zipped(members | {name: changed}))


@pytest.mark.parametrize(
    "name",
    [
        "../escaped.json",
        "/etc/escaped",
        "runs/../../escaped",
        "C:\\escaped",
        "..\\escaped",
        "config.json/",
        "x.py",
    ],
)
def test_a_member_that_a_bundle_never_has_is_refused(name: str, members: Members, tmp_path: Path) -> None:
    assert "no member of a bundle" in refused(store_in(tmp_path), zipped(members | {name: b"x"}))
    assert not list(tmp_path.parent.rglob("*escaped*"))


def test_a_member_twice_a_link_an_encrypted_and_a_missing_one_are_refused(members: Members, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    buffer = io.BytesIO(zipped(members))
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", b"{}")
    assert "config.json twice" in refused(store, buffer.getvalue())

    buffer = io.BytesIO(zipped({k: v for k, v in members.items() if k != "config.json"}))
    with zipfile.ZipFile(buffer, "a") as archive:
        link = zipfile.ZipInfo("config.json")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    assert "config.json is a link or a folder" in refused(store, buffer.getvalue())

    encrypted = bytearray(zipped(members))
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    assert "is encrypted" in refused(store, bytes(encrypted))
    for name in ("manifest.json", "config.json", "weights.safetensors", "metrics.npz"):
        assert f"lacks {name}" in refused(store, zipped({k: v for k, v in members.items() if k != name}))
    assert "does not name" in refused(store, zipped({k: v for k, v in members.items() if k != "events.jsonl"}))
    assert "packed in a way" in refused(store, zipped(members, zipfile.ZIP_BZIP2))


# -- packed again by a desktop program ---------------------------------------------------------------------------------

ROUND = {"none": "", "a folder": "run/", "folders": "Downloads/CRL – König/run/", "backslashes": "run\\"}
CLUTTER: dict[str, bytes] = {
    "{}.DS_Store": b"Bud1",
    "__MACOSX/": b"",
    "__MACOSX/{}._config.json": b"\0\5\x16\7",
    "__MACOSX/._run": b"\0",
    "{}._manifest.json": b"\0",
    "{}Thumbs.db": b"\xd0\xcf",
    "{}desktop.ini": b"[.ShellClassInfo]\r\n",
    "{}": b"",
}


@pytest.mark.parametrize("around", list(ROUND))
@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_bundle_unpacked_and_packed_again_by_a_desktop_program_is_imported(
    around: str, how: int, members: Members, original: RunResult, tmp_path: Path
) -> None:
    """Found as: a folder around the members is "no member of a bundle"."""
    prefix = ROUND[around]
    own = {name.format(prefix): content for name, content in CLUTTER.items() if name.format(prefix)}
    packed = zipped(own | {prefix + name: content for name, content in members.items()}, how)
    store = store_in(tmp_path)
    assert import_run(store, packed) == original.config.key
    assert_bit_identical(store.load(original.config.key), original)
    assert not [path for path in traces(store) if "DS_Store" in path or "MACOSX" in path]


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_lies_beside_the_members_they_are_read_from_one_place_or_refused(
    data: st.DataObject, members: Members
) -> None:
    """Drawn prefixes, most of them none that an archive may have: never another run, never another error."""
    part = st.sampled_from(["run", "..", ".", "", "C:", "__MACOSX", "a b", "König", ".hidden"])
    prefix = "".join(f"{name}/" for name in data.draw(st.lists(part, max_size=3)))
    packed = zipped({prefix + name: content for name, content in members.items()})
    if {"..", ".", "", "C:", "__MACOSX"} & set(prefix.split("/")[:-1]):
        with pytest.raises(BundleRefused):
            read_bundle(packed)
    else:
        assert read_bundle(packed).key == tiny_config().key


def test_what_is_packed_again_in_another_way_is_told_why_it_cannot_be_read(members: Members, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for how, name in ((zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "LZMA")):
        assert f"{name}; pack it again as zip with Deflate" in refused(store, zipped(members, how))
    inside = zipped({"run.zip": zipped(members)})
    assert "unpack it once and import that archive" in refused(store, inside)
    for magic, name in ((b"7z\xbc\xaf\x27\x1c", "a 7z archive"), (b"\x1f\x8b\x08", "a gzip file"), (b"Rar!", "RAR")):
        assert name in refused(store, magic + bytes(100))
    both = members | {f"run/{name}": content for name, content in members.items()}
    assert "several folders ('' and 'run/')" in refused(store, zipped(both))


def test_links_and_bombs_are_refused_among_what_a_desktop_program_adds_too(members: Members, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    assert "unpack to 100 MB" in refused(store, zipped(members | {".DS_Store": bytes(100_000_000)}))
    for name in ("run/", ".DS_Store", "__MACOSX/._x"):
        buffer = io.BytesIO(zipped(members))
        with zipfile.ZipFile(buffer, "a") as archive:
            link = zipfile.ZipInfo(name)
            link.external_attr = 0o120777 << 16
            archive.writestr(link, "/etc")
        assert "no member of a bundle" in refused(store, buffer.getvalue())


def test_a_zip_bomb_is_refused_before_it_is_unpacked(members: Members, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    bomb = zipped(resealed(members | {"events.jsonl": bytes(100_000_000)}))
    assert len(bomb) < 300_000
    assert "unpack to 100 MB" in refused(store, bomb)
    assert "at most 200000" in refused(store, zipped(resealed(members | {"summary.json": b" " * 1_000_000})))
    assert "bytes; at most" in refused(store, zipped(resealed(members | {"weights.safetensors": bytes(9_000_000)})))


def test_a_size_that_lies_is_refused(members: Members, tmp_path: Path) -> None:
    """The directory says 10 bytes, the data unpacks to more."""
    lying = bytearray(zipped(members))
    place = 0
    while (place := lying.find(b"PK\x01\x02", place)) >= 0:
        lying[place + 24 : place + 28] = struct.pack("<I", 10)
        place += 4
    refused(store_in(tmp_path), bytes(lying))


def test_pickled_arrays_are_never_opened(members: Members, tmp_path: Path) -> None:
    fired: list[int] = []

    class Trap:
        def __reduce__(self) -> Any:
            return fired.append, (1,)

    buffer = io.BytesIO()
    with np.load(io.BytesIO(members["metrics.npz"])) as opened:
        arrays: dict[str, Any] = {name: opened[name] for name in opened}
    np.savez(buffer, **(arrays | {"mmd2": np.array([Trap(), Trap()], dtype=object)}))
    changed = zipped(resealed(members | {"metrics.npz": buffer.getvalue()}))
    assert "mmd2 in metrics.npz holds pickled Python objects" in refused(store_in(tmp_path), changed)
    assert fired == []


@pytest.mark.parametrize(
    ("file", "name", "change", "says"),
    [
        ("metrics.npz", "ite_rmse", lambda a: a * np.nan,
            "ite_rmse of a model that did not diverge is not a "
            "number|at the last epoch"),
        ("metrics.npz", "ate_error", lambda a: a * np.nan, "ate_error of a model that did not diverge is not a number"),
        ("metrics.npz", "ate_error", lambda a: a * np.inf, "ate_error of a model that did not diverge is not a number"),
        ("history.npz", "loss", lambda a: a * np.nan, "loss in history.npz of a model that did not diverge"),
        ("metrics.npz", "mmd2", lambda a: a[:1], "mmd2 in metrics.npz is <f8 of 1; its config demands <f8 of 2"),
        ("metrics.npz", "mmd2", lambda a: a.astype("f4"), "<f4 of 2; its config demands <f8"),
        ("metrics.npz", "mmd2", lambda a: a.astype(">f8"), ">f8 of 2; its config demands <f8"),
        ("metrics.npz", "mmd2", lambda a: a + 1, "mmd2 at the last epoch is not the final mmd2"),
        ("metrics.npz", "mmd2", lambda a: np.array(["a", "b"]), "mmd2 in metrics.npz is <U1 of 2"),
        ("metrics.npz", "lam", lambda a: a + 1, "models are not those of its config"),
        ("metrics.npz", "replicate", lambda a: a + 1, "models are not those of its config"),
        ("metrics.npz", "status", lambda a: a + 7, "status that is none of ok, diverged, collapsed"),
        ("history.npz", "mmd2", lambda a: a[:, None], "mmd2 in history.npz is <f8 of 3 × 1 × 2"),
        ("evidence.npz", "rule_pick", lambda a: a + 50, "names a λ that is not there"),
        ("evidence.npz", "domain_auc", lambda a: a + np.inf, "domain_auc in evidence.npz is infinite"),
        ("evidence.npz", "rule_ids", lambda a: np.char.add(a, "x"), "rule_ids in evidence.npz is not"),
        ("evidence.npz", "rule_reason", lambda a: np.char.add(a, "<script>"), "text that cannot be shown"),
        ("evidence.npz", "baseline_reason", lambda a: np.char.add(a, "\x00\n"), "text that cannot be shown"),
        ("projection.npz", "tsne_x", lambda a: a * np.nan, "points that are not numbers"),
        ("projection.npz", "tsne_xy", lambda a: np.where(a == a.flat[0], np.nan, a), "points that are not numbers"),
        ("projection.npz", "tsne_xy", lambda a: a[:, :5], "tsne_xy in projection.npz is <f4 of 2 × 5 × 2"),
    ],
)  # fmt: skip
def test_an_array_that_its_config_does_not_demand_is_refused(
    file: str,
    name: str,
    change: Callable[[np.ndarray], np.ndarray],
    says: str,
    members: Members,
    tmp_path: Path,
) -> None:
    assert re.search(says, refused(store_in(tmp_path), with_array(members, file, name, change)))


def test_weights_of_wrong_shape_dtype_or_value_are_refused(members: Members, origin: RunStore, tmp_path: Path) -> None:
    store, weights = store_in(tmp_path), dict(origin.load(tiny_config().key).weights)

    def said(changed: dict[str, np.ndarray]) -> str:
        return refused(store, zipped(resealed(members | {"weights.safetensors": to_safetensors(changed)})))

    bias = weights["head.1.bias"]
    assert "head.1.bias in weights.safetensors is <f4 of 1 × 2" in said(weights | {"head.1.bias": bias[:1]})
    assert "is <f8 of 2 × 2" in said(weights | {"head.1.bias": bias.astype("f8")})
    assert "head.1.bias of a model that did not diverge" in said(weights | {"head.1.bias": bias * np.nan})
    assert "those alone" in said(weights | {"more": bias})
    garbage = zipped(resealed(members | {"weights.safetensors": b"\xff" * 400}))
    assert "not a safetensors file" in refused(store, garbage)


def test_versions_keys_and_configs_that_do_not_fit_are_refused(members: Members, tmp_path: Path) -> None:
    store = store_in(tmp_path)

    def manifest(**change: Any) -> str:
        return refused(store, zipped(resealed(members, **change)))

    assert "newer program (format 2; this one reads up to 1). Update the program" in manifest(format=2)
    assert "newer program (recipe version 999" in manifest(recipe_version=999)
    assert "does not say its format" in manifest(format="1")
    assert "not that of a run" in manifest(kind="something else")
    assert "key is not" in manifest(key="0" * 16)

    def config(change: Callable[[dict[str, Any]], Any]) -> str:
        found = json.loads(members["config.json"])
        change(found)
        return refused(store, zipped(resealed(members | {"config.json": json.dumps(found).encode()})))

    assert "epochs is 1e+09" in config(lambda c: c["training"].update(epochs=10**9))
    assert "not possible" in config(lambda c: c["training"].update(epochs=10**400))
    assert "NaN is not a number" in config(lambda c: c["scenario"].update(noise=float("nan")))
    assert "no field danger" in config(lambda c: c.update(danger=1))
    assert "key is not" in config(lambda c: c["training"].update(seed=4))
    assert "not complete" in config(lambda c: c["training"].pop("seed"))
    for text, says in (
        (b"{", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 90_000, "not JSON"),
    ):
        assert says in refused(store, zipped(resealed(members | {"config.json": text})))


def test_events_of_another_run_or_with_a_changed_number_are_refused(members: Members, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    lines = members["events.jsonl"].splitlines(keepends=True)
    plain = [b"{" + line[18:] for line in lines]

    def said(changed: list[bytes]) -> str:
        return refused(store, zipped(resealed(members | {"events.jsonl": b"".join(changed)})))

    assert "events are not those" in said(lines[:2] + lines[3:])
    assert "cut off" in said([*lines[:-1], lines[-1][:-1]])
    assert "not an event line" in said([b"{}\n", *lines[1:]])
    assert "events are not those" in said([plain[0].replace(tiny_config().key.encode(), b"0" * 16), *lines[1:]])
    assert "events are not those" in said([plain[0].replace(b'"epochs":3', b'"epochs":"<b>"'), *lines[1:]])
    assert "events are not those" in said([lines[0], plain[1].replace(b'"epoch":1', b'"epoch":9'), *lines[2:]])
    import_run(store, zipped(resealed(members | {"events.jsonl": b"".join(plain)})))  # without checksums: sound


@pytest.mark.parametrize("file", [b"", b"PK", b"hello", b"\x80\x04]", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_bundle_at_all_is_refused(file: bytes, tmp_path: Path) -> None:
    assert "cannot be imported" in refused(store_in(tmp_path), file)


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.zip", tmp_path, tmp_path / "\0"):
        with pytest.raises(BundleRefused, match="cannot be read"):
            import_run(store_in(tmp_path), path)


def test_a_run_that_could_not_be_imported_again_is_not_exported(origin: RunStore, tmp_path: Path) -> None:
    result = origin.load(tiny_config().key)
    store = store_in(tmp_path)
    store.save(replace(result, ate_error=np.array([np.inf, 0.0])))
    with pytest.raises(BundleRefused, match=f"Run {result.config.key} cannot be exported: ate_error"):
        export_run(store, result.config.key, tmp_path / "run.zip")
    with pytest.raises(RunNotFound):
        export_run(store, "0" * 16, tmp_path / "run.zip")
    with pytest.raises(StoreError, match="write the bundle"):
        export_run(origin, result.config.key, tmp_path)
    assert not (tmp_path / "run.zip").exists()


# -- fuzz --------------------------------------------------------------------------------------------------------------

FUZZ = settings(max_examples=700, suppress_health_check=list(HealthCheck), database=None)
KNOWN = (*bundle._NEEDED, *bundle._OPTIONAL)


def survives(store: RunStore, file: bytes, original: RunResult) -> None:
    """Whatever comes: imported as it was, or refused; never anything else, and never a trace."""
    try:
        key = import_run(store, file)
    except (BundleRefused, AlreadyStored):
        assert store.keys() == []
        assert traces(store) == []
        return
    assert store.verify() == []
    loaded = store.load(key)
    assert key == original.config.key
    assert all(same_bits(loaded.weights[name], original.weights[name]) for name in original.weights)
    store.delete(key)
    for folder in ("runs", "trash"):
        shutil.rmtree(store.root / folder)


@pytest.fixture(scope="module")
def original(origin: RunStore) -> RunResult:
    return origin.load(tiny_config().key)


@pytest.fixture
def fuzzed(tmp_path: Path) -> RunStore:
    return store_in(tmp_path / "around")


@pytest.mark.slow
@FUZZ
@given(
    edits=st.lists(
        st.tuples(st.floats(0, 0.999999), st.integers(0, 255), st.sampled_from("=+-")), min_size=1, max_size=6
    )
)
def test_changed_inserted_and_removed_bytes_never_crash_the_import(
    edits: list[tuple[float, int, str]], content: bytes, original: RunResult, fuzzed: RunStore
) -> None:
    changed = bytearray(content)
    for where, value, how in edits:
        at = int(where * len(changed))
        changed[at : at + (how != "+")] = b"" if how == "-" else bytes([value])
    survives(fuzzed, bytes(changed), original)


@pytest.mark.slow
@FUZZ
@given(data=st.data())
def test_members_changed_under_right_checksums_never_crash_the_import(
    data: st.DataObject, members: Members, original: RunResult, fuzzed: RunStore
) -> None:
    """The attacker seals what he changed, so that every check behind the checksums is reached. Weights are left
    alone."""
    name = data.draw(st.sampled_from([n for n in KNOWN if n not in ("manifest.json", "weights.safetensors")]))
    raw = bytearray(members[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(raw) - 1)))
        patch = data.draw(
            st.binary(max_size=8) | st.sampled_from([b"NaN", b"1e999", b"null", b"[", b"\x00", b"-1", b'"', b"|O"])
        )
        raw[at : at + data.draw(st.integers(0, 8))] = patch
    survives(fuzzed, zipped(resealed(members | {name: bytes(raw)})), original)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.slow
@FUZZ
@given(data=st.data())
def test_any_value_in_any_place_of_the_json_never_crashes_the_import(
    data: st.DataObject, members: Members, original: RunResult, fuzzed: RunStore
) -> None:
    name = data.draw(st.sampled_from(["manifest.json", "config.json", "summary.json"]))
    content = json.loads(members[name])
    place = content
    while True:
        key = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    changed = members | {name: json.dumps(content).encode()}
    survives(
        fuzzed,
        zipped(changed if name == "manifest.json" else resealed(changed)),
        original,
    )


@pytest.mark.slow
@FUZZ
@given(
    files=st.dictionaries(
        st.sampled_from(KNOWN)
        | st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12),
        st.binary(max_size=60),
        max_size=9,
    ),
    junk=st.binary(max_size=40),
    in_front=st.booleans(),
)
def test_any_archive_never_crashes_the_import(
    files: Members, junk: bytes, in_front: bool, original: RunResult, fuzzed: RunStore
) -> None:
    archive = zipped(files)
    survives(fuzzed, junk + archive if in_front else archive + junk, original)
    survives(fuzzed, junk, original)


# -- command line ------------------------------------------------------------------------------------------------------


def test_the_command_line_exports_imports_and_says_what_is_there(
    origin: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key, file = tiny_config().key, tmp_path / "run.zip"
    monkeypatch.setenv("CRL_CACHE", str(origin.root))
    assert main(["runs", "export", key[:6], str(file), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "exported": key,
        "file": str(file),
        "bytes": file.stat().st_size,
    }
    monkeypatch.setenv("CRL_CACHE", str(tmp_path / "other"))
    assert main(["runs", "import", str(file), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == {"key": key, "imported": True}
    assert main(["runs", "import", str(file)]) == 0
    assert "stored here already; nothing was changed" in capsys.readouterr().out
    assert main(["runs", "show", key]) == 0
    capsys.readouterr()


def test_the_command_line_says_in_one_line_why_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    for command in (
        ["import", str(tmp_path / "bad.zip")],
        ["import", str(tmp_path / "none.zip")],
        ["export", "abc", str(tmp_path / "x.zip")],
    ):
        assert main(["runs", *command]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert len(captured.err.splitlines()) == 1
    assert not (tmp_path / "x.zip").exists()
