"""The environments study: what does another environment buy, with and without the penalty, and where does it not?

Sizes:    every training set has the same number of rows, whatever its number of environments E, so that a difference is
          due to the environments and not to more data.
Sets:     "inside": new environments lie between the first two; "range": they widen the range of s; "copies": they
          repeat the first two exactly. Each is judged on an environment that no network has seen, treated by the toss
          of a coin.
Left out: of the "inside" world with E environments each is left out in turn: train on E - 1, judge on the one left out.
          Not defined where the rest treats everyone or no one, since an arm then has no rows to learn from.
Seeds:    the replicates of a run; every training set of environments is one batched run over λ and seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from crl_core.config import FIRST_SEED, PER_ENV, RECIPE_VERSION, RunConfig, Scenario
from crl_core.config.presets import PRESETS, preset
from crl_core.config.text import altered, imagined
from crl_core.data.scm import MultiEnvData, Stream, aligned_groups, draw, rng_for
from crl_core.jobs.ensure_runs import Found, OnRun, ensure_runs
from crl_core.jobs.executors import Executor, Here
from crl_core.measures.cautions import cautions_of_runs, nothing_measured
from crl_core.metrics import factual_mse, generalisation_gap, ite_rmse
from crl_core.results import RunResult, mmd_rows, view_rows
from crl_core.runs.shipped import Shipped
from crl_core.runs.store import RunStore

LAMS = (0.0, 0.1, 1.0, 10.0)  # 0 and 1 are shown; the rest is for choosing λ
SHOWN = (0.0, 1.0)
SIZES = (2, 3, 4, 5)
SEEDS = 5
EPOCHS = 25  # about 1,500 steps; more changes little here
N_FRESH = 2000  # rows of an unseen environment
_MOST = 5  # environments in a set
_FRESH = 1_000_000  # added to a replicate's seed: rows of an unseen environment repeat no training row


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvSet:
    """A way to add environments. `steps` places those after the second: 1 and -1 are the first two, 0 is halfway."""

    id: str
    title: str
    sentence: str
    steps: tuple[float, float, float] | None  # None: as `Scenario.with_envs` places them
    unseen: float  # where the unseen environment lies, on the same scale


SETS: Mapping[str, EnvSet] = {
    item.id: item
    for item in (
        EnvSet(
            id="range",
            title="Wider range",
            sentence="New environments lie outside the first two; the unseen one lies beyond them all.",
            steps=(0.0, 2.0, -2.0),
            unseen=3.0,
        ),
        EnvSet(
            id="inside",
            title="Between the first two",
            sentence="New environments fill the gap between the first two; the unseen one lies in it.",
            steps=None,
            unseen=0.25,
        ),
        EnvSet(
            id="copies",
            title="Exact copies",
            sentence="New environments repeat the first two; the unseen one lies beyond, as for the wider range.",
            steps=(1.0, -1.0, 1.0),
            unseen=3.0,
        ),
    )
}


# -- scenarios ---------------------------------------------------------------------------------------------------------


def scenario_of(preset_id: str, set_id: str, n_envs: int) -> Scenario:
    """The preset's scenario with `n_envs` environments (2 to 5) of a set. Raises ValueError for an unknown preset."""
    two = _two(preset_id)
    grown, env_set = altered(two, n_envs=_MOST), SETS[set_id]
    if set_id == "copies":
        return pick(two, [k % 2 for k in range(n_envs)])
    if env_set.steps is not None:
        centre, half = _centre_and_half(two)
        grown = altered(grown, offset=two.offset + tuple(centre + half * step for step in env_set.steps))
    return pick(grown, range(n_envs))


def pick(scenario: Scenario, envs: Sequence[int]) -> Scenario:
    """The scenario with only the environments at `envs`, which may repeat; the number of rows stays."""
    return altered(scenario, **_picked(scenario, envs))


def _picked(scenario: Scenario, envs: Sequence[int]) -> dict[str, Any]:
    return {name: tuple(getattr(scenario, name)[e] for e in envs) for name in PER_ENV}


def _two(preset_id: str) -> Scenario:
    return altered(preset(preset_id).scenario, n_envs=2)


