"""The answer to rows: what the endpoint says of them, and what its monitor begins with; without a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crl_core.export.model_file import Model, Outputs
from crl_core.serve.monitor import WARMING_UP
from crl_core.serve.settings import MOST_ABS


def effects_of(model: Model, x: np.ndarray) -> tuple[dict[str, Any], Outputs]:
    """Outcomes and effects of rows x [n, d] float32, as JSON, with the inputs outside of what training saw; and what
    the model gave.

    Raises: ValueError where the model has no finite effect.
    """
    y0, y1, phi = model.run(x)
    if not (np.isfinite(y0).all() and np.isfinite(y1).all() and np.isfinite(phi).all()):
        raise ValueError("the model has no finite effect for these rows; keep features near its training ranges.")
    said = {
        "y0": y0.tolist(),
        "y1": y1.tolist(),
        "ite": (y1 - y0).tolist(),
        "lam": model.lam,
        "model": model.name,
        "outside_range": outside_range(model, x),
    }
    return said, (y0, y1, phi)


def outside_range(model: Model, x: np.ndarray) -> list[list[str]]:
    """Of each row of x [n, d], which inputs lie outside of what training saw (of a table: outside of 98 % of it)."""
    low, high = (np.array([item[end] for item in model.metadata["features"]], np.float32) for end in ("low", "high"))
    return [[model.features[at] for at in np.flatnonzero(row)] for row in (x < low) | (x > high)]


def first_answer(model: Model, rows: Sequence[Sequence[float]], label: str) -> dict[str, Any]:
    """What an endpoint just started answers to rows that come from `label`; its monitor has seen nothing yet.

    Raises: ValueError for a number that is none or too large, or where the model has no finite effect.
    """
    x = np.asarray(rows, dtype=np.float64)
    if not (np.abs(x) <= MOST_ABS).all():  # False for what is not a number
        raise ValueError(f"a feature is no number or beyond ± {MOST_ABS:g}; give one within its training range.")
    said, _ = effects_of(model, x.astype(np.float32))
    watched = {"status": WARMING_UP, "p": None, "environments": {label: WARMING_UP}}
    outside = said.pop("outside_range")
    return said | {"invariance": watched, "outside_range": outside, "notes": []}
