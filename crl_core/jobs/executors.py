"""Executors: where a job is carried out. The caller chooses the next job; an executor computes, without torch here."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from crl_core.config import RunConfig
from crl_core.data.tables.private import PrivateRows, forget_rows, hand_over, take_over
from crl_core.events import RunFailed
from crl_core.jobs.train_and_store import Listener, Outcome, train_and_store
from crl_core.runs.eventlog import EventLog
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunBusy, RunStore

STOPPED = "Training was stopped before its end: the program that ran it is gone. Train again."
# name -> module with `carry_out_task(task, should_stop)`, which answers in files of its own and raises nothing for bad
# input
TASKS = {"latents": "crl_core.identify.flows.live", "planted": "crl_core.studies.planted_live"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run to train and store, or a task: another computation, by name, that writes its answer into files of its own.

    key:         the run's; a task's has the same form.
    attempt:     tells one time of asking from the next, so that no earlier cancel stops it.
    config:      None for a task.
    lam_in_view: λ whose projection is computed first; None: the middle of the grid.
    parts:       of the run, to compute after training.
    task:        {"name": one of TASKS, and what it needs}, as JSON values.
    visitor:     who asked, for a fair order; "" where nobody in particular did.
    rows_file:   what holds the rows of a private table until the worker has read it; "" where there are none.
    """

    key: str
    attempt: str = field(default_factory=lambda: secrets.token_hex(8))
    config: RunConfig | None = None
    lam_in_view: float | None = None
    parts: frozenset[str] = frozenset()
    task: Mapping[str, Any] = field(default_factory=dict)
    visitor: str = ""
    rows_file: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "key": self.key,
            "attempt": self.attempt,
            "visitor": self.visitor,
            "config": None if self.config is None else self.config.to_dict(),
            "lam_in_view": self.lam_in_view,
            "parts": sorted(self.parts),
            "task": dict(self.task),
            "rows_file": self.rows_file,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Job:
        """Inverse of `to_dict`."""
        config = content["config"]
        typed = {
            "config": None if config is None else RunConfig.from_dict(config),
            "parts": frozenset(content["parts"]),
        }
        return cls(**dict(content) | typed)


class Executor(Protocol):
    """Carries out jobs, each as `carry_out_job` does, on the store that it was made with.

    Caller:  starts at most `slots` jobs at a time and never two of one key; from any thread.
    Start:   answers at once (`Here` alone carries the job out first). The future is resolved once, from any thread,
             and holds an `Outcome`, never an exception; its `result` and `error` may stay in the process that had them.
    Files:   when the future is resolved, the run is sealed or its events say how it ended, and its lock is free.
    Crash:   if the process that has the job dies, or cannot be started, the outcome is "failed" with a sentence, which
             RunFailed repeats in the events; the next job is carried out nevertheless.
    Stop:    asks and answers at once; the job ends soon, its future is resolved as ever. Unknown keys are left alone.
    Warm:    prepares, if that saves time later; may be left out by the caller.
    Close:   for good. Jobs under way are ended unfinished, nothing is sealed any more, their outcome is not "trained";
             a job started later has failed with STOPPED. `alive` says whether `close` is still to come.
    """

    @property
    def slots(self) -> int: ...

    def start(self, job: Job) -> Future[Outcome]: ...

    def stop(self, key: str) -> None: ...

    def warm(self) -> None: ...

    def alive(self) -> bool: ...

    def close(self) -> None: ...


def carry_out_job(job: Job, store: RunStore, listen: Listener | None = None) -> Outcome:
    """Carry out `job` in this thread. A task's outcome is "stored". Raises KeyboardInterrupt, as `train_and_store`."""
    if job.config is not None:
        private = job.config.table if isinstance(job.config.table, PrivateRows) else None
        if private is not None and job.rows_file:
            with suppress(OSError, ValueError, TypeError):  # then the rows are not here, which training says
                take_over(private, Path(job.rows_file))
        try:
            return train_and_store(
                job.config,
                store,
                lam_in_view=job.lam_in_view,
                with_parts=job.parts,
                attempt=job.attempt,
                listen=listen,
            )
        finally:
            if private is not None and job.rows_file:
                forget_rows(private.token)
    module = import_module(TASKS[job.task["name"]])
    module.carry_out_task(job.task, store.locks.cancellation(job.key, job.attempt))
    store.locks.lower_flag(job.key)
    return Outcome(ending="stored")


