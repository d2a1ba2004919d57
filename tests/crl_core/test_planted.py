"""Effects planted in a table's own rows: what is planted, what is known of it, and how far off training is there."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from crl_core import RunConfig
from crl_core.cli.program import main
from crl_core.config.table import table_config
from crl_core.data.scm import MultiEnvData
from crl_core.data.tables import source as tables
from crl_core.data.tables.examples import load_example
from crl_core.data.tables.making import table_source
from crl_core.data.tables.reading import read_table
from crl_core.data.tables.source import TableSource
from crl_core.figures import estimated_against_planted, palette
from crl_core.jobs.executors import Here
from crl_core.jobs.manager import JobManager
from crl_core.measures.average_effects import NORMAL_90
from crl_core.measures.doubly_robust import nuisances
from crl_core.measures.planted import COLUMNS, TILT, Planting, Shape, placebo_chances, plant, shifted, usual_size
from crl_core.runs.store import RunStore
from crl_core.studies.planted import Planted, errors_of, lines_of, run_planted
from crl_core.studies.planted_live import PlantedTraining, carry_out_task
from crl_core.world.table_checks import look_at

SHAPES: tuple[Shape, ...] = ("constant", "linear", "zero")


def drawn(seed: int = 0, n: int = 600, *, pull: float = 1.0, noise: float = 1.0) -> MultiEnvData:
    """Two sites; who is treated depends on x₀, which moves the outcome; x₃ and x₄ are two levels of a category, and x₅
    one that hardly any row has."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 6))
    x[:, 3] = x[:, 3] > 0
    x[:, 4], x[:, 5] = 1 - x[:, 3], np.arange(n) % 50 == 0
    t = (rng.random(n) < 1 / (1 + np.exp(1 - pull * x[:, 0]))).astype(np.int64)
    y = 2 * x[:, 0] + x[:, 2] + 5 * t + noise * rng.standard_normal(n)
    return MultiEnvData(x=x, t=t, env=rng.integers(0, 2, n), y=y)


# -- what is planted ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_untreated_rows_stay_as_they_are_in_their_order_and_the_placebo_treated_gain_the_effect(shape: Shape) -> None:
    rows = drawn()
    planting = plant(rows, size=0.7, shape=shape, seed=3)
    found, at = planting.rows, 0
    for place in range(len(rows)):  # a second way: row by row
        if rows.t[place] == 1:
            continue
        assert planting.place[at] == place
        np.testing.assert_array_equal(found.x[at], rows.x[place])
        assert found.env[at] == rows.env[place]
        assert found.y[at] == rows.y[place] + (planting.ite[at] if found.t[at] == 1 else 0)
        at += 1
    assert at == len(found)
    assert found.ite is not None
    np.testing.assert_allclose(found.ite, planting.ite, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.floats(-10, 10), st.integers(0, 2**31 - 1))
def test_any_size_is_what_rows_gain_on_average_and_every_shape_has_the_same_placebo(size: float, seed: int) -> None:
    rows = drawn(seed % 7)
    constant, linear, zero = (plant(rows, size=size, shape=shape, seed=seed) for shape in SHAPES)
    np.testing.assert_array_equal(constant.rows.t, linear.rows.t)
    np.testing.assert_array_equal(constant.rows.t, zero.rows.t)
    sd = rows.y[rows.t == 0].std()
    np.testing.assert_array_equal(constant.ite, size * sd)
    np.testing.assert_array_equal(zero.ite, 0)
    assert linear.ite.mean() == pytest.approx(size * sd, abs=1e-9)
    assert linear.ite.std() == pytest.approx(TILT * abs(size) * sd, abs=1e-9)
    assert zero.size == 0


