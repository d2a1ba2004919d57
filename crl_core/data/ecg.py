"""An ECG in closed form, and the machine that records it: what a hospital's rows look like where x is a trace.

Heart:   x(t) = Σ_{i ∈ P, Q, R, S, T} aᵢ exp(-(τ - cᵢ)² / 2 wᵢ²)
         + ST · ½ [tanh((τ - .065 q) / .012) - tanh((τ - .24 k) / .03)] in mV,
         with τ the seconds from the nearest R peak. P and T widen with k = √RR · e^{.08 z} (Bazett), Q, R and S with
         q = e^{.15 z}. A latent z moves one of: the ST level (.1 mV a unit), the amplitude of T (.1 mV), the width of
         QRS, the length of QT.
Machine: gain, wander of the baseline, hum of the mains, noise of the electrodes, saturation, notch, high-pass, in this
         order. The nuisance s is the logarithm of the hum's level: hum_mv · e^s, at most the mains' own 325 V.
Lead:    a recording begins two beats before its window, since a high-pass that starts with the window subtracts the
         window's first sample, hum and all, from the whole trace.
Source:  McSharry, Clifford, Tarassenko, Smith (2003), A dynamical model for generating synthetic electrocardiogram
         signals, IEEE Transactions on Biomedical Engineering 50: its θ, a and b with time = θ · RR / 2π and amplitude
         a · b², divided by that of R.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Latent = Literal["st", "t", "qrs", "qt"]  # what a coordinate of z moves
Phase = Literal["random", "locked"]  # of the hum against the beat
RR = 0.8  # seconds from beat to beat
R_AT = 0.3  # seconds into the window
_P_BEFORE_R = 0.4  # share of a beat that lies before its R peak
_LEAD_BEATS = 2
# centre and width in seconds at RR = 1, amplitude in mV
_SLOW = {"P": (-0.194, 0.040, 0.25), "T": (0.278, 0.064, 0.40)}
_FAST = {"Q": (-0.042, 0.016, -0.167), "R": (0.0, 0.016, 1.0), "S": (0.042, 0.016, -0.25)}
_MV = 0.1  # of a unit of z, of ST and T
_WANDER_HZ = np.array([0.15, 0.25, 0.4])
_NOTCH_HZ = 1.5  # standard deviation of the hole
_MAINS_MV, _LOUDEST = 325e3, 100.0  # the peak of 230 V, and an s whose hum would be far beyond it
_BLOCK = 1000  # rows at once: what they need stays in the cache


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Machine:
    """What records: numbers of a recorder, and of each row those of its hospital, [n].

    highpass: corner in Hz, 0 for none.  notch: depth of the hole at the mains' frequency, 0 to 1.
    electrode_noise, hum_mv, wander, saturation: mV; saturation 0 for none.
    """

    gain: np.ndarray
    highpass: np.ndarray
    notch: np.ndarray
    electrode_noise: np.ndarray
    rate: float
    samples: int
    hum_hz: float
    hum_mv: float
    phase: Phase
    saturation: float
    wander: float


def heart(z: np.ndarray, latents: Sequence[Latent], time: np.ndarray, *, rr: float = RR) -> np.ndarray:
    """The noiseless beat at `time` [T] seconds, of which an R peak is at .3, [n, T] mV.

    z: [n, len(latents)].  rr: seconds from beat to beat.
    """
    tau, again = np.unique(np.round(_from_p(time, rr), 9), return_inverse=True)  # a beat, not each of them
    tau = tau - _P_BEFORE_R * rr
    moved = dict(zip(latents, z.T[:, :, None], strict=True))
    q = np.exp(0.15 * moved["qrs"]) if "qrs" in moved else 1.0
    k = np.sqrt(rr) * (np.exp(0.08 * moved["qt"]) if "qt" in moved else 1.0)
    x = np.zeros((len(z), len(tau)))
    for waves, wide in ((_SLOW, k), (_FAST, q)):
        for name, (centre, width, amplitude) in waves.items():
            mv = amplitude + _MV * moved["t"] if name == "T" and "t" in moved else amplitude
            x += mv * np.exp(-0.5 * np.square((tau - centre * wide) / (width * wide)))
    if "st" in moved:
        level = (np.tanh((tau - 0.065 * q) / 0.012) - np.tanh((tau - 0.24 * k) / 0.03)) / 2
        x += _MV * moved["st"] * level
    return x[:, again]


def after_r(time: np.ndarray) -> np.ndarray:
    """Seconds from the R peak of its own beat, of every `time` [T] in seconds from the window's start."""
    return _from_p(time, RR) - _P_BEFORE_R * RR


