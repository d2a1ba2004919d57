"""Penalties side by side: each at its own best, at the blind choice and at 0; what cannot be asked is said in a
line."""

from __future__ import annotations

import json
import shlex
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crl_core.cli.penalties import contest_table
from crl_core.cli.program import main
from crl_core.config import RECIPE_VERSION
from crl_core.config.penalty_words import PENALTY_WORDS, grid
from crl_core.config.presets import DEFAULT_PRESET, preset
from crl_core.events import DIVERGED
from crl_core.jobs.executors import Here, Job
from crl_core.jobs.train_and_store import Outcome
from crl_core.runs.store import RunStore
from crl_core.studies import penalties as penalty_study
from crl_core.studies.bake import CONTEST_SETTINGS
from crl_core.studies.penalties import (
    BAKED,
    Contest,
    Contestant,
    ContestSetting,
    against,
    baked_contests,
    better_than_none,
    command_of,
    configs_of,
    judged,
    next_step,
    run_contest,
    runs_of,
    steps_beyond,
)
from tests.crl_core.made_up import made_up_result, store_in, tiny_config, without_truth

ROOT = Path(__file__).parents[2]


def test_each_penalty_has_a_run_of_its_own_and_all_share_everything_but_penalty_and_grid() -> None:
    configs, refused = configs_of(ContestSetting(preset="hospital"))
    assert set(configs) == set(PENALTY_WORDS)
    assert not refused
    assert len({config.key for config in configs.values()}) == len(configs)
    assert len({replace(config.training, penalty="mmd", lams=(0.0,)) for config in configs.values()}) == 1
    assert len({config.scenario for config in configs.values()}) == 1


def test_a_grid_is_written_with_two_digits_and_mmd_keeps_the_default_one() -> None:
    assert PENALTY_WORDS["mmd"].lams == preset("hospital").training.lams
    assert grid(0.01, 100, 5) == (0.0, 0.01, 0.1, 1.0, 10.0, 100.0)
    for words in PENALTY_WORDS.values():
        assert len(words.lams) == 16
        assert words.lams[0] == 0


def test_the_world_says_what_was_changed() -> None:
    setting = ContestSetting(preset="hospital", gap=1.0, rare=0.1, balanced=True, matching="rank", shared=0)
    config = setting.config("contrastive")
    assert config.scenario.cause_mean == (1.0, -1.0)
    assert config.scenario.env_sizes == (9091, 909)
    assert config.training.balanced
    assert setting.words == (
        "no shared units, the last environment has 0.1 of the others' rows, means of z are ±1, balanced batches, "
        "pairs by rank"
    )


def path(lams: tuple[float, ...], replicates: int, **columns: list[float]):  # type: ignore[no-untyped-def]
    config = tiny_config()
    config = replace(config, training=replace(config.training, lams=lams, replicates=replicates))
    return replace(made_up_result(config), **{name: np.array(values) for name, values in columns.items()})


def test_a_path_whose_truth_is_not_known_is_not_judged_and_says_so() -> None:
    run = without_truth(made_up_result())
    row = judged(run, np.full(2, 0.5))
    assert not row.ran
    assert (row.key, row.penalty) == (run.config.key, "mmd")
    assert "the true effects are not known here" in row.problem
    contest = Contest(setting=ContestSetting(preset="hospital", gap=0.5), rows=(row,))
    assert json.loads(json.dumps(contest.to_dict()))["rows"][0]["ite_rmse"] == []


def test_a_path_is_judged_at_its_best_at_the_blind_choice_and_at_zero() -> None:
    run = path(
        (0.0, 1.0, 2.0),
        2,
        ite_rmse=[0.9, 0.2, 0.5, 0.8, 0.3, 0.1],
        factual_mse=[0.3, 0.2, 0.1, 0.1, 0.2, 0.3],
    )
    one = judged(run, np.full(6, 0.5))
    np.testing.assert_array_equal(one.picked("at_best"), [1, 2])
    np.testing.assert_array_equal(one.picked("at_blind"), [2, 0])
    np.testing.assert_array_equal(one.error("at_best"), [0.2, 0.1])
    np.testing.assert_array_equal(one.error("at_blind"), [0.5, 0.8])
    np.testing.assert_array_equal(one.error("at_zero"), [0.9, 0.8])
    np.testing.assert_array_equal(one.picked("at_others"), [2, 1])
    np.testing.assert_array_equal(one.error("at_others"), [0.5, 0.3])
    assert one.lam("at_best") == 1.5
    assert one.lams_picked("at_best") == "1 to 2"


