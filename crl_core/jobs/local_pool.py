"""Several worker processes on this machine, each a `LocalProcess`: an executor with as many slots."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future

from crl_core.jobs.executors import Job, LocalProcess
from crl_core.jobs.train_and_store import Outcome
from crl_core.runs.store import RunStore

MOST = 64


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalPool:
    """See `executors.Executor`. n: workers; default one a core.

    The cores are shared out: two processes with two threads each on two cores wait for each other.
    """

    def __init__(self, store: RunStore, n: int | None = None) -> None:
        self.slots = cores() if n is None else n
        if not 1 <= self.slots <= MOST:
            raise ValueError(f"{self.slots} workers; from 1 to {MOST} are possible.")
        threads = max(1, cores() // self.slots)
        self._workers = [LocalProcess(store, threads=threads) for _ in range(self.slots)]
        self._mutex = threading.Lock()
        self._free = list(self._workers)
        self._at: dict[str, LocalProcess] = {}

    def start(self, job: Job) -> Future[Outcome]:
        with self._mutex:
            worker = self._at[job.key] = self._free.pop()
        future = worker.start(job)
        answer: Future[Outcome] = Future()

        def ended(done: Future[Outcome]) -> None:
            with self._mutex:
                self._free.append(worker)
                self._at.pop(job.key, None)
            answer.set_result(done.result())

        future.add_done_callback(ended)
        return answer

    def stop(self, key: str) -> None:
        worker = self._at.get(key)
        if worker is not None:
            worker.stop(key)

    def warm(self) -> None:
        for worker in self._workers:
            worker.warm()

    def alive(self) -> bool:
        return all(worker.alive() for worker in self._workers)

    def close(self) -> None:
        for worker in self._workers:
            worker.close()

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that are there."""
        return [worker.pid for worker in self._workers if worker.pid is not None]
