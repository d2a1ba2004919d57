"""A table's rows without a name: what training, the store and its files get to know of a table that is private.

A run of such rows has its key by a token that nobody can guess, and its config says how many rows and inputs there are,
not what they are called. Numbers are in this process by that token as long as somebody keeps them; words stay with
whoever loaded the table, and are shown by this process alone.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from crl_core.data.fields import known_fields
from crl_core.data.scenario import MAX_ENVS
from crl_core.data.scm import MultiEnvData
from crl_core.data.source import READERS, Truth
from crl_core.data.tables.columns import MOST_INPUTS
from crl_core.data.tables.source import TableMissing, TableSource

KIND = "private"
_WORDS = "words"
ROWS_FILE = "CRL_ROWS_FILE"  # names the file that a process is to `take_over`


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Kept:
    """What this process knows: rows, and where the table was loaded its words."""

    train: MultiEnvData
    held_out: MultiEnvData
    words: TableSource | None = None


_KEPT: dict[str, _Kept] = {}  # by token


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateRows:
    """A `Source`. token: 32 hexadecimal digits, drawn at random. effects: whether the rows carry true effects.

    signal: places of a signal's samples among the inputs; not in the JSON of rows without one.
    """

    token: str
    n_rows: int
    n_held_out: int
    n_inputs: int
    n_envs: int
    two_outcomes: bool
    effects: bool
    signal: tuple[int, ...] = ()

    @property
    def words(self) -> TableSource | None:
        """The table that these rows are of, where it was loaded in this process."""
        kept = _KEPT.get(self.token)
        return None if kept is None else kept.words

    @property
    def label(self) -> str:
        return self.words.label if self.words else "your table"

    @property
    def knows(self) -> frozenset[Truth]:
        return frozenset(("effects",)) if self.effects else frozenset()

    @property
    def env_names(self) -> tuple[str, ...]:
        return self.words.env_names if self.words else tuple(f"environment {e + 1}" for e in range(self.n_envs))

    @property
    def features(self) -> tuple[str, ...]:
        return self.words.features if self.words else tuple(f"x{i + 1}" for i in range(self.n_inputs))

    @property
    def x_shape(self) -> tuple[int, ...]:
        return (self.n_inputs,)

    @property
    def noise(self) -> None:
        return None

    def rows(self, seed: int) -> tuple[MultiEnvData, MultiEnvData]:
        """Training rows and held-out rows, the same for every seed. Raises TableMissing."""
        kept = _KEPT.get(self.token)
        if kept is None:
            raise TableMissing("this run is of a table that was loaded in a session that has ended; load it again.")
        return kept.train, kept.held_out

    def to_dict(self) -> dict[str, Any]:
        content = {"kind": KIND, **{item.name: getattr(self, item.name) for item in fields(self)}}
        signal = content.pop("signal")
        return content | ({"signal": list(signal)} if signal else {})

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> PrivateRows:
        """Inverse of `to_dict`; raises ValueError with one sentence."""
        known = known_fields("the table", content, {"kind", *(item.name for item in fields(cls))})
        known.pop("kind")
        signal = known.pop("signal", [])
        wanted = {"n_rows": 2**31, "n_held_out": 2**31, "n_inputs": MOST_INPUTS, "n_envs": MAX_ENVS}
        right = isinstance(known.get("token"), str) and len(known["token"]) == 32 and known["token"].isalnum()
        for name, most in wanted.items():
            value = known.get(name)
            right = right and isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most
        right = right and all(isinstance(known.get(name), bool) for name in ("two_outcomes", "effects"))
        places = range(known["n_inputs"]) if right else range(0)
        right = right and isinstance(signal, (list, tuple)) and len({*map(repr, signal)}) == len(signal)
        right = right and all(type(place) is int and place in places for place in signal)
        if not right or known["n_held_out"] >= known["n_rows"]:
            raise ValueError("the run of a private table lacks or garbles a number; train the table again.")
        return cls(**known, signal=tuple(signal))


READERS[KIND] = PrivateRows.from_dict


def private_rows(table: TableSource) -> PrivateRows:
    """The rows of a table under a new token, kept in this process until `forget_rows`. Raises TableMissing."""
    train, held_out = table.rows(table.seed)
    token = secrets.token_hex(16)
    _KEPT[token] = _Kept(train=train, held_out=held_out, words=table)
    return PrivateRows(
        token=token,
        n_rows=table.n_rows,
        n_held_out=table.n_held_out,
        n_inputs=len(table.features),
        n_envs=table.n_envs,
        two_outcomes=table.two_outcomes,
        effects="effects" in table.knows,
        signal=table.signal,
    )


def forget_rows(token: str) -> None:
    """Keep neither rows nor words of a token any more."""
    _KEPT.pop(token, None)


# -- from process to process -------------------------------------------------------------------------------------------


def hand_over(source: PrivateRows, *, with_words: bool = False) -> Path | None:
    """A file with the rows, that only this user can read, for another process to `take_over`; None if they are not
    here.

    with_words: the table's names and levels go along, for a file that its owner takes home.
    """
    kept = _KEPT.get(source.token)
    if kept is None:
        return None
    handle, name = tempfile.mkstemp(suffix=".npz")  # mode 0600, a name that nobody can guess
    with os.fdopen(handle, "wb") as file:
        parts = {"train": kept.train, "held_out": kept.held_out}
        arrays: dict[str, Any] = {f"{part}.{name}": own for part, rows in parts.items() for name, own in _of(rows)}
        if with_words and kept.words is not None:
            arrays[_WORDS] = np.frombuffer(json.dumps(kept.words.to_dict()).encode(), dtype=np.uint8)
        np.savez(file, **arrays)
    return Path(name)


def take_over(source: PrivateRows, file: Path) -> None:
    """Keep the rows of a file that `hand_over` wrote, which is gone after this."""
    try:
        with np.load(file, allow_pickle=False) as found:
            parts: dict[str, dict[str, Any]] = {"train": {}, "held_out": {}}
            words = TableSource.from_dict(json.loads(found[_WORDS].tobytes())) if _WORDS in found.files else None
            for name in (name for name in found.files if name != _WORDS):
                part, column = name.split(".")
                parts[part][column] = found[name]
    finally:
        file.unlink(missing_ok=True)
    train, held_out = (MultiEnvData(**columns) for columns in parts.values())
    _KEPT[source.token] = _Kept(train=train, held_out=held_out, words=words)


def _of(rows: MultiEnvData) -> list[tuple[str, np.ndarray]]:
    columns = ((item.name, getattr(rows, item.name)) for item in fields(rows))
    return [(name, values) for name, values in columns if values is not None]
