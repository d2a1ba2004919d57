"""Errors are those computed by hand, one value per model, and have no number where there is nothing to average."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_squared_error

from crl_core import metrics


def made(seed: int, models: int = 3, n: int = 40) -> tuple[np.ndarray, ...]:
    draw = np.random.default_rng(seed)
    y0_hat, y1_hat = draw.standard_normal((2, models, n))
    t, env = draw.integers(0, 2, n), draw.integers(0, 3, n)
    return y0_hat, y1_hat, t, env, draw.standard_normal(n)


def test_effect_errors_of_a_case_small_enough_for_paper() -> None:
    ite_hat = np.array([[1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 2.0, 2.0]], dtype=np.float32)
    ite = np.array([1.0, 2.0, 3.0, 0.0])
    np.testing.assert_allclose(metrics.ite_rmse(ite_hat, ite), [2.0, np.sqrt(6 / 4)])
    np.testing.assert_allclose(metrics.ate_error(ite_hat, ite), [1.0, 0.5])
    assert metrics.ite_rmse(ite_hat, ite).dtype == np.float64


def test_factual_error_looks_at_the_treatment_received_only() -> None:
    y0_hat, y1_hat = np.array([[1.0, 100.0]]), np.array([[100.0, 2.0]])
    got = metrics.factual_mse(y0_hat, y1_hat, np.array([0, 1]), np.array([0.0, 0.0]))
    np.testing.assert_allclose(got, [2.5])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_errors_equal_scikit_learns_model_by_model_whatever_the_order_of_rows(seed: int) -> None:
    y0_hat, y1_hat, t, env, y = made(seed)
    factual = np.where(t == 1, y1_hat, y0_hat)
    order = np.random.default_rng(seed).permutation(len(y))
    got = metrics.factual_mse(y0_hat, y1_hat, t, y)
    again = metrics.factual_mse(y0_hat[:, order], y1_hat[:, order], t[order], y[order])
    by_env = metrics.factual_mse_by_env(y0_hat, y1_hat, t, y, env, 3)
    ite_by_env = metrics.ite_rmse_by_env(y1_hat, y, env, 3)
    for m in range(3):
        assert got[m] == pytest.approx(mean_squared_error(y, factual[m])) == pytest.approx(again[m])
        assert metrics.ite_rmse(y1_hat, y)[m] ** 2 == pytest.approx(mean_squared_error(y, y1_hat[m]))
        for e in np.unique(env):
            rows = env == e
            assert by_env[m, e] == pytest.approx(mean_squared_error(y[rows], factual[m, rows]))
            assert ite_by_env[m, e] ** 2 == pytest.approx(mean_squared_error(y[rows], y1_hat[m, rows]))
    shares = np.bincount(env, minlength=3) / len(env)
    np.testing.assert_allclose(np.nansum(by_env * shares, axis=1), got)


def test_the_generalisation_gap_is_the_worst_environment_less_the_mean() -> None:
    by_env = np.array([[1.0, 2.0, 6.0], [4.0, np.nan, 4.0], [np.nan] * 3])
    np.testing.assert_allclose(metrics.generalisation_gap(by_env), [3.0, 0.0, np.nan])
    np.testing.assert_array_equal(metrics.generalisation_gap(np.array([[5.0]])), [0.0])


@pytest.mark.filterwarnings("error")
def test_an_environment_without_rows_and_a_diverged_model_have_no_error_and_no_warning() -> None:
    y0_hat, y1_hat, t, env, y = made(1)
    y0_hat[1], y1_hat[1] = np.nan, np.nan
    by_env = metrics.factual_mse_by_env(y0_hat, y1_hat, t, y, env, 5)
    np.testing.assert_array_equal(np.isnan(by_env[:, 3:]), True)
    np.testing.assert_array_equal(np.isnan(by_env[:, :3]).all(axis=1), [False, True, False])
    np.testing.assert_array_equal(np.isnan(metrics.generalisation_gap(by_env)), [False, True, False])
