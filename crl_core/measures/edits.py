"""What a network takes from the machine: the same rows recorded otherwise, and how far its answers move.

Edit:   rows keep their label, z, t, s, y and every random draw of their recording; only the recorder is another one, so
        that a row before and a row after differ by the machine alone, and pair one to one.
Answer: the effect τ̂ where the outcome is a number; where it is yes or no, ŷ under the treatment received.
Limits: an answer that does not move may still be wrong, and one that moves may have been: a network that gives every
        trace the same answer is moved by nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from crl_core.config import RunConfig, Scenario
from crl_core.data.scm import Change, MultiEnvData, machine_of
from crl_core.results import RunResult, data_of

Edit = Literal[
    "without the hum", "through the other hospital's machine", "without the lamp", "with the lamp turned over"
]
EDITS: tuple[Edit, ...] = ("without the hum", "through the other hospital's machine")  # of a trace
OF_IMAGES: tuple[Edit, ...] = ("without the lamp", "with the lamp turned over")
YES = 0.5  # ŷ above it is a yes
MOST_REPLICATES = 3  # whose rows are recorded again for a picture: each is a draw of the whole world


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moved:
    """Answers of one replicate's models on its held-out rows, before and after an edit, [L, n]; NaN where a model
    diverged."""

    before: np.ndarray
    after: np.ndarray
    label: bool  # the answer is ŷ of a label, not an effect

    @property
    def change(self) -> np.ndarray:
        return np.asarray(self.after - self.before)

    @property
    def mean(self) -> np.ndarray:
        """Mean change over rows, [L]."""
        return np.asarray(self.change.mean(axis=1))

    @property
    def rms(self) -> np.ndarray:
        """Root mean square of the change over rows, [L], in the unit of the outcome."""
        return np.asarray(np.sqrt(np.mean(np.square(self.change), axis=1)))

    @property
    def sd(self) -> np.ndarray:
        """Standard deviation of the change over rows, [L]: what of it is not the same for all."""
        return np.asarray(self.change.std(axis=1))

    @property
    def flips(self) -> np.ndarray:
        """Share of rows whose label, ŷ > .5, is another one, [L]; NaN for a diverged model."""
        known = np.isfinite(self.change).all(axis=1)
        return np.where(known, ((self.before > YES) != (self.after > YES)).mean(axis=1), np.nan)

    @property
    def size(self) -> np.ndarray:
        """The one number of an edit, [L]: `flips` of a label, `rms` of an effect."""
        return self.flips if self.label else self.rms


def edits_of(scenario: Scenario) -> tuple[Edit, ...]:
    """The edits that a world's rows can be recorded with; none where x is covariates."""
    return {"ecg": EDITS, "digits": OF_IMAGES}.get(scenario.observation, ())


def recorded(scenario: Scenario, edit: Edit) -> Change:
    """The edit as a change of what `scm.sample` draws.

    The other hospital is the next environment, of the last the first.
    Raises: ValueError where x is no trace and no image, or there is no such edit.
    """
    known = edits_of(scenario)
    if not known:
        raise ValueError(
            "x is no trace and no image here, so there is nothing to record again; use scenario.observation=ecg, or "
            "digits."
        )
    if edit not in known:
        raise ValueError(f"the edit is {edit}; it must be one of {', '.join(known)}.")
    return Change(machine=_MACHINES[edit](scenario))


def _of_the_next(scenario: Scenario) -> Callable[[Any], Any]:
    env = np.repeat(np.arange(scenario.n_envs), scenario.env_sizes)
    others = machine_of(scenario, (env + 1) % scenario.n_envs)
    return lambda _: others


# What becomes of a world's machine.
_MACHINES: Mapping[Edit, Callable[[Scenario], Callable[[Any], Any]]] = {
    "without the hum": lambda scenario: lambda machine: replace(machine, hum_mv=0.0),
    "through the other hospital's machine": _of_the_next,
    "without the lamp": lambda scenario: lambda machine: replace(machine, light=0.0),
    "with the lamp turned over": lambda scenario: lambda machine: replace(machine, light=-machine.light),
}


def edited(config: RunConfig, edit: Edit, replicate: int = 0) -> MultiEnvData:
    """The held-out rows of a replicate as the edit has them recorded; all but x is that of `results.data_of`.

    Raises: as `recorded`; ValueError for rows of a table.
    """
    if config.table is not None:
        raise ValueError("the rows come from a table, whose rows nobody can record again; use a simulated world.")
    change = recorded(config.scenario, edit)
    return config.scenario.rows(config.training.seed + replicate, change)[1]


def moved(result: RunResult, edit: Edit, replicate: int = 0) -> Moved:
    """How far an edit moves the answers of a replicate's models. Raises as `edited`."""
    after = edited(result.config, edit, replicate)
    before = data_of(result.config, replicate)[1]
    return Moved(
        before=answers(result, before, replicate),
        after=answers(result, after, replicate),
        label=result.config.source.two_outcomes,
    )


def answers(result: RunResult, rows: MultiEnvData, replicate: int = 0) -> np.ndarray:
    """What a replicate's models answer for rows, [L, n] float64: τ̂, or ŷ under the treatment received of a label."""
    y0_hat, y1_hat = (arm.astype(np.float64) for arm in result.outcomes(rows.x, replicate))
    if result.config.source.two_outcomes:
        found = np.where(rows.t == 1, y1_hat, y0_hat)
    else:
        with np.errstate(invalid="ignore", over="ignore"):  # of a diverged model
            found = y1_hat - y0_hat
    known = np.isfinite(found).all(axis=1, keepdims=True)
    return np.where(known, found, np.nan)
