"""The simulated table that ships: what its description promises is so, in its cells and through the reader."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.linear_model import LinearRegression

from crl_core.data.tables.columns import OTHER
from crl_core.data.tables.examples import EXAMPLES, load_example
from crl_core.data.tables.examples.clinics import N_ROWS, clinics, propensity
from crl_core.data.tables.making import table_source
from crl_core.data.tables.source import TableSource, forget
from crl_core.world.table_checks import Look, look_at


def looked_at(name: str) -> tuple[TableSource, Look]:
    raw, roles, treated, categories = load_example(name)
    source = table_source(raw, roles, treated=treated, label=name, categories=categories)
    return source, look_at(source, raw)


def naive_and_error(table: pd.DataFrame, outcome: str) -> tuple[float, float]:
    known = table.dropna(subset=[outcome])
    treated, others = (known.loc[known["programme"] == arm, outcome] for arm in ("yes", "no"))
    error = np.sqrt(treated.var() / len(treated) + others.var() / len(others))
    return float(treated.mean() - others.mean()), float(error)


def test_equal_seeds_give_equal_tables_and_others_do_not() -> None:
    pd.testing.assert_frame_equal(clinics(), clinics())
    assert not clinics().equals(clinics(seed=1))
    assert len(clinics()) == N_ROWS == 1200
    assert not clinics()["patient"].duplicated().any()


def test_cells_are_missing_as_described_and_one_level_is_rare() -> None:
    table = clinics()
    missing = table.isna().mean()
    assert set(missing.index[missing > 0]) == {"smoker", "insurance", "bmi", "hba1c", "systolic_after"}
    assert 0.005 < missing["systolic_after"] < 0.04
    unweighed = table["bmi"].isna().groupby(table["clinic"]).mean()
    assert unweighed.idxmax() == "Old Mill"
    assert table["hba1c"].isna()[table["age"] < 50].mean() > 2 * missing["hba1c"]
    assert 1 <= (table["insurance"] == "seafarer").sum() < 20
    source, _ = looked_at("clinics")
    assert f"insurance = {OTHER}" in source.features
    assert source.env_names == ("Harbour", "Hillside", "Old Mill", "Parkway")
    assert source.n_rows == table["systolic_after"].notna().sum()


def test_true_means_follow_the_equations_of_the_description() -> None:
    table = clinics().dropna(subset=["hba1c", "smoker"])
    for row in table.head(100).to_dict("records"):
        b, a, h = (row["systolic"] - 145) / 15, (row["age"] - 58) / 12, (row["hba1c"] - 6.3) / 0.9
        smokes = {"never": 0, "former": 0.5, "current": 1}[row["smoker"]]
        year = (row["enrolled"] - pd.Timestamp("2021-01-01")).days / 365.25
        mu0 = 139 + 8 * b + 1.5 * b**2 + 3 * a + 2 * smokes + 1.5 * h - year
        assert row["mu0"] == pytest.approx(mu0, abs=0.006)
        assert row["mu1"] == pytest.approx(mu0 - 8 - 5 * np.tanh(b) + 2 * a + 3 * smokes, abs=0.006)


def test_outcomes_scatter_about_the_mean_of_the_arm_that_was_given() -> None:
    table = clinics(n=20_000, seed=3)
    mean = np.where(table["programme"] == "yes", table["mu1"], table["mu0"])
    left = (table["systolic_after"] - mean).dropna()
    assert left.mean() == pytest.approx(0, abs=4 * 7 / np.sqrt(len(left)))
    assert left.std() == pytest.approx(7, rel=0.03)


def test_the_worse_off_are_taken_in_and_clinics_differ_in_how_readily() -> None:
    table = clinics(n=20_000, seed=4)
    chance, given = propensity(table), table["programme"] == "yes"
    for fifth in np.array_split(np.argsort(chance), 5):  # what was drawn is as likely as was said
        assert given.iloc[fifth].mean() == pytest.approx(chance[fifth].mean(), abs=0.04)
    assert table["systolic"][given].mean() > table["systolic"][~given].mean() + 8
    same = table.assign(systolic=145.0, age=58, sex="m")
    assert len(np.unique(propensity(same).round(3))) == 4
    assert 0.02 < np.quantile(chance, 0.05) < np.quantile(chance, 0.95) < 0.98  # arms overlap


def test_the_difference_in_means_misses_the_effect_and_least_squares_comes_nearer_but_is_biased() -> None:
    table = clinics()
    truth = float((table["mu1"] - table["mu0"])[table["systolic_after"].notna()].mean())
    naive, error = naive_and_error(table, "systolic_after")
    _, look = looked_at("clinics")
    assert look.naive == pytest.approx(naive)
    assert truth < -6
    assert abs(naive - truth) > 3 * error
    assert abs(look.least_squares - truth) < abs(naive - truth) / 3
    misses = []
    for seed in range(20):  # with every covariate known: what is left is that straight lines do not fit
        again = clinics(n=3000, seed=seed).dropna()
        x = pd.get_dummies(again[["age", "sex", "smoker", "bmi", "hba1c", "systolic", "clinic"]], dtype=float)
        x["year"] = (again["enrolled"] - again["enrolled"].min()).dt.days
        arms = [again["programme"] == arm for arm in ("no", "yes")]
        mu0, mu1 = (LinearRegression().fit(x[arm], again["systolic_after"][arm]).predict(x) for arm in arms)
        misses.append((mu1 - mu0).mean() - (again["mu1"] - again["mu0"]).mean())
    assert abs(np.mean(misses)) > 3 * np.std(misses) / np.sqrt(len(misses))


def test_effects_differ_between_patients_and_clinics() -> None:
    table = clinics()
    effect = table["mu1"] - table["mu0"]
    assert effect.std() > 3
    assert effect[table["systolic"] > 160].mean() < effect[table["systolic"] < 130].mean() - 4
    assert np.ptp(effect.groupby(table["clinic"]).mean()) > 0.5


def test_the_binary_table_is_of_the_same_patients_with_probabilities_as_truth() -> None:
    table, binary = clinics(), clinics(binary=True)
    shared = [name for name in binary if name in table and name not in ("mu0", "mu1")]
    assert len(shared) == 12
    pd.testing.assert_frame_equal(table[shared], binary[shared])
    there = table["systolic_after"].notna()
    assert (binary["controlled"].notna() == there).all()
    clear = there & ((table["systolic_after"] - 140).abs() > 0.06)  # the outcome is rounded
    assert ((binary["controlled"] == "yes") == (table["systolic_after"] < 140))[clear].all()
    np.testing.assert_allclose(binary["mu0"], 1 - norm.cdf((table["mu0"] - 140) / 7), atol=4e-4)
    source, look = looked_at("clinics-binary")
    assert source.outcomes == ("no", "yes")
    ite = source.all_rows()[0].ite
    assert ite is not None
    assert look.naive < 0 < 0.2 < ite.mean()


@pytest.mark.parametrize(("name", "digits"), [("clinics", 1), ("clinics-binary", 2)])
def test_what_is_said_to_be_known_is_so(name: str, digits: int) -> None:
    source, look = looked_at(name)
    rows, _ = source.all_rows()
    assert rows.ite is not None
    scale = 1 if name == "clinics" else 100
    said = EXAMPLES[name].known
    for value in (rows.ite.mean(), rows.ite[rows.t == 1].mean()):
        assert f"{abs(round(value, digits)) * scale:g}" in said
    assert f"says {round(look.naive, digits) * scale:+g}" in said
    forget(source.content)
