"""What alignment earns in each preset, against λ = 0 and against the best that anyone would try instead.

Seed:    one path of one replicate. λ is chosen without the truth: the largest whose held-out factual error is within
         twice the least. The best baseline is that with the least ITE RMSE in the seed, which only a simulation tells.
Rule:    compared are the medians of two ratios over the seeds: the ITE RMSE at the chosen λ over that at λ = 0, and
         over the best baseline's. One counts as lower where its 95 % interval lies below 1 and its median below .9,
         and as higher the other way round.
Labels:  where the outcome has two values, an error is the share of wrong labels in a next hospital, whose machine says
         nothing about the patient (`measures.prediction`), and baselines are those of `measures.label_baselines`.
Verdict: lower than both: helps. Than λ = 0 alone: helps the network, not you. Higher than λ = 0: hurts, and by a
         factor of three or more: destroys. Else: nothing to gain.
Seeds:   none below `FIRST_SEED` are reported on, since settings were chosen on those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from crl_core.config import RECIPE_VERSION, RunConfig
from crl_core.config.presets import PRESETS, Verdict
from crl_core.config.text import altered
from crl_core.events import finite
from crl_core.jobs.ensure_runs import Found, OnRun, ensure_runs
from crl_core.jobs.executors import Executor
from crl_core.measures.cautions import cautions_of_runs, nothing_measured
from crl_core.measures.label_baselines import wrong_in_next
from crl_core.measures.lam_choice import picked_by
from crl_core.measures.prediction import prediction
from crl_core.runs.shipped import Shipped
from crl_core.runs.store import RunStore
from crl_core.studies.claims import median_interval

RULE = "largest"  # of `measures.lam_choice`
SEEDS, FIRST_SEED = 10, 2000
LEAST_SEEDS = 5  # below it there is no verdict
WORTH = 0.9  # a median ratio nearer to 1 is no gain that anyone would notice
DESTROYS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Earned:
    """One preset's errors over seeds, each [S]; NaN where a rule picks nothing or no baseline can be fitted.

    baselines: the name of the best baseline of each seed, "" where there is none.
    """

    preset: str
    first_seed: int
    lam: np.ndarray  # that the rule picked
    at_zero: np.ndarray
    at_picked: np.ndarray
    at_best: np.ndarray  # least along λ, which only the truth tells
    of_baseline: np.ndarray
    baselines: tuple[str, ...]

    @property
    def seeds(self) -> int:
        return len(self.lam)

    def ratio(self, other: np.ndarray) -> tuple[float, float, float]:
        """Median and 95 % interval of the error at the chosen λ over another's, over the seeds where both are."""
        known = np.isfinite(self.at_picked) & np.isfinite(other)
        if known.sum() < LEAST_SEEDS:
            return np.nan, np.nan, np.nan
        ratios = self.at_picked[known] / other[known]
        return float(np.median(ratios)), *median_interval(ratios)

    @property
    def verdict(self) -> Verdict | None:
        """By the rule of the module; None where too few seeds have both figures."""
        against_zero, against_best = self.ratio(self.at_zero), self.ratio(self.of_baseline)
        if np.isnan(against_zero[0]):
            return None
        if _lower(*against_zero):
            return "helps" if _lower(*against_best) else "helps the network, not you"
        if _higher(*against_zero):
            return "destroys" if against_zero[0] >= DESTROYS else "hurts"
        return "nothing to gain"

    @property
    def medians(self) -> tuple[float, float, float]:
        """Of the error over the seeds in which it is known: at λ = 0, at the chosen λ, of the best baseline."""
        found = (values[np.isfinite(values)] for values in (self.at_zero, self.at_picked, self.of_baseline))
        zero, picked, best = (float(np.median(values)) if len(values) else np.nan for values in found)
        return zero, picked, best

    @property
    def usual_baseline(self) -> str:
        """The baseline that is the best one in most seeds."""
        return Counter(name for name in self.baselines if name).most_common(1)[0][0] if any(self.baselines) else ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "preset": self.preset,
            "first_seed": self.first_seed,
            "verdict": self.verdict,
            "baselines": list(self.baselines),
            **finite({name: getattr(self, name) for name in _COLUMNS}),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Earned:
        columns = {name: np.array(content[name], dtype=np.float64) for name in _COLUMNS}
        baselines = tuple(content["baselines"])
        if len({len(baselines), *(len(column) for column in columns.values())}) != 1:
            raise ValueError("columns of different lengths")
        return cls(preset=content["preset"], first_seed=content["first_seed"], baselines=baselines, **columns)


