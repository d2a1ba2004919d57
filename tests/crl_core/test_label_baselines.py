"""What simple learners make of a label is counted in a hospital that they have not seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.linear_model import LogisticRegression

from crl_core import RunConfig, Scenario, Training, preset
from crl_core.config.text import altered
from crl_core.measures.label_baselines import LEARNERS, wrong_in_next
from crl_core.measures.prediction import elsewhere
from crl_core.measures.trace_views import VIEWS
from crl_core.measures.views import IMAGE_VIEWS
from crl_core.results import data_of

HUM = RunConfig(
    scenario=Scenario(outcome="binary", n_samples=1000, offset=(0.7, -0.7), sigma=(0.2, 0.2), leak=1.0),
    training=Training(replicates=2, seed=5),
)


def test_a_regression_is_wrong_in_a_next_hospital_as_often_as_counting_says() -> None:
    for replicate in (0, 1):
        train, asked = data_of(HUM, replicate)[0], elsewhere(HUM.scenario, 5 + replicate)["next"]
        mean, sd = train.x.mean(axis=0), train.x.std(axis=0)
        model = LogisticRegression().fit((train.x - mean) / sd, train.y)
        wrong = np.mean(model.predict((asked.x - mean) / sd) != asked.y)
        assert wrong_in_next(HUM, replicate)["logistic regression"] == pytest.approx(wrong, abs=1e-3)


def test_of_a_trace_every_learner_is_asked_with_every_view_and_who_is_handed_the_hum_falls_for_it() -> None:
    found = wrong_in_next(altered(HUM, observation="ecg", n_samples=600), 0)
    assert set(found) == {*LEARNERS, *(f"{name}, {view}" for name in LEARNERS for view in VIEWS)}
    assert found["random forest, clinical features"] > 0.35  # the hum's power is one of them, and says nothing here
    assert found["random forest, hum filtered out"] < 0.25
    assert found["logistic regression"] < 0.25  # a random phase is noise to it


def test_of_an_image_every_learner_falls_for_the_lamp_unless_each_image_is_less_its_own_mean() -> None:
    found = wrong_in_next(altered(preset("lamp"), n_samples=1500), 0)
    assert set(found) == {*LEARNERS, *(f"{name}, {view}" for name in LEARNERS for view in IMAGE_VIEWS)}
    assert min(found[name] for name in LEARNERS) > 0.3
    assert found["random forest, each image centred"] < 0.1
    assert found["random forest, each image z-scored"] < 0.1


THOUSANDTHS = st.integers(-2000, 3000).map(lambda thousandths: thousandths / 1000)


@given(hnp.arrays(np.float64, (3, 64), elements=THOUSANDTHS), st.floats(-5, 5))
def test_an_image_less_its_own_mean_knows_no_light(x: np.ndarray, light: float) -> None:
    for view in IMAGE_VIEWS.values():
        np.testing.assert_allclose(view(x + light), view(x), atol=1e-6)
    for row, found in zip(x, IMAGE_VIEWS["each image centred"](x), strict=True):
        np.testing.assert_allclose(found, [pixel - sum(row) / 64 for pixel in row], atol=1e-9)


def test_of_an_outcome_that_is_a_number_nothing_is_said() -> None:
    with pytest.raises(ValueError, match="drawn of a simulated label"):
        wrong_in_next(RunConfig(scenario=Scenario(n_samples=200), training=Training()), 0)
