"""Putting runs away, and making room: trash, quarantine, quota."""

from __future__ import annotations

import calendar
import os
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from crl_core.runs.sealing import move_folder, sync_folder

_GONE = ".gone-"
_TIME = "%Y%m%dT%H%M%SZ"


def put_away(folder: Path, into: Path) -> Path:
    """Move a run's folder to trash or quarantine, named by key and time; returns its place. Raises OSError."""
    place = into / f"{folder.name}-{time.strftime(_TIME, time.gmtime())}-{time.time_ns() % 10**9:09d}"
    move_folder(folder, place)
    return place


def put_away_in(folder: Path) -> list[Path]:
    """Runs in trash or quarantine, oldest first. Raises OSError."""
    if not folder.is_dir():
        return []
    found = [folder / entry.name for entry in os.scandir(folder) if _name(entry.name) and entry.is_dir()]
    return sorted(found, key=lambda path: (_since(path), path.name))


def _name(name: str) -> bool:
    return "-" in name and not name.startswith(".")


def destroy(folder: Path) -> None:
    """Delete a folder so that no moment shows half of it. Raises OSError."""
    if os.path.exists(folder):
        with suppress(FileNotFoundError):  # someone else did it this moment
            folder.rename(folder.parent / f"{_GONE}{secrets.token_hex(8)}")
        sweep(folder.parent)
        sync_folder(folder.parent)


def sweep(folder: Path) -> None:
    """Delete for good what `destroy` has taken out of sight in `folder`, also what a killed process left of it."""
    for gone in folder.glob(f"{_GONE}*"):
        with suppress(OSError):  # `ignore_errors` does not cover the closing of its folders
            shutil.rmtree(gone, ignore_errors=True)


def make_room(quota_bytes: int, discarded: Sequence[Path], runs: Sequence[Path], evict: Callable[[Path], bool]) -> int:
    """While over the quota, destroy what was discarded, the oldest first, then the oldest runs; the bytes that are
    still over it, below 0 where there is room. Nothing goes by its age, since a clock may be wrong.

    discarded: folders in trash and quarantine.
    runs:      folders of runs, the one to go first in front.
    evict:     destroys one of `runs`, or says False if it must stay.
    """
    sizes = {path: size_of(path) for path in (*discarded, *runs)}
    over = sum(sizes.values()) - quota_bytes
    for path in sorted(discarded, key=_since):
        if over > 0:
            destroy(path)
            over -= sizes[path]
    for path in runs:
        if over > 0 and evict(path):
            over -= sizes[path]
    return over


def _since(path: Path) -> float:
    """When a folder was put away, seconds since 1970."""
    try:
        return float(calendar.timegm(time.strptime(path.name.split("-")[1], _TIME)))
    except (ValueError, IndexError):
        return path.stat().st_mtime


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder; those that go meanwhile count nothing."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                total += path.stat().st_size
    return total
