"""Train one run and store it, from its config to its sealed place on disk: for the worker and the command line.

Order: take the run's lock, train while appending events, save the result, say RunFinished, add evidence and projection,
       say RunCompleted. The result is sealed before it is announced.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from crl_core.config import RunConfig
from crl_core.events import Event, RunCancelled, RunCompleted, RunFailed, RunFinished, Stage, StageAdvanced
from crl_core.jobs.memory import too_much
from crl_core.measures.view_samples import ViewSampler
from crl_core.results import RunResult
from crl_core.runs.bundle_arrays import result_bytes
from crl_core.runs.eventlog import EventLog
from crl_core.runs.records import PART_NAMES
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunBusy, RunStore
from crl_core.runs.temporary import culprit

Ending = Literal["trained", "stored", "cancelled", "failed", "busy"]
Listener = Callable[[Event], None]
OnProgress = Callable[[int, int], None]  # parts done, parts in all
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How `train_and_store` ended.

    ending: "trained" now; "stored" before; "cancelled"; "failed"; "busy": another process has the run in hand.
    result: what was trained, even where it could not be stored (ending "failed").
    reason: one sentence where something went wrong; with "trained" and "stored" it is about the parts after training.
    error:  what the sentence comes from.
    """

    ending: Ending
    result: RunResult | None = None
    reason: str | None = None
    error: Exception | None = None


class _StopAsked(Exception):
    """Someone cancelled while a part was being computed."""


def train_and_store(
    config: RunConfig,
    store: RunStore,
    *,
    lam_in_view: float | None = None,
    with_parts: bool | Collection[str] = True,
    attempt: str = "",
    listen: Listener | None = None,
) -> Outcome:
    """Train and store `config` unless it is stored already, then add the parts that it lacks.

    with_parts:  which: all, none, or some of PART_NAMES.
    lam_in_view: λ whose projection is computed first; default the middle of the grid.
    attempt:     of asking for it; a cancel of another attempt is stale. Default a new one.
    listen:      is given every event as it is written.
    Raises:      KeyboardInterrupt, after RunCancelled was written. Everything else is in the outcome.
    """
    key = config.key
    wanted = (PART_NAMES if with_parts else ()) if isinstance(with_parts, bool) else tuple(with_parts)
    try:
        with store.lock(key, wait_s=1.0):
            attempt = store.locks.begin(key, attempt)
            try:
                stored = store.intact(key)
                if stored and not set(wanted) & set(store.missing_parts(key)):
                    return Outcome(ending="stored")
                if not stored:
                    store.check_room(result_bytes(config))
                with EventLog(store.events_path(key)) as log:
                    job = _Job(config, store, log, attempt, listen)
                    outcome = Outcome(ending="stored") if stored else job.train()
                    if wanted and outcome.ending in ("stored", "trained"):
                        reason = job.add_parts(outcome.result, lam_in_view, wanted)
                        outcome = replace(outcome, reason=reason or outcome.reason)
                    return outcome
            finally:
                store.locks.end(key)
    except RunBusy:
        return Outcome(ending="busy")
    except StoreError as error:
        return Outcome(ending="failed", reason=str(error), error=error)


_LOG = logging.getLogger(__name__)


def sentence(error: Exception) -> str:
    """The sentence for an error in training or after it."""
    if isinstance(error, (StoreError, ValueError)):
        return str(error)
    if isinstance(error, MemoryError) or "out of memory" in str(error):
        return "The memory did not suffice; use fewer samples, replicates or hidden units, and train again."
    if (found := culprit(error)) is not None:
        return found
    what = f"{type(error).__name__}: {error}".strip(": ").replace("\n", " ")
    return f"The computation stopped with an unexpected error ({what:.200}); the log, or --debug, says more."


