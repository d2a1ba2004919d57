"""Rooms: what a class predicted, in this process's memory: without names, bounded, and gone after a day.

Of options and numbers only counts are kept, of drawn lines the first 300; texts are not gathered.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from crl_core.lessons.answers import SKIPPED, Answer

MOST_ROOMS = 200
MOST_LINES = 300
DAY_S = 86_400.0
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,23}")
Place = tuple[str, int]  # lesson and step


def room_name(asked: str) -> str:
    """The name of a room as it is kept. Raises ValueError with one sentence."""
    name = asked.strip().lower()
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"The link names a room “{asked[:30]}”; a name has 1 to 24 letters a to z, digits and hyphens, such as "
            "blue7. Predictions are not gathered."
        )
    return name


@dataclass(frozen=True, slots=True)
class Tally:
    """What was predicted at a step: how many did, the counts by answer, and the lines."""

    count: int
    counts: Mapping[int | float, int]
    lines: Sequence[Sequence[float]]


@dataclass(slots=True)
class _Gathered:
    count: int = 0
    counts: Counter[int | float] = field(default_factory=Counter)
    lines: list[list[float]] = field(default_factory=list)


@dataclass(slots=True)
class _Room:
    begun: float
    places: dict[Place, _Gathered] = field(default_factory=dict)
    opened: set[Place] = field(default_factory=set)


class Rooms:
    """The rooms of this process. A full house forgets the room that was opened first. Safe among threads."""

    def __init__(self) -> None:
        self._rooms: OrderedDict[str, _Room] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, name: str, place: Place, answer: Answer) -> None:
        """Gather one prediction; of what was skipped, or written, nothing."""
        if answer == SKIPPED or isinstance(answer, str):
            return
        with self._lock:
            found = self._room(name).places.setdefault(place, _Gathered())
            found.count += 1
            if not isinstance(answer, list):
                found.counts[answer] += 1
            elif len(found.lines) < MOST_LINES:
                found.lines.append(answer)

    def tally(self, name: str, place: Place) -> Tally:
        with self._lock:
            found = self._room(name).places.get(place, _Gathered())
            return Tally(found.count, dict(sorted(found.counts.items())), tuple(tuple(line) for line in found.lines))

    def open(self, name: str, place: Place) -> None:
        """The lecturer has revealed this step: those who wait may see it."""
        with self._lock:
            self._room(name).opened.add(place)

    def opened(self, name: str, place: Place) -> bool:
        with self._lock:
            return place in self._room(name).opened

    def _room(self, name: str) -> _Room:
        now = time.monotonic()
        while self._rooms and now - next(iter(self._rooms.values())).begun > DAY_S:
            self._rooms.popitem(last=False)
        if name not in self._rooms:
            if len(self._rooms) >= MOST_ROOMS:
                self._rooms.popitem(last=False)
            self._rooms[name] = _Room(now)
        return self._rooms[name]
