"""JobManager: a server's queue of runs before an executor, without torch.

State: read from the run's files (manifest, events, lock), so it survives reloads and restarts and is the same for
       every process that looks. Why a run failed, if the disk would not take it, is kept in memory.
Queue: in memory and on disk, so that the next server goes on with it (`take_up`). In order, but fair: who asked for
       many has one before what others asked for later. Several servers on one folder take turns (`turn`).
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from crl_core.config import MAX_QUEUE, RunConfig
from crl_core.events import Event, Stage
from crl_core.jobs.cost import estimate_seconds
from crl_core.jobs.executors import STOPPED, Executor, Job, LocalProcess
from crl_core.jobs.kept_queue import KeptQueue
from crl_core.jobs.progress import Progress, Tail
from crl_core.jobs.train_and_store import Outcome
from crl_core.jobs.turn import LOOK_S, Turn
from crl_core.runs.eventlog import latest_attempt, read_entries
from crl_core.runs.records import PART_NAMES
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunStore

__all__ = ["STOPPED", "JobManager", "JobState", "Phase", "estimate_seconds", "queue_line"]

Phase = Literal["absent", "queued", "running", "finished", "completed", "cancelled", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """State of a run. "finished": trained and usable, parts are missing; "completed": everything is stored."""

    phase: Phase
    active: bool = False  # someone is working on it, or will; if not, nothing changes until `submit`
    position: int = 0  # in the queue, from 1; 0: about to start, or not queued
    epoch: int = 0  # completed
    epochs: int = 0
    elapsed_s: float = 0.0  # of training
    eta_s: float | None = None  # to the end of training; None before the first epoch, and when it is over
    stage: Stage | None = None  # after training: the part being computed, and how much of it is there
    stage_done: int = 0
    stage_total: int = 0
    reason: str | None = None  # one sentence: why it failed, or why parts are missing
    started_at: float | None = None  # of the latest attempt, seconds since 1970; tells one attempt from the next


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A job that the executor has in hand. log_size: of its events when it was started."""

    job: Job
    log_size: int


