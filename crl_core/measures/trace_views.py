"""Views of a trace that somebody who mistrusts a network would try before it, given to simple learners.

hum filtered out:     sine and cosine of each tone of the mains' hum, by least squares over a trace, taken from it.
each trace z-scored:  less its own mean, over its own standard deviation.
clinical features:    what a cardiologist reads off a beat: `clinical`, [n, 9].

None of them is told a latent, nor which hospital recorded a row: only the rate and the mains' frequency, which
everybody knows of their own recorder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from crl_core.config import RunConfig
from crl_core.data.ecg import hum_tones

# Seconds from the R peak.
_BEFORE_P, _P, _PR, _QRS, ST, _T, _AFTER_T = (
    *((-0.29, -0.26), (-0.25, -0.1), (-0.1, -0.075), (-0.1, 0.08), (0.08, 0.2), (0.15, 0.4)),
    (0.42, 0.48),
)
FEATURES = (
    *("ST level", "ST above PR", "T amplitude", "T place", "QRS width", "QRS energy", "R amplitude", "P amplitude"),
    "hum power",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """What a view may know: samples a second, and the frequency of the mains, both in Hz."""

    rate: float
    hum_hz: float


def recorder_of(config: RunConfig) -> Recorder | None:
    """The recorder of a run's traces; None where x is no trace."""
    world = config.scenario
    if world is None or world.observation != "ecg":
        return None
    return Recorder(rate=world.rate, hum_hz=world.hum_hz)


def without_hum(x: np.ndarray, recorder: Recorder) -> np.ndarray:
    """Traces [n, T] mV less the sine and cosine at the hum's tones that fit each of them best, [n, T] mV."""
    return np.asarray(x - _hum(x, recorder))


def own_scale(x: np.ndarray, recorder: Recorder | None = None) -> np.ndarray:
    """Rows [n, T], each less its mean and over its standard deviation; one that is constant is 0."""
    moved = x - x.mean(axis=1, keepdims=True)
    sd = moved.std(axis=1, keepdims=True)
    rounding = 1e-12 * np.abs(x).max(axis=1, keepdims=True)  # what is left of a constant trace
    return np.asarray(np.where(sd > rounding, moved / np.where(sd > rounding, sd, 1), 0.0))


def clinical(x: np.ndarray, recorder: Recorder) -> np.ndarray:
    """What is read off the beat whose R peak is the highest with room for all of its waves, [n, 9].

    x:        [n, T] mV, at least .8 s long.
    Baseline: the line through the quiet stretches before P and after T, taken from the trace without its hum.
    Returns:  in the order of `FEATURES`: the mean of the ST window, from the baseline and from the segment between P
              and QRS (mV); the amplitude of T (mV) and its place (s after R); the width of QRS as the root mean square
              of the time from R, weighted with its energy (s), and that energy (mV² s); the amplitudes of R and P (mV);
              the power of the hum that was taken out (mV²).
    """
    hum = _hum(x, recorder)
    clean, rate = x - hum, recorder.rate
    steps = np.arange(int(np.ceil(_BEFORE_P[0] * rate)), int(np.floor(_AFTER_T[1] * rate)) + 1)
    r_at = clean[:, -steps[0] : x.shape[1] - steps[-1]].argmax(axis=1) - steps[0]
    beat, after_r = np.take_along_axis(clean, r_at[:, None] + steps, axis=1), steps / rate

    def within(span: tuple[float, float]) -> np.ndarray:
        return (after_r >= span[0]) & (after_r <= span[1])

    (start, early), (end, late) = (
        (after_r[quiet].mean(), beat[:, quiet].mean(axis=1)) for quiet in (within(_BEFORE_P), within(_AFTER_T))
    )
    beat = beat - (early[:, None] + np.outer((late - early) / (end - start), after_r - start))
    st, level = (beat[:, within(span)].mean(axis=1) for span in (ST, _PR))
    t, qrs, p = (beat[:, within(span)] for span in (_T, _QRS, _P))
    energy = np.square(qrs)
    total = energy.sum(axis=1)
    width = np.sqrt(energy @ np.square(after_r[within(_QRS)]) / np.where(total > 0, total, 1))
    t_place = after_r[within(_T)][t.argmax(axis=1)]
    columns = (st, st - level, t.max(axis=1), t_place, width, total / rate, qrs.max(axis=1), p.max(axis=1))
    return np.column_stack([*columns, np.square(hum).mean(axis=1)])


def _hum(x: np.ndarray, recorder: Recorder) -> np.ndarray:
    """The sum of sines and cosines at the hum's tones that is closest to each trace, [n, T]."""
    tones = np.array(hum_tones(recorder.hum_hz, recorder.rate))
    angle = 2 * np.pi * tones[:, None] * np.arange(x.shape[1]) / recorder.rate
    waves = np.concatenate([np.sin(angle), np.cos(angle)])  # [2K, T]; at half the rate the sine is 0
    return np.asarray(x @ np.linalg.pinv(waves, rcond=1e-8) @ waves)


VIEWS: Mapping[str, Callable[[np.ndarray, Recorder], np.ndarray]] = {
    "hum filtered out": without_hum,
    "each trace z-scored": own_scale,
    "clinical features": clinical,
}