class _Job:
    """One attempt at one run, under its lock."""

    def __init__(
        self, config: RunConfig, store: RunStore, log: EventLog, attempt: str, listen: Listener | None
    ) -> None:
        self.config, self.store, self.log, self.listen = config, store, log, listen
        self.key = config.key
        self.began = time.perf_counter()
        self.should_stop = store.locks.cancellation(self.key, attempt)

    def say(self, event: Event) -> None:
        self.store.in_room(lambda: self.log.append(event))
        if self.listen is not None:
            self.listen(event)

    def elapsed_s(self) -> float:
        return time.perf_counter() - self.began

    def train(self) -> Outcome:
        from crl_core.training.path import train_path

        result: RunResult | None = None
        try:
            if (reason := too_much(self.config)) is not None:
                raise ValueError(reason)
            for event in train_path(self.config, should_stop=self.should_stop, watch=ViewSampler(self.config)):
                if isinstance(event, RunFinished):
                    result = event.result
                    if result is not None:
                        self.store.save(result)
                self.say(event)
        except KeyboardInterrupt:
            if not self.store.has(self.key):
                self.end(RunCancelled(elapsed_s=self.elapsed_s()))
            raise
        except Exception as error:
            if not isinstance(error, (StoreError, ValueError)):
                _LOG.exception("run %s failed", self.key)
            reason = sentence(error)
            if self.store.has(self.key):  # sealed; only the line that says so could not be written
                return Outcome(ending="trained", result=result, reason=reason)
            self.end(RunFailed(reason=reason))
            return Outcome(ending="failed", result=result, reason=reason, error=error)
        if result is None:
            self.end(RunCancelled(elapsed_s=self.elapsed_s()))
            return Outcome(ending="cancelled")
        return Outcome(ending="trained", result=result)

    def end(self, event: RunCancelled | RunFailed) -> None:
        """Write an ending if the disk lets us; whoever reads the events sees a run that nobody holds otherwise."""
        with suppress(StoreError):
            self.say(event)

    def add_parts(self, result: RunResult | None, lam_in_view: float | None, wanted: Collection[str]) -> str | None:
        """Compute what the run lacks of `wanted`; a sentence if that failed. The run stays usable whatever happens
        here."""
        reason = None
        try:
            result = result or self.store.load(self.key)
            for name in [name for name in self.store.missing_parts(self.key) if name in wanted]:
                try:
                    self.store.add(
                        self.key, name, _PARTS[name](result, lam_in_view, self.progress(name), self.should_stop)
                    )
                except _StopAsked:
                    return "The computation was cancelled."
                except Exception as error:
                    if isinstance(error, StoreError):
                        raise
                    _LOG.exception("the %s of run %s is missing", name, self.key)
                    reason = f"The {name} is missing. {sentence(error)}"
            if not self.store.missing_parts(self.key):
                self.say(RunCompleted(elapsed_s=self.elapsed_s()))
            self.store.seal_events(self.key)
        except StoreError as error:
            return str(error)
        return reason

    def progress(self, name: str) -> OnProgress:
        stage: Stage = "projection" if name == "projection" else "evidence"

        def advanced(done: int, total: int) -> None:
            self.say(StageAdvanced(stage=stage, done=done, total=total))
            if self.should_stop():
                raise _StopAsked

        advanced(0, 1)  # at once: from here on this is what the run is doing
        return advanced


def _evidence(
    result: RunResult, lam_in_view: float | None, progress: OnProgress, should_stop: Callable[[], bool]
) -> Arrays:
    from crl_core.measures.evidence import gather
    from crl_core.training.left_out import left_out_mse
    from crl_core.training.regularised import train_regularised

    def third(index: int) -> OnProgress:
        """Progress of one of the three thirds of this part, in 150ths of the whole."""
        return lambda done, total: progress(50 * index + 50 * done // total, 150)

    regularised = train_regularised(result, third(0), should_stop)
    left_out = None if regularised is None else left_out_mse(result, third(1), should_stop)
    if left_out is None:
        raise _StopAsked
    return gather(result, third(2), regularised=regularised, left_out=left_out)


def _projection(
    result: RunResult, lam_in_view: float | None, progress: OnProgress, should_stop: Callable[[], bool]
) -> Arrays:
    from crl_core.measures.projection import project_run

    middle = result.lams[len(result.lams) // 2]
    return project_run(result, middle if lam_in_view is None else lam_in_view, progress=progress)


_PARTS: Mapping[str, Callable[[RunResult, float | None, OnProgress, Callable[[], bool]], Arrays]] = {
    "evidence": _evidence,
    "projection": _projection,
}
