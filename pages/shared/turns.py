"""Pages are drawn one after the other, since one interpreter draws them all.

Streamlit runs every visitor's script in a thread of its own. Each of a page's hundred messages lets go of the
interpreter, and a thread that lets go of it among many others waits 5 ms for each of them until it has it back: 200
visitors who leaf through the pages then wait seconds for what takes 30 ms. One at a time, they wait tenths.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Lock

LONGEST_S = 0.5  # then a run that works something out, or waits for something, keeps nobody from his turn any more


class Turns:
    """Whose turn it is, in the order of asking: one holds it at a time, and for so long at most."""

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self._longest_s = longest_s
        self._lock = Lock()
        self._waiting: deque[Condition] = deque()
        self._holder: object | None = None
        self._until = 0.0  # on the clock `time.monotonic`

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for it, and give it back afterwards."""
        mine = Condition(self._lock)
        with self._lock:
            self._waiting.append(mine)
            while not (first := self._waiting[0] is mine) or self._left() > 0:
                mine.wait(self._left() if first else None)
            self._waiting.popleft()
            self._holder, self._until = mine, time.monotonic() + self._longest_s
            self._wake()  # who is first now looks at the clock
        try:
            yield
        finally:
            with self._lock:
                if self._holder is mine:
                    self._holder = None
                    self._wake()

    def _left(self) -> float:
        """Seconds until who holds the turn holds it no more; none where nobody does."""
        return 0.0 if self._holder is None else self._until - time.monotonic()

    def _wake(self) -> None:
        if self._waiting:
            self._waiting[0].notify()


TURNS = Turns()
