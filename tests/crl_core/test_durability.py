"""What a power cut, a refusing disk and a full disk leave of the store: whatever it has said is stored."""

from __future__ import annotations

import errno
import gc
import io
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crl_core.cli.program import main
from crl_core.events import EpochEnded
from crl_core.export.model_file import ModelRefused, open_model
from crl_core.jobs.train_and_store import train_and_store
from crl_core.results import RunResult
from crl_core.runs.bundle import AlreadyStored, BundleRefused, export_run, import_run
from crl_core.runs.eventlog import EventLog, read_entries
from crl_core.runs.labels import Label
from crl_core.runs.library import Library
from crl_core.runs.sealing import DiskFull, StoreError, read_manifest, write_manifest
from crl_core.runs.store import RunStore
from tests.crl_core.crashes import Recorder, lay_out
from tests.crl_core.made_up import assert_same, made_up_part, made_up_result, store_in, tiny_config
from tests.crl_core.test_runs import complete_run, ended, started

NAMED = Label(name="the one")


@pytest.fixture
def shm() -> Iterator[Path]:
    """A folder in memory where there is one: what is simulated needs no disk of its own."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=base) as folder:
        yield Path(folder)


@dataclass(frozen=True)
class Promise:
    """What the store has said of a run. labels: any of these; away: it may be in the trash."""

    result: RunResult
    parts: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    labels: tuple[Label, ...] = (Label(),)
    away: bool = False


def made_up(seed: int) -> Promise:
    return Promise(made_up_result(tiny_config(seed)))


def kept(store: RunStore, promised: Mapping[str, Promise]) -> None:
    """Whether everything that was promised is there, and the store works on."""
    for key, promise in promised.items():
        if promise.away and not store.has(key):
            store.restore(key)
        assert_same(store.load(key), promise.result)
        summary = store.summary(key)
        assert summary is not None
        assert summary.label in promise.labels
        for name, arrays in promise.parts.items():
            found = store.part(key, name)
            assert found is not None
            assert all((found[each] == arrays[each]).all() for each in arrays if arrays[each].dtype.kind != "f")
            assert all(
                np.array_equal(found[each], arrays[each], True) for each in arrays if arrays[each].dtype.kind == "f"
            )
    store.verify()
    assert set(promised) <= set(store.keys())


def goes_on(store: RunStore) -> None:
    new = store.save(made_up_result(tiny_config(99)))
    assert store.intact(new)


# -- a power cut -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Elsewhere:
    """A run of another copy of the program, with a name and a part, as a bundle.

    Further parts would only be the same calls of the disk again.
    """

    bundle: Path
    promise: Promise


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    folder = tmp_path_factory.mktemp("elsewhere")
    trained, store, label = store_in(folder / "trained"), store_in(folder / "stored"), Label(name="from elsewhere")
    config = tiny_config(1)
    assert train_and_store(config, trained).ending == "trained"
    result, part = trained.load(config.key), trained.part(config.key, "projection") or {}
    store.save(result)
    store.add(config.key, "projection", part)
    store.label(config.key, label)
    export_run(store, config.key, folder / "run.zip")
    return Elsewhere(folder / "run.zip", Promise(result, {"projection": part}, (label,)))


def acts(store: RunStore, elsewhere: Elsewhere, say: Callable[[dict[str, Promise]], None]) -> None:
    """Save, add, label, delete, restore, import, and a quota that evicts; `say` before and after each what holds."""
    first, part = made_up(0), made_up_part(0)
    key = first.result.config.key
    say({})
    with EventLog(store.events_path(key)) as log:
        log.append(started())
        log.append(ended(1))
        store.save(first.result)
        say({key: first})
        log.append(ended(2))
    store.add(key, "projection", part)
    first = replace(first, parts={"projection": part})
    say({key: first})
    store.seal_events(key)
    say({key: replace(first, labels=(Label(), NAMED))})
    store.label(key, NAMED)
    first = replace(first, labels=(NAMED,))
    say({key: first})
    say({key: replace(first, away=True)})
    store.delete(key)
    store.restore(key)
    say({key: first})
    other = import_run(store, elsewhere.bundle)
    say({key: first, other: elsewhere.promise})
    store.pin(key)
    say({key: first, other: replace(elsewhere.promise, away=True)})
    store.delete(other)
    say({key: first})  # from here on the quota may take the trash
    store.quota_bytes = 1
    third = made_up(2)
    store.save(third.result)
    say({key: first, third.result.config.key: third})


def recorded_store(folder: Path) -> tuple[Recorder, RunStore]:
    """A new store, and who notes what happens to its folder."""
    root = folder / "cache"
    root.mkdir()
    return Recorder(root), RunStore(root, folder / "none")


@pytest.mark.slow
def test_whatever_was_stored_survives_a_power_cut_at_any_moment_and_any_loss_of_what_was_not_flushed(
    shm: Path, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, store = recorded_store(shm)
    with recorder.watching(monkeypatch):
        acts(store, elsewhere, recorder.mark)
    recorder.look()
    assert len([step for step in recorder.steps if step.kind == "flush"]) > 40
    monkeypatch.setattr(os, "fsync", lambda _: None)  # the states are in memory
    tried = 0
    for n, tree in recorder.states():
        promised = [what for at, what in recorder.marks if at <= n]
        state = shm / "state"
        state.mkdir()
        lay_out(tree, state)
        try:
            kept(RunStore(state, shm / "none"), promised[-1] if promised else {})  # type: ignore[arg-type]
            if tried % 7 == 0:
                goes_on(RunStore(state, shm / "none"))
        except Exception as error:
            lost = recorder.steps[max(0, n - 6) : n]
            raise AssertionError(f"after {n} of {len(recorder.steps)} steps: {error}; the last were {lost}") from error
        shutil.rmtree(state)
        tried += 1
    assert tried > 500


def test_the_simulated_power_cut_finds_a_store_that_does_not_flush_its_log(
    shm: Path, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first version lost, so that the test above is known to be able to fail."""
    from crl_core.runs import store as module

    recorder, store = recorded_store(shm)
    monkeypatch.setattr(module, "flush", lambda _: None)
    key = tiny_config(0).key
    with recorder.watching(monkeypatch), EventLog(store.events_path(key)) as log:
        log.append(started())
        store.save(made_up_result(tiny_config(0)))
    lost = 0
    for n, tree in recorder.states():
        log_there = tree.get(f"runs/{key}/events.jsonl", b"")
        if n == len(recorder.steps) and not log_there:
            lost += 1
    assert lost > 0


