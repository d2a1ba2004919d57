"""What was measured on four hospitals (`python -m crl_core unseen --preset hospitals`), held to what is said of it.

Five seeds × 20 batches of 200 rows for every cell; the numbers come from cache/baked/unseen.json.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crl_core.studies.detection_rates import Power, Rate, Spec, baked_power
from tests.crl_core.made_up import plain_answer

BAKED = Path(__file__).parents[2] / "cache" / "baked"


@pytest.fixture(scope="module")
def power() -> Power:
    found = baked_power(BAKED, "hospitals")
    assert found is not None
    return found


def rows(power: Power, test: str, *specs: Spec, n: int = 200) -> list[Rate]:
    """Of the λ that align, .3 and 1."""
    wanted = {(spec.intervention, spec.dose) for spec in specs}
    found = [
        row
        for row in power.rows
        if row.test == test and row.n == n and row.lam > 0 and (not wanted or (row.intervention, row.dose) in wanted)
    ]
    assert found
    return found


def test_it_was_measured_over_five_seeds_and_twenty_batches_each(power: Power) -> None:
    assert power.seeds == 5
    assert all(row.draws == 100 and len(row.by_seed) == 5 for row in power.rows)
    content = plain_answer(BAKED / "unseen.json")
    assert {"intervention", "dose", "n", "lam", "test", "rejection_rate", "draws", "ite_rmse"} <= set(
        content["rows"][0]
    )


def test_nothing_changed_and_kinds_of_s_that_were_seen_raise_few_alarms(power: Power) -> None:
    seen = [row for row in rows(power, "pooled") if row.seen]
    assert {row.intervention for row in seen} == {"none", "site", "s-mean"}
    assert all(0 <= row.rejection_rate <= 0.10 for row in seen)


def test_interventions_on_the_cause_are_noticed(power: Power) -> None:
    cause = (
        Spec("z-shift", 0.5),
        Spec("z-shift", -0.5),
        Spec("z-shift", 1.0),
        Spec("z-shift", 3.0),
        Spec("z-set", 0.0),
        Spec("z-set", 1.0),
        Spec("z-scale", 0.5),
        Spec("z-scale", 2.0),
    )
    assert all(row.rejection_rate >= 0.95 for row in rows(power, "pooled", *cause))


def test_residuals_catch_every_labelled_change_of_the_mechanism_and_hardly_anything_else(
    power: Power,
) -> None:
    changed = rows(power, "residuals", Spec("slope", -1.0), Spec("intercept", 0.5), Spec("effect", 1.0))
    assert all(row.rejection_rate >= 0.95 for row in changed)
    assert all(row.rejection_rate <= 0.01 for row in rows(power, "residuals") if row.seen)


def test_a_changed_effect_with_nobody_treated_is_silent_and_wrong(power: Power) -> None:
    for test in ("pooled", "nearest", "residuals", "classifier"):
        for row in rows(power, test, Spec("effect-untreated", 1.0)):
            assert row.quadrant == "silent and wrong"
            assert row.rejection_rate <= 0.10
            assert row.ite_rmse > 10 * row.ite_rmse_unchanged


def test_an_alarm_is_no_verdict_on_the_effects(power: Power) -> None:
    for row in rows(power, "pooled", Spec("z-set", 1.0), Spec("z-shift", 0.5)):
        assert row.quadrant == "alarm but right"
    for row in rows(power, "pooled", Spec("s-mean", 6.0), Spec("s-mean", -6.0)):
        assert row.quadrant == "alarm but right"
    unaligned = [row for row in power.rows if row.lam == 0 and row.test == "pooled" and row.n == 200]
    assert {row.quadrant for row in unaligned if abs(row.dose) == 6} == {"alarm and wrong"}


def test_within_doses_of_s_the_statistic_orders_the_harm_where_nothing_is_aligned(power: Power) -> None:
    """Aligned, doses of s hardly harm, and there is little to order."""
    assert np.median(power.dose_correlation["0"]) >= 0.9
    assert np.median(power.dose_correlation["1"]) < 0.9
