"""An edit changes the recording alone, and what moves with it is the network's use of the machine."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from crl_core import RunConfig, Scenario, Training, preset, train
from crl_core.data.scm import MultiEnvData
from crl_core.measures.edit_words import first_edit, idle_said, mended_said, moved_said
from crl_core.measures.edits import EDITS, Edit, Moved, edited, moved
from crl_core.results import RunResult, data_of, predict

HUM, MACHINE = EDITS
FILTER = replace(preset("filter").scenario, n_samples=2000)
LABEL = Scenario(
    observation="ecg",
    outcome="binary",
    n_samples=300,
    sigma=(0.3, 0.3, 0.3),
    offset=(0.7, -0.7, 0.0),
    leak=1.0,
    gain=(0.5, 1.0, 2.0),
    wander=0.0,
    electrode_noise=(0.0,),
)


def config(scenario: Scenario, **training: object) -> RunConfig:
    values: dict[str, object] = {"lams": (0.0, 1.0), "epochs": 1, "replicates": 2, "hidden": 8, "latent_dim": 2}
    return RunConfig(scenario=scenario, training=Training(**(values | training)))


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values.astype(np.float64) ** 2)))


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("scenario", [replace(FILTER, n_samples=200), LABEL, replace(LABEL, shared_units=6)])
def test_an_edited_row_is_the_same_row_but_for_its_recording(scenario: Scenario, edit: Edit) -> None:
    for replicate in (0, 1):
        before, after = data_of(config(scenario), replicate)[1], edited(config(scenario), edit, replicate)
        for item in fields(MultiEnvData):
            if item.name != "x":
                np.testing.assert_array_equal(getattr(before, item.name), getattr(after, item.name))
        assert (before.x != after.x).any(axis=1).all()


def test_without_a_hum_the_edit_without_the_hum_moves_nothing() -> None:
    quiet = config(replace(FILTER, n_samples=200, hum_mv=0.0))
    found = moved(train(quiet), HUM)
    np.testing.assert_array_equal(found.before, found.after)
    assert found.size.tolist() == [0.0, 0.0]


def test_the_next_hospitals_machine_records_and_the_last_has_the_first_ones() -> None:
    """Without wander, noise and hum a gain is a plain factor."""
    plain = config(replace(LABEL, hum_mv=0.0))
    before, after = data_of(plain)[1], edited(plain, MACHINE)
    factor = np.array([1.0 / 0.5, 2.0 / 1.0, 0.5 / 2.0])[before.env]
    np.testing.assert_allclose(after.x, factor[:, None] * before.x, atol=1e-12)


def test_what_is_taken_out_of_a_locked_recording_is_its_hum() -> None:
    locked = config(replace(LABEL, hum_phase="locked", gain=(1.0,)))
    before, after = data_of(locked)[1], edited(locked, HUM)
    time = np.arange(128) / 160
    assert before.s is not None
    # The recording begins two beats of 0.8 s before its window: a whole number of periods of 50 Hz.
    hum = 0.05 * np.exp(before.s) * np.sin(2 * np.pi * 50 * time)
    np.testing.assert_allclose(before.x - after.x, hum, atol=1e-9)


def test_no_hum_is_louder_than_the_mains() -> None:
    locked = config(replace(LABEL, hum_phase="locked", gain=(1.0,), offset=(20.0,), leak=0.0, sigma=(0.0,) * 3))
    loud = config(replace(locked.scenario, leak=10.0, hum_mv=1.0))  # s = 10 and 30
    for world, peak in ((locked, 325e3), (loud, 325e3)):
        hum = data_of(world)[1].x - edited(world, HUM).x
        assert np.abs(hum).max() == pytest.approx(peak, rel=0.02)
    far = replace(locked.scenario, outcome="number", effect=10.0, heterogeneity=10.0, cause_mean=(10.0,), leak=10.0)
    data = data_of(config(far))[1]  # s of a thousand
    assert data.s is not None
    assert data.s.max() > 1000
    assert np.isfinite(data.x).all()


def test_sizes_of_a_change_are_those_worked_out_by_hand() -> None:
    before, after = np.array([[0.0, 0.4, 0.9, 0.6]]), np.array([[1.0, 0.4, 0.9, 0.2]])
    effect = Moved(before=before, after=after, label=False)
    assert effect.mean == pytest.approx([0.15])
    assert effect.rms == pytest.approx([np.sqrt(1.16 / 4)])
    assert effect.sd == pytest.approx([np.sqrt(1.16 / 4 - 0.15**2)])
    assert effect.size == pytest.approx(effect.rms)
    label = Moved(before=before, after=after, label=True)
    assert label.flips == label.size == pytest.approx([0.5])


def test_a_label_moves_by_what_the_network_says_under_the_treatment_received() -> None:
    result = train(config(LABEL))
    found = moved(result, HUM, replicate=1)
    before, after = data_of(result.config, 1)[1], edited(result.config, HUM, 1)
    flips, means = [], []
    for m in (2, 3):
        weights = {name: value[m : m + 1] for name, value in result.weights.items()}
        said = []
        for rows in (before, after):
            _, y0_hat, y1_hat = predict(weights, rows.x)
            said.append([y1_hat[0, i] if rows.t[i] else y0_hat[0, i] for i in range(len(rows))])
        flips.append(np.mean([(a > 0.5) != (b > 0.5) for a, b in zip(*said, strict=True)]))
        means.append(np.mean(np.subtract(said[1], said[0])))
    np.testing.assert_allclose(found.flips, flips)
    np.testing.assert_allclose(found.mean, means, atol=1e-6)


def test_a_diverged_model_has_no_size_and_its_neighbour_keeps_its_own() -> None:
    result = train(config(LABEL))
    lost = {name: value.copy() for name, value in result.weights.items()}
    for value in lost.values():
        value[0] = np.nan
    found, whole = moved(replace(result, weights=lost), MACHINE), moved(result, MACHINE)
    assert np.isnan(found.flips).tolist() == [True, False]
    assert found.flips[1] == whole.flips[1]


@pytest.mark.parametrize(
    ("world", "edit", "says"),
    [
        (replace(FILTER, hum_mv=0.0), HUM, "no hum in this world"),
        (replace(FILTER, highpass=(0.5,)), MACHINE, "The machines of all hospitals are alike"),
        (FILTER, HUM, ""),
        (FILTER, MACHINE, ""),
    ],
)
def test_an_edit_that_can_move_nothing_is_said_to(world: Scenario, edit: Edit, says: str) -> None:
    assert says in idle_said(world, edit)
    assert bool(says) == bool(idle_said(world, edit))


def test_the_edit_that_is_shown_first_is_the_one_that_can_move_something() -> None:
    assert first_edit(FILTER) == MACHINE
    assert first_edit(replace(FILTER, highpass=(0.5,))) == HUM


def test_who_knows_the_machine_is_told_what_would_mend_it() -> None:
    assert "a notch at 50 Hz in every hospital" in mended_said(FILTER, HUM)
    assert "through the high-pass of 0.5 Hz" in mended_said(FILTER, MACHINE)
    assert "divide every trace by its own spread" in mended_said(LABEL, MACHINE)
    assert mended_said(replace(FILTER, notch=(1.0,)), HUM) == ""
    assert mended_said(replace(FILTER, highpass=(0.5,)), MACHINE) == ""
    assert mended_said(replace(FILTER, highpass=(0.5,), electrode_noise=(0.0, 0.2)), MACHINE) == ""


def test_what_moved_is_said_at_lambda_zero_and_at_the_lambda_in_view() -> None:
    sizes = np.array([[0.8, np.nan, 0.2], [0.9, np.nan, 0.3]])
    said = moved_said(sizes, (0.0, 1.0, 30.0), 30.0, HUM, label=False)
    assert said.startswith("Without the hum, the effects move by 0.85 at λ = 0 and 0.25 at λ = 30, in view")
    flips = moved_said(np.array([[0.1, 0.0]]), (0.0, 1.0), 0.0, HUM, label=True)
    assert flips == "Without the hum, the share of labels that flip is 10.0 % at λ = 0, in view."
    assert "no usable model at λ = 1" in moved_said(sizes, (0.0, 1.0, 30.0), 1.0, HUM, label=False)


def test_what_cannot_be_recorded_again_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"no trace and no image here.*observation=ecg"):
        edited(preset("hospital"), HUM)
    with pytest.raises(ValueError, match="the edit is louder; it must be one of without the hum, through"):
        edited(config(FILTER), "louder")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def trained() -> RunResult:
    """The monitor's filter, half its rows."""
    return train(config(FILTER, lams=(0.0, 30.0), epochs=30, replicates=1, hidden=64, latent_dim=16))


def test_a_network_without_alignment_believes_the_filter_and_an_aligned_one_does_not(trained: RunResult) -> None:
    zero, aligned = moved(trained, MACHINE).rms
    assert zero > 0.5
    assert aligned < 0.3
    rows, other = data_of(trained.config)[1], edited(trained.config, MACHINE)
    assert rms(trained.effects(other.x)[0] - trained.effects(rows.x)[0]) == pytest.approx(zero, rel=1e-4)
