"""Which covariates a latent still holds: R² by a second way, what is called forgotten, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from crl_core import RunConfig, Training, train
from crl_core.data.scm import Stream, rng_for
from crl_core.data.tables.making import table_source
from crl_core.measures.covariate_probes import CovariateProbes, covariate_probes, probe_sentences
from crl_core.measures.probes import FOLDS, RIDGE_STRENGTHS
from crl_core.results import RunResult
from tests.crl_core.test_own_tables import ROLES, frame, nothing_loaded, read

__all__ = ["nothing_loaded"]  # a fixture that forgets the tables


@pytest.fixture
def result() -> RunResult:
    table = frame()
    table["sex"] = np.resize(["f", "m", "m", "m", "f", "m", "x"], len(table))
    source = table_source(read(table), ROLES, label="trial.csv")
    training = Training(lams=(0.0, 1.0), replicates=2, epochs=3, device="cpu", hidden=8, latent_dim=4)
    return train(RunConfig(table=source, training=training))


def cross_validated(phi: np.ndarray, target: np.ndarray, seed: int) -> tuple[float, float]:
    """Squared error of scikit-learn's ridge on folds that it did not see, and that of the mean."""
    fold = rng_for(seed, Stream.PROBES).permutation(len(phi)) % FOLDS
    x, error = StandardScaler().fit_transform(phi), 0.0
    for out in range(FOLDS):
        ridge = RidgeCV(RIDGE_STRENGTHS).fit(x[fold != out], target[fold != out])
        error += float(np.square(target[fold == out] - ridge.predict(x[fold == out])).sum())
    return error, float(np.square(target - target.mean()).sum())


def test_a_number_is_read_as_scikit_learn_reads_it_and_a_category_by_all_its_levels(result: RunResult) -> None:
    source = result.config.table
    x = source.rows(0)[1].x  # type: ignore[union-attr]
    found = covariate_probes(result, x, 1, source.covariates)  # type: ignore[union-attr]
    assert found.names == ("age", "sex", "seen")
    by_hand = []
    for replicate in (0, 1):
        phi = result.predict(x, replicate)[0][1].astype(float)
        sums = [cross_validated(phi, x[:, at], replicate) for at in range(6)]
        sex = 1 - sum(error for error, _ in sums[2:5]) / sum(total for _, total in sums[2:5])
        by_hand.append([1 - sums[0][0] / sums[0][1], sex, 1 - sums[5][0] / sums[5][1]])
    np.testing.assert_allclose(found.here, np.median(by_hand, axis=0), atol=1e-6)


def test_what_no_weight_lets_through_is_forgotten_and_what_it_copies_is_held(result: RunResult) -> None:
    source = result.config.table
    x = source.rows(0)[1].x  # type: ignore[union-attr]
    weights = {name: value.copy() for name, value in result.weights.items()}
    first, hidden = weights["encoder.0.weight"], weights["encoder.1.weight"]
    first[:], hidden[:], weights["encoder.2.weight"][:] = 0, 0, 0
    weights["encoder.0.bias"][:], weights["encoder.1.bias"][:], weights["encoder.2.bias"][:] = 0, 0, 0
    for at, column in enumerate((0, 5)):  # age and the date, copied as far as positive numbers are
        first[:, column, at] = 1e-2 if at else 1.0
        hidden[:, at, at] = weights["encoder.2.weight"][:, at, at] = 1.0
    first[[1, 3], 5] = 0.0  # λ = 1 does without the date
    found = covariate_probes(replace(result, weights=weights), x, 1, source.covariates)  # type: ignore[union-attr]
    np.testing.assert_allclose(found.without[[0, 2]], 1, atol=1e-3)
    assert found.here[0] == pytest.approx(1, abs=1e-3)
    assert found.here[2] < 0.1
    assert found.forgotten.tolist() == [False, False, True]
    assert found.by_loss[0] == 2
    words = probe_sentences(found, (0.0, 1.0), "treatment")
    assert "At λ = 0 the latent holds 2 of 3 covariates (R² 0.25 or more)." in words
    assert "At λ = 1 less than half of that is left of seen. The penalty takes out what tells treated from" in words
    assert "what tells the environments apart" in probe_sentences(found, (0.0, 1.0), "environment")


def test_a_lost_replicate_says_nothing_and_where_all_are_lost_nothing_is_known(result: RunResult) -> None:
    source = result.config.table
    x, covariates = source.rows(0)[1].x, source.covariates  # type: ignore[union-attr]
    weights = {name: value.copy() for name, value in result.weights.items()}
    weights["encoder.2.bias"][3] = np.nan  # the second replicate at λ = 1
    found = covariate_probes(replace(result, weights=weights), x, 1, covariates)
    alone = covariate_probes(
        replace(
            result,
            config=replace(result.config, training=replace(result.config.training, replicates=1)),
            weights={name: value[:2] for name, value in result.weights.items()},
        ),
        x,
        1,
        covariates,
    )
    np.testing.assert_array_equal(found.here, alone.here)
    weights["encoder.2.bias"][1] = np.nan
    none = covariate_probes(replace(result, weights=weights), x, 1, covariates)
    assert np.isnan(none.here).all()
    assert len(none.by_loss) == 0


def test_at_the_least_lambda_there_is_nothing_to_have_forgotten_yet() -> None:
    found = CovariateProbes(names=("a", "b"), without=np.array([0.9, 0.1]), here=np.array([0.9, 0.1]))
    assert "Choose a larger λ" in probe_sentences(found, (0.0, 0.0), "treatment")
    assert "none of them is forgotten" in probe_sentences(found, (0.0, 1.0), "treatment")


def test_of_many_that_are_forgotten_the_first_are_named_and_the_rest_counted() -> None:
    found = CovariateProbes(names=tuple("abcdefg"), without=np.linspace(0.9, 0.6, 7), here=np.zeros(7))
    assert "is left of a, b, c, d, e and 2 more. The penalty" in probe_sentences(found, (0.0, 1.0), "environment")
