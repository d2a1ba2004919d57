"""Measure the claims about unseen environments, one value a seed each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crl_core.config import FIRST_SEED
from crl_core.config.presets import preset
from crl_core.jobs.executors import Executor
from crl_core.runs.store import RunStore
from crl_core.studies.detection_rates import Power, Rate, Spec, run_power, specs

LAM, N = 1.0, 200
_TESTS = ("pooled", "residuals")
_MECHANISMS = (Spec("slope", -1.0), Spec("intercept", 0.5), Spec("effect", 1.0))
_CAUSE = (Spec("z-set", 1.0), Spec("z-shift", 0.5))


def measure_claims(
    ids: Sequence[str],
    seeds: int,
    store: RunStore,
    executor: Executor | None = None,
    first_seed: int = FIRST_SEED,
) -> dict[str, np.ndarray]:
    """[seeds] values of each claim of unseen_claims.toml. Raises as `run_power`."""
    four = run_power(
        "hospitals", store, seeds=seeds, first_seed=first_seed, lams=(LAM,), sizes=(N,), tests=_TESTS, executor=executor
    )
    if not any(row.lam == LAM for row in four.rows):  # its models diverged
        return {name: np.full(seeds, np.nan) for name in ids}
    two_world = preset("hospital").scenario
    middle = next(spec for spec in specs(two_world) if spec.intervention == "s-mean" and spec.seen)
    two = (
        run_power(
            "hospital",
            store,
            seeds=seeds,
            first_seed=first_seed,
            lams=(LAM,),
            sizes=(N,),
            tests=("pooled",),
            only=(middle,),
            executor=executor,
        )
        if "unseen-nuisance-two" in ids
        else None
    )
    seen = [spec for spec in specs(preset("hospitals").scenario) if spec.seen and spec.intervention != "none"]
    values = {
        "unseen-level": rates(four, Spec("none", 0.0), "pooled"),
        "unseen-cause": np.min([rates(four, spec, "pooled") for spec in _CAUSE], axis=0),
        "unseen-nuisance-four": np.mean([rates(four, spec, "pooled") for spec in seen], axis=0),
        "unseen-alarm-wrong": error_ratio(four, Spec("z-set", 1.0)),
        "unseen-silence-right": np.max([error_ratio(four, spec) for spec in silent(four)], axis=0),
        "unseen-residuals": np.min([rates(four, spec, "residuals") for spec in _MECHANISMS], axis=0),
        "unseen-dose": np.array(four.dose_correlation[f"{LAM:g}"]),
    }
    if two is not None:
        values["unseen-nuisance-two"] = rates(two, middle, "pooled")
    return {name: values[name] for name in ids}


def rate_of(power: Power, spec: Spec, test: str) -> Rate:
    return next(
        row
        for row in power.rows
        if (row.intervention, row.dose, row.test, row.lam, row.n) == (spec.intervention, spec.dose, test, LAM, N)
    )


def rates(power: Power, spec: Spec, test: str) -> np.ndarray:
    """Rejection rate of every seed."""
    return np.array(rate_of(power, spec, test).by_seed)


def error_ratio(power: Power, spec: Spec) -> np.ndarray:
    """True ITE RMSE of every seed under an intervention, over that of its unchanged rows."""
    row = rate_of(power, spec, "pooled")
    return np.asarray(np.array(row.errors_by_seed) / np.array(row.unchanged_by_seed))


def silent(power: Power) -> list[Spec]:
    """Interventions after which none of the tests alarms in half of the batches."""
    tried = dict.fromkeys((row.intervention, row.dose) for row in power.rows)
    found = [Spec(*what) for what in tried]
    return [spec for spec in found if not any(rate_of(power, spec, test).alarm for test in _TESTS)]
