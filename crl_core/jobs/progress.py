"""How far a run has come, by its events; only those since the last look are read."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, assert_never

from crl_core.events import (
    EpochEnded,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunFinished,
    RunStarted,
    Stage,
    StageAdvanced,
    StepsTaken,
    ViewSampled,
)
from crl_core.runs.eventlog import Entry, read_entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The latest attempt at a run; all defaults before its first event."""

    began: int = -1  # where the attempt's first line begins in the file
    started_at: float | None = None  # seconds since 1970
    epoch: int = 0
    epochs: int = 0
    elapsed_s: float = 0.0
    ending: Literal["finished", "cancelled", "failed"] | None = None
    reason: str | None = None
    stage: Stage | None = None
    stage_done: int = 0
    stage_total: int = 0
    completed: bool = False


def advanced(progress: Progress, entry: Entry) -> Progress:
    """`progress` after one more event."""
    event = entry.event
    match event:
        case RunStarted():
            return Progress(began=entry.offset, started_at=entry.at, epochs=event.epochs)
        case EpochEnded():
            return replace(progress, epoch=event.epoch, elapsed_s=event.elapsed_s)
        case StepsTaken() | ViewSampled():
            return progress
        case RunFinished():
            return replace(progress, ending="finished", elapsed_s=event.elapsed_s)
        case RunCancelled():
            return replace(progress, ending="cancelled", elapsed_s=event.elapsed_s)
        case RunFailed():
            # the manager may say so for a worker that died before it could begin: that is an attempt, too
            return replace(progress, ending="failed", reason=event.reason, began=max(progress.began, entry.offset))
        case StageAdvanced():
            return replace(progress, stage=event.stage, stage_done=event.done, stage_total=event.total, completed=False)
        case RunCompleted():
            return replace(progress, completed=True)
        case _:
            assert_never(event)


class Tail:
    """Follows one events file; shared by threads."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._file: tuple[int, bytes] | None = None
        self._offset = 0
        self._progress = Progress()

    def follow(self, path: Path) -> Progress:
        """The progress by now. A file that was replaced is read from its beginning. Raises StoreError."""
        with self._mutex:
            file = _identity(path)
            if file != self._file:
                self._file, self._offset, self._progress = file, 0, Progress()
            if file is not None:
                entries, end = read_entries(path, self._offset)
                if end < self._offset:
                    self._progress = Progress()
                self._offset = end
                for entry in entries:
                    self._progress = advanced(self._progress, entry)
            return self._progress


def _identity(path: Path) -> tuple[int, bytes] | None:
    """Identity of a file at a path: its inode and the beginning of its first line, which holds the time."""
    try:
        with open(path, "rb") as file:
            return os.fstat(file.fileno()).st_ino, file.readline(120)
    except OSError:
        return None
