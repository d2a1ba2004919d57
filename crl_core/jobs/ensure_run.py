"""A run's result and evidence, from the store or trained now: what a pass over several runs is made of."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from crl_core.config import RunConfig
from crl_core.events import Event
from crl_core.jobs.carry_out import carry_out
from crl_core.results import RunResult
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunStore

Evidence = Mapping[str, np.ndarray]
Listener = Callable[[Event], None]


class PassFailed(RuntimeError):
    """A run of the pass could not be trained, through no fault of the input; one sentence."""


def obtain(
    config: RunConfig, store: RunStore, *, evidence: bool = False, listen: Listener | None = None
) -> tuple[RunResult, Evidence]:
    """The run, trained and stored if it is not there; its evidence, empty unless asked for.

    A run that another process has in hand is waited for.
    Raises: PassFailed, or StoreError if the store cannot be used.
    """
    parts = ("evidence",) if evidence else ()
    while True:
        outcome = carry_out(config, store, with_parts=parts, listen=listen)
        if outcome.ending in ("trained", "stored") and outcome.reason is None:
            result = outcome.result or store.load(config.key)
            found = store.part(config.key, "evidence") if evidence else {}
            if found is None:
                raise PassFailed(f"Run {config.key}, which comes with the program, has no evidence; bake it again.")
            return result, found
        if outcome.ending == "busy":
            while store.busy(config.key):
                time.sleep(0.2)
        elif isinstance(outcome.error, StoreError):
            raise outcome.error
        else:
            raise PassFailed(outcome.reason or "Someone cancelled it.")


def is_there(config: RunConfig, store: RunStore, *, evidence: bool = False) -> bool:
    """Whether `obtain` would train nothing, by the run's manifest alone."""
    summary = store.summary(config.key)
    return summary is not None and not summary.outdated and (not evidence or "evidence" in summary.parts)


def all_there(wanted: Sequence[tuple[RunConfig, bool]], store: RunStore) -> bool:
    """Whether every run of a pass is stored: (config, whether its evidence is needed)."""
    return all(is_there(config, store, evidence=evidence) for config, evidence in wanted)
