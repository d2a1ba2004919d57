"""The cores and the memory that a program may use here, within the limits of a container."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

FEW_CORES = 1.5  # below it, or below LITTLE_MEMORY, a machine is called small
LITTLE_MEMORY = 1.5e9  # bytes

_CGROUP = Path("/sys/fs/cgroup")


def cores(cgroup: Path = _CGROUP) -> float:
    """Cores that this process may use: the lesser of its affinity and its container's share."""
    try:
        found = float(len(os.sched_getaffinity(0)))
    except AttributeError:  # macOS, Windows
        found = float(os.cpu_count() or 1)
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()  # "max 100000", or microseconds a period
        limit = float(quota) / float(period)
    except (OSError, ValueError):
        quota_us = _number(cgroup / "cpu" / "cpu.cfs_quota_us")  # version 1
        period_us = _number(cgroup / "cpu" / "cpu.cfs_period_us")
        limit = quota_us / period_us if quota_us is not None and quota_us > 0 and period_us else found
    return min(found, limit) if limit > 0 else found


def memory_bytes(cgroup: Path = _CGROUP) -> float:
    """Memory that this process may use, of the machine or its container; infinite where neither is known."""
    try:
        total = float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        total = float("inf")
    limits = (_number(cgroup / "memory.max"), _number(cgroup / "memory" / "memory.limit_in_bytes"))
    return min(_positive((total, *limits)))


def why_small() -> str | None:
    """In words, why a training should be smaller than usual here; None where it need not be."""
    few, little = cores(), memory_bytes()
    reasons = [f"{few:.2g} processor core{'' if few == 1 else 's'}"] if few < FEW_CORES else []
    reasons += [f"{little / 1e6:.0f} MB of memory"] if little < LITTLE_MEMORY else []
    return " and ".join(reasons) or None


def _number(path: Path) -> float | None:
    try:
        return float(path.read_text())
    except (OSError, ValueError):  # not there, or "max"
        return None


def _positive(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None and value > 0]
