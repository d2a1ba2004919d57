"""Pressing Train: one training whoever asks, whatever is killed, and a state that the files alone can tell."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import types
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from benchmarks.growth import ran
from crl_core import RunConfig, RunStore, preset
from crl_core.config import MAX_QUEUE
from crl_core.config.presets import PRESETS
from crl_core.config.text import altered
from crl_core.events import (
    EpochEnded,
    Event,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunFinished,
    RunStarted,
    StageAdvanced,
)
from crl_core.jobs import train_and_store as runner
from crl_core.jobs.cost import DEFAULT_RATE, smaller, work
from crl_core.jobs.executors import Job
from crl_core.jobs.manager import STOPPED, JobManager, estimate_seconds
from crl_core.jobs.memory import memory_needed, too_much
from crl_core.jobs.train_and_store import OnProgress, Outcome, train_and_store
from crl_core.jobs.turn import LOOK_S, Turn
from crl_core.results import RunResult
from crl_core.runs.eventlog import EventLog, read_entries
from crl_core.runs.sealing import StoreError
from tests.crl_core.made_up import (
    assert_same,
    endless_config,
    made_up_part,
    made_up_result,
    store_in,
    tiny_config,
    wait_until,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return store_in(tmp_path)


@pytest.fixture
def manager(store: RunStore) -> Iterator[JobManager]:
    jobs = JobManager(store)
    yield jobs
    jobs.close()


@pytest.fixture
def quick_parts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float | None]]:
    """Parts that take no time; which were asked for, with the λ in view."""
    asked: list[tuple[str, float | None]] = []

    def part(name: str) -> Callable[..., dict[str, np.ndarray]]:
        def compute(result: RunResult, lam: float | None, progress: OnProgress, _: object) -> dict[str, np.ndarray]:
            asked.append((name, lam))
            progress(1, 2)
            progress(2, 2)
            return made_up_part()

        return compute

    monkeypatch.setattr(runner, "_PARTS", {name: part(name) for name in ("evidence", "projection")})
    return asked


@pytest.fixture
def slow_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that never ends by itself, without torch."""

    def train_path(config: RunConfig, *, should_stop: Callable[[], bool], watch: object) -> Iterator[Event]:
        yield started(config)
        while not should_stop():
            time.sleep(0.005)

    monkeypatch.setitem(sys.modules, "crl_core.training.path", types.SimpleNamespace(train_path=train_path))


def made_up_training(monkeypatch: pytest.MonkeyPatch, *, error: Exception | None = None) -> None:
    """A training of made-up numbers that is over at once, or fails after its first epoch."""

    def train_path(config: RunConfig, *, should_stop: Callable[[], bool], watch: object) -> Iterator[Event]:
        yield started(config)
        yield ended(1)
        if error is not None:
            raise error
        yield RunFinished(elapsed_s=1.5, result=made_up_result(config))

    monkeypatch.setitem(sys.modules, "crl_core.training.path", types.SimpleNamespace(train_path=train_path))


def started(config: RunConfig) -> RunStarted:
    return RunStarted(
        key=config.key,
        device="cpu",
        lam=np.array([0.0, 1.0]),
        replicate=np.zeros(2, dtype=np.int64),
        epochs=config.training.epochs,
        steps_per_epoch=1,
        n_train=160,
        n_held_out=40,
        n_pairs=1,
    )


def ended(epoch: int) -> EpochEnded:
    numbers = np.full(2, 0.5)
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


def write(store: RunStore, key: str, *events: Event) -> None:
    with EventLog(store.events_path(key)) as log:
        for event in events:
            log.append(event)


def kinds(store: RunStore, key: str) -> list[str]:
    return [type(entry.event).__name__ for entry in read_entries(store.events_path(key))[0]]


# -- carrying a run out --------------------------------------------------------------------------------------------