def five(*ite_rmse: list[float], lams: tuple[float, ...] = (0.0, 1.0, 2.0), **columns: list[float]):  # type: ignore[no-untyped-def]
    """A penalty with five seeds whose factual error is least at the first λ."""
    factual = [0.1 * (1 + at) for at in range(len(lams))] * 5
    run = path(
        lams, 5, **{"ite_rmse": [error for seed in ite_rmse for error in seed], "factual_mse": factual} | columns
    )
    return judged(run, np.full(5 * len(lams), 0.5))


def test_penalties_are_judged_by_the_ratio_of_errors_from_five_seeds_on() -> None:
    one = five(*[[0.9 + 0.1 * r, 0.2 + 0.03 * r, 0.5] for r in range(5)])
    worse = replace(one, ite_rmse=2 * one.ite_rmse)
    found = against(one, worse, "at_best")
    assert np.exp(found.mean) == pytest.approx(2)
    assert found.seen
    contest = Contest(setting=ContestSetting(preset="hospital"), rows=(one,))
    assert better_than_none(contest, "at_others") == (["mmd"], [])
    assert better_than_none(contest, "at_blind") == ([], [])  # every seed picks 0 itself
    few = replace(one, **{name: getattr(one, name)[:4] for name in ("ite_rmse", "factual_mse", "domain_auc")})
    assert better_than_none(Contest(setting=contest.setting, rows=(few,)), "at_others") == ([], [])
    hair = five(*[[0.9, 0.8991 + 0.0001 * r, 0.9] for r in range(5)])
    assert against(hair, hair, "at_zero", "at_others").seen
    assert better_than_none(Contest(setting=contest.setting, rows=(hair,)), "at_others") == ([], [])


def test_ten_penalties_that_do_nothing_are_hardly_ever_called_better_even_with_a_lam_chosen_by_the_truth() -> None:
    """Noise alone along λ: at each one's own best λ all ten were "better" nearly always."""
    rng, contests = np.random.default_rng(0), 150
    called = dict.fromkeys(("at_blind", "at_others", "at_best"), 0)
    lams = tuple(float(lam) for lam in range(8))
    for _ in range(contests):
        of_seed = rng.normal(size=(5, 1))
        none = of_seed + 0.3 * rng.normal(size=(5, 1))
        rows = []
        for name in PENALTY_WORDS:
            error = np.exp(np.hstack([none, of_seed + 0.3 * rng.normal(size=(5, 7))]))
            factual = rng.random((5, 8))
            rows.append(replace(EMPTY, penalty=name, lams=lams, own=8, ite_rmse=error, factual_mse=factual))
        contest = Contest(setting=ContestSetting(preset="hospital"), rows=tuple(rows))
        for where in called:
            called[where] += bool(better_than_none(contest, where)[0])
    assert called["at_blind"] / contests <= 0.07
    assert called["at_others"] / contests <= 0.07
    assert called["at_best"] / contests > 0.3


EMPTY = Contestant(
    penalty="mmd",
    key="",
    lams=(),
    ite_rmse=np.empty((0, 0)),
    factual_mse=np.empty((0, 0)),
    domain_auc=np.empty((0, 0)),
)


# -- grids that go on --------------------------------------------------------------------------------------------------


def test_a_grid_goes_on_by_its_own_ratio_in_two_steps_of_four_up_to_a_million() -> None:
    for words in PENALTY_WORDS.values():
        steps = steps_beyond(words.lams)
        further = np.array([words.lams[-1], *(lam for step in steps for lam in step)])
        ratio = words.lams[-1] / words.lams[-2]
        np.testing.assert_allclose(further[1:] / further[:-1], ratio, rtol=0.1)
        assert [len(step) for step in steps[:-1]] == [4] * (len(steps) - 1)
        assert further[-1] <= 1e6
        assert len(further) == 9 or further[-1] * ratio > 0.9e6


def test_a_best_at_the_last_lam_is_a_bound_and_one_inside_or_before_a_broken_model_is_not() -> None:
    end = five(*[[0.9, 0.5, 0.2]] * 3, *[[0.9, 0.2, 0.5]] * 2)
    assert (end.at_end, end.end_words) == (3, "at the end of its grid in 3 of 5 seeds: a bound, not a best")
    assert next_step(end) == steps_beyond(PENALTY_WORDS["mmd"].lams)[0]
    inside = five(*[[0.9, 0.2, 0.5]] * 5)
    broken = replace(end, ite_rmse=np.tile([0.9, 0.5, np.nan], (5, 1)))
    for row in (inside, broken):
        assert (row.at_end, row.end_words, next_step(row)) == (0, "", None)


