"""Several runs: each taken from the store, or trained and stored where it is not there.

A study that holds an executor calls `ensure_runs` and waits. A page, which shares a server's `JobManager` with other
visitors, hands its runs to `jobs.background`.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

import numpy as np

from crl_core.config import RunConfig
from crl_core.jobs.executors import Executor, Job
from crl_core.jobs.train_and_store import Outcome
from crl_core.results import RunResult
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunStore

Evidence = Mapping[str, np.ndarray]
Wanted = Sequence[tuple[RunConfig, bool]]  # each run once, and whether its evidence is needed
Found = tuple[RunResult, Evidence]  # evidence is empty unless it was asked for
OnRun = Callable[[int, int, RunConfig], None]  # runs begun before, runs in all, the one that begins
_LOOK_S = 0.2  # how often runs that another process has in hand are looked at


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
    evidence = dict(wanted)
    for config, outcome in each_outcome(wanted, store, executor, on_run):
        yield config, found_of(config, evidence[config], outcome, store)


def each_outcome(
    wanted: Wanted,
    store: RunStore,
    executor: Executor,
    on_run: OnRun | None = None,
    *,
    retries: int = 0,
    on_retry: Callable[[RunConfig, str], None] | None = None,
) -> Generator[tuple[RunConfig, Outcome], None, None]:
    """How every run ended, as they end: "trained", "stored", "cancelled" or "failed".

    retries:  how often a run that failed is begun again, after all others; not where its config is refused.
    on_retry: hears of each, with the reason.
    """
    waiting, under_way = deque(wanted), dict[Future[Outcome], tuple[RunConfig, bool]]()
    elsewhere: list[tuple[RunConfig, bool]] = []  # in another process's hands
    tried, begun = Counter[str](), set[str]()
    try:
        while waiting or under_way or elsewhere:
            for item in [item for item in elsewhere if not store.busy(item[0].key)]:
                elsewhere.remove(item)
                waiting.appendleft(item)
            while waiting and len(under_way) < executor.slots:
                item = waiting.popleft()
                if on_run is not None and item[0].key not in begun:
                    on_run(len(begun), len(wanted), item[0])
                begun.add(item[0].key)
                under_way[_start(executor, *item)] = item
            if not under_way:
                time.sleep(_LOOK_S)
            look_s = _LOOK_S if elsewhere else None
            for future in wait(under_way, timeout=look_s, return_when=FIRST_COMPLETED).done:
                config, _ = item = under_way.pop(future)
                outcome = future.result()
                if outcome.ending == "busy":
                    elsewhere.append(item)
                elif _worth_another_try(outcome) and tried[config.key] < retries and executor.alive():
                    tried[config.key] += 1
                    if on_retry is not None:
                        on_retry(config, outcome.reason or "")
                    waiting.append(item)
                else:
                    yield config, outcome
    finally:
        for config, _ in under_way.values():
            executor.stop(config.key)


def _worth_another_try(outcome: Outcome) -> bool:
    return (outcome.ending == "failed" or outcome.reason is not None) and not isinstance(outcome.error, ValueError)


def _start(executor: Executor, config: RunConfig, evidence: bool) -> Future[Outcome]:
    parts = frozenset({"evidence"} if evidence else ())
    return executor.start(Job(key=config.key, config=config, parts=parts))


def found_of(config: RunConfig, evidence: bool, outcome: Outcome, store: RunStore) -> Found | RunsFailed:
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
    key = config.key
    summary = store.summary(key) if store.has(key) else None
    return summary is not None and (not evidence or "evidence" in summary.parts)


def missing(wanted: Wanted, store: RunStore) -> list[tuple[RunConfig, bool]]:
    """Those of `wanted` that are not stored."""
    return [(config, evidence) for config, evidence in wanted if not is_there(config, store, evidence=evidence)]