def test_a_linear_effect_is_linear_in_a_few_columns_and_in_none_that_a_handful_of_rows_decide() -> None:
    chosen: set[int] = set()
    for seed in range(30):
        planting = plant(drawn(), shape="linear", seed=seed)
        own = planting.rows.x[:, planting.columns]
        assert own.shape[1] == COLUMNS
        assert LinearRegression().fit(own, planting.ite).score(own, planting.ite) == pytest.approx(1, abs=1e-12)
        chosen |= set(planting.columns)
    assert chosen == {0, 1, 2, 3, 4}


def test_a_linear_effect_of_two_levels_that_add_up_to_one_still_varies() -> None:
    rows = drawn()
    planting = plant(replace(rows, x=rows.x[:, 3:5]), shape="linear", seed=0)
    assert len(np.unique(planting.ite.round(9))) == 2
    rare = plant(replace(rows, x=rows.x[:, 5:]), shape="linear", seed=0)  # where there is nothing else
    assert len(np.unique(rare.ite.round(9))) == 2
    with pytest.raises(ValueError, match="no covariate varies among the untreated rows; plant an effect"):
        plant(replace(rows, x=np.ones((len(rows), 2))), shape="linear")


def test_the_share_of_the_table_is_treated_and_the_placebo_goes_by_its_propensity() -> None:
    rows = drawn(n=4000)
    chance, coin = placebo_chances(rows, nuisances(rows, 0))
    share = rows.t.mean()
    assert not coin
    assert chance.mean() == pytest.approx(share, abs=1e-9)
    t = plant(rows, seed=0).rows.t
    assert t.mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / len(t)))
    high = chance > np.median(chance)
    assert t[high].mean() == pytest.approx(chance[high].mean(), abs=0.04)
    assert t[~high].mean() == pytest.approx(chance[~high].mean(), abs=0.04)
    untreated = rows.t == 0
    odds = np.log(chance / (1 - chance)) - np.log(1 / (1 / nuisances(rows, 0).propensity[untreated] - 1))
    assert np.ptp(odds) < 1e-6  # one number moved every logit
    assert odds[0] > 0.1  # untreated rows look untreated, so their chance has to rise


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_any_propensities_are_shifted_to_any_share_and_keep_their_order(values: list[float], share: float) -> None:
    propensity = np.array(values)
    found = shifted(propensity, share)
    assert found.mean() == pytest.approx(share, abs=1e-9)
    assert ((found >= 0) & (found <= 1)).all()
    order = np.argsort(propensity, kind="stable")
    assert (np.diff(found[order]) >= 0).all()


def test_where_arms_were_drawn_by_lot_the_placebo_is_a_coin() -> None:
    coins = [plant(drawn(seed, pull=0.0), seed=seed) for seed in range(20)]
    assert sum(planting.coin for planting in coins) >= 17  # two standard errors, on one side
    planting = next(item for item in coins if item.coin)
    assert np.ptp(planting.chance) == 0
    assert not any(plant(drawn(seed), seed=seed).coin for seed in range(5))


def test_the_outcome_has_no_say_in_who_is_treated_nor_have_true_effects_in_anything() -> None:
    rows = drawn()
    rng = np.random.default_rng(1)
    other = plant(replace(rows, y=rng.normal(size=len(rows))), seed=4)
    np.testing.assert_array_equal(other.rows.t, plant(rows, seed=4).rows.t)
    known = plant(replace(rows, y0=rng.normal(size=len(rows)), y1=rng.normal(size=len(rows))), seed=4)
    np.testing.assert_array_equal(known.ite, plant(rows, seed=4).ite)