def test_a_contest_trains_on_where_a_best_is_at_the_end_and_the_blind_choice_does_not_look_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(monkeypatch)
    monkeypatch.setattr(penalty_study, "STEPS", 2)
    store, setting = store_in(tmp_path), ContestSetting(preset="hospital")
    first, second = steps_beyond(PENALTY_WORDS["vrex"].lams)
    best = {1.0: 0.5, first[0]: 0.4, first[-1]: 0.3, second[0]: 0.2}  # the best is inside the second step

    def made_up(run, auc):  # type: ignore[no-untyped-def]
        error = np.array([[best.get(lam, 0.9) for lam in run.lams]])
        return judged(replace(run, ite_rmse=error.ravel(), factual_mse=error.ravel()), auc)

    monkeypatch.setattr(penalty_study, "judged", made_up)
    found = run_contest(setting, store, ["vrex"]).of("vrex")
    assert found.lams == (0.0, 1.0, *first, *second)
    assert (found.own, found.at_end) == (2, 0)
    assert found.lam("at_best") == second[0]
    assert found.lam("at_blind") == 1.0
    configs = configs_of(setting, ["vrex"])[0]
    wanted = runs_of(setting, configs, store)
    assert {config.key for config in wanted} == set(store.keys())
    assert setting.config_at("vrex", second[0]).key == wanted[-1].key
    again = Contest.from_dict(json.loads(json.dumps(Contest(setting=setting, rows=(found,)).to_dict())))
    assert again.of("vrex").lam("at_blind") == 1.0
    given = run_contest(setting, store, ["vrex"], (0.0, 1.0)).of("vrex")
    assert given.lams == (0.0, 1.0)  # a grid that was asked for is that grid


def test_broken_models_are_left_out_and_counted() -> None:
    run = made_up_result()
    status = run.status.copy()
    status[0] = DIVERGED
    one = judged(replace(run, status=status), np.full(2, 0.5))
    assert np.isinf(one.error("at_zero")).all()
    assert one.problem == "1 of 2 models diverged or collapsed"
    none = judged(replace(run, status=np.full_like(status, DIVERGED)), np.full(2, 0.5))
    assert "no λ left a usable model" in none.problem
    assert not none.ran
    adversarial = replace(run.config, training=replace(run.config.training, penalty="adversarial"))
    diverged = judged(replace(run, status=status, config=adversarial), np.full(2, 0.5))
    assert "with their classifier or by it" in diverged.problem


def test_a_contest_survives_being_written_and_read(tmp_path: Path) -> None:
    contest = Contest(
        setting=ContestSetting(preset="hospital", gap=0.5), rows=(judged(made_up_result(), np.full(2, 0.5)),)
    )
    again = Contest.from_dict(json.loads(json.dumps(contest.to_dict())))
    assert again.setting == contest.setting
    np.testing.assert_allclose(again.rows[0].ite_rmse, contest.rows[0].ite_rmse, rtol=1e-4)
    assert baked_contests(tmp_path) == ()
    for text in ("{", "{}", '{"recipe_version": 0, "contests": []}'):
        folder = tmp_path / str(len(text))
        folder.mkdir()
        (folder / BAKED.file).write_text(text)
        assert baked_contests(folder) == ()