class Here:
    """The caller's own thread, for the command line and notebooks: `start` returns when the job has ended.

    listen: is given every event.
    Raises: KeyboardInterrupt from `start`: Ctrl+C reaches the training.
    """

    slots = 1

    def __init__(self, store: RunStore, listen: Listener | None = None) -> None:
        self._store, self._listen = store, listen
        self._job: Job | None = None
        self._closed = False

    def start(self, job: Job) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self._job = job
        try:
            future.set_result(_closed() if self._closed else carry_out_job(job, self._store, self._listen))
        finally:
            self._job = None
        return future

    def stop(self, key: str) -> None:
        job = self._job
        if job is not None and key == job.key:
            self._store.locks.ask_to_stop(key, job.attempt)

    def warm(self) -> None:
        pass

    def alive(self) -> bool:
        return not self._closed

    def close(self) -> None:
        self._closed, job = True, self._job
        if job is not None:
            self.stop(job.key)


class LocalProcess:
    """One worker process on this machine: `python -m crl_core.jobs.worker`, one job at a time.

    Started by the first job or `warm`, kept, replaced after a crash. It ends when its standard input closes, so it
    never outlives the process that started it.

    threads: that it computes with; default what torch takes.
    """

    slots = 1

    def __init__(self, store: RunStore, threads: int | None = None) -> None:
        self._store, self._threads = store, threads
        self._mutex = threading.Lock()  # around the worker and its end
        self._worker: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._job: Job | None = None
        self._closed = False

    def start(self, job: Job) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self._job = job
        self._thread = threading.Thread(target=self._serve, args=(job, future), name="crl jobs", daemon=True)
        self._thread.start()
        return future

    def stop(self, key: str) -> None:
        job = self._job
        if job is not None and key == job.key:
            self._store.locks.ask_to_stop(key, job.attempt)

    def warm(self) -> None:
        """Start the worker now, so that the first job begins at once."""
        threading.Thread(target=self._ready_worker, name="crl jobs warm", daemon=True).start()

    def alive(self) -> bool:
        return not self._closed

    def close(self) -> None:
        with self._mutex:
            self._closed = True
            worker, thread = self._worker, self._thread
        if worker is not None:
            _end(worker)
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=5)

    @property
    def pid(self) -> int | None:
        """Process id of the worker; None while there is none."""
        worker = self._worker
        return worker.pid if worker is not None and worker.poll() is None else None

    def _serve(self, job: Job, future: Future[Outcome]) -> None:
        worker = self._ready_worker()
        handed = None
        try:
            if worker is not None and job.config is not None and isinstance(job.config.table, PrivateRows):
                with suppress(OSError):  # a full disk: the worker then says that the rows are not there
                    handed = hand_over(job.config.table)
            reply = None if worker is None else _converse(worker, replace(job, rows_file=str(handed or "")))
        finally:
            if handed is not None:
                handed.unlink(missing_ok=True)  # the worker has, unless it died before
        if reply is not None:
            outcome = Outcome(ending=reply["ending"], reason=reply["reason"])
        elif self._closed:
            outcome = _closed()
        else:
            outcome = Outcome(ending="failed", reason=_obituary(worker))
            if job.config is not None:
                _record_failure(self._store, job.key, outcome.reason or "")
        self._job = None
        future.set_result(outcome)

    def _ready_worker(self) -> subprocess.Popen[str] | None:
        with self._mutex:
            if self._closed:
                return None
            if self._worker is None or self._worker.poll() is not None:
                try:
                    self._worker = _new_worker(self._store, self._threads)
                except OSError:  # no memory for another process
                    self._worker = None
            return self._worker


def _closed() -> Outcome:
    return Outcome(ending="failed", reason=STOPPED)


def _record_failure(store: RunStore, key: str, reason: str) -> None:
    """Write the failure into the run's events in the worker's place. A sealed run stays as it is."""
    try:
        with store.lock(key, wait_s=2.0):
            if not store.has(key):
                with EventLog(store.events_path(key)) as log:
                    log.append(RunFailed(reason=reason))
            store.locks.lower_flag(key)
    except (RunBusy, StoreError):
        pass  # the outcome says it


def _new_worker(store: RunStore, threads: int | None) -> subprocess.Popen[str]:
    at_most = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
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
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | at_most,
    )


def _converse(worker: subprocess.Popen[str], job: Job) -> dict[str, Any] | None:
    """Give the worker a job and wait for its reply; None if it died."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        worker.stdin.write(json.dumps(job.to_dict()) + "\n")
        worker.stdin.flush()
        for line in worker.stdout:
            reply: dict[str, Any] = json.loads(line)
            if "key" in reply:
                return reply
    except (OSError, ValueError):  # a closed pipe, or half a line
        pass
    return None


def _obituary(worker: subprocess.Popen[str] | None) -> str:
    """Why the worker ended, in a sentence."""
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
    """Close the worker's input, which ends it; kill it if it goes on."""
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
