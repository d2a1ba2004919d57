"""What is kept of a study: <root>/studies/<id>/.

study.toml     as it was read
plan.json      keys of its runs in their order, and how long each will take
log.jsonl      what became of each, one line as it happens; half a line of a killed writer is passed over
table.csv      grows run by run; when the study has ended, in the order of the plan
table.parquet  the same, typed, written every half minute and at the end
claims.json    the verdicts, where the study has claims
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from crl_core.runs.eventlog import write_all
from crl_core.runs.locks import Locks, RunBusy
from crl_core.runs.sealing import StoreError, disk_error, make_folder, write_atomically
from crl_core.runs.store import RunStore
from crl_core.studies.grid.rows import header, read_table
from crl_core.studies.grid.study_file import Study

PARQUET_S = 30.0
_LOCK = "study"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How far a study is.

    done:    keys whose numbers are in the table, or whose claim can be measured.
    failed:  key -> reason, of those that were given up.
    under_way: keys that were begun by whoever drives it now.
    driven:  whether some process drives it at this moment.
    rest_s:  seconds that the rest will take; None where nothing has been trained yet.
    stopped: why it was left, where it was not by its end.
    """

    id: str
    title: str
    keys: tuple[str, ...]
    done: frozenset[str]
    failed: dict[str, str] = field(hash=False)
    under_way: tuple[str, ...]
    driven: bool
    rest_s: float | None
    stopped: str
    folder: Path

    @property
    def ended(self) -> bool:
        """Whether every run is there or was given up."""
        return len(self.done) + len(self.failed) >= len(self.keys)