def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worlds of a moment: tiny networks, two λ."""
    of_setting = ContestSetting.config

    def tiny(setting: ContestSetting, penalty: str, lams: tuple[float, ...] | None = None):  # type: ignore[no-untyped-def]
        config = of_setting(setting, penalty, lams or (0.0, 1.0))
        return replace(
            config,
            scenario=replace(config.scenario, n_samples=1500),
            training=replace(config.training, epochs=30, replicates=1, hidden=32),
        )

    monkeypatch.setattr(ContestSetting, "config", tiny)
    monkeypatch.setattr(penalty_study, "STEPS", 0)


def test_the_command_trains_what_is_not_there_and_takes_the_rest_from_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRL_CACHE", str(tmp_path))
    small(monkeypatch)
    target = tmp_path / "out.json"
    for _ in range(2):
        assert main(["penalties", "--only", "mmd", "vrex", "contrastive", "--json", str(target)]) == 0
    content = json.loads(target.read_text())
    assert [row["penalty"] for row in content["rows"]] == ["mmd", "vrex", "contrastive"]
    np.testing.assert_allclose(
        content["rows"][0]["at_zero"], content["rows"][1]["at_zero"], rtol=1e-4
    )  # the same network
    assert "not comparable" in capsys.readouterr().out
    assert len(list((tmp_path / "runs").iterdir())) == 3


def test_the_command_of_a_world_measures_that_world(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[ContestSetting] = []
    monkeypatch.setattr(
        "crl_core.cli.penalties.run_contest",
        lambda setting, *_: asked.append(setting) or Contest(setting=setting, rows=()),
    )
    odd = ContestSetting(
        preset="leaky", gap=0.25, rare=0.05, shared=8, matching="rank", balanced=True, seeds=2, epochs=7
    )
    for setting in (*CONTEST_SETTINGS, odd):
        assert main(shlex.split(command_of(setting))[3:]) == 0
        assert asked.pop() == setting


def test_a_penalty_that_cannot_work_or_fails_is_named_and_the_others_finish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(monkeypatch)

    class Failing(Here):
        """Does not train coral."""

        def start(self, job: Job) -> Future[Outcome]:
            if job.config is None or job.config.training.penalty != "coral":
                return super().start(job)
            future: Future[Outcome] = Future()
            future.set_result(Outcome(ending="failed", reason="The disk is on fire."))
            return future

    store = store_in(tmp_path)
    found = run_contest(
        ContestSetting(preset="hospital", shared=0), store, ["mmd", "coral", "contrastive"], executor=Failing(store)
    )
    assert [row.ran for row in found.rows] == [True, False, False]
    assert found.of("coral").problem == "The disk is on fire."
    assert "no shared units to make pairs of" in found.of("contrastive").problem
    assert "no shared units" in contest_table(found)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--preset", "nonsense"], "there is no preset 'nonsense'"),
        (["--only", "nonsense"], "there is no penalty nonsense"),
        (["--epochs", "0"], "epochs is 0"),
        (["--matching", "taste"], "there is no matching 'taste'"),
        (["--lam", "0", "1"], "one λ grid was given for several penalties, but their λ are not comparable"),
        (["--only", "contrastive", "--shared", "0"], "no shared units to make pairs of"),
        (["--shared", "9999"], "at most half of them"),
        (["--rare", "7"], "env_weight is 7"),
        (
            ["--only", "contrastive", "--gap", "9", "--matching", "oracle", "--shared", "0"],
            "let the environments overlap more",
        ),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_line(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["penalties", *arguments]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_one_environment_or_one_arm_leaves_nothing_to_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    home = preset("hospital")
    alone = replace(home, scenario=home.scenario.with_envs(1))
    monkeypatch.setattr(penalty_study, "preset", lambda _: alone)
    with pytest.raises(ValueError, match="hospital has one environment, so no penalty"):
        configs_of(ContestSetting(preset="hospital", shared=0))
    one_arm = replace(
        home,
        scenario=replace(home.scenario, propensity=(1.0, 1.0)),
        training=replace(home.training, align="treatment"),
    )
    monkeypatch.setattr(penalty_study, "preset", lambda _: one_arm)
    with pytest.raises(ValueError, match="hospital has one treatment arm"):
        configs_of(ContestSetting(preset="hospital"))


# -- what is said of the shipped worlds --------------------------------------------------------------------------------


def test_the_shipped_contests_are_those_of_the_command_and_of_this_recipe() -> None:
    folder = ROOT / "cache" / "baked"
    assert json.loads((folder / BAKED.file).read_text())["recipe_version"] == RECIPE_VERSION
    found = baked_contests(folder)
    first = found[0].setting.first_seed  # 0 where they were measured before there was a choice
    assert [contest.setting for contest in found] == [replace(item, first_seed=first) for item in CONTEST_SETTINGS]
    for contest in found:
        configs, _ = configs_of(contest.setting)
        assert {row.penalty: row.key for row in contest.rows} == {name: c.key for name, c in configs.items()}


def test_where_patients_differ_pairs_beat_no_penalty_and_mmd_gains_nothing() -> None:
    """The smallest size that still shows it: one seed, a third of the rows, two weights each."""
    setting = ContestSetting(preset=DEFAULT_PRESET, gap=1.0, seeds=1, epochs=24)
    pairs = train_small(setting.config("contrastive", (0.0, 0.03)))
    mmd = train_small(setting.config("mmd", (0.0, 1.0)))
    assert pairs[1] < 0.75 * pairs[0]
    assert mmd[1] > 0.9 * mmd[0]
    assert pairs[1] < 0.5 * mmd[1]


def train_small(config):  # type: ignore[no-untyped-def]
    from crl_core import train

    return train(
        replace(
            config,
            scenario=replace(config.scenario, n_samples=4000),
            training=replace(config.training, epochs=50),
        )
    ).ite_rmse


def test_the_store_is_asked_for_evidence_with_every_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch)
    store = RunStore(tmp_path / "cache", tmp_path / "baked")
    found = run_contest(ContestSetting(preset="hospital"), store, ["vrex"])
    assert np.isfinite(found.of("vrex").domain_auc).all()