def loop_devices() -> str | None:
    """Why no file system can be mounted here; None if one can."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None or shutil.which("mount") is None:
        return "mounting an image needs root, mkfs.ext4 and mount"
    with tempfile.TemporaryDirectory() as folder:
        image, place = Path(folder, "image"), Path(folder, "place")
        place.mkdir()
        image.write_bytes(b"")
        os.truncate(image, 4_000_000)
        for command in (["mkfs.ext4", "-q", image], ["mount", "-o", "loop", image, place]):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                return f"{command[0]} is refused here: {done.stderr.strip()[:80]}"
        subprocess.run(["umount", place], check=True)
    return None


def test_a_run_survives_a_power_cut_on_a_real_disk_the_moment_that_it_is_said_to_be_stored(tmp_path: Path) -> None:
    if (why := loop_devices()) is not None:
        pytest.skip(why)
    image, copy = tmp_path / "image", tmp_path / "copy"
    places = [tmp_path / "before", tmp_path / "after"]
    for place in places:
        place.mkdir()
    image.write_bytes(b"")
    os.truncate(image, 32_000_000)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, places[0]], check=True)
    try:
        key = complete_run(store_in(places[0]))
        shutil.copyfile(image, copy)  # what the device has got
    finally:
        subprocess.run(["umount", places[0]], check=True)
    subprocess.run(["mount", "-o", "loop", copy, places[1]], check=True)
    try:
        store = store_in(places[1])
        assert_same(store.load(key), made_up_result(tiny_config(0)))
        assert [type(entry.event) for entry in read_entries(store.events_path(key))[0]][-1] is EpochEnded
    finally:
        subprocess.run(["umount", places[1]], check=True)


# -- every failing call ------------------------------------------------------------------------------------------------

CALLS = ("open", "write", "fsync", "rename", "replace", "unlink", "mkdir", "rmdir", "ftruncate", "scandir", "close")


@contextmanager
def refusing(
    monkeypatch: pytest.MonkeyPatch, nth: int, code: int, *, for_good: bool = False, short: bool = False
) -> Iterator[list[str]]:
    """The nth call of the operating system's files fails, or all from it on; yields the names of the calls so far.

    short: a write takes half before it fails.
    """
    calls: list[str] = []

    def due(name: str) -> bool:
        calls.append(name)
        return len(calls) == nth or (for_good and len(calls) > nth)

    def wrap(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            if due(name):
                if name == "close":
                    call(*arguments)  # a close that reports an error has closed all the same
                if name == "write" and short:
                    call(arguments[0], arguments[1][: len(arguments[1]) // 2])
                raise OSError(code, os.strerror(code))
            return None if name == "fsync" else call(*arguments, **options)

        return wrapped

    class Written(io.BufferedWriter):
        def write(self, content: Any) -> int:
            if due("write"):
                if short:
                    super().write(content[: len(content) // 2])
                raise OSError(code, os.strerror(code))
            return super().write(content)

    real = io.open

    def opened(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if due("open"):
            raise OSError(code, os.strerror(code))
        if mode == "wb":
            return Written(io.FileIO(file, "wb", opener=options.get("opener")))
        return real(file, mode, *arguments, **options)

    with monkeypatch.context() as patched:
        for name in CALLS:
            patched.setattr(os, name, wrap(name, getattr(os, name)))
        patched.setattr("builtins.open", opened)
        patched.setattr(io, "open", opened)
        yield calls


def prepare(operation: str, store: RunStore) -> None:
    """What has to be in a store before an operation is tried on it."""
    store.pin(complete_run(store))
    if operation in ("delete", "restore", "quota"):
        store.save(made_up_result(tiny_config(6)))
    if operation == "quota":
        store.save(made_up_result(tiny_config(7)))
        store.delete(tiny_config(7).key)
    if operation == "restore":
        store.delete(tiny_config(6).key)


def operations(store: RunStore, elsewhere: Elsewhere) -> Mapping[str, Callable[[], object]]:
    key, other = tiny_config(0).key, tiny_config(6).key
    return {
        "save": lambda: store.save(made_up_result(tiny_config(5))),
        "add": lambda: store.add(key, "projection", made_up_part(2)),
        "label": lambda: store.label(key, NAMED),
        "seal": lambda: store.seal_events(key),
        "import": lambda: import_run(store, elsewhere.bundle),
        "delete": lambda: store.delete(other),
        "restore": lambda: store.restore(other),
        "quota": lambda: store.save(made_up_result(tiny_config(8))),
        "list": lambda: (store.summaries(), store.trashed(), store.verify()),
    }


def refusal(act: Callable[[], object]) -> str | None:
    """The sentence with which an operation is refused; None where it is done."""
    try:
        act()
    except (StoreError, BundleRefused, AlreadyStored) as error:
        return str(error)
    return None


@pytest.mark.slow
@pytest.mark.parametrize("how", ["ENOSPC", "EIO", "ENOSPC for good", "EIO for good", "short write"])
@pytest.mark.parametrize("operation", operations(RunStore("unused"), None))  # type: ignore[arg-type]
def test_whatever_call_the_disk_refuses_the_store_says_so_in_a_sentence_and_loses_nothing(
    shm: Path, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, operation: str, how: str
) -> None:
    code = errno.EIO if how.startswith("EIO") else errno.ENOSPC
    prepare(operation, store_in(shm / "prepared"))
    tried = replace(made_up(0), labels=(Label(), NAMED))
    gc.collect()  # what tests of before left open is closed now, not while files are counted
    with monkeypatch.context() as quick:
        quick.setattr(os, "fsync", lambda _: None)
        for nth in range(1, 400):
            place = shm / f"tried {nth}"
            shutil.copytree(shm / "prepared", place)
            store = store_in(place)
            store.quota_bytes = 1 if operation == "quota" else store.quota_bytes
            act = operations(store, elsewhere)[operation]
            descriptors = len(os.listdir("/proc/self/fd"))
            with refusing(monkeypatch, nth, code, for_good="good" in how, short=how == "short write") as calls:
                said = refusal(act)
            assert said is None or "\n" not in said
            assert len(os.listdir("/proc/self/fd")) == descriptors, f"call {nth}, {calls[nth - 1]}, left a file open"
            assert_same(store.load(tiny_config(0).key), made_up_result(tiny_config(0)))
            said = refusal(act)  # it can be tried again, but for what was done already
            assert said is None or any(words in said for words in ("already", "no run", "not in the trash")), said
            kept(store, {tiny_config(0).key: tried})
            goes_on(store)
            shutil.rmtree(place)
            if len(calls) < nth:
                return
    raise AssertionError("the operation does not end")


# -- a full disk -------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 kB; skipped where none can be mounted."""
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "none", place], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()[:80]}")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def test_deleting_runs_makes_room_on_a_full_disk(small_disk: Path) -> None:
    store, seeds = store_in(small_disk), iter(range(100))
    saved: list[str] = []

    def save_many() -> None:
        while True:
            saved.append(store.save(made_up_result(tiny_config(next(seeds)))))

    with pytest.raises(DiskFull, match="empty the trash"):
        save_many()
    assert len(saved) > 3
    for key in saved:
        store.delete(key)
    new = store.save(made_up_result(tiny_config(next(seeds))))
    assert store.intact(new)
    assert store.trashed() == []


