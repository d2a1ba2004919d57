"""Effects by the categories of a column or by thirds of its numbers, and which columns move τ̂."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crl_core import RunConfig, Training, train
from crl_core.data.tables.columns import MISSING, OTHER, Column, decoded, encoded, learnt, placed
from crl_core.data.tables.making import table_source
from crl_core.measures.average_effects import row_effects
from crl_core.measures.effect_importance import DRAWS, effect_importance
from crl_core.measures.subgroups import effects_by_column, groups_of, rare_arm
from crl_core.results import RunResult
from tests.crl_core.test_own_tables import ROLES, frame, nothing_loaded, read

__all__ = ["nothing_loaded"]  # a fixture that forgets the tables

NUMBER = Column(name="age", role="covariate", kind="number")
NONE = np.zeros(200, dtype=bool)  # no row is clipped
SEX = Column(name="sex", role="covariate", kind="category", levels=("f", "m", MISSING))


# -- back from inputs to cells -----------------------------------------------------------------------------------------


@given(seed=st.integers(0, 1000))
def test_a_columns_cells_come_back_from_its_inputs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, half = 120, np.arange(60)
    age = np.where(rng.random(n) < 0.1, np.nan, rng.normal(50, 10, n))
    day = np.datetime64("1999-05-01") + rng.integers(0, 999, n)
    site = rng.choice(np.array(["a", "b", "rare", None], dtype=object), n, p=[0.4, 0.4, 0.02, 0.18])
    for values in (age, day, site):
        column = learnt("c", "covariate", values, half)
        cells = decoded(column, encoded(column, values))
        if column.kind == "category":
            names = (*column.levels, OTHER)
            for cell, code in zip(values, cells.astype(int).tolist(), strict=True):
                expected = MISSING if cell is None else cell
                assert names[code] == (expected if expected in column.levels else OTHER)
        elif column.kind == "date":
            np.testing.assert_array_equal(np.datetime64(column.start, "D") + cells.astype(int), day)
        elif column.missing:
            np.testing.assert_array_equal(cells, age)


def test_every_covariate_has_its_place_among_the_inputs() -> None:
    covariates = [replace(NUMBER, missing=True), SEX, replace(NUMBER, name="bmi")]
    assert [(column.name, place) for column, place in placed(covariates)] == [
        ("age", slice(0, 2)),
        ("sex", slice(2, 5)),
        ("bmi", slice(5, 6)),
    ]


# -- groups ------------------------------------------------------------------------------------------------------------


def test_a_number_is_parted_into_thirds_as_pandas_parts_it_and_few_values_stand_for_themselves() -> None:
    rng = np.random.default_rng(0)
    age = np.round(rng.normal(50, 10, 300), 1)
    of, names = groups_of(NUMBER, age[:, None])
    low, high = np.quantile(age, (1 / 3, 2 / 3), method="lower")
    expected = pd.cut(pd.Series(age), [-np.inf, low, high, np.inf], labels=False)
    np.testing.assert_array_equal(of, expected)
    assert names == (f"up to {low:g}", f"above {low:g}, up to {high:g}", f"above {high:g}", MISSING)
    of, names = groups_of(NUMBER, np.tile([3.0, 1.0, 2.5], 10)[:, None])
    assert names == ("1", "2.5", "3", MISSING)
    assert of.tolist() == [2, 0, 1] * 10
    with_gaps = np.column_stack([age, np.arange(300) < 20])
    of, names = groups_of(replace(NUMBER, missing=True), with_gaps)
    assert {names[one] for one in of[:20]} == {MISSING}
    assert MISSING not in {names[one] for one in of[20:]}


def test_thirds_of_a_date_are_called_by_its_days() -> None:
    seen = replace(NUMBER, name="seen", kind="date", start="2020-01-01")
    of, names = groups_of(seen, np.arange(90.0)[:, None])
    assert names[:3] == ("up to 2020-01-30", "above 2020-01-30, up to 2020-02-29", "above 2020-02-29")
    assert np.bincount(of).tolist() == [30, 30, 30]


def test_a_groups_effect_is_the_mean_of_its_scores_and_small_groups_are_hidden_and_not_tested() -> None:
    rng = np.random.default_rng(1)
    code = np.repeat([0, 1, 2], [60, 50, 9])
    scores, effects = rng.normal(size=119) + code, rng.normal(size=119)
    found = effects_by_column(scores, effects, np.arange(119) < 70, SEX, np.eye(3)[code])
    assert [(group.name, group.n) for group in found.groups.shown] == [("f", 60), ("m", 50)]
    assert [group.n_clipped for group in found.groups.shown] == [60, 10]
    assert found.groups.hidden == 1
    for group, one in zip(found.groups.shown, (0, 1), strict=True):
        assert group.effect == pytest.approx(scores[code == one].mean())
        assert group.se == pytest.approx(scores[code == one].std(ddof=1) / np.sqrt((code == one).sum()))
        assert group.predicted == pytest.approx(effects[code == one].mean())
    # Of two groups Welch's test is that of a t-test of unequal variances.
    assert found.p == pytest.approx(stats.ttest_ind(scores[:60], scores[60:110], equal_var=False).pvalue)


def test_one_group_alone_or_scores_without_scatter_have_no_p() -> None:
    code = np.zeros(40, dtype=int)
    assert np.isnan(effects_by_column(np.arange(40.0), np.ones(40), NONE[:40], SEX, np.eye(3)[code]).p)
    code = np.repeat([0, 1], 20)
    assert np.isnan(effects_by_column(np.ones(40), np.ones(40), NONE[:40], SEX, np.eye(3)[code]).p)


def test_where_effects_are_the_same_in_all_groups_p_is_small_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    inputs = np.eye(3)[rng.choice(2, 200)]
    p_values = [effects_by_column(rng.normal(size=200), np.ones(200), NONE, SEX, inputs).p for _ in range(300)]
    assert 0.02 <= np.mean(np.array(p_values) < 0.05) <= 0.085


@pytest.mark.parametrize(
    ("counts", "arm"),
    [((51, 49), 1), ((50, 50), None), ((49, 900), 0), ((2000, 99), 1), ((1900, 100), None)],
)
def test_an_arm_is_rare_below_fifty_rows_or_five_in_a_hundred(counts: tuple[int, int], arm: int | None) -> None:
    assert rare_arm(counts) == arm


# -- what moves τ̂ ------------------------------------------------------------------------------------------------------


@pytest.fixture
def result() -> RunResult:
    source = table_source(read(frame()), ROLES, label="trial.csv")
    training = Training(lams=(0.0, 1.0), replicates=2, epochs=3, device="cpu", hidden=8)
    return train(RunConfig(table=source, training=training))


def test_a_columns_importance_is_the_change_of_the_mean_effect_where_it_alone_is_shuffled(result: RunResult) -> None:
    source = result.config.table
    rows, _ = source.all_rows()  # type: ignore[union-attr]
    covariates = source.covariates  # type: ignore[union-attr]
    found = effect_importance(result, rows, 1, covariates, seed=5)
    x, effect = rows.x, row_effects(result, rows, np.arange(len(rows)), 1).effect
    squares = []
    for draw in range(DRAWS):
        order = np.random.default_rng([5, draw]).permutation(len(rows))
        moved = x.copy()
        for column in (2, 3):  # sex is two inputs, which move together
            moved[:, column] = [x[row, column] for row in order]
        again = row_effects(result, replace(rows, x=moved), np.arange(len(rows)), 1).effect
        squares.append(np.mean((again - effect) ** 2))
    assert found[1] == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-5)
    assert (found > 0).all()
    again = effect_importance(result, rows, 1, covariates, seed=5)
    np.testing.assert_array_equal(found, again)


def test_a_column_that_no_weight_reads_moves_nothing_and_a_lost_model_says_nothing(result: RunResult) -> None:
    rows, _ = result.config.table.all_rows()  # type: ignore[union-attr]
    covariates = result.config.table.covariates  # type: ignore[union-attr]
    weights = {name: value.copy() for name, value in result.weights.items()}
    weights["encoder.0.weight"][:, 4] = 0  # the date
    blind = replace(result, weights=weights)
    found = effect_importance(blind, rows, 0, covariates, seed=0)
    assert found[2] == 0
    assert (found[:2] > 0).all()
    lost = replace(result, weights={name: np.full_like(value, np.nan) for name, value in result.weights.items()})
    assert np.isnan(effect_importance(lost, rows, 0, covariates, seed=0)).all()
