"""The memory of temporaries, which a step frees and the next one asks for again."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_ALL = 2**31 - 1  # the most that it takes
# Where glibc's own rule ends by itself, once something as large has been freed.
_AFTERWARDS = {_MMAP_THRESHOLD: 2**25, _TRIM_THRESHOLD: 2**26}


@contextmanager
def kept_pages() -> Iterator[None]:
    """The process keeps what it frees meanwhile; afterwards it goes back to the system. Does nothing without glibc.

    By itself glibc hands large tensors back as they are freed, and the next step waits for the system to clear as many
    new pages: for a twelfth of the time of the first visit's path, for half of it in batches of 1,024 rows
    (`benchmarks/heap.py`).
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    for threshold in _AFTERWARDS:
        libc.mallopt(threshold, _ALL)
    try:
        yield
    finally:
        for threshold, size in _AFTERWARDS.items():
            libc.mallopt(threshold, size)
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    """The C library of this process, where it is glibc."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    return libc if hasattr(libc, "mallopt") else None
