"""What a step's shipped run, deployment or table says, as numbers by name: what answers and sentences of lessons use.

Of a run:         every metric of `crl_core.metrics` that it has, and r2_z and r2_s, at the λ in view: median over the
                  replicates, as the pages show it. first_…, last_…: at the ends of the path; …_env_1: in the first.
                  lam; best_lam, best_ite_rmse: of the oracle; blind_lam, blind_ite_rmse, blind_cost: of the λ with the
                  least held-out factual error; baseline_ite_rmse: of the best baseline.
Of a label:       …_percent right in the trial, in the next hospital and in a reversed one; ceiling_percent; of what is
                  said, flips_without_the_hum_percent: how much is another answer after that edit.
Of a deployment:  alarms, tests, error, usual.
Of a table:       effect, where it is known; outside_percent, auc, naive, least_squares, least_squares_treated;
                  word_…: 1 where that is the verdict.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from crl_core.config.presets import PRESETS
from crl_core.config.text import nearest_lam
from crl_core.data.tables.examples import EXAMPLES, load_example
from crl_core.data.tables.making import table_source
from crl_core.data.tables.source import forget
from crl_core.lessons.lesson import Step
from crl_core.measures.baselines import ranked
from crl_core.measures.edits import MOST_REPLICATES, edits_of, moved
from crl_core.measures.lam_choice import choices_of, cost_of
from crl_core.measures.prediction import prediction
from crl_core.measures.probes import better_r2
from crl_core.metrics import METRIC
from crl_core.results import RunResult, data_of
from crl_core.studies.deployed_view import deployment, scene_of
from crl_core.world.table_checks import look_at
from crl_core.world.table_verdict import table_verdict

Facts = Mapping[str, float]
Evidence = Mapping[str, np.ndarray] | None
Load = Callable[[str], tuple[RunResult, Evidence]]  # the run of a key, and its evidence
ROWS = 200  # of a deployment, as the page begins


def key_of(step: Step) -> str | None:
    """The key of a step's run; None of a table."""
    preset = step.set.get("preset")
    return None if preset is None else PRESETS[preset].config.key


def facts(step: Step, load: Load) -> Facts:
    """The facts of what a step has set. Raises as `load` does."""
    if (table := step.set.get("table")) is not None:
        return of_table(table)
    key = key_of(step)
    if key is None:
        return {}
    result, evidence = load(key)
    found = of_run(result, evidence, float(step.set.get("lam", 0.0)))
    if (what := step.set.get("what")) is not None:
        found |= of_deployment(result, found["lam"], what, float(step.set.get("dose", 0.0)))
    return found


def of_run(result: RunResult, evidence: Evidence, lam: float) -> dict[str, float]:
    """The facts of a run at the λ of its grid that is nearest."""
    at = result.lams.index(nearest_lam(result.lams, lam))
    found = {"lam": float(result.lams[at])}
    paths = {name: along(result, evidence, name) for name in (*METRIC, "r2_z", "r2_s")}
    for name, values in paths.items():
        if values is not None:
            found |= {name: values[at], f"first_{name}": values[0], f"last_{name}": values[-1]}
    for name in ("ite_rmse_by_env", "factual_mse_by_env"):
        values = getattr(result, name)
        if values is not None:
            medians = np.nanmedian(result.by_lam(values)[:, at], axis=0)
            found |= {f"{name.removesuffix('_by_env')}_env_{env}": each for env, each in enumerate(medians, 1)}
    if result.ite_rmse is not None:
        oracle, blind, *_ = choices_of(result, evidence)[0]
        for rule, name in (("best", "ite_rmse"), ("blind", "factual_mse")):
            if (path := paths[name]) is not None:
                found[f"{rule}_lam"] = float(result.lams[int(np.nanargmin(path))])
        found["best_ite_rmse"] = float(np.nanmedian(oracle.ite_rmse))
        found["blind_ite_rmse"] = float(np.nanmedian(blind.ite_rmse))
        found["blind_cost"] = cost_of(blind) or np.nan
        if best := ranked(evidence):
            found["baseline_ite_rmse"] = best[0].ite_rmse
    if result.config.source.two_outcomes:
        told = prediction(result)
        for place, values in told.accuracy.items():
            right = 100 * np.nanmedian(result.by_lam(values), axis=0)
            found |= {f"{place}_percent": right[at], f"first_{place}_percent": right[0]}
            found[f"best_{place}_percent"] = float(right.max())
        found["ceiling_percent"] = np.nan if told.ceiling is None else 100 * told.ceiling
        if "equations" in result.config.source.knows:
            replicates = range(min(result.config.training.replicates, MOST_REPLICATES))
            for edit in edits_of(result.config.scenario):
                flips = np.nanmedian([moved(result, edit, replicate).flips[at] for replicate in replicates])
                found[f"flips_{'_'.join(re.findall('[a-z]+', edit))}_percent"] = 100 * float(flips)
    return {name: float(value) for name, value in found.items()}


def along(result: RunResult, evidence: Evidence, name: str) -> np.ndarray | None:
    """The medians [L] over the replicates of a metric, or of r2_z and r2_s; None where there is none."""
    values: Any = None
    if name in ("r2_z", "r2_s"):
        if evidence is not None and f"{name}_ridge" in evidence:
            values = better_r2(evidence, name[-1])
    else:
        metric = METRIC[name]
        if {"result", "evidence", "derived"} & set(metric.kept):
            values = result.metric(metric, evidence)
    if values is None or not np.isfinite(values).any():
        return None
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nanmedian(result.by_lam(np.asarray(values, dtype=np.float64)), axis=0))


def of_deployment(result: RunResult, lam: float, what: str, dose: float) -> dict[str, float]:
    """How many tests alarm, and what is so, as the page says it of its first draw of rows."""
    found = deployment(scene_of(result, lam, data_of(result.config)[1]).model, what, dose, ROWS)
    numbers = {"alarms": found.alarms, "tests": len(found.report.findings), "error": found.error, "usual": found.usual}
    return {name: float(value) for name, value in numbers.items()}


def of_table(name: str) -> dict[str, float]:
    """What an example that comes with the program says of itself, before any training."""
    example = EXAMPLES[name]
    raw = load_example(name)[0]
    categories = frozenset(example.categories)
    source = table_source(raw, example.roles, treated=example.treated or "", label=example.title, categories=categories)
    look, rows = look_at(source, raw), source.all_rows()[0]
    forget(source.content)
    found = {
        "outside_percent": 100 * look.outside,
        "auc": look.auc,
        "naive": look.naive,
        "least_squares": look.least_squares,
        "least_squares_treated": look.least_squares_treated,
        "rows": source.n_rows,
    }
    if rows.ite is not None:
        found["effect"] = rows.ite.mean()
    word = table_verdict(source, look, measured_before=True).word
    return {key: float(value) for key, value in found.items()} | {f"word_{word.replace(' ', '_')}": 1.0}
