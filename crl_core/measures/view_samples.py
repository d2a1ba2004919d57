"""What is to be seen of a run while it trains: at some epochs, what its models make of a few held-out rows.

Rows:     at most `N_UNITS` of the view rows of replicate 0, always the same; nothing here is drawn at random.
Layout:   the first two principal components of each λ's standardised latents, at first turned onto the neighbouring
          λ's, later onto its own layout of before, so that a cloud glides and does not flip.
Effects:  of the rows, and over a coarse plane of cause and nuisance where x is known there (`effect_map`); of a label,
          what is said of each row.
Size:     `MODELS_AN_EVENT` models an event, in float16: about 7 kB a line.
It only reads weights. Whoever trains, chooses or judges is told nothing of it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from crl_core.config import RunConfig
from crl_core.data.scm import MultiEnvData
from crl_core.events import ViewSampled
from crl_core.measures.effect_map import Plane, plane_of
from crl_core.network import predict
from crl_core.results import view_of

N_UNITS = 200
PLANE_SIZE = 12  # points a side; a picture smooths between them
MODELS_AN_EVENT = 3
LOOKS = 20  # in a run, about
_MOST = 6e4  # that float16 holds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LookedAt:
    """The rows of replicate 0 that are looked at, and the plane that they lie in, where it is known."""

    rows: MultiEnvData
    plane: Plane | None

    @classmethod
    def of(cls, config: RunConfig, view: MultiEnvData) -> LookedAt:
        """view: the run's view rows; evenly spaced ones are taken, so that each environment keeps its share."""
        index = np.unique(np.linspace(0, len(view) - 1, N_UNITS).astype(np.int64)) if len(view) else np.arange(0)
        plane = None if config.without_effect else plane_of(config, view, size=PLANE_SIZE)
        return cls(rows=view.rows(index), plane=None if plane is None else replace(plane, rows=plane.rows[index]))


def is_due(epoch: int, epochs: int) -> bool:
    """Whether there is a look after this epoch: the first, the last, and every so many between."""
    return epoch in (1, epochs) or epoch % -(-epochs // LOOKS) == 0


@dataclass(slots=True)
class ViewSampler:
    """Looks at a run as `train_path` asks it to; one for each training."""

    config: RunConfig
    _at: LookedAt | None = None
    _layout: np.ndarray | None = field(default=None)  # [L, n, 2] of the look before

    def __call__(
        self, epoch: int, held_out: MultiEnvData, weights: Callable[[], Mapping[str, np.ndarray]]
    ) -> list[ViewSampled]:
        """What is seen after an epoch of replicate 0; nothing where no look is due."""
        if not is_due(epoch, self.config.training.epochs):
            return []
        if self._at is None:
            self._at = LookedAt.of(self.config, view_of(held_out, self.config.training.seed))
        phi, effects, plane = self._seen(self._at, weights())
        self._layout = layouts(phi, self._layout)
        scale = _scale(effects if plane is None else np.concatenate([effects, plane], axis=1))
        return [
            ViewSampled(
                epoch=epoch,
                models=models,
                xy=_text(self._layout[models]),
                effects=_text(effects[models] / scale),
                plane=None if plane is None else _text(plane[models] / scale),
                scale=scale,
            )
            for models in np.split(np.arange(len(phi)), range(MODELS_AN_EVENT, len(phi), MODELS_AN_EVENT))
        ]

    def _seen(
        self, at: LookedAt, weights: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Latents [L, n, k], effects [L, n] and those over the plane [L, points], float64."""
        n, t, x = len(at.rows), at.rows.t, at.rows.x
        found = predict(weights, x if at.plane is None else np.concatenate([x, at.plane.x]))
        phi, y0_hat, y1_hat = (part.astype(np.float64) for part in found)
        if self.config.without_effect:
            return phi, np.where(t == 1, y1_hat, y0_hat), None
        with np.errstate(invalid="ignore"):  # of a diverged model
            effects = y1_hat - y0_hat
        return phi[:, :n], effects[:, :n], None if at.plane is None else effects[:, n:]


def layouts(phi: np.ndarray, before: np.ndarray | None) -> np.ndarray:
    """Latents [L, n, k] in two dimensions, [L, n, 2], each turned onto its layout `before`, or else onto that of the λ
    beside it; NaN for a diverged model."""
    usable = np.isfinite(phi).all(axis=(1, 2))
    phi = np.where(usable[:, None, None], phi, 0.0)
    spread = phi.std(axis=1, keepdims=True)
    phi = np.where(spread > 1e-12, (phi - phi.mean(axis=1, keepdims=True)) / np.where(spread > 1e-12, spread, 1.0), 0.0)
    axes = np.linalg.eigh(phi.swapaxes(1, 2) @ phi)[1][:, :, -1:-3:-1]  # the largest two, [L, k, 2]
    xy = phi @ axes
    if xy.shape[2] == 1:  # of a latent of one dimension
        xy = np.concatenate([xy, np.zeros_like(xy)], axis=2)
    if before is None:
        for at in range(1, len(xy)):
            xy[at] = _turned(xy[at], xy[at - 1])
    else:
        xy = _turned(xy, np.nan_to_num(before))
    return np.where(usable[:, None, None], xy, np.nan)


def _turned(xy: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Layouts [..., n, 2] turned and reflected as close to the target as they go (Procrustes)."""
    left, _, right = np.linalg.svd(xy.swapaxes(-1, -2) @ target)
    return np.asarray(xy @ (left @ right))


def _scale(values: np.ndarray) -> float:
    """Largest finite size, so that effects of any unit have a place in float16."""
    found = np.abs(values[np.isfinite(values)]).max(initial=0.0)
    return float(found) or 1.0


def _text(values: np.ndarray) -> str:
    return base64.b64encode(np.clip(values, -_MOST, _MOST).astype("<f2").tobytes()).decode("ascii")


def unpacked(text: str, n_models: int) -> np.ndarray:
    """Inverse of how values of l models are written, [l, ...] flat in what follows, float64.

    Raises: ValueError where the text is not of that many models.
    """
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f2").astype(np.float64).reshape(n_models, -1)