_COLUMNS = ("lam", "at_zero", "at_picked", "at_best", "of_baseline")


def _lower(median: float, _: float, high: float) -> bool:
    return median < WORTH and high < 1


def _higher(median: float, low: float, _: float) -> bool:
    return median > 1 / WORTH and low > 1


def config_of(preset: str, seeds: int, first_seed: int) -> RunConfig:
    """The run whose replicates are the seeds."""
    return altered(PRESETS[preset].config, replicates=seeds, seed=first_seed)


def measure(
    presets: Sequence[str],
    store: RunStore,
    executor: Executor,
    *,
    seeds: int = SEEDS,
    first_seed: int = FIRST_SEED,
    change: Callable[[RunConfig], RunConfig] = lambda config: config,
    on_run: OnRun | None = None,
) -> list[Earned]:
    """Each preset trained over the seeds, or taken from the store. change: of what every preset trains, for a test."""
    configs = {name: change(config_of(name, seeds, first_seed)) for name in presets}
    found = ensure_runs([(config, True) for config in configs.values()], store, executor, on_run)
    return [earned(name, config, found[config]) for name, config in configs.items()]


def earned(preset: str, config: RunConfig, found: Found) -> Earned:
    """What a run and its evidence tell, seed by seed."""
    result, evidence = found
    pick = picked_by(RULE, evidence)
    lams = np.array(result.lams)
    if config.without_effect:
        errors = result.by_lam(1 - prediction(result).accuracy["next"])
        by_seed = [wrong_in_next(config, seed) for seed in range(config.training.replicates)]
        known, all_names = np.array([list(one.values()) for one in by_seed]).T, list(by_seed[0])
    else:
        errors = result.by_lam(result.ite_rmse)
        known, all_names = evidence["baseline_ite_rmse"], [str(name) for name in evidence["baseline_names"]]
    known = np.where(np.isfinite(known), known, np.inf)  # [B, S]
    least = known.min(axis=0)
    names = [all_names[b] for b in known.argmin(axis=0)]
    rows = np.arange(len(errors))
    return Earned(
        preset=preset,
        first_seed=config.training.seed,
        lam=np.where(pick >= 0, lams[pick], np.nan),
        at_zero=errors[:, 0] if lams[0] == 0 else np.full(len(errors), np.nan),
        at_picked=np.where(pick >= 0, errors[rows, pick], np.nan),
        at_best=np.min(np.where(np.isfinite(errors), errors, np.inf), axis=1),
        of_baseline=np.where(np.isfinite(least), least, np.nan),
        baselines=tuple(name if np.isfinite(value) else "" for name, value in zip(names, least, strict=True)),
    )


@lru_cache(maxsize=64)
def in_words(item: Earned) -> str:
    """The figures behind a preset's verdict, in a sentence."""
    if item.verdict is None:
        return ""
    zero, picked, best = item.medians
    label = PRESETS[item.preset].config.without_effect
    what = "share of wrong labels in a next hospital" if label else "ITE RMSE"
    return (
        f"{what[0].upper()}{what[1:]} {picked:.2g} at the largest λ that predicts at most twice as badly as the best, "
        f"{zero:.2g} at λ = 0, {best:.2g} for the best of all baselines (mostly {item.usual_baseline}): medians over "
        f"{item.seeds} seeds that nothing was tuned on."
    )


def baked_verdicts(folder: Path) -> dict[str, Earned]:
    """What was measured on each preset, by its id; empty where nothing is shipped."""
    return {item.preset: item for item in BAKED.read(folder) or ()}


def cautions(measured: Sequence[Earned]) -> tuple[str, ...]:
    """What the measurement lacks as a whole, or of a preset."""
    configs = {item.preset: config_of(item.preset, item.seeds, item.first_seed) for item in measured}
    way = "Train it alone to see how it ends (python -m crl_core train --preset NAME)."
    empty = (nothing_measured(f"run of {item.preset}", item.at_picked, way) for item in measured)
    return (*cautions_of_runs(configs), *chain.from_iterable(empty))


def to_dict(measured: Sequence[Earned]) -> dict[str, Any]:
    """The JSON of `presets --measure`."""
    seeds = measured[0].seeds if measured else 0
    return {"recipe_version": RECIPE_VERSION, "seeds": seeds, "presets": [item.to_dict() for item in measured]}


def _parse(content: Mapping[str, Any]) -> tuple[Earned, ...]:
    return tuple(Earned.from_dict(item) for item in content["presets"])


BAKED = Shipped(study="presets", settings=("seeds",), parse=_parse)
