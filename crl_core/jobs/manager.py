"""JobManager: what a server asks for when somebody presses Train. One worker process, one queue, no torch in here.

State:  read from the run's files (manifest, events, lock), so it survives reloads and restarts and is the same for
        every process that looks. Only the queue, and why a worker died if the disk would not take it, are kept in
        memory.
Worker: `python -m crl_core.jobs.worker`, started by the first job or `warm()`, kept, replaced after a crash. It ends
        when its standard input closes, so it never outlives the server.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from crl_core.config import MAX_QUEUE, RunConfig
from crl_core.events import Event, RunFailed, Stage
from crl_core.jobs.cost import estimate_seconds
from crl_core.jobs.progress import Progress, Tail
from crl_core.runs.eventlog import EventLog, latest_attempt, read_entries
from crl_core.runs.records import PART_NAMES
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunBusy, RunStore

STOPPED = "Training was stopped before its end: the program that ran it is gone. Train again."
__all__ = ["STOPPED", "JobManager", "JobState", "Phase", "estimate_seconds"]

Phase = Literal["absent", "queued", "running", "finished", "completed", "cancelled", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """What is known of a run. "finished": trained and usable, parts are missing; "completed": everything is stored."""

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


@dataclass(slots=True)
class _Job:
    """A run, or a task: something else that the worker does, by name and with what it needs, and answers in its own
    files."""

    key: str
    asked_at: float
    config: RunConfig | None = None  # None: a task
    lam_in_view: float | None = None
    parts: frozenset[str] = frozenset()  # to compute after training
    task: Mapping[str, Any] = field(default_factory=dict)
    log_size: int = 0  # of the events when the worker was given the job

    def content(self) -> dict[str, Any]:
        """What the worker is told."""
        if self.config is None:
            return {"task": self.task, "key": self.key, "asked_at": self.asked_at}
        return {
            "config": self.config.to_dict(),
            "lam_in_view": self.lam_in_view,
            "parts": sorted(self.parts),
            "asked_at": self.asked_at,
        }


class JobManager:
    """Runs and tasks asked for and under way. Safe to share between threads; one a server is enough. See `JobState` for
    what it tells.

    Raises: both ways to submit raise ValueError if too many wait; `submit` StoreError if the cache cannot be used;
            nothing else does.
    """

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self._change = threading.Condition()
        self._queue: deque[_Job] = deque()
        self._current: _Job | None = None
        self._wanted = False  # a worker should be there even without a job
        self._closed = False
        self._worker: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._reasons: dict[str, str] = {}
        self._tails: dict[str, Tail] = {}
        atexit.register(self.close)

    # -- asking ------------------------------------------------------------------------------------------------------

    def submit(self, config: RunConfig, lam_in_view: float | None = None, parts: Collection[str] = PART_NAMES) -> str:
        """Ask for a run; its key. One that is stored is there at once, one under way is joined; `parts` it lacks are
        added."""
        key, wanted = config.key, frozenset(parts)
        with self._change:
            if self._closed:
                raise ValueError("The program is shutting down; start it again to train.")
            waiting = self._waiting(key)
            if waiting is not None:
                waiting.parts |= wanted
                return key
            if self._current is not None and self._is_current(key) and not self._ending(key):
                if wanted <= self._current.parts:
                    return key
            elif self.store.intact(key) and not wanted & set(self.store.missing_parts(key)):
                return key
            if not self._is_current(key) and self.store.busy(key):
                return key  # another process has it in hand
            self._append(_Job(key, time.time(), config, lam_in_view, wanted))
        return key

    def submit_task(self, key: str, task: Mapping[str, Any]) -> None:
        """Ask for a task, `task["name"]` being one of `worker.TASKS`; one that waits or is under way is joined."""
        with self._change:
            if self._closed:
                raise ValueError("The program is shutting down; start it again to train.")
            if self._waiting(key) is None and (not self._is_current(key) or self._ending(key)):
                self._append(_Job(key, time.time(), task=task))

    def task_state(self, key: str) -> JobState:
        """Of a task: "queued" with its position, "running", "failed" with the reason, or "absent" where it has
        ended."""
        with self._change:
            waiting = self._waiting(key)
            if waiting is not None:
                return JobState(phase="queued", active=True, position=self._queue.index(waiting) + 1)
            if self._is_current(key):
                return JobState(phase="running", active=True)
            reason = self._reasons.get(key)
            return JobState(phase="absent" if reason is None else "failed", reason=reason)

    def cancel(self, key: str) -> None:
        """Take a run out of the queue, or ask whoever trains it to stop. A run that has ended is left alone."""
        with self._change:
            waiting = self._waiting(key)
            if waiting is not None:
                self._queue.remove(waiting)
            if self._is_current(key) or self.store.busy(key):
                self.store.locks.ask_to_stop(key)

    def warm(self) -> None:
        """Start the worker now, so that the first run begins at once."""
        with self._change:
            if not self._closed:
                self._wanted = True
                self._start()

    def close(self) -> None:
        """End the worker and forget the queue. A run under way is left unfinished; what is sealed stays."""
        atexit.unregister(self.close)
        with self._change:
            self._closed = True
            self._queue.clear()
            self._change.notify_all()
            worker, thread = self._worker, self._thread
        if worker is not None:
            _end(worker)
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=5)

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker; None while there is none."""
        worker = self._worker
        return worker.pid if worker is not None and worker.poll() is None else None

    @property
    def training(self) -> bool:
        """Whether the worker has a run in hand."""
        with self._change:
            return self._current is not None

    # -- looking -----------------------------------------------------------------------------------------------------

    def events(self, key: str, offset: int = 0) -> tuple[list[Event], int]:
        """Events of the latest attempt from `offset` on, and the offset to go on from. Begin with 0.

        A RunStarted in the middle of reading means that a new attempt has begun: what came before it is void.
        """
        entries, end = read_entries(self.store.events_path(key), offset)
        return [entry.event for entry in latest_attempt(entries)], end

    def state(self, key: str) -> JobState:
        """What is known of the run at this moment. Raises StoreError if its files cannot be read."""
        with self._change:
            waiting, current = self._waiting(key), self._current if self._is_current(key) else None
            position = 0 if waiting is None else self._queue.index(waiting) + 1
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
            return JobState(phase="queued", active=True)  # given to the worker, which has not said anything yet
        return _unsealed(progress, active, reason)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _append(self, job: _Job) -> None:
        if len(self._queue) >= MAX_QUEUE:
            raise ValueError(f"{MAX_QUEUE} runs are waiting already; wait until one has ended, or cancel one.")
        self._reasons.pop(job.key, None)
        self._queue.append(job)
        self._start()

    def _waiting(self, key: str) -> _Job | None:
        return next((job for job in self._queue if job.key == key), None)

    def _is_current(self, key: str) -> bool:
        return self._current is not None and self._current.key == key

    def _ending(self, key: str) -> bool:
        """Whether the current job has failed or is being cancelled, so that asking again means another attempt."""
        if self._current is None or self.store.locks.asked_to_stop(key, self._current.asked_at):
            return True
        progress = self._tail(key).follow(self.store.events_path(key))
        return progress.ending in ("cancelled", "failed") and progress.began >= self._current.log_size

    def _tail(self, key: str) -> Tail:
        return self._tails.setdefault(key, Tail())

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="crl jobs", daemon=True)
            self._thread.start()
        self._change.notify_all()

    def _serve(self) -> None:
        """Give the worker one job after the other. The only thread that starts, feeds and hears the worker."""
        while True:
            with self._change:
                while not (self._closed or self._queue or self._wanted):
                    self._change.wait()
                if self._closed:
                    return
                self._wanted = False
                worker = self._ready_worker()
                job = self._queue.popleft() if self._queue else None
                if job is not None:
                    job.log_size = _size(self.store.events_path(job.key))
                self._current = job
            if job is not None:
                reply = _converse(worker, job) if worker is not None else None
                if not self._closed:
                    self._ended(job, reply, worker)

    def _ready_worker(self) -> subprocess.Popen[str] | None:
        if self._worker is None or self._worker.poll() is not None:
            try:
                self._worker = _new_worker(self.store)
            except OSError:  # no memory for another process
                self._worker = None
        return self._worker

    def _ended(self, job: _Job, reply: dict[str, Any] | None, worker: subprocess.Popen[str] | None) -> None:
        key = job.key
        reason = reply["reason"] if reply is not None else _obituary(worker)
        if reply is None and job.config is not None:
            self._record_failure(key, reason)
        with self._change:
            if reason is not None:
                self._reasons[key] = reason
            self._current = None
            self._change.notify_all()

    def _record_failure(self, key: str, reason: str) -> None:
        """Write what the worker could not write any more. A sealed run stays what it is."""
        try:
            with self.store.lock(key, wait_s=2.0):
                if not self.store.has(key):
                    with EventLog(self.store.events_path(key)) as log:
                        log.append(RunFailed(reason=reason))
                self.store.locks.lower_flag(key)
        except (RunBusy, StoreError):
            pass  # the reason is kept in memory


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


