"""The six problems as their authors wrote them, and who passes: equations, what stays and what turns, the rule, the
command."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from crl_core import RunConfig, Training, train
from crl_core.cli.program import main
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.data.scm import Stream, rng_for
from crl_core.data.unit_tests import PROBLEMS, UnitTest
from crl_core.studies import unit_tests
from crl_core.studies.unit_tests import UnitTestPath, UnitTests, grid, run_unit_tests
from crl_core.studies.unit_tests_table import at_edges, lines, markdown, verdict

PLAIN = [problem for problem in PROBLEMS if not problem.endswith("s")]


def by_hand(problem: str, seed: int, n: int) -> tuple[list[list[float]], list[float]]:
    """x and y of the training rows, one row after the other in plain numbers; the same draws, by the equations."""
    world, rng = rng_for(seed, Stream.MIXING), rng_for(seed, Stream.DATA).spawn(3)[0]
    x, y = [], []
    if problem == "1":
        a, b = world.standard_normal((2, 5, 5)) / 5
        base, noise, own = rng.standard_normal((3, 3, n, 5))
        for e, sigma in enumerate((0.1, 1.5, 2.0)):
            for i in range(n):
                v = [sigma * base[e, i, k] for k in range(5)]
                hidden = [sum(v[k] * a[k, j] for k in range(5)) + sigma * noise[e, i, j] for j in range(5)]
                w = [sum(hidden[k] * b[k, j] for k in range(5)) + own[e, i, j] for j in range(5)]
                x.append(v + w)
                y.append(sum(hidden))
    elif problem == "2":
        cow, same = rng.random((3, n)), rng.random((3, n))
        noise = rng.standard_normal((2, 3, n, 5))
        for e, (p, s) in enumerate(((0.95, 0.3), (0.97, 0.5), (0.99, 0.7))):
            for i in range(n):
                animal = 1 if cow[e, i] < s else -1
                background = animal if same[e, i] < p else -animal
                v = [(animal + noise[0, e, i, k] / 10**0.5) / 100 for k in range(5)]
                w = [background + noise[1, e, i, k] / 10**0.5 for k in range(5)]
                x.append(v + w)
                y.append(1.0 if sum(v) > 0 else -1.0)
    else:
        mu = world.standard_normal((3, 1, 5))
        noise = rng.standard_normal((2, 3, n, 5))
        for e in range(3):
            for i in range(n):
                label = 1 if i < n // 2 else -1
                x.append(
                    [0.1 * noise[0, e, i, k] + 0.1 * label for k in range(5)]
                    + [0.1 * noise[1, e, i, k] + label * mu[e, 0, k] for k in range(5)]
                )
                y.append(float(label))
    return x, y


@pytest.mark.parametrize("problem", PLAIN)
def test_rows_are_what_the_equations_give_one_by_one(problem: str) -> None:
    rows, _ = UnitTest(problem=problem, n_train=12).rows(7)  # type: ignore[arg-type]
    x, y = by_hand(problem, 7, 12)
    np.testing.assert_allclose(rows.x, x, atol=1e-12)
    np.testing.assert_allclose(rows.y, y, atol=1e-12)
    np.testing.assert_array_equal(rows.env, np.repeat([0, 1, 2], 12))
    assert not rows.t.any()


@pytest.mark.parametrize("problem", PLAIN)
def test_scrambled_rows_are_the_same_rows_rotated_once_for_all_environments_and_for_the_test(problem: str) -> None:
    plain, scrambled = UnitTest(problem=problem), UnitTest(problem=problem + "s")  # type: ignore[arg-type]
    (a, a_held), (b, b_held) = plain.rows(3), scrambled.rows(3)
    rotation = np.linalg.lstsq(a.x, b.x, rcond=None)[0]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(10), atol=1e-9)
    assert np.abs(rotation - np.eye(10)).max() > 0.1
    np.testing.assert_allclose(a_held.x @ rotation, b_held.x, atol=1e-9)
    np.testing.assert_allclose(plain.test(3, 50).x @ rotation, scrambled.test(3, 50).x, atol=1e-9)
    np.testing.assert_array_equal(a.y, b.y)


@pytest.mark.parametrize("problem", PLAIN)
def test_the_spurious_block_predicts_in_training_and_says_nothing_in_the_test(problem: str) -> None:
    source = UnitTest(problem=problem, n_train=4000)  # type: ignore[arg-type]
    rows, test = source.rows(1)[0], source.test(1, 4000)
    for e in range(3):
        if problem == "1" and e == 0:
            continue  # σ = .1: beside noise of variance 1, y is hardly in w
        own, new = rows.env == e, test.env == e
        fitted = LinearRegression().fit(rows.x[own, 5:], rows.y[own])
        assert fitted.score(rows.x[own, 5:], rows.y[own]) > 0.2
        assert fitted.score(test.x[new, 5:], test.y[new]) < 0.01
        assert LinearRegression().fit(test.x[new, 5:], test.y[new]).score(test.x[new, 5:], test.y[new]) < 0.01
        invariant = LinearRegression().fit(rows.x[own, :5], rows.y[own])
        assert invariant.score(test.x[new, :5], test.y[new]) == pytest.approx(
            invariant.score(rows.x[own, :5], rows.y[own]), abs=0.05
        )


def test_the_errors_of_an_oracle_are_those_that_follow_from_the_equations() -> None:
    # 1: Σ of five noises of variance σ_e² is what v does not tell; .01 + 2.25 + 4 over 3, times 5.
    source = UnitTest(problem="1", n_train=20_000)
    rows, test = source.rows(0)[0], source.test(0, 20_000)
    rest = test.y - LinearRegression().fit(rows.x[:, :5], rows.y).predict(test.x[:, :5])
    assert np.mean(rest**2) == pytest.approx(5 * 6.26 / 3, rel=0.02)
    # 3: Φ(-√5) of the rows are on the wrong side; in 2 none is, since the animal's sign is what is asked.
    for problem, wrong in (("3", 0.01267), ("2", 0.0)):
        test = UnitTest(problem=problem).test(0, 20_000)  # type: ignore[arg-type]
        assert np.mean(np.sign(test.x[:, :5].sum(axis=1)) != test.y) == pytest.approx(wrong, abs=0.002)


def test_the_same_seed_gives_the_same_bits_and_parts_share_no_row() -> None:
    for problem in PROBLEMS:
        source = UnitTest(problem=problem, n_train=40)
        (a, held), (again, _) = source.rows(5), source.rows(5)
        np.testing.assert_array_equal(a.x, again.x)
        assert len(a) + len(held) == source.n_rows
        assert len(held) == source.n_held_out
        every = np.concatenate([a.x, held.x, source.test(5, 40).x])
        assert len(np.unique(every, axis=0)) == len(every)
        assert not np.array_equal(a.x, source.rows(6)[0].x)
        assert not np.array_equal(a.x, replace(source, shuffled=True).rows(5)[0].x)


def path(
    error: list[list[float]], factual: list[list[float]], problem: str = "3", penalty: str = "mmd"
) -> UnitTestPath:
    lams = tuple(float(k) for k in range(len(error[0])))
    return UnitTestPath(
        problem=problem, penalty=penalty, lams=lams, error=np.array(error), factual_mse=np.array(factual)
    )


def test_lam_is_the_largest_within_twice_the_least_factual_error_and_no_broken_model_is_chosen() -> None:
    nan = np.nan
    one = path(
        [[0.5, 0.4, 0.3, 0.1], [0.5, 0.4, nan, nan], [nan] * 4, [0.1, 0.2, 0.3, 0.4]],
        [[0.02, 0.01, 0.02, 0.021], [0.01, 0.01, nan, nan], [nan] * 4, [0.05, 0.3, 0.02, 0.3]],
    )
    assert one.picked("largest").tolist() == [2, 1, -1, 2]
    assert one.picked("oracle").tolist() == [3, 1, -1, 0]
    assert one.errors("oracle").tolist() == [0.1, 0.4, np.inf, 0.1]
    assert one.at_edge() == 1


def made_up(seeds: int, error: float, oracle: float, problem: str = "3") -> UnitTests:
    found = path([[error + 1, error]] * seeds, [[1.0, 1.0]] * seeds, problem)
    return UnitTests(seeds=seeds, first_seed=100, epochs=1, oracle={problem: np.full(seeds, oracle)}, paths=(found,))


@pytest.mark.parametrize(
    ("problem", "error", "oracle", "passes"),
    [
        ("3", 0.022, 0.013, True),  # within one row in a hundred
        ("3", 0.024, 0.013, False),
        ("2s", 0.01, 0.0, True),
        ("3", 0.219, 0.2, True),  # within 10 %
        ("1", 11.4, 10.4, True),
        ("1", 11.5, 10.4, False),
        ("1", 0.009, 0.0, False),  # a squared error has no scale of its own, so no floor
    ],
)
def test_a_problem_is_passed_near_the_oracle(problem: str, error: float, oracle: float, passes: bool) -> None:
    found = made_up(5, error, oracle, problem)
    assert found.passed("mmd", "largest") == ((problem,) if passes else ())
    assert found.passed_without_penalty() == ()


def test_more_than_half_of_five_seeds_decide_and_fewer_decide_nothing() -> None:
    found = made_up(5, 0.01, 0.01)
    for bad, passes in ((2, True), (3, False)):
        error = np.where(np.arange(5)[:, None] < bad, 0.5, found.paths[0].error)
        changed = replace(found, paths=(replace(found.paths[0], error=error),))
        assert (changed.passed("mmd", "largest") == ("3",)) is passes
    few = made_up(4, 0.01, 0.01)
    assert few.passed("mmd", "largest") is None
    assert verdict(few, "largest") == "No verdict: fewer than 5 seeds."
    assert lines(few, "largest")[-1] == ("MMD²", "–", "0.010 (4/4)")


def test_the_table_says_who_passes_what_broke_and_where_a_grid_ends_too_soon() -> None:
    broken = path([[np.nan, np.nan]] * 5, [[np.nan, np.nan]] * 5, penalty="coral")
    found = made_up(5, 0.01, 0.01)
    both = replace(found, paths=(*found.paths, broken))
    assert lines(both, "oracle") == (
        ("oracle", "", "0.010"),
        ("none, λ = 0", "0 of 1", "1.0 (0/5)"),
        ("MMD²", "1 of 1", "0.010 (5/5)"),
        ("CORAL", "0 of 1", "broke (0/5)"),
    )
    assert verdict(both, "oracle") == (
        "With λ chosen by the test, the most that a penalty passes is 1 of 1: MMD². λ = 0 passes 0."
    )
    worse = replace(both, oracle={"3": np.zeros(5) - 1})
    assert verdict(worse, "oracle").startswith("With λ chosen by the test, the most that a penalty passes is 0 of 1. ")
    assert at_edges(both) == "At the end of its grid, so that a larger λ might do better: MMD² (3)."
    assert "| MMD² | 1 of 1 | 0.010 (5/5) |" in markdown(both)
    again = UnitTests.from_dict(json.loads(json.dumps(both.to_dict())))
    assert markdown(again) == markdown(both)


def test_every_grid_keeps_no_penalty_and_the_largest_weight() -> None:
    for name, about in PENALTY_WORDS.items():
        assert grid(name)[0] == 0
        assert grid(name)[-1] == about.lams[-1]
        assert set(grid(name)) <= set(about.lams)


def test_the_error_on_the_test_is_that_of_each_model_on_its_own_seeds_rows() -> None:
    source = UnitTest(problem="1s", n_train=64)
    training = Training(lams=(0.0, 1.0), replicates=2, epochs=1, hidden=4, latent_dim=2, seed=9, standardise=True)
    run = train(RunConfig(table=source, training=training))
    for replicate in range(2):
        rows = source.test(9 + replicate, unit_tests.N_TEST)
        for k in range(2):
            y_hat = run.predict(rows.x, replicate)[1][k]
            by_env = [np.mean((y_hat - rows.y)[rows.env == e] ** 2) for e in range(3)]
            assert unit_tests.error_on_test(run, source, replicate)[k] == pytest.approx(np.mean(by_env))


def test_all_ten_penalties_run_and_are_one_network_without_weight() -> None:
    found = run_unit_tests(2, 4, problems=["3"], epochs=1)
    assert found.penalties == tuple(PENALTY_WORDS)
    assert found.oracle["3"].shape == (2,)
    for one in found.paths:
        np.testing.assert_allclose(one.error[:, 0], found.without_penalty("3"), atol=2e-3)
        assert one.error.shape == (2, len(grid(one.penalty)))


def test_with_the_spurious_block_dealt_anew_a_network_learns_what_one_trained_plainly_misses() -> None:
    found = run_unit_tests(1, 100, ["mmd"], ["3"], epochs=20)
    assert found.oracle["3"][0] < 0.05
    assert found.without_penalty("3")[0] > 0.2
    assert found.paths[0].factual_mse[0, 0] < 0.05  # where it learned it is as good as certain


def test_the_command_prints_both_ways_of_choosing_and_gives_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []

    def run(*of: object, on_path) -> UnitTests:  # type: ignore[no-untyped-def]
        asked.extend(of)
        on_path("3", "mmd")
        return made_up(5, 0.01, 0.01)

    monkeypatch.setattr("crl_core.cli.unit_tests.run_unit_tests", run)
    assert main(["unit-tests", "--seeds", "5", "--first-seed", "100", "--only", "mmd", "--problems", "3"]) == 0
    assert asked == [5, 100, ["mmd"], ["3"]]
    out, err = capsys.readouterr()
    assert "problem 3: MMD²" in err
    for words in unit_tests.WHERE.values():
        assert f"{words}:" in out
        assert f"With {words}, the most that a penalty passes is 1 of 1: MMD²." in out
    assert "seeds 100 to 104" in out
    assert main(["unit-tests", "--json", "-"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["seeds"], printed["first_seed"], printed["oracle"]) == (5, 100, {"3": [0.01] * 5})


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--only", "nonsense"], "there is no penalty nonsense; the penalties are mmd, "),
        (["--problems", "4"], "there is no problem 4; the problems are 1, 1s, 2, 2s, 3, 3s."),
        (["--seeds", "0"], "seeds is 0; from 1 to 20 are possible"),
        (["--first-seed", "-1"], "first seed is -1; from 0 to "),
    ],
)
def test_what_there_is_not_is_refused_in_a_sentence(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(["unit-tests", *words])
    except SystemExit as stop:
        status = int(str(stop.code))
    assert status == 2
    assert says in capsys.readouterr().err
