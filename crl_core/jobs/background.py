"""Work of many runs on a server, by threads, so that it goes on when who started it looks elsewhere."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from crl_core.jobs.ensure_runs import RunsFailed, Wanted, each_outcome, missing
from crl_core.jobs.manager import JobManager
from crl_core.jobs.through_queue import ThroughQueue
from crl_core.runs.sealing import StoreError

STOP_S = 3.0  # that work is given to end
_LOG = logging.getLogger(__name__)
Act = Callable[[ThroughQueue], object]  # raises RunsFailed or StoreError with a sentence for a person


@dataclass(frozen=True, slots=True, kw_only=True)
class _Going:
    executor: ThroughQueue
    thread: threading.Thread


class Background:
    """May be shared by threads. Each piece of work has a name; what is under way is joined, not begun again."""

    def __init__(self, jobs: JobManager) -> None:
        self._jobs = jobs
        self._mutex = threading.Lock()
        self._going: dict[str, _Going] = {}
        self._problems: dict[str, str] = {}

    def start(self, name: str, act: Act, visitor: str = "") -> None:
        """Begin `act` in a thread, with an executor whose jobs wait their turn among those of visitors."""
        with self._mutex:
            before = self._going.get(name)
            if before is not None and before.executor.closed:
                before.thread.join(STOP_S)
            if before is not None and before.thread.is_alive():
                return
            executor = ThroughQueue(self._jobs, visitor)
            thread = threading.Thread(
                target=self._carry_out, args=(name, act, executor), name="crl background", daemon=True
            )
            self._problems.pop(name, None)
            self._going[name] = _Going(executor=executor, thread=thread)
            thread.start()

    def train(self, name: str, wanted: Wanted, visitor: str = "") -> None:
        """Train what is not stored of `wanted`; the first run that fails ends it."""

        def act(executor: ThroughQueue) -> None:
            store = self._jobs.store
            for config, outcome in each_outcome(missing(wanted, store), store, executor):
                if outcome.ending == "cancelled":
                    raise RunsFailed("One of its runs was cancelled.")
                if outcome.ending == "failed" or outcome.reason is not None:
                    raise RunsFailed(outcome.reason or f"Run {config.key} failed.")

        self.start(name, act, visitor)

    def stop(self, name: str) -> None:
        """Begin no further run of it, cancel those under way, and give them a moment to end; what is stored stays."""
        going = self._going.get(name)
        if going is not None:
            going.executor.close()
            going.thread.join(STOP_S)

    def under_way(self) -> tuple[str, ...]:
        """Names of what goes on."""
        return tuple(name for name, going in self._going.items() if going.thread.is_alive())

    def problem(self, name: str) -> str:
        """Why it ended before its end, in a sentence; "" where it did not."""
        return self._problems.get(name, "")

    def _carry_out(self, name: str, act: Act, executor: ThroughQueue) -> None:
        try:
            act(executor)
        except (RunsFailed, StoreError, ValueError) as error:
            problem = str(error)
        except Exception:
            _LOG.exception("%s stopped", name)
            problem = "It stopped with an unexpected error; the server's log says more."
        else:
            return
        if not executor.closed:  # who stopped it knows why
            self._problems[name] = problem
