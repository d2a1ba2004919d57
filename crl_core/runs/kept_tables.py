"""Tables that people keep on this machine, with their runs: until then a table is its session's alone.

    <root>/tables/<content>.parquet    the columns that have a part in a run, as they were read, and what each one is

A file can be read by this user alone and is named for what it holds: one that holds something else is not taken. Runs
of a kept table are runs like any other. They name its columns and levels, and find its rows here, in every process that
has said so (`serve_rows`). On a server that everybody can reach nothing is kept.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from crl_core.config import RunConfig
from crl_core.data.tables.columns import content_hash
from crl_core.data.tables.source import TableSource, find_with, forget
from crl_core.results import of_table
from crl_core.runs.library import Library
from crl_core.runs.records import PART_NAMES
from crl_core.runs.sealing import MANIFEST, StoreError, disk_error, write_atomically
from crl_core.runs.store import RunStore

PUBLIC = "CRL_PUBLIC"  # set to anything but these, it says that strangers use this server
_CLOUD = "/mount/src"  # where Streamlit's cloud lays an app
_NO = ("", "0", "no", "false")
_SOURCE = b"crl_source"  # of the file's metadata


def public_server() -> bool:
    """Whether strangers use this server, so that no table is kept on it and none that was is found, and nobody changes
    what he did not start. Unless it says otherwise, that is so on Streamlit's cloud."""
    asked = os.environ.get(PUBLIC)
    if asked is None:
        return Path(__file__).is_relative_to(_CLOUD)
    return asked.strip().lower() not in _NO


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTable:
    """A table that is here. source: as it was kept last. bytes: of its rows on disk."""

    source: TableSource
    bytes: int


class KeptTables:
    """The tables that are kept beside the runs of a store.

    Raises: every method raises StoreError, with one sentence for a person, where the disk refuses.
    """

    def __init__(self, store: RunStore) -> None:
        self.store = store

    def keep(self, source: TableSource, columns: Mapping[str, np.ndarray]) -> None:
        """Write a table's rows. source: by the hash of its content. columns: those of the source, all rows."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self._file(source.content), _written(source, columns), 0o600)
        except OSError as error:
            raise disk_error(f"keep the table in {self._folder}", error) from None

    def has(self, content: str) -> bool:
        """Whether rows of this content are here."""
        return _is_hash(content) and os.path.isfile(self._file(content))

    def columns(self, content: str) -> dict[str, np.ndarray] | None:
        """The rows of a content, by column; None where they are not here, or the file is not what was kept."""
        if not self.has(content):
            return None
        try:
            found = pq.read_table(io.BytesIO(self._file(content).read_bytes()))
            columns = {name: _values(found.column(name)) for name in found.column_names}
        except (OSError, ValueError, pa.ArrowException):
            return None
        return columns if content_hash(columns) == content else None

    def all(self) -> list[KeptTable]:
        """All tables that are here, by label."""
        found = []
        for file in sorted(self._folder.glob("*.parquet")):
            with suppress(OSError, ValueError, KeyError, TypeError, pa.ArrowException):
                source = TableSource.from_dict(json.loads(pq.read_schema(file).metadata[_SOURCE]))
                found.append(KeptTable(source=source, bytes=file.stat().st_size))
        return sorted(found, key=lambda table: table.source.label)

    def runs_of(self, content: str) -> list[str]:
        """Keys of the stored runs of this content, whatever its roles."""
        runs = Library(self.store).runs()
        return [run.key for run in runs if content_of(run.config) == content]

    def take_in(self, key: str, source: TableSource) -> str | None:
        """Store a private run as one of the kept table: the same figures under the key that anybody would get; that
        key. The private one is gone afterwards. None where there is no such run."""
        was = self.store.summary(key)
        if was is None:
            return None
        new = self.store.save(of_table(self.store.load(key), source), {"created": was.created})
        for name in PART_NAMES:
            arrays = self.store.part(key, name)
            if arrays is not None and name in self.store.missing_parts(new):
                self.store.add(new, name, arrays)
        self.store.discard(key)
        return new

    def forget(self, content: str) -> list[str]:
        """Delete a table's rows and its runs for good, those in the trash and in quarantine, too; keys of the runs that
        were stored. Raises RunBusy while one of them is in hand; what is deleted by then stays deleted."""
        keys = self.runs_of(content)
        try:
            for key in keys:
                self.store.discard(key)
            for put_away in ("trash", "quarantine"):
                for folder in (self.store.root / put_away).glob("*-*"):
                    if _names(folder, content):
                        shutil.rmtree(folder)
            self._file(content).unlink(missing_ok=True)
        except OSError as error:
            raise disk_error(f"delete the table in {self._folder}", error) from None
        forget(content)
        Library(self.store).runs()  # its index names columns, too
        return keys

    def serve_rows(self) -> None:
        """From now on runs in this process find the rows of kept tables here; never on a public server."""
        find_with(None if public_server() else self.columns)

    @property
    def _folder(self) -> Path:
        return self.store.root / "tables"

    def _file(self, content: str) -> Path:
        if not _is_hash(content):
            raise StoreError("A table is kept under 64 hexadecimal digits; load its file again.")
        return self._folder / f"{content}.parquet"


def _is_hash(content: str) -> bool:
    """Whether a content, which may come from a stranger's bundle, can become a path."""
    return len(content) == 64 and set(content) <= set("0123456789abcdef")


def content_of(config: RunConfig) -> str:
    """The hash of a run's table; "" where its rows come from elsewhere, or have no name."""
    return config.table.content if isinstance(config.table, TableSource) else ""


def _names(run: Path, content: str) -> bool:
    with suppress(OSError):
        return content.encode() in (run / MANIFEST).read_bytes()
    return False


def _written(source: TableSource, columns: Mapping[str, np.ndarray]) -> bytes:
    """Parquet that gives every bit back: numbers are not collected, since that takes one NaN for another."""
    kinds = {"f": pa.float64(), "M": pa.date32(), "O": pa.string()}
    arrays = {name: pa.array(values, type=kinds[values.dtype.kind]) for name, values in columns.items()}
    table = pa.table(arrays).replace_schema_metadata({_SOURCE: json.dumps(source.to_dict())})
    file = io.BytesIO()
    pq.write_table(table, file, use_dictionary=[name for name, values in columns.items() if values.dtype.kind == "O"])
    return file.getvalue()


def _values(column: pa.ChunkedArray) -> np.ndarray:
    """A column as `data.tables.reading` gives it."""
    if pa.types.is_string(column.type):
        return np.array(column.to_pylist(), dtype=object)
    if pa.types.is_date(column.type):
        return np.asarray(column.to_numpy(), dtype="datetime64[D]")
    return np.asarray(column.to_numpy(), dtype=np.float64)
