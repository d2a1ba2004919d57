"""A network without a penalty whose weight decay is chosen by held-out factual error: one more baseline of a run.

Trained like the path's own λ = 0, on the same rows, initial weights and batches, once for each of `DECAYS`; the path's
own λ = 0 is a candidate beside them. Chosen in each replicate, without the truth, on the rows that it is judged on, as
the rules that choose λ are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from crl_core.config import RunConfig
from crl_core.config.text import altered
from crl_core.events import OK, EpochEnded, RunFinished
from crl_core.metrics import kept_in
from crl_core.results import RunResult
from crl_core.training.path import train_path
from crl_core.training.threads import one_thread

DECAYS = (1e-2,)  # each costs a fifteenth of a default run; weaker ones are seldom picked before none
TOLD = 10  # times that progress is told of a training


def train_regularised(
    result: RunResult,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> dict[str, np.ndarray] | None:
    """The metrics of a baseline, the weight decay picked, and a reason where none could be, each [R].

    progress(done, total) may raise to stop; should_stop ends it within a few steps, with None.
    """
    training = result.config.training
    candidates = [result] if result.lams[0] == 0 else []
    decays = [training.weight_decay] if candidates else []
    missing = [decay for decay in DECAYS if decay not in decays]
    for index, decay in enumerate(missing):
        # at λ = 0 no penalty counts, whichever it is; MMD² of a fixed bandwidth is the cheapest, and allowed everywhere
        alone = altered(result.config, lams=(0.0,), weight_decay=decay, penalty="mmd", bandwidth=1.0)
        told = None if progress is None else partial(_shifted, progress, index * TOLD, len(missing) * TOLD)
        found = _trained(alone, told, should_stop)
        if found is None:
            return None
        candidates.append(found)
        decays.append(decay)
    return _picked(candidates, np.array(decays))


def _shifted(progress: Callable[[int, int], None], before: int, total: int, done: int) -> None:
    progress(before + done, total)


def _trained(
    config: RunConfig, told: Callable[[int], None] | None, should_stop: Callable[[], bool] | None
) -> RunResult | None:
    """The result of a config; None if asked to stop. told(parts of TOLD that are done)."""
    epochs = config.training.epochs
    with one_thread():  # so few models are no work for several, which would wait for each other
        for event in train_path(config, should_stop=should_stop):
            if isinstance(event, RunFinished):
                return event.result
            if told is not None and isinstance(event, EpochEnded):
                before, now = (TOLD * epoch // epochs for epoch in (event.epoch - 1, event.epoch))
                if now > before:
                    told(now)
    return None


def _picked(candidates: list[RunResult], decays: np.ndarray) -> dict[str, np.ndarray]:
    """Of each replicate, the usable candidate with the least factual error."""
    factual = np.stack([item.by_lam(item.factual_mse)[:, 0] for item in candidates])  # [C, R]
    usable = np.stack([item.by_lam(item.status)[:, 0] == OK for item in candidates])
    judged = np.where(usable & np.isfinite(factual), factual, np.inf)
    there, pick = np.isfinite(judged).any(axis=0), judged.argmin(axis=0)
    replicate = np.arange(factual.shape[1])
    found = {}
    for metric in kept_in("baseline"):
        values = np.stack([item.by_lam(item.metric(metric, None))[:, 0] for item in candidates])
        found[metric.name] = np.where(there, values[pick, replicate], np.nan)
    reason = "it collapsed or diverged at every weight decay"
    return found | {"weight_decay": np.where(there, decays[pick], np.nan), "reason": np.where(there, "", reason)}
