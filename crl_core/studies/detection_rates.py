"""Detection rates: how often each falsifier alarms, by intervention, size and λ, beside how wrong effects are.

Models:  the preset's world trained at `LAMS` with one replicate a seed, 50 epochs; a run like any other, cached.
Wrong:   the true ITE RMSE under an intervention is more than `WRONG` times that of unchanged rows at the same λ.
Seen:    an intervention that leaves s within the span that training showed, and everything else alone; no alarm is due.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crl_core.config import FIRST_SEED, RECIPE_VERSION, RunConfig, Scenario
from crl_core.config.presets import PRESETS, preset
from crl_core.config.text import altered
from crl_core.data.interventions import EVERY, deploy, limits, offered
from crl_core.jobs.ensure_runs import ensure_runs
from crl_core.jobs.executors import Executor, Here
from crl_core.measures import falsifiers
from crl_core.measures.cautions import cautions_of_runs, nothing_measured
from crl_core.results import predict
from crl_core.runs.shipped import Shipped
from crl_core.runs.store import RunStore
from crl_core.studies.deployed import ALARM_TESTS, Reference, batch_report, reference_of, true_error

LAMS = (0.0, 0.3, 1.0)
SIZES = (100, 200, 500)
SEEDS, DRAWS = 5, 20
WRONG = 2.0
ALARMED = 0.5  # a test that alarms in more than half of the batches is said to alarm
S_DOSES = (2.0, 3.0, 4.0, 6.0, 8.0, 12.0)  # for dose curves; and the same to the left
# Latent MMD² for who comes, residuals for how outcomes come about: what a monitor acts on.
MONITOR = ("pooled", "residuals")
QUADRANTS = ("alarm and wrong", "silent and wrong", "alarm but right", "silent and right")
_DERIVED = ("ite_rmse", "ite_rmse_unchanged", "quadrant")  # in the JSON, for readers
_TRUTH_ROWS = 2000  # that a true error is measured on


@dataclass(frozen=True, slots=True)
class Spec:
    """An intervention at a dose; `seen`: the model met this kind of s in training, so that no alarm is due."""

    intervention: str
    dose: float
    seen: bool = False


def specs(scenario: Scenario) -> tuple[Spec, ...]:
    """The interventions tried on a scenario: none, sites and kinds of s that were seen, changes inside and outside."""
    offsets, known = scenario.offset, offered(scenario)
    middle = (max(offsets) + min(offsets)) / 2
    (lowest, highest), (_, widest) = limits(scenario, "s-mean"), limits(scenario, "s-scale")
    tried = (
        Spec("none", 0.0, seen=True),
        *(Spec("site", e + 1.0, seen=True) for e in range(scenario.n_envs)),
        Spec("s-mean", middle, seen=True),
        Spec("s-mean", (middle + max(offsets)) / 2, seen=True),
        Spec("s-mean", min(highest, max(offsets) + 4.0)),
        Spec("s-mean", max(lowest, min(offsets) - 4.0)),
        Spec("s-scale", min(widest, 4.0)),
        Spec("z-shift", 0.25),
        Spec("z-shift", 0.5),
        Spec("z-shift", -0.5),
        Spec("z-shift", 1.0),
        Spec("z-shift", 3.0),
        Spec("z-scale", 0.5),
        Spec("z-scale", 2.0),
        Spec("z-set", 0.0),
        Spec("z-set", 1.0),
        Spec("slope", -1.0),
        Spec("intercept", 0.5),
        Spec("effect", 1.0),
        Spec("effect-untreated", 1.0),
        Spec("policy", 0.5),
        Spec("hum", 0.0),
        Spec("hum", 4.0),
        Spec("highpass", 0.05),
        Spec("highpass", 0.5),
        Spec("notch", 1.0),
        Spec("gain", 0.75),
        Spec("gain", 1.5),
    )
    return tuple(spec for spec in tried if spec.intervention in known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often one test alarms after an intervention, at one size of batch and one λ.

    rejection_rate: share of `draws` batches that alarmed, over all seeds.
    """

    intervention: str
    dose: float
    seen: bool
    n: int
    lam: float
    test: str
    rejection_rate: float
    draws: int
    by_seed: tuple[float, ...]  # rejection rate of every seed
    errors_by_seed: tuple[float, ...]  # true ITE RMSE
    unchanged_by_seed: tuple[float, ...]  # of unchanged rows

    @property
    def ite_rmse(self) -> float:
        """Median over seeds."""
        return float(np.median(self.errors_by_seed))

    @property
    def ite_rmse_unchanged(self) -> float:
        return float(np.median(self.unchanged_by_seed))

    @property
    def wrong(self) -> bool:
        return self.ite_rmse > WRONG * self.ite_rmse_unchanged

    @property
    def alarm(self) -> bool:
        return self.rejection_rate > ALARMED

    @property
    def quadrant(self) -> str:
        return quadrant(self.alarm, self.wrong)


