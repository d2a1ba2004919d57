"""At which λ a run's figure is taken where runs stand side by side."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crl_core.measures.across_runs import WHERE_WORDS, Where, at_lam, lam_index

LAMS = (0.0, 1.0, 10.0)
ERROR = np.array([[3.0, 1.0, 2.0], [3.0, 1.0, 9.0], [3.0, 5.0, 2.0]])
FACTUAL = np.array([[1.0, 2.0, 0.5]] * 3)


@pytest.mark.parametrize(
    ("where", "expected"), [("least", [1.0, 1.0, 5.0]), ("zero", [3.0] * 3), ("blind", [2.0, 9.0, 2.0])]
)
def test_all_replicates_are_taken_at_one_lam(where: Where, expected: list[float]) -> None:
    assert at_lam(where, ERROR, FACTUAL, LAMS).tolist() == expected


def test_a_grid_without_zero_has_no_figure_there() -> None:
    assert lam_index("zero", ERROR, FACTUAL, (0.5, 1.0, 10.0)) is None
    assert np.isnan(at_lam("zero", ERROR, FACTUAL, (0.5, 1.0, 10.0))).all()


def test_a_lam_where_a_replicate_broke_is_not_chosen() -> None:
    broken = ERROR.copy()
    broken[0, 1] = np.nan
    assert lam_index("least", broken, FACTUAL, LAMS) == 2
    assert lam_index("least", np.full((2, 3), np.nan), FACTUAL, LAMS) is None


@given(
    hnp.arrays(np.float64, (3, 3), elements=st.floats(0, 10)),
    hnp.arrays(np.float64, (3, 3), elements=st.floats(0, 10)),
)
def test_without_the_truth_no_lam_is_chosen_by_it(error: np.ndarray, factual: np.ndarray) -> None:
    index = lam_index("blind", error, factual, LAMS)
    assert index == lam_index("blind", error[::-1] + 1, factual, LAMS)
    assert index == int(np.median(factual, axis=0).argmin())
    least = lam_index("least", error, factual, LAMS)
    assert least == min(range(3), key=lambda at: sorted(error[:, at])[1])
    assert set(WHERE_WORDS) == {"least", "zero", "blind"}
