"""Events of a run on disk: an append-only file of JSON lines with checksums; damaged lines are skipped.

Line:    {"crc":"<8 hexadecimal digits>","event":"EpochEnded","at":1764000000.0,...}; the checksum covers what follows
         it. A line without "crc" is read as well.
Writer:  one at a time (the holder of the run's lock). A write that fails leaves the file as it was.
Reader:  goes to the last line break; skips lines that are damaged. A new attempt at the same run appends another
         RunStarted; what was before it is history.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from crl_core.events import Event, RunStarted, from_json, to_json
from crl_core.runs.sealing import StoreError, disk_error, make_folder, write_atomically

_CRC = b'{"crc":"'
_BODY = len(_CRC) + 8 + 2  # where a line goes on after its checksum


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event, when it was written (seconds since 1970; None if not known) and where its line begins."""

    event: Event
    at: float | None
    offset: int


class EventLog:
    """Appends events to `path`. A context manager; raises StoreError where the disk refuses."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            make_folder(path.parent)
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                size = os.lseek(self._handle, 0, os.SEEK_END)
                os.lseek(self._handle, max(0, size - 1), os.SEEK_SET)
                self._ragged = os.read(self._handle, 1) not in (b"", b"\n")  # a killed writer left half a line
            except OSError:
                self.close()
                raise
        except OSError as error:
            raise self._refused(error) from None

    def append(self, event: Event) -> None:
        line = (b"\n" if self._ragged else b"") + encode(event, at=time.time())
        try:
            size = os.fstat(self._handle).st_size
            try:
                write_all(self._handle, line)
            except OSError:
                self._ragged = True
                with suppress(OSError):
                    os.ftruncate(self._handle, size)
                raise
        except OSError as error:
            raise self._refused(error) from None
        self._ragged = False

    def _refused(self, error: OSError) -> StoreError:
        return disk_error(f"write the events of the run in {self._path.parent}", error)

    def close(self) -> None:
        """Close the file. What the disk says only now concerns no run: events are flushed before they are sealed."""
        with suppress(OSError):
            os.close(self._handle)

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_all(handle: int, content: bytes) -> None:
    """Write every byte, though one call may write a part. Raises OSError."""
    while content:
        content = content[os.write(handle, content) :]


def encode(event: Event, *, at: float) -> bytes:
    """The event's line, with its checksum and line break."""
    rest = to_json(event, at=at).encode()[1:]
    return _CRC + b"%08x" % zlib.crc32(rest) + b'",' + rest + b"\n"


def decode(line: bytes) -> tuple[Event, float | None]:
    """Inverse of `encode`. Raises ValueError if any byte of the line has changed."""
    if line.startswith(_CRC):
        rest = line[_BODY:]
        if line[len(_CRC) : _BODY] != b"%08x" % zlib.crc32(rest) + b'",':
            raise ValueError(f"the line differs from its checksum: {line[:60]!r}")
        line = b"{" + rest
    event = from_json(line)
    at = json.loads(line).get("at") if isinstance(event, RunStarted) else None  # nobody asks for the others' time
    return event, at if isinstance(at, (int, float)) else None


def salvage(path: Path) -> None:
    """Keep of a damaged log the lines that are whole. Raises OSError."""
    kept = []
    for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
        with suppress(ValueError, RecursionError):
            decode(line.rstrip(b"\r\n"))
            if line.endswith(b"\n"):
                kept.append(line)
    write_atomically(path, b"".join(kept))


def read_entries(path: Path, offset: int = 0) -> tuple[list[Entry], int]:
    """Whole lines from `offset` on, and where to go on reading. No file: nothing.

    An `offset` beyond the end means that the file is another one by now: it is read from its beginning.
    Raises: StoreError if the file is there but cannot be read.
    """
    try:
        with open(path, "rb") as file:
            if offset > os.fstat(file.fileno()).st_size:
                offset = 0
            file.seek(offset)
            content = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return [], 0
    except OSError as error:
        raise disk_error(f"read the events in {path.parent}", error) from None
    content = content[: content.rfind(b"\n") + 1]
    entries = []
    position = offset
    for line in content.splitlines(keepends=True):
        with suppress(ValueError, RecursionError):
            event, at = decode(line.rstrip(b"\r\n"))
            entries.append(Entry(event=event, at=at, offset=position))
        position += len(line)
    return entries, position


def latest_attempt(entries: list[Entry]) -> list[Entry]:
    """The entries from the last RunStarted on; all of them if none has started."""
    for index in range(len(entries) - 1, -1, -1):
        if isinstance(entries[index].event, RunStarted):
            return entries[index:]
    return entries
