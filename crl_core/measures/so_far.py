"""A run under way, by its events: what was told of its epochs and, for each λ, what was last seen of its model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from crl_core.events import EpochEnded, Event, RunStarted, ViewSampled
from crl_core.measures.view_samples import PLANE_SIZE, unpacked


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Views:
    """What was last seen of the models of replicate 0, on the rows of `view_samples.LookedAt`; NaN of a λ not seen."""

    epoch: int
    xy: np.ndarray  # [L, n, 2]
    effects: np.ndarray  # [L, n]
    plane: np.ndarray | None  # [L, size · size]
    reach: float  # of nearly all |xy|, ever since the beginning: a window that never shrinks


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SoFar:
    """started: None before the run has begun.  views: None before anything was seen of it."""

    started: RunStarted | None = None
    epochs: tuple[EpochEnded, ...] = ()
    views: Views | None = None


@dataclass(slots=True)
class Watcher:
    """Follows the events of one run; shared by threads.

    read: (offset) -> (events from there on, next offset), as `JobManager.events` gives them for a key.
    """

    read: Callable[[int], tuple[Iterable[Event], int]]
    _offset: int = 0
    _so_far: SoFar = SoFar()
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def follow(self) -> SoFar:
        """What is known by now."""
        with self._mutex:
            events, end = self.read(self._offset)
            if end < self._offset:  # another file has taken the place of the one that was read
                self._so_far = SoFar()
                events, end = self.read(0)
            self._offset = end
            self._so_far = so_far(events, self._so_far)
            return self._so_far


def so_far(events: Iterable[Event], before: SoFar | None = None) -> SoFar:
    """What is known after more events. A line of a look that cannot be read is left out."""
    before = before or SoFar()
    started, epochs, views = before.started, list(before.epochs), before.views
    for event in events:
        if isinstance(event, RunStarted):
            started, epochs, views = event, [], None
        elif isinstance(event, EpochEnded):
            epochs.append(event)
        elif isinstance(event, ViewSampled) and started is not None:
            n_lams = len(started.lam) // (int(started.replicate.max()) + 1)
            views = _with(views, event, n_lams) or views
    return SoFar(started=started, epochs=tuple(epochs), views=views)


def _with(views: Views | None, event: ViewSampled, n_lams: int) -> Views | None:
    """The views after one more event; None where it does not fit."""
    try:
        effects = unpacked(event.effects, len(event.models)) * event.scale  # [l, n]
        xy = unpacked(event.xy, len(event.models)).reshape(*effects.shape, 2)
        plane = None if event.plane is None else unpacked(event.plane, len(event.models)) * event.scale
        if plane is not None and plane.shape[1] != PLANE_SIZE**2:
            return None
        new = [
            _placed(None if views is None else old, values, event.models, n_lams)
            for old, values in zip(
                (None, None, None) if views is None else (views.xy, views.effects, views.plane),
                (xy, effects, plane),
                strict=True,
            )
        ]
    except (ValueError, IndexError):
        return None
    known = np.abs(xy[np.isfinite(xy)])
    reach = max(1.0 if views is None else views.reach, float(np.quantile(known, 0.995)) if known.size else 0.0)
    return Views(epoch=event.epoch, xy=new[0], effects=new[1], plane=new[2], reach=reach)  # type: ignore[arg-type]


def _placed(old: np.ndarray | None, values: np.ndarray | None, models: np.ndarray, n_lams: int) -> np.ndarray | None:
    """Values of some models among those of all, [l, ...] -> [L, ...]."""
    if values is None:
        return None
    found = np.full((n_lams, *values.shape[1:]), np.nan) if old is None else old.copy()
    found[models] = values
    return found