def test_the_trash_is_emptied_by_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRL_CACHE", str(tmp_path / "cache"))
    store = store_in(tmp_path)
    store.delete(store.save(made_up_result(tiny_config(0))))
    assert main(["runs", "empty-trash"]) == 0
    assert "Deleted for good: 1" in capsys.readouterr().out
    assert store.trashed() == []


def test_a_full_disk_is_told_before_training_and_not_after_it(small_disk: Path) -> None:
    store = store_in(small_disk)
    large = replace(tiny_config(), training=replace(tiny_config().training, hidden=256))
    outcome = train_and_store(large, store)
    assert outcome.ending == "failed"
    assert re.search(
        r"To store this run takes about \d+\.\d MB, and 0\.\d MB are free .* empty-trash", outcome.reason or ""
    )
    assert not store.events_path(large.key).exists()


def test_an_import_displaces_imports_and_never_what_was_trained_here(tmp_path: Path, elsewhere: Elsewhere) -> None:
    store = store_in(tmp_path)
    own = [store.save(made_up_result(tiny_config(seed))) for seed in (2, 3, 4)]
    key = import_run(store, elsewhere.bundle)
    size = sum(run.bytes for run in store.summaries() if run.key != key)
    store.delete(key)
    store.quota_bytes = size + 1000
    with pytest.raises(StoreError, match="an import displaces no run that was trained here"):
        import_run(store, elsewhere.bundle)
    assert set(store.keys()) == set(own)
    store.quota_bytes = 10 * size
    import_run(store, elsewhere.bundle)
    store.quota_bytes = size + 1000
    other = RunStore(tmp_path / "second", tmp_path / "none")
    other.save(made_up_result(tiny_config(9)), {"imported": 1.0})
    over = tiny_config(9).key
    with suppress(StoreError):
        store.adopt(over, other)
    assert set(own) <= set(store.keys())
    assert not store.has(key)


