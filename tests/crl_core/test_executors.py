"""The contract of an executor, held by every one: the worker process, the caller's own thread, threads of a pool."""

import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from crl_core import RunConfig, RunStore
from crl_core.events import EpochEnded, Event
from crl_core.jobs.executors import STOPPED, Executor, Here, Job, LocalProcess, carry_out_job
from crl_core.jobs.manager import JobManager, queue_line
from crl_core.jobs.train_and_store import Outcome
from crl_core.runs.eventlog import read_entries
from tests.crl_core.made_up import assert_same, endless_config, store_in, tiny_config, wait_until


class Threads:
    """Two jobs at a time, each in a thread of its own, on a store that came through pickle as a cluster's would."""

    slots = 2

    def __init__(self, store: RunStore) -> None:
        self._store = pickle.loads(pickle.dumps(store))
        self._under_way: dict[str, Future[Outcome]] = {}
        self._attempts: dict[str, str] = {}
        self._closed = False

    def start(self, job: Job) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self._under_way[job.key] = future
        self._attempts[job.key] = job.attempt
        threading.Thread(target=self._carry_out, args=(job, future), daemon=True).start()
        return future

    def _carry_out(self, job: Job, future: Future[Outcome]) -> None:
        outcome = (
            Outcome(ending="failed", reason=STOPPED)
            if self._closed
            else carry_out_job(Job.from_dict(job.to_dict()), self._store)
        )
        future.set_result(outcome)

    def stop(self, key: str) -> None:
        if key in self._under_way and not self._under_way[key].done():
            self._store.locks.ask_to_stop(key, self._attempts[key])

    def warm(self) -> None:
        pass

    def alive(self) -> bool:
        return not self._closed

    def close(self) -> None:
        self._closed = True
        for key in self._under_way:
            self.stop(key)
        for future in self._under_way.values():
            future.result(timeout=60)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return store_in(tmp_path)


@pytest.fixture(params=[LocalProcess, Here, Threads])
def executor(request: pytest.FixtureRequest, store: RunStore) -> Iterator[Executor]:
    made: Executor = request.param(store)
    yield made
    made.close()


def job_of(config: RunConfig, *parts: str) -> Job:
    return Job(key=config.key, config=config, parts=frozenset(parts))


def kinds(store: RunStore, key: str) -> list[str]:
    return [type(entry.event).__name__ for entry in read_entries(store.events_path(key))[0]]


def begin(executor: Executor, job: Job) -> Callable[[], Outcome]:
    """Start a job that does not end by itself; how to wait for its outcome."""
    begun = ThreadPoolExecutor(1).submit(executor.start, job)  # `Here` answers when it has ended
    return lambda: begun.result(timeout=60).result(timeout=60)


def test_a_job_ends_sealed_with_the_parts_that_were_asked_for_and_a_free_lock(
    executor: Executor, store: RunStore
) -> None:
    assert executor.slots >= 1
    executor.warm()
    config = tiny_config()
    outcome = executor.start(job_of(config, "evidence")).result(timeout=60)
    assert (outcome.ending, outcome.reason) == ("trained", None)
    assert store.intact(config.key)
    assert store.missing_parts(config.key) == ("projection",)
    assert not store.busy(config.key)
    again = executor.start(job_of(config)).result(timeout=60)
    assert (again.ending, again.reason) == ("stored", None)
    assert kinds(store, config.key).count("RunStarted") == 1


def test_every_executor_trains_the_same_numbers(executor: Executor, store: RunStore, tmp_path: Path) -> None:
    config, other = tiny_config(3), store_in(tmp_path / "other")
    executor.start(job_of(config)).result(timeout=60)
    carry_out_job(job_of(config), other)
    here, there = store.load(config.key), other.load(config.key)
    assert_same(here, replace(there, seconds=here.seconds))


def test_a_run_that_cannot_be_trained_has_failed_with_a_sentence_and_the_next_one_is_trained(
    executor: Executor, store: RunStore
) -> None:
    config = tiny_config()
    elsewhere = replace(config, training=replace(config.training, device="mps"))
    outcome = executor.start(job_of(elsewhere)).result(timeout=60)
    assert outcome.ending == "failed"
    assert "mps" in str(outcome.reason)
    assert kinds(store, elsewhere.key)[-1] == "RunFailed"
    assert executor.start(job_of(tiny_config(1))).result(timeout=60).ending == "trained"


