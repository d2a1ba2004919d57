"""Monitor of traffic: does it still look like training? A window of latents per label, tested beside requests.

Test:     latent MMD² of the newest `window` rows of a label against held-out latents, all environments together and
          each alone; the larger p counts: a label may be one known site or their usual mixture. Every `least` new rows.
Level:    .05 for a label's first 200 tests together: one test alarms at p <= .05 / 200. By the union bound this holds
          although windows overlap and share one reference sample. Beyond 200 tests the promise is one alarm in 4,000
          tests.
Cost:     199 relabellings; 7,999 more only where they give p <= .05. In a process of its own, resting twice as long as
          it works.
Limits:   sees the latent only: a changed effect, or what the encoder throws away, moves nothing here.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

from crl_core.measures.falsifiers import LEVEL
from crl_core.serve.monitor_process import Tester
from crl_core.serve.settings import Settings

TESTS = 200  # over which the level holds
ALARM = LEVEL / TESTS
OTHERS = "(others)"  # the shared window of labels that came when all places were taken
OK, DRIFTED, WARMING_UP = "ok", "drifted", "warming up"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The last test of a label. p, mmd2: None before the first."""

    status: str = WARMING_UP
    p: float | None = None
    mmd2: float | None = None
    rows: int = 0  # seen so far
    tests: int = 0
    alarms: int = 0


@dataclass(slots=True)
class _Watch:
    latents: np.ndarray  # [window, k], a ring
    state: State = field(default_factory=State)
    seen: int = 0
    tested_at: int = 0
    last: float = 0.0  # when rows came, by the monotonic clock


class Monitor:
    """Bounded windows, a thread that waits and a process that tests. `add` copies the rows, `state` looks up."""

    def __init__(self, reference: np.ndarray, environment: np.ndarray, settings: Settings) -> None:
        """reference: [m, k] held-out latents.  environment: [m], theirs."""
        self._settings = settings
        self._tester = Tester(reference.astype(np.float64), environment, settings.seed)
        self._watches: OrderedDict[str, _Watch] = OrderedDict()
        self._changed = threading.Condition()
        self._closing, self._busy = False, False
        self._thread = threading.Thread(target=self._work, name="invariance", daemon=True)
        self._thread.start()

    def place(self, label: str) -> str:
        """The label under which traffic of `label` is watched: its own while there is room."""
        with self._changed:
            return self._place(label)

    def add(self, label: str, phi: np.ndarray) -> None:
        """Note the latents [n, k] of a request."""
        window = self._settings.window
        with self._changed:
            if self._place(label) != label:
                self._forget_idle()
            place = self._place(label)
            watch = self._watches.get(place)
            if watch is None:
                watch = self._watches[place] = _Watch(np.zeros((window, phi.shape[1]), np.float32))
            kept = phi[-window:]
            first = watch.seen + len(phi) - len(kept)
            watch.latents[(first + np.arange(len(kept))) % window] = kept
            watch.seen += len(phi)
            watch.last = time.monotonic()
            if watch.seen - watch.tested_at >= self._settings.least:
                self._changed.notify_all()

    def state(self, label: str) -> State:
        with self._changed:
            watch = self._watches.get(self._place(label))
            return State() if watch is None else _of(watch)

    def states(self) -> dict[str, State]:
        """Of every watched label, at most `max_labels` + 1."""
        with self._changed:
            return {label: _of(watch) for label, watch in self._watches.items()}

    def settle(self, timeout_s: float = 30.0) -> bool:
        """Wait until all that was added is tested, for tests and shutdown; False if it took longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy and self._due() is None, timeout_s)

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout=10)
        self._tester.close()

    def _place(self, label: str) -> str:
        own = len(self._watches) - (OTHERS in self._watches)
        if label in self._watches or own < self._settings.max_labels:
            return label
        return OTHERS

    def _forget_idle(self) -> None:
        """Where all places are taken: make one where no rows came for longest, if that is long enough."""
        idlest = min((label for label in self._watches if label != OTHERS), key=lambda name: self._watches[name].last)
        if time.monotonic() - self._watches[idlest].last > self._settings.idle_s:
            del self._watches[idlest]

    def _due(self) -> str | None:
        """The label that waits longest since its last test."""
        waiting = {
            label: watch.seen - watch.tested_at
            for label, watch in self._watches.items()
            if watch.seen - watch.tested_at >= self._settings.least
        }
        return max(waiting, key=lambda label: waiting[label]) if waiting else None

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._due() is not None)
                if self._closing:
                    return
                label = self._due()
                assert label is not None
                watch = self._watches[label]
                watch.tested_at = watch.seen
                rows = watch.latents[: min(watch.seen, self._settings.window)].astype(np.float64)
                self._busy = True
            start = time.monotonic()
            try:
                p, mmd2 = self._tester.test(rows)
            except (OSError, ValueError):  # the process was killed; it is started again for the next window
                p, mmd2 = float("nan"), float("nan")
            with self._changed:
                before = watch.state
                alarm = p <= ALARM
                if np.isfinite(p):
                    watch.state = State(
                        status=DRIFTED if alarm else OK,
                        p=p,
                        mmd2=mmd2,
                        rows=watch.seen,
                        tests=before.tests + 1,
                        alarms=before.alarms + alarm,
                    )
                self._busy = False
                self._changed.notify_all()
                rest = 2 * (time.monotonic() - start)
                self._changed.wait_for(lambda: self._closing, min(rest, 1.0))


def _of(watch: _Watch) -> State:
    state = watch.state
    return State(
        status=state.status, p=state.p, mmd2=state.mmd2, rows=watch.seen, tests=state.tests, alarms=state.alarms
    )
