"""One process at a time for each run: a lock file a key, which the operating system frees when its holder dies.

Beside it lies a flag, <key>.cancel, that asks the holder to stop. It holds the time of asking, so that a flag from
before a run was asked for again is known to be stale.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from crl_core.runs.sealing import StoreError, disk_error

LOOK_S = 0.05  # how often `Cancellation` looks at the disk


class RunBusy(StoreError):
    """The run is being trained or changed by someone else just now."""


class Locks:
    """Locks and cancel flags in one folder; shared by threads, and by processes through the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks: dict[tuple[int, str], FileLock] = {}  # by process, too: a lock does not survive a fork
        self._mutex = threading.Lock()

    @contextmanager
    def hold(self, key: str, wait_s: float = 0.0) -> Iterator[None]:
        """Hold the lock of `key`; the same thread may take it again. Raises RunBusy, or StoreError from the disk."""
        path = self._path(key)
        with self._mutex:
            lock = self._locks.setdefault((os.getpid(), key), FileLock(path))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=wait_s, poll_interval=0.02)
        except Timeout:
            raise RunBusy(f"Run {key} is being trained or changed just now; wait for its end, or cancel it.") from None
        except OSError as error:
            raise disk_error(f"write in the cache folder {self._folder.parent}", error) from None
        try:
            yield
        finally:
            lock.release()

    def busy(self, key: str) -> bool:
        """Whether someone holds the lock at this moment, this thread included."""
        path = self._path(key)
        if not os.path.exists(path):
            return False
        probe = FileLock(path)
        try:
            probe.acquire(timeout=0)
        except Timeout:
            return True
        except OSError:
            return False  # a folder that cannot be written: nobody trains there
        probe.release()
        return False

    def ask_to_stop(self, key: str) -> None:
        """Raise the flag. Raises StoreError if the disk refuses."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._flag(key).write_text(repr(time.time()))
        except OSError as error:
            raise disk_error(f"ask run {key} to stop", error) from None

    def asked_to_stop(self, key: str, since: float = 0.0) -> bool:
        """Whether the flag has been raised at `since` (seconds since 1970) or later."""
        try:
            return float(self._flag(key).read_text()) >= since
        except (OSError, ValueError):  # none, or written this very moment
            return False

    def lower_flag(self, key: str) -> None:
        with suppress(OSError):
            self._flag(key).unlink()

    def cancellation(self, key: str, since: float) -> Callable[[], bool]:
        """A cheap `should_stop`: looks at the flag at most every LOOK_S, and stays True once it has been."""
        looked, stopped = 0.0, False

        def should_stop() -> bool:
            nonlocal looked, stopped
            now = time.monotonic()
            if not stopped and now - looked >= LOOK_S:
                looked, stopped = now, self.asked_to_stop(key, since)
            return stopped

        return should_stop

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.lock"

    def _flag(self, key: str) -> Path:
        return self._folder / f"{key}.cancel"
