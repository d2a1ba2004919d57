"""A server that is full: it says so on a page, and does not fill the disk with saying so in its log.

A visitor holds a few file descriptors; where the system gives no more, asyncio writes a line for every connection that
it could not take, 12,000 a second.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from contextlib import suppress

from streamlit.runtime import get_instance

from crl_core.serve.descriptors import raise_limit

RESERVE = 64  # descriptors that visitors leave for files, the worker and the log
AT_FULL_PACE = 20  # visitors
MOST_A_MINUTE = 20  # lines of a log that say the same
FULL = (
    "<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content=20><title>CRL Explorer</title>"
    '<body style="font:1.1rem/1.5 system-ui;max-width:34rem;margin:20vh auto;padding:0 1rem">'
    "<h1>Every seat is taken</h1><p>As many people as this server can hold are looking at it. This page tries again "
    "every 20 seconds; nothing that is trained is lost.</p>"
)
_LOGS = ("asyncio", "streamlit", "uvicorn", "uvicorn.error")


class Sparingly(logging.Filter):
    """Of lines that come from one place in the code at most `MOST_A_MINUTE` a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._minute = 0.0
        self._said: Counter[tuple[str, int]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if now - self._minute > 60:
            self._minute = now
            self._said.clear()
        self._said[record.pathname, record.lineno] += 1
        return self._said[record.pathname, record.lineno] <= MOST_A_MINUTE


_sparingly, _limit = Sparingly(), None


def prepare() -> None:
    """Allow as many descriptors as the system does, and keep the log short. Once, by the server."""
    global _limit
    _limit = raise_limit()
    for name in _LOGS:
        logging.getLogger(name).addFilter(_sparingly)


def pace(seconds: float) -> float:
    """How often a live page looks again: as it would, for a few visitors; the more there are, the less often."""
    audience = 1
    with suppress(RuntimeError, AttributeError):  # no server, or a Streamlit that counts otherwise
        audience = get_instance()._session_mgr.num_active_sessions()
    return seconds * max(1.0, audience / AT_FULL_PACE)


def full() -> bool:
    """Whether the next visitor would take what the server itself needs."""
    with suppress(OSError):
        return _limit is not None and len(os.listdir("/proc/self/fd")) > _limit - RESERVE
    return False
