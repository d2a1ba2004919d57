"""Penalties side by side: each at its own best, at the blind choice and at 0; what cannot be asked is said in a line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crl_core.cli import main
from crl_core.events import DIVERGED
from crl_core.penalty_study import against, configs_of, judged
from crl_core.penalty_words import PENALTY_WORDS
from tests.crl_core.made_up import made_up_result, tiny_config


def test_each_penalty_has_a_run_of_its_own_and_all_share_everything_else() -> None:
    configs = configs_of("hospital")
    assert set(configs) == set(PENALTY_WORDS)
    assert len({config.key for config in configs.values()}) == len(configs)
    assert len({replace(config.training, penalty="mmd") for config in configs.values()}) == 1
    assert len({config.scenario for config in configs.values()}) == 1


def test_a_path_is_judged_at_its_best_at_the_blind_choice_and_at_zero() -> None:
    config = tiny_config()
    config = replace(config, training=replace(config.training, lams=(0.0, 1.0, 2.0), replicates=2))
    run = replace(
        made_up_result(config),
        ite_rmse=np.array([0.9, 0.2, 0.5, 0.8, 0.3, 0.1]), factual_mse=np.array([0.3, 0.2, 0.1, 0.1, 0.2, 0.3]),
    )  # fmt: skip
    one = judged("mmd", run)
    assert (one.best_lams, one.blind_lams) == ((1.0, 2.0), (2.0, 0.0))
    np.testing.assert_array_equal(one.at_best, [0.2, 0.1])
    np.testing.assert_array_equal(one.at_blind, [0.5, 0.8])
    np.testing.assert_array_equal(one.at_zero, [0.9, 0.8])
    worse = judged("coral", replace(run, ite_rmse=run.ite_rmse + 0.1))
    found = against(one, worse, "at_best")
    assert found.mean == pytest.approx(0.1)
    assert found.seen


def test_broken_models_count_as_infinitely_wrong_and_are_counted() -> None:
    run = made_up_result()
    status = run.status.copy()
    status[0] = DIVERGED
    one = judged("irm", replace(run, status=status))
    assert np.isinf(one.at_zero).all()
    assert one.problem == "1 models broke"
    none = judged("irm", replace(run, status=np.full_like(status, DIVERGED)))
    assert "no λ left a usable model" in none.problem
    assert np.isinf(none.at_best).all()


def test_the_command_trains_what_is_not_there_and_takes_the_rest_from_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRL_CACHE", str(tmp_path))
    small = tiny_config(epochs=30, n_samples=1500)
    small = replace(small, training=replace(small.training, hidden=32))
    tiny = {name: replace(small, training=replace(small.training, penalty=name)) for name in ("mmd", "vrex")}
    monkeypatch.setattr("crl_core.cli_penalties.configs_of", lambda *_: tiny)
    target = tmp_path / "out.json"
    for _ in range(2):
        assert main(["penalties", "--json", str(target)]) == 0
    content = json.loads(target.read_text())
    assert [row["penalty"] for row in content["rows"]] == ["mmd", "vrex"]
    assert all(np.isfinite(row["at_best"]).all() for row in content["rows"])
    np.testing.assert_allclose(
        content["rows"][0]["at_zero"], content["rows"][1]["at_zero"], rtol=1e-4
    )  # the same network
    assert "not comparable" in capsys.readouterr().out
    assert len(list((tmp_path / "runs").iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--preset", "nonsense"], "there is no preset 'nonsense'"),
        (["--only", "nonsense"], "there is no penalty nonsense"),
        (["--seeds", "0"], "replicates is 0"),
        (["--epochs", "0"], "epochs is 0"),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_line(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["penalties", *arguments]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
