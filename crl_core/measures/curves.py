"""The learning curves of a run, from its events as they come or from its result: medians over replicates, one a λ.

A model that diverged has no numbers from then on; a λ has a number while any of its replicates has one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from crl_core.events import OK, EpochEnded, Event, Readings, RunStarted, StepsTaken
from crl_core.metrics import kept_in
from crl_core.results import RunResult

CURVES = tuple(metric.name for metric in kept_in("epoch"))
_ERRORS = ("ite_rmse", "validation_mse", "factual_mse")  # the first that there is


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curves:
    """What is known of the curves by now, at T moments of `epochs` epochs; L = len(lams).

    at:      [T] epochs that each moment is after; while a run trains, some within the first.
    values:  name of CURVES -> [T, L], median over replicates; no "ite_rmse" where the truth is not known.
    low, high: [L] smallest and largest of `error_name` over the replicates, last epoch.
    ate_range: the same of "ate"; None where that is not looked at.
    kept:    name of CURVES -> [L], of the epoch that each model ends with where rows kept apart have chosen it; else
             empty, and the last epoch counts.
    status:  [L] worst status of the replicates, index into events.STATUS_WORDS; `n_bad` [L] counts those not ok.
    """

    lams: tuple[float, ...]
    epochs: int
    replicates: int
    at: np.ndarray
    values: dict[str, np.ndarray]
    low: np.ndarray
    high: np.ndarray
    status: np.ndarray
    n_bad: np.ndarray
    kept: dict[str, np.ndarray] = field(default_factory=dict)
    ate_range: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def error_name(self) -> str:
        """What is drawn against λ: the effect error where it is known, else the error that chooses λ."""
        return next(name for name in _ERRORS if name in self.values)

    def now(self, name: str) -> np.ndarray:
        """A curve's value that counts by now, [L]; there is a moment at least."""
        return self.kept[name] if name in self.kept else np.asarray(self.values[name][-1])

    def last(self, name: str, lam: float) -> float | None:
        """The latest value of a curve at a λ of the grid; None where there is none."""
        if name not in self.values or not len(self.at) or lam not in self.lams:
            return None
        value = float(self.now(name)[self.lams.index(lam)])
        return value if np.isfinite(value) else None


def empty(lams: tuple[float, ...], epochs: int, replicates: int = 1) -> Curves:
    """Curves of a run that has not begun."""
    nothing = np.full(len(lams), np.nan)
    return Curves(
        lams=lams,
        epochs=epochs,
        replicates=replicates,
        at=np.empty(0),
        values={name: np.empty((0, len(lams))) for name in CURVES},
        low=nothing,
        high=nothing,
        status=np.zeros(len(lams), dtype=np.int64),
        n_bad=np.zeros(len(lams), dtype=np.int64),
    )


def of_result(result: RunResult) -> Curves:
    """The curves of a finished run, from its history."""
    replicates, lams = result.config.training.replicates, result.lams
    values = {
        name: _medians(np.asarray(rows, dtype=np.float64).reshape(len(rows), replicates, len(lams)))
        for name, rows in result.history.items()
        if name in CURVES
    }
    low, high = _range(result.by_lam(_error_of(result)))
    status = result.by_lam(result.status)
    chosen = () if result.validation_mse is None else [metric.name for metric in result.kept if metric.name in values]
    return Curves(
        lams=lams,
        epochs=result.config.training.epochs,
        replicates=replicates,
        at=1.0 + np.arange(len(values["loss"])),
        values=values,
        low=low,
        high=high,
        status=status.max(axis=0),
        n_bad=(status != OK).sum(axis=0),
        kept={name: _medians(result.by_lam(getattr(result, name))[None])[0] for name in chosen},
        ate_range=None if result.ate is None else _range(result.by_lam(result.ate)),
    )


