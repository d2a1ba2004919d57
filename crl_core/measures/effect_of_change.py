"""What a change of settings did to a run's error, in one sentence made by a rule.

Compared: the medians over replicates at the least λ of both, usually 0, and at the λ where each run's median is least.
Rule:     an error fell or rose where the replicates' ranges do not overlap; else no clear change is seen. A single
          replicate has no range: its numbers are said, and nothing is concluded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crl_core.events import DIVERGED
from crl_core.metrics import METRIC
from crl_core.results import RunResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """An error before and after: the median over replicates, and whether their ranges leave no doubt."""

    before: float
    after: float
    clear: bool
    told: bool  # there are replicates on both sides, so that a range can be had

    @property
    def words(self) -> str:
        numbers = f"{self.before:.2g} → {self.after:.2g}"
        if not self.told:
            return f"{numbers}, of single replicates"
        way = "fell" if self.after < self.before else "rose"
        return f"{way}, {numbers}" if self.clear else f"no clear change, {numbers}"


def metric_of(before: RunResult, after: RunResult) -> str:
    """Name of the error that both runs have: the effects' where it is known, else the outcomes'."""
    return "ite_rmse" if before.ite_rmse is not None and after.ite_rmse is not None else "factual_mse"


def move_at_least_lam(before: RunResult, after: RunResult, name: str) -> tuple[float, Move] | None:
    """At the least λ that both runs have trained; None where there is none, or no replicate has a number."""
    shared = sorted(set(before.lams) & set(after.lams))
    if not shared:
        return None
    found = _move(_at(before, name, shared[0]), _at(after, name, shared[0]))
    return None if found is None else (shared[0], found)


def move_at_best(before: RunResult, after: RunResult, name: str) -> Move | None:
    """Each run at the λ where its own median is least; None where a run has no number."""
    return _move(_at(before, name, _best(before, name)), _at(after, name, _best(after, name)))


def said(before: RunResult, after: RunResult) -> str:
    """The sentence; empty where nothing can be compared."""
    name = metric_of(before, after)
    word, parts = METRIC[name].word, []
    if (first := move_at_least_lam(before, after, name)) is not None:
        parts.append(f"at λ = {first[0]:g} {first[1].words}")
    if (best := move_at_best(before, after, name)) is not None:
        parts.append(f"at each run's best λ {best.words}")
    return f"{word[:1].upper()}{word[1:]}: {'; '.join(parts)}." if parts else ""


def medians(result: RunResult, name: str) -> np.ndarray | None:
    """Over the replicates that have a number, [L], NaN where there are none; None where the run has no such number."""
    values = _values(result, name)
    return None if values is None else np.array([np.median(of) if len(of) else np.nan for of in map(_known, values.T)])


def _values(result: RunResult, name: str) -> np.ndarray | None:
    """[R, L], NaN where a model has diverged."""
    values = result.metric(METRIC[name], None)
    if values is None:
        return None
    values = np.where(result.status == DIVERGED, np.nan, np.asarray(values, dtype=np.float64))
    return result.by_lam(values)


def _known(values: np.ndarray) -> np.ndarray:
    return np.asarray(values[np.isfinite(values)])


def _at(result: RunResult, name: str, lam: float | None) -> np.ndarray:
    """The replicates' numbers at a λ."""
    values = _values(result, name)
    return np.empty(0) if values is None or lam is None else _known(values[:, result.lams.index(lam)])


def _best(result: RunResult, name: str) -> float | None:
    found = medians(result, name)
    return None if found is None or not np.isfinite(found).any() else result.lams[int(np.nanargmin(found))]


def _move(before: np.ndarray, after: np.ndarray) -> Move | None:
    if not len(before) or not len(after):
        return None
    return Move(
        before=float(np.median(before)),
        after=float(np.median(after)),
        clear=bool(before.max() < after.min() or after.max() < before.min()),
        told=len(before) > 1 and len(after) > 1,
    )
