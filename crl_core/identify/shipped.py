"""What was measured beforehand and comes with the program: methods, staircase and trade-off, read without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crl_core.runs.shipped import Shipped

Recoveries = Sequence[Mapping[str, Any]]


def _parse(content: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: content[name] for name in ("seeds", "worlds", "staircase", "tradeoff")}


# The flows are no runs: their version is their own.
BAKED = Shipped(study="identify", settings=("seeds",), parse=_parse, version=1)


def shipped(folder: Path) -> Mapping[str, Any] | None:
    """The stored measurements of latent worlds; None if there are none that fit.

    Returns: {"seeds", "worlds": {preset: recoveries}, "staircase": {E: recoveries}, "tradeoff": entries}.
    """
    return BAKED.read(folder)


def of_method(rows: Recoveries, method: str, name: str = "mcc") -> np.ndarray:
    """A score of every seed [S], NaN where there is none."""
    return np.array(
        [np.nan if row[name] is None else row[name] for row in rows if row["method"] == method],
        dtype=np.float64,
    )


def coordinates(rows: Recoveries, method: str = "flow") -> np.ndarray:
    """[S, d] scores of each coordinate of the seeds that have them."""
    return np.array([row["per_coordinate"] for row in rows if row["method"] == method and row["per_coordinate"]])


def agreement(rows: Recoveries, method: str) -> str:
    """What a method's fits agree by, the median over seeds; a dash where it was not measured or there is one fit.

    Fits on other rows count before restarts. Answers that were measured before agreement was have none.
    """
    for name in ("rows_agree", "restarts_agree"):
        known = [row[name] for row in rows if row["method"] == method and row.get(name) is not None]
        if known:
            return f"{np.median(known):.3f}"
    return "–"
