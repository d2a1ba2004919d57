"""One process at a time for each run: a lock file a key, which the operating system frees when its holder dies.

Beside it lie <key>.attempt, where the holder says which attempt at the run it is, and a flag, <key>.cancel, that asks
an attempt to stop, by its name: a flag of an earlier one is stale, whatever a clock says.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from crl_core.runs.sealing import StoreError, disk_error, make_in_store

LOOK_S = 0.05  # how often `Cancellation` looks at the disk


class RunBusy(StoreError):
    """The run is being trained or changed by someone else just now."""


def is_held(path: Path) -> bool:
    """Whether someone holds the lock of this file at this moment, this thread included."""
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
            make_in_store(self._folder)
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
        return is_held(self._path(key))

    def begin(self, key: str, attempt: str = "") -> str:
        """Say which attempt the holder of the lock is at; a new one where it has no name yet. Its name."""
        attempt = attempt or secrets.token_hex(8)
        with suppress(OSError):  # then only who knows the name can ask it to stop
            self._attempt(key).write_text(attempt)
        return attempt

    def end(self, key: str) -> None:
        """The holder's attempt is over."""
        with suppress(OSError):
            self._attempt(key).unlink()
        self.lower_flag(key)

    def ask_to_stop(self, key: str, attempt: str = "") -> None:
        """Raise the flag for an attempt; default the one under way. Raises StoreError if the disk refuses."""
        try:
            make_in_store(self._folder)
            self._flag(key).write_text(attempt or self._attempt(key).read_text())
        except FileNotFoundError:
            return  # nobody is at it
        except OSError as error:
            raise disk_error(f"ask run {key} to stop", error) from None

    def asked_to_stop(self, key: str, attempt: str) -> bool:
        """Whether the flag has been raised for this attempt."""
        try:
            return self._flag(key).read_text() == attempt
        except (OSError, ValueError):
            return False

    def lower_flag(self, key: str) -> None:
        with suppress(OSError):
            self._flag(key).unlink()

    def cancellation(self, key: str, attempt: str) -> Callable[[], bool]:
        """A cheap `should_stop`: looks at the flag at most every LOOK_S, and stays True once it has been."""
        looked, stopped = 0.0, False

        def should_stop() -> bool:
            nonlocal looked, stopped
            now = time.monotonic()
            if not stopped and now - looked >= LOOK_S:
                looked, stopped = now, self.asked_to_stop(key, attempt)
            return stopped

        return should_stop

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.lock"

    def _attempt(self, key: str) -> Path:
        return self._folder / f"{key}.attempt"

    def _flag(self, key: str) -> Path:
        return self._folder / f"{key}.cancel"