def _from_p(time: np.ndarray, rr: float) -> np.ndarray:
    """Seconds since the beat began."""
    return np.asarray((time - R_AT + _P_BEFORE_R * rr) % rr)


def traces(
    z: np.ndarray, s: np.ndarray, latents: Sequence[Latent], machine: Machine, rng: np.random.Generator | None
) -> np.ndarray:
    """What the machine records of hearts z [n, len(latents)] with hum levels s [n], [n, samples] mV.

    rng: of wander, phases and electrodes, drawn in this order whatever the machine is, so that another machine's
         recording of the same rows differs by the machine alone. None: without them, the hum in its locked phase.
    """
    n, lead = len(z), round(_LEAD_BEATS * RR * machine.rate)
    time = (np.arange(lead + machine.samples) - lead) / machine.rate
    waves = hum_tones(machine.hum_hz, machine.rate)
    size, turn, phase = np.zeros((n, len(_WANDER_HZ))), np.zeros((n, len(_WANDER_HZ))), np.zeros((n, len(waves)))
    if rng is not None:
        size = machine.wander * rng.standard_normal(size.shape)
        turn, phase = (2 * np.pi * rng.random(angle.shape) for angle in (turn, phase))
    if machine.phase == "locked":
        phase = np.zeros_like(phase)
    hum = np.minimum(machine.hum_mv * np.exp(np.minimum(s, _LOUDEST)), _MAINS_MV)
    harmonics = hum[:, None] / np.arange(1, len(waves) + 1)
    x = np.empty((n, machine.samples))
    for start in range(0, n, _BLOCK):
        own = slice(start, start + _BLOCK)
        drift = _waves(size[own], turn[own], _WANDER_HZ, time)
        trace = machine.gain[own, None] * (heart(z[own], latents, time) + drift)
        trace += _waves(harmonics[own], phase[own], np.array(waves), time)
        if rng is not None:
            trace += machine.electrode_noise[own, None] * rng.standard_normal(trace.shape)
        if machine.saturation:
            trace = machine.saturation * np.tanh(trace / machine.saturation)
        x[own] = _filtered(trace, machine, own)[:, lead:]
    return x


def _waves(size: np.ndarray, phase: np.ndarray, hz: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Σ_k size_k sin(2π hz_k time + phase_k) of every row, [n, T]; size, phase: [n, K], hz: [K]."""
    angle = 2 * np.pi * hz[:, None] * time
    return np.asarray((size * np.cos(phase)) @ np.sin(angle) + (size * np.sin(phase)) @ np.cos(angle))


def _filtered(trace: np.ndarray, machine: Machine, own: slice) -> np.ndarray:
    """Notch, then high-pass, of the rows whose hospital has them."""
    from scipy.signal import lfilter  # slow to load, and who serves a model records nothing

    depth, corner = machine.notch[own], machine.highpass[own]
    for value in np.unique(depth[depth > 0]):
        hz = np.fft.rfftfreq(trace.shape[1], 1 / machine.rate)
        hole = 1 - value * np.exp(-0.5 * np.square((hz - folded(machine.hum_hz, machine.rate)) / _NOTCH_HZ))
        rows = depth == value
        trace[rows] = np.fft.irfft(np.fft.rfft(trace[rows]) * hole, trace.shape[1])
    for value in np.unique(corner[corner > 0]):
        r, rows = np.exp(-2 * np.pi * value / machine.rate), corner == value
        trace[rows] = lfilter([(1 + r) / 2, -(1 + r) / 2], [1, -r], trace[rows])
    return trace


def hum_tones(hum_hz: float, rate: float) -> list[float]:
    """The mains' frequency and those of its first five multiples that samples taken `rate` times a second can hold."""
    return [hum_hz * k for k in (1, 2, 3, 4, 5) if k == 1 or hum_hz * k < rate / 2]


def folded(hz: float, rate: float) -> float:
    """Where a tone of `hz` stands in samples taken `rate` times a second: above half the rate it is folded back."""
    return abs(hz - rate * round(hz / rate))
