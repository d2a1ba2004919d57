"""An ECG and what records it are the closed form written out for one row, and a machine changes nothing but the
recording."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_core import Scenario, sample
from crl_core.data import ecg
from crl_core.data.scm import Change, MultiEnvData, Stream, draw, machine_of, noiseless, rng_for

LATENTS = ("st", "t", "qrs", "qt")
RR = 0.8


def machine(n: int, **changes: Any) -> ecg.Machine:
    """A machine that adds nothing of its own, but for what is asked."""
    given: dict[str, Any] = {
        **{"gain": 1.0, "highpass": 0.0, "notch": 0.0, "electrode_noise": 0.0},
        **{"rate": 160.0, "samples": 128, "hum_hz": 50.0, "hum_mv": 0.0, "phase": "random"},
        **{"saturation": 0.0, "wander": 0.0},
        **changes,
    }
    for name in ("gain", "highpass", "notch", "electrode_noise"):
        given[name] = np.full(n, given[name])
    return ecg.Machine(**given)


def time_of(machine: ecg.Machine) -> np.ndarray:
    return np.arange(machine.samples) / machine.rate


def beats(z: list[float], latents: tuple[ecg.Latent, ...] = ("st",)) -> np.ndarray:
    """Noiseless traces, one for each number, [n, 128]: that of every latent in turn."""
    values = np.array(z)[:, None] * np.ones(len(latents))
    return ecg.heart(values, latents, time_of(machine(1)))


def plain_heart(z: dict[str, float], at: float) -> float:
    """The millivolts of one moment."""
    tau = (at - 0.3 + 0.4 * RR) % RR - 0.4 * RR
    q, k = math.exp(0.15 * z["qrs"]), math.sqrt(RR) * math.exp(0.08 * z["qt"])
    value = 0.0
    for amplitude, centre, width in (
        (0.25, -0.194 * k, 0.040 * k),
        (-0.167, -0.042 * q, 0.016 * q),
        (1.0, 0.0, 0.016 * q),
        (-0.25, 0.042 * q, 0.016 * q),
        (0.40 + 0.1 * z["t"], 0.278 * k, 0.064 * k),
    ):
        value += amplitude * math.exp(-((tau - centre) ** 2) / (2 * width**2))
    return value + 0.1 * z["st"] * (math.tanh((tau - 0.065 * q) / 0.012) - math.tanh((tau - 0.24 * k) / 0.03)) / 2


def plain_traces(z: np.ndarray, s: np.ndarray, m: ecg.Machine, rng: np.random.Generator) -> np.ndarray:
    """The recordings of all rows, number by number, of draws taken at once."""
    n, lead = len(z), round(2 * RR * m.rate)
    total = lead + m.samples
    times = [(i - lead) / m.rate for i in range(total)]
    tones = [k for k in range(1, 6) if k == 1 or k * m.hum_hz < m.rate / 2]
    size = m.wander * rng.standard_normal((n, 3))
    turn, phase = 2 * math.pi * rng.random((n, 3)), 2 * math.pi * rng.random((n, len(tones)))
    noise = rng.standard_normal((n, total))
    x = np.empty((n, m.samples))
    for row in range(n):
        moved = dict(zip(LATENTS, z[row], strict=True))
        values = []
        for i, at in enumerate(times):
            drift = sum(
                size[row, j] * math.sin(2 * math.pi * hz * at + turn[row, j]) for j, hz in enumerate((0.15, 0.25, 0.4))
            )
            hum = sum(
                math.exp(s[row]) * m.hum_mv / k * math.sin(2 * math.pi * k * m.hum_hz * at + phase[row, j])
                for j, k in enumerate(tones)
            )
            mv = m.gain[row] * (plain_heart(moved, at) + drift) + hum + m.electrode_noise[row] * noise[row, i]
            values.append(m.saturation * math.tanh(mv / m.saturation) if m.saturation else mv)
        if m.notch[row]:
            values = plain_notch(values, m.notch[row], m.hum_hz, m.rate)
        if m.highpass[row]:
            r, before, passed = math.exp(-2 * math.pi * m.highpass[row] / m.rate), 0.0, [0.0]
            for value in values:
                passed.append(r * passed[-1] + (1 + r) / 2 * (value - before))
                before = value
            values = passed[1:]
        x[row] = values[lead:]
    return x


def plain_notch(values: list[float], depth: float, hum_hz: float, rate: float) -> list[float]:
    """A hole in the Fourier sum, written as that sum."""
    n = len(values)
    turns = np.exp(2j * math.pi * np.outer(np.arange(n), np.arange(n)) / n)
    weight = turns.conj() @ np.array(values) / n
    for k in range(n):
        hz = min(k, n - k) * rate / n
        weight[k] *= 1 - depth * math.exp(-((hz - abs(hum_hz - rate * round(hum_hz / rate))) ** 2) / (2 * 1.5**2))
    return list((turns @ weight).real)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"wander": 0.1, "electrode_noise": 0.05, "hum_mv": 0.05, "gain": 1.3},
        {"hum_mv": 0.1, "hum_hz": 60.0, "rate": 250.0, "samples": 200, "saturation": 1.0},
        {"hum_mv": 0.1, "notch": 0.7, "highpass": 0.5, "wander": 0.05, "electrode_noise": 0.02, "saturation": 1.2},
    ],
)
def test_a_recording_is_the_closed_form_written_out_for_each_sample(changes: dict[str, Any]) -> None:
    z, s, m = rng_for(1, Stream.DATA).standard_normal((3, 4)), np.array([-1.0, 0.0, 0.7]), machine(3, **changes)
    found = ecg.traces(z, s, LATENTS, m, np.random.default_rng(5))
    np.testing.assert_allclose(found, plain_traces(z, s, m, np.random.default_rng(5)), atol=1e-10)


def test_rows_are_the_same_however_many_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    z, s, m = np.zeros((1100, 4)), np.linspace(-1, 1, 1100), machine(1100, wander=0.1, electrode_noise=0.1, hum_mv=0.1)
    in_blocks = ecg.traces(z, s, LATENTS, m, np.random.default_rng(2))
    assert len(z) > ecg._BLOCK
    monkeypatch.setattr(ecg, "_BLOCK", 5000)
    np.testing.assert_allclose(in_blocks, ecg.traces(z, s, LATENTS, m, np.random.default_rng(2)), atol=1e-12)


# -- what z moves ------------------------------------------------------------------------------------------------------


def test_a_unit_of_z_is_a_tenth_of_a_millivolt_of_st() -> None:
    low, high = beats([-1.0, 1.0])
    after_r = time_of(machine(1)) - 0.3
    window = (after_r > 0.10) & (after_r < 0.17)
    assert (high - low)[window].mean() == pytest.approx(0.2, abs=0.005)
    assert abs(high - low)[after_r < 0.03].max() < 0.001  # QRS and all before it stay


def test_t_moves_the_amplitude_of_t_and_nothing_before_it() -> None:
    low, high = beats([-1.0, 1.0], ("t",))
    after_r = time_of(machine(1)) - 0.3
    peak = np.argmax(np.where(after_r > 0.1, high, -np.inf))
    assert (high - low)[peak] == pytest.approx(0.2, abs=0.002)
    assert abs(high - low)[after_r < 0].max() < 1e-4


def width(trace: np.ndarray, after_r: np.ndarray) -> float:
    """Samples of the R peak above half of it, in seconds, on a fine grid."""
    grid = np.linspace(-0.06, 0.06, 6001)
    return float((np.interp(grid, after_r, trace) > trace.max() / 2).mean() * 0.12)


def test_qrs_widens_qrs_and_leaves_t_where_it_is() -> None:
    time = np.arange(0, 0.8, 0.0005)
    low, high = ecg.heart(np.array([[0.0], [1.0]]), ("qrs",), time)
    assert width(high, time - 0.3) / width(low, time - 0.3) == pytest.approx(math.exp(0.15), abs=0.02)
    assert abs(high - low)[time > 0.5].max() < 1e-6


def test_qt_takes_the_t_wave_further_from_r_and_leaves_qrs_as_it_is() -> None:
    time = np.arange(0, 0.8, 0.0005)
    low, high = ecg.heart(np.array([[0.0], [1.0]]), ("qt",), time)
    late = np.where(time > 0.42, 1, np.nan)
    first, second = (time[np.nanargmax(trace * late)] - 0.3 for trace in (low, high))
    assert first == pytest.approx(0.278 * math.sqrt(RR), abs=0.001)
    assert second / first == pytest.approx(math.exp(0.08), abs=0.005)
    assert abs(high - low)[abs(time - 0.3) < 0.04].max() < 0.003


# -- what the machine does ---------------------------------------------------------------------------------------------


def spectrum(m: ecg.Machine) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies, and the mean power over rows of what a machine with hum adds to one without."""
    n = len(m.gain)
    with_hum, without = (
        ecg.traces(np.zeros((n, 1)), np.zeros(n), ("st",), part, np.random.default_rng(3))
        for part in (m, replace(m, hum_mv=0.0))
    )
    window = np.hanning(m.samples)
    power = np.square(np.abs(np.fft.rfft((with_hum - without) * window))).mean(axis=0)
    return np.fft.rfftfreq(m.samples, 1 / m.rate), power


