"""What was measured beforehand and comes with the program: methods, staircase and trade-off, read without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

FILE, VERSION = "identify.json", 1
Rows = Sequence[Mapping[str, Any]]


@cache
def shipped(folder: Path) -> Mapping[str, Any] | None:
    """{"version", "seeds", "worlds": {preset: rows}, "staircase": {E: rows}, "tradeoff": rows}; None if there is none
    that fits."""
    try:
        content: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return content if content["version"] == VERSION and content["worlds"] is not None else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def of_method(rows: Rows, method: str, name: str = "mcc") -> np.ndarray:
    """A score of every seed [S], NaN where there is none."""
    return np.array(
        [np.nan if row[name] is None else row[name] for row in rows if row["method"] == method],
        dtype=np.float64,
    )


def coordinates(rows: Rows, method: str = "flow") -> np.ndarray:
    """[S, d] scores of each coordinate of the seeds that have them."""
    return np.array([row["per_coordinate"] for row in rows if row["method"] == method and row["per_coordinate"]])
