"""What a change did is said by a rule: tried on known errors, and against plain NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_core.events import DIVERGED, OK
from crl_core.measures.effect_of_change import medians, move_at_best, move_at_least_lam, said
from crl_core.results import RunResult
from tests.lecture_runs import run_of


def with_errors(result: RunResult, errors: np.ndarray, status: np.ndarray | None = None) -> RunResult:
    """The run as if its models, [R, L], had these errors."""
    found = np.zeros(errors.size, dtype=result.status.dtype) if status is None else status.ravel()
    return replace(result, ite_rmse=errors.ravel(), status=found)


@pytest.fixture(scope="module")
def result() -> RunResult:
    return run_of()


def shape(result: RunResult) -> tuple[int, int]:
    return result.config.training.replicates, len(result.lams)


def test_an_error_whose_replicates_are_all_lower_fell_and_else_there_is_no_clear_change(result: RunResult) -> None:
    replicates, n_lams = shape(result)
    assert replicates > 1
    high = with_errors(result, 1 + 0.1 * np.arange(replicates)[:, None] + np.zeros((1, n_lams)))
    low = with_errors(result, 0.2 + 0.1 * np.arange(replicates)[:, None] + np.zeros((1, n_lams)))
    near = with_errors(result, 1.05 + 0.1 * np.arange(replicates)[:, None] + np.zeros((1, n_lams)))
    middle = float(np.median(np.arange(replicates)))
    assert f"fell, {1 + 0.1 * middle:.2g} → {0.2 + 0.1 * middle:.2g}" in said(high, low)
    assert "rose" in said(low, high)
    assert said(high, near).count("no clear change") == 2


def test_a_diverged_replicate_has_no_part_in_it(result: RunResult) -> None:
    replicates, n_lams = shape(result)
    errors, status = np.ones((replicates, n_lams)), np.full((replicates, n_lams), OK)
    errors[0], status[0] = 50, DIVERGED
    found = medians(with_errors(result, errors, status), "ite_rmse")
    assert found is not None
    np.testing.assert_array_equal(found, np.ones(n_lams))


@given(st.integers(0, 2**32 - 1))
def test_the_numbers_are_plain_medians_at_the_least_and_at_the_best_lam(seed: int) -> None:
    result = run_of()
    replicates, n_lams = shape(result)
    rng = np.random.default_rng(seed)
    one, other = rng.lognormal(size=(replicates, n_lams)), rng.lognormal(size=(replicates, n_lams))
    before, after = with_errors(result, one), with_errors(result, other)
    first = move_at_least_lam(before, after, "ite_rmse")
    assert first is not None
    assert first[0] == min(result.lams)
    at = result.lams.index(first[0])
    assert (first[1].before, first[1].after) == (np.median(one[:, at]), np.median(other[:, at]))
    best = move_at_best(before, after, "ite_rmse")
    assert best is not None
    assert (best.before, best.after) == (np.median(one, axis=0).min(), np.median(other, axis=0).min())
