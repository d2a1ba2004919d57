"""What each column of a table is: its role, its kind, and how a covariate becomes numbers, by its training rows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np

from crl_core.data.fields import known_fields, shown

Role = Literal["outcome", "treatment", "environment", "covariate", "id", "ignore", "mu0", "mu1"]
Kind = Literal["number", "category", "date"]
SINGLE: tuple[Role, ...] = ("outcome", "treatment", "environment", "mu0", "mu1")  # roles of one column at most
OTHER, MISSING = "(other)", "(missing)"
MOST_LEVELS = 20  # of a category that have an input of their own
LEAST_ROWS = 10  # training rows of such a level
MOST_INPUTS = 400


class TableRefused(ValueError):
    """One sentence: what is wrong with the file, what is allowed, how to mend it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Raw:
    """What a file holds. columns: by name, in order, each [n] of float64, datetime64[D] or object (text or None).

    notes: what was read otherwise than as it is written, a sentence each.
    """

    columns: Mapping[str, np.ndarray]
    notes: tuple[str, ...] = ()

    @property
    def n_rows(self) -> int:
        return len(next(iter(self.columns.values())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column and what was learnt of it, on training rows alone.

    levels:  of a category, each an input; `OTHER` and `MISSING` are among them where training rows have them. A level
             that is really called so stands in quotation marks.
    fill:    what a missing number is taken for, the median; of a date in days from `start`.
    start:   the earliest day, as an ISO date; "" of other kinds.
    missing: whether "is missing" is an input of its own.
    signal:  of a sample of the table's one signal, which is standardised as a whole and has no gaps, what the names of
             its columns begin with; "" of others.
    """

    name: str
    role: Role
    kind: Kind
    levels: tuple[str, ...] = ()
    fill: float = 0.0
    start: str = ""
    missing: bool = False
    signal: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the numbers that it becomes."""
        if self.kind == "category":
            return tuple(f"{self.name} = {level}" for level in self.levels)
        return (self.name, f"{self.name} {MISSING}") if self.missing else (self.name,)

    def to_dict(self) -> dict[str, Any]:
        at_home = {item.name: item.default for item in fields(self)}
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        kept = {name: value for name, value in values.items() if value != at_home[name]}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}

    @classmethod
    def from_dict(cls, content: Any) -> Column:
        """Inverse of `to_dict`; raises ValueError with one sentence."""
        known = known_fields("a column of the table", content, {item.name for item in fields(cls)})
        name, role, kind = (known.get(field) for field in ("name", "role", "kind"))
        levels = known.pop("levels", [])
        right = (
            isinstance(name, str)
            and role in get_args(Role)
            and kind in get_args(Kind)
            and isinstance(levels, (list, tuple))
            and all(isinstance(level, str) and level for level in levels)
            and len(levels) <= MOST_LEVELS + 2
            and isinstance(known.get("fill", 0.0), (int, float))
            and np.isfinite(known.get("fill", 0.0))
            and isinstance(known.get("missing", False), bool)
            and isinstance(signal := known.get("signal", ""), str)
            and (not signal or (role, kind, known.get("missing", False)) == ("covariate", "number", False))
            and isinstance(known.get("start", ""), str)
        )
        if right and kind == "date":
            try:
                np.datetime64(known.get("start", ""), "D")
            except ValueError:
                right = False
        if not right:
            raise ValueError(f"a column of the table is {shown(content)}, which is no column; export the run again.")
        return cls(**known, levels=tuple(levels))


def kind_of(values: np.ndarray) -> Kind:
    """Of a column as `reading` gives it."""
    kinds: Mapping[str, Kind] = {"f": "number", "M": "date", "O": "category"}
    return kinds[values.dtype.kind]


def is_missing(values: np.ndarray) -> np.ndarray:
    """Which cells hold nothing, [n]."""
    if values.dtype.kind == "O":
        return np.array([value is None for value in values])
    return np.asarray(np.isnat(values) if values.dtype.kind == "M" else np.isnan(values))


def texts(values: np.ndarray) -> np.ndarray:
    """Cells as the words that a person has for them, [n] of str; a number as short as it can be, "" where missing."""
    if values.dtype.kind == "O":
        return np.array(["" if value is None else value for value in values], dtype=object)
    return np.array(["" if gone else f"{value:.15g}" if values.dtype.kind == "f" else str(value)
                     for value, gone in zip(values, is_missing(values), strict=True)], dtype=object)  # fmt: skip


def levels_of(values: np.ndarray) -> list[str]:
    """What a column's cells hold, each once and in order; what is missing is no level."""
    return sorted({value for value in texts(values) if value})


def first_of(names: Sequence[str], most: int) -> str:
    """Names in a message, no more than a sentence bears."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def learnt(name: str, role: Role, values: np.ndarray, training: np.ndarray, kind: Kind | None = None) -> Column:
    """The column, with what its training rows say of it.

    values:   [n], all rows.  training: indices of the training rows.
    kind:     a number may be read as a category.
    """
    seen = values[training]
    gone = is_missing(seen)
    kind = kind or kind_of(values)
    if role != "covariate":
        return Column(name=name, role=role, kind=kind)
    if kind == "category":
        return Column(name=name, role=role, kind=kind, levels=_levels(seen))
    start = str(seen[~gone].min()) if kind == "date" and not gone.all() else "1970-01-01" if kind == "date" else ""
    numbers = _numbers(seen, start)
    fill = float(np.median(numbers[~gone])) if not gone.all() else 0.0
    return Column(name=name, role=role, kind=kind, fill=fill, start=start, missing=bool(gone.any()))


def _numbers(values: np.ndarray, start: str) -> np.ndarray:
    """Numbers, or days since `start`; NaN where missing, [n]."""
    if values.dtype.kind != "M":
        return np.asarray(values, dtype=np.float64)
    days = (values - np.datetime64(start, "D")).astype(np.float64)
    return np.where(np.isnat(values), np.nan, days)


def _named(values: np.ndarray) -> np.ndarray:
    """Levels of cells as they are called among the inputs, [n] of str."""
    plain = texts(values)
    return np.where(plain == "", MISSING, np.where(np.isin(plain, (OTHER, MISSING)), "“" + plain + "”", plain))


def _levels(seen: np.ndarray) -> tuple[str, ...]:
    found, counts = np.unique(_named(seen).astype(str), return_counts=True)
    of = {level: int(count) for level, count in zip(found.tolist(), counts, strict=True)}
    gone = of.pop(MISSING, 0)
    frequent = sorted(
        (level for level, count in of.items() if count >= LEAST_ROWS), key=lambda level: (-of[level], level)
    )
    kept = sorted(frequent[:MOST_LEVELS])
    others = sum(count for level, count in of.items() if level not in kept)
    return (*kept, *([OTHER] if others else []), *([MISSING] if gone else []))


def encoded(column: Column, values: np.ndarray) -> np.ndarray:
    """The numbers that a covariate's cells become, [n, inputs]; an unseen level is `OTHER`, or none where there is no
    such input."""
    if column.kind == "category":
        named = _named(values)
        known = set(column.levels) - {OTHER}
        named = np.array([level if level in known else OTHER for level in named], dtype=object)
        return np.stack([named == level for level in column.levels], axis=1).astype(np.float64) if column.levels else (
            np.zeros((len(values), 0))
        )  # fmt: skip
    numbers = _numbers(values, column.start)
    gone = np.isnan(numbers)
    filled = np.where(gone, column.fill, numbers)
    return np.stack([filled, gone.astype(np.float64)], axis=1) if column.missing else filled[:, None]


def placed(covariates: Sequence[Column]) -> list[tuple[Column, slice]]:
    """Each covariate with its place among the inputs."""
    ends = np.cumsum([0, *(len(column.inputs) for column in covariates)]).tolist()
    return [(column, slice(*ends[at : at + 2])) for at, column in enumerate(covariates)]


def decoded(column: Column, inputs: np.ndarray) -> np.ndarray:
    """What `encoded` keeps of a covariate's cells, [n] float: a number, or days since `start`, NaN where missing; of a
    category the index of its level, `len(levels)` where it has none of them.

    inputs: [n, inputs].
    """
    if column.kind == "category":
        has = inputs > 0.5
        first = has.argmax(axis=1) if column.levels else 0
        return np.where(has.any(axis=1), first, len(column.levels)).astype(np.float64)
    return np.where(inputs[:, 1] > 0.5, np.nan, inputs[:, 0]) if column.missing else np.array(inputs[:, 0])


# -- several columns ---------------------------------------------------------------------------------------------------


def complete(columns: Mapping[str, np.ndarray], names: Sequence[str]) -> np.ndarray:
    """Which rows have something in each of the columns `names`, [n]."""
    return np.asarray(~np.logical_or.reduce([is_missing(columns[name]) for name in names]))


def env_codes(columns: Mapping[str, np.ndarray], environment: str | None, env_names: Sequence[str]) -> np.ndarray:
    """The place of each row's environment among `env_names`, [n]: that of `OTHER` where its own is not among them, 0 of
    a row that has none, or where no column says it."""
    n = len(next(iter(columns.values())))
    if environment is None:
        return np.zeros(n, dtype=np.int64)
    place = {name: index for index, name in enumerate(env_names)}
    rest = place.get(OTHER, 0)  # of a table without it all rows that are used have a place
    return np.array([place.get(value, rest) for value in texts(columns[environment])], dtype=np.int64)


def content_hash(columns: Mapping[str, np.ndarray]) -> str:
    """64 hexadecimal digits of the columns' names, kinds and cells, in order."""
    found = hashlib.sha256()
    for name, values in columns.items():
        found.update(f"{name}\0{values.dtype.kind}\0{len(values)}\0".encode())
        if values.dtype.kind == "O":
            found.update(b"".join(b"\xff" if value is None else value.encode() + b"\xfe" for value in values))
        else:
            found.update(np.ascontiguousarray(values.astype("<f8" if values.dtype.kind == "f" else "<i8")).tobytes())
    return found.hexdigest()
