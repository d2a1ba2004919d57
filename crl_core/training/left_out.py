"""Factual error in an environment that training did not see: each in turn is left out, and judged on all its rows.

Bounded: the first replicate, `LAMS` of the path's λ and half its epochs, at most `MOST` environments. With four
environments that is a sixth of a default run's training. Nobody's truth is used: an environment is left out where the
others have rows of both arms.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from crl_core.config.text import altered
from crl_core.data.scm import MultiEnvData, joined
from crl_core.events import EpochEnded, RunFinished
from crl_core.results import RunResult, data_of
from crl_core.training.path import train_path
from crl_core.training.threads import one_thread

LAMS, MOST = 5, 4
LEAST_ROWS = 10  # of each arm, in the environments that stay


def left_out_mse(
    result: RunResult,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> np.ndarray | None:
    """Mean over the environments left out of the factual MSE on their rows, [M]; None if asked to stop.

    NaN for the λ and replicates that are not trained, for one that diverged, and where no environment can be left out.
    progress(done, total) may raise to stop.
    """
    found = np.full(len(result.lam), np.nan)
    train, held_out = data_of(result.config)
    envs = leavable(train)
    if not envs:
        return found
    at = np.unique(np.linspace(0, len(result.lams) - 1, LAMS).round().astype(int))  # both ends, λ evenly along the path
    training = result.config.training
    epochs = max(1, training.epochs // 2)
    config = altered(
        result.config,
        lams=tuple(result.lams[i] for i in at),
        replicates=1,
        epochs=epochs,
        steps=training.steps and max(1, training.steps // 2),
    )
    errors = []
    with one_thread():  # so few models are no work for several, which would wait for each other
        for turn, env in enumerate(envs):
            rest, judged = train.rows(np.flatnonzero(train.env != env)), _of_env(train, held_out, env)
            for event in train_path(config, should_stop=should_stop, data=[(rest, judged)]):
                if isinstance(event, EpochEnded) and progress is not None:
                    progress(turn * epochs + event.epoch, len(envs) * epochs)
                elif isinstance(event, RunFinished) and event.result is not None:
                    errors.append(event.result.factual_mse)
            if len(errors) == turn:
                return None
    found[at] = np.mean(errors, axis=0)
    return found


def leavable(train: MultiEnvData) -> list[int]:
    """Of three or more environments, those without which both arms still have rows; `MOST` of them, evenly spread."""
    envs = np.unique(train.env)
    if len(envs) < 3:
        return []
    kept = [e for e in envs if np.bincount(train.t[train.env != e], minlength=2).min() >= LEAST_ROWS]
    return [int(kept[i]) for i in np.unique(np.linspace(0, len(kept) - 1, MOST).round().astype(int))] if kept else []


def _of_env(train: MultiEnvData, held_out: MultiEnvData, env: int) -> MultiEnvData:
    """All rows of an environment, of which none is trained on when it is left out."""
    return joined(*(part.rows(np.flatnonzero(part.env == env)) for part in (train, held_out)))
