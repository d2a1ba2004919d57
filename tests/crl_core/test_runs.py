"""A stored run is whole or not there, whatever happens to the process, the disk or a byte."""

import errno
import json
import os
import shutil
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_core.config import RECIPE_VERSION
from crl_core.config import run as config_room
from crl_core.events import EpochEnded, RunFailed, RunStarted
from crl_core.runs import keyed, records, sealing
from crl_core.runs import store as runs
from crl_core.runs.eventlog import EventLog, decode, encode, read_entries
from crl_core.runs.store import RunBusy, RunCorrupted, RunNotFound, RunStore, StoreError
from tests.crl_core.made_up import assert_same, made_up_part, made_up_result, store_in, tiny_config

KEY = tiny_config().key


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return store_in(tmp_path)


def started(n: int = 2) -> RunStarted:
    return RunStarted(
        key=KEY,
        device="cpu",
        lam=np.arange(float(n)),
        replicate=np.zeros(n, dtype=np.int64),
        epochs=3,
        steps_per_epoch=1,
        n_train=160,
        n_held_out=40,
        n_pairs=1,
    )


def ended(epoch: int) -> EpochEnded:
    numbers = np.full(2, 1.0 / (epoch + 2))
    return EpochEnded(
        epoch=epoch,
        elapsed_s=0.5 * epoch,
        loss=numbers,
        factual_train=numbers,
        penalty=numbers,
        factual_mse=numbers,
        mmd2=numbers,
        ite_rmse=numbers,
        status=np.zeros(2, dtype=np.int64),
    )


def complete_run(store: RunStore, seed: int = 0) -> str:
    result = made_up_result(tiny_config(seed))
    with EventLog(store.events_path(result.config.key)) as log:
        log.append(started())
        log.append(ended(1))
    key = store.save(result)
    store.add(key, "evidence", made_up_part(1))
    store.add(key, "projection", made_up_part(2))
    return key


# -- what was stored comes back ------------------------------------------------------------------------------------


def test_a_saved_run_loads_equal(store: RunStore) -> None:
    result = made_up_result()
    assert store.save(result) == KEY
    assert store.has(KEY)
    assert_same(store.load(KEY), result)


def test_another_process_finds_the_run_and_its_parts(store: RunStore, tmp_path: Path) -> None:
    key = complete_run(store)
    other = store_in(tmp_path)
    assert other.missing_parts(key) == ()
    part = other.part(key, "projection")
    assert part is not None
    np.testing.assert_array_equal(part["tsne_xy"], made_up_part(2)["tsne_xy"])
    assert part["names"].tolist() == ["one", "two"]


def test_a_part_that_was_not_added_is_none_and_one_that_cannot_exist_is_refused(store: RunStore) -> None:
    store.save(made_up_result())
    assert store.part(KEY, "evidence") is None
    assert store.missing_parts(KEY) == ("evidence", "projection")
    with pytest.raises(ValueError, match="part is 'plot'; it must be one of evidence, projection"):
        store.part(KEY, "plot")


def test_a_part_can_be_replaced(store: RunStore) -> None:
    key = complete_run(store)
    store.add(key, "projection", made_up_part(7))
    part = store.part(key, "projection")
    assert part is not None
    np.testing.assert_array_equal(part["tsne_xy"], made_up_part(7)["tsne_xy"])


def test_a_run_without_truth_keeps_none(store: RunStore) -> None:
    result = replace(made_up_result(), ite_rmse=None, ate_error=None, ite_rmse_by_env=None)
    store.save(result)
    assert store.load(KEY).ite_rmse is None
    summary = store.summary(KEY)
    assert summary is not None
    assert summary.figures["ite_rmse"] == (None, None)
    assert summary.best() is None


def test_saving_the_same_config_again_keeps_the_first_run(store: RunStore) -> None:
    first = made_up_result()
    store.save(first)
    store.save(replace(first, seconds=99.0))
    assert store.load(KEY).seconds == first.seconds


def test_a_file_that_the_manifest_does_not_name_is_ignored(store: RunStore) -> None:
    store.save(made_up_result())
    (store.root / "runs" / KEY / "projection.joblib").write_bytes(b"not sealed")
    assert store.part(KEY, "projection") is None
    assert store.intact(KEY)


