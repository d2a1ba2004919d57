"""The workers of a Dask scheduler as an executor: `pip install -r requirements-cluster.txt`.

Lost:     a worker that dies gives its task back to the scheduler, which hands it to another. Where the scheduler itself
          is gone, every job that was under way has failed with a sentence, and `alive` says no: the same command goes
          on once there is one again.
Stored:   see `cluster_task`: in the shared folder, or here, from a bundle.
"""

from __future__ import annotations

import logging
import secrets
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from crl_core.jobs import cluster_task
from crl_core.jobs.executors import STOPPED, Job
from crl_core.jobs.train_and_store import Ending, Outcome
from crl_core.runs import keyed
from crl_core.runs.bundle import import_run
from crl_core.runs.sealing import StoreError, disk_error, write_atomically
from crl_core.runs.store import RunStore

CONNECT_S = 10.0
_AHEAD = 2  # jobs a thread of a worker, so that none waits for the next to be sent


class NoScheduler(ValueError):
    """There is nobody at the address, or its workers cannot take part. One sentence."""


class DaskCluster:
    """See `executors.Executor`.

    scheduler: "tcp://HOST:PORT".
    Raises:    NoScheduler if there is none, or a worker that is there could not give the same results.
    """

    def __init__(self, store: RunStore, scheduler: str) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise NoScheduler(
                "Dask is not installed; pip install -r requirements-cluster.txt, or leave out --scheduler."
            ) from None
        self._store, self.scheduler, self._closed = store, scheduler, False
        for name in ("distributed", "distributed.client", "distributed.comm", "distributed.core"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what it has to say is said in sentences
        try:
            self._client = Client(scheduler, timeout=CONNECT_S, set_as_default=False, direct_to_workers=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise NoScheduler(
                f"There is no Dask scheduler at {scheduler} ({error!s:.80}); start one with dask scheduler, or leave "
                "out --scheduler."
            ) from None
        self._versions = cluster_task.versions()
        self._token = self._lay_token()
        self._jobs: dict[str, tuple[Job, Any]] = {}
        self._mutex = threading.Lock()
        self._check_workers()

    @property
    def slots(self) -> int:
        with suppress(Exception):
            return max(1, _AHEAD * self.threads)
        return 1

    @property
    def threads(self) -> int:
        """Runs that its workers compute at one time."""
        return sum(worker["nthreads"] for worker in self._client.scheduler_info(n_workers=-1)["workers"].values())

    def start(self, job: Job) -> Future[Outcome]:
        answer: Future[Outcome] = Future()
        if not self.alive():
            answer.set_result(self._gone())
            return answer
        store = (str(self._store.root), str(self._store.baked), self._store.quota_bytes)
        try:
            task = self._client.submit(
                _carry_out,
                job.to_dict(),
                store,
                self._token,
                self._versions,
                key=f"crl-{job.key}-{job.attempt}-{secrets.token_hex(4)}",
                pure=False,
                retries=0,
            )
        except Exception:  # its connection broke in the middle
            answer.set_result(self._gone())
            return answer
        with self._mutex:
            self._jobs[job.key] = job, task
        task.add_done_callback(lambda done: self._ended(job, done, answer))
        return answer

    def stop(self, key: str) -> None:
        job, task = self._jobs.get(key, (None, None))
        if job is None or task is None:
            return
        with suppress(Exception):
            from distributed import Event

            Event(_flag(job.to_dict()), client=self._client).set()
            task.cancel()

    def warm(self) -> None:
        pass

    def alive(self) -> bool:
        return not self._closed and self._client.status == "running"

    def close(self) -> None:
        self._closed = True
        for key in list(self._jobs):
            self.stop(key)
        with suppress(Exception):
            self._client.close(timeout=2)
        with suppress(OSError):
            (self._store.root / self._token[0]).unlink()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _lay_token(self) -> tuple[str, str]:
        """A file by which a worker knows that it has the same folder and the same key."""
        content = secrets.token_bytes(32)
        name = f".cluster-{secrets.token_hex(8)}"
        try:
            write_atomically(self._store.root / name, content, 0o600)
        except OSError as error:
            raise disk_error(f"write in {self._store.root}", error) from None
        return name, keyed.digest_of(content)

    def _check_workers(self) -> None:
        """Every worker that is there by now; those that come later are asked with each job. Raises NoScheduler."""
        try:
            found = self._client.run(cluster_task.versions, on_error="return")
        except Exception as error:
            raise NoScheduler(f"The workers of {self.scheduler} cannot be asked ({error!s:.120}).") from None
        for worker, versions in found.items():
            if isinstance(versions, BaseException):
                self.close()
                raise NoScheduler(
                    f"The worker {worker} has not this program, or another version of it ({versions!s:.120}); start it "
                    "in the program's folder, with its environment."
                )
            if problem := cluster_task.difference(self._versions, versions, worker):
                self.close()
                raise NoScheduler(problem)

    def _ended(self, job: Job, task: Any, answer: Future[Outcome]) -> None:
        outcome = self._outcome(job, task)
        with self._mutex:
            self._jobs.pop(job.key, None)
        with suppress(Exception):
            task.release()
        answer.set_result(outcome)

    def _outcome(self, job: Job, task: Any) -> Outcome:
        if task.status in ("cancelled", "lost") or not self.alive():
            return self._gone()
        if task.status == "error":
            with suppress(Exception):
                error = task.exception()
                return Outcome(ending="failed", reason=_why(error))
            return self._gone()
        try:
            reply = task.result(timeout=60)
            if reply.get("bundle") is not None:
                import_run(self._store, reply["bundle"])
        except StoreError as error:
            return Outcome(ending="failed", reason=str(error), error=error)
        except Exception as error:
            if not self._answers():  # before the client has noticed it
                return self._gone()
            return Outcome(ending="failed", reason=f"The worker's answer was lost ({error!s:.120}).")
        ending: Ending = reply["ending"]
        return Outcome(ending=ending, reason=reply["reason"])

    def _answers(self) -> bool:
        """Whether the scheduler does."""
        with suppress(Exception):
            self._client.sync(self._client.scheduler.identity, callback_timeout=5)  # type: ignore[union-attr]
            return True
        return False

    def _gone(self) -> Outcome:
        if self._closed:
            return Outcome(ending="failed", reason=STOPPED)
        return Outcome(
            ending="failed",
            reason=f"The scheduler at {self.scheduler} is gone; start it and its workers, then give the same command "
            "again: what is stored stays.",
        )


def _flag(content: dict[str, Any]) -> str:
    return f"crl-stop-{content['key']}-{content['attempt']}"


def _carry_out(
    content: dict[str, Any], store: tuple[str, str, int], token: tuple[str, str], asked: dict[str, str]
) -> dict[str, Any]:
    """On the worker. It asks the scheduler whether the job was given up."""
    from distributed import Event, get_client

    given_up = Event(_flag(content), client=get_client())
    return cluster_task.carry_out(content, store, token, asked, lambda: bool(given_up.is_set()))


def _why(error: BaseException | None) -> str:
    if type(error).__name__ == "KilledWorker":
        return (
            "The workers that had this run died, most likely because their memory ran out. Use fewer samples, "
            "replicates or hidden units."
        )
    return f"The worker stopped with an unexpected error ({type(error).__name__}: {error!s:.160})."
