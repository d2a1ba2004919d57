"""Putting runs away, and making room: trash, quarantine, quota."""

from __future__ import annotations

import calendar
import os
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path

TRASH_DAYS = 14.0
_GONE = ".gone-"
_TIME = "%Y%m%dT%H%M%SZ"


def put_away(folder: Path, into: Path) -> Path:
    """Move a run's folder to trash or quarantine, named by key and time; returns its place. Raises OSError."""
    into.mkdir(parents=True, exist_ok=True)
    return folder.rename(into / f"{folder.name}-{time.strftime(_TIME, time.gmtime())}-{time.time_ns() % 10**9:09d}")


def put_away_in(folder: Path) -> list[Path]:
    """Runs in trash or quarantine, oldest first."""
    return sorted((path for path in folder.glob("*-*") if path.is_dir()), key=lambda path: (_since(path), path.name))


def destroy(folder: Path) -> None:
    """Delete a folder so that no moment shows half of it. Raises OSError."""
    if os.path.exists(folder):
        folder.rename(folder.parent / f"{_GONE}{secrets.token_hex(8)}")
        sweep(folder.parent)


def sweep(folder: Path) -> None:
    """Delete for good what `destroy` has taken out of sight in `folder`, also what a killed process left of it."""
    for gone in folder.glob(f"{_GONE}*"):
        shutil.rmtree(gone, ignore_errors=True)


def make_room(quota_bytes: int, discarded: list[Path], runs: list[Path], evict: Callable[[Path], bool]) -> None:
    """Destroy what has been discarded for too long; then, while over the quota, the rest of it and the oldest runs.

    discarded: folders in trash and quarantine.
    runs:      folders of runs, the one to go first in front.
    evict:     destroys one of `runs`, or says False if it must stay.
    """
    sizes = {path: _size(path) for path in (*discarded, *runs)}
    used = sum(sizes.values())
    for path in sorted(discarded, key=_since):
        if used > quota_bytes or time.time() - _since(path) > TRASH_DAYS * 86400:
            destroy(path)
            used -= sizes[path]
    for path in runs:
        if used <= quota_bytes:
            break
        if evict(path):
            used -= sizes[path]


def _since(path: Path) -> float:
    """When a folder was put away, seconds since 1970."""
    try:
        return float(calendar.timegm(time.strptime(path.name.split("-")[1], _TIME)))
    except (ValueError, IndexError):
        return path.stat().st_mtime


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