@pytest.mark.parametrize("key", ["", "../../etc", "0" * 15, "G" * 16, "0" * 16, "0" * 16 + "\n"])
def test_a_key_that_names_no_run_is_not_found_and_never_becomes_a_path(store: RunStore, key: str) -> None:
    assert not store.has(key)
    for act in (store.load, store.delete, store.restore, store.pin, store.seal_events):
        with pytest.raises(RunNotFound):
            act(key)


# -- lists ---------------------------------------------------------------------------------------------------------


def test_summaries_tell_the_figures_without_opening_a_result(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    result = made_up_result()
    store.save(result)
    monkeypatch.setattr(sealing, "unpack", None)
    monkeypatch.setattr(runs, "unpack", None)
    (item,) = store.summaries()
    assert result.ite_rmse is not None
    assert item.figures["ite_rmse"] == tuple(result.ite_rmse)  # one replicate, so the median is the value
    assert item.best() == (result.lam[result.ite_rmse.argmin()], result.ite_rmse.min())
    assert item.config == result.config
    assert not item.complete


def test_a_broken_manifest_costs_the_list_that_run_only_and_is_told_by_verify(store: RunStore) -> None:
    keys = [complete_run(store, seed) for seed in (0, 1, 2)]
    (store.root / "runs" / keys[1] / "manifest.json").write_text("{")
    assert set(store.keys()) == {keys[0], keys[2]}
    (damaged,) = store.verify()
    assert (damaged.key, damaged.file) == (keys[1], "manifest.json")
    assert damaged.moved_to is not None
    assert damaged.moved_to.is_dir()
    assert store.verify() == []


def test_a_run_of_an_earlier_recipe_is_readable_and_labelled_and_never_taken_for_a_present_one(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = made_up_result()
    store.save(result)
    monkeypatch.setattr(config_room, "RECIPE_VERSION", 99)
    monkeypatch.setattr(records, "RECIPE_VERSION", 99)
    assert [(item.outdated, item.recipe_version) for item in store.summaries()] == [(True, RECIPE_VERSION)]
    assert_same(store.load(KEY), result)
    assert result.config.key != KEY  # the same settings are another run now
    assert not store.has(KEY)
    assert not store.has(result.config.key)
    assert store.save(result) == result.config.key
    assert {item.key: item.outdated for item in store.summaries()} == {KEY: True, result.config.key: False}
    assert store.verify() == []


def test_a_run_of_a_newer_format_is_refused_and_left_alone(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(records, "FORMAT", 2)
        store.save(made_up_result())
    with pytest.raises(StoreError, match="format 2; this program reads up to 1"):
        store.load(KEY)
    assert (store.root / "runs" / KEY / "result.joblib").exists()


# -- damage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["result.joblib", "evidence.joblib", "projection.joblib", "manifest.json"])
@pytest.mark.parametrize("where", [0.0, 0.37, 0.61, 1.0])
def test_one_flipped_byte_refuses_that_run_and_no_other(
    store: RunStore, tmp_path: Path, file: str, where: float
) -> None:
    key, other = complete_run(store, 0), complete_run(store, 1)
    path = store.root / "runs" / key / file
    content = bytearray(path.read_bytes())
    content[int(where * (len(content) - 1))] ^= 1
    path.write_bytes(content)
    with pytest.raises(RunCorrupted, match=f"{key} is damaged: {file} .*quarantine/{key}-.*train it again") as caught:
        store.load(key)
    assert caught.value.file == file
    assert caught.value.moved_to is not None
    assert (caught.value.moved_to / file).read_bytes() == bytes(content)  # nothing is thrown away
    assert not store.has(key)
    assert store.keys() == [other]
    assert_same(store_in(tmp_path).load(other), made_up_result(tiny_config(1)))
    complete_run(store, 0)  # it can be made again
    assert_same(store.load(key), made_up_result(tiny_config(0)))


@settings(max_examples=60, deadline=None)
@given(where=st.floats(0, 1), bit=st.integers(0, 7))
def test_no_changed_bit_of_a_manifest_is_read_as_a_number(
    where: float, bit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = store_in(tmp_path_factory.mktemp("store"))
    store.save(made_up_result())
    path = store.root / "runs" / KEY / "manifest.json"
    content = bytearray(path.read_bytes())
    content[int(where * (len(content) - 1))] ^= 1 << bit
    path.write_bytes(content)
    assert store.summaries() == []
    with pytest.raises(RunCorrupted):
        store.load(KEY)


@pytest.mark.parametrize("file", ["result.joblib", "projection.joblib", "manifest.json"])
def test_a_missing_or_shortened_file_is_damage(store: RunStore, file: str) -> None:
    key = complete_run(store)
    path = store.root / "runs" / key / file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RunCorrupted, match=file):
        store.load(key)
    complete_run(store)
    path.unlink()
    with pytest.raises(RunCorrupted, match=f"{file} is missing"):
        store.load(key)


def test_a_longer_result_is_damage_but_more_events_are_not(store: RunStore) -> None:
    key = complete_run(store)
    with EventLog(store.events_path(key)) as log:
        log.append(ended(2))
    assert store.intact(key)
    with open(store.root / "runs" / key / "result.joblib", "ab") as file:
        file.write(b"x")
    assert not store.intact(key)


def test_nothing_is_unpickled_before_its_checksum_was_right(store: RunStore) -> None:
    key = complete_run(store)
    path = store.root / "runs" / key / "result.joblib"
    path.write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(RunCorrupted):
        store.load(key)


def test_a_run_in_the_folder_of_another_is_damage(store: RunStore) -> None:
    key, other = complete_run(store, 0), complete_run(store, 1)
    shutil.rmtree(store.root / "runs" / other)
    shutil.copytree(store.root / "runs" / key, store.root / "runs" / other)
    with pytest.raises(RunCorrupted, match=f"is the one of run {key}"):
        store.load(other)
    assert store.intact(key)


def test_a_result_of_another_config_is_damage_even_under_a_good_seal(store: RunStore) -> None:
    key = complete_run(store, 0)
    folder = store.root / "runs" / key
    manifest = sealing.read_manifest(folder)
    wrong = sealing.pack(records.plain(made_up_result(tiny_config(1))))
    (folder / "result.joblib").write_bytes(wrong)
    manifest["files"]["result.joblib"] = sealing.sealed_entry(wrong)
    keyed.seal(folder, manifest)
    with pytest.raises(RunCorrupted, match=f"is the result of run {tiny_config(1).key}"):
        store.load(key)


@pytest.mark.parametrize("how", ["flipped", "shortened", "gone"])
def test_a_damaged_log_costs_its_damaged_lines_and_never_the_run(store: RunStore, how: str) -> None:
    key = complete_run(store)
    path = store.events_path(key)
    content = bytearray(path.read_bytes())
    content[40] ^= 1  # in the first of two lines
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(content if how == "flipped" else path.read_bytes()[:-9])
    assert_same(store.load(key), made_up_result(tiny_config()))
    (told,) = store.verify()
    assert (told.file, told.moved_to) == ("events.jsonl", None)
    assert "the result is as it was sealed" in str(told)
    assert store.verify() == []  # mended
    kept = [type(entry.event) for entry in read_entries(path)[0]]
    assert kept == {"flipped": [EpochEnded], "shortened": [RunStarted], "gone": []}[how]
    assert_same(store.load(key), made_up_result(tiny_config()))


def test_an_added_part_never_seals_damaged_events(store: RunStore) -> None:
    key = complete_run(store)
    path = store.events_path(key)
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    store.add(key, "projection", made_up_part())
    assert [type(entry.event) for entry in read_entries(path)[0]] == [EpochEnded]
    assert bytes(content[:60]) not in path.read_bytes()
    assert store.verify() == []


# -- killed at any moment ------------------------------------------------------------------------------------------


def in_dying_child(act: Callable[[], object], step: int) -> bool:
    """Run `act` in a forked child that is killed just before its `step`th change of the disk; whether it was killed."""
    child = os.fork()
    if child == 0:
        count = 0

        def lethal(call: Callable[..., object]) -> Callable[..., object]:
            def wrapped(*arguments: object, **options: object) -> object:
                nonlocal count
                count += 1
                if count == step:
                    os.kill(os.getpid(), 9)
                return call(*arguments, **options)

            return wrapped

        for name in ("replace", "rename", "fsync", "unlink", "write", "mkdir"):
            setattr(os, name, lethal(getattr(os, name)))
        try:
            act()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -9)
    return status == -9


def test_a_process_killed_at_any_moment_of_saving_leaves_a_whole_run_or_none(tmp_path: Path) -> None:
    result = made_up_result()
    outcomes = []
    for step in range(1, 50):
        store = store_in(tmp_path / str(step))
        killed = in_dying_child(lambda store=store: store.save(result), step)  # type: ignore[misc]
        outcomes.append(store.has(KEY))
        if store.has(KEY):
            assert_same(store.load(KEY), result)
        else:
            with pytest.raises((RunNotFound, RunCorrupted)):
                store.load(KEY)
        store.save(result)  # it can always be saved again
        assert_same(store.load(KEY), result)
        if not killed:
            break
    assert outcomes[0] is False
    assert outcomes[-1] is True
    assert outcomes == sorted(outcomes)
    assert len(outcomes) > 4


@pytest.mark.parametrize("replacing", [False, True])
def test_a_process_killed_at_any_moment_of_adding_a_part_never_costs_the_run(tmp_path: Path, replacing: bool) -> None:
    result, old, new = made_up_result(), made_up_part(1), made_up_part(2)
    for step in range(1, 50):
        store = store_in(tmp_path / str(step))
        store.save(result)
        if replacing:
            store.add(KEY, "projection", old)
        killed = in_dying_child(lambda store=store: store.add(KEY, "projection", new), step)  # type: ignore[misc]
        assert_same(store.load(KEY), result)
        part = store.part(KEY, "projection")
        assert part is None or part["tsne_xy"].tolist() in (old["tsne_xy"].tolist(), new["tsne_xy"].tolist())
        if not killed:
            assert part is not None
            np.testing.assert_array_equal(part["tsne_xy"], new["tsne_xy"])
            assert step > 4
            return
    pytest.fail("adding a part never ended")


def test_a_reader_beside_a_writer_sees_a_whole_run_at_every_moment(store: RunStore) -> None:
    store.save(made_up_result())
    stop = threading.Event()
    problems: list[BaseException] = []

    def read() -> None:
        reader = RunStore(store.root, store.baked)
        while not stop.is_set():
            try:
                reader.load(KEY)
                reader.part(KEY, "projection")
                assert len(reader.summaries()) == 1
            except BaseException as error:
                problems.append(error)
                return

    thread = threading.Thread(target=read)
    thread.start()
    for seed in range(30):
        store.add(KEY, "projection", made_up_part(seed))
    stop.set()
    thread.join()
    assert problems == []


# -- a disk that refuses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission was denied"),
        (errno.EIO, "check the disk"),
    ],
)
@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("nth", [1, 2])
def test_a_disk_that_refuses_gives_one_sentence_and_leaves_nothing(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, code: int, words: str, call: str, nth: int
) -> None:
    other = complete_run(store, 1)
    count, real = 0, getattr(os, call)

    def refuse(*arguments: object) -> object:
        nonlocal count
        count += 1
        if count >= nth * (2 if call == "fsync" else 1) - (1 if call == "fsync" else 0):
            raise OSError(code, os.strerror(code))
        return real(*arguments)

    with monkeypatch.context() as broken:
        broken.setattr(os, call, refuse)
        with pytest.raises(StoreError, match=words) as caught:
            store.save(made_up_result())
    assert "\n" not in str(caught.value)
    assert not store.has(KEY)
    assert list((store.root / "runs" / KEY).iterdir()) == []
    assert_same(store.load(other), made_up_result(tiny_config(1)))
    store.save(made_up_result())
    assert store.intact(KEY)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full disk to write to")
