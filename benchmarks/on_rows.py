"""The product on rows that a benchmark gives it, with an official split, say: one result for each of many data sets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch

from crl_core import metrics
from crl_core.config import RunConfig
from crl_core.config.run import MAX_MODELS
from crl_core.config.text import altered
from crl_core.data.scm import MultiEnvData
from crl_core.events import RunFinished
from crl_core.measures.average_effects import average_effects
from crl_core.measures.baselines import Rows, least_squares_per_arm
from crl_core.results import RunResult
from crl_core.training.path import train_path

Parts = tuple[MultiEnvData, MultiEnvData]  # training and held out


@contextmanager
def cpu_seconds() -> Iterator[Callable[[], float]]:
    """On one thread; what is yielded tells the CPU seconds of the process inside, once it is left."""
    threads, began = torch.get_num_threads(), time.process_time()
    spent = [0.0]
    torch.set_num_threads(1)
    try:
        yield lambda: spent[0]
    finally:
        spent[0] = time.process_time() - began
        torch.set_num_threads(threads)


def results_on(config: RunConfig, each: Sequence[Parts]) -> Iterator[RunResult]:
    """The run of `config` on each of some data sets, all of one size, in order.

    Replicates of several data sets make one run, so that networks are trained as many at once as in a run of
    `MAX_MODELS`; a data set's replicates are taken out of it as a result of their own. No two have the same seed.
    """
    refits, first = config.training.replicates, config.training.seed
    at_once = max(1, min(20, MAX_MODELS // len(config.training.lams)) // refits)
    for start in range(0, len(each), at_once):
        some = each[start : start + at_once]
        run = altered(config, replicates=refits * len(some), seed=first + start * refits)
        whole = finished(run, [parts for parts in some for _ in range(refits)])
        for place in range(len(some)):
            yield part_of(whole, place * refits, refits)


def finished(config: RunConfig, data: Sequence[Parts]) -> RunResult:
    """The result of `train_path` on rows for each replicate."""
    for event in train_path(config, data=data):
        if isinstance(event, RunFinished) and event.result is not None:
            return event.result
    raise RuntimeError("training ended without a result")


def part_of(result: RunResult, first: int, refits: int) -> RunResult:
    """Some of a result's replicates as a result of their own."""
    n_lams = len(result.lams)
    models = slice(first * n_lams, (first + refits) * n_lams)
    config = altered(result.config, replicates=refits, seed=result.config.training.seed + first)
    values: dict[str, Any] = {item.name: getattr(result, item.name) for item in fields(RunResult)}
    cut = {name: value[models] for name, value in values.items() if isinstance(value, np.ndarray)}
    return replace(
        result,
        **cut | {"replicate": result.replicate[models] - first},
        config=config,
        history={name: value[:, models] for name, value in result.history.items()},
        weights={name: value[models] for name, value in result.weights.items()},
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """What is found on one part of data sets whose effects are known: N data sets, R fits, L values of λ.

    one, one_ate:   ITE RMSE of each fit's own effects, and error of their mean, [N, R, L].
    mean, mean_ate: the same of the mean effect over fits, [N, L].
    own:            index of the λ that each fit's validation error chooses, [N, R].
    picked:         index of the one λ that `average_effects` chooses for all fits, [N].
    straight:       ITE RMSE of least squares per arm, [N].
    """

    one: np.ndarray
    one_ate: np.ndarray
    mean: np.ndarray
    mean_ate: np.ndarray
    own: np.ndarray
    picked: np.ndarray
    straight: np.ndarray

    @property
    def at_own(self) -> np.ndarray:
        """`one` of the first fit at its own λ, [N]."""
        return self.one[np.arange(len(self.one)), 0, self.own[:, 0]]

    @property
    def at_picked(self) -> np.ndarray:
        """`mean` at the picked λ, [N]."""
        return self.mean[np.arange(len(self.mean)), self.picked]


def judged(config: RunConfig, each: Sequence[Parts]) -> tuple[Judged, Judged]:
    """Train on each data set, and judge on its training rows and on its held-out rows."""
    found: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for parts, result in zip(each, results_on(config, each), strict=True):
        error = result.by_lam(result.factual_mse if result.validation_mse is None else result.validation_mse)
        for rows, into in zip(parts, found, strict=True):
            ite = effects_of(rows)
            refits = range(config.training.replicates)
            tau = np.stack([result.effects(rows.x, refit).astype(np.float64) for refit in refits])  # [R, L, n]
            of_mean = tau.mean(axis=0)
            straight = least_squares_per_arm(Rows(x=parts[0].x, t=parts[0].t, y=parts[0].y, at=rows.x, seed=0))
            into.append(
                {
                    "one": np.stack([metrics.ite_rmse(of_fit, ite) for of_fit in tau]),
                    "one_ate": np.abs(tau.mean(axis=-1) - ite.mean()),
                    "mean": metrics.ite_rmse(of_mean, ite),
                    "mean_ate": np.abs(of_mean.mean(axis=-1) - ite.mean()),
                    "own": error.argmin(axis=1),
                    "picked": average_effects(result, rows).picked,
                    "straight": metrics.ite_rmse((straight[1] - straight[0])[None], ite)[0],
                }
            )
    inside, outside = (Judged(**{name: np.stack([row[name] for row in rows]) for name in rows[0]}) for rows in found)
    return inside, outside


def effects_of(rows: MultiEnvData) -> np.ndarray:
    """The true effects, [n]."""
    if rows.ite is None:
        raise ValueError("the true effects of these rows are not known.")
    return rows.ite