class JobManager:
    """Runs and tasks that wait or are under way, with their state. Shared by threads; one a server is enough.

    executor: where they are carried out; default a worker process on this machine. The manager closes it.
    turn:     taken while the executor has something in hand, and left afterwards; None where nobody else trains.
    Raises:   both ways to submit raise ValueError if too many wait; `submit` StoreError if the cache cannot be used;
              nothing else does.
    """

    def __init__(self, store: RunStore, executor: Executor | None = None, turn: Turn | None = None) -> None:
        self.store = store
        self.executor: Executor = LocalProcess(store) if executor is None else executor
        self._mutex = threading.RLock()  # a job that ends at once is heard of while it is started
        self._queue: deque[Job] = deque()
        self._current: dict[str, _UnderWay] = {}
        self._reasons: dict[str, str] = {}
        self._tails: dict[str, Tail] = {}
        self.lost = 0  # entries of earlier queues
        self._kept = KeptQueue(store.root)
        self._turn = turn
        self._asks_again: threading.Timer | None = None  # whether it is its turn
        atexit.register(self.close)

    # -- asking ------------------------------------------------------------------------------------------------------

    def submit(
        self,
        config: RunConfig,
        lam_in_view: float | None = None,
        parts: Collection[str] = PART_NAMES,
        visitor: str = "",
    ) -> str:
        """Ask for a run; returns its key. A stored run is there at once, one under way is joined.

        parts:   of those, what the run lacks is computed.
        visitor: who asks, for the order.
        """
        key, wanted = config.key, frozenset(parts)
        with self._mutex:
            self._check_open()
            waiting, current = self._waiting(key), self._current.get(key)
            if waiting is not None:
                self._queue[self._queue.index(waiting)] = replace(waiting, parts=waiting.parts | wanted)
                self._keep()
                return key
            if current is not None and not self._ending(key):
                if wanted <= current.job.parts:
                    return key
            elif self.store.intact(key) and not wanted & set(self.store.missing_parts(key)):
                return key
            if current is None and self.store.busy(key):
                return key  # another process has it in hand
            self._append(Job(key=key, config=config, lam_in_view=lam_in_view, parts=wanted, visitor=visitor))
        return key

    def submit_task(self, key: str, task: Mapping[str, Any]) -> None:
        """Ask for a task, `task["name"]` being one of `executors.TASKS`; one that waits or is under way is joined."""
        with self._mutex:
            self._check_open()
            if self._waiting(key) is None and self._ending(key):
                self._append(Job(key=key, task=task))

    def task_state(self, key: str) -> JobState:
        """State of a task: "queued" with its position, "running", "failed" with the reason, "absent" after its end."""
        with self._mutex:
            waiting = self._waiting(key)
            if waiting is not None:
                return JobState(phase="queued", active=True, position=self._position(waiting))
            if key in self._current:
                return JobState(phase="running", active=True)
            reason = self._reasons.get(key)
            return JobState(phase="absent" if reason is None else "failed", reason=reason)

    def cancel(self, key: str) -> None:
        """Take a run out of the queue, or ask its executor to stop. A run that has ended stays as it is."""
        with self._mutex:
            waiting = self._waiting(key)
            if waiting is not None:
                self._queue.remove(waiting)
                self._fill()
                self._keep()
            if key in self._current:
                self.executor.stop(key)
            elif self.store.busy(key):  # by another process
                self.store.locks.ask_to_stop(key)

    def warm(self) -> None:
        """Prepare the executor, so that the first run begins at once."""
        self.executor.warm()

    def close(self) -> None:
        """Close the executor. A run under way is left unfinished, what is sealed stays, and what waited is on disk."""
        atexit.unregister(self.close)
        self.executor.close()
        with self._mutex:
            self._queue.clear()
            self._kept.close()
            self._leave_turn()

    def take_up(self) -> tuple[int, int]:
        """Go on with what servers that have ended were asked for, in its order: how many that are, and how many entries
        could not be read or do not fit into the queue; these are added to `lost`."""
        with self._mutex, self._kept.orphans() as (jobs, lost):
            for job in jobs:
                try:
                    if job.config is not None:
                        self.submit(job.config, job.lam_in_view, job.parts, job.visitor)
                    else:
                        self.submit_task(job.key, job.task)
                except (ValueError, StoreError):
                    lost += 1
        self.lost += lost
        return len(jobs), lost

    def ahead(self, key: str) -> list[RunConfig]:
        """The runs that are under way or wait before this one, also those of other servers that take turns with it."""
        with self._mutex:
            waiting = self._waiting(key)
            order = self._in_order()
            before = [] if waiting is None else order[: order.index(waiting)]
            jobs = [*(current.job for current in self._current.values()), *before]
            jobs += [] if waiting is None else self._elsewhere(len(before) + 1)
        return [job.config for job in jobs if job.config is not None]

    @property
    def training(self) -> int:
        """How many runs and tasks the executor has in hand."""
        with self._mutex:
            return len(self._current)

    @property
    def room(self) -> int:
        """How many more runs and tasks may be asked for now: those that start at once, and those that may wait."""
        with self._mutex:
            free = max(0, self.executor.slots - len(self._current))
            return max(0, MAX_QUEUE - len(self._queue)) + (free if not self._queue else 0)

    def would_join(self, key: str) -> bool:
        """Whether somebody has asked for this run already, and it waits or is under way, here or in another process."""
        with self._mutex:
            if self._waiting(key) is not None:
                return True
            return not self._ending(key) if key in self._current else self.store.busy(key)

    def in_hand(self, which: Callable[[RunConfig], bool]) -> bool:
        """Whether a run of this kind waits or is under way."""
        with self._mutex:
            jobs = [*self._queue, *(current.job for current in self._current.values())]
        return any(job.config is not None and which(job.config) for job in jobs)

    # -- looking -----------------------------------------------------------------------------------------------------

    def events(self, key: str, offset: int = 0) -> tuple[list[Event], int]:
        """Events of the latest attempt from `offset` on, and the offset to go on from. Begin with 0.

        A RunStarted in the middle of reading means that a new attempt has begun: what came before it is void.
        """
        entries, end = read_entries(self.store.events_path(key), offset)
        return [entry.event for entry in latest_attempt(entries)], end

    def state(self, key: str) -> JobState:
        """What is known of the run at this moment. Raises StoreError if its files cannot be read."""
        with self._mutex:
            waiting, current = self._waiting(key), self._current.get(key)
            position = 0 if waiting is None else self._position(waiting)
            reason = self._reasons.get(key)
            tail = self._tail(key)
        active = waiting is not None or current is not None or self.store.busy(key)
        progress = tail.follow(self.store.events_path(key))
        stored = self.store.summary(key)
        if stored is not None and not stored.outdated:
            epochs = stored.config.training.epochs
            done = JobState(
                phase="completed",
                epoch=epochs,
                epochs=epochs,
                elapsed_s=stored.seconds,
                started_at=progress.started_at,
            )
            if stored.complete:
                return done
            unfinished = replace(done, phase="finished", active=active, position=position, reason=reason)
            return _with_stage(unfinished, progress) if active else unfinished
        if waiting is not None and current is None:
            return JobState(phase="queued", active=True, position=position)
        if current is not None and progress.began < current.log_size:
            return JobState(phase="queued", active=True)  # started, but its first event is not written yet
        return _unsealed(progress, active, reason)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if not self.executor.alive():
            raise ValueError("The program is shutting down; start it again to train.")

    def _append(self, job: Job) -> None:
        if len(self._queue) >= MAX_QUEUE:
            raise ValueError(f"{MAX_QUEUE} runs are waiting already; wait until one has ended, or cancel one.")
        self._reasons.pop(job.key, None)
        self._queue.append(job)
        self._fill()
        self._keep()

    def _fill(self) -> None:
        """Start what waits, in its order, while the executor has free slots and it is this server's turn."""
        while len(self._current) < self.executor.slots and self.executor.alive():
            job = next((job for job in self._in_order() if job.key not in self._current), None)
            if job is None:
                if not self._current:
                    self._leave_turn()
                return
            if self._turn is not None and not self._turn.take():
                self._ask_again()
                return
            self._queue.remove(job)
            self._current[job.key] = _UnderWay(job, _size(self.store.events_path(job.key)))
            self.executor.start(job).add_done_callback(partial(self._ended, job.key))

    def _ended(self, key: str, future: Future[Outcome]) -> None:
        reason = future.result().reason
        with self._mutex:
            if reason is not None:
                self._reasons[key] = reason
            del self._current[key]
            if not self._current:
                self._leave_turn()
            self._fill()
            self._keep()

    def _ask_again(self) -> None:
        """Whether it is this server's turn, soon; a thread at a time does."""

        def ask() -> None:
            with self._mutex:
                self._asks_again = None
                self._fill()
                self._keep()

        if self._asks_again is None:
            self._asks_again = threading.Timer(LOOK_S, ask)
            self._asks_again.daemon = True
            self._asks_again.start()

    def _leave_turn(self) -> None:
        if self._turn is not None:
            self._turn.leave()

    def _elsewhere(self, place: int) -> list[Job]:
        """Those that come before the one at this place of the queue in other servers, which each take their turns."""
        return [] if self._turn is None else [job for jobs in self._kept.elsewhere() for job in jobs[:place]]

    def _in_order(self) -> list[Job]:
        """What waits, as it will be started: the first of each visitor, then the second of each, and so on."""
        rank: Counter[str] = Counter()
        ranked = []
        for job in self._queue:
            ranked.append((rank[job.visitor], job))
            rank[job.visitor] += 1
        return [job for _, job in sorted(ranked, key=lambda item: item[0])]

    def _position(self, waiting: Job) -> int:
        """Its place among those that wait, from 1."""
        own = self._in_order().index(waiting) + 1
        others = len(self._elsewhere(own))
        return own + others - (1 if others and not self._current else 0)  # one of them is under way

    def _keep(self) -> None:
        if self.executor.alive():  # what a closing server leaves unfinished waits on disk
            self._kept.write([*(current.job for current in self._current.values()), *self._queue])

    def _waiting(self, key: str) -> Job | None:
        return next((job for job in self._queue if job.key == key), None)

    def _ending(self, key: str) -> bool:
        """Whether a new attempt may begin: no job of this key is under way, or it has failed or is being cancelled."""
        current = self._current.get(key)
        if current is None or self.store.locks.asked_to_stop(key, current.job.attempt):
            return True
        progress = self._tail(key).follow(self.store.events_path(key))
        return progress.ending in ("cancelled", "failed") and progress.began >= current.log_size

    def _tail(self, key: str) -> Tail:
        return self._tails.setdefault(key, Tail())