@pytest.mark.parametrize(("hum", "rate", "stands_at"), [(50.0, 160.0, 50.0), (60.0, 160.0, 60.0), (60.0, 100.0, 40.0)])
def test_the_hum_stands_at_its_frequency_or_where_it_is_folded_to(hum: float, rate: float, stands_at: float) -> None:
    assert ecg.folded(hum, rate) == pytest.approx(stands_at)
    hz, power = spectrum(machine(40, hum_mv=0.1, hum_hz=hum, rate=rate, electrode_noise=0.01))
    assert hz[power.argmax()] == pytest.approx(stands_at, abs=rate / 128)


def test_a_full_notch_takes_the_hum_twenty_decibels_down_and_half_a_notch_six() -> None:
    hz, power = spectrum(machine(40, hum_mv=0.1))
    at = abs(hz - 50) < 3
    for depth, least in ((1.0, 20.0), (0.5, 5.9)):
        left = spectrum(machine(40, hum_mv=0.1, notch=depth))[1]
        assert 10 * np.log10(power[at].sum() / left[at].sum()) >= least


def test_the_mains_have_harmonics_where_the_rate_can_hold_them() -> None:
    hz, power = spectrum(machine(40, hum_mv=0.1, rate=250.0, samples=250))
    tall = {k: power[abs(hz - 50 * k) < 2].max() for k in (1, 2)}
    assert tall[1] / tall[2] == pytest.approx(4, rel=0.1)  # half the amplitude
    assert power[abs(hz - 75) < 5].max() < tall[2] / 1000


