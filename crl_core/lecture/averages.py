"""Average effects along λ as the lecture shows them of a table, where a map of the truth cannot be.

Rows:   all of the table's, not those in view: a lecture says of averages what the other pages say.
Values: means over the fits, as everywhere where nobody knows the true effects; bands are their ranges.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crl_core.config import RunConfig
from crl_core.data.scm import joined
from crl_core.events import finite
from crl_core.figures.average_effects import LEAST_SQUARES, LEAST_SQUARES_TREATED, NAIVE
from crl_core.measures.average_effects import AverageEffects, AverageLevels, average_effects, average_levels
from crl_core.results import RunResult, data_of

Averages = tuple[AverageEffects, AverageLevels]


def averages_of(result: RunResult) -> Averages | None:
    """Average effects of a table's rows along λ and what is said without a network; None of a simulated world.

    Raises: TableMissing where the rows are not here.
    """
    if result.config.table is None:
        return None
    rows = joined(*data_of(result.config))
    return average_effects(result, rows), average_levels(rows)


def average_view(found: Averages) -> dict[str, Any]:
    """What the view draws, as JSON: both averages with their bands, levels, and the index of the chosen λ."""
    along, levels = found
    of_treated = [_level(LEAST_SQUARES_TREATED, levels.least_squares_treated)]
    return {
        "ate": _spread(along.ate),
        "att": _spread(along.att),
        "levels": _levels(levels) + of_treated,
        "picked": along.picked,
    }


def average_so_far(ate: np.ndarray, levels: AverageLevels | None) -> dict[str, Any]:
    """The same of a run under way, by its last look, where the treated have no average of their own.

    ate: of held-out rows, [R, L].
    """
    return {"ate": _spread(ate), "att": None, "levels": [] if levels is None else _levels(levels), "picked": None}


def average_caption(config: RunConfig, *, trained: bool) -> dict[str, str]:
    """Title and caption of the view."""
    several = f"mean of {config.training.replicates} fits" if config.training.replicates > 1 else "one fit"
    says = (
        f"{several}, all rows; thin: the treated; dashed: without a network" if trained else f"{several}, held-out rows"
    )
    return {"title": "Average effect along λ", "caption": says}


def average_numbers(found: Averages) -> list[dict[str, float]]:
    """The numbers that texts may speak of, for each λ. nearer_naive: 1 where the average effect is nearer to the
    difference in means than to least squares per arm."""
    along, levels = found
    ate = np.array(_means(along.ate))
    nearer = np.abs(ate - levels.naive) < np.abs(ate - levels.least_squares)
    shared = {"averages": 1.0, "naive": levels.naive, "least_squares": levels.least_squares}
    shared |= {"first_ate": float(ate[0]), "first_nearer_naive": float(nearer[0])}
    return [
        shared | {"ate": float(value), "nearer_naive": float(near), "chosen": float(at == along.picked)}
        for at, (value, near) in enumerate(zip(ate, nearer, strict=True))
    ]


def _levels(levels: AverageLevels) -> list[dict[str, Any]]:
    return [_level(NAIVE, levels.naive), _level(LEAST_SQUARES, levels.least_squares)]


def _level(name: str, value: float) -> dict[str, Any]:
    return {"name": name, "value": finite(value)}


def _spread(values: np.ndarray) -> dict[str, Any]:
    known = np.isfinite(values)
    low, high = np.where(known, values, np.inf).min(axis=0), np.where(known, values, -np.inf).max(axis=0)
    return {"value": finite(_means(values)), "low": finite(low.tolist()), "high": finite(high.tolist())}


def _means(values: np.ndarray) -> Sequence[float]:
    """Over the fits that have a number, [L]; NaN where none has."""
    known = np.isfinite(values)
    total, n = np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan).tolist()  # type: ignore[no-any-return]
