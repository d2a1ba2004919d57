"""A table as a source of rows: what its columns are is part of a run's key, its rows stay with whoever loaded it.

Content: SHA-256 of the columns that have a part in the run, as they were read, so that a CSV and its Parquet agree;
         other roles, or another encoding, are another run.
Loaded:  rows are kept in this process by content, and forgotten on request; nothing here writes them anywhere. A
         process that has them elsewhere, in files say, says where to find them (`find_with`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from crl_core.data.fields import known_fields, shown
from crl_core.data.scenario import MAX_ENVS
from crl_core.data.scm import MultiEnvData, split
from crl_core.data.source import READERS, Truth
from crl_core.data.tables.columns import (
    MOST_INPUTS,
    SINGLE,
    Column,
    Raw,
    Role,
    TableRefused,
    complete,
    content_hash,
    encoded,
    env_codes,
    first_of,
    is_missing,
    kind_of,
    texts,
)
from crl_core.data.tables.signals import check_traces, sample_places

ALL = "all rows"  # the one environment of a table that names none
_LOADED: dict[str, Mapping[str, np.ndarray]] = {}  # content -> the columns that have a part
Finder = Callable[[str], Mapping[str, np.ndarray] | None]
_FINDER: list[Finder] = []  # one at most: asked for a content that is not loaded


class TableMissing(ValueError):
    """The run's table is not loaded here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSource:
    """A `Source`. Rows without outcome, treatment or environment are left out and not counted in `n_rows`.

    arms:     what the treatment's two values are called, untreated first.
    outcomes: of an outcome with two values what they are called, the one that counts as 1 last; () of a number.
    seed:     of the split into training and held-out rows, the same in all replicates: the columns were learnt on it.
    """

    content: str
    label: str = field(compare=False)
    n_rows: int
    n_held_out: int
    columns: tuple[Column, ...]
    arms: tuple[str, str]
    outcomes: tuple[str, ...] = ()
    env_names: tuple[str, ...] = (ALL,)
    seed: int = 0

    @property
    def knows(self) -> frozenset[Truth]:
        return frozenset(("effects",)) if self.named("mu0") and self.named("mu1") else frozenset()

    @property
    def n_envs(self) -> int:
        return len(self.env_names)

    @property
    def covariates(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.role == "covariate")

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(name for column in self.covariates for name in column.inputs)

    @property
    def x_shape(self) -> tuple[int, ...]:
        return (len(self.features),)

    @property
    def signal(self) -> tuple[int, ...]:
        return sample_places(self.covariates)

    @property
    def two_outcomes(self) -> bool:
        return bool(self.outcomes)

    @property
    def noise(self) -> None:
        return None

    def named(self, role: Role) -> str | None:
        """The column that has a role which one column has; None where none has it."""
        return next((column.name for column in self.columns if column.role == role), None)

    def rows(self, seed: int) -> tuple[MultiEnvData, MultiEnvData]:
        """Training rows and held-out rows, the same for every seed. Raises TableMissing."""
        rows, train, held_out, _ = _rows(self)
        return rows.rows(train), rows.rows(held_out)

    def all_rows(self) -> tuple[MultiEnvData, np.ndarray]:
        """All rows that are used, in the file's order, and their places in the file, [n]. Raises TableMissing."""
        rows, _, _, place = _rows(self)
        return rows, place

    def parts(self) -> tuple[np.ndarray, np.ndarray]:
        """Indices of training rows and of held-out rows among `all_rows`. Raises TableMissing."""
        _, train, held_out, _ = _rows(self)
        return train, held_out

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "table",
            "label": self.label,
            "content": self.content,
            "n_rows": self.n_rows,
            "n_held_out": self.n_held_out,
            "columns": [column.to_dict() for column in self.columns],
            "arms": list(self.arms),
            "outcomes": list(self.outcomes),
            "env_names": list(self.env_names),
            "seed": self.seed,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> TableSource:
        """Inverse of `to_dict`; raises ValueError with one sentence."""
        names = {"kind", "label", "content", "n_rows", "n_held_out", "columns", "arms", "outcomes", "env_names", "seed"}
        known = known_fields("the table", content, names)
        try:
            source = cls(
                content=str(known["content"]),
                label=str(known["label"]),
                n_rows=_whole(known["n_rows"]),
                n_held_out=_whole(known["n_held_out"]),
                columns=tuple(Column.from_dict(item) for item in known["columns"]),
                arms=_words(known["arms"], 2, 2),  # type: ignore[arg-type]
                outcomes=_words(known["outcomes"], 0, 2),
                env_names=_words(known["env_names"], 1, MAX_ENVS),
                seed=_whole(known["seed"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"the table lacks or garbles {shown(str(error))}; export the run again.") from None
        sample_places(source.covariates)
        if not 0 < source.n_held_out < source.n_rows or not 0 < len(source.features) <= MOST_INPUTS:
            raise ValueError("the table has no rows to train on or to hold out, or no inputs; export the run again.")
        return source


READERS["table"] = TableSource.from_dict


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise TypeError("a number of rows")
    return value


def _words(value: Any, least: int, most: int) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(word, str) for word in value):
        raise TypeError("a list of names")
    if not least <= len(value) <= most or len(set(value)) != len(value):
        raise TypeError("a list of names")
    return tuple(value)


# -- rows of it -------------------------------------------------------------------------------------------------------


def encoded_rows(source: TableSource, raw: Raw) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Other rows of the same columns as the source's models take them: x [n, d], and t and y [n], None where the file
    has no such column, or not in every row.

    Raises: TableRefused with one sentence where a covariate is absent, or of another kind.
    """
    absent = [column.name for column in source.covariates if column.name not in raw.columns]
    if absent:
        raise TableRefused(f"the file has no column {first_of(absent, 6)}, which the model was trained on; add it.")
    parts = []
    for column in source.covariates:
        values = raw.columns[column.name]
        if column.kind != "category" and kind_of(values) != column.kind:
            raise TableRefused(
                f"{column.name} is no column of {column.kind}s here, as it was in training; mend the file."
            )
        parts.append(encoded(column, values))
    if samples := [column.name for column in source.covariates if column.signal]:
        check_traces(raw.columns, samples, np.ones(raw.n_rows, dtype=bool))
    t = _as_numbers(source, raw, "treatment", source.arms[1])
    y = _as_numbers(source, raw, "outcome", source.outcomes[1] if source.outcomes else "")
    return np.concatenate(parts, axis=1), t, y


def _as_numbers(source: TableSource, raw: Raw, role: Role, one: str) -> np.ndarray | None:
    """A column of 0 and 1, 1 where a cell is `one`; of numbers as they are where `one` is empty."""
    name = source.named(role)
    if name is None or name not in raw.columns or is_missing(raw.columns[name]).any():
        return None
    values = raw.columns[name]
    if one:
        return np.asarray(texts(values) == one, dtype=np.float64)
    if values.dtype.kind != "f":
        raise TableRefused(f"{name} is no column of numbers here, as it was in training; mend the file.")
    return np.asarray(values, dtype=np.float64)


# -- loaded ------------------------------------------------------------------------------------------------------------


def load(source: TableSource, columns: Mapping[str, np.ndarray]) -> None:
    """Keep a table's rows in this process."""
    _LOADED[source.content] = columns


def load_again(source: TableSource, raw: Raw) -> None:
    """Keep the rows of the file that a run was trained on, read once more. Raises TableRefused if it is another."""
    names = [column.name for column in source.columns]
    absent = [name for name in names if name not in raw.columns]
    if absent:
        raise TableRefused(f"the file has no column {first_of(absent, 6)}, which the run was trained on; give its own.")
    columns = {name: raw.columns[name] for name in raw.columns if name in names}
    found = content_hash(columns)
    if found != source.content:
        raise TableRefused(
            f"the file is not the one that the run was trained on (its columns have the hash {found[:12]}, not "
            f"{source.content[:12]}); give that file, with its rows and columns in their order."
        )
    load(source, columns)


def forget(content: str) -> None:
    """Keep no copy of a table's rows any more."""
    _LOADED.pop(content, None)
    _rows.cache_clear()


def find_with(finder: Finder | None) -> None:
    """Ask `finder`, from now on and in this process, for the columns of a content that nobody has loaded here; None:
    nobody is asked."""
    _FINDER[:] = [] if finder is None else [finder]
    _rows.cache_clear()


@lru_cache(maxsize=4)
def _rows(source: TableSource) -> tuple[MultiEnvData, np.ndarray, np.ndarray, np.ndarray]:
    """The rows that are used, which of them are trained on and which held out, and their places in the file."""
    columns = _LOADED.get(source.content)
    if columns is None and _FINDER:
        columns = _FINDER[0](source.content)
    if columns is None:
        raise TableMissing(f"the table {source.label} is not loaded here; load its file again with the same roles.")
    of = {role: source.named(role) for role in SINGLE}
    outcome, treatment = of["outcome"], of["treatment"]
    if outcome is None or treatment is None or not _fits(source, columns):  # a source that a stranger has written
        raise TableMissing(f"the rows of {source.label} are not what the run says of them; load its file again.")
    used = complete(columns, [name for name in of.values() if name is not None])
    picked = {name: values[used] for name, values in columns.items()}
    y = (texts(picked[outcome]) == source.outcomes[1]).astype(np.float64) if source.outcomes else picked[outcome]
    truth = {name: picked[column] for name, column in (("y0", of["mu0"]), ("y1", of["mu1"])) if column is not None}
    rows = MultiEnvData(
        x=np.concatenate([encoded(column, picked[column.name]) for column in source.covariates], axis=1),
        t=(texts(picked[treatment]) == source.arms[1]).astype(np.int64),
        env=env_codes(picked, of["environment"], source.env_names),
        y=y,
        **truth,
    )
    parts = split(rows, source.seed)
    if (len(rows), len(parts[1])) != (source.n_rows, source.n_held_out):
        raise TableMissing(f"the table {source.label} has other rows than the run says; load its file again.")
    return rows, *parts, np.flatnonzero(used)


def _fits(source: TableSource, columns: Mapping[str, np.ndarray]) -> bool:
    """Whether these are the columns that the source speaks of, each of its kind."""
    if [column.name for column in source.columns] != list(columns):
        return False
    numbers = {source.named("mu0"), source.named("mu1"), None if source.outcomes else source.named("outcome")}
    return all(
        kind_of(columns[column.name]) == ("number" if column.name in numbers else column.kind)
        or (column.kind == "category" and column.name not in numbers)
        for column in source.columns
    )