def test_a_stopped_job_is_cancelled_and_a_job_that_is_not_there_can_be_stopped_too(
    executor: Executor, store: RunStore
) -> None:
    config = endless_config()
    executor.stop(tiny_config().key)
    outcome = begin(executor, job_of(config))
    wait_until(lambda: "EpochEnded" in kinds(store, config.key))
    executor.stop(config.key)
    assert outcome().ending == "cancelled"
    assert kinds(store, config.key)[-1] == "RunCancelled"
    assert not store.has(config.key)
    assert executor.start(job_of(tiny_config())).result(timeout=60).ending == "trained"


def test_a_closed_executor_leaves_the_job_under_way_unfinished_and_begins_no_other(
    executor: Executor, store: RunStore
) -> None:
    config = endless_config()
    assert executor.alive()
    outcome = begin(executor, job_of(config))
    wait_until(lambda: "EpochEnded" in kinds(store, config.key))
    executor.close()
    assert not executor.alive()
    assert outcome().ending in ("failed", "cancelled")
    assert not store.has(config.key)
    assert not store.busy(config.key)
    late = executor.start(job_of(tiny_config())).result(timeout=60)
    assert (late.ending, late.reason) == ("failed", STOPPED)
    assert not store.has(tiny_config().key)


def test_a_job_survives_the_way_to_a_worker() -> None:
    job = job_of(tiny_config(), "evidence", "projection")
    assert Job.from_dict(job.to_dict()) == job
    task = Job(key=job.key, attempt="one", task={"name": "latents", "seed": 3})
    assert Job.from_dict(task.to_dict()) == task


def test_ctrl_c_reaches_a_training_in_the_callers_own_thread(store: RunStore) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, EpochEnded):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Here(store, interrupt).start(job_of(tiny_config()))
    assert kinds(store, tiny_config().key)[-1] == "RunCancelled"


def test_a_manager_keeps_as_many_runs_under_way_as_there_are_slots(store: RunStore) -> None:
    jobs = JobManager(store, Threads(store))
    configs = [endless_config(seed) for seed in range(3)]
    try:
        for config in configs:
            jobs.submit(config)
        first, second, third = (config.key for config in configs)
        wait_until(lambda: jobs.state(first).phase == jobs.state(second).phase == "running")
        assert (jobs.training, jobs.state(third).phase, jobs.state(third).position) == (2, "queued", 1)
        jobs.cancel(first)
        jobs.submit(configs[0])  # at once: it waits until its first attempt has ended, and behind the third
        wait_until(lambda: jobs.state(third).phase == "running")
        assert (jobs.state(first).phase, jobs.state(first).position) == ("queued", 1)
        jobs.cancel(second)
        wait_until(lambda: kinds(store, first).count("RunStarted") == 2)
    finally:
        jobs.close()
    assert not any(store.busy(config.key) for config in configs)


def test_a_visitor_reads_a_place_in_the_queue_that_fits_the_slots() -> None:
    assert queue_line(1, 1) == "One run at a time: number 1 in the queue, after the run under way"
    assert queue_line(3, 1) == "One run at a time: number 3 in the queue, after the run under way and 2 more"
    assert queue_line(2, 4) == "4 runs at a time: number 2 in the queue, after the 4 runs under way and 1 more"


def test_a_manager_says_whether_a_run_of_a_kind_waits_or_is_under_way(store: RunStore) -> None:
    class Never(Threads):
        def start(self, job: Job) -> Future[Outcome]:
            return Future()

    manager = JobManager(store, Never(store))
    first, second, waiting, other = (tiny_config(seed) for seed in range(4))
    for config in (first, second, waiting):
        manager.submit(config)
    assert [manager.in_hand(lambda of, seed=seed: of.training.seed == seed) for seed in range(4)] == [True] * 3 + [
        False
    ]  # type: ignore[misc]
    manager.cancel(waiting.key)
    assert not manager.in_hand(lambda of: of == waiting)
    assert not manager.in_hand(lambda of: of == other)
    manager.close()
