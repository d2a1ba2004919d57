"""A table as a source of rows: what its columns are is part of a run's key, its rows stay with whoever loaded it.

Content: SHA-256 of the columns that have a part in the run, as they were read, so that a CSV and its Parquet agree;
         other roles, or another encoding, are another run.
Loaded:  rows are kept in this process by content, and forgotten on request; nothing here writes them anywhere. A
         process that has them elsewhere, in files say, says where to find them (`find_with`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
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
    encoded,
    first_of,
    is_missing,
    kind_of,
    learnt,
    levels_of,
    texts,
)

LEAST_ROWS, LEAST_IN_ARM, LEAST_IN_ENV = 100, 10, 30
MOST_SIZE = 1e15  # of a number: squares and sums of larger ones overflow in a network
ALL = "all rows"  # the one environment of a table that names none
_LOADED: dict[str, Mapping[str, np.ndarray]] = {}  # content -> the columns that have a part
Finder = Callable[[str], Mapping[str, np.ndarray] | None]
_FINDER: list[Finder] = []  # one at most: asked for a content that is not loaded
_APART: tuple[Role, ...] = ("id", "ignore")
# What stands for "treated" where a person does not say so.
_TREATED = ("1", "true", "yes", "y", "treated", "treatment", "t")


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


# -- made of a person's columns ----------------------------------------------------------------------------------------


def table_source(
    raw: Raw,
    roles: Mapping[str, Role],
    *,
    treated: str = "",
    label: str,
    seed: int = 0,
    categories: frozenset[str] = frozenset(),
) -> TableSource:
    """The source of a table whose columns have these roles; its rows are loaded in this process from now on.

    roles:      by column; one that is not named is ignored.
    treated:    the value of the treatment that counts as treated; "" where it is plain (1, true, yes, treated).
    categories: columns of numbers that are read as categories.
    Raises:     TableRefused with one sentence.
    """
    columns = {name: raw.columns[name] for name in raw.columns if roles.get(name, "ignore") not in _APART}
    of = {role: _one(roles, role) for role in SINGLE}
    outcome, treatment, environment = _needed(of, "outcome"), _needed(of, "treatment"), of["environment"]
    if (of["mu0"] is None) != (of["mu1"] is None):
        raise TableRefused("of mu0 and mu1 one is given; true effects need both.")
    if "covariate" not in roles.values():
        raise TableRefused("no column is a covariate; name one at least.")
    _check_sizes(columns)
    arms = _arms(treatment, columns[treatment], treated)
    outcomes = _outcomes(outcome, columns[outcome])
    env_names = (ALL,) if environment is None else _env_names(environment, columns[environment])
    used = _used(columns, [name for name in of.values() if name is not None])
    blank = MultiEnvData(
        x=np.zeros((int(used.sum()), 0)),
        t=(texts(columns[treatment][used]) == arms[1]).astype(np.int64),
        env=_codes(columns, environment, env_names)[used],
        y=np.zeros(int(used.sum())),
    )
    _check_rows(blank, arms, env_names)
    training = np.flatnonzero(used)[split(blank, seed)[0]]
    source = TableSource(
        content=content_hash(columns),
        label=label,
        n_rows=int(used.sum()),
        n_held_out=int(used.sum()) - len(training),
        columns=tuple(
            learnt(name, roles[name], values, training, "category" if name in categories else None)
            for name, values in columns.items()
        ),
        arms=arms,
        outcomes=outcomes,
        env_names=env_names,
        seed=seed,
    )
    if not 0 < len(source.features) <= MOST_INPUTS:
        raise TableRefused(
            f"the covariates become {len(source.features)} inputs; 1 to {MOST_INPUTS} fit. Ignore some of them."
        )
    load(source, columns)
    return source


def _check_sizes(columns: Mapping[str, np.ndarray]) -> None:
    for name, values in columns.items():
        if values.dtype.kind == "f" and np.abs(values).max(where=~np.isnan(values), initial=0.0) > MOST_SIZE:
            raise TableRefused(
                f"{name} holds numbers beyond ±{MOST_SIZE:g}; give it in another unit, or leave the column out."
            )


def _one(roles: Mapping[str, Role], role: Role) -> str | None:
    having = [name for name, its in roles.items() if its == role]
    if len(having) > 1:
        raise TableRefused(f"{' and '.join(having[:2])} are both {role}; one column has that role.")
    return having[0] if having else None


def _needed(of: Mapping[Role, str | None], role: Role) -> str:
    name = of[role]
    if name is None:
        raise TableRefused(f"no column is the {role}; say which one is.")
    return name


def plain_treated(levels: Sequence[str]) -> str:
    """Which of a treatment's two values plainly means treated; "" where a person has to say so."""
    plain = [level for level in levels if level.lower() in _TREATED]
    return plain[0] if len(levels) <= 2 and len(plain) == 1 else ""


