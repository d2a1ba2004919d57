"""A table of one's own: what its columns are, how they become numbers, what is refused, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_core import RunConfig, Training, train
from crl_core.cli.program import main
from crl_core.cli.table import run_content
from crl_core.config.presets import preset
from crl_core.config.table import table_config
from crl_core.config.text import altered
from crl_core.data.scm import split
from crl_core.data.tables import source as tables
from crl_core.data.tables.columns import MISSING, OTHER, Column, Raw, Role, TableRefused, encoded, learnt
from crl_core.data.tables.guess import guessed_roles
from crl_core.data.tables.making import table_source
from crl_core.data.tables.reading import read_table
from crl_core.data.tables.source import TableMissing, TableSource
from crl_core.events import EpochEnded, Event, from_json, to_json
from crl_core.figures import palette
from crl_core.lecture.handout import naming_of
from crl_core.lecture.training_frames import training_frames
from crl_core.measures.average_effects import average_levels
from crl_core.measures.curves import of_result
from crl_core.measures.so_far import SoFar
from crl_core.runs.bundle_arrays import metric_specs
from crl_core.world.table_checks import Finding, Look, look_at
from tests.crl_core.test_table_reading import parquet

ROLES: dict[str, Role] = {
    "id": "id",
    "site": "environment",
    "age": "covariate",
    "sex": "covariate",
    "seen": "covariate",
    "treated": "treatment",
    "y": "outcome",
}
N = 400


def frame(seed: int = 0, n: int = N) -> pd.DataFrame:
    """Two sites; age has gaps, sex is text; the effect is 2."""
    rng = np.random.default_rng(seed)
    age = np.round(rng.normal(50, 10, n), 1)
    site, treated = rng.choice(["north", "south"], n), rng.integers(0, 2, n)
    y = np.round(age / 10 + 2 * treated + rng.normal(size=n), 3)
    return pd.DataFrame(
        {
            "id": np.arange(n) + 1,
            "site": site,
            "age": np.where(rng.random(n) < 0.1, np.nan, age),
            "sex": rng.choice(["f", "m"], n),
            "seen": [f"{1990 + i % 30}-0{1 + i % 9}-11" for i in range(n)],
            "treated": treated,
            "y": y,
        }
    )


def read(table: pd.DataFrame) -> Raw:
    return read_table(table.to_csv(index=False).encode())


@pytest.fixture
def raw() -> Raw:
    return read(frame())


@pytest.fixture(autouse=True)
def nothing_loaded() -> Iterator[None]:
    yield
    for content in list(tables._LOADED):
        tables.forget(content)


# -- a source ----------------------------------------------------------------------------------------------------------


def test_a_table_is_a_source_that_trains_and_comes_back_from_its_json(raw: Raw) -> None:
    source = table_source(raw, ROLES, label="trial.csv")
    assert source.features == ("age", f"age {MISSING}", "sex = f", "sex = m", "seen")
    assert source.env_names == ("north", "south")
    assert source.arms == ("0", "1")
    config = RunConfig(table=source, training=Training(lams=(0.0, 1.0), replicates=1, epochs=3, device="cpu"))
    again = RunConfig.from_json(config.to_json())
    assert again == config
    assert again.key == config.key
    result = train(config)
    assert np.isfinite(result.factual_mse).all()
    assert result.ite_rmse is None  # nobody knows the effects


def test_encoding_is_learnt_on_training_rows_alone(raw: Raw) -> None:
    source = table_source(raw, ROLES, label="x")
    train_rows, held_out = source.rows(0)
    env = (raw.columns["site"] == "south").astype(int)
    t = raw.columns["treated"].astype(int)
    blank = replace(train_rows, x=np.zeros((N, 0)), t=t, env=env, y=raw.columns["y"])
    training, others = split(blank, 0)
    age = pd.Series(raw.columns["age"])
    expected = age.fillna(age.iloc[training].median())  # a second way: pandas
    np.testing.assert_array_equal(train_rows.x[:, 0], expected.iloc[training])
    np.testing.assert_array_equal(held_out.x[:, 0], expected.iloc[others])
    np.testing.assert_array_equal(held_out.x[:, 1], age.isna().iloc[others])
    days = pd.to_datetime(frame()["seen"])
    np.testing.assert_array_equal(held_out.x[:, 4], (days - days.iloc[training].min()).dt.days.iloc[others])
    changed = frame()
    changed.loc[others, "age"] = 1e6  # held-out rows say nothing of how rows are encoded
    assert table_source(read(changed), ROLES, label="x").columns == source.columns


def test_a_csv_and_its_parquet_are_one_run_and_other_roles_another(raw: Raw) -> None:
    source = table_source(raw, ROLES, label="a.csv")
    as_parquet = frame()
    as_parquet["seen"] = pd.to_datetime(as_parquet["seen"]).dt.date
    twin = table_source(read_table(parquet(as_parquet)), ROLES, label="b.parquet")
    assert twin == source  # the label is none of its content
    fewer = table_source(raw, ROLES | {"sex": "ignore"}, label="a.csv")
    assert fewer.content != source.content


def test_rows_that_lack_what_is_needed_are_left_out_and_counted() -> None:
    table = frame()
    table.loc[:9, "y"] = np.nan
    table.loc[5:14, "site"] = None
    raw = read(table)
    source = table_source(raw, ROLES, label="x")
    assert source.n_rows == N - 15
    look = look_at(source, raw)
    assert look.left_out == {"y (outcome) is missing": 10, "site (environment) is missing": 5}
    assert look.arms.sum() == N - 15


def test_true_effects_are_known_where_both_columns_are_given() -> None:
    table = frame()
    table["mu0"], table["mu1"] = table["y"] - 2 * table["treated"], table["y"] + 2 - 2 * table["treated"]
    roles: dict[str, Role] = ROLES | {"mu0": "mu0", "mu1": "mu1"}
    source = table_source(read(table), roles, label="x")
    assert source.knows == {"effects"}
    ite = source.rows(0)[1].ite
    assert ite is not None
    np.testing.assert_allclose(ite, 2)
    with pytest.raises(TableRefused, match="true effects need both"):
        table_source(read(table), roles | {"mu1": "ignore"}, label="x")
    with pytest.raises(TableRefused, match="sex holds true mean outcomes, which are numbers, and it does not"):
        table_source(read(table), roles | {"mu1": "ignore", "sex": "mu1"}, label="x")


def test_which_value_means_treated_decides_the_sign_and_is_asked_where_it_is_not_plain() -> None:
    table = frame()
    table["treated"] = table["treated"].map({0: "usual care", 1: "new drug"})
    raw = read(table)
    with pytest.raises(TableRefused, match="new drug, usual care; say which of them means treated"):
        table_source(raw, ROLES, label="x")
    new = look_at(table_source(raw, ROLES, treated="new drug", label="x"), raw)
    usual = look_at(table_source(raw, ROLES, treated="usual care", label="x"), raw)
    assert new.naive == pytest.approx(-usual.naive)
    assert new.naive > 1.5
    assert new.least_squares == pytest.approx(2, abs=0.4)


def test_two_outcomes_count_as_0_and_1() -> None:
    table = frame()
    table["y"] = np.where(table["y"] > 6, "yes", "no")
    source = table_source(read(table), ROLES, label="x")
    assert source.outcomes == ("no", "yes")
    assert set(np.unique(source.rows(0)[0].y)) == {0.0, 1.0}


def test_rows_are_gone_once_they_are_forgotten(raw: Raw) -> None:
    source = table_source(raw, ROLES, label="trial.csv")
    source.rows(0)
    tables.forget(source.content)
    with pytest.raises(TableMissing, match=r"trial\.csv is not loaded here; load its file again"):
        source.rows(0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"y": "covariate"}, "no column is the outcome"),
        ({"treated": "ignore"}, "no column is the treatment"),
        ({"age": "outcome"}, "y and age are both outcome|age and y are both outcome"),
        ({"age": "ignore", "sex": "ignore", "seen": "ignore"}, "no column is a covariate"),
        ({"y": "covariate", "sex": "covariate", "seen": "outcome"}, "the outcome seen is no number"),
        ({"site": "covariate", "id": "environment"}, "the environment id has 400 values; at most 10"),
        ({"treated": "covariate", "age": "treatment"}, "say which of them means treated"),
    ],
)
def test_roles_that_cannot_be_are_refused_in_a_sentence(raw: Raw, change: dict[str, Role], said: str) -> None:
    with pytest.raises(TableRefused, match=said):
        table_source(raw, ROLES | change, label="x")


def test_too_few_rows_of_an_arm_or_a_site_are_refused() -> None:
    table = frame()
    table["treated"] = (np.arange(N) < 4).astype(int)
    with pytest.raises(TableRefused, match="4 rows have the treatment 1; 10 are the least"):
        table_source(read(table), ROLES, label="x")
    table = frame()
    table["site"] = np.where(np.arange(N) < 20, "tiny", "large")
    with pytest.raises(TableRefused, match="the environment tiny has 20 rows; 30 are the least"):
        table_source(read(table), ROLES, label="x")
    with pytest.raises(TableRefused, match="60 rows can be used; 100 are the least"):
        table_source(read(frame(n=60)), ROLES, label="x")


@pytest.mark.parametrize(
    "change",
    [
        {"columns": [{"name": "age", "role": "covariate", "kind": "spell"}]},
        {"columns": [{"name": "age", "role": "covariate", "kind": "date", "start": "soon"}]},
        {"columns": [{"name": "age", "role": "covariate", "kind": "number", "fill": float("nan")}]},
        {"columns": []},
        {"columns": 3},
        {"env_names": ["a", "a"]},
        {"n_rows": -1},
        {"n_held_out": 10**9},
        {"arms": ["one"]},
        {"surplus": 1},
    ],
)
def test_a_strangers_table_is_checked(raw: Raw, change: dict[str, object]) -> None:
    content = table_source(raw, ROLES, label="x").to_dict() | change
    with pytest.raises(ValueError, match=r"\.$"):
        TableSource.from_dict(content)


# -- columns -----------------------------------------------------------------------------------------------------------


def test_rare_and_unseen_levels_are_taken_together_and_a_level_of_that_name_keeps_its_own() -> None:
    values = np.array(["a"] * 30 + ["b"] * 20 + ["c"] * 3 + [OTHER] * 15 + [None] * 12, dtype=object)
    column = learnt("job", "covariate", values, np.arange(80))
    assert column.levels == ("a", "b", f"“{OTHER}”", OTHER, MISSING)
    found = encoded(column, np.array(["a", "never seen", OTHER, None, "c"], dtype=object))
    np.testing.assert_array_equal(found.argmax(axis=1), [0, 3, 2, 4, 3])
    assert (found.sum(axis=1) == 1).all()


def test_a_category_has_at_most_twenty_levels_of_its_own() -> None:
    values = np.array([f"level {i % 40:02}" for i in range(800)], dtype=object)
    column = learnt("job", "covariate", values, np.arange(800))
    assert len(column.levels) == 21
    assert column.levels[-1] == OTHER


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "", OTHER, MISSING, "é"])), min_size=1, max_size=40),
        st.lists(st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6)), min_size=1, max_size=40),
    )
)
def test_any_column_becomes_finite_numbers_and_comes_back_from_json(cells: list[object]) -> None:
    kind = object if any(cell is None or isinstance(cell, str) for cell in cells) else np.float64
    values = np.array([cell or None if kind is object else cell for cell in cells], dtype=kind)
    column = learnt("c", "covariate", values, np.arange(len(values)))
    found = encoded(column, values)
    assert found.shape == (len(values), len(column.inputs))
    assert np.isfinite(found).all()
    assert Column.from_dict(json.loads(json.dumps(column.to_dict()))) == column


def test_roles_are_guessed_by_name_and_by_cells(raw: Raw) -> None:
    assert guessed_roles(raw) == ROLES
    plain = read(frame().rename(columns={"treated": "Treat", "y": "Outcome", "site": "Clinic", "id": "nr"}))
    found = guessed_roles(plain)
    assert [found[name] for name in ("Treat", "Outcome", "Clinic", "nr")] == [
        "treatment", "outcome", "environment", "id",
    ]  # fmt: skip


# -- what is said ------------------------------------------------------------------------------------------------------


def looked_at(table: pd.DataFrame, roles: dict[str, Role] | None = None) -> Look:
    raw = read(table)
    return look_at(table_source(raw, roles or ROLES, label="x"), raw)


def about(look: Look, column: str) -> list[Finding]:
    return [item for item in look.findings if column in item.columns]


def test_a_fair_trial_has_overlap_and_nothing_to_beware_of() -> None:
    look = looked_at(frame())
    assert look.outside == 0
    assert look.auc == pytest.approx(0.5, abs=0.08)
    assert [item for item in look.findings if item.weight != "note"] == []


def test_a_column_that_tells_the_treatment_or_the_outcome_is_asked_about() -> None:
    table = frame()
    table["dose"] = table["treated"] * 3 + np.random.default_rng(1).normal(scale=0.1, size=N)
    table["y_later"] = table["y"] * 2 + 0.01
    look = looked_at(table, ROLES | {"dose": "covariate", "y_later": "covariate"})
    assert "alone tells the treatment" in about(look, "dose")[0].sentence
    assert "alone tells the outcome" in about(look, "y_later")[0].sentence
    assert look.outside > 0.5
    assert any("hardly ever given the other treatment" in item.sentence for item in look.findings)


def test_sites_that_are_how_rows_were_recruited_are_named() -> None:
    table = frame()
    table["site"] = np.where(table["treated"] == 1, "trial", "survey")
    look = looked_at(table)
    found = [item for item in about(look, "site") if item.weight == "cannot"]
    assert len(found) == 1
    assert "erases the confounders" in found[0].sentence


def test_least_squares_on_the_treated_is_the_mean_of_their_own_differences_between_two_lines() -> None:
    table = frame()
    table["y"] += table["treated"] * table["age"].fillna(50) / 10  # those who are treated differ in age
    source = table_source(read(table), ROLES, label="x")
    rows, _ = source.all_rows()
    levels = average_levels(rows)
    padded = np.column_stack([rows.x, np.ones(len(rows))])
    lines = [np.linalg.lstsq(padded[rows.t == arm], rows.y[rows.t == arm], rcond=None)[0] for arm in (0, 1)]
    effect = padded @ (lines[1] - lines[0])
    assert levels.least_squares == pytest.approx(effect.mean(), rel=1e-3)
    assert levels.least_squares_treated == pytest.approx(effect[rows.t == 1].mean(), rel=1e-3)
    assert abs(levels.least_squares - levels.least_squares_treated) > 1e-2
    assert levels.naive == pytest.approx(rows.y[rows.t == 1].mean() - rows.y[rows.t == 0].mean())


def test_names_gaps_and_constants_are_noted() -> None:
    table = frame()
    table["treated_before"] = np.random.default_rng(2).integers(0, 2, N)
    table["empty"] = [1.0] * 50 + [np.nan] * (N - 50)
    table["mostly"] = np.where(np.arange(N) % 4 == 0, np.arange(N), np.nan)
    new: dict[str, Role] = {"treated_before": "covariate", "empty": "covariate", "mostly": "covariate"}
    look = looked_at(table, ROLES | new)
    assert "is called after the treatment" in about(look, "treated_before")[0].sentence
    assert "the same in all rows" in about(look, "empty")[0].sentence
    assert "missing in 75 %" in about(look, "mostly")[0].sentence


# -- on the command line -----------------------------------------------------------------------------------------------


def test_the_command_says_what_a_file_can_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "trial.csv"
    file.write_text(frame().to_csv(index=False))
    roles = ["--outcome", "Y", "--treatment", "treated", "--environment", "site"]
    assert main(["table", str(file), *roles, "--look", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "path" not in found
    assert found["rows"] == {"used": N, "held_out": N // 5, "left_out": 0, "why": {}}
    assert set(found["environments"]) == {"north", "south"}
    assert {item["name"]: item["role"] for item in found["columns"]} == ROLES
    assert found["least_squares"] == pytest.approx(2, abs=0.4)
    assert found["least_squares_treated"] == pytest.approx(2, abs=0.4)
    assert main(["table", str(file), *roles, "--look"]) == 0
    said = capsys.readouterr().out
    assert "Treated means treated = 1" in said
    assert "Columns without a part: id." in said


QUICK = ["--lam", "0", "100", "--replicates", "2", "--steps", "150"]


def test_the_command_trains_and_takes_home_every_rows_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRL_CACHE", str(tmp_path / "cache"))
    file, effects = tmp_path / "trial.csv", tmp_path / "effects.csv"
    table = frame()
    table["id"] = [f"=cmd{i}" if i == 7 else f"unit {i}" for i in range(N)]
    table.loc[[3, 5], "y"] = np.nan
    table["mu0"] = table["age"].fillna(50) / 10
    table["mu1"] = table["mu0"] + 2
    file.write_text(table.to_csv(index=False))
    roles = ["--outcome", "y", "--treatment", "treated", "--environment", "site", "--mu0", "mu0", "--mu1", "mu1"]
    assert main(["table", str(file), *roles, *QUICK, "--json", "-", "--effects", str(effects)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [point["lam"] for point in found["path"]] == [0, 100]
    assert found["rule"] == "least validation error"
    best = min(found["path"], key=lambda point: point["validation_loss"])
    assert found["lam"] == best["lam"]
    assert found["ate"]["value"] == pytest.approx(best["ate"])
    assert found["ate"]["value"] == pytest.approx(2, abs=0.8)
    home = pd.read_csv(effects)
    assert list(home["row"]) == [row for row in range(1, N + 1) if row not in (4, 6)]  # in the file's order
    assert home["effect"].mean() == pytest.approx(found["ate"]["value"], abs=1e-4)
    np.testing.assert_allclose(home["y1_hat"] - home["y0_hat"], home["effect"], atol=1e-3)
    test = RunConfig.from_dict(found["config"]).table.parts()[1]  # type: ignore[union-attr]
    truth = np.sqrt(np.mean((home["effect"].to_numpy()[test] - 2) ** 2))
    assert found["ite_rmse"] == pytest.approx(truth, abs=1e-3)
    np.testing.assert_allclose(home["high"] - home["low"], 2 * 1.645 * home["effect_sd"], rtol=1e-3, atol=1e-4)
    assert set(home["overlap"]) <= {"yes", "no"}
    assert home["propensity"].between(0, 1).all()
    assert (home["overlap"] == "no").sum() >= found["calibration"]["clipped"]  # of the rows that some fit did not see
    assert found["doubly_robust"]["ate"]["value"] == pytest.approx(2, abs=4 * found["doubly_robust"]["ate"]["se"])
    assert found["verdict"]
    inside = home["overlap"] == "yes"
    assert found["overlap_rows"]["rows"] == inside.sum()
    assert found["overlap_rows"]["value"] == pytest.approx(home["effect"][inside].mean(), abs=1e-4)
    assert found["overlap_rows"]["doubly_robust"] == pytest.approx(2, abs=4 * found["overlap_rows"]["se"])
    assert {term["input"] for term in found["projection"]["terms"]} >= {"age", "seen"}
    assert home["id"][5] == "'=cmd7"  # no spreadsheet runs it
    assert list((tmp_path / "cache").rglob("*")) == []  # nothing of a person's table is kept


def test_a_flipped_label_flips_the_sign(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "trial.csv"
    file.write_text(frame().to_csv(index=False))
    effects = []
    for treated in ("1", "0"):
        roles = ["--outcome", "y", "--treatment", "treated", "--treated", treated]
        assert main(["table", str(file), *roles, *QUICK, "--json", "-"]) == 0
        found = json.loads(capsys.readouterr().out)
        effects.append(found["ate"]["value"])
        assert found["arms"][1] == treated
    assert effects[0] > 1
    assert effects[1] < -1


def test_where_arms_do_not_overlap_a_large_lam_gives_back_the_difference_in_means(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    age = rng.normal(size=1200)
    treated = (rng.random(1200) < 1 / (1 + np.exp(-3 * age))).astype(int)
    table = pd.DataFrame({"age": age, "treated": treated, "y": -3 * age + treated + 0.3 * rng.normal(size=1200)})
    (tmp_path / "nsw.csv").write_text(table.to_csv(index=False))
    command = ["table", str(tmp_path / "nsw.csv"), "--outcome", "y", "--treatment", "treated"]
    assert main([*command, "--lam", "0", "30", "--replicates", "2", "--steps", "250", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["naive"] < -2.5
    none, much = (point["ate"] for point in found["path"])
    assert abs(none - 1) < 0.7
    assert much < none - 1  # towards the naive answer, which has the wrong sign
    assert found["lam"] == 0
    assert any("Do not trust an effect that a large λ moves" in sentence for sentence in found["warnings"])


def test_what_cannot_be_aligned_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = frame()
    table["site"] = np.where(table["treated"] == 1, "trial", "survey")
    (tmp_path / "x.csv").write_text(table.to_csv(index=False))
    command = ["table", str(tmp_path / "x.csv"), "--outcome", "y", "--treatment", "treated"]
    assert main([*command, "--environment", "site", "--align", "environment"]) == 2
    assert "align the treatment arms" in capsys.readouterr().err
    assert main([*command, "--align", "environment"]) == 2
    assert "one environment only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--treatment", "treated"], "no column is the outcome"),
        (["--outcome", "y", "--treatment", "cure"], "the table has no column cure; its columns are id, site"),
        (["--outcome", "y", "--treatment", "treated", "--treated", "7"], "no row has the treatment '7'"),
        (["--outcome", "y", "--treatment", "treated", "--covariates", "age", "agee"], "no column agee"),
    ],
)
def test_the_command_refuses_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    file = tmp_path / "trial.csv"
    file.write_text(frame().to_csv(index=False))
    assert main(["table", str(file), *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert said in captured.err


def test_a_file_that_is_not_there_or_no_table_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", str(tmp_path / "none.csv"), "--outcome", "y", "--treatment", "t"]) == 2
    assert "cannot be read" in capsys.readouterr().err
    (tmp_path / "empty.csv").write_text("")
    assert main(["table", str(tmp_path / "empty.csv"), "--outcome", "y", "--treatment", "t"]) == 2
    assert "the file is empty" in capsys.readouterr().err


# -- many environments -------------------------------------------------------------------------------------------------


def schools() -> pd.DataFrame:
    """Twelve schools of very different sizes, one of them called as the rest is."""
    table = frame(n=900)
    sizes = [160, 140, 120, 100, 90, 80, 60, 50, 40, 30, 20, 10]
    names = [f"school {letter}" for letter in "ABCDEFGHIJK"] + [OTHER]
    table["site"] = np.random.default_rng(3).permutation(np.repeat(names, sizes))
    return table


def test_the_largest_environments_are_kept_and_the_rest_is_one() -> None:
    table = schools()
    table.loc[table["site"] == "school C", "y"] = np.nan  # rows that are left out make no environment large
    raw = read(table)
    source = table_source(raw, ROLES, label="x", group_environments=5)
    assert source.env_names == ("school A", "school B", "school D", "school E", OTHER)
    rows, at = source.all_rows()
    for env, name in enumerate(source.env_names[:-1]):
        assert list(at[rows.env == env]) == list(np.flatnonzero(table["site"] == name))
    assert (rows.env == 4).sum() == 80 + 60 + 50 + 40 + 30 + 20 + 10
    look = look_at(source, raw)
    (told,) = [item.sentence for item in look.findings if OTHER in item.sentence]
    assert "site has 12 values: the 4 largest" in told
    assert "290 rows" in told
    again = TableSource.from_dict(source.to_dict())
    assert again == source
    np.testing.assert_array_equal(again.all_rows()[0].env, rows.env)


def test_few_values_are_kept_as_they_are_and_a_number_that_is_none_is_refused() -> None:
    raw = read(frame())
    assert table_source(raw, ROLES, label="x", group_environments=5) == table_source(raw, ROLES, label="x")
    assert not [item for item in look_at(table_source(raw, ROLES, label="x"), raw).findings if OTHER in item.sentence]
    for number in (0, 1, 11):
        with pytest.raises(TableRefused, match=f"{number} environments are asked for; 2 to 10 fit"):
            table_source(raw, ROLES, label="x", group_environments=number)
    with pytest.raises(TableRefused, match=r"12 values; at most 10 fit\. Keep the largest and take the rest together"):
        table_source(read(schools()), ROLES, label="x")


def test_the_command_groups_environments_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "schools.csv"
    file.write_text(schools().to_csv(index=False))
    command = ["table", str(file), "--outcome", "y", "--treatment", "treated", "--look", "--json", "-"]
    assert main([*command, "--environment", "site", "--group-environments", "4"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["environments"]) == ["school A", "school B", "school C", OTHER]
    assert any("the 3 largest are environments of their own" in sentence for sentence in found["warnings"])
    assert main([*command, "--group-environments", "4"]) == 2
    assert "name its column with --environment" in capsys.readouterr().err


# -- while it trains ---------------------------------------------------------------------------------------------------


def test_the_average_effect_comes_with_every_look_and_is_that_of_the_weights_that_are_kept(raw: Raw) -> None:
    source = table_source(raw, ROLES, label="x")
    arms = look_at(source, raw).arms
    config = altered(
        table_config(source, arms, lams=(0.0, 3.0), replicates=2, steps=150), hidden=8, latent_dim=4, device="cpu"
    )
    events: list[Event] = []
    result = train(config, listen=events.append)
    looks = [event for event in events if isinstance(event, EpochEnded)]
    assert result.ate is not None
    held_out = source.rows(0)[1]
    for replicate in (0, 1):
        _, y0_hat, y1_hat = result.predict(held_out.x, replicate)
        mean = np.mean(y1_hat.astype(float) - y0_hat, axis=1)
        np.testing.assert_allclose(result.by_lam(result.ate)[replicate], mean, rtol=1e-4, atol=1e-4)
    chosen = result.history["validation_mse"].argmin(axis=0)
    np.testing.assert_allclose(result.history["ate"][chosen, np.arange(4)], result.ate, rtol=1e-5)
    np.testing.assert_array_equal(
        np.stack([event.ate for event in looks if event.ate is not None]), result.history["ate"]
    )
    sealed = of_result(result)
    assert sealed.error_name == "validation_mse"
    np.testing.assert_array_equal(sealed.now("ate"), np.median(result.by_lam(result.ate), axis=0))
    assert sealed.ate_range is not None
    np.testing.assert_array_equal(sealed.ate_range[1], result.by_lam(result.ate).max(axis=0))
    again = from_json(to_json(looks[-1], at=0.0))
    assert isinstance(again, EpochEnded)
    np.testing.assert_array_equal(again.ate, looks[-1].ate)  # type: ignore[arg-type]


def test_a_simulated_world_and_a_run_of_before_have_no_average_effect(raw: Raw) -> None:
    world = altered(preset("recipe"), n_samples=200, epochs=1, lams=(0.0,), replicates=1, hidden=4, device="cpu")
    result = train(world)
    assert result.ate is None
    assert "ate" not in result.history
    assert "ate" not in run_content(result, cached=False)["models"][0]
    source = table_source(raw, ROLES, label="x")
    config = altered(table_config(source, look_at(source, raw).arms, lams=(0.0,), replicates=1, steps=20), hidden=4)
    new = train(config)
    old = replace(new, ate=None, history={name: rows for name, rows in new.history.items() if name != "ate"})
    assert metric_specs(config)["ate"].optional
    assert "ate" not in of_result(old).values
    assert of_result(old).ate_range is None


def test_the_lecture_of_a_run_under_way_has_the_average_effect_of_the_last_look(raw: Raw) -> None:
    source = table_source(raw, ROLES, label="x")
    look = look_at(source, raw)
    config = altered(table_config(source, look.arms, lams=(0.0, 3.0), replicates=2, steps=50), hidden=4, device="cpu")
    events: list[Event] = []
    train(config, listen=events.append)
    looks = [event for event in events if isinstance(event, EpochEnded)]
    palettes = {"dark": palette("dark"), "light": palette("light"), "projector": palette("projector")}
    naming = naming_of(config)
    nothing = training_frames(config, SoFar(), naming=naming, palettes=palettes, levels=look.levels)
    assert nothing["average"] is None
    assert nothing["captions"]["map"]["title"] == "Average effect along λ"
    so_far = training_frames(
        config, SoFar(epochs=tuple(looks[:1])), naming=naming, palettes=palettes, levels=look.levels
    )
    ate = looks[0].ate
    assert ate is not None
    np.testing.assert_allclose(so_far["average"]["ate"]["value"], [(ate[0] + ate[2]) / 2, (ate[1] + ate[3]) / 2])
    assert [level["value"] for level in so_far["average"]["levels"]] == [look.naive, look.least_squares]
