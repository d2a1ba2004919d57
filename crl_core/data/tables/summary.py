"""What a file holds, column by column, for a person who says what each column is. No cell is quoted."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from crl_core.data.tables.columns import Kind, Raw, is_missing, kind_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """n_values: different ones, without what is missing.  missing: share of the rows."""

    name: str
    kind: Kind
    n_values: int
    missing: float


def held(raw: Raw) -> tuple[Held, ...]:
    """Every column, in order."""
    found = []
    for name, values in raw.columns.items():
        gone = is_missing(values)
        n_values = len(pd.unique(values[~gone]))
        found.append(Held(name=name, kind=kind_of(values), n_values=n_values, missing=float(gone.mean())))
    return tuple(found)