def test_a_locked_hum_is_the_same_in_every_row_and_a_random_one_is_not() -> None:
    for phase, spread in (("locked", 0.0), ("random", 0.05)):
        x = ecg.traces(
            np.zeros((50, 1)),
            np.zeros(50),
            ("st",),
            machine(50, hum_mv=0.1, phase=phase),
            np.random.default_rng(1),
        )
        assert (x.std(axis=0).max() > spread) if spread else (x.std(axis=0).max() < 1e-12)


def test_a_level_of_s_is_the_logarithm_of_the_hums() -> None:
    m = machine(3, hum_mv=0.1, phase="locked")
    quiet, as_it_is, loud = ecg.traces(np.zeros((3, 1)), np.array([-np.inf, 0.0, 1.0]), ("st",), m, None)
    np.testing.assert_allclose(loud - quiet, math.e * (as_it_is - quiet), atol=1e-12)


def test_the_filter_has_settled_before_the_window_begins() -> None:
    """A level that is constant is gone, so that the window's own first sample is not taken from all of it."""
    m = machine(1, highpass=0.5)
    trace = ecg.traces(np.zeros((1, 1)), np.zeros(1), ("st",), m, None)[0]
    raw = ecg.traces(np.zeros((1, 1)), np.zeros(1), ("st",), machine(1), None)[0]
    assert trace.mean() == pytest.approx(0, abs=0.02)
    assert raw.mean() > 0.1


# -- rows of a world ---------------------------------------------------------------------------------------------------

HUM = Scenario(
    observation="ecg",
    n_samples=100,
    dim_causal=2,
    latents=("st", "qrs"),
    offset=(1.0, -1.0),
    sigma=(0.3, 0.3),
    gain=(1.2, 0.8),
    highpass=(0.5, 0.05),
    electrode_noise=(0.03, 0.01),
)


def columns(data: MultiEnvData) -> dict[str, Any]:
    return {name: getattr(data, name) for name in ("t", "env", "y", "y0", "y1", "z", "s")}


def test_equal_seeds_give_equal_bits_and_another_seed_others() -> None:
    assert sample(HUM, 3).x.dtype == np.float64
    assert sample(HUM, 3).x.tobytes() == sample(HUM, 3).x.tobytes()
    assert sample(HUM, 3).x.tobytes() != sample(HUM, 4).x.tobytes()
    assert sample(HUM, 3).x.shape == (100, 128)