def test_the_same_seed_plants_the_same_and_another_another() -> None:
    one, again, other = (plant(drawn(), shape="linear", seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.rows.y, again.rows.y)
    assert (one.rows.t != other.rows.t).any()


def test_both_parts_are_split_as_a_tables_are() -> None:
    planting = plant(drawn(), seed=0)
    train, held_out = planting.parts(0)
    assert len(held_out) == round(len(planting.rows) / 5)
    together = np.concatenate([train.y, held_out.y])
    np.testing.assert_array_equal(np.sort(together), np.sort(planting.rows.y))
    for part in (train, held_out):
        assert {0, 1} == set(part.t) == set(part.env)
        places = [int(np.flatnonzero((planting.rows.x == row).all(axis=1))[0]) for row in part.x]
        assert places == sorted(places)


@pytest.mark.parametrize(
    ("change", "asked", "said"),
    [
        (lambda rows: replace(rows, y=np.where(rows.t == 1, rows.y, 3.7)), {}, "same in all untreated rows"),
        (lambda rows: replace(rows, t=(np.arange(len(rows)) < 6).astype(int)), {}, "the table has 6 treated and 594"),
        (lambda rows: replace(rows, t=(np.arange(len(rows)) > 12).astype(int)), {}, "the placebo makes .* of each are"),
        (lambda rows: rows, {"size": 11}, "the planted effect is 11 sd; give -10 to 10"),
        (lambda rows: rows, {"size": float("nan")}, "the planted effect is nan sd"),
        (lambda rows: rows, {"shape": "round"}, "the shape is round; a planted effect is constant, linear or zero"),
    ],
)
def test_what_cannot_be_planted_is_refused_in_a_sentence(
    change: Callable[[MultiEnvData], MultiEnvData], asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        plant(change(drawn()), **asked)
    assert str(refused.value).endswith(".")


# -- of two outcomes ---------------------------------------------------------------------------------------------------


def yes_or_no(seed: int = 0, n: int = 3000) -> MultiEnvData:
    """As `drawn`, with an outcome of 0 and 1 whose chance among the untreated is logistic in the covariates."""
    rows = drawn(seed, n)
    chance = 1 / (1 + np.exp(1 - rows.x[:, 0] - 0.5 * rows.x[:, 2]))
    return replace(rows, y=(np.random.default_rng(seed + 100).random(n) < chance).astype(float))


@pytest.mark.parametrize(("shape", "size"), [("constant", 0.3), ("constant", -0.3), ("linear", 0.3), ("zero", 0.3)])
def test_outcomes_of_0_and_1_are_changed_towards_the_effect_and_of_placebo_treated_rows_alone(
    shape: Shape, size: float
) -> None:
    rows = yes_or_no()
    planting = plant(rows, size=size, shape=shape, seed=2)
    p, found = nuisances(rows, 2).y0[planting.place], planting.rows
    np.testing.assert_array_equal(plant(drawn(n=3000), seed=2).rows.t, found.t)  # the placebo is that of any outcome
    for at, place in enumerate(planting.place):  # a second way: row by row
        before, after = rows.y[place], found.y[at]
        assert -p[at] <= planting.ite[at] <= 1 - p[at]
        if found.t[at] == 0 or before == after:
            assert before == after
        else:
            assert (after, before) == ((1, 0) if planting.ite[at] > 0 else (0, 1))
    gains = [
        (1 - rows.y[place]) * effect / (1 - p[at]) if effect > 0 else rows.y[place] * effect / p[at]
        for at, (place, effect) in enumerate(zip(planting.place, planting.ite, strict=True))
    ]
    assert planting.ate == pytest.approx(np.mean(gains), abs=1e-12)
    assert found.y1 is not None
    assert found.y0 is not None
    changes = found.y1 - found.y0
    assert changes.mean() == pytest.approx(planting.ate, abs=4 * changes.std() / np.sqrt(len(changes)) + 1e-12)


def test_the_chance_of_1_rises_by_the_effect_among_rows_alike() -> None:
    rows = yes_or_no(n=40_000)
    planting = plant(rows, size=0.3, shape="linear", seed=1)
    found = planting.rows
    assert found.y1 is not None
    assert found.y0 is not None
    assert np.ptp(planting.ite) > 0.1
    changes = found.y1 - found.y0
    cell = np.digitize(planting.ite, np.quantile(planting.ite, (0.25, 0.5, 0.75)))
    for one in range(4):
        own = changes[cell == one]
        error = own.std() / np.sqrt(len(own))
        assert own.mean() == pytest.approx(planting.ite[cell == one].mean(), abs=4 * error + 0.01)


def test_a_chance_ends_at_1_and_what_was_not_planted_is_said() -> None:
    rows = yes_or_no()
    little, much = (plant(rows, size=size, seed=0) for size in (0.01, 1.5))
    assert little.cut == 0
    assert np.ptp(little.ite) == 0
    assert 0.05 < much.cut < 1
    asked = 1.5 * much.sd
    assert (much.ite < asked).mean() == pytest.approx(much.cut)
    assert much.ate < asked
    assert usual_size(rows) < usual_size(drawn())


def test_how_far_off_training_is_on_two_outcomes_is_said_in_percentage_points() -> None:
    source, arms = of_frame(yes_or_no(n=900))
    planting = plant(source.all_rows()[0], size=0.4)
    found = run_planted(quick(source, arms), planting)
    assert found is not None
    content = found.to_dict()
    assert f"With an effect of {100 * planting.ate:.1f} percentage points on average planted" in found.sentence
    assert "The average is known exactly, a row's own effect as far as" in found.sentence
    assert content["average"] == planting.ate
    assert found.method.ate_error == pytest.approx(abs(found.effects.mean() - planting.ate))
    assert found.method.ite_rmse < 0.25  # of a probability
    head, own, *_ = lines_of(content)
    assert head[1] == "error, points"
    assert own[1] == f"{100 * content['method']['ite_rmse']:.1f}"


# -- how far off training is -------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def nothing_loaded() -> Iterator[None]:
    yield
    for content in list(tables._LOADED):
        tables.forget(content)


def quick(source: TableSource, arms: np.ndarray, **more: Any) -> RunConfig:
    return table_config(source, arms, **{"lams": (0.0, 30.0), "replicates": 3, "steps": 150} | more)


def of_frame(rows: MultiEnvData, env_names: tuple[str, ...] = ("north", "south")) -> tuple[TableSource, np.ndarray]:
    """A table that holds these rows, and its arms by environment."""
    table = pd.DataFrame(rows.x, columns=[f"x{i}" for i in range(rows.x.shape[1])])
    table["site"], table["t"], table["y"] = np.array(env_names)[rows.env], rows.t, rows.y
    raw = read_table(table.to_csv(index=False).encode())
    single: dict[str, Any] = {"site": "environment", "t": "treatment", "y": "outcome"}
    source = table_source(raw, {name: single.get(name, "covariate") for name in raw.columns}, label="trial")
    return source, look_at(source, raw).arms


@pytest.fixture(scope="module")
def clinics() -> tuple[RunConfig, Planting, Planted]:
    """The shipped example, on which the worse off are treated, at the least size that shows what it is for."""
    raw, roles, treated, categories = load_example("clinics", None)
    source = table_source(raw, roles, treated=treated, label="clinics", categories=categories)
    config = quick(source, look_at(source, raw).arms)
    planting = plant(source.all_rows()[0], shape="linear", seed=config.training.seed)
    found = run_planted(config, planting)
    assert found is not None
    return config, planting, found


def test_on_the_clinics_training_errs_less_than_the_difference_in_means(clinics: Any) -> None:
    _, planting, found = clinics
    assert found.method.ite_rmse < 0.8 * found.difference.ite_rmse
    assert found.method.ate_error < 0.3 * found.difference.ate_error
    assert found.difference.ate_error > 0.4 * planting.sd  # the placebo goes to the worse off, as the programme does
    assert 0.2 < found.method.coverage < 1
    assert found.lams == (0.0, 30.0)
    assert found.path[1].ite_rmse > found.method.ite_rmse  # a large λ gives the difference in means back
    assert found.unaligned == found.path[0]


def test_errors_are_those_of_every_rows_mean_over_fits(clinics: Any) -> None:
    _, planting, found = clinics
    squares, hits = [], 0
    for row in range(len(planting.ite)):  # a second way: row by row
        three = [float(fit[row]) for fit in found.effects]
        middle = sum(three) / 3
        sd = (sum((value - middle) ** 2 for value in three) / 2) ** 0.5
        squares.append((middle - planting.ite[row]) ** 2)
        hits += abs(middle - planting.ite[row]) <= NORMAL_90 * sd
    assert found.method.ite_rmse == pytest.approx((sum(squares) / len(squares)) ** 0.5)
    assert found.method.coverage == pytest.approx(hits / len(squares))
    assert found.method.ate_error == pytest.approx(abs(found.effects.mean() - planting.ite.mean()))


def test_the_baselines_are_fitted_to_the_training_rows_alone(clinics: Any) -> None:
    config, planting, found = clinics
    train = planting.parts(config.training.seed)[0]
    at = []
    for arm in (0, 1):
        x, y = train.x[train.t == arm], train.y[train.t == arm]
        slope = np.linalg.lstsq(x - x.mean(axis=0), y - y.mean(), rcond=None)[0]
        at.append(y.mean() + (planting.rows.x - x.mean(axis=0)) @ slope)
    error = np.sqrt(np.mean((at[1] - at[0] - planting.ite) ** 2))
    assert found.least_squares.ite_rmse == pytest.approx(error, rel=1e-6)
    naive = train.y[train.t == 1].mean() - train.y[train.t == 0].mean()
    assert found.difference.ite_rmse == pytest.approx(np.sqrt(np.mean((naive - planting.ite) ** 2)))


def test_what_was_found_is_said_and_is_json_of_no_single_row(clinics: Any) -> None:
    _, planting, found = clinics
    content = found.to_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert max(len(value) for value in content.values() if isinstance(value, list)) <= COLUMNS
    assert content["method"]["ite_rmse_sd"] == pytest.approx(found.method.ite_rmse / planting.sd)
    assert content["rows"] == len(planting.rows)
    sentence = content["sentence"]
    assert "With an effect of 1 sd on average, linear in a few columns, planted on your covariates" in sentence
    assert f"errs by {content['method']['ite_rmse_sd']:.2f} sd a row" in sentence
    assert f"per arm by {content['least_squares']['ite_rmse_sd']:.2f}; its 90 % intervals cover" in sentence
    assert "no hidden confounding in this by construction" in sentence
    head, own, *others = (line[0] for line in lines_of(content))
    assert head == "planted effects"
    assert own == f"this method, λ = {content['lam']:g}"
    assert others == ["λ = 0, nothing aligned", "least squares per arm", "difference in means"]
    assert lines_of(content)[3][3] == "–"


def test_effects_are_exact_where_outcomes_have_no_noise() -> None:
    rows = drawn(noise=0.0)
    source, arms = of_frame(rows)
    for shape in SHAPES:
        found = run_planted(quick(source, arms, steps=75, replicates=1), plant(source.all_rows()[0], shape=shape))
        assert found is not None
        assert found.least_squares.ite_rmse < 1e-9
        assert np.isnan(found.method.coverage)  # one fit has no spread
        assert "intervals" not in found.sentence


def test_where_no_effect_is_planted_its_mean_is_near_none() -> None:
    source, arms = of_frame(drawn(noise=0.3))
    found = run_planted(quick(source, arms, lams=(0.0,), steps=300), plant(source.all_rows()[0], shape="zero"))
    assert found is not None
    assert found.method.ate_error < 0.1 * found.planting.sd
    assert found.sentence.startswith("With no effect planted on your covariates")


def test_few_untreated_rows_and_sites_without_any_are_said() -> None:
    rows = drawn(n=240)
    source, arms = of_frame(replace(rows, t=np.where(rows.env == 1, 1, rows.t)))
    found = run_planted(quick(source, arms, steps=75, replicates=1), plant(source.all_rows()[0]))
    assert found is not None
    few, absent = found.cautions
    assert few.startswith(f"{len(found.planting.rows)} rows are untreated; with fewer than 300")
    assert absent == "No row of south is untreated, so that planted effects say nothing of it."
    assert replace(found, no_rows=()).cautions == (few,)


def test_the_lam_is_chosen_and_every_fit_made_without_the_effects(clinics: Any) -> None:
    config, planting, found = clinics
    lies = replace(
        planting, rows=replace(planting.rows, y0=planting.rows.y * 0, y1=planting.rows.y * 3), ite=-planting.ite
    )
    again = run_planted(config, lies)
    assert again is not None
    np.testing.assert_array_equal(again.effects, found.effects)
    assert again.picked == found.picked


def test_a_training_on_planted_effects_ends_when_it_is_asked_to(clinics: Any) -> None:
    config, planting, _ = clinics
    assert run_planted(config, planting, should_stop=lambda: True) is None


def test_estimates_of_a_model_that_broke_have_no_error() -> None:
    broken = errors_of(np.array([[1.0, np.nan], [1.0, 1.0]]), np.ones(2), 1.0)
    assert np.isnan([broken.ite_rmse, broken.ate_error, broken.coverage]).all()
    assert errors_of(np.ones((1, 4)), np.ones(4), 1.0).ite_rmse == 0


# -- on the command line -----------------------------------------------------------------------------------------------


def written(folder: Path, rows: MultiEnvData) -> list[str]:
    table = pd.DataFrame(rows.x[:, :3], columns=["a", "b", "c"])
    table["t"], table["y"] = rows.t, rows.y
    (folder / "trial.csv").write_text(table.to_csv(index=False))
    return ["table", str(folder / "trial.csv"), "--outcome", "y", "--treatment", "t"]


QUICK = ["--lam", "0", "--replicates", "2", "--steps", "20"]


def test_the_command_plants_effects_and_says_how_far_off_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*written(tmp_path, drawn()), *QUICK]
    assert main([*command, "--json", "-"]) == 0
    without = json.loads(capsys.readouterr().out)
    assert "planted" not in without
    assert main([*command, "--planted", "2", "--shape", "linear", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    planted = found.pop("planted")
    assert found == without  # nothing else is moved by it
    assert (planted["size"], planted["shape"]) == (2, "linear")
    assert set(planted["columns"]) == {"a", "b", "c"}
    assert planted["rows"] == found["environments"]["all rows"]["untreated"]
    assert main([*command, "--planted"]) == 0
    said = capsys.readouterr().out
    assert "With an effect of 1 sd planted on your covariates, this method errs by" in said
    assert "difference in means" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--shape", "linear"], "give --planted with it"),
        (["--planted", "--look"], "--planted trains and --look does not"),
        (["--planted", "40"], "the planted effect is 40 sd; give -10 to 10"),
    ],
)
def test_the_command_refuses_before_it_trains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert main([*written(tmp_path, drawn()), *QUICK, *more]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert said in captured.err


# -- on a page ---------------------------------------------------------------------------------------------------------


class Never(Here):
    """An executor that starts nothing."""

    def __init__(self) -> None:
        self.jobs: list[Any] = []
        self._job = None
        self._closed = False

    def start(self, job: Any) -> Any:
        self.jobs.append(job)
        return Future()


def test_the_worker_answers_a_page_in_a_private_file_and_leaves_no_row(tmp_path: Path) -> None:
    source, arms = of_frame(drawn())
    rows, _ = source.all_rows()
    config, store = quick(source, arms, steps=20), RunStore(tmp_path / "runs")
    tables.forget(source.content)  # the worker never loaded the table
    jobs = JobManager(store, executor=Here(store))
    asked = PlantedTraining.start(tmp_path / "private", jobs, config, rows, size=1.0, shape="linear")
    state = asked.state()
    assert state.phase == "done", state.problem
    assert state.done is not None
    assert [line["step"] for line in state.looks] == list(range(1, config.training.epochs + 1))
    assert "With an effect of 1 sd" in state.done["sentence"]
    points = {name: np.array(values) for name, values in state.done["points"].items()}
    planting = plant(rows, shape="linear", seed=config.training.seed)
    np.testing.assert_allclose(points["ite"], planting.ite)
    drawn_figure = estimated_against_planted(
        **points, env_names=source.env_names, colours=palette("dark"), title="Planted"
    )
    assert len(drawn_figure.data) > 0
    (file,) = (tmp_path / "private").iterdir()  # the rows are gone
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    asked.forget()
    assert list((tmp_path / "private").iterdir()) == []
    assert asked.state().phase == "absent"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"trial" in path.read_bytes()]


def test_what_cannot_be_planted_is_told_to_the_page(tmp_path: Path) -> None:
    rows = drawn()
    source, arms = of_frame(replace(rows, y=np.where(rows.t == 1, rows.y, 3.7)))
    jobs = JobManager(RunStore(tmp_path), executor=Here(RunStore(tmp_path)))
    everything, _ = source.all_rows()
    asked = PlantedTraining.start(tmp_path, jobs, quick(source, arms), everything, size=1.0, shape="constant")
    assert asked.state().phase == "failed"
    assert "the same in all untreated rows" in asked.state().problem


def test_a_training_that_was_stopped_or_forgotten_leaves_no_file(tmp_path: Path) -> None:
    source, arms = of_frame(drawn())
    rows, _ = source.all_rows()
    jobs = JobManager(RunStore(tmp_path / "runs"), executor=Never())
    asked = PlantedTraining.start(tmp_path / "p", jobs, quick(source, arms), rows, size=1.0, shape="zero")
    (job,) = jobs.executor.jobs  # type: ignore[attr-defined]
    assert [file.suffix for file in (tmp_path / "p").iterdir()] == [".npz"]
    assert stat.S_IMODE(next((tmp_path / "p").iterdir()).stat().st_mode) == 0o600
    carry_out_task(job.task, lambda: True)
    assert list((tmp_path / "p").iterdir()) == []
    carry_out_task(job.task, lambda: False)  # its rows are gone
    assert list((tmp_path / "p").iterdir()) == []
    asked.forget()


# -- drawn -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_estimates_are_drawn_against_planted_effects_with_the_line_on_which_both_agree(theme: Any) -> None:
    planting = plant(drawn(), shape="linear", seed=0)
    noise = np.random.default_rng(0).normal(size=len(planting.ite))
    rows, colours = planting.rows, palette(theme)
    figure = estimated_against_planted(
        planting.ite, planting.ite + noise, rows.env, rows.t, ("north", "south"), colours, title="Planted"
    )
    line = figure.data[0]
    assert tuple(line.x) == tuple(line.y) == tuple(figure.layout.xaxis.range)
    assert line.line.color == colours["truth"]
    assert figure.layout.xaxis.title.text == "planted effect τ"
    points = [trace for trace in figure.data if trace.mode == "markers" and len(trace.x) > 1]
    assert sum(len(trace.x) for trace in points) == len(planting.ite)
    low, high = figure.layout.yaxis.range
    inside = (planting.ite + noise > low) & (planting.ite + noise < high)
    assert inside.mean() > 0.98


def test_one_effect_for_all_is_drawn_as_the_spread_of_estimates_around_it() -> None:
    planting = plant(drawn(), seed=0)
    rows, ite = planting.rows, planting.ite
    figure = estimated_against_planted(
        ite, ite + rows.x[:, 0], rows.env, rows.t, ("a", "b"), palette("light"), title="P"
    )
    truth = [trace for trace in figure.data if trace.x is not None and tuple(trace.x) == (ite[0], ite[0])]
    assert len(truth) == 1
    assert "planted effect" in [trace.name for trace in figure.data]
