"""A preset's verdict is earned against λ = 0 and against the best baseline, by a rule that was written first."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_core import PRESETS, RunConfig, RunStore
from crl_core.cli.presets import table_of
from crl_core.config.presets import DEFAULT_PRESET
from crl_core.config.text import altered
from crl_core.jobs.executors import Here
from crl_core.studies.bake import bake_presets
from crl_core.studies.preset_verdicts import BAKED, FIRST_SEED, Earned, config_of, earned, measure, to_dict


def made(zero: object, picked: object, baseline: object, seeds: int = 10) -> Earned:
    def column(values: object) -> np.ndarray:
        return np.broadcast_to(np.asarray(values, dtype=np.float64), seeds).copy()

    return Earned(
        preset="hospital",
        first_seed=FIRST_SEED,
        lam=column(1.0),
        at_zero=column(zero),
        at_picked=column(picked),
        at_best=column(picked),
        of_baseline=column(baseline),
        baselines=("constant effect",) * seeds,
    )


@pytest.mark.parametrize(
    ("zero", "picked", "baseline", "verdict"),
    [
        (1.0, 0.2, 0.8, "helps"),
        (1.0, 0.2, 0.1, "helps the network, not you"),
        (1.0, 0.2, np.nan, "helps the network, not you"),
        (1.0, 1.0, 2.0, "nothing to gain"),
        (1.0, 0.95, 2.0, "nothing to gain"),
        (1.0, 1.5, 0.1, "hurts"),
        (1.0, 1.5, 9.0, "hurts"),
        (1.0, 7.0, 0.1, "destroys"),
        (np.nan, 0.2, 0.8, None),
        (1.0, [0.1] * 5 + [1.9] * 5, 3.0, "nothing to gain"),
    ],
)
def test_the_rule_gives_each_verdict(zero: float, picked: float, baseline: float, verdict: str | None) -> None:
    assert made(zero, picked, baseline).verdict == verdict


def test_below_five_seeds_there_is_no_verdict() -> None:
    assert made(1.0, 0.2, 0.8, seeds=4).verdict is None
    assert made(1.0, 0.2, 0.8, seeds=5).verdict == "helps"
    assert "too few seeds" in table_of([made(1.0, 0.2, 0.8, seeds=4)])


@given(st.floats(0.01, 100), st.lists(st.floats(0.01, 10), min_size=30, max_size=30))
def test_the_outcomes_unit_changes_no_verdict(unit: float, values: list[float]) -> None:
    zero, picked, baseline = np.array(values).reshape(3, 10)
    one, other = made(zero, picked, baseline), made(unit * zero, unit * picked, unit * baseline)
    np.testing.assert_allclose(one.ratio(one.at_zero), other.ratio(other.at_zero), rtol=1e-9)


def smaller(config: RunConfig) -> RunConfig:
    return altered(config, n_samples=400, epochs=20, learning_rate=0.01, lams=(0.0, 1.0), hidden=8, latent_dim=4)


def test_what_is_measured_is_what_run_and_evidence_hold_and_it_is_shipped(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "cache", tmp_path / "baked")
    (found,) = measure(["recipe"], store, Here(store), seeds=5, change=smaller)
    config = smaller(config_of("recipe", 5, FIRST_SEED))
    result, evidence = store.load(config.key), store.part(config.key, "evidence")
    assert evidence is not None
    again = earned("recipe", config, (result, evidence))
    assert json.dumps(to_dict([again])) == json.dumps(to_dict([found]))
    errors = result.ite_rmse.reshape(5, 2)
    np.testing.assert_array_equal(found.at_zero, errors[:, 0])
    np.testing.assert_array_equal(found.at_best, errors.min(axis=1))
    np.testing.assert_array_equal(found.of_baseline, np.nanmin(evidence["baseline_ite_rmse"], axis=0))
    picked = np.array([result.lams.index(lam) for lam in found.lam])
    factual = result.factual_mse.reshape(5, 2)
    np.testing.assert_array_equal(picked == 1, factual[:, 1] <= 2 * factual.min(axis=1))
    bake_presets(store, Here(store), print, presets=["recipe"], seeds=5, change=smaller)
    (read,) = BAKED.read(store.baked) or ()
    assert read.to_dict() == found.to_dict()


def test_seeds_that_are_reported_on_are_none_that_a_preset_was_made_on() -> None:
    of_presets = [preset.config.training for preset in PRESETS.values()]
    assert all(training.seed + training.replicates < FIRST_SEED for training in of_presets)


@pytest.mark.slow
def test_the_first_visits_world_helps_in_every_one_of_five_seeds_that_nobody_used(tmp_path: Path) -> None:
    """λ chosen without the truth, as the page does it: about half of the error of the best baseline or less."""
    store = RunStore(tmp_path / "cache", tmp_path / "baked")
    lams = (0.0, 5.2, 37.0)
    smaller = partial(altered, lams=lams)
    (found,) = measure([DEFAULT_PRESET], store, Here(store), seeds=5, first_seed=3000, change=smaller)
    ratios = found.at_picked / found.of_baseline
    assert found.verdict == "helps"
    assert (found.at_zero > 0.5).all()
    assert np.median(ratios) < 0.5
    assert (ratios < 0.7).all()


@pytest.mark.slow
def test_verdicts_come_out_from_scratch_at_fewer_seeds(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "cache", tmp_path / "baked")
    names = ("waves", "recipe-standardised")
    smaller = partial(altered, lams=(0.0, 0.1, 1.9), epochs=30)
    found = measure(names, store, Here(store), seeds=5, first_seed=3000, change=smaller)
    assert {item.preset: item.verdict for item in found} == {name: PRESETS[name].verdict for name in names}