def test_a_run_tells_its_story_in_order_and_is_sealed_before_it_is_said_to_be(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, quick_parts: list[tuple[str, float | None]]
) -> None:
    made_up_training(monkeypatch)
    config = tiny_config()
    sealed_at: dict[str, bool] = {}
    outcome = train_and_store(
        config,
        store,
        lam_in_view=1.0,
        listen=lambda e: sealed_at.setdefault(type(e).__name__, store.has(config.key)),
    )
    assert outcome.ending == "trained"
    assert outcome.reason is None
    assert kinds(store, config.key) == [
        "RunStarted",
        "EpochEnded",
        "RunFinished",
        *["StageAdvanced"] * 6,
        "RunCompleted",
    ]
    assert sealed_at["EpochEnded"] is False
    assert sealed_at["RunFinished"] is True
    assert quick_parts == [("evidence", 1.0), ("projection", 1.0)]
    assert store.missing_parts(config.key) == ()
    assert store.intact(config.key)
    content = store.events_path(config.key).read_bytes()
    store.events_path(config.key).write_bytes(content[:-1])  # the last line is under the seal
    assert [damage.file for damage in store.verify()] == ["events.jsonl"]


def test_a_stored_run_is_not_trained_again_but_gets_the_parts_that_it_lacks(
    store: RunStore, quick_parts: list[tuple[str, float | None]]
) -> None:
    key = store.save(made_up_result())
    store.add(key, "evidence", made_up_part())
    assert train_and_store(tiny_config(), store).ending == "stored"
    assert [name for name, _ in quick_parts] == ["projection"]
    assert "RunStarted" not in kinds(store, key)
    assert train_and_store(tiny_config(), store).ending == "stored"
    assert len(quick_parts) == 1