class StudyFolder:
    """The folder of a study. Raises: every method raises StoreError where the disk refuses."""

    def __init__(self, store: RunStore, study_id: str) -> None:
        self.path = store.root / "studies" / study_id
        self._locks = Locks(self.path)
        self._parquet_at = 0.0

    @classmethod
    def all(cls, store: RunStore) -> list[StudyFolder]:
        """All studies that were begun here, the latest first."""
        found = [path for path in (store.root / "studies").glob("*") if (path / "plan.json").is_file()]
        return [cls(store, path.name) for path in sorted(found, key=lambda path: -path.stat().st_mtime)]

    @classmethod
    def of_text(cls, store: RunStore, text: str) -> StudyFolder | None:
        """The folder of a study that was begun with exactly this text: found without working out its runs."""
        for folder in cls.all(store):
            with suppress(OSError, ValueError):
                if (folder.path / "study.toml").read_text(encoding="utf-8") == text:
                    return folder
        return None

    # -- by who drives the study -------------------------------------------------------------------------------------

    @contextmanager
    def driving(self, study: Study, seconds: dict[str, float]) -> Iterator[None]:
        """Hold the study; another process that would drive it is refused. seconds: expected, of each run."""
        try:
            make_folder(self.path)
        except OSError as error:
            raise disk_error(f"keep the study in {self.path}", error) from None
        with self._held():
            keys = list(study.runs)
            plan = {"id": study.id, "title": study.title, "keys": keys, "seconds": [seconds[key] for key in keys]}
            self._write("study.toml", study.text.encode())
            self._write("plan.json", json.dumps(plan).encode())
            self.say(what="driven", host=socket.gethostname(), pid=os.getpid())
            yield

    @contextmanager
    def _held(self) -> Iterator[None]:
        try:
            with self._locks.hold(_LOCK, wait_s=1.0):  # who looks whether it is held holds it for a moment
                yield
        except RunBusy:
            raise StoreError(
                f"The study {self.path.name} is under way in another process; look at it with study status, or stop "
                "that one."
            ) from None

    def say(self, **what: Any) -> None:
        """Append a line to the log."""
        self._append("log.jsonl", json.dumps({"at": round(time.time(), 3), **what}) + "\n")

    def add_rows(self, study: Study, lines: str) -> None:
        """Append a run's lines to the table."""
        if not (self.path / "table.csv").exists():
            lines = ",".join(header(study)) + "\n" + lines
        self._append("table.csv", lines)
        if time.monotonic() > self._parquet_at + PARQUET_S:
            self._parquet_at = time.monotonic()
            self._write("table.parquet", parquet(self.table_text()))

    def rows(self, study: Study) -> dict[str, str]:
        """The table's lines by run, those of a run whole or not at all."""
        sizes = {p.key: p.config.training.n_models for p in study.points}
        first, _, rest = self.table_text().partition("\n")
        found: dict[str, list[str]] = {}
        for line in rest.splitlines(keepends=True) if first == ",".join(header(study)) else ():
            if line.endswith("\n"):
                found.setdefault(line[:16], []).append(line)
        return {key: "".join(lines) for key, lines in found.items() if len(lines) == sizes.get(key)}

    def set_rows(self, study: Study, rows: dict[str, str]) -> None:
        """Write the table anew, its runs in the order of the plan."""
        ordered = [rows[point.key] for point in study.points if point.key in rows]
        text = "".join([",".join(header(study)) + "\n", *ordered])
        self._write("table.csv", text.encode())
        self._write("table.parquet", parquet(text))

    def set_claims(self, content: dict[str, Any]) -> None:
        self._write("claims.json", json.dumps(content).encode())

    def _append(self, name: str, text: str) -> None:
        try:
            handle = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                size = os.lseek(handle, 0, os.SEEK_END)
                ragged = size > 0 and os.pread(handle, 1, size - 1) != b"\n"  # a killed writer left half a line
                write_all(handle, (("\n" if ragged else "") + text).encode())
            finally:
                os.close(handle)
        except OSError as error:
            raise disk_error(f"write {name} of the study in {self.path}", error) from None

    def _write(self, name: str, content: bytes) -> None:
        try:
            write_atomically(self.path / name, content)
        except OSError as error:
            raise disk_error(f"write {name} of the study in {self.path}", error) from None

    # -- by anybody --------------------------------------------------------------------------------------------------

    def text(self) -> str:
        """The study's file."""
        return self._read("study.toml")

    def table_text(self) -> str:
        """The table so far, as CSV; "" before there is one."""
        return self._read("table.csv")

    def claims(self) -> dict[str, Any] | None:
        """The verdicts; None before there are any."""
        with suppress(ValueError):
            found: dict[str, Any] = json.loads(self._read("claims.json"))
            return found
        return None

    def status(self) -> Status:
        """Raises StoreError if the study was never begun here, or its plan cannot be read."""
        try:
            plan = json.loads((self.path / "plan.json").read_bytes())
            keys, seconds, title = tuple(plan["keys"]), plan["seconds"], str(plan["title"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"There is no study {self.path.name} here ({error!s:.80}); run it.") from None
        done, failed, begun, stopped, spent = set[str](), dict[str, str](), dict[str, None](), "", [0.0, 0.0]
        expected = dict(zip(keys, seconds, strict=True))
        for line in self._read("log.jsonl").splitlines():
            with suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                what, key = entry["what"], entry.get("run", "")
                if what == "driven":
                    begun, stopped = {}, ""
                elif what == "stopped":
                    stopped = entry["why"]
                elif what == "begun":
                    begun[key] = None
                    failed.pop(key, None)
                elif what == "done":
                    done.add(key)
                    failed.pop(key, None)
                    begun.pop(key, None)
                    if entry.get("seconds"):
                        spent[0] += entry["seconds"]
                        spent[1] += expected.get(key, 0.0)
                elif what == "failed":
                    failed[key] = entry["reason"]
                    begun.pop(key, None)
        rest = sum(seconds for key, seconds in expected.items() if key not in done and key not in failed)
        driven = self._locks.busy(_LOCK)
        return Status(
            id=self.path.name,
            title=title,
            keys=keys,
            done=frozenset(done & set(keys)),
            failed={key: reason for key, reason in failed.items() if key in expected},
            under_way=tuple(begun) if driven else (),
            driven=driven,
            rest_s=rest * spent[0] / spent[1] if spent[1] else None,
            stopped=stopped,
            folder=self.path,
        )

    def _read(self, name: str) -> str:
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            raise StoreError(f"{name} of the study in {self.path} cannot be read: {error!s:.80}.") from None


@contextmanager
def writing(store: RunStore, target: str) -> Iterator[None]:
    """Hold a file that a study's table is written to. Raises StoreError if another study is writing it."""
    name = hashlib.sha256(str(Path(target).resolve()).encode()).hexdigest()[:16]
    try:
        with store.locks.hold(f"table-{name}"):
            yield
    except RunBusy:
        raise StoreError(f"Another study is writing {target}; give another file to --out.") from None


def parquet(text: str) -> bytes:
    """A table's CSV as Parquet."""
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(read_table(text), preserve_index=False), file)
    return file.getvalue()
