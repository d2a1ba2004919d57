"""A server's queue as an executor, so that a study on a server waits its turn among the visitors' runs."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future

from crl_core.jobs.executors import STOPPED, Job
from crl_core.jobs.manager import JobManager
from crl_core.jobs.train_and_store import Outcome
from crl_core.runs.sealing import StoreError

_POLL_S = 0.2


class ThroughQueue:
    """See `executors.Executor`. One job waits, so that no slot does.

    visitor: who asks, for the queue's fair order.
    """

    def __init__(self, jobs: JobManager, visitor: str = "") -> None:
        self._jobs, self._visitor = jobs, visitor
        self._mutex = threading.Lock()  # whatever is stopped has been submitted before, or never is
        self._closed = threading.Event()
        self._under_way: set[str] = set()
        self._joined: set[str] = set()  # of these, what others had asked for before: it is not ours to cancel

    @property
    def slots(self) -> int:
        return self._jobs.executor.slots + 1

    def start(self, job: Job) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self._under_way.add(job.key)
        threading.Thread(target=self._follow, args=(job, future), name="crl study run", daemon=True).start()
        return future

    def stop(self, key: str) -> None:
        with self._mutex:
            if key in self._under_way and key not in self._joined:
                self._jobs.cancel(key)
            self._under_way.discard(key)

    def warm(self) -> None:
        pass

    def alive(self) -> bool:
        return not self.closed and self._jobs.executor.alive()

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    def close(self) -> None:
        self._closed.set()
        for key in list(self._under_way):
            self.stop(key)

    def _follow(self, job: Job, future: Future[Outcome]) -> None:
        outcome = self._outcome(job)
        self._under_way.discard(job.key)
        self._joined.discard(job.key)
        future.set_result(outcome)

    def _outcome(self, job: Job) -> Outcome:
        assert job.config is not None
        try:
            while self._jobs.room == 0 and self._wanted(job) and self.alive():
                time.sleep(_POLL_S)
            with self._mutex:
                if not self._wanted(job):
                    return Outcome(ending="cancelled")
                if self._jobs.would_join(job.key):
                    self._joined.add(job.key)
                self._jobs.submit(job.config, parts=tuple(job.parts), visitor=self._visitor)
            while (state := self._jobs.state(job.key)).active and (self._wanted(job) or job.key not in self._joined):
                time.sleep(_POLL_S)
        except (StoreError, ValueError) as error:
            return Outcome(ending="failed", reason=str(error), error=error)
        if state.phase in ("finished", "completed"):
            lacking = job.parts & set(self._jobs.store.missing_parts(job.key))
            return Outcome(ending="trained", reason=state.reason if lacking else None)
        if state.phase == "cancelled" or not self._wanted(job):
            return Outcome(ending="cancelled")
        return Outcome(ending="failed", reason=state.reason or STOPPED)

    def _wanted(self, job: Job) -> bool:
        return not self.closed and job.key in self._under_way
