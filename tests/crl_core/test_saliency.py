"""Where a network looks: gradients are those of small steps, and their spectrum tells who hears the hum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crl_core import RunConfig, Scenario, Training, preset, train
from crl_core.data.ecg import RR, after_r, heart
from crl_core.measures.saliency import Looks, gradient, looks, smoothed
from crl_core.measures.saliency_words import hum_place_said, looked_said
from crl_core.network import LINK, gradients, predict, shapes, slopes
from crl_core.results import RunResult, data_of

LABEL = RunConfig(
    scenario=Scenario(observation="ecg", n_samples=300, outcome="binary", leak=1.0, hum_mv=0.2),
    training=Training(lams=(0.0, 1.0), epochs=2, replicates=2, hidden=8, latent_dim=2),
)
FILTER = replace(LABEL, scenario=replace(preset("filter").scenario, n_samples=300))


@pytest.fixture(scope="module")
def labelled() -> RunResult:
    return train(LABEL)


def random_weights(
    rng: np.random.Generator, dim_x: int, models: int = 2, encoder: str = "mlp"
) -> dict[str, np.ndarray]:
    return {name: rng.normal(size=(models, *shape)) / 2 for name, shape in shapes(dim_x, 8, 3, encoder).items()}


def logit(values: np.ndarray) -> np.ndarray:
    return np.log(values / (1 - values))


@pytest.mark.parametrize("probabilities", [False, True])
def test_a_gradient_is_what_a_small_step_of_each_entry_gives(probabilities: bool) -> None:
    rng = np.random.default_rng(0)
    weights = random_weights(rng, 5)
    if probabilities:
        weights[LINK] = np.ones(2)
    x, pull = rng.normal(size=(7, 5)), rng.normal(size=(7, 2))

    def answers(rows: np.ndarray) -> np.ndarray:
        arms = predict(weights, rows)[1:]
        control, treated = (logit(arm.astype(np.float64)) for arm in arms) if probabilities else arms
        return pull[:, 0] * control + pull[:, 1] * treated

    step = 1e-2  # of float32 rows
    stepped = [(answers(x + step * unit) - answers(x - step * unit)) / (2 * step) for unit in np.eye(5)]
    np.testing.assert_allclose(gradients(weights, x, pull), np.stack(stepped, axis=-1), atol=3e-3)


@pytest.mark.parametrize(("encoder", "dim_x"), [("mlp", 6), ("conv1d", 61), ("conv1d", 37)])
def test_along_a_direction_a_gradient_is_the_slope_that_forward_mode_gives(
    encoder: str, dim_x: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crl_core.encoders._AT_ONCE", 4)
    rng = np.random.default_rng(1)
    weights = random_weights(rng, dim_x, encoder=encoder)
    x, direction = rng.normal(size=(9, dim_x)), rng.normal(size=(9, dim_x))
    for arm, slope in enumerate(slopes(weights, x, direction)):
        pull = np.zeros((9, 2))
        pull[:, arm] = 1
        found = gradients(weights, x, pull)
        assert found.shape == (2, 9, dim_x)
        np.testing.assert_allclose((found * direction).sum(axis=-1), slope, rtol=1e-3, atol=1e-4)


def test_the_gradient_of_an_effect_is_that_of_the_treated_head_less_that_of_the_other() -> None:
    result = train(FILTER)
    rows = data_of(FILTER, 1)[1]
    found = gradient(result, rows, 1, replicate=1)
    m, step = result.model(1.0, 1), 1e-2
    weights = {name: value[m : m + 1] for name, value in result.weights.items()}
    for sample in (0, 60, 127):
        unit = step * np.eye(128)[sample]
        ahead, behind = (predict(weights, rows.x + way * unit) for way in (1, -1))
        stepped = ((ahead[2] - ahead[1]) - (behind[2] - behind[1]))[0] / (2 * step)
        np.testing.assert_allclose(found[:, sample], stepped, atol=2e-3)


def test_the_gradient_of_a_label_is_of_the_arm_that_a_row_is_of(labelled: RunResult) -> None:
    rows = data_of(LABEL)[1]
    found = gradient(labelled, rows, 0)
    weights = {name: value[:1] for name, value in labelled.weights.items()}
    for arm in (0, 1):
        pull = np.tile([1.0 - arm, float(arm)], (len(rows), 1))
        mine = rows.t == arm
        np.testing.assert_array_equal(found[mine], gradients(weights, rows.x, pull)[0][mine])
    assert (gradient(labelled, replace(rows, t=1 - rows.t), 0) != found).any()


def test_shares_are_those_of_a_spectrum_summed_row_by_row(labelled: RunResult) -> None:
    found, rows = looks(labelled, 1), data_of(LABEL, 1)[1]
    hz = np.arange(65) * 160 / 128
    np.testing.assert_allclose(found.hz, hz)
    assert hz[found.band].tolist() == [47.5, 48.75, 50.0, 51.25, 52.5]
    assert found.white == pytest.approx(5 / 65)
    turn = np.exp(-2j * np.pi * np.outer(np.arange(128), np.arange(65)) / 128)
    for at in (0, 1):
        of_rows = gradient(labelled, rows, at, 1).astype(np.float64)
        power = sum(np.abs(row @ turn) ** 2 for row in of_rows)
        assert found.at_hum[at] == pytest.approx(power[38:43].sum() / power.sum(), rel=1e-9)
        assert found.energy[at].sum() == pytest.approx(1)
        energy = np.square(of_rows).sum(axis=0)
        in_st = energy[61:81].sum()  # 80 to 200 ms after the R peak at 300 ms, of 160 samples a second
        assert found.at_st[at] == pytest.approx(in_st / energy.sum(), rel=1e-9)


def test_a_beat_is_counted_from_its_own_r_peak() -> None:
    time = np.arange(400) / 200
    peaks = time[np.isclose(after_r(time), 0, atol=1e-9)]
    np.testing.assert_allclose(peaks, [0.3, 0.3 + RR, 0.3 + 2 * RR][: len(peaks)])
    beat = heart(np.zeros((1, 1)), ("st",), time)[0]
    np.testing.assert_allclose(time[np.isclose(beat, beat.max())], peaks)


def test_a_white_gradient_has_the_white_share_and_a_hum_has_all_of_it() -> None:
    """Through a network whose first layer passes its rows on, so that the gradient is what was put there."""
    time = np.arange(128) / 160
    rng = np.random.default_rng(2)
    of_one = replace(FILTER.training, lams=(0.0,), replicates=1, hidden=4, latent_dim=2)
    trained = train(replace(FILTER, training=of_one))
    for first, share, within in (
        (np.sin(2 * np.pi * 50 * time)[:, None], 1.0, 1e-6),
        (rng.normal(size=(128, 1)), 5 / 65, 0.06),
    ):
        weights = {name: np.zeros((1, *shape)) for name, shape in shapes(128, 4, 2).items()}
        weights["encoder.0.weight"][0, :, :1] = first
        for name in ("encoder.0.bias", "encoder.1.bias", "head.0.bias"):
            weights[name][:] = 1e3  # where the ELU is the identity
        weights["encoder.1.weight"][0, 0, 0] = weights["encoder.2.weight"][0, 0, 0] = 1.0
        weights["head.0.weight"][0, 0, 2] = weights["head.1.weight"][0, 1, 0] = 1.0  # the treated arm's first unit
        found = looks(replace(trained, weights=weights))
        assert found.at_hum[0] == pytest.approx(share, abs=within)


def test_a_hum_that_too_few_samples_fold_back_is_looked_for_where_it_stands() -> None:
    slow = replace(LABEL, scenario=replace(LABEL.scenario, rate=100.0, hum_hz=60.0))
    found = looks(train(slow))
    assert found.hz[found.band].min() == pytest.approx(40 - 3, abs=100 / 128)
    assert found.hz[found.band].max() == pytest.approx(40 + 3, abs=100 / 128)
    assert "60 Hz is seen at 40 Hz" in hum_place_said(slow.scenario)
    assert hum_place_said(LABEL.scenario) == ""


def test_a_diverged_model_has_no_share_and_its_neighbour_keeps_its_own(labelled: RunResult) -> None:
    lost = {name: value.copy() for name, value in labelled.weights.items()}
    for value in lost.values():
        value[0] = np.nan
    found, whole = looks(replace(labelled, weights=lost)), looks(labelled)
    assert np.isnan(found.at_hum).tolist() == np.isnan(found.at_st).tolist() == [True, False]
    assert found.at_hum[1] == whole.at_hum[1]
    idle = {name: np.zeros_like(value) for name, value in labelled.weights.items()}
    assert np.isnan(looks(replace(labelled, weights=idle)).at_hum).all()


def test_smoothing_is_the_mean_of_five_samples() -> None:
    values = np.random.default_rng(3).normal(size=(2, 20))
    found = smoothed(values)
    for at in range(2, 18):
        np.testing.assert_allclose(found[:, at], values[:, at - 2 : at + 3].mean(axis=1))
    assert found.shape == values.shape


def of(at_hum: list[float], at_st: list[float]) -> Looks:
    hum, st = np.array(at_hum), np.array(at_st)
    return Looks(
        hz=np.array([0.0, 50.0]),
        power=np.stack([1 - hum, hum], axis=1),
        band=np.array([False, True]),
        energy=np.stack([st, 1 - st], axis=1),
        st=np.array([True, False]),
    )


def test_of_a_label_the_share_at_the_hum_is_said_and_of_an_effect_what_it_cannot_show() -> None:
    found = [of([0.6, np.nan, 0.05], [0.5, np.nan, 0.4]), of([0.7, np.nan, 0.03], [0.6, np.nan, 0.5])]
    lams = (0.0, 1.0, 20.0)
    label = looked_said(found, lams, 20.0, label=True)
    assert "spectrum 65.0 % at λ = 0 and 4.0 % at λ = 20, in view, lies within 3 Hz" in label
    assert "at all frequencies would have 50.0 %" in label
    effect = looked_said(found, lams, 20.0, label=False)
    assert "55.0 % at λ = 0 and 45.0 % at λ = 20, in view, lies in ST" in effect
    assert "4.0 % at the hum" in effect
    assert "where the effect looks is not how far it extrapolates" in effect.lower()
    assert "effect's gradient 65.0 % at λ = 0, in view, lies within 3 Hz" in looked_said(found, lams, 0.0, label=False)
    assert "no gradient at λ = 1" in looked_said(found, lams, 1.0, label=True)


def test_who_has_no_trace_is_told_so_in_a_sentence() -> None:
    plain = replace(preset("hospital"), training=replace(LABEL.training, lams=(0.0,)))
    small = replace(plain, scenario=replace(plain.scenario, n_samples=300))
    with pytest.raises(ValueError, match=r"x is no trace here.*observation=ecg"):
        looks(train(small))
