"""One run at a time on this machine, however many servers work on one folder of runs.

A server that trains holds a lock; one that wants to holds another, which says that it is the next. So whoever has just
trained comes after those who wait. The operating system frees both when their holder dies.

There is no owner of all jobs, to whom the others would hand theirs in files: the rows of somebody's table stay in the
process that was given them.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from crl_core.runs.sealing import make_in_store

LOOK_S = 0.2  # how often a server that waits asks again


class Turn:
    """This server's turn to train on the folder `root`. A disk that takes no lock keeps nobody from training."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "queue"
        self._next, self._now = (
            FileLock(self._folder / f"{name}.lock", thread_local=False) for name in ("next", "now")
        )

    def take(self) -> bool:
        """Whether it is this server's turn; if not, it is so sooner or later, provided that this is asked again."""
        if self._now.is_locked:
            return True
        try:
            make_in_store(self._folder)
            if not self._next.is_locked:
                self._next.acquire(timeout=0)
            self._now.acquire(timeout=0)
        except Timeout:
            return False
        except OSError:
            return True
        self._next.release()
        return True

    def leave(self) -> None:
        """It is another's, and nothing is waited for."""
        for lock in (self._now, self._next):
            with suppress(OSError):
                lock.release()
