"""Choosing λ on a run: what each rule picks, why one has no pick, and what choosing without the truth costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crl_core.events import COLLAPSED, OK
from crl_core.measures.lam_choice import Choice, choices_of, cost_of, cost_said, picked_text
from crl_core.results import RunResult
from tests.crl_core.made_up import made_up_result
from tests.lecture_runs import config_of

LAMS = (0.0, 0.1, 1.0)


@pytest.fixture(scope="module")
def run() -> RunResult:
    """Two replicates of three λ: the oracle picks 0.1 and 1, the factual error picks 1 and 0."""
    config = config_of()
    made = made_up_result(replace(config, training=replace(config.training, lams=LAMS, replicates=2)))
    return replace(
        made,
        status=np.full(6, OK),
        ite_rmse=np.array([4.0, 1.0, 2.0, 6.0, 3.0, 2.0]),
        factual_mse=np.array([3.0, 2.0, 1.0, 1.0, 2.0, 3.0]),
    )


def test_the_oracle_and_the_factual_error_pick_in_each_replicate(run: RunResult) -> None:
    (oracle, factual), reasons = choices_of(run, None)
    assert (oracle.index.tolist(), factual.index.tolist(), reasons) == ([1, 2], [2, 0], {})
    assert factual.regret.tolist() == [2.0, 3.0]
    assert cost_of(factual) == 2.5


def test_a_model_that_collapsed_is_picked_by_neither(run: RunResult) -> None:
    broken = replace(run, status=np.array([OK, COLLAPSED, OK, COLLAPSED, OK, OK]))
    (oracle, factual), _ = choices_of(broken, None)
    assert (oracle.index.tolist(), factual.index.tolist()) == ([2, 2], [2, 1])


def test_a_rule_with_picks_is_a_choice_and_one_without_a_reason(run: RunResult) -> None:
    evidence = {
        "rule_ids": np.array(["factual", "largest", "left_out"]),
        "rule_pick": np.array([[0, 0], [2, -1], [-1, -1]]),
        "rule_reason": np.array([["", ""], ["", "nothing usable"], ["needs three environments"] * 2]),
    }
    found, reasons = choices_of(run, evidence)
    assert [choice.rule for choice in found] == ["oracle", "factual", "largest"]
    assert found[1].index.tolist() == [2, 0]  # from the run's own errors, not from the stored pick
    assert found[2].index.tolist() == [2, -1]
    assert reasons == {"left_out": "needs three environments"}


def test_without_the_truth_there_are_picks_but_no_regret(run: RunResult) -> None:
    oracle, factual = choices_of(replace(run, ite_rmse=None), None)[0]
    assert oracle.index.tolist() == [-1, -1]
    assert factual.index.tolist() == [2, 0]
    assert cost_of(factual) is None


def test_the_cost_is_a_sentence_with_every_pick_once(run: RunResult) -> None:
    oracle, factual = choices_of(run, None)[0]
    assert picked_text(factual, LAMS) == "0, 1"
    assert picked_text(factual, LAMS, counted=True) == "0 (1), 1 (1)"
    assert cost_said(oracle, factual, LAMS) == (
        "With the truth one would choose λ = 0.1 or 1; by held-out factual error λ = 0 or 1. "
        "The difference costs a factor of 2.5 in effect error (median of 2 replicates, 2.0 to 3.0)."
    )


def test_a_small_cost_is_called_next_to_nothing_and_no_model_at_all_leaves_no_choice() -> None:
    def choice(index: int, regret: float) -> Choice:
        one = np.array([regret])
        return Choice(rule="factual", knows_truth=False, index=np.array([index]), ite_rmse=one, regret=one)

    assert cost_said(choice(1, 1.0), choice(1, 1.0), LAMS).endswith("Here the difference costs next to nothing.")
    assert "no" in cost_said(choice(-1, np.nan), choice(-1, np.nan), LAMS).lower().split()
    assert picked_text(choice(-1, np.nan), LAMS, counted=True) == "–"
    assert picked_text(choice(1, 1.0), LAMS, counted=True) == f"{LAMS[1]:g}"