def queue_line(position: int, slots: int) -> str:
    """The place of a run in the queue (from 1) of an executor with so many slots, in words."""
    pace, ahead = ("One run", "the run") if slots == 1 else (f"{slots} runs", f"the {slots} runs")
    more = f" and {position - 1} more" if position > 1 else ""
    return f"{pace} at a time: number {position} in the queue, after {ahead} under way{more}"


def _unsealed(progress: Progress, active: bool, reason: str | None) -> JobState:
    state = JobState(
        phase="running",
        active=active,
        epoch=progress.epoch,
        epochs=progress.epochs,
        elapsed_s=progress.elapsed_s,
        started_at=progress.started_at,
    )
    if progress.ending == "failed":
        return replace(state, phase="failed", active=False, reason=progress.reason)
    if progress.ending == "cancelled":
        return replace(state, phase="cancelled", active=False)
    if progress.started_at is None and progress.epochs == 0:
        if reason is not None and not active:
            return JobState(phase="failed", reason=reason)
        return JobState(phase="queued" if active else "absent", active=active)
    if progress.ending == "finished" and not active:
        return JobState(phase="absent")  # it was stored once, and has been deleted or put into quarantine since
    if not active:
        return replace(state, phase="failed", reason=reason or STOPPED)
    elapsed_s = max(progress.elapsed_s, time.time() - (progress.started_at or time.time()))
    if not progress.epoch:
        return replace(state, elapsed_s=elapsed_s)
    whole = progress.epochs * progress.elapsed_s / progress.epoch
    return replace(state, elapsed_s=elapsed_s, eta_s=max(0.0, whole - elapsed_s))


def _with_stage(state: JobState, progress: Progress) -> JobState:
    return replace(state, stage=progress.stage, stage_done=progress.stage_done, stage_total=progress.stage_total)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