def quadrant(alarm: bool, wrong: bool) -> str:
    """Of `QUADRANTS`: does it alarm, and are the effects wrong?"""
    return ("alarm" if alarm else "silent") + (" and wrong" if wrong else " but right" if alarm else " and right")


Case = tuple[str, float]  # an intervention and its dose


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """All detection rates of a preset.

    dose_correlation: rank correlation of latent MMD² with the true error along doses of s, one a seed.
    """

    preset_id: str
    seeds: int
    rows: tuple[Rate, ...]
    dose_correlation: Mapping[str, tuple[float, ...]]  # λ as text -> one Spearman correlation a seed
    first_seed: int = FIRST_SEED

    def cases(self, lam: float, n: int) -> dict[Case, dict[str, Rate]]:
        """The rates of every case by test, at one λ and size of batch."""
        found: dict[Case, dict[str, Rate]] = {}
        for row in self.rows:
            if row.lam == lam and row.n == n:
                found.setdefault((row.intervention, row.dose), {})[row.test] = row
        return found

    def to_dict(self) -> dict[str, Any]:
        return {
            "recipe_version": RECIPE_VERSION,
            "preset": self.preset_id,
            "seeds": self.seeds,
            "first_seed": self.first_seed,
            "rows": [asdict(row) | {name: getattr(row, name) for name in _DERIVED} for row in self.rows],
            "dose_correlation": {lam: list(values) for lam, values in self.dose_correlation.items()},
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Power:
        """Inverse of `to_dict`. Raises ValueError if it is of another form."""
        try:
            tuples = ("by_seed", "errors_by_seed", "unchanged_by_seed")
            rows = tuple(
                Rate(
                    **{name: value for name, value in row.items() if name not in _DERIVED}
                    | {name: tuple(row[name]) for name in tuples}
                )
                for row in content["rows"]
            )
            curves = {lam: tuple(values) for lam, values in content["dose_correlation"].items()}
            return cls(
                preset_id=content["preset"],
                seeds=int(content["seeds"]),
                rows=rows,
                dose_correlation=curves,
                first_seed=int(content.get("first_seed", 0)),  # of before there was a choice
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"the stored power table is incomplete ({error}); measure it again.") from None


def by_quadrant(cases: Mapping[Case, Mapping[str, Rate]]) -> dict[str, list[Case]]:
    """The cases of each quadrant, as a monitor that acts on the louder of its tests meets them."""
    found: dict[str, list[Case]] = {name: [] for name in QUADRANTS}
    for case, by_test in cases.items():
        loudest = max((by_test[test] for test in MONITOR if test in by_test), key=lambda row: row.rejection_rate)
        found[loudest.quadrant].append(case)
    return found


def config_of(preset_id: str, seeds: int, epochs: int = 50, first_seed: int = FIRST_SEED) -> RunConfig:
    """The run whose models are tested. Raises ValueError on an unknown preset, one without effects, or a number of
    seeds that cannot be."""
    if preset_id not in PRESETS:
        raise ValueError(f"there is no preset {preset_id!r:.40}; choose one of {', '.join(PRESETS)}.")
    if isinstance(seeds, bool) or not isinstance(seeds, int) or not 1 <= seeds <= 20:
        raise ValueError(f"seeds is {seeds!r}; it must be a whole number from 1 to 20.")
    config = altered(preset(preset_id), lams=LAMS, replicates=seeds, epochs=epochs, seed=first_seed)
    if config.without_effect:
        raise ValueError(
            f"treatment has no part in the outcome of {preset_id}, so no effect can be wrong there; its page Unseen "
            "shows how often a label is right."
        )
    return config


def run_power(
    preset_id: str,
    store: RunStore,
    *,
    seeds: int = SEEDS,
    first_seed: int = FIRST_SEED,
    draws: int = DRAWS,
    epochs: int = 50,
    lams: Sequence[float] = LAMS,
    sizes: Sequence[int] = SIZES,
    only: Sequence[Spec] | None = None,
    tests: tuple[str, ...] = ALARM_TESTS,
    permutations: int = falsifiers.PERMUTATIONS,
    executor: Executor | None = None,
    on_spec: Callable[[int, int], None] | None = None,
) -> Power:
    """Measure the detection rates on a preset.

    executor: trains the run if it is not stored; default here and now.
    Raises:   ValueError on bad input; RunsFailed or StoreError if training fails.
    """
    config = config_of(preset_id, seeds, epochs, first_seed)
    run, _ = ensure_runs([(config, False)], store, executor or Here(store))[config]
    scenario = config.scenario
    tried = specs(scenario) if only is None else tuple(only)
    whole = np.isfinite(run.by_lam(run.factual_mse)).all(axis=0)  # [L]; a diverged model cannot be deployed
    lams = [lam for lam in lams if whole[run.lams.index(lam)]]
    seen_models = {(lam, r): reference_of(run, lam, r) for lam in lams for r in range(seeds)}
    unchanged = {lam: tuple(_error(seen_models[lam, r], Spec("none", 0.0), r) for r in range(seeds)) for lam in lams}
    rows = []
    for done, spec in enumerate(tried):
        if on_spec is not None:
            on_spec(done, len(tried))
        for lam in lams:
            errors = tuple(_error(seen_models[lam, r], spec, r) for r in range(seeds))
            for n in sizes:
                alarmed = np.array(
                    [_alarms(seen_models[lam, r], spec, n, draws, r, tests, permutations) for r in range(seeds)]
                )  # [seeds, draws, tests]
                rows += [
                    Rate(
                        intervention=spec.intervention,
                        dose=spec.dose,
                        seen=spec.seen,
                        n=n,
                        lam=lam,
                        test=test,
                        rejection_rate=float(alarmed[..., at].mean()),
                        draws=draws * seeds,
                        by_seed=tuple(alarmed[..., at].mean(axis=1).tolist()),
                        errors_by_seed=errors,
                        unchanged_by_seed=unchanged[lam],
                    )
                    for at, test in enumerate(tests)
                ]
    curves = {f"{lam:g}": tuple(_dose_correlation(seen_models[lam, r], r) for r in range(seeds)) for lam in lams}
    return Power(preset_id=preset_id, seeds=seeds, rows=tuple(rows), dose_correlation=curves, first_seed=first_seed)


def _seed(model: Reference, replicate: int) -> int:
    return model.run.config.training.seed + replicate


def _error(model: Reference, spec: Spec, replicate: int) -> float:
    scenario = model.run.config.scenario
    return true_error(
        model, deploy(scenario, spec.intervention, spec.dose, _TRUTH_ROWS, _seed(model, replicate), 999_983)
    )


def _alarms(
    model: Reference, spec: Spec, n: int, draws: int, replicate: int, tests: tuple[str, ...], permutations: int
) -> list[list[bool]]:
    found, scenario = [], model.run.config.scenario
    for draw in range(draws):
        seed = _seed(model, replicate)
        data = deploy(scenario, spec.intervention, spec.dose, n, seed, draw)
        rng = np.random.default_rng(np.random.SeedSequence([seed, 1_000_007, draw, n]))
        report = batch_report(model, data.x, rng, t=data.t, y=data.y, permutations=permutations, tests=tests)
        found.append([bool(report.of(test).alarm) for test in tests])
    return found


def _dose_correlation(model: Reference, replicate: int) -> float:
    """Spearman of latent MMD² with the true error over doses of s to one side and to the other; their mean."""
    from scipy.stats import spearmanr

    scenario, found = model.run.config.scenario, []
    for side in (1, -1):
        statistics, errors = [], []
        for dose in S_DOSES:
            data = deploy(scenario, "s-mean", side * dose, 500, _seed(model, replicate), 7)
            phi = predict(model.weights, data.x)[0][0]
            rng = np.random.default_rng(0)
            statistics.append(falsifiers.latent_test(phi, model.latents, rng, 1)[0])
            errors.append(true_error(model, data))
        found.append(float(spearmanr(statistics, errors).statistic))
    return float(np.mean(found))


def cautions(power: Power) -> tuple[str, ...]:
    """What the whole table lacks: nothing to learn or to compare in its world, or no model that can be deployed."""
    config = config_of(power.preset_id, power.seeds)
    errors = [value for row in power.rows for value in row.errors_by_seed]
    way = f"Train for more epochs than {config.training.epochs}, or take another preset."
    return (*cautions_of_runs({power.preset_id: config}), *nothing_measured("test", errors, way))


BAKED = Shipped(study="unseen", settings=("preset", "seeds"), parse=Power.from_dict)


def baked_power(folder: Path, preset_id: str) -> Power | None:
    """The shipped rates; None if there are none of this preset that can be used."""
    power = BAKED.read(folder)
    return power if power is not None and power.preset_id == preset_id else None


def name_of(intervention: str, dose: float) -> str:
    """An intervention at a dose in few words."""
    words = EVERY[intervention].at.format(d=f"{dose:g}").replace("+ -", "− ")
    return re.sub(r"-(?=\d)", "−", words)  # of a number, not of a word
