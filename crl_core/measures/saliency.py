"""Where a network looks: the gradient of its answer with respect to a trace, and how much of that is at the hum.

Answer:   the effect τ̂ where the outcome is a number; of a label the logit of ŷ under the treatment received.
Gradient: ∂ answer / ∂ sample, per mV. The MLP weighs every sample on its own, so it is ragged: `smoothed` is for a
          picture, everything that is measured is of the gradient as it is.
Band:     within 3 Hz of where the mains' frequency stands in the samples.
Limits:   which small change would move an answer is not how far the answer moves where hospitals differ by much; that
          is what an edit shows (`edits`).
Source:   Simonyan, Vedaldi, Zisserman (2014), Deep Inside Convolutional Networks, arXiv 1312.6034, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d

from crl_core.data.ecg import after_r, folded
from crl_core.data.scm import MultiEnvData
from crl_core.measures.trace_views import ST, Recorder, recorder_of
from crl_core.network import gradients, one_model
from crl_core.results import RunResult, data_of

BAND_HZ = 3.0
SMOOTHED = 5  # samples


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Looks:
    """Where a replicate's models look, in held-out rows; NaN of a model that diverged, or that nothing moves.

    hz:     of the spectrum, [F].
    power:  |rFFT|² of the gradient of a row, mean over rows, as shares of their sum, [L, F].
    band:   which of them are the hum's, [F] bool.
    energy: the gradient squared, mean over rows, as shares of their sum, [L, T].
    st:     which samples are of the ST segment, [T] bool.
    """

    hz: np.ndarray
    power: np.ndarray
    band: np.ndarray
    energy: np.ndarray
    st: np.ndarray

    @property
    def at_hum(self) -> np.ndarray:
        """Share of the spectrum in the hum's band, [L]."""
        return np.asarray(self.power[:, self.band].sum(axis=1))

    @property
    def white(self) -> float:
        """What `at_hum` would be of a gradient that is alike at all frequencies."""
        return float(self.band.mean())

    @property
    def at_st(self) -> np.ndarray:
        """Share of the energy in the ST segment, [L]."""
        return np.asarray(self.energy[:, self.st].sum(axis=1))


def looks(result: RunResult, replicate: int = 0) -> Looks:
    """Where a replicate's models look, over all of its held-out rows. Raises ValueError where x is no trace."""
    recorder = _recorder(result)
    rows = data_of(result.config, replicate)[1]
    samples = rows.x.shape[1]
    hz = np.fft.rfftfreq(samples, 1 / recorder.rate)
    power, energy = [], []
    for at in range(len(result.lams)):  # one after the other: all at once they would take L times the room
        found = gradient(result, rows, at, replicate).astype(np.float64)
        energy.append(_shares(np.square(found).mean(axis=0)))
        power.append(_shares(np.square(np.abs(np.fft.rfft(found, axis=1))).mean(axis=0)))
    since = np.round(after_r(np.arange(samples) / recorder.rate), 9)  # a sample on the edge belongs to ST
    return Looks(
        hz=hz,
        power=np.array(power),
        band=np.abs(hz - folded(recorder.hum_hz, recorder.rate)) <= BAND_HZ,
        energy=np.array(energy),
        st=(since >= ST[0]) & (since <= ST[1]),
    )


def gradient(result: RunResult, rows: MultiEnvData, at: int, replicate: int = 0) -> np.ndarray:
    """∂ answer / ∂ sample of rows at λ number `at`, per mV, [n, T] float32; NaN of a model that diverged.

    Raises: ValueError where x is no trace.
    """
    _recorder(result)
    both = np.stack([1 - rows.t, rows.t], axis=1) if result.config.source.two_outcomes else np.array([[-1, 1]])
    pull = np.broadcast_to(both, (len(rows), 2))
    found = gradients(one_model(result.weights, replicate * len(result.lams) + at), rows.x, pull)[0]
    return found if np.isfinite(found).all() else np.full_like(found, np.nan)


def smoothed(gradients: np.ndarray) -> np.ndarray:
    """Mean over `SMOOTHED` samples around each, of gradients [..., T]; beyond the ends the outermost sample counts."""
    return np.asarray(uniform_filter1d(gradients, SMOOTHED, axis=-1, mode="nearest"))


def _shares(values: np.ndarray) -> np.ndarray:
    """Of their sum; NaN where it is zero or not finite."""
    total = values.sum()
    return values / total if np.isfinite(total) and total > 0 else np.full_like(values, np.nan)


def _recorder(result: RunResult) -> Recorder:
    if (found := recorder_of(result.config)) is None:
        raise ValueError("x is no trace here, so its gradient has no spectrum; use scenario.observation=ecg.")
    return found
