"""How well latents were recovered: correlation with the truth, or of two fits, after the best assignment.

The assignment of recovered to true coordinates is found on the first half of the rows and scored on the second, so that
choosing among d! orders does not flatter the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

Kind = Literal["pearson", "spearman"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Score:
    """Scores of one recovery on held-out rows of the reference environment."""

    mcc: float  # mean absolute correlation after assignment
    per_coordinate: np.ndarray  # [d], in the order of the true latents
    r2: float  # mean R² of the true latents, linearly from all recovered ones: high also where identification fails
    spearman: float
    order: np.ndarray  # [d] int, the recovered coordinate assigned to each true one
    matrix: np.ndarray  # [d, d], |correlation| of true (rows) and recovered (columns), second half

    def to_dict(self) -> dict[str, Any]:
        return {
            "mcc": self.mcc,
            "per_coordinate": self.per_coordinate.tolist(),
            "r2": self.r2,
            "spearman": self.spearman,
        }


def correlations(z: np.ndarray, found: np.ndarray, kind: Kind = "pearson") -> np.ndarray:
    """|correlation| of every column of z [n, d] with every column of found [n, k], [d, k]; 0 for a constant column."""
    a, b = np.asarray(z, float), np.asarray(found, float)
    if kind == "spearman":
        from scipy.stats import rankdata

        a, b = rankdata(a, axis=0), rankdata(b, axis=0)
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    norm = np.sqrt((a**2).sum(axis=0))[:, None] * np.sqrt((b**2).sum(axis=0))[None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(norm > 0, np.abs(a.T @ b) / norm, 0.0)


def assignment(matrix: np.ndarray) -> np.ndarray:
    """[d] int: the column for each row of `matrix` [d, k], k >= d, that makes the sum greatest."""
    return np.asarray(linear_sum_assignment(-matrix)[1])


def score(z: np.ndarray, found: np.ndarray) -> Score:
    """Score `found` [n, k] against the truth z [n, d].

    Raises: ValueError if rows differ, are fewer than 20, or are not finite, or if k < d.
    """
    if len(z) != len(found) or len(z) < 20:
        raise ValueError(f"there are {len(z)} true and {len(found)} recovered rows; give as many of each, at least 20.")
    if found.shape[1] < z.shape[1]:
        raise ValueError(
            f"{found.shape[1]} coordinates were recovered of {z.shape[1]}; a method must give at least as many."
        )
    if not np.isfinite(found).all():
        raise ValueError("recovered latents are not finite: the fit diverged. Use a smaller scale or another seed.")
    half = len(z) // 2
    rows = np.arange(z.shape[1])
    values: dict[Kind, np.ndarray] = {}
    for kind in ("pearson", "spearman"):
        order = assignment(correlations(z[:half], found[:half], kind))
        values[kind] = correlations(z[half:], found[half:], kind)[rows, order]
    order = assignment(correlations(z[:half], found[:half]))
    return Score(
        mcc=float(values["pearson"].mean()),
        per_coordinate=values["pearson"],
        r2=linear_r2(z, found),
        spearman=float(values["spearman"].mean()),
        order=order,
        matrix=correlations(z[half:], found[half:]),
    )


def linear_r2(z: np.ndarray, found: np.ndarray) -> float:
    """Mean R² of the columns of z from an affine map of `found`, fitted on the first half and scored on the second."""
    half = len(z) // 2
    rows = np.column_stack([found, np.ones(len(found))])
    coefficients = np.linalg.lstsq(rows[:half], z[:half], rcond=None)[0]
    error = ((z[half:] - rows[half:] @ coefficients) ** 2).mean(axis=0)
    return float(np.mean(1 - error / z[half:].var(axis=0)))


def agreement(one: np.ndarray, other: np.ndarray, kind: Kind = "pearson") -> float:
    """MCC between what two fits recovered of the same rows, [n, k] each: 1 if they are the same up to order, sign and
    scale (pearson), or up to order and a monotone map of each coordinate (spearman).

    No truth is needed, and none is found: fits can agree on what is wrong.
    """
    half = len(one) // 2
    order = assignment(correlations(one[:half], other[:half], kind))
    return float(correlations(one[half:], other[half:], kind)[np.arange(one.shape[1]), order].mean())


def agreement_of(fits: Sequence[np.ndarray], kind: Kind = "pearson") -> float | None:
    """Mean agreement over all pairs of fits; None where there are fewer than two that are finite."""
    whole = [part for part in fits if np.isfinite(part).all()]
    pairs = [agreement(one, other, kind) for one, other in combinations(whole, 2)]
    return float(np.mean(pairs)) if pairs else None