def earlier(result: RunResult, name: str, count: int) -> list[tuple[int, np.ndarray]]:
    """A curve at up to `count` epochs before the last, closer together at the beginning: (epoch, median [L]).

    Empty for a curve that the run has not, or that has fewer than three epochs.
    """
    rows = result.history.get(name)
    if rows is None or len(rows) < 3:
        return []
    epochs = np.unique(np.rint(np.geomspace(1, len(rows) - 1, count)).astype(int))
    shape = (len(epochs), result.config.training.replicates, len(result.lams))
    picked = np.asarray(rows, dtype=np.float64)[epochs - 1].reshape(shape)
    return [(int(epoch), medians) for epoch, medians in zip(epochs, _medians(picked), strict=True)]


@dataclass(slots=True)
class Follower:
    """Curves that grow with the events of one run; shared by threads.

    read: (offset) -> (events from there on, next offset), as `JobManager.events` gives them for a key.
    """

    read: Callable[[int], tuple[Iterable[Event], int]]
    _offset: int = 0
    _started: RunStarted | None = None
    _rows: dict[str, list[np.ndarray]] = field(default_factory=dict)
    _at: list[float] = field(default_factory=list)
    _latest: Readings | None = None
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def follow(self) -> Curves | None:
        """The curves by now; None before the run has started."""
        with self._mutex:
            events, end = self.read(self._offset)
            if end < self._offset:  # another file has taken the place of the one that was read
                self._started = None
                events, end = self.read(0)
            self._offset = end
            for event in events:
                if isinstance(event, RunStarted):
                    self._started, self._latest = event, None
                    self._rows, self._at = {name: [] for name in CURVES}, []
                elif isinstance(event, StepsTaken | EpochEnded) and self._started is not None:
                    self._add(event)
            return self._curves()

    def _shape(self) -> tuple[int, int]:
        assert self._started is not None
        replicates = int(self._started.replicate.max()) + 1
        return replicates, len(self._started.lam) // replicates

    def _add(self, event: StepsTaken | EpochEnded) -> None:
        self._at.append(event.epoch)
        for name, rows in self._rows.items():
            values = getattr(event, name)
            if values is not None:
                rows.append(_medians(np.asarray(values, dtype=np.float64).reshape(1, *self._shape()))[0])
        self._latest = event

    def _curves(self) -> Curves | None:
        started = self._started
        if started is None:
            return None
        replicates, n_lams = self._shape()
        blank = empty(tuple(float(lam) for lam in started.lam[:n_lams]), started.epochs, replicates)
        latest = self._latest
        if latest is None:
            return blank
        low, high = _range(_error_of(latest).reshape(replicates, n_lams))
        status = latest.status.reshape(replicates, n_lams)
        return Curves(
            lams=blank.lams,
            epochs=blank.epochs,
            replicates=replicates,
            at=np.array(self._at),
            values={name: np.array(rows) for name, rows in self._rows.items() if rows},
            low=low,
            high=high,
            status=status.max(axis=0),
            n_bad=(status != OK).sum(axis=0),
            ate_range=None if latest.ate is None else _range(latest.ate.reshape(replicates, n_lams)),
        )


def _error_of(found: RunResult | Readings) -> np.ndarray:
    """What is drawn against λ, of every model, [M]."""
    return next(np.asarray(error) for name in _ERRORS if (error := getattr(found, name)) is not None)


def _medians(values: np.ndarray) -> np.ndarray:
    """[T, R, L] -> [T, L], over the replicates that have a number; NaN where none has."""
    finite = np.where(np.isfinite(values), values, np.nan)
    missing = np.asarray(np.isnan(finite).all(axis=1))
    return np.where(missing, np.nan, np.nanmedian(np.where(missing[:, None], 0.0, finite), axis=1))


def _range(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[R, L] -> smallest and largest of the finite values, [L] each; NaN where there is none."""
    finite = np.isfinite(values)
    none = ~finite.any(axis=0)
    low = np.where(finite, values, np.inf).min(axis=0)
    high = np.where(finite, values, -np.inf).max(axis=0)
    return np.where(none, np.nan, low), np.where(none, np.nan, high)
