"""Several runs: each once, in order, on every slot there is, and one clear failure."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from crl_core import RunConfig, RunStore
from crl_core.jobs.background import Background
from crl_core.jobs.ensure_runs import RunsFailed, each_run, ensure_runs, missing
from crl_core.jobs.executors import Job
from crl_core.jobs.manager import JobManager
from crl_core.jobs.through_queue import ThroughQueue
from crl_core.jobs.train_and_store import Outcome
from crl_core.runs.sealing import StoreError
from tests.crl_core.made_up import assert_same, made_up_part, made_up_result, store_in, tiny_config, wait_until


class Held:
    """An executor whose jobs end when the test says so, with made-up numbers."""

    def __init__(self, store: RunStore, slots: int = 2, at_once: bool = False) -> None:
        self.store, self.slots, self.at_once = store, slots, at_once
        self.jobs: list[Job] = []
        self.futures: dict[str, Future[Outcome]] = {}
        self.stopped: list[str] = []
        self.open = True

    def start(self, job: Job) -> Future[Outcome]:
        assert sum(not future.done() for future in self.futures.values()) < self.slots
        self.jobs.append(job)
        future = self.futures[job.key] = Future()
        if self.at_once:
            self.end(job)
        return future

    def end(self, job: Job, outcome: Outcome | None = None) -> None:
        if outcome is None:
            assert job.config is not None
            self.store.save(made_up_result(job.config))
            for part in job.parts:
                self.store.add(job.key, part, made_up_part())
        self.futures[job.key].set_result(outcome or Outcome(ending="trained"))

    def stop(self, key: str) -> None:
        self.stopped.append(key)

    def warm(self) -> None:
        pass

    def alive(self) -> bool:
        return self.open

    def close(self) -> None:
        self.open = False


class Cancellable(Held):
    """One whose jobs end when they are cancelled."""

    def stop(self, key: str) -> None:
        super().stop(key)
        if not self.futures[key].done():
            self.futures[key].set_result(Outcome(ending="cancelled"))


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return store_in(tmp_path)


CONFIGS = [tiny_config(seed) for seed in range(4)]


def test_every_run_is_found_in_the_order_asked_with_evidence_where_it_was_asked_for(store: RunStore) -> None:
    begun: list[tuple[int, int, RunConfig]] = []
    executor = Held(store, slots=1, at_once=True)
    wanted = [(config, at % 2 == 0) for at, config in enumerate(CONFIGS)]
    found = ensure_runs(wanted, store, executor, lambda *about: begun.append(about))
    assert list(found) == CONFIGS
    assert begun == [(at, 4, config) for at, config in enumerate(CONFIGS)]
    for config, evidence in wanted:
        assert_same(found[config][0], made_up_result(config))
        assert bool(found[config][1]) == evidence
    assert [set(job.parts) for job in executor.jobs] == [{"evidence"}, set(), {"evidence"}, set()]
    assert missing(wanted, store) == []


def test_every_slot_is_used_and_a_free_one_takes_the_next_run_at_once(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor, ended = Held(store, slots=2), []

    def second_first(waited: object, **options: object) -> object:
        under_way = [job for job in executor.jobs if not executor.futures[job.key].done()]
        assert len(under_way) == min(2, 4 - len(ended))
        job = under_way[-1]
        executor.end(job)
        ended.append(job.key)

        class Waited:
            done = (executor.futures[job.key],)

        return Waited()

    monkeypatch.setattr("crl_core.jobs.ensure_runs.wait", second_first)
    found = ensure_runs([(config, False) for config in CONFIGS], store, executor)
    keys = [config.key for config in CONFIGS]
    assert [job.key for job in executor.jobs] == keys
    assert ended == [keys[1], keys[2], keys[3], keys[0]]
    assert {config.key for config in found} == set(keys)


def test_a_run_that_fails_ends_it_with_its_sentence_and_stops_what_is_under_way(store: RunStore) -> None:
    executor = Held(store, slots=2)
    running = each_run([(config, False) for config in CONFIGS], store, executor)

    def fail(*about: object) -> None:
        if len(executor.jobs) == 1:  # the second is about to begin
            executor.end(executor.jobs[0], Outcome(ending="failed", reason="The disk is on fire."))

    with pytest.raises(RunsFailed, match="The disk is on fire"):
        ensure_runs([(config, False) for config in CONFIGS], store, executor, fail)
    assert [job.key for job in executor.jobs] == [config.key for config in CONFIGS[:2]]
    assert executor.stopped == [CONFIGS[1].key]
    running.close()  # nothing was begun, so there is nothing to stop
    assert len(executor.stopped) == 1


def test_one_that_fails_leaves_the_others_to_those_who_go_on(store: RunStore) -> None:
    executor = Held(store, slots=1, at_once=True)
    end = executor.end
    executor.end = lambda job, outcome=None: end(  # type: ignore[method-assign]
        job, Outcome(ending="cancelled") if job.key == CONFIGS[1].key else None
    )
    found = dict(each_run([(config, False) for config in CONFIGS[:3]], store, executor))
    assert [isinstance(found[config], RunsFailed) for config in CONFIGS[:3]] == [False, True, False]
    assert str(found[CONFIGS[1]]) == "Someone cancelled it."


def test_a_store_that_cannot_be_used_says_so_itself(store: RunStore) -> None:
    executor, error = Held(store, slots=1), StoreError("Cannot store the run: the disk is full.")
    executor.start = lambda job: _done(Outcome(ending="failed", reason=str(error), error=error))  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="the disk is full"):
        ensure_runs([(CONFIGS[0], False)], store, executor)


def test_a_run_that_another_process_trains_is_waited_for(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    executor, looks = Held(store, slots=1), []
    outcomes = [Outcome(ending="busy"), Outcome(ending="stored")]

    def busy(key: str) -> bool:
        looks.append(key)
        if len(looks) == 2:
            monkeypatch.undo()
            store.save(made_up_result(CONFIGS[0]))
        return len(looks) < 2

    monkeypatch.setattr(store, "busy", busy)
    executor.start = lambda job: _done(outcomes.pop(0))  # type: ignore[method-assign]
    begun: list[object] = []
    found = ensure_runs([(CONFIGS[0], False)], store, executor, lambda *about: begun.append(about))
    assert_same(found[CONFIGS[0]][0], made_up_result(CONFIGS[0]))
    assert len(begun) == 1


def test_while_another_process_trains_one_the_others_go_on(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    executor, theirs = Held(store, slots=1, at_once=True), CONFIGS[0].key
    start = executor.start

    def first_is_theirs(job: Job) -> Future[Outcome]:
        return _done(Outcome(ending="busy")) if job.key == theirs and busy(theirs) else start(job)

    def busy(key: str) -> bool:
        return key == theirs and len(executor.jobs) < 3

    executor.start = first_is_theirs  # type: ignore[method-assign]
    monkeypatch.setattr(store, "busy", busy)
    found = ensure_runs([(config, False) for config in CONFIGS], store, executor)
    assert set(found) == set(CONFIGS)
    assert [job.key for job in executor.jobs] == [*(config.key for config in CONFIGS[1:]), theirs]


def _done(outcome: Outcome) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    future.set_result(outcome)
    return future


# -- a few at a time, beside other visitors ----------------------------------------------------------------------------


def test_runs_in_the_background_go_on_by_themselves_a_few_at_a_time(store: RunStore) -> None:
    executor = Held(store, slots=1)
    jobs, wanted = JobManager(store, executor), [(config, False) for config in CONFIGS]
    background = Background(jobs)
    background.train("study", wanted)
    background.train("study", wanted)  # pressed twice: joined
    for n in range(1, len(CONFIGS) + 1):
        wait_until(lambda n=n: len(executor.jobs) == n)  # type: ignore[misc]
        assert sum(jobs.state(config.key).active for config in CONFIGS) <= 2  # one waits, so that the slot does not
        assert background.under_way() == ("study",)
        executor.end(executor.jobs[-1])
    wait_until(lambda: background.under_way() == ())
    assert background.problem("study") == ""
    assert [job.key for job in executor.jobs] == [config.key for config in CONFIGS]
    assert missing(wanted, store) == []
    jobs.close()


def test_the_first_run_that_fails_ends_the_work_with_its_reason_and_pressing_again_goes_on(store: RunStore) -> None:
    executor = Held(store, slots=1)
    jobs, wanted = JobManager(store, executor), [(config, False) for config in CONFIGS]
    background = Background(jobs)
    background.train("study", wanted)
    wait_until(lambda: bool(executor.jobs))
    executor.end(executor.jobs[0], Outcome(ending="failed", reason="The disk is on fire."))
    wait_until(lambda: background.under_way() == ())
    assert background.problem("study") == "The disk is on fire."
    executor.at_once = True
    for future, job in ((executor.futures[job.key], job) for job in executor.jobs):
        if not future.done():
            executor.end(job, Outcome(ending="cancelled"))
    background.train("study", wanted)
    wait_until(lambda: background.under_way() == ())
    assert background.problem("study") == ""
    assert missing(wanted, store) == []
    jobs.close()


@pytest.mark.parametrize("stop", [ThroughQueue.close, lambda queue: queue.stop(CONFIGS[0].key)], ids=["all", "the run"])
def test_a_run_stopped_just_before_it_is_asked_for_never_starts(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, stop: Callable[[ThroughQueue], None]
) -> None:
    executor, asked, stopped = Held(store, slots=1), threading.Event(), threading.Event()
    jobs = JobManager(store, executor)

    def room(_: JobManager) -> int:
        asked.set()
        stopped.wait()
        return 1

    monkeypatch.setattr(JobManager, "room", property(room))
    queue = ThroughQueue(jobs)
    future = queue.start(Job(key=CONFIGS[0].key, config=CONFIGS[0], parts=frozenset()))
    asked.wait()
    stop(queue)
    stopped.set()
    assert future.result(timeout=60).ending == "cancelled"
    assert not executor.jobs
    assert not jobs.state(CONFIGS[0].key).active


def test_work_that_is_stopped_leaves_a_run_that_somebody_else_had_asked_for(store: RunStore) -> None:
    executor = Held(store, slots=1)
    jobs = JobManager(store, executor)
    background = Background(jobs)
    jobs.submit(CONFIGS[0], parts=())
    background.train("study", [(CONFIGS[0], False), (CONFIGS[1], False)])
    wait_until(lambda: jobs.state(CONFIGS[1].key).active)
    background.stop("study")
    assert background.under_way() == ()
    wait_until(lambda: not jobs.state(CONFIGS[1].key).active)
    assert executor.stopped == []
    assert jobs.state(CONFIGS[0].key).active
    executor.end(executor.jobs[0])
    wait_until(lambda: store.has(CONFIGS[0].key))
    jobs.close()


def test_work_that_is_stopped_cancels_its_runs_and_is_no_failure(store: RunStore) -> None:
    executor = Held(store, slots=1)
    jobs, wanted = JobManager(store, executor), [(config, False) for config in CONFIGS]
    background = Background(jobs)
    background.train("study", wanted)
    wait_until(lambda: bool(executor.jobs))
    stopper = threading.Thread(target=background.stop, args=("study",))
    stopper.start()
    wait_until(lambda: executor.stopped == [CONFIGS[0].key])
    executor.end(executor.jobs[0], Outcome(ending="cancelled"))
    stopper.join()
    assert background.under_way() == ()
    wait_until(lambda: not any(jobs.state(config.key).active for config in CONFIGS))
    assert background.problem("study") == ""
    assert len(executor.jobs) == 1
    jobs.close()
    background.train("late", wanted)
    wait_until(lambda: background.under_way() == ())
    assert "shutting down" in background.problem("late")
