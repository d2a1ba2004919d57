"""Several runs: each taken from the store, or trained and stored where it is not there.

A study that holds an executor calls `ensure_runs` and waits. A page, which shares a server's `JobManager` with other
visitors, asks for a few runs at a time with `SeveralRuns`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field

import numpy as np

from crl_core.config import RunConfig
from crl_core.jobs.executors import Executor, Job
from crl_core.jobs.manager import JobManager, JobState
from crl_core.jobs.train_and_store import Outcome
from crl_core.results import RunResult
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunStore

Evidence = Mapping[str, np.ndarray]
Wanted = Sequence[tuple[RunConfig, bool]]  # each run once, and whether its evidence is needed
Found = tuple[RunResult, Evidence]  # evidence is empty unless it was asked for
OnRun = Callable[[int, int, RunConfig], None]  # runs begun before, runs in all, the one that begins


class RunsFailed(RuntimeError):
    """One of several runs could not be trained; the input was right. One sentence."""


def ensure_runs(
    wanted: Wanted, store: RunStore, executor: Executor, on_run: OnRun | None = None
) -> dict[RunConfig, Found]:
    """Every run of `wanted`, trained and stored where it is not there, as many at a time as `executor` has slots.

    Raises: RunsFailed for the first run that failed, after which none is begun; StoreError if the store cannot be used.
    """
    found = {}
    for config, run in each_run(wanted, store, executor, on_run):
        if isinstance(run, RunsFailed):
            raise run
        found[config] = run
    return found


def each_run(
    wanted: Wanted, store: RunStore, executor: Executor, on_run: OnRun | None = None
) -> Iterator[tuple[RunConfig, Found | RunsFailed]]:
    """As `ensure_runs`, run by run as they end; a failure stands in the place of its run.

    Runs begin in the order of `wanted`. One that another process has in hand is waited for. Runs under way are stopped
    when the caller asks for no more.
    """
    waiting, under_way = deque(wanted), dict[Future[Outcome], tuple[RunConfig, bool]]()
    try:
        while waiting or under_way:
            while waiting and len(under_way) < executor.slots:
                if on_run is not None:
                    on_run(len(wanted) - len(waiting), len(wanted), waiting[0][0])
                item = waiting.popleft()
                under_way[_start(executor, *item)] = item
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                config, evidence = item = under_way.pop(future)
                outcome = future.result()
                if outcome.ending == "busy":
                    while store.busy(config.key):
                        time.sleep(0.2)
                    under_way[_start(executor, *item)] = item
                else:
                    yield config, _found(config, evidence, outcome, store)
    finally:
        for config, _ in under_way.values():
            executor.stop(config.key)


def _start(executor: Executor, config: RunConfig, evidence: bool) -> Future[Outcome]:
    parts = frozenset({"evidence"} if evidence else ())
    return executor.start(Job(key=config.key, asked_at=time.time(), config=config, parts=parts))


def _found(config: RunConfig, evidence: bool, outcome: Outcome, store: RunStore) -> Found | RunsFailed:
    """The result and evidence of a run that has ended. Raises StoreError."""
    if outcome.ending not in ("trained", "stored") or outcome.reason is not None:
        if isinstance(outcome.error, StoreError):
            raise outcome.error
        return RunsFailed(outcome.reason or "Someone cancelled it.")
    result = outcome.result or store.load(config.key)
    found = store.part(config.key, "evidence") if evidence else {}
    if found is None:
        return RunsFailed(f"Run {config.key}, which comes with the program, has no evidence; bake it again.")
    return result, found


def is_there(config: RunConfig, store: RunStore, *, evidence: bool = False) -> bool:
    """Whether a run is stored, with its evidence if that is needed, by its manifest alone."""
    summary = store.summary(config.key)
    return summary is not None and not summary.outdated and (not evidence or "evidence" in summary.parts)


def missing(wanted: Wanted, store: RunStore) -> list[tuple[RunConfig, bool]]:
    """Those of `wanted` that are not stored."""
    return [(config, evidence) for config, evidence in wanted if not is_there(config, store, evidence=evidence)]


@dataclass(slots=True)
class SeveralRuns:
    """Runs asked of a server's `JobManager` a few at a time, so that other visitors' runs do not wait behind them all.

    What has been stored stays, so runs that were left go on where they were.
    submitted: keys asked for so far.
    problem:   why nothing more is asked for; None while all goes well.
    """

    submitted: set[str] = field(default_factory=set)
    problem: str | None = None

    def advance(self, wanted: Wanted, jobs: JobManager) -> list[JobState]:
        """Ask for the next runs; returns how each missing run stood before. None missing: all are stored."""
        lacking = missing(wanted, jobs.store)
        try:
            states = [jobs.state(config.key) for config, _ in lacking]
            for (config, _), state in zip(lacking, states, strict=True):
                if config.key in self.submitted and not state.active:
                    why = "One of its runs was cancelled." if state.phase == "cancelled" else state.reason
                    self.problem = self.problem or why
            ahead = jobs.executor.slots + 1 - sum(state.active for state in states)  # one waits, so that no slot does
            resting = [item for item, state in zip(lacking, states, strict=True) if not state.active]
            for config, evidence in resting[: max(0, ahead)]:
                if self.problem is None:
                    self.submitted.add(config.key)
                    jobs.submit(config, parts=("evidence",) if evidence else ())
        except (ValueError, StoreError) as error:
            self.problem, states = str(error), []
        return states
