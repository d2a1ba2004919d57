"""A claim about a run of one's own: judged as by hand, and its entry reads back as the same claim about that world."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_core import RunConfig, Scenario, Training, train
from crl_core.config.presets import PRESETS
from crl_core.config.text import altered
from crl_core.results import RunResult
from crl_core.studies.claims import QUANTITIES, parse_claims
from crl_core.studies.claims_own import entry_of, measured_on, not_in_the_entry, own_claim

SMALL = {"n_samples": 200, "lams": (0.0, 1.0, 10.0), "epochs": 1, "hidden": 4}


@cache
def run(replicates: int) -> RunResult:
    return train(altered(PRESETS["hospital"].config, replicates=replicates, **SMALL))


def test_the_verdict_is_that_of_the_replicates_own_values() -> None:
    result = run(6)
    values = result.ite_rmse.reshape(6, 3)[:, 2]  # type: ignore[union-attr]
    found = measured_on(own_claim(result.config, "ite_rmse", 10.0, "below", 1e6), result, None)
    assert found.values == pytest.approx(tuple(values))
    assert found.median == pytest.approx(np.median(values))
    assert (found.verdict, found.keys) == ("holds", (result.config.key,))
    assert (
        measured_on(own_claim(result.config, "ite_rmse", 10.0, "above", 1e6), result, None).verdict == "does not hold"
    )
    assert measured_on(own_claim(result.config, "ite_rmse", 10.0, "above", found.median), result, None).verdict == (
        "undecided"
    )


def test_four_replicates_give_no_verdict() -> None:
    result = run(4)
    assert measured_on(own_claim(result.config, "mmd2", 0.0, "below", 1e6), result, None).verdict == "needs five seeds"


def test_a_quantity_of_the_whole_path_has_no_lam() -> None:
    result = run(4)
    claim = own_claim(result.config, "u_shape", 10.0, "above", 2.0)
    assert claim.setting.lam is None
    error = result.ite_rmse.reshape(4, 3)  # type: ignore[union-attr]
    by_hand = [min(row[0], row[2]) / row[1] for row in error]
    assert measured_on(claim, result, None).values == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("none", 1.0, "below", 1.0), "there is no quantity 'none'; choose one of"),
        (("ite_rmse", 1.0, "like", 1.0), 'it must be "below" or "above"'),
        (("ite_rmse", 1.0, "below", float("nan")), "the bound is nan; it must be a number"),
        (("ite_rmse", 2.0, "below", 1.0), "the run has no λ = 2; its λ are 0,1,10"),
        (("r2_s", 1.0, "below", 1.0), "needs probes of the latent"),
    ],
)
def test_what_cannot_be_judged_is_one_sentence(asked: tuple[str, float, str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        measured_on(own_claim(run(4).config, *asked), run(4), None)


def test_a_grid_without_the_middle_has_no_u() -> None:
    result = train(altered(PRESETS["hospital"].config, replicates=2, **SMALL | {"lams": (0.0, 10.0)}))
    with pytest.raises(ValueError, match="the run has no λ = 1, as this quantity asks"):
        measured_on(own_claim(result.config, "u_shape", 0.0, "above", 1.0), result, None)


@given(
    preset=st.sampled_from(list(PRESETS)),
    quantity=st.sampled_from(list(QUANTITIES)),
    n_envs=st.integers(2, 4),
    samples=st.integers(200, 5000),
    noise=st.floats(0.1, 2, allow_subnormal=False),
    threshold=st.floats(-1e6, 1e6),
)
def test_the_entry_is_read_back_as_the_same_claim_about_the_same_world(
    preset: str, quantity: str, n_envs: int, samples: int, noise: float, threshold: float
) -> None:
    home = PRESETS[preset].config
    try:
        config = altered(home, scenario=altered(altered(home.scenario, n_envs=n_envs), n_samples=samples, noise=noise))
    except ValueError:
        return  # this world is not to be had
    claim = own_claim(config, quantity, 1.0, "above", threshold)
    (read,) = parse_claims(entry_of(claim))
    assert replace(read, setting=claim.setting) == claim
    assert read.setting.trained_on.scenario == config.scenario
    assert not not_in_the_entry(config)


def test_what_an_entry_cannot_say_is_said() -> None:
    config = altered(PRESETS["hospital"].config, penalty="coral")
    assert "An entry has no field for penalty = coral" in not_in_the_entry(config)
    assert not not_in_the_entry(altered(PRESETS["hospital"].config, epochs=7, replicates=9, seed=3))


def test_a_world_without_a_preset_near_is_said_by_its_changes() -> None:
    config = RunConfig(scenario=Scenario(n_samples=777, offset=(0.5, -0.25)), training=Training())
    (read,) = parse_claims(entry_of(own_claim(config, "ite_rmse", 1.0, "below", 1.0)))
    assert read.setting.trained_on.scenario == config.scenario