def test_a_wrong_clock_empties_no_trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_in(tmp_path)
    key = store.save(made_up_result(tiny_config(0)))
    store.delete(key)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 20 * 86_400)
    store.save(made_up_result(tiny_config(1)))
    store.restore(key)
    assert store.intact(key)


def test_what_killed_processes_left_lying_about_is_swept_after_an_hour(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    key = store.save(made_up_result(tiny_config(0)))
    strays = [store.root / ".index.json.1.ab.tmp", store.root / "runs" / key / ".label.json.1.ab.tmp"]
    young = store.root / "runs" / key / ".young.1.ab.tmp"
    for path in (*strays, young):
        path.write_text("half")
    for path in strays:
        os.utime(path, (1, 1))
    gone = store.root / "trash" / ".gone-1"
    gone.mkdir(parents=True)
    store.verify()
    assert [path.exists() for path in (*strays, gone, young)] == [False, False, False, True]


# -- what is sealed by who may write there, and what is no file --------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"format": "1"},
        {"files": []},
        {"files": {"result.joblib": {"sha256": "0", "bytes": 10**18}}},
        {"files": {"result.joblib": None}},
        {"created": "yesterday"},
        {"figures": 3},
        {"config": None},
    ],
)
def test_a_manifest_of_other_types_is_damage_and_not_an_error(tmp_path: Path, change: dict[str, Any]) -> None:
    store = store_in(tmp_path)
    key, other = (store.save(made_up_result(tiny_config(seed))) for seed in (0, 1))
    folder = store.root / "runs" / key
    write_manifest(folder, {**read_manifest(folder), **change})
    assert store.keys() == [other]
    assert [run.key for run in Library(store).runs()] == [other]
    assert [damage.key for damage in store.verify()] == [key]
    store.save(made_up_result(tiny_config(0)))
    assert store.intact(key)


