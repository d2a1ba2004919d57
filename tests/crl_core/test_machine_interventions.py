"""An ECG may be recorded by another machine: offered where there is one, and nothing but the recording changes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_core import MultiEnvData, Scenario
from crl_core.data.ecg import heart
from crl_core.data.interventions import (
    EVERY,
    INTERVENTIONS,
    OF_MACHINE,
    deploy,
    first_dose,
    limits,
    offered,
)
from crl_core.data.scm import Change, draw
from crl_core.studies.detection_rates import name_of, specs

ECG = Scenario(
    observation="ecg",
    n_samples=200,
    offset=(1.0, -1.0),
    sigma=(0.3, 0.3),
    highpass=(0.5, 0.05),
    gain=(1.2, 0.9),
)
LABELS = Scenario(outcome="binary", n_samples=200)


def deployed(name: str, dose: float, scenario: Scenario = ECG) -> MultiEnvData:
    return deploy(scenario, name, dose, 60, 3)


@pytest.mark.parametrize("name", OF_MACHINE)
def test_another_machine_changes_the_recording_and_no_patient(name: str) -> None:
    usual, other = deployed("none", 0), deployed(name, OF_MACHINE[name].start)
    for column in ("t", "env", "y", "y0", "y1", "z", "s"):
        np.testing.assert_array_equal(getattr(usual, column), getattr(other, column))
    assert np.abs(usual.x - other.x).max() > 0.01


@pytest.mark.parametrize(
    ("name", "dose", "as_if"),
    [
        ("hum", 0.0, {"hum_mv": 0.0}),
        ("hum", 3.0, {"hum_mv": 0.15}),
        ("highpass", 0.05, {"highpass": (0.05,)}),
        ("highpass", 0.0, {"highpass": (0.0,)}),
        ("notch", 1.0, {"notch": (1.0,)}),
        ("notch", 0.25, {"notch": (0.25,)}),
        ("gain", 0.75, {"gain": (0.75 * 1.2, 0.75 * 0.9)}),
    ],
)
def test_rows_are_those_of_a_world_that_has_had_that_machine_all_along(
    name: str, dose: float, as_if: dict[str, Any]
) -> None:
    other = replace(ECG, **as_if)
    np.testing.assert_allclose(deployed(name, dose).x, deployed("none", 0, other).x, atol=1e-12)


@pytest.mark.parametrize("name", [name for name, item in OF_MACHINE.items() if item.neutral is not None])
def test_a_neutral_dose_changes_no_bit(name: str) -> None:
    assert deployed(name, float(OF_MACHINE[name].neutral or 0)).x.tobytes() == deployed("none", 0).x.tobytes()


def test_one_filter_for_all_leaves_rows_of_different_hospitals_filtered_alike() -> None:
    flat = replace(ECG, wander=0.0, electrode_noise=(0.0,), hum_mv=0.0, gain=(1.0,))
    env = np.array([0, 1])
    change = EVERY["highpass"].change(0.0)
    found = draw(flat, env, np.random.default_rng(0), 0, Change(cause=np.zeros_like, machine=change.machine))
    np.testing.assert_allclose(found.x, heart(np.zeros((2, 1)), ("st",), np.arange(128) / 160), atol=1e-12)


def test_a_notch_takes_the_hum_out_and_leaves_nine_tenths_of_the_heart() -> None:
    humming = replace(ECG, wander=0.0, electrode_noise=(0.0,), highpass=(0.0,), gain=(1.0,), hum_mv=0.1)

    def at_mains(name: str, dose: float, world: Scenario) -> np.ndarray:
        hz = np.fft.rfftfreq(128, 1 / 160)
        power = np.square(np.abs(np.fft.rfft(deployed(name, dose, world).x)))
        return np.asarray(power[:, np.abs(hz - 50).argmin()].mean())

    through = [float(at_mains("notch", dose, humming)) for dose in (0.0, 0.5, 1.0)]
    silent = float(at_mains("none", 0, replace(humming, hum_mv=0.0)))
    assert through[0] > 3 * through[1] > 9 * through[2]
    assert through[2] < 0.05 * through[0]
    heart_alone = deployed("notch", 1.0, replace(humming, hum_mv=0.0)).x
    kept = np.square(heart_alone).sum() / np.square(deployed("none", 0, replace(humming, hum_mv=0.0)).x).sum()
    assert kept > 0.9
    assert silent < through[0]


def test_a_machine_can_be_changed_where_there_is_one_and_outcomes_where_treatment_makes_them() -> None:
    assert list(offered(Scenario())) == list(INTERVENTIONS)
    assert list(offered(ECG)) == [*INTERVENTIONS, *OF_MACHINE]
    without = {name for name, item in INTERVENTIONS.items() if item.on == "mechanism"}
    assert set(offered(LABELS)) == set(INTERVENTIONS) - without
    assert without == {"slope", "intercept", "effect", "effect-untreated"}


@pytest.mark.parametrize(("scenario", "name"), [(Scenario(), "hum"), (LABELS, "slope")])
def test_what_a_world_has_no_place_for_is_refused_in_a_sentence(scenario: Scenario, name: str) -> None:
    with pytest.raises(ValueError, match=f"there is no intervention '{name}' in this world; choose one of none, site"):
        deploy(scenario, name, 1.0, 10, 0)


def test_a_hum_of_an_ecg_is_louder_within_what_a_recorder_may_see() -> None:
    assert limits(ECG, "s-mean") == (-3, 3)
    assert limits(Scenario(), "s-mean") == (-12, 12)
    assert first_dose(ECG, "s-mean") == 3
    for scenario in (Scenario(), ECG, LABELS):
        for name in offered(scenario):
            low, high = limits(scenario, name)
            assert low <= first_dose(scenario, name) <= high
    with pytest.raises(ValueError, match="from -3 to 3"):
        deployed("s-mean", 6.0)


@pytest.mark.parametrize("scenario", [Scenario(offset=(2.0, -2.0)), ECG, LABELS])
def test_what_detection_is_measured_on_is_offered_within_its_limits(scenario: Scenario) -> None:
    tried = specs(scenario)
    assert {spec.intervention for spec in tried} == set(offered(scenario))
    for spec in tried:
        low, high = limits(scenario, spec.intervention)
        assert low <= spec.dose <= high
    assert name_of("hum", 0.0) == "hum × 0"
    assert name_of("highpass", 0.5) == "high-pass at 0.5 Hz"
    assert name_of("z-shift", -0.5) == "z − 0.5"
    assert name_of("z-set", -1.0) == "do(z = −1)"


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(list(offered(ECG))), st.floats(0, 1), st.integers(1, 20))
def test_any_allowed_dose_gives_traces_of_numbers(name: str, share: float, n: int) -> None:
    low, high = limits(ECG, name)
    data = deploy(ECG, name, low + share * (high - low), n, 0)
    assert data.x.shape == (n, 128)
    assert np.isfinite(data.x).all()