def unseen(preset_id: str, set_id: str) -> Scenario:
    """The environment that a set is judged on: a coin decides the treatment, σ is 0.5, the cause is as on average."""
    two = _two(preset_id)
    centre, half = _centre_and_half(two)
    reach = half if half else 2.0  # where the environments differ in noise alone, the unseen one is still elsewhere
    own = {
        "sigma": (0.5,),
        "offset": (centre + reach * SETS[set_id].unseen,),
        "propensity": (0.5,),
        "cause_mean": (float(np.mean(two.cause_mean)),),
        "cause_scale": (float(np.mean(two.cause_scale)),),
    }
    return altered(two, **(_picked(two, [0]) | own))


def _centre_and_half(two: Scenario) -> tuple[float, float]:
    first, second = two.offset
    return (first + second) / 2, (first - second) / 2


def fresh_rows(scenario: Scenario, seed: int) -> MultiEnvData:
    """Rows of a single environment that no network has seen, mixed as in the draw of `seed`.

    The mixing of latents into x, and which images were trained on, belong to the seed that the networks were trained
    with; the rows are drawn with another.
    """
    world = altered(scenario, n_samples=N_FRESH)
    return draw(world, np.zeros(N_FRESH, dtype=np.int64), rng_for(_FRESH + seed, Stream.DATA), seed)


def has_both_arms(scenario: Scenario) -> bool:
    """Whether treated and untreated units both occur."""
    return any(p > 0 for p in scenario.propensity) and any(p < 1 for p in scenario.propensity)


# -- the plan ----------------------------------------------------------------------------------------------------------


def config_of(preset_id: str, scenario: Scenario, seeds: int, epochs: int, first_seed: int = FIRST_SEED) -> RunConfig:
    return altered(preset(preset_id), scenario=scenario, lams=LAMS, replicates=seeds, epochs=epochs, seed=first_seed)


def left_out_scenarios(preset_id: str, n_envs: int) -> list[Scenario | None]:
    """For each environment of the "inside" scenario, the scenario without it; None where that lacks an arm, or has too
    few rows."""
    full = scenario_of(preset_id, "inside", n_envs)
    kept = [[k for k in range(n_envs) if k != left] for left in range(n_envs)]
    rest = [imagined(full, **_picked(full, envs)) for envs in kept]
    return [scenario if scenario is not None and has_both_arms(scenario) else None for scenario in rest]


def runs_of(
    preset_id: str, seeds: int = SEEDS, epochs: int = EPOCHS, first_seed: int = FIRST_SEED
) -> list[tuple[RunConfig, bool]]:
    """Every run of the study once, and for each whether its evidence is needed. Raises ValueError on bad input."""
    if preset_id not in PRESETS:
        raise ValueError(f"there is no preset {preset_id!r}; choose one of {', '.join(PRESETS)}.")
    if isinstance(seeds, bool) or not isinstance(seeds, int) or not 1 <= seeds <= 20:
        raise ValueError(f"seeds is {seeds!r}; it must be a whole number from 1 to 20.")
    wanted: dict[RunConfig, bool] = {}
    for n_envs in SIZES:
        wanted[config_of(preset_id, scenario_of(preset_id, "inside", n_envs), seeds, epochs, first_seed)] = True
    rest = [scenario_of(preset_id, name, n_envs) for n_envs in SIZES for name in SETS]
    rest += [item for n_envs in SIZES for item in left_out_scenarios(preset_id, n_envs) if item is not None]
    for scenario in rest:
        wanted.setdefault(config_of(preset_id, scenario, seeds, epochs, first_seed), False)
    return list(wanted.items())


# -- measuring ---------------------------------------------------------------------------------------------------------


