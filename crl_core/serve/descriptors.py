"""File descriptors: a visitor holds four, and what a system allows at first is soon used up."""

from __future__ import annotations

from contextlib import suppress


def raise_limit() -> int | None:
    """Allow this process, and those that it starts, as many open files as the system lets it; how many that are, None
    where that is not known."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return soft
