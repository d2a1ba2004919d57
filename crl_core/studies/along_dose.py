"""A trained model deployed along the doses of an intervention: whether a monitor notices, and how right the model is.

Alarm: the share of batches that a test alarms on, all replicates of a λ together.
Right: where there are effects, the true ITE RMSE; of a label that treatment has no part in, the share of rows that is
       right (`prediction.YES`), and AUC. Only who knows the outcomes of the new rows knows either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from crl_core.data.interventions import deploy, limits
from crl_core.data.scenario import Scenario
from crl_core.data.scm import MultiEnvData
from crl_core.measures import falsifiers
from crl_core.measures.prediction import judged
from crl_core.results import RunResult, predict
from crl_core.studies.deployed import BatchReport, Reference, batch_report, reference_of, true_error
from crl_core.studies.detection_rates import MONITOR

ROWS, DRAWS = 200, 6  # of a batch; batches of a dose and a replicate
_RIGHT_ROWS, _RIGHT_DRAW = 2000, 10_000
_TRIED: Mapping[str, tuple[float, ...]] = {
    "hum": (0.0, 0.5, 1.0, 2.0, 4.0),
    "highpass": (0.0, 0.05, 0.15, 0.5, 1.0),
    "notch": (0.0, 0.25, 0.5, 0.75, 1.0),
    "gain": (0.5, 0.75, 1.0, 1.5, 2.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlongDose:
    """doses: [D].  n: rows of a batch.  alarms: test -> share of batches, [D].  right: what is known of the model by
    the outcomes alone, "ite_rmse" or "accuracy" and "auc" -> median over replicates, [D]."""

    intervention: str
    lam: float
    doses: tuple[float, ...]
    n: int
    alarms: Mapping[str, tuple[float, ...]]
    right: Mapping[str, tuple[float, ...]]


def along_dose(
    run: RunResult,
    intervention: str,
    lam: float,
    *,
    doses: Sequence[float] | None = None,
    n: int = ROWS,
    draws: int = DRAWS,
    permutations: int = falsifiers.PERMUTATIONS,
) -> AlongDose:
    """Measured on every replicate of the λ nearest to `lam`.

    doses:  five that are usual for the intervention, if none are given.
    Raises: ValueError as `deploy`, or if a model diverged.
    """
    scenario = run.config.scenario
    tried = tuple(doses_of(scenario, intervention) if doses is None else doses)
    models = [reference_of(run, lam, replicate) for replicate in range(run.config.training.replicates)]
    alarms = np.zeros((len(MONITOR), len(tried)))
    right: dict[str, list[float]] = {}
    for at, dose in enumerate(tried):
        found = [rightness(model, _rows(model, r, intervention, dose)) for r, model in enumerate(models)]
        for name in found[0]:
            right.setdefault(name, []).append(float(np.median([item[name] for item in found])))
        for replicate, model in enumerate(models):
            for draw in range(draws):
                seed = run.config.training.seed + replicate
                batch = deploy(scenario, intervention, dose, n, seed, draw)
                rng = np.random.default_rng(np.random.SeedSequence([seed, 1_000_037, draw, at]))
                report = batch_report(
                    model, batch.x, rng, t=batch.t, y=batch.y, permutations=permutations, tests=MONITOR
                )
                alarms[:, at] += [bool(report.of(test).alarm) for test in MONITOR]
    shares = alarms / (draws * len(models))
    return AlongDose(
        intervention=intervention,
        lam=models[0].lam,
        doses=tried,
        n=n,
        alarms={test: tuple(shares[row].tolist()) for row, test in enumerate(MONITOR)},
        right={name: tuple(values) for name, values in right.items()},
    )


def doses_of(scenario: Scenario, intervention: str) -> tuple[float, ...]:
    """Five doses that are usual, or evenly spaced within the limits of this world."""
    low, high = limits(scenario, intervention)
    return _TRIED.get(intervention) or tuple(np.linspace(low, high, 5).tolist())


def rightness(model: Reference, rows: MultiEnvData) -> dict[str, float]:
    """How right a model is on deployed rows: {"ite_rmse"}, or {"accuracy", "auc"} of a label."""
    if not model.run.config.without_effect:
        return {"ite_rmse": true_error(model, rows)}
    _, y0_hat, y1_hat = (values[0] for values in predict(model.weights, rows.x))
    accuracy, auc = judged(np.where(rows.t == 1, y1_hat, y0_hat), rows.y)
    return {"accuracy": accuracy, "auc": auc}


def _rows(model: Reference, replicate: int, intervention: str, dose: float) -> MultiEnvData:
    """The rows that a model's rightness is measured on."""
    config = model.run.config
    return deploy(config.scenario, intervention, dose, _RIGHT_ROWS, config.training.seed + replicate, _RIGHT_DRAW)


# -- of a label, for a page --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelDeployed:
    """A batch after an intervention as the tests see it, and how right its labels are; and those of unchanged rows."""

    report: BatchReport
    here: Mapping[str, float]  # "accuracy", "auc"
    usual: Mapping[str, float]


def label_deployed(model: Reference, intervention: str, dose: float, n: int, draw: int = 0) -> LabelDeployed:
    """A batch of `n` labelled rows after an intervention; `draw` numbers the batches of a seed. Raises as `deploy`."""
    scenario, seed = model.run.config.scenario, model.run.config.training.seed
    batch = deploy(scenario, intervention, dose, n, seed, draw)
    return LabelDeployed(
        report=batch_report(model, batch.x, np.random.default_rng([seed, draw]), t=batch.t, y=batch.y),
        here=rightness(model, _rows(model, 0, intervention, dose)),
        usual=rightness(model, _rows(model, 0, "none", 0.0)),
    )