def test_a_cancelled_run_stores_nothing_and_can_be_trained(
    store: RunStore, slow_training: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config()

    def cancel(event: Event) -> None:
        if isinstance(event, RunStarted):
            store.locks.ask_to_stop(config.key)

    assert train_and_store(config, store, listen=cancel).ending == "cancelled"
    assert kinds(store, config.key) == ["RunStarted", "RunCancelled"]
    assert not store.has(config.key)
    made_up_training(monkeypatch)
    assert train_and_store(config, store, with_parts=False).ending == "trained"  # the flag is down again


def test_a_flag_from_before_the_run_was_asked_for_does_not_cancel_it(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up_training(monkeypatch)
    store.locks.ask_to_stop(tiny_config().key, "an earlier attempt")
    assert train_and_store(tiny_config(), store, with_parts=False).ending == "trained"


def test_cancelling_during_the_parts_keeps_the_run(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up_training(monkeypatch)
    config = tiny_config()

    def endless(result: RunResult, lam: float | None, progress: OnProgress, _: object) -> dict[str, np.ndarray]:
        store.locks.ask_to_stop(config.key)
        while True:
            progress(0, 9)
            time.sleep(0.005)

    monkeypatch.setattr(runner, "_PARTS", {"evidence": endless, "projection": endless})
    outcome = train_and_store(config, store)
    assert outcome.ending == "trained"
    assert outcome.reason == "The computation was cancelled."
    assert_same(store.load(config.key), made_up_result(config))
    assert "RunCompleted" not in kinds(store, config.key)
    assert store.missing_parts(config.key) == ("evidence", "projection")


def test_a_part_that_fails_does_not_take_the_others_with_it(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, quick_parts: list[tuple[str, float | None]]
) -> None:
    made_up_training(monkeypatch)

    def broken(result: RunResult, lam: float | None, progress: OnProgress, _: object) -> dict[str, np.ndarray]:
        raise RuntimeError("no such\nthing")

    monkeypatch.setitem(runner._PARTS, "evidence", broken)  # type: ignore[arg-type]
    outcome = train_and_store(tiny_config(), store)
    assert outcome.reason is not None
    assert outcome.reason.startswith("The evidence is missing. ")
    assert "\n" not in outcome.reason
    assert store.missing_parts(tiny_config().key) == ("evidence",)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "memory did not suffice"),
        (RuntimeError("CUDA out of memory. Tried"), "memory did not suffice"),
        (ValueError("device is cuda, which this machine does not have."), "device is cuda"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    ],
)
def test_a_failed_training_says_why_in_one_sentence(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    made_up_training(monkeypatch, error=error)
    outcome = train_and_store(tiny_config(), store)
    assert outcome.ending == "failed"
    assert outcome.reason is not None
    assert words in outcome.reason
    assert kinds(store, tiny_config().key) == ["RunStarted", "EpochEnded", "RunFailed"]
    assert JobManager(store).state(tiny_config().key).reason == outcome.reason


def test_ctrl_c_leaves_a_cancelled_run_and_a_free_lock(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up_training(monkeypatch)

    def interrupt(event: Event) -> None:
        if isinstance(event, EpochEnded):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_and_store(tiny_config(), store, listen=interrupt)
    assert kinds(store, tiny_config().key)[-1] == "RunCancelled"
    assert not store.busy(tiny_config().key)


def test_a_disk_that_fills_up_at_the_end_gives_the_result_and_the_sentence(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up_training(monkeypatch)

    def full(result: RunResult) -> str:
        raise StoreError("Cannot store the run: the disk is full.")

    monkeypatch.setattr(store, "save", full)
    outcome = train_and_store(tiny_config(), store)
    assert outcome.ending == "failed"
    assert outcome.result is not None
    assert outcome.reason == "Cannot store the run: the disk is full."
    state = JobManager(store).state(tiny_config().key)
    assert (state.phase, state.reason) == ("failed", outcome.reason)


def test_a_disk_that_takes_no_event_fails_the_run_and_frees_it(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up_training(monkeypatch)

    def full(self: EventLog, event: Event) -> None:
        raise StoreError("Cannot write the events: the disk is full.")

    monkeypatch.setattr(EventLog, "append", full)
    outcome = train_and_store(tiny_config(), store)
    assert (outcome.ending, outcome.reason) == ("failed", "Cannot write the events: the disk is full.")
    assert not store.has(tiny_config().key)
    assert not store.busy(tiny_config().key)


# -- the state, from files alone -----------------------------------------------------------------------------------


def test_each_phase_is_told_by_the_files(store: RunStore) -> None:
    jobs, config = JobManager(store), tiny_config()
    key = config.key
    assert jobs.state(key).phase == "absent"
    with store.lock(key):
        assert jobs.state(key).phase == "queued"  # someone has it in hand and has not said anything yet
        write(store, key, started(config))
        assert (jobs.state(key).phase, jobs.state(key).eta_s) == ("running", None)
        write(store, key, ended(1), ended(2))
        state = jobs.state(key)
        assert (state.phase, state.active, state.epoch, state.epochs) == ("running", True, 2, 3)
        assert state.eta_s is not None
        assert state.started_at is not None
    stopped = jobs.state(key)
    assert (stopped.phase, stopped.active, stopped.reason) == ("failed", False, STOPPED)
    with store.lock(key):
        write(store, key, started(config), ended(1))
        assert (jobs.state(key).phase, jobs.state(key).epoch) == ("running", 1)
    write(store, key, RunCancelled(elapsed_s=1.0))
    assert jobs.state(key).phase == "cancelled"
    write(store, key, started(config), RunFailed(reason="because"))
    assert (jobs.state(key).phase, jobs.state(key).reason) == ("failed", "because")
    with store.lock(key):
        write(store, key, started(config), ended(1), ended(2), ended(3))
        store.save(made_up_result(config))
        assert (jobs.state(key).phase, jobs.state(key).active) == (
            "finished",
            True,
        )  # before RunFinished is written
        write(store, key, RunFinished(elapsed_s=1.5), StageAdvanced(stage="evidence", done=1, total=2))
        state = jobs.state(key)
        assert (state.phase, state.stage, state.stage_done, state.stage_total) == (
            "finished",
            "evidence",
            1,
            2,
        )
    assert (jobs.state(key).phase, jobs.state(key).active, jobs.state(key).stage) == ("finished", False, None)
    for part in ("evidence", "projection"):
        store.add(key, part, made_up_part())
    assert (jobs.state(key).phase, jobs.state(key).epoch) == ("completed", 3)
    assert JobManager(store).state(key) == jobs.state(key)  # another one, without a past
    store.delete(key)
    assert jobs.state(key).phase == "absent"


def test_events_are_those_of_the_latest_attempt(store: RunStore) -> None:
    jobs, config = JobManager(store), tiny_config()
    assert jobs.events(config.key) == ([], 0)
    write(store, config.key, started(config), ended(1), RunFailed(reason="because"))
    first, offset = jobs.events(config.key)
    write(store, config.key, started(config), ended(1))
    assert [type(event) for event in first] == [RunStarted, EpochEnded, RunFailed]
    assert [type(event) for event in jobs.events(config.key, offset)[0]] == [RunStarted, EpochEnded]
    assert [type(event) for event in jobs.events(config.key)[0]] == [RunStarted, EpochEnded]


def test_the_cost_is_judged_by_what_runs_have_cost_here(store: RunStore) -> None:
    config = tiny_config(epochs=30)
    assert estimate_seconds(config, store.summaries()) == pytest.approx(work(config) * DEFAULT_RATE)
    store.save(made_up_result(tiny_config(epochs=10)))
    assert estimate_seconds(config, store.summaries()) == pytest.approx(
        1.5 * work(config) / work(tiny_config(epochs=10))
    )


# -- with a worker -------------------------------------------------------------------------------------------------


def all_ended(jobs: JobManager, *keys: str) -> Callable[[], bool]:
    return lambda: all(not jobs.state(key).active for key in keys)


def test_a_run_is_trained_by_the_worker_and_the_next_one_by_the_same(manager: JobManager, store: RunStore) -> None:
    manager.warm()
    configs = [tiny_config(0), tiny_config(1)]
    keys = [manager.submit(config) for config in configs]
    assert keys == [config.key for config in configs]
    assert manager.state(keys[1]).position >= 1
    wait_until(all_ended(manager, *keys))
    pid = manager.executor.pid
    for config in configs:
        story = kinds(store, config.key)
        assert story[:8] == ["RunStarted", *["EpochEnded", "ViewSampled"] * 3, "RunFinished"]
        assert store.load(config.key).config == config
        assert manager.state(config.key).phase in ("finished", "completed")
    again = manager.submit(tiny_config(2))
    wait_until(all_ended(manager, again))
    assert manager.executor.pid == pid
    assert "torch" not in imports_of("crl_core.jobs.manager")


def imports_of(module: str) -> set[str]:
    code = f"import sys, {module}; print(' '.join(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_many_threads_asking_for_one_run_cause_one_training(manager: JobManager, store: RunStore) -> None:
    config = tiny_config()
    threads = [threading.Thread(target=manager.submit, args=(config,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(all_ended(manager, config.key))
    manager.submit(config)
    wait_until(all_ended(manager, config.key))
    assert kinds(store, config.key).count("RunStarted") == 1


def test_a_running_and_a_waiting_run_can_be_cancelled_and_asked_for_again(manager: JobManager, store: RunStore) -> None:
    running, waiting = endless_config(0), endless_config(1)
    manager.submit(running)
    manager.submit(waiting)
    wait_until(lambda: manager.state(running.key).phase == "running")
    assert (manager.state(waiting.key).phase, manager.state(waiting.key).position) == ("queued", 1)
    manager.cancel(waiting.key)
    assert manager.state(waiting.key).phase == "absent"
    manager.cancel(running.key)
    manager.submit(running)  # at once, while the first attempt is still ending
    wait_until(lambda: kinds(store, running.key).count("RunStarted") == 2)
    assert "RunCancelled" in kinds(store, running.key)
    manager.cancel(running.key)
    wait_until(lambda: manager.state(running.key).phase == "cancelled")
    assert not store.has(running.key)
    assert kinds(store, running.key)[-1] == "RunCancelled"


@pytest.mark.slow
def test_a_killed_worker_is_a_clear_failure_and_the_next_run_is_trained(manager: JobManager, store: RunStore) -> None:
    doomed, next_one = endless_config(), tiny_config()
    sealed = store.save(made_up_result(tiny_config(7)))
    manager.submit(doomed)
    manager.submit(next_one)
    wait_until(lambda: manager.state(doomed.key).phase == "running")
    pid = manager.executor.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: manager.state(doomed.key).phase == "failed")
    reason = manager.state(doomed.key).reason
    assert reason is not None
    assert "ran out of memory" in reason
    assert JobManager(store).state(doomed.key).reason == reason
    wait_until(all_ended(manager, next_one.key))
    assert manager.executor.pid not in (None, pid)
    assert store.intact(next_one.key)
    assert store.intact(sealed)


def test_a_worker_that_cannot_start_is_a_clear_failure(manager: JobManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "nowhere")
    key = manager.submit(tiny_config())
    wait_until(lambda: manager.state(key).phase == "failed")
    assert "ended unexpectedly (with exit status 1)" in str(manager.state(key).reason)
    monkeypatch.delenv("PYTHONHOME")
    manager.submit(tiny_config())
    wait_until(lambda: manager.state(key).phase in ("finished", "completed"))


def test_a_full_queue_is_said_and_how_much_room_is_left_before_that(manager: JobManager) -> None:
    assert manager.room == MAX_QUEUE + manager.executor.slots
    manager.submit(endless_config(0))
    wait_until(lambda: manager.state(endless_config(0).key).position == 0)
    for seed in range(1, MAX_QUEUE + 1):
        assert manager.room == MAX_QUEUE + 1 - seed
        manager.submit(tiny_config(seed))
    assert manager.room == 0
    with pytest.raises(ValueError, match=f"{MAX_QUEUE} runs are waiting already"):
        manager.submit(tiny_config(999))


def test_a_cache_that_cannot_be_used_is_a_failure_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    jobs = JobManager(store_in(tmp_path))
    try:
        key = jobs.submit(tiny_config())
        wait_until(lambda: jobs.state(key).phase == "failed")
        assert "set CRL_CACHE to a folder" in str(jobs.state(key).reason)
    finally:
        jobs.close()


# -- servers that come and go --------------------------------------------------------------------------------------

SERVER = """
import json, sys, time
from crl_core import RunConfig, RunStore, preset
from crl_core.jobs.manager import JobManager
root, baked, *configs = sys.argv[1:]
jobs = JobManager(RunStore(root, baked))
keys = [jobs.submit(RunConfig.from_json(config)) for config in configs]
while any(jobs.state(key).active for key in keys):
    print(json.dumps([jobs.executor.pid, [jobs.state(key).phase for key in keys]]), flush=True)
    time.sleep(0.02)
jobs.close()
"""


def server(store: RunStore, *configs: RunConfig) -> subprocess.Popen[str]:
    arguments = [str(store.root), str(store.baked), *(config.to_json() for config in configs)]
    return subprocess.Popen([sys.executable, "-c", SERVER, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.slow
def test_two_servers_asking_for_one_run_cause_one_training(store: RunStore) -> None:
    config = tiny_config(epochs=40)
    servers = [server(store, config) for _ in range(2)]
    for process in servers:
        process.communicate(timeout=300)
        assert process.returncode == 0
    assert kinds(store, config.key).count("RunStarted") == 1
    assert store.intact(config.key)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["queued", "running", "finished"])
def test_a_killed_server_leaves_no_worker_and_no_half_run(store: RunStore, moment: str) -> None:
    first, then = tiny_config(0, epochs=20), endless_config(1)
    sealed = store.save(made_up_result(tiny_config(7)))
    process = server(store, first, then)
    assert process.stdout is not None
    pid = None
    for line in process.stdout:
        worker, (phase, next_phase) = json.loads(line)
        pid = worker or pid
        if phase == moment or next_phase == "running":
            break
    process.kill()
    process.wait()
    process.stdout.close()
    if pid is not None:
        wait_until(lambda: gone(pid))
    wait_until(lambda: not store.busy(first.key) and not store.busy(then.key))  # its last thread is gone, too
    jobs = JobManager(store)
    for config in (first, then):
        state = jobs.state(config.key)
        assert not state.active
        assert state.phase in ("absent", "failed", "finished", "completed")
        if state.phase == "failed":
            assert state.reason == STOPPED
        assert (state.phase in ("finished", "completed")) == store.intact(config.key)
    assert store.verify() == []
    assert_same(store.load(sealed), made_up_result(tiny_config(7)))
    key = jobs.submit(first)
    wait_until(all_ended(jobs, key))
    jobs.close()
    assert store.load(key).config == first


def test_closing_ends_the_worker_at_once_and_asks_nothing_more_of_it(store: RunStore) -> None:
    jobs = JobManager(store)
    key = jobs.submit(endless_config())
    wait_until(lambda: jobs.state(key).phase == "running")
    pid = jobs.executor.pid
    assert pid is not None
    jobs.close()
    assert gone(pid)
    assert not store.busy(key)
    assert JobManager(store).state(key).reason == STOPPED
    with pytest.raises(ValueError, match="shutting down"):
        jobs.submit(tiny_config())


def test_the_whole_of_a_real_run_is_stored(manager: JobManager, store: RunStore) -> None:
    pytest.importorskip("crl_core.measures.evidence")
    pytest.importorskip("crl_core.measures.projection")
    key = manager.submit(tiny_config(), lam_in_view=1.0)
    wait_until(lambda: manager.state(key).phase == "completed" and not store.busy(key))  # sealed first, then told
    assert isinstance(manager.events(key)[0][-1], RunCompleted)
    projection = store.part(key, "projection")
    assert projection is not None
    assert projection["tsne_xy"].shape == (2, 40, 2)
    assert np.isfinite(projection["tsne_xy"]).all()


# -- a queue that outlives its server ---------------------------------------------------------------------------------


def waiting_server(store: RunStore, *configs: RunConfig) -> subprocess.Popen[str]:
    """A process that asks for runs, says so, and waits to be killed."""
    code = (
        "import json, sys, time\nfrom crl_core import RunConfig, RunStore\n"
        "from crl_core.jobs.manager import JobManager\n"
        "jobs = JobManager(RunStore(sys.argv[1], sys.argv[2]))\n"
        "for text in sys.argv[3:]:\n    jobs.submit(RunConfig.from_dict(json.loads(text)), parts=())\n"
        "print('asked', flush=True)\ntime.sleep(600)"
    )
    texts = [json.dumps(config.to_dict()) for config in configs]
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(store.root), str(store.baked), *texts], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "asked\n"
    return process


def test_what_a_killed_server_was_asked_for_is_trained_by_the_next_in_its_order(store: RunStore) -> None:
    configs = [endless_config(0), *(tiny_config(seed) for seed in (1, 2, 3))]
    server = waiting_server(store, *configs)
    server.kill()
    server.wait()
    wait_until(lambda: not store.busy(configs[0].key))
    jobs = JobManager(store)
    assert jobs.take_up() == (4, 0)
    keys = [config.key for config in configs]
    assert [jobs.state(key).position for key in keys] == [0, 1, 2, 3]
    assert [config.key for config in jobs.ahead(keys[2])] == keys[:2]
    wait_until(lambda: jobs.state(keys[0]).phase == "running")
    jobs.cancel(keys[0])
    wait_until(all_ended(jobs, *keys))
    assert [store.has(key) for key in keys] == [False, True, True, True]
    jobs.close()
    assert JobManager(store).take_up() == (0, 0)


def test_a_server_that_lives_keeps_its_own_queue_and_one_that_closes_hands_it_on(store: RunStore) -> None:
    first, second = JobManager(store), JobManager(store)
    for seed in (0, 1):
        first.submit(endless_config(seed), parts=())
    assert second.take_up() == (0, 0)
    first.close()
    assert second.take_up() == (2, 0)
    for seed in (0, 1):
        second.cancel(endless_config(seed).key)
    wait_until(all_ended(second, *(endless_config(seed).key for seed in (0, 1))))
    second.close()


def test_a_queue_that_cannot_be_read_is_counted_as_lost_and_stops_nothing(store: RunStore) -> None:
    folder = store.root / "queue"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text("[" * 100_000)
    (folder / "b.json").write_text(json.dumps([{"key": 1}, None]))
    jobs = JobManager(store)
    assert jobs.take_up() == (0, 3)
    assert list(folder.glob("*.json")) == []
    jobs.close()


def test_what_concerns_a_table_is_never_kept_on_disk(store: RunStore) -> None:
    jobs = JobManager(store)
    jobs.submit(endless_config(0), parts=())
    jobs.submit_task("0" * 16, {"name": "planted", "config": {"table": {"columns": ["the patient's name"]}}})
    kept = "".join(path.read_text() for path in (store.root / "queue").glob("*.json"))
    assert endless_config(0).key in kept
    assert "patient" not in kept
    jobs.close()


def test_who_asks_for_many_runs_has_one_before_what_others_ask_for(store: RunStore) -> None:
    jobs = JobManager(store)
    jobs.submit(endless_config(9), parts=(), visitor="first")
    for seed in range(3):
        jobs.submit(endless_config(seed), parts=(), visitor="many")
    jobs.submit(endless_config(5), parts=(), visitor="one")
    position = [jobs.state(endless_config(seed).key).position for seed in (0, 5, 1, 2)]
    assert position == [1, 2, 3, 4]
    jobs.close()


# -- memory ------------------------------------------------------------------------------------------------------------


def test_what_does_not_fit_into_memory_is_refused_before_training_with_what_would(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crl_core.jobs.memory.memory_bytes", lambda: 700e6)
    large = altered(preset("hospital"), n_samples=20_000, batch_size=4096, replicates=1, epochs=1, device="cpu")
    outcome = train_and_store(large, store)
    assert outcome.ending == "failed"
    assert outcome.reason is not None
    assert re.fullmatch(
        r"To train this takes about 2\.\d GB of memory, and this machine has 0\.7 GB; use a smaller batch, or "
        r"training\.ipm_estimate rff\.",
        outcome.reason,
    )
    assert kinds(store, large.key) == ["RunFailed"]
    assert too_much(altered(large, batch_size=128)) is None  # what it says, helps
    assert too_much(altered(large, batch_size=2048, ipm_estimate="rff")) is None


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_fits_into_the_memory_of_a_small_container(name: str) -> None:
    assert too_much(smaller(PRESETS[name].config), 700e6) is None


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Only Linux says what a process took at most.")
def test_what_a_run_takes_of_memory_is_known_within_a_third() -> None:
    base = altered(preset("hospital"), n_samples=4_500, replicates=1, epochs=1, device="cpu", lams=(0.0, 1.0, 10.0))
    for config in (base, altered(base, batch_size=3000), altered(base, hidden=512, batch_size=2048)):
        _, taken, _ = ran(config)
        assert 0.75 < memory_needed(config) / 2**20 / taken < 1.33


# -- several servers on one folder -----------------------------------------------------------------------------------


class ByHand:
    """An executor whose job ends when the test says so."""

    slots = 1

    def __init__(self) -> None:
        self.under_way: dict[str, Future[Outcome]] = {}
        self.open = True

    def start(self, job: Job) -> Future[Outcome]:
        self.under_way[job.key] = Future()
        return self.under_way[job.key]

    def stop(self, key: str) -> None:
        self.end()

    def end(self) -> None:
        _, future = self.under_way.popitem()
        future.set_result(Outcome(ending="cancelled"))

    def warm(self) -> None: ...

    def alive(self) -> bool:
        return self.open

    def close(self) -> None:
        self.open = False


@pytest.fixture
def servers(store: RunStore) -> Iterator[list[JobManager]]:
    """Three on one folder, each with a visitor's three runs in its queue; the first came first."""
    made = []
    for at in range(3):
        made.append(JobManager(store, ByHand(), Turn(store.root)))
        for seed in range(3):
            made[-1].submit(tiny_config(10 * at + seed), parts=())
    yield made
    for jobs in made:
        jobs.close()


def at_work(servers: list[JobManager]) -> list[str]:
    return [key for jobs in servers for key in jobs.executor.under_way]


def test_several_servers_train_one_run_at_a_time_and_none_twice_while_another_waits(servers: list[JobManager]) -> None:
    order = []
    for _ in range(9):
        wait_until(lambda: len(at_work(servers)) == 1)
        (at,) = [index for index, jobs in enumerate(servers) if jobs.executor.under_way]
        order.append(at)
        if at != 0 or len(order) > 1:
            time.sleep(2 * LOOK_S)  # the others have asked
        servers[at].executor.end()
    assert sorted(order) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    left = Counter(order)
    for before, after in itertools.pairwise(order):
        left[before] -= 1
        assert before != after or all(left[other] == 0 for other in range(3) if other != before), order
    assert at_work(servers) == []


def test_who_waits_for_another_server_is_told_his_place_and_what_comes_before_it(servers: list[JobManager]) -> None:
    first, second, _ = servers
    (under_way,) = at_work(servers)
    assert under_way == tiny_config(0).key
    state = second.state(tiny_config(10).key)
    assert (state.phase, state.active) == ("queued", True)
    assert state.position == 2  # after the run under way and the first of the third server, which may be before it
    assert second.ahead(tiny_config(11).key)[0].key == tiny_config(10).key
    assert under_way in [config.key for config in second.ahead(tiny_config(10).key)]
    assert first.state(tiny_config(1).key).position == 3  # each of the others' first ones


def test_cancelling_what_waits_for_another_server_lets_the_third_go_on(servers: list[JobManager]) -> None:
    first, second, third = servers
    for seed in range(3):
        second.cancel(tiny_config(10 + seed).key)
    time.sleep(2 * LOOK_S)  # the third has asked
    first.executor.end()
    wait_until(lambda: third.executor.under_way)
    assert not second.state(tiny_config(10).key).active


def test_what_waited_for_another_server_is_still_asked_for_when_its_own_has_closed(store: RunStore) -> None:
    first, second = (JobManager(store, ByHand(), Turn(store.root)) for _ in range(2))
    first.submit(tiny_config(0), parts=())
    second.submit(tiny_config(1), parts=())
    second.close()
    time.sleep(2 * LOOK_S)  # it would have asked again whether it is its turn
    assert second.state(tiny_config(1).key).phase == "absent"
    third = JobManager(store, ByHand(), Turn(store.root))
    assert third.take_up() == (1, 0)
    third.close()
    first.close()


def test_a_server_that_dies_while_it_trains_leaves_its_turn_to_the_others(store: RunStore) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom crl_core.jobs.turn import Turn\n"
        "turn = Turn(Path(sys.argv[1]))\nassert turn.take()\nprint('mine', flush=True)\ntime.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(store.root)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "mine\n"
    jobs = JobManager(store, ByHand(), Turn(store.root))
    jobs.submit(tiny_config(), parts=())
    time.sleep(2 * LOOK_S)
    assert not jobs.executor.under_way
    process.kill()
    process.communicate()
    wait_until(lambda: jobs.executor.under_way)
    jobs.close()


def test_a_disk_that_takes_no_lock_keeps_nobody_from_training(tmp_path: Path) -> None:
    (tmp_path / "queue").write_text("a file where the folder should be")
    assert Turn(tmp_path).take()
