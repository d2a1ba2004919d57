"""A model deployed along the doses of a machine: alarms are counted batch by batch, and what is right row by row."""

import numpy as np
import pytest

from crl_core import RunConfig, Scenario, Training, train
from crl_core.data.interventions import OF_MACHINE, deploy, limits
from crl_core.metrics import ite_rmse
from crl_core.results import RunResult, one_model, predict
from crl_core.studies.along_dose import along_dose, doses_of, label_deployed
from crl_core.studies.deployed import batch_report, reference_of
from crl_core.studies.deployed_view import dose_curves

EFFECTS = RunConfig(
    scenario=Scenario(
        observation="ecg", n_samples=400, propensity=(1, 0), offset=(1, -1), heterogeneity=1.5, highpass=(0.5, 0.05)
    ),
    training=Training(lams=(0.0, 1.0), epochs=3, replicates=2, learning_rate=0.005),
)
LABELS = RunConfig(
    scenario=Scenario(observation="ecg", n_samples=600, outcome="binary", leak=1.0, sigma=(0.3, 0.3)),
    training=Training(lams=(0.0, 1.0), epochs=20, replicates=2, learning_rate=0.005),
)


@pytest.fixture(scope="module")
def effects() -> RunResult:
    return train(EFFECTS)


@pytest.fixture(scope="module")
def labelled() -> RunResult:
    return train(LABELS)


def right_of(run: RunResult, m: int, intervention: str, dose: float, seed: int) -> tuple[float, float]:
    """The share of labels that is right and AUC, row by row and pair by pair."""
    rows = deploy(run.config.scenario, intervention, dose, 2000, seed, 10_000)
    _, y0, y1 = (values[0] for values in predict(one_model(run.weights, m), rows.x))
    chance = [float(y1[row] if rows.t[row] else y0[row]) for row in range(len(rows))]
    hits = sum((chance[row] > 0.5) == (rows.y[row] == 1) for row in range(len(rows))) / len(rows)
    yes = np.array([chance[row] for row in range(len(rows)) if rows.y[row] == 1])
    no = np.array([chance[row] for row in range(len(rows)) if rows.y[row] == 0])
    pairs = yes[:, None] - no
    return hits, float(((pairs > 0) + 0.5 * (pairs == 0)).mean())


def test_a_label_is_right_as_often_as_its_rows_are(labelled: RunResult) -> None:
    found = along_dose(labelled, "hum", 0.0, doses=(0.0, 1.0), draws=1, permutations=19)
    for at, dose in enumerate((0.0, 1.0)):
        by_replicate = [right_of(labelled, labelled.model(0.0, r), "hum", dose, r) for r in (0, 1)]
        assert found.right["accuracy"][at] == pytest.approx(np.median([hits for hits, _ in by_replicate]))
        assert found.right["auc"][at] == pytest.approx(np.median([area for _, area in by_replicate]))
    assert found.right["accuracy"][0] < found.right["accuracy"][1] - 0.1  # it listens to the hum


def test_effects_are_as_wrong_as_those_of_the_rows(effects: RunResult) -> None:
    found = along_dose(effects, "highpass", 1.0, doses=(0.05, 0.5), draws=1, permutations=19)
    assert set(found.right) == {"ite_rmse"}
    for at, dose in enumerate((0.05, 0.5)):
        errors = []
        for replicate in (0, 1):
            rows = deploy(EFFECTS.scenario, "highpass", dose, 2000, replicate, 10_000)
            _, y0, y1 = (v[0] for v in predict(one_model(effects.weights, effects.model(1.0, replicate)), rows.x))
            assert rows.ite is not None
            errors.append(float(ite_rmse(y1 - y0, rows.ite)))
        assert found.right["ite_rmse"][at] == pytest.approx(np.median(errors), rel=1e-5)


def test_alarms_are_the_share_of_batches_that_a_test_alarms_on(labelled: RunResult) -> None:
    found = along_dose(labelled, "gain", 0.0, doses=(1.0, 2.0), n=60, draws=3, permutations=49)
    for at, dose in enumerate((1.0, 2.0)):
        counts = dict.fromkeys(found.alarms, 0)
        for replicate in (0, 1):
            model = reference_of(labelled, 0.0, replicate)
            for draw in range(3):
                batch = deploy(LABELS.scenario, "gain", dose, 60, replicate, draw)
                rng = np.random.default_rng(np.random.SeedSequence([replicate, 1_000_037, draw, at]))
                tests = tuple(found.alarms)
                report = batch_report(model, batch.x, rng, t=batch.t, y=batch.y, permutations=49, tests=tests)
                for test in tests:
                    counts[test] += bool(report.of(test).alarm)
        assert {test: found.alarms[test][at] for test in counts} == {test: n / 6 for test, n in counts.items()}


@pytest.mark.parametrize("name", OF_MACHINE)
def test_usual_doses_are_five_within_the_limits_and_one_changes_nothing_where_there_is_one(name: str) -> None:
    low, high = limits(LABELS.scenario, name)
    doses = doses_of(LABELS.scenario, name)
    assert len(doses) == 5
    assert list(doses) == sorted({*doses})
    assert low <= doses[0] < doses[-1] <= high
    assert OF_MACHINE[name].neutral is None or OF_MACHINE[name].neutral in doses


def test_a_page_has_the_figures_of_a_label_here_and_of_unchanged_rows(labelled: RunResult) -> None:
    model = reference_of(labelled, 0.0)
    found = label_deployed(model, "hum", 0.0, 100)
    assert (found.here["accuracy"], found.here["auc"]) == pytest.approx(right_of(labelled, model.m, "hum", 0.0, 0))
    assert (found.usual["accuracy"], found.usual["auc"]) == pytest.approx(right_of(labelled, model.m, "none", 0, 0))
    assert found.report.n_rows == 100


def test_curves_of_a_label_go_through_every_environment_or_seventeen_doses(labelled: RunResult) -> None:
    model = reference_of(labelled, 0.0)
    sites = dose_curves(model, "site", 200)
    assert sites.doses == (1.0, 2.0)
    hum = dose_curves(model, "hum", 200)
    assert len(hum.doses) == len(hum.right["accuracy"]) == len(hum.right["auc"]) == len(hum.mmd2) == 17
    assert hum.right["accuracy"][0] < hum.right["accuracy"][4] - 0.1  # without the hum against as it was
    assert hum.doses[4] == 1
