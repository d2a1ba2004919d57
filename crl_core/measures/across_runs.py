"""One number a run, where runs of different λ grids and penalties stand side by side: at which λ it is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from crl_core.measures.lam_choice import least

Where = Literal["least", "zero", "blind"]
WHERE_WORDS: Mapping[Where, str] = {
    "least": "least over λ",
    "zero": "at λ = 0",
    "blind": "label-free λ",
}


def lam_index(where: Where, values: np.ndarray, factual: np.ndarray, lams: Sequence[float]) -> int | None:
    """The λ of a run's grid at which a figure is taken, one for all replicates; None where there is none.

    least: of the figure's own median over replicates, so that it needs whatever the figure needs.
    zero:  the network without the penalty.
    blind: of the held-out factual error's median, which a user has without knowing any effect.
    values, factual: [R, L]; a λ where a replicate has no number is not chosen.
    """
    if where == "zero":
        return 0 if len(lams) and lams[0] == 0 else None
    grid = np.asarray(values if where == "least" else factual, dtype=np.float64)
    if grid.size == 0:
        return None
    whole = np.isfinite(grid).all(axis=0)
    medians = np.where(whole, np.median(np.where(np.isfinite(grid), grid, 0.0), axis=0), np.nan)
    index = int(least(medians[None, :])[0])
    return index if index >= 0 else None


def at_lam(where: Where, values: np.ndarray, factual: np.ndarray, lams: Sequence[float]) -> np.ndarray:
    """A figure [R, L] at `lam_index`, one value a replicate, [R]; NaN where there is no such λ."""
    index = lam_index(where, values, factual, lams)
    return np.full(len(values), np.nan) if index is None else np.asarray(values[:, index], dtype=np.float64)