def test_events_on_a_full_disk_give_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").symlink_to("/dev/full")
    with EventLog(tmp_path / "events.jsonl") as log, pytest.raises(StoreError, match="the disk is full"):
        log.append(started())


def test_an_event_that_the_disk_took_half_of_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real = tmp_path / "events.jsonl", os.write
    with EventLog(path) as log:
        log.append(started())
        whole = path.read_bytes()
        calls = iter((lambda handle, content: real(handle, content[:20]), None))

        def half(handle: int, content: bytes) -> int:
            act = next(calls)
            if act is None:
                raise OSError(errno.ENOSPC, "No space left on device")
            return act(handle, content)

        with monkeypatch.context() as broken:
            broken.setattr(os, "write", half)
            with pytest.raises(StoreError, match="full"):
                log.append(ended(1))
        assert path.read_bytes() == whole
        log.append(ended(2))
    entries, _ = read_entries(path)
    assert [type(entry.event) for entry in entries] == [RunStarted, EpochEnded]


def test_a_file_where_the_folder_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    store = store_in(tmp_path)
    assert store.summaries() == []
    assert not store.has(KEY)
    with pytest.raises(StoreError, match="CRL_CACHE"):
        store.save(made_up_result())


def test_a_run_that_cannot_be_read_is_not_taken_for_damaged(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    key = complete_run(store)

    def denied(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as broken:
        broken.setattr(runs, "read_sealed", denied)
        with pytest.raises(StoreError, match="permission was denied") as caught:
            store.load(key)
    assert not isinstance(caught.value, RunCorrupted)
    assert store.intact(key)


# -- baked runs ----------------------------------------------------------------------------------------------------


def bake(store: RunStore, seed: int = 0) -> str:
    key = complete_run(store, seed)
    store.baked.mkdir(exist_ok=True)
    (store.root / "runs" / key).rename(store.baked / key)
    return key


def test_a_baked_run_is_read_and_never_changed(store: RunStore) -> None:
    key = bake(store)
    before = {path: path.read_bytes() for path in (store.baked / key).iterdir()}
    assert_same(store.load(key), made_up_result())
    assert store.part(key, "evidence") is not None
    assert [item.baked for item in store.summaries()] == [True]
    assert store.missing_parts(key) == ()
    for act in (
        store.delete,
        store.pin,
        store.seal_events,
        lambda k: store.add(k, "projection", made_up_part()),
    ):
        with pytest.raises(StoreError, match="comes with the program"):
            act(key)
    store.save(made_up_result())
    assert {path: path.read_bytes() for path in (store.baked / key).iterdir()} == before
    assert not (store.root / "runs" / key).exists()


def test_a_damaged_baked_run_is_reported_left_in_place_and_can_be_trained(store: RunStore) -> None:
    key = bake(store)
    path = store.baked / key / "result.joblib"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(RunCorrupted, match="comes with the program, is damaged") as caught:
        store.load(key)
    assert caught.value.moved_to is None
    assert path.read_bytes() == bytes(content)
    assert not store.has(key)
    store.save(made_up_result())
    assert_same(store.load(key), made_up_result())
    assert_same(RunStore(store.root, store.baked).load(key), made_up_result())


# -- trash and quota -----------------------------------------------------------------------------------------------


def test_a_deleted_run_comes_back_whole(store: RunStore) -> None:
    key = complete_run(store)
    store.delete(key)
    assert not store.has(key)
    assert store.trashed() == [key]
    store.restore(key)
    assert_same(store.load(key), made_up_result())
    assert store.part(key, "projection") is not None
    with pytest.raises(RunNotFound, match="not in the trash"):
        store.restore(key)


def test_restoring_never_replaces_a_run_that_is_there(store: RunStore) -> None:
    key = complete_run(store)
    store.delete(key)
    store.save(replace(made_up_result(), seconds=7.0))
    with pytest.raises(StoreError, match="is there already"):
        store.restore(key)
    assert store.load(key).seconds == 7.0


def test_a_run_in_training_is_not_deleted(store: RunStore) -> None:
    key = complete_run(store)
    with RunStore(store.root, store.baked).lock(key), pytest.raises(RunBusy):
        store.delete(key)
    assert store.has(key)


def in_order(store: RunStore, *keys: str) -> None:
    for age, key in enumerate(keys):
        os.utime(store.root / "runs" / key / "manifest.json", (1000 + age, 1000 + age))


def test_over_the_quota_the_trash_goes_first_then_the_oldest_runs(store: RunStore) -> None:
    keys = [complete_run(store, seed) for seed in range(4)]
    in_order(store, *keys)
    size = sum(path.stat().st_size for path in (store.root / "runs" / keys[0]).iterdir())
    store.delete(keys[3])
    store.quota_bytes = int(4.2 * size)
    assert store.save(made_up_result(tiny_config(9))) not in store.trashed()
    assert store.trashed() == []
    assert set(keys[:3]) <= set(store.keys())
    store.quota_bytes = int(2.2 * size)
    newest = store.save(made_up_result(tiny_config(10)))
    assert not store.has(keys[0])
    assert store.has(newest)
    assert not any((store.root / "runs").glob(".*"))


def test_the_quota_never_takes_pinned_baked_or_running_runs(store: RunStore) -> None:
    baked = bake(store, 5)
    pinned, running, plain = (complete_run(store, seed) for seed in range(3))
    in_order(store, pinned, running, plain)
    store.pin(pinned)
    store.quota_bytes = 1
    with RunStore(store.root, store.baked).lock(running):
        newest = store.save(made_up_result(tiny_config(9)))
    assert set(store.keys()) == {baked, pinned, running, newest}
    store.pin(pinned, False)
    last = store.save(made_up_result(tiny_config(10)))
    assert set(store.keys()) == {baked, last}


# -- locks ---------------------------------------------------------------------------------------------------------


def test_a_lock_is_held_once_and_seen_by_everyone(store: RunStore) -> None:
    other = RunStore(store.root, store.baked)
    assert not store.busy(KEY)
    with store.lock(KEY), store.lock(KEY):
        assert store.busy(KEY)
        assert other.busy(KEY)
        with pytest.raises(RunBusy), other.lock(KEY):
            pass
    assert not other.busy(KEY)


def test_a_cancel_is_for_one_attempt_whatever_the_clocks_say(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    locks = store.locks
    locks.ask_to_stop(KEY)  # nobody is at it
    with store.lock(KEY):
        first = locks.begin(KEY)
        assert not locks.asked_to_stop(KEY, first)
        for clock in (1e10, 0.0):  # far ahead, far behind
            monkeypatch.setattr(time, "time", lambda clock=clock: clock)
            locks.ask_to_stop(KEY)
            assert locks.asked_to_stop(KEY, first)
            second = locks.begin(KEY)
            assert not locks.asked_to_stop(KEY, second)
            first = second
        locks.ask_to_stop(KEY, "a job that has not begun")
        assert locks.asked_to_stop(KEY, "a job that has not begun")
        locks.end(KEY)
    assert not locks.asked_to_stop(KEY, first)
    assert list((store.root / "locks").glob("*.attempt")) == []


# -- events --------------------------------------------------------------------------------------------------------


def test_events_come_back_in_order_and_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert read_entries(path) == ([], 0)
    with EventLog(path) as log:
        log.append(started())
        first, offset = read_entries(path)
        log.append(ended(1))
        log.append(ended(2))
    second, end = read_entries(path, offset)
    assert [type(entry.event) for entry in first] == [RunStarted]
    assert [entry.event.epoch for entry in second if isinstance(entry.event, EpochEnded)] == [1, 2]
    assert end == path.stat().st_size
    assert all("crc" in json.loads(line) for line in path.read_text().splitlines())  # plain JSON lines


@settings(max_examples=50, deadline=None)
@given(cut=st.integers(0, 10_000))
def test_a_reader_stops_at_the_last_line_break_and_a_writer_goes_on_after_it(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = encode(started(), at=1.0) + encode(ended(1), at=2.0) + encode(ended(2), at=3.0)
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    cut %= len(whole) + 1
    path.write_bytes(whole[:cut])
    before, offset = read_entries(path)
    assert len(before) == whole[:cut].count(b"\n")
    assert offset == whole[:cut].rfind(b"\n") + 1
    with EventLog(path) as log:
        log.append(RunFailed(reason="killed"))
    after, _ = read_entries(path)
    # the half line was a whole one but for its line break, or is skipped
    assert len(after) in (len(before) + 1, len(before) + 2)
    last = after[-1].event
    assert isinstance(last, RunFailed)
    assert last.reason == "killed"


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_line_with_any_changed_bit_is_never_read(data: st.DataObject) -> None:
    line = bytearray(encode(ended(1), at=2.0).rstrip())
    line[data.draw(st.integers(0, len(line) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(ValueError):  # noqa: PT011
        decode(bytes(line))


def test_a_damaged_line_costs_that_line_only(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(encode(started(), at=1.0) + b'{"event":"EpochEnded","at"\xff\n[1]\n\n' + encode(ended(2), at=3.0))
    assert [type(entry.event) for entry in read_entries(path)[0]] == [RunStarted, EpochEnded]


def test_a_file_that_was_replaced_by_a_shorter_one_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(encode(started(), at=1.0))
    entries, end = read_entries(path, 100_000)
    assert len(entries) == 1
    assert end == path.stat().st_size


def test_a_save_does_not_measure_every_run_while_there_is_room_and_keeps_to_the_quota_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    measured = runs.make_room
    monkeypatch.setattr(runs, "make_room", lambda *given: looks.append(1) or measured(*given))  # type: ignore[func-returns-value]
    plenty = store_in(tmp_path / "plenty")
    for seed in range(6):
        plenty.save(made_up_result(tiny_config(seed)))
    assert len(looks) == 1
    size = sum(file.stat().st_size for file in (plenty.root / "runs" / plenty.keys()[0]).iterdir())
    looks.clear()
    little = RunStore(tmp_path / "little", baked=tmp_path / "none", quota_bytes=int(3.5 * size))
    for seed in range(8):
        little.save(made_up_result(tiny_config(seed)))
        assert len(little.keys()) == min(seed + 1, 3)
    assert len(looks) < 8
