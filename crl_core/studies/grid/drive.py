"""Carry a study out: what it will cost, then every run that is not there yet, and its table as they end.

Resumed: whoever gives the same study again goes on where it was left. A run whose lines are in the table is done; one
         that is stored is read; the others are trained. What failed before is tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crl_core.config import RunConfig
from crl_core.jobs.cost import estimates
from crl_core.jobs.ensure_runs import RunsFailed, each_outcome, found_of
from crl_core.jobs.executors import Executor
from crl_core.runs.library import Library
from crl_core.runs.sealing import DiskFull
from crl_core.runs.store import RunStore, StoreError
from crl_core.studies.claims_run import content_of, run_claims
from crl_core.studies.grid.folder import Status, StudyFolder
from crl_core.studies.grid.rows import rows_of
from crl_core.studies.grid.study_file import Study

RETRIES = 2
OnEvent = Callable[[str, Mapping[str, Any]], None]  # what happened, and what the log says of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a study asks for. seconds: of training, one run after the other. stored: keys that are there already."""

    runs: int
    stored: frozenset[str]
    seconds: Mapping[str, float]
    rest_s: float


def cost(study: Study, store: RunStore) -> Cost:
    """What is left to train of a study, and how long that will take here, one run after the other."""
    known = Library(store).runs()
    there = {run.key: run.parts for run in known if not run.outdated}
    stored = frozenset(
        key for key, (_, evidence) in study.runs.items() if key in there and (not evidence or "evidence" in there[key])
    )
    seconds = dict(zip(study.runs, estimates([config for config, _ in study.runs.values()], known), strict=True))
    rest = sum(value for key, value in seconds.items() if key not in stored)
    return Cost(runs=len(study.runs), stored=stored, seconds=seconds, rest_s=rest)


def carry_out(
    study: Study,
    store: RunStore,
    executor: Executor,
    *,
    retries: int = RETRIES,
    on_event: OnEvent = lambda what, entry: None,
) -> Status:
    """Carry out what a study lacks; how it stands then.

    retries:  how often a run that failed is tried again before it is given up; the others go on.
    on_event: hears "begun", "done", "retry" and "failed" as they are logged; before, how many are "done", "resumed".
    Raises:   StoreError if another process drives it, or its folder cannot be written. Its log says what became of
              each run; what stopped it before its end is in `Status.stopped`.
    """
    folder = StudyFolder(store, study.id)
    points = {point.key: point for point in study.points}

    def say(what: str, **entry: Any) -> None:
        folder.say(what=what, **entry)
        on_event(what, entry)

    with folder.driving(study, dict(cost(study, store).seconds)):
        before = folder.status()
        rows = folder.rows(study)
        folder.set_rows(study, rows)
        done = set(rows) | (before.done - set(points))
        for key in done - before.done:
            say("done", run=key, ending="stored")
        on_event("resumed", {"done": len(done)})
        wanted = [item for key, item in study.runs.items() if key not in done]

        def begun(_: int, __: int, config: RunConfig) -> None:
            say("begun", run=config.key)

        def retried(config: RunConfig, reason: str) -> None:
            say("retry", run=config.key, reason=reason)

        outcomes = each_outcome(wanted, store, executor, begun, retries=retries, on_retry=retried)
        try:
            for config, outcome in outcomes:
                key = config.key
                if outcome.ending not in ("trained", "stored") and not executor.alive():
                    say("stopped", why=outcome.reason or "It was cancelled.")
                    break
                try:
                    found = found_of(config, study.runs[key][1], outcome, store)
                    if isinstance(found, RunsFailed):
                        say("failed", run=key, reason=str(found))
                        continue
                    result, evidence = found
                    if key in points:
                        lines = rows_of(study, points[key], result, evidence or None)
                        folder.add_rows(study, lines)
                        rows[key] = lines
                    say("done", run=key, ending=outcome.ending, seconds=round(result.seconds, 3))
                except StoreError as error:
                    say("failed", run=key, reason=str(error))
                    if isinstance(error, DiskFull):
                        say("stopped", why=str(error))
                        break
        except KeyboardInterrupt:
            say("stopped", why="It was cancelled.")
            raise
        finally:
            outcomes.close()
        folder.set_rows(study, rows)
        if study.claims and not folder.status().failed:
            seeds, first = len(study.seeds), study.seeds[0]
            measured = run_claims(study.claims, seeds, store, first_seed=first)  # all of its runs are there
            folder.set_claims(content_of(measured, seeds, first_seed=first))
    return folder.status()
