"""Penalties side by side: each along its own λ path, on the same data, seeds, initial weights and minibatches.

λ of different penalties are not comparable, so each is judged at its own best λ (which needs the truth), at the λ of least
held-out factual error (which does not), and at λ = 0, where all are the same network. Every penalty is a run like any other: stored,
and taken from the store when it is there; so a study that was left goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crl_core.compare import Difference, difference
from crl_core.config import RunConfig
from crl_core.events import OK, Event
from crl_core.lam_choice import choices
from crl_core.obtain import obtain
from crl_core.penalty_words import PENALTY_WORDS
from crl_core.presets import PRESETS, preset
from crl_core.results import RunResult
from crl_core.runs import RunStore

Array = np.ndarray
EPOCHS, SEEDS = 20, 3
OnRun = Callable[[int, int, RunConfig], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contestant:
    """One penalty. ITE RMSE of every seed [R] at the three λ; a diverged model counts as infinitely wrong.

    problem: why it could not be judged, empty if it was.
    """

    penalty: str
    config: RunConfig
    best_lams: tuple[float, ...]  # of every seed, by the truth
    blind_lams: tuple[float, ...]  # of every seed, by held-out factual error
    at_best: Array
    at_blind: Array
    at_zero: Array
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "penalty": self.penalty,
            "key": self.config.key,
            "best_lams": list(self.best_lams),
            "blind_lams": list(self.blind_lams),
            **{name: getattr(self, name).tolist() for name in ("at_best", "at_blind", "at_zero")},
            "problem": self.problem,
        }


def configs_of(
    preset_id: str, penalties: Sequence[str] = (), seeds: int = SEEDS, epochs: int = EPOCHS
) -> dict[str, RunConfig]:
    """The run of each penalty, all of them if none is named.

    Raises: ValueError for an unknown preset or penalty, or a world in which no penalty has anything to compare.
    """
    if preset_id not in PRESETS:
        raise ValueError(f"there is no preset {preset_id!r:.40}; choose one of {', '.join(PRESETS)}.")
    unknown = [name for name in penalties if name not in PENALTY_WORDS]
    if unknown:
        raise ValueError(
            f"there is no penalty {', '.join(unknown)}; the penalties are {', '.join(PENALTY_WORDS)}."
        )
    base = preset(preset_id)
    if base.scenario.n_envs < 2 and base.training.align == "environment":
        raise ValueError(
            f"{preset_id} has one environment, so no penalty has anything to compare; use two or more."
        )
    return {
        name: replace(base, training=replace(base.training, penalty=name, replicates=seeds, epochs=epochs))  # type: ignore[arg-type]
        for name in (penalties or PENALTY_WORDS)
    }


def run_penalties(
    configs: dict[str, RunConfig],
    store: RunStore,
    listen: Callable[[Event], None] | None = None,
    on_run: OnRun | None = None,
) -> list[Contestant]:
    """Every penalty judged, in the given order. Raises PassFailed or StoreError if a run cannot be made."""
    found = []
    for done, (name, config) in enumerate(configs.items()):
        if on_run is not None:
            on_run(done, len(configs), config)
        run, _ = obtain(config, store, listen=listen)
        found.append(judged(name, run))
    return found


def judged(name: str, run: RunResult) -> Contestant:
    """A trained path at its own best λ, at the blind choice, and at λ = 0."""
    assert run.ite_rmse is not None, "penalties are compared on worlds whose truth is known"
    usable = run.by_lam(run.status) == OK
    error = np.where(usable, run.by_lam(run.ite_rmse), np.inf)
    factual = np.where(usable, run.by_lam(run.factual_mse), np.nan)
    oracle, blind = choices(np.where(usable, error, np.nan), factual)[:2]
    rows = np.arange(len(error))

    def at(index: Array) -> Array:
        return np.where(index >= 0, error[rows, np.maximum(index, 0)], np.inf)

    def lams(index: Array) -> tuple[float, ...]:
        return tuple(run.lams[place] if place >= 0 else float("nan") for place in index)

    broken = int((~usable).sum())
    problem = "" if usable.any() else "no λ left a usable model; use smaller weights"
    return Contestant(
        penalty=name, config=run.config, best_lams=lams(oracle.index), blind_lams=lams(blind.index), at_best=at(oracle.index),
        at_blind=at(blind.index), at_zero=error[:, 0], problem=problem or (f"{broken} models broke" if broken else ""),
    )  # fmt: skip


def against(a: Contestant, b: Contestant, where: str) -> Difference:
    """Mean of b's ITE RMSE minus a's, paired by seed, with its bootstrap interval; seeds in which a model broke are left out.

    where: at_best, at_blind or at_zero.
    """
    seeds = a.config.training.seed + np.arange(len(a.at_best))
    first, second = (np.where(np.isfinite(v), v, np.nan) for v in (getattr(a, where), getattr(b, where)))
    return difference(first, second, seeds, seeds, pair=True)
