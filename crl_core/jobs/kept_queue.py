"""What was asked for, on disk: a server that ends, however it does, is followed by one that goes on with it.

Each server writes a file of its own, queue/<random>.json in the store's folder, and holds a lock beside it while it
lives; the next one takes up the files that nobody holds. What concerns somebody's table is never written: neither its
rows nor the names of its columns outlive the session that brought them.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from crl_core.jobs.executors import Job
from crl_core.runs.locks import is_held
from crl_core.runs.sealing import make_in_store, write_atomically


class KeptQueue:
    """The file of one server. What the disk refuses is not kept, and stops nothing."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "queue"
        self._file = self._folder / f"{secrets.token_hex(8)}.json"
        self._lock: FileLock | None = None
        self._written = "[]"

    def write(self, jobs: Iterable[Job]) -> None:
        """Keep these, in this order, in the place of what was kept before."""
        plain = [job.to_dict() for job in jobs if not _of_a_table(job)]
        text = json.dumps(plain)
        if text == self._written:
            return
        with suppress(OSError):
            if self._lock is None:
                make_in_store(self._folder)
                self._lock = FileLock(_lock_of(self._file))
                self._lock.acquire(timeout=0)
            write_atomically(self._file, text.encode())
            self._written = text

    @contextmanager
    def orphans(self) -> Iterator[tuple[list[Job], int]]:
        """What servers that have ended left, the oldest file first, and how many entries cannot be read any more. The
        files go at the end, once the jobs are in somebody's queue."""
        found: list[Job] = []
        lost = 0
        with ExitStack() as held:
            for file in self._files():
                lock = FileLock(_lock_of(file))
                try:
                    lock.acquire(timeout=0)
                except (Timeout, OSError):  # its server lives
                    continue
                held.callback(lock.release)
                held.callback(_remove, file)
                jobs, unreadable = _read(file)
                found += jobs
                lost += unreadable
            yield found, lost

    def elsewhere(self) -> list[list[Job]]:
        """What each other server that lives has under way and waiting, in its order."""
        return [_read(file)[0] for file in self._files() if file != self._file and is_held(_lock_of(file))]

    def _files(self) -> list[Path]:
        try:
            return sorted(self._folder.glob("*.json"), key=lambda file: file.stat().st_mtime)
        except OSError:
            return []

    def close(self) -> None:
        """Let go, so that the next server takes up what is written."""
        if self._lock is not None:
            self._lock.release()
        if self._written == "[]":
            _remove(self._file)


def _lock_of(file: Path) -> Path:
    """The lock that a server holds while it lives, beside its file."""
    return file.with_suffix(".lock")


def _remove(file: Path) -> None:
    """A server's file, and the lock beside it."""
    for path in (file, _lock_of(file)):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _read(file: Path) -> tuple[list[Job], int]:
    """Its jobs, and how many entries cannot be read."""
    found, lost = [], 0
    try:
        for plain in json.loads(file.read_text(encoding="utf-8")):
            try:
                found.append(Job.from_dict(plain))
            except (ValueError, KeyError, TypeError, AttributeError):
                lost += 1
    except (OSError, ValueError, TypeError, RecursionError):
        lost += 1
    return found, lost


def _of_a_table(job: Job) -> bool:
    config = job.task.get("config") if job.config is None else job.config.to_dict()
    return bool((config or {}).get("table"))