def _new_worker(store: RunStore) -> subprocess.Popen[str]:
    package_parent = str(Path(__file__).parents[2])
    paths = [package_parent, *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "crl_core.jobs.worker",
            str(store.root),
            str(store.baked),
            str(store.quota_bytes),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )


def _converse(worker: subprocess.Popen[str], job: _Job) -> dict[str, Any] | None:
    """Give the worker a job and wait for its reply; None if it died."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        worker.stdin.write(json.dumps(job.content()) + "\n")
        worker.stdin.flush()
        for line in worker.stdout:
            reply: dict[str, Any] = json.loads(line)
            if "key" in reply:
                return reply
    except (OSError, ValueError):  # a closed pipe, or half a line
        pass
    return None


def _obituary(worker: subprocess.Popen[str] | None) -> str:
    """Why the worker is gone, for a person."""
    if worker is None:
        return "The training process could not be started; free some memory and train again."
    try:
        status = worker.wait(timeout=5)
    except subprocess.TimeoutExpired:
        worker.kill()
        status = worker.wait()
    if status == -9:
        return (
            "The training process was killed, most likely because the machine ran out of memory. "
            "Use fewer samples, replicates or hidden units, and train again."
        )
    how = f"by signal {-status}" if status < 0 else f"with exit status {status}"
    return f"The training process ended unexpectedly ({how}); the program's log says more. Train again."


def _end(worker: subprocess.Popen[str]) -> None:
    """Close the worker's input, which ends it; kill it if it does not listen."""
    try:
        if worker.stdin is not None:
            worker.stdin.close()
    except OSError:
        pass
    try:
        worker.wait(timeout=3)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
