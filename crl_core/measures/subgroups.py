"""Do effects differ between the categories of a column, or between thirds of a numeric one?

Groups:  those of a covariate as models take it: a category's levels; a number's values where there are few, else its
         thirds; rows in which it is missing.
Test:    Welch's analysis of variance of the doubly robust scores, whose groups need not scatter alike.
Many:    a column has one p-value, and of several columns some are small by chance; `effect_words.columns_words` says
         how many.
Source:  Welch (1951), On the comparison of several mean values, Biometrika 38.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crl_core.data.tables.columns import MISSING, OTHER, Column, decoded
from crl_core.measures.effect_checks import LEAST_IN_GROUP, Groups, by_group

RARE_SHARE, RARE_ROWS = 0.05, 50  # of an arm: with fewer rows there are no tables of subgroups
MOST_VALUES = 6  # of a number that are groups of their own, e.g. 0 and 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnEffects:
    """p: of groups with one doubly robust effect; NaN where fewer than two are shown, or scores do not scatter."""

    groups: Groups
    p: float


def rare_arm(counts: Sequence[int] | np.ndarray) -> int | None:
    """The arm that has too few rows for subgroups; None where both have enough. counts: rows untreated, treated."""
    rare = int(np.argmin(counts))
    return rare if counts[rare] < max(RARE_ROWS, RARE_SHARE * sum(counts)) else None


def effects_by_column(
    scores: np.ndarray, effects: np.ndarray, clipped: np.ndarray, column: Column, inputs: np.ndarray
) -> ColumnEffects:
    """Predicted and doubly robust effects by the groups of a covariate; one of fewer than `LEAST_IN_GROUP` rows is
    hidden.

    scores, effects: [n], finite.  clipped: which rows' propensity was held, [n] bool.
    inputs: what the covariate became, [n, its inputs].
    """
    from scipy.stats import f_oneway

    of, names = groups_of(column, inputs)
    shown = [scores[of == one] for one in range(len(names)) if (of == one).sum() >= LEAST_IN_GROUP]
    tested = len(shown) >= 2 and all(np.ptp(own) > 0 for own in shown)
    p = float(f_oneway(*shown, equal_var=False).pvalue) if tested else np.nan
    return ColumnEffects(groups=by_group(scores, effects, clipped, of, names), p=p)


def groups_of(column: Column, inputs: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """The group of every row, [n] int, and what the groups are called, in order; a group may have no row.

    Thirds: of the rows in which the number is known; rows of one value are in one third.
    """
    values = decoded(column, inputs)
    if column.kind == "category":
        return values.astype(np.int64), (*column.levels, OTHER)
    known = values[~np.isnan(values)]
    different = np.unique(known)
    if len(different) <= MOST_VALUES:
        of = np.searchsorted(different, values)  # NaN goes to the end
        return of, (*(_said(column, value, 15) for value in different), MISSING)
    low, high = np.quantile(known, (1 / 3, 2 / 3), method="lower")
    of = np.where(np.isnan(values), 3, np.searchsorted((low, high), values))
    below, above = _said(column, low, 6), _said(column, high, 6)
    return of, (f"up to {below}", f"above {below}, up to {above}", f"above {above}", MISSING)


def _said(column: Column, value: float, digits: int) -> str:
    """A number of the column, or its day."""
    if column.kind == "date":
        return str(np.datetime64(column.start, "D") + int(value))
    return f"{value:,.{digits}g}"