def _arms(name: str, values: np.ndarray, treated: str) -> tuple[str, str]:
    """What untreated and treated rows are called. Several values that are not `treated` count as untreated."""
    levels = levels_of(values)
    if len(levels) < 2:
        raise TableRefused(f"the treatment {name} has one value only; effects need treated and untreated rows.")
    if not treated:
        treated = plain_treated(levels)
        if not treated:
            raise TableRefused(
                f"the treatment {name} has the values {first_of(levels, 6)}; say which of them means treated."
            )
    if treated not in levels:
        raise TableRefused(f"no row has the treatment {shown(treated)}; {name} has the values {first_of(levels, 6)}.")
    others = [level for level in levels if level != treated]
    return (others[0] if len(others) == 1 else f"not {treated}"), treated


def _outcomes(name: str, values: np.ndarray) -> tuple[str, ...]:
    levels = levels_of(values)
    if len(levels) < 2:
        raise TableRefused(f"the outcome {name} is the same in all rows; nothing can be learnt of it.")
    if len(levels) == 2:
        numbers = values.dtype.kind == "f"
        return tuple(
            sorted(levels, key=float) if numbers else sorted(levels, key=lambda level: level.lower() in _TREATED)
        )
    if values.dtype.kind != "f":
        raise TableRefused(f"the outcome {name} is no number and has more than two values; choose a column of numbers.")
    return ()


def _env_names(name: str, values: np.ndarray) -> tuple[str, ...]:
    levels = levels_of(values)
    if len(levels) > MAX_ENVS:
        raise TableRefused(
            f"the environment {name} has {len(levels)} values; at most {MAX_ENVS} fit. Group them in the file, or "
            "choose another column."
        )
    if not levels:
        raise TableRefused(f"the environment {name} is missing in all rows; choose another column.")
    return tuple(levels)


def _used(columns: Mapping[str, np.ndarray], needed: list[str]) -> np.ndarray:
    return np.asarray(~np.logical_or.reduce([is_missing(columns[name]) for name in needed]))


def _codes(columns: Mapping[str, np.ndarray], environment: str | None, env_names: tuple[str, ...]) -> np.ndarray:
    n = len(next(iter(columns.values())))
    if environment is None:
        return np.zeros(n, dtype=np.int64)
    place = {name: index for index, name in enumerate(env_names)}
    return np.array([place.get(value, 0) for value in texts(columns[environment])], dtype=np.int64)


def _check_rows(rows: MultiEnvData, arms: tuple[str, str], env_names: tuple[str, ...]) -> None:
    if len(rows) < LEAST_ROWS:
        raise TableRefused(
            f"{len(rows)} rows can be used; {LEAST_ROWS} are the least. Missing outcomes leave rows out."
        )
    for arm, name in enumerate(arms):
        n = int((rows.t == arm).sum())
        if n < LEAST_IN_ARM:
            raise TableRefused(f"{n} rows have the treatment {name}; {LEAST_IN_ARM} are the least.")
    for env, name in enumerate(env_names):
        n = int((rows.env == env).sum())
        if n < LEAST_IN_ENV and len(env_names) > 1:
            raise TableRefused(
                f"the environment {name} has {n} rows; {LEAST_IN_ENV} are the least. Group it with another in the file."
            )


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
    used = _used(columns, [name for name in of.values() if name is not None])
    picked = {name: values[used] for name, values in columns.items()}
    outcome, treatment = _needed(of, "outcome"), _needed(of, "treatment")
    y = (texts(picked[outcome]) == source.outcomes[1]).astype(np.float64) if source.outcomes else picked[outcome]
    truth = {name: picked[column] for name, column in (("y0", of["mu0"]), ("y1", of["mu1"])) if column is not None}
    rows = MultiEnvData(
        x=np.concatenate([encoded(column, picked[column.name]) for column in source.covariates], axis=1),
        t=(texts(picked[treatment]) == source.arms[1]).astype(np.int64),
        env=_codes(picked, of["environment"], source.env_names),
        y=y,
        **truth,
    )
    return rows, *split(rows, source.seed), np.flatnonzero(used)