SERIES = (
    *(f"unseen.{name}.{what}" for name in SETS for what in ("ite_rmse", "factual_mse")),
    *(f"seen.{name}.ite_rmse" for name in SETS),
    "left_out.ite_rmse",
    "left_out.factual_mse",
    "within.factual_mse",
    "within.gap_ite",
    "within.gap_factual",
    "within.knn_mixing",
    "within.domain_auc",
    "within.mmd2",
    "within.mmd2_unbiased",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnvironmentsStudy:
    """What was found. `series`: name -> [len(SIZES), seeds, len(LAMS)]; NaN where a value is not defined.

    unseen.<set>.ite_rmse, unseen.<set>.factual_mse      on the set's unseen environment
    seen.<set>.ite_rmse                                  held-out rows of the environments trained on
    left_out.ite_rmse, left_out.factual_mse              mean over the environments left out in turn
    within.factual_mse, within.gap_ite, within.gap_factual, within.knn_mixing, within.domain_auc, within.mmd2,
    within.mmd2_unbiased                                 of the "inside" runs; gaps are worst minus mean environment
    """

    preset_id: str
    seeds: int
    epochs: int
    series: Mapping[str, np.ndarray]
    folds: tuple[tuple[int, ...], ...]  # environments that could be left out, for each of SIZES
    first_seed: int = FIRST_SEED

    def at(self, name: str, lam: float) -> np.ndarray:
        """[len(SIZES), seeds] of a series at one λ."""
        return np.asarray(self.series[name][:, :, LAMS.index(lam)])

    def to_dict(self) -> dict[str, Any]:
        """As `environments --json` prints it."""
        return {
            "recipe_version": RECIPE_VERSION,
            "preset": self.preset_id,
            "seeds": self.seeds,
            "first_seed": self.first_seed,
            "epochs": self.epochs,
            "lams": list(LAMS),
            "environments": list(SIZES),
            "left_out": [list(fold) for fold in self.folds],
            "series": {name: values.tolist() for name, values in self.series.items()},
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> EnvironmentsStudy:
        """Inverse of `to_dict`, null for NaN. Raises ValueError if it is of another form."""
        try:
            if (tuple(content["lams"]), tuple(content["environments"])) != (LAMS, SIZES):
                raise ValueError("the stored study has other λ or sizes; run it again.")
            seeds, given = int(content["seeds"]), content["series"]
            series = {name: np.array(given[name], dtype=np.float64) for name in SERIES}
            if any(values.shape != (len(SIZES), seeds, len(LAMS)) for values in series.values()):
                raise ValueError("the stored study has series of another size; run it again.")
            return cls(
                preset_id=str(content["preset"]),
                seeds=seeds,
                epochs=int(content["epochs"]),
                series=series,
                folds=tuple(tuple(fold) for fold in content["left_out"]),
                first_seed=int(content.get("first_seed", 0)),  # of before there was a choice
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"the stored study is incomplete ({error}); run it again.") from None


def run_environments(
    preset_id: str,
    seeds: int,
    store: RunStore,
    executor: Executor | None = None,
    *,
    epochs: int = EPOCHS,
    first_seed: int = FIRST_SEED,
    on_run: OnRun | None = None,
) -> EnvironmentsStudy:
    """The study of a preset; runs that are stored are taken as they are.

    executor: trains the others; default here and now.
    Raises:   ValueError on bad input; RunsFailed or StoreError if a run cannot be made.
    """
    found = ensure_runs(runs_of(preset_id, seeds, epochs, first_seed), store, executor or Here(store), on_run)
    study = _measured(preset_id, seeds, epochs, {config.scenario: run for config, run in found.items()})
    return replace(study, first_seed=first_seed)


def _measured(preset_id: str, seeds: int, epochs: int, found: Mapping[Scenario, Found]) -> EnvironmentsStudy:
    columns: dict[str, list[np.ndarray]] = {}
    folds = []
    for n_envs in SIZES:
        row: dict[str, np.ndarray] = {}
        for name in SETS:
            run, _ = found[scenario_of(preset_id, name, n_envs)]
            effect, factual = errors_on(run, unseen(preset_id, name))
            row |= {f"unseen.{name}.ite_rmse": effect, f"unseen.{name}.factual_mse": factual}
            row[f"seen.{name}.ite_rmse"] = run.by_lam(run.ite_rmse)
        run, evidence = found[scenario_of(preset_id, "inside", n_envs)]
        row["within.factual_mse"] = run.by_lam(run.factual_mse)
        row["within.gap_ite"] = run.by_lam(_gap(run.ite_rmse_by_env))
        row["within.gap_factual"] = run.by_lam(_gap(run.factual_mse_by_env))
        row["within.mmd2"] = run.by_lam(run.mmd2)
        row["within.mmd2_unbiased"] = unbiased_mmd2(run)
        for name in ("knn_mixing", "domain_auc"):
            row[f"within.{name}"] = run.by_lam(evidence[name])
        full = scenario_of(preset_id, "inside", n_envs)
        judged = [
            (left, *errors_on(found[rest][0], pick(full, [left])))
            for left, rest in enumerate(left_out_scenarios(preset_id, n_envs))
            if rest is not None
        ]
        folds.append(tuple(left for left, _, _ in judged))
        nothing = np.full((seeds, len(LAMS)), np.nan)
        row["left_out.ite_rmse"] = np.mean([e for _, e, _ in judged], axis=0) if judged else nothing
        row["left_out.factual_mse"] = np.mean([f for _, _, f in judged], axis=0) if judged else nothing
        for name, values in row.items():
            columns.setdefault(name, []).append(values)
    series = {name: np.stack(values) for name, values in columns.items()}
    return EnvironmentsStudy(preset_id=preset_id, seeds=seeds, epochs=epochs, series=series, folds=tuple(folds))


def cautions_before(preset_id: str) -> tuple[str, ...]:
    """What the study of a preset lacks whatever is measured. Raises ValueError for a world that cannot be."""
    named = {f"{n} environments": scenario_of(preset_id, "inside", n) for n in SIZES}
    return cautions_of_runs({name: config_of(preset_id, scenario, 1, EPOCHS) for name, scenario in named.items()})


@lru_cache(maxsize=64)
def cautions(study: EnvironmentsStudy) -> tuple[str, ...]:
    """What a whole study lacks: see `cautions_before`; or no model of it is usable."""
    errors = [float(value) for name in SERIES if name.endswith("_mse") for value in study.series[name].flat]
    way = f"Train for more epochs than {study.epochs}, or study another preset."
    return (*cautions_before(study.preset_id), *nothing_measured("number of environments", errors, way))


def errors_on(run: RunResult, scenario: Scenario) -> tuple[np.ndarray, np.ndarray]:
    """ITE RMSE and factual MSE of every model on fresh rows of one environment, each [R, L].

    NaN: the model broke, or the true effects are not known.
    """
    effect, factual = [], []
    for replicate in range(run.config.training.replicates):
        rows = fresh_rows(scenario, run.config.training.seed + replicate)
        _, y0_hat, y1_hat = run.predict(rows.x, replicate)
        with np.errstate(invalid="ignore", over="ignore"):  # a diverged model's outcomes are not finite
            unknown = np.full(len(run.lams), np.nan)
            effect.append(unknown if rows.ite is None else ite_rmse(y1_hat - y0_hat, rows.ite))
            factual.append(factual_mse(y0_hat, y1_hat, rows.t, rows.y))
    return np.stack(effect), np.stack(factual)


BAKED = Shipped(study="environments", settings=("preset", "seeds", "epochs"), parse=EnvironmentsStudy.from_dict)


def baked_environments(folder: Path, preset_id: str) -> EnvironmentsStudy | None:
    """The shipped study; None if there is none of this preset that can be used."""
    study = BAKED.read(folder)
    return study if study is not None and study.preset_id == preset_id else None


def unbiased_mmd2(run: RunResult) -> np.ndarray:
    """Unbiased MMD² (U-statistic) between environments on the run's MMD rows, [R, L].

    May be below 0; NaN where a model broke.

    The biased estimate grows as the same rows are shared by more environments; this one can be compared between them.
    """
    from crl_core.measures.overlap import (
        gaussian_kernel,
        pairs_mmd2,
    )  # brings scikit-learn, which a page can do without

    n_lams = len(run.lams)
    values = np.full((run.config.training.replicates, n_lams), np.nan)
    for replicate in range(len(values)):
        rows = mmd_rows(view_rows(run.config, replicate))
        labels = np.unique(aligned_groups(rows, run.config.training.align), return_inverse=True)[1]
        phi = run.predict(rows.x, replicate)[0]
        for index in range(n_lams):
            if np.isfinite(phi[index]).all():
                values[replicate, index] = pairs_mmd2(gaussian_kernel(phi[index]), labels[None], unbiased=True)[0]
    return values


def _gap(by_env: np.ndarray | None) -> np.ndarray | None:
    """`generalisation_gap` [M, E] -> [M] that leaves NaN for a model without a number, in silence."""
    if by_env is None:
        return None
    known = np.isfinite(by_env).all(axis=1)
    gap = np.full(len(by_env), np.nan)
    gap[known] = generalisation_gap(by_env[known])
    return gap
