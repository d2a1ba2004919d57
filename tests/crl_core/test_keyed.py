"""A pickle is opened only where this installation sealed it, or where it comes with the program."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crl_core.jobs.train_and_store import train_and_store
from crl_core.runs import keyed, sealing
from crl_core.runs.bundle import export_bytes, import_run
from crl_core.runs.store import RunForeign, RunStore, StoreError
from tests.crl_core.made_up import made_up_result, store_in, tiny_config

KEY = tiny_config().key


class Opened:
    """What a stranger's pickle does."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("was-opened",)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.chdir(tmp_path)
    store = store_in(tmp_path)
    store.save(made_up_result(tiny_config()))
    return store


def plant(folder: Path, *, mark: str | None) -> None:
    """A run as somebody makes it who can write into the folder, and knows the format, but has no key."""
    evil = sealing.pack({"config": Opened()})
    (folder / "result.joblib").write_bytes(evil)
    manifest = sealing.read_manifest(folder)
    manifest.pop("mark")
    if mark is not None:
        manifest["mark"] = mark
    manifest["files"]["result.joblib"] = sealing.sealed_entry(evil)
    sealing.write_manifest(folder, manifest)


def as_before(folder: Path) -> None:
    """A run as it was stored before there were marks."""
    manifest = sealing.read_manifest(folder)
    manifest.pop("mark")
    sealing.write_manifest(folder, manifest)


@pytest.mark.parametrize("mark", [None, "", "ff" * 32, "é"])
def test_a_planted_pickle_is_never_opened_whatever_its_checksums_say(
    store: RunStore, tmp_path: Path, mark: str | None
) -> None:
    store.verify()  # the store is known: what comes later without a mark is a stranger's
    folder = store.root / "runs" / KEY
    plant(folder, mark=mark)
    for act in (store.load, lambda key: store.part(key, "evidence"), store.seal_events):
        with pytest.raises(RunForeign, match="was not sealed by this installation"):
            act(KEY)
    assert not store.has(KEY)
    assert not store.intact(KEY)
    assert [run.key for run in store.summaries()] == [KEY]  # it is listed, and can be looked for and deleted
    assert store.verify() == []
    assert [found.key for found in store.foreign()] == [KEY]
    with pytest.raises(RunForeign):
        store.load(KEY)
    assert not (tmp_path / "was-opened").exists()
    sealing.unpack((folder / "result.joblib").read_bytes())  # it would have been
    assert (tmp_path / "was-opened").exists()


def test_a_copied_run_of_another_installation_is_trained_again_or_comes_in_as_a_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config()
    monkeypatch.setenv(keyed.VARIABLE, str(tmp_path / "theirs" / "seal.key"))
    theirs = RunStore(tmp_path / "theirs", baked=tmp_path / "none")
    assert train_and_store(config, theirs).ending == "trained"
    bundle = export_bytes(theirs, config.key)
    monkeypatch.setenv(keyed.VARIABLE, str(tmp_path / "ours" / "seal.key"))
    ours = RunStore(tmp_path / "ours", baked=tmp_path / "none")
    ours.verify()
    shutil.copytree(theirs.root / "runs", ours.root / "runs")
    with pytest.raises(RunForeign):
        ours.load(config.key)
    assert train_and_store(config, ours).ending == "trained"
    assert ours.load(config.key).config == config
    assert ours.part(config.key, "evidence")
    ours.delete(config.key)
    import_run(ours, bundle)
    assert ours.load(config.key).config == config


def test_runs_of_before_are_marked_the_first_time_that_a_store_is_checked_and_never_again(store: RunStore) -> None:
    folder = store.root / "runs" / KEY
    as_before(folder)
    with pytest.raises(RunForeign):
        store.load(KEY)
    assert store.verify() == []
    assert store.foreign() == []
    assert store.load(KEY).config == tiny_config()
    as_before(folder)
    assert store.verify() == []
    assert [found.key for found in store.foreign()] == [KEY]


def test_a_damaged_run_of_before_is_not_marked(store: RunStore) -> None:
    as_before(store.root / "runs" / KEY)
    (store.root / "runs" / KEY / "result.joblib").write_bytes(b"cos\nmkdir\n(S'was-opened'\ntR.")
    assert [damage.key for damage in store.verify()] == [KEY]
    assert not Path("was-opened").exists()


def test_a_program_of_before_marks_reads_what_is_stored_now(store: RunStore) -> None:
    raw = (store.root / "runs" / KEY / sealing.MANIFEST).read_bytes()
    content = json.loads(raw)
    seal = content.pop("seal")
    assert sealing.sealed(content) == raw
    assert content["mark"]
    assert seal == json.loads(raw)["seal"]


def test_the_key_is_its_owners_alone_lies_outside_of_the_store_and_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv(keyed.VARIABLE)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    code = "from crl_core.runs import keyed; print(keyed._key(keyed.key_file()).hex())"
    asked = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(6)]
    said = {process.communicate()[0] for process in asked}
    path = tmp_path / "home" / ".config" / "crl-explorer" / "seal.key"
    assert said == {f"{path.read_bytes().hex()}\n"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["seal.key"]


@pytest.mark.parametrize("what", ["a folder", "too short", "no folder can be made"])
def test_a_key_that_cannot_be_had_is_said_in_one_sentence_and_shipped_runs_open_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    path = tmp_path / "seal.key"
    if what == "a folder":
        path.mkdir()
    elif what == "too short":
        path.write_bytes(b"123")
    else:
        path.write_bytes(b"")
        path = path / "below" / "seal.key"
    monkeypatch.setenv(keyed.VARIABLE, str(path))
    store = RunStore(tmp_path / "cache")
    with pytest.raises(StoreError, match="key"):
        store.save(made_up_result(tiny_config()))
    baked = next(folder.name for folder in store.baked.iterdir() if folder.is_dir())
    assert store.load(baked).config.key == baked
    assert store.has(baked)


def test_the_runs_that_come_with_the_program_are_those_that_the_code_names() -> None:
    folder = RunStore().baked
    found = {path.parent.name for path in folder.glob(f"*/{sealing.MANIFEST}")}
    assert found == set(json.loads(keyed.SHIPPED.read_text(encoding="utf-8")))
    assert all(keyed.sealed_here(sealing.read_manifest(folder / key)) for key in found)


def test_baking_names_the_runs_that_come_with_the_program(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyed, "SHIPPED", tmp_path / "shipped.json")
    as_before(store.root / "runs" / KEY)
    keyed.list_shipped(store.root / "runs")
    assert store.load(KEY).config == tiny_config()
    keyed.shipped.cache_clear()