def test_each_row_is_recorded_by_its_hospitals_machine() -> None:
    data = sample(HUM, 3)
    assert data.z is not None
    assert data.s is not None
    plain = {name: np.where(data.env == 0, *getattr(HUM, name)) for name in ("gain", "highpass", "electrode_noise")}
    m = replace(machine(100, hum_mv=0.05, wander=0.05), **plain)
    quiet = replace(m, electrode_noise=np.zeros(100), wander=0.0)
    np.testing.assert_allclose(
        noiseless(HUM, data.z, data.s, data.env, 3),
        ecg.traces(data.z, data.s[:, 0], HUM.latents, replace(quiet, phase="locked"), None),
        atol=1e-12,
    )
    rng = np.random.default_rng(8)
    found = draw(HUM, data.env, rng, 3)
    again = np.random.default_rng(8)
    again.standard_normal((100, 2)), again.random(100), again.standard_normal((100, 1)), again.standard_normal(100)
    assert found.z is not None
    assert found.s is not None
    np.testing.assert_allclose(found.x, ecg.traces(found.z, found.s[:, 0], HUM.latents, m, again), atol=1e-12)


def test_another_machines_recording_of_the_same_rows_differs_by_the_machine_alone() -> None:
    world, env = replace(HUM, highpass=(0.0, 0.0), wander=0.0, gain=(1.0, 1.0)), np.arange(40) % 2

    def louder(m: ecg.Machine) -> ecg.Machine:
        return replace(m, gain=m.gain + 1)

    usual = draw(world, env, np.random.default_rng(4), 0)
    other = draw(world, env, np.random.default_rng(4), 0, Change(machine=louder))
    for name, values in columns(usual).items():
        np.testing.assert_array_equal(values, columns(other)[name])
    assert usual.z is not None
    beat = ecg.heart(usual.z, world.latents, time_of(machine_of(world, env)))
    np.testing.assert_allclose(other.x - usual.x, beat, atol=1e-12)  # neither noise nor hum: both drew the same
    quiet = draw(world, env, np.random.default_rng(4), 0, Change(machine=lambda m: replace(m, hum_mv=0.0)))
    assert np.abs(quiet.x - usual.x).max() <= 0.05 * np.exp(usual.s).max()  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 5),
    samples=st.integers(64, 256),
    rate=st.floats(100, 500),
    hum_hz=st.floats(50, 60),
    hum_mv=st.floats(0, 1),
    level=st.floats(-10, 5),
    z=st.floats(-8, 8),
    gain=st.floats(0.5, 2),
    highpass=st.one_of(st.just(0.0), st.floats(0.05, 1)),
    notch=st.floats(0, 1),
    electrode_noise=st.floats(0, 0.2),
    saturation=st.one_of(st.just(0.0), st.floats(0.5, 5)),
    wander=st.floats(0, 0.5),
    phase=st.sampled_from(["random", "locked"]),
    noiseless=st.booleans(),
)
def test_whatever_the_machine_is_every_sample_is_a_number(
    n: int, level: float, z: float, noiseless: bool, **changes: Any
) -> None:
    m = machine(n, **changes)
    rng = None if noiseless else np.random.default_rng(0)
    x = ecg.traces(np.full((n, 4), z), np.full(n, level), LATENTS, m, rng)
    assert x.shape == (n, m.samples)
    assert np.isfinite(x).all()
    if m.saturation and not m.highpass.any() and not m.notch.any():
        assert np.abs(x).max() <= m.saturation


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"samples": 64, "rate": 100.0}, r"64 samples at 100 a second are 0.64 s, less than a beat of 0.8 s; raise "),
        ({"highpass": (0.02,)}, r"highpass is .*; it must be 0 for none, or 0.05 or more\."),
        ({"saturation": 0.2}, r"saturation is 0.2; it must be 0 for none, or 0.5 or more\."),
        ({"dim_causal": 2}, r"an ECG needs one of latents for each of the 2 causal dimensions"),
        ({"latents": ("st", "qt")}, r"for each of the 1 causal dimensions.* latents is st, qt"),
        ({"dim_spurious": 2}, r"one spurious dimension and no mixing; .*dim_spurious 2"),
        ({"mixing": "rotation"}, r"no mixing; .*mixing rotation"),
        ({"n_samples": 100_000}, r"100000 traces of 128 samples are more than 8,000,000 numbers; use at most 62500 "),
        ({"rate": "fast"}, r"rate"),
        ({"hum_hz": 40.0}, r"hum_hz.*50"),
        ({"prevalence": (1.0,)}, r"prevalence.*0\.005.*0\.995"),
    ],
)
def test_a_world_that_cannot_be_recorded_is_refused_in_a_sentence(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        Scenario(**{"observation": "ecg", **changes})
    assert ". " not in str(refused.value)


def test_covariates_care_for_nothing_of_a_recorder() -> None:
    assert Scenario(samples=64, rate=100.0, n_samples=100_000).dim_x == 2