def test_nested_without_end_an_index_a_label_and_a_log_cost_themselves_only(tmp_path: Path) -> None:
    store, deep = store_in(tmp_path), "[" * 100_000
    key = complete_run(store)
    (store.root / "index.json").write_text(deep)
    (store.root / "runs" / key / "label.json").write_text(deep)
    with open(store.events_path(key), "a", encoding="utf-8") as log:
        log.write(f"{deep}\n")
    assert [run.key for run in Library(store).runs()] == [key]
    assert len(read_entries(store.events_path(key))[0]) == 2


def test_a_new_store_is_its_owners_alone(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.save(made_up_result())
    assert store.root.stat().st_mode & 0o777 == 0o700


def test_a_device_and_a_pipe_are_refused_before_they_are_read(tmp_path: Path, elsewhere: Elsewhere) -> None:
    os.mkfifo(tmp_path / "pipe")
    store = store_in(tmp_path)
    for path, kind in ((tmp_path / "pipe", "a pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(BundleRefused, match=kind):
            import_run(store, path)
        with pytest.raises(ModelRefused, match=kind):
            open_model(path)


def test_nothing_is_exported_into_the_store_and_a_slip_of_the_finger_deletes_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRL_CACHE", str(tmp_path / "cache"))
    store = store_in(tmp_path)
    key = store.save(made_up_result())
    assert main(["runs", "export", key, str(store.root / "runs" / key / "result.joblib")]) == 2
    assert "inside the store of runs" in capsys.readouterr().err
    assert store.intact(key)
    assert main(["runs", "delete", key[:3]]) == 2
    assert "type 4 digits" in capsys.readouterr().err
    assert main(["runs", "delete", key[:4]]) == 0
