"""An environment left out of training is judged on all its rows, none of which was trained on."""

from dataclasses import replace

import numpy as np
import pytest

from crl_core import RunConfig, Scenario, Training, train
from crl_core.data.scm import MultiEnvData
from crl_core.measures.evidence import gather
from crl_core.measures.lam_choice import RULES
from crl_core.metrics import factual_mse
from crl_core.results import RunResult, data_of
from crl_core.training.left_out import LAMS, MOST, leavable, left_out_mse
from crl_core.training.path import train as train_run
from crl_core.training.path import train_path

SCENARIO = Scenario(n_samples=450, sigma=(0.5, 1.0, 2.0), offset=(1.0, 0.0, -1.0))
TRAINING = Training(
    lams=(0.0, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0),
    replicates=2,
    epochs=4,
    batch_size=64,
    hidden=8,
    latent_dim=4,
    learning_rate=0.01,
)


@pytest.fixture(scope="module")
def result() -> RunResult:
    return train(RunConfig(scenario=SCENARIO, training=TRAINING))


def rows(t: list[int], env: list[int]) -> MultiEnvData:
    n = 20 * len(t)
    return MultiEnvData(x=np.zeros((n, 2)), t=np.repeat(t, 20), env=np.repeat(env, 20), y=np.zeros(n))


def test_the_error_is_that_of_a_shorter_training_without_the_environment(result: RunResult) -> None:
    told: list[tuple[int, int]] = []
    found = left_out_mse(result, lambda done, total: told.append((done, total)))
    assert found is not None
    by_lam = result.by_lam(found)
    assert np.isnan(by_lam[1]).all()  # the first replicate alone
    assert np.flatnonzero(np.isfinite(by_lam[0])).tolist() == [0, 2, 3, 4, 6]
    assert np.isfinite(by_lam[0]).sum() == LAMS
    assert told == [(done, 6) for done in range(1, 7)]  # three environments, half the epochs
    train_rows, held_out = data_of(result.config)
    config = RunConfig(scenario=SCENARIO, training=replace(TRAINING, lams=(0.1,), replicates=1, epochs=2))
    errors = []
    for env in range(3):
        rest = train_rows.rows(np.flatnonzero(train_rows.env != env))
        for event in train_path(config, data=[(rest, held_out)]):
            last = event
        alone = last.result  # type: ignore[union-attr]
        assert alone is not None
        squares, n = 0.0, 0
        for part in (train_rows, held_out):
            mine = part.rows(np.flatnonzero(part.env == env))
            _, y0_hat, y1_hat = alone.predict(mine.x)
            squares, n = squares + factual_mse(y0_hat, y1_hat, mine.t, mine.y)[0] * len(mine), n + len(mine)
        errors.append(squares / n)
    assert by_lam[0, 2] == pytest.approx(np.mean(errors), rel=1e-4)


def test_the_truth_plays_no_part(result: RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = left_out_mse(result)

    def blind(config: RunConfig, replicate: int = 0) -> tuple[MultiEnvData, ...]:
        return tuple(replace(part, y0=None, y1=None, z=None, s=None) for part in data_of(config, replicate))

    monkeypatch.setattr("crl_core.training.left_out.data_of", blind)
    np.testing.assert_array_equal(left_out_mse(result), seen)


def test_an_environment_without_which_an_arm_is_gone_is_not_left_out() -> None:
    assert leavable(rows([0, 1], [0, 1])) == []
    assert leavable(rows([0, 1, 1], [0, 1, 2])) == [1, 2]
    assert leavable(rows([0, 1] * 10, [k // 2 for k in range(20)])) == [0, 3, 6, 9]
    assert MOST == 4


def test_two_environments_cost_nothing_and_a_stop_is_heard(result: RunResult) -> None:
    two = train_run(RunConfig(scenario=SCENARIO.with_envs(2), training=replace(TRAINING, epochs=1, lams=(0.0, 1.0))))
    found = left_out_mse(two, should_stop=lambda: True)
    assert found is not None
    assert np.isnan(found).all()
    assert left_out_mse(result, should_stop=lambda: True) is None


def test_the_rule_picks_the_least_of_these_errors_in_the_replicate_that_has_them(result: RunResult) -> None:
    errors = np.full(len(result.lam), np.nan)
    errors[[0, 2, 3, 4, 6]] = [5.0, 4.0, 1.0, 2.0, 3.0]
    evidence = gather(result, left_out=errors)
    np.testing.assert_array_equal(evidence["left_out_mse"], errors)
    assert evidence["rule_pick"][RULES.index("left_out")].tolist() == [3, -1]
