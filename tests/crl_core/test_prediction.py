"""Accuracy and AUC of a label are what counting gives, in the trial and elsewhere, beside what physiology allows."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.stats import norm

from crl_core import RunConfig, Scenario, Training, sample, train
from crl_core.data.scm import along
from crl_core.events import DIVERGED
from crl_core.measures.prediction import PLACES, Prediction, ceiling, elsewhere, judged, prediction, said
from crl_core.results import RunResult, data_of

HUM = Scenario(outcome="binary", n_samples=1000, offset=(0.7, -0.7), sigma=(0.2, 0.2), leak=1.0)
SHORT = Training(lams=(0.0, 1.0), replicates=2, epochs=15, batch_size=64, hidden=16, latent_dim=4, learning_rate=0.01)


@pytest.fixture(scope="module")
def result() -> RunResult:
    return train(RunConfig(scenario=HUM, training=SHORT))


def test_each_place_is_judged_as_counting_gives(result: RunResult) -> None:
    found = prediction(result)
    assert set(found.accuracy) == set(found.auc) == set(PLACES)
    assert found.n_trial == 200
    for replicate in range(2):
        places = {"trial": data_of(result.config, replicate)[1], **elsewhere(HUM, replicate)}
        for place, rows in places.items():
            _, y0, y1 = result.predict(rows.x, replicate)
            for at in range(2):
                chance = [float((y1 if t == 1 else y0)[at, i]) for i, t in enumerate(rows.t)]
                right = sum((c > 0.5) == (y == 1) for c, y in zip(chance, rows.y, strict=True))
                m = 2 * replicate + at
                assert found.accuracy[place][m] == pytest.approx(right / len(rows))
                yes, no = ([c for c, y in zip(chance, rows.y, strict=True) if y == k] for k in (1, 0))
                if place == "trial":
                    wins = sum((a > b) + (a == b) / 2 for a, b in product(yes, no))
                    assert found.auc[place][m] == pytest.approx(wins / (len(yes) * len(no)))


def test_a_model_that_reads_the_machine_fails_where_the_machine_says_something_else(result: RunResult) -> None:
    found = prediction(result)
    trial, elsewhere_, reversed_ = (found.accuracy[place][0] for place in PLACES)
    assert trial > 0.93
    assert elsewhere_ < trial - 0.15
    assert reversed_ < 0.4
    assert found.too_good[0]
    assert "better than the physiology allows (84.1 %)" in said(found, 0, 0.0)


def test_elsewhere_the_machine_says_nothing_or_the_opposite_and_patients_stay_the_trials() -> None:
    world = replace(HUM, prevalence=(0.8, 0.3), offset=(2.0, -1.0))
    places = elsewhere(world, 3, 6000)

    def told(place: str) -> list[float]:
        """How much higher s is where the label is yes, by hospital."""
        rows = places[place]
        assert rows.s is not None
        s = rows.s[:, 0]
        return [
            float(s[(rows.env == e) & (rows.y == 1)].mean() - s[(rows.env == e) & (rows.y == 0)].mean()) for e in (0, 1)
        ]

    np.testing.assert_allclose(told("next"), 0, atol=0.15)
    np.testing.assert_allclose(told("reversed"), -2, atol=0.05)
    following = places["next"]
    assert following.s is not None
    assert following.s.mean() == pytest.approx(0.5, abs=0.05)
    assert following.s.std() == pytest.approx(1, abs=0.05)
    assert following.y.mean() == pytest.approx(0.5, abs=0.03)
    assert places["reversed"].y.mean() == pytest.approx(0.55, abs=0.03)
    for rows in places.values():
        assert rows.z is not None
        assert along(rows.z)[rows.y == 1].mean() == pytest.approx(1, abs=0.1)


def test_the_same_seed_draws_the_same_rows_and_each_place_and_replicate_its_own() -> None:
    first, again, other = elsewhere(HUM, 1), elsewhere(HUM, 1), elsewhere(HUM, 2)
    for place in first:
        assert first[place].x.tobytes() == again[place].x.tobytes()
        assert first[place].x.tobytes() != other[place].x.tobytes()
    assert not np.array_equal(first["next"].z, first["reversed"].z)


# -- the ceiling -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("separation", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("prevalence", [(0.5, 0.5), (0.9, 0.4), (0.98, 0.02)])
def test_the_ceiling_is_the_closed_form_where_hospitals_have_the_same_patients(
    separation: float, prevalence: tuple[float, float]
) -> None:
    p, d = sum(prevalence) / 2, separation
    cut = math.log((1 - p) / p) / (2 * d)
    want = p * norm.cdf(d - cut) + (1 - p) * norm.cdf(d + cut)
    for dims in (1, 3):
        world = replace(HUM, separation=separation, prevalence=prevalence, dim_causal=dims)
        assert ceiling(world) == pytest.approx(want, abs=1e-5)


def test_with_one_standard_deviation_to_either_side_physiology_is_right_for_84_percent() -> None:
    assert ceiling(HUM) == pytest.approx(0.8413, abs=1e-4)


@pytest.mark.parametrize(
    "world",
    [
        replace(HUM, prevalence=(0.9, 0.2), env_weight=(0.3, 0.9)),
        replace(HUM, cause_mean=(0.5, -1.0), cause_scale=(0.5, 2.0), dim_causal=2),
        replace(HUM, cause_mean=(3.0, 0.0), cause_scale=(0.02, 4.0)),
    ],
)
def test_no_rule_on_z_beats_the_ceiling_in_a_large_sample_and_the_best_reaches_it(world: Scenario) -> None:
    data = sample(replace(world, n_samples=100_000), 0)
    assert data.z is not None
    order = np.argsort(along(data.z))
    y = data.y[order]
    blocks = y[: len(y) // 200 * 200].reshape(-1, 200).mean(axis=1)  # the majority of neighbours in z̄
    best = np.maximum(blocks, 1 - blocks).mean()
    assert ceiling(world) == pytest.approx(best, abs=0.02)
    line = max(np.mean((along(data.z) > cut) == (data.y == 1)) for cut in np.arange(-3, 3, 0.05))
    assert line < ceiling(world) + 0.005


def found_with(accuracy: float, limit: float | None = 0.84, n: int = 800) -> Prediction:
    values = {"trial": np.array([accuracy])}
    return Prediction(accuracy=values, auc=values, n_trial=n, ceiling=limit)


def test_better_than_the_physiology_allows_is_said_beyond_three_standard_errors_only() -> None:
    error = math.sqrt(0.84 * 0.16 / 800)
    assert found_with(0.84).standard_error == pytest.approx(error)
    for above, too_good in ((2.9, False), (3.1, True)):
        found = found_with(0.84 + above * error)
        assert found.too_good.tolist() == [too_good]
        assert ("better than the physiology allows" in said(found, 0, 0.0)) == too_good
    assert said(found_with(0.99, None), 0, 0.0) == ""
    assert not found_with(0.99, None).too_good.any()


# -- what is not defined -----------------------------------------------------------------------------------------------


def test_a_diverged_model_and_rows_of_one_label_have_no_number(result: RunResult) -> None:
    weights = {name: value.copy() for name, value in result.weights.items()}
    weights["encoder.0.weight"][1] = np.nan
    status = np.where(np.arange(4) == 1, DIVERGED, result.status)
    found = prediction(replace(result, weights=weights, status=status))
    for place in PLACES:
        assert np.isnan(found.accuracy[place]).tolist() == [False, True, False, False]
        assert np.isnan(found.auc[place]).tolist() == [False, True, False, False]
    assert said(found, 1, 1.0) == ""
    hits, area = judged(np.array([0.2, 0.7]), np.array([1.0, 1.0]))
    assert hits == 0.5
    assert math.isnan(area)


def test_a_number_as_outcome_is_refused_in_a_sentence() -> None:
    run = train(RunConfig(scenario=Scenario(n_samples=200), training=replace(SHORT, epochs=1)))
    with pytest.raises(ValueError, match=r"the outcome of this run is a number, .* set scenario.outcome to binary"):
        prediction(run)
