"""Errors are those computed by hand, one value per model, and have no number where there is nothing to average."""

import csv
import io
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_squared_error

from crl_core import metrics
from crl_core.cli.table import run_content, run_table, summary_content
from crl_core.events import EpochEnded
from crl_core.export.checkpoint import history_csv, metrics_csv
from crl_core.export.figure_page import figures_of
from crl_core.figures import palette
from crl_core.figures.live import USUAL
from crl_core.lecture.frames import frames
from crl_core.lecture.naming import Naming
from crl_core.results import RunResult
from crl_core.runs.bundle_arrays import evidence_specs, history_specs, metric_specs
from crl_core.runs.store import RunStore
from tests.crl_core.made_up import made_up_result, store_in, tiny_config, without_truth
from tests.lecture_runs import evidence_of, run_of


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


# -- the table ---------------------------------------------------------------------------------------------------------

FINAL = ["factual_mse", "factual_mse_by_env", "mmd2", "ite_rmse", "ite_rmse_by_env", "ate_error"]
THEME = {name: palette("light") for name in ("dark", "light", "projector")}


def test_every_name_that_is_stored_printed_or_drawn_is_what_it_always_was(tmp_path: Path) -> None:
    result, config = made_up_result(), tiny_config()
    assert set(history_specs(config)) == {
        *("loss", "factual_train", "penalty", "factual_mse", "mmd2", "ite_rmse", "status"),
    }
    assert set(metric_specs(config)) == {"lam", "replicate", "status", *FINAL}
    assert set(evidence_specs(config)) == {
        *("domain_auc", "knn_mixing", "mmd2_p", "x_domain_auc", "x_knn_mixing", "x_mmd2", "x_mmd2_p"),
        *("r2_z_ridge", "r2_z_knn", "r2_s_ridge", "r2_s_knn", "latent_norm", "effective_rank"),
        *(f"{x}domain_auc_{name}" for x in ("", "x_") for name in ("knn", "ridge", "boosting")),
        *(f"use_{of}_{how}" for of in ("effect", "outcome") for how in ("mean", "rms")),
        *("baseline_ite_rmse", "baseline_factual_mse", "baseline_ate_error", "baseline_reason", "baseline_names"),
        "baseline_decay",
        *("rule_pick", "rule_reason", "rule_ids"),
    }
    three = replace(config, scenario=config.scenario.with_envs(3))
    assert set(evidence_specs(three)) - set(evidence_specs(config)) == {"left_out_mse"}
    model = run_content(result, cached=False)["models"][0]
    assert list(model) == ["lam", "replicate", "status", *FINAL, "generalisation_gap"]
    assert next(csv.reader(io.StringIO(metrics_csv(result)))) == [
        *("lambda", "replicate", "status", "factual_mse", "ite_rmse", "ate_error", "mmd2"),
        *("factual_mse_env_1", "factual_mse_env_2", "ite_rmse_env_1", "ite_rmse_env_2"),
        "generalisation_gap",
    ]
    store = store_in(tmp_path)
    summary = store.summary(store.save(result))
    assert summary is not None
    assert list(summary.figures) == ["ite_rmse", "factual_mse", "mmd2"]
    names = list(summary_content(summary))
    assert names[names.index("lams") :] == ["lams", "ite_rmse", "factual_mse", "mmd2", "config"]
    assert "λ  effect error  factual error  MMD²" in run_table(result, cached=False)
    lecture = frames(run_of(), None, evidence_of(run_of()), naming=Naming(title="w"), palettes=THEME, n_rows=40)
    assert lecture["all_lanes"] == ["ite_rmse", "factual_mse", "mmd2", "domain_auc", "generalisation_gap"]
    assert [lecture["metrics"][name]["label"] for name in lecture["all_lanes"]] == [
        *("effect error", "factual error", "MMD²", "domain AUC", "generalisation gap"),
    ]
    figures = figures_of(run_of(), 1.0, ("a", "b"), {"evidence": evidence_of(run_of())})
    assert list(figures) == ["effect-error", "factual-error", "mmd2", "domain-auc", "generalisation-gap", "effects"]
    assert figures["domain-auc"].layout.yaxis.range == (0.45, 1.03)


def test_the_numbers_of_the_evidence_stand_beside_the_others_where_there_is_one() -> None:
    result = run_of()
    evidence = {"use_effect_rms": np.linspace(1, 0.1, len(result.lam)), "domain_auc": np.full(len(result.lam), 0.7)}
    evidence["baseline_names"] = np.array([], dtype=str)
    models = run_content(result, cached=False, evidence=evidence)["models"]
    rows = list(csv.DictReader(io.StringIO(metrics_csv(result, evidence))))
    for m, (model, row) in enumerate(zip(models, rows, strict=True)):
        assert model["use_effect_rms"] == float(row["use_effect_rms"]) == evidence["use_effect_rms"][m]
        assert model["generalisation_gap"] == pytest.approx(
            result.factual_mse_by_env[m].max() - result.factual_mse_by_env[m].mean()
        )
    assert "use_effect_rms" not in run_content(result, cached=False)["models"][0]


def test_one_environment_has_no_gap_between_environments() -> None:
    assert np.isnan(run_of(n_envs=1).generalisation_gap).all()


def test_a_row_of_the_table_names_fields_that_are_there_and_an_axis_for_every_curve() -> None:
    kept = {field.name for field in fields(RunResult)}
    for metric in metrics.METRICS:
        assert "result" not in metric.kept or metric.name in kept
        assert "derived" not in metric.kept or isinstance(getattr(RunResult, metric.name), property)
        assert "by_env" not in metric.kept or f"{metric.name}_by_env" in kept
        assert "epoch" not in metric.kept or metric.name in USUAL or metric.needs == "table"
        assert not metric.drawn or metric.title or metric not in metrics.DRAWN
        assert metric.usual is None or metric.linear is None
    assert {field.name for field in fields(EpochEnded)} == {"epoch", "elapsed_s", *metrics.EPOCH_NAMES}
    assert len(metrics.METRIC) == len(metrics.METRICS)


def test_a_run_without_truth_has_every_figure_but_those_that_need_it(store: RunStore) -> None:
    whole = run_of()
    result = without_truth(whole)
    needing = {metric.name for metric in metrics.METRICS if metric.needs_truth}
    assert needing >= {"ite_rmse", "ate_error"}
    model = run_content(result, cached=False)["models"][0]
    assert {name for name, value in model.items() if value is None} == {"ite_rmse", "ite_rmse_by_env", "ate_error"}
    assert "unknown" in run_table(result, cached=False)
    for text in (metrics_csv(result), history_csv(result)):
        assert not needing & set(next(csv.reader(io.StringIO(text))))
    summary = store.summary(store.save(result))
    assert summary is not None
    assert summary.figures["ite_rmse"] == (None,) * len(result.lams)
    lecture = frames(result, None, evidence_of(result), naming=Naming(title="w"), palettes=THEME, n_rows=40)
    assert lecture["all_lanes"] == ["factual_mse", "mmd2", "domain_auc", "generalisation_gap"]
    figures = figures_of(result, 1.0, ("a", "b"), {"evidence": evidence_of(result)})
    assert "effect-error" not in figures
    np.testing.assert_array_equal(result.by_lam(result.ite_rmse), np.full((2, len(result.lams)), np.nan))


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return store_in(tmp_path)
