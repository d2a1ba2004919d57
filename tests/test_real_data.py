"""The benchmarks on real data: their ways of measuring, against slow ones; and that they run where the data are.

The files do not come with the program: CRL_DATA names the folder of those of IHDP and Jobs, CRL_EXAMPLES the one
with the packages of example tables.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from benchmarks import ihdp, ihdp_sites, jobs
from benchmarks.on_rows import finished, judged, results_on
from benchmarks.targets import Figure, Target, keep, kept, markdown
from benchmarks.targets import run as run_measures
from crl_core.config.text import altered
from crl_core.data.scm import MultiEnvData
from crl_core.data.tables.examples import EXAMPLES, is_here
from crl_core.measures.average_effects import average_effects, outcomes_at

DATA, TABLES = os.environ.get("CRL_DATA"), os.environ.get("CRL_EXAMPLES")


def target(id: str, *figures: Figure) -> Target:
    return Target(id=id, what="an error", of="3 rows", figures=figures)


def small_tables(n: int, rows: int = 150) -> list[ihdp.Parts]:
    """Training and held-out rows of some tables whose effects are known."""
    found = []
    for seed in range(n):
        rng = np.random.default_rng(seed)
        x, t = rng.standard_normal((rows, 3)), rng.integers(0, 2, rows)
        y0 = x[:, 0]
        y1 = y0 + 1 + x[:, 1]
        y = np.where(t == 1, y1, y0) + 0.1 * rng.standard_normal(rows)
        data = MultiEnvData(x=x, t=t, env=np.zeros(rows, dtype=np.int64), y=y, y0=y0, y1=y1)
        found.append((data.rows(np.arange(0, 120)), data.rows(np.arange(120, rows))))
    return found


# -- targets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "most", "least", "within"),
    [
        (1.0, 1.0, None, True),
        (1.01, 1.0, None, False),
        (0.8, None, 0.8, True),
        (0.79, None, 0.8, False),
        (0.5, 0.6, 0.4, True),
        (0.3, 0.6, 0.4, False),
        (float("nan"), 1.0, None, False),
        (-float("inf"), 1.0, None, False),
        (float("nan"), None, None, True),
    ],
)
def test_a_figure_keeps_to_its_bounds_or_the_row_says_missed(
    value: float, most: float | None, least: float | None, within: bool
) -> None:
    row = target("R1", Figure(name="error", value=value, most=most, least=least), Figure(name="other", value=7.0))
    assert row.holds is within
    assert row.cells[-1] == ("–" if most is None and least is None else "holds" if within else "missed")


def test_rows_come_back_from_their_file_in_the_order_of_their_numbers_and_new_ones_replace_old(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    keep(
        file, [target("R10", Figure(name="error", value=1.0, most=2.0)), target("R2", Figure(name="error", value=3.0))]
    )
    keep(file, [target("R2", Figure(name="error", value=4.0, form=".1f")), target("R1b", Figure(name="a", value=5.0))])
    rows = kept(file)
    assert [row.id for row in rows] == ["R1b", "R2", "R10"]
    assert rows[1] == target("R2", Figure(name="error", value=4.0, form=".1f"))
    assert "| R10 | an error (3 rows) | error 1.00 (≤ 2.00) | holds |" in markdown(rows).splitlines()


@pytest.mark.parametrize(("module", "only"), [(ihdp, "R1"), (jobs, "R8")])
def test_where_the_files_are_not_one_sentence_says_so_and_the_status_is_2(
    module: ModuleType, only: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ([], ["--data", str(tmp_path)], ["--data", str(tmp_path / "nowhere")]):
        assert run_measures(module.__doc__ or "", module.MEASURES, [*folder, "--only", only]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert len(said.err.splitlines()) == 1
        assert module.FILE in said.err
        assert "--data FOLDER" in said.err


def test_where_a_package_is_not_one_sentence_says_how_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_measures("R9.", ihdp.MEASURES, ["--tables", str(tmp_path), "--only", "R9-new"]) == 2
    assert "pip download --no-deps -d FOLDER econml" in capsys.readouterr().err


# -- what is measured --------------------------------------------------------------------------------------------------


def test_a_data_set_among_others_gives_the_result_that_it_gives_alone() -> None:
    each = small_tables(3)
    config = ihdp.config_of(each[0], replicates=2, lams=(0.0, 1.0), steps=6, seed=40)
    together = list(results_on(config, each))
    alone = finished(altered(config, seed=44), [each[2], each[2]])
    assert together[2].config == alone.config
    assert len(together) == 3
    for name, value in alone.weights.items():
        np.testing.assert_allclose(together[2].weights[name], value, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(together[2].ite_rmse, alone.ite_rmse, rtol=1e-4)
    np.testing.assert_array_equal(together[2].replicate, alone.replicate)
    assert not np.allclose(together[0].ite_rmse, alone.ite_rmse, rtol=1e-2)


def test_errors_are_those_that_the_program_reports_and_of_the_mean_effect_at_the_lam_that_it_chooses() -> None:
    each = small_tables(2)
    config = ihdp.config_of(each[0], replicates=3, lams=(0.0, 1.0, 100.0), steps=20)
    _, outside = judged(config, each)
    for place, (result, (_, rows)) in enumerate(zip(results_on(config, each), each, strict=True)):
        np.testing.assert_allclose(outside.one[place], result.by_lam(result.ite_rmse), rtol=1e-4)
        np.testing.assert_allclose(outside.one_ate[place], result.by_lam(result.ate_error), rtol=1e-3, atol=1e-5)
        error = result.by_lam(result.validation_mse)
        assert outside.own[place].tolist() == [int(np.argmin(of_fit)) for of_fit in error]
        found = average_effects(result, rows)
        assert found.picked is not None
        effects = outcomes_at(result, rows, found.picked)[1]
        squares = [(float(np.mean(effects[:, row])) - rows.y1[row] + rows.y0[row]) ** 2 for row in range(len(rows))]
        assert outside.at_picked[place] == pytest.approx(float(np.sqrt(np.mean(squares))), rel=1e-5)
        lam = config.training.lams[int(outside.picked[place])]
        assert lam == found.lam
    assert outside.at_own.tolist() == [outside.one[n, 0, outside.own[n, 0]] for n in range(2)]


def test_policy_risk_counts_those_who_were_treated_as_named() -> None:
    rng = np.random.default_rng(5)
    t, y, treat = (rng.integers(0, 2, 60) for _ in range(3))
    rows = MultiEnvData(x=np.zeros((60, 1)), t=t, env=np.zeros(60, dtype=np.int64), y=y.astype(float))
    value = 0.0
    for named in (0, 1):
        outcomes = [y[i] for i in range(60) if treat[i] == named and t[i] == named]
        value += sum(treat[i] == named for i in range(60)) / 60 * sum(outcomes) / len(outcomes)
    assert jobs.policy_risk(rows, treat == 1) == pytest.approx(1 - value)
    assert jobs.policy_risk(rows, np.ones(60)) == pytest.approx(1 - y[t == 1].mean())


def test_the_surface_has_an_effect_of_four_on_the_treated_and_one_set_of_coefficients() -> None:
    rng = np.random.default_rng(1)
    x, treated = rng.standard_normal((300, 6)), rng.random(300) < 0.3
    mu0, mu1 = ihdp_sites.surface_b(x, treated, rng)
    assert float((mu1 - mu0)[treated].mean()) == pytest.approx(4)
    with_one = np.column_stack([np.ones(300), x])
    of_log, of_treated = (np.linalg.lstsq(with_one, values, rcond=None)[0] for values in (np.log(mu0), mu1))
    np.testing.assert_allclose(of_log[1:], of_treated[1:], atol=1e-9)
    assert of_log[0] == pytest.approx(0.5 * of_log[1:].sum())
    assert set(np.round(of_log[1:], 6)) <= set(ihdp_sites.COEFFICIENTS)


@pytest.mark.skipif(DATA is None, reason="set CRL_DATA=FOLDER: IHDP's files do not come with the program.")
def test_the_published_realisations_are_draws_of_the_surface() -> None:
    for training, held_out in ihdp.realisations(DATA)[:3]:
        x = np.concatenate([training.x, held_out.x])
        x = np.column_stack([np.ones(len(x)), x])
        mu0, mu1, t = (
            np.concatenate([getattr(part, name) for part in (training, held_out)]) for name in ("y0", "y1", "t")
        )
        beta = np.linalg.lstsq(x + 0.5, np.log(mu0), rcond=None)[0]
        np.testing.assert_allclose(np.exp((x + 0.5) @ beta), mu0)
        assert np.ptp(mu1 - x @ beta) < 1e-6
        assert float((mu1 - mu0)[t == 1].mean()) == pytest.approx(4)


# -- where the data are ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("module", [ihdp, jobs], ids=["ihdp", "jobs"])
def test_every_row_of_real_data_is_measured(module: ModuleType, tmp_path: Path) -> None:
    needed = ("ihdp-confounded",) if module is ihdp else ("nsw-cps", "nsw-psid")
    missing = [EXAMPLES[name].get for name in needed if not is_here(name, TABLES)]
    if DATA is None or missing:
        pytest.skip(f"set CRL_DATA=FOLDER for IHDP and Jobs; {'; '.join(missing)} and set CRL_EXAMPLES=FOLDER.")
    file = tmp_path / "rows.json"
    given = ["--data", DATA, *(["--tables", TABLES] if TABLES else []), "--quick", "--json", str(file)]
    assert run_measures("quick", module.MEASURES, given) == 0
    rows = kept(file)
    assert len(rows) == len(module.MEASURES)
    assert all(np.isfinite(figure.value) for row in rows for figure in row.figures)
    shipped = Path(__file__).parents[1] / "benchmarks" / "real_data.json"
    assert {row.id for row in rows} <= set(json.loads(shipped.read_text(encoding="utf-8")))
