"""Claims about MMD² in linear time: each seed is held against the exact penalty on the same rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crl_core import RunConfig, RunStore, preset, replace, train
from crl_core.config.text import altered
from crl_core.studies import estimates_claims
from crl_core.studies.estimates_claims import LAM, WAYS, distance, measure_claims
from crl_core.studies.study_claims import claims_of


def test_every_claim_has_a_way_and_its_words_say_which_run_it_is_about() -> None:
    claims = {claim.id: claim for claim in claims_of("estimates")}
    assert set(claims) == set(WAYS)
    for name, (_, changes, _) in WAYS.items():
        config = altered(preset("hospital"), **changes)
        words = (
            f"hospital, batches of {config.training.batch_size} rows, {config.training.latent_dim} latent dimensions"
        )
        assert claims[name].setting == words
        assert f"λ = {LAM:g}" in claims[name].quantity


def test_distance_is_in_standard_deviations_over_seeds_and_infinite_where_a_model_broke() -> None:
    exact = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(distance(np.array([1.5, 2.0, np.inf]), exact), [0.5, 0.0, np.inf])
    assert not np.isfinite(distance(np.array([np.inf, 1.0]), np.array([np.inf, 1.0]))).any()


def test_values_are_those_of_the_two_runs_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def small(name: str) -> RunConfig:
        world = preset(name)
        return replace(
            world,
            scenario=replace(world.scenario, n_samples=800),
            training=replace(world.training, epochs=2, hidden=8, device="cpu"),
        )

    monkeypatch.setattr(estimates_claims, "preset", small)
    store = RunStore(tmp_path / "cache", tmp_path / "baked")
    found = measure_claims(["estimates-features", "estimates-features-align"], 3, store, first_seed=5)
    exact = altered(small("hospital"), lams=(LAM,), replicates=3, seed=5)
    pair = [train(altered(exact, ipm_estimate=name)) for name in ("rff", "exact")]
    assert pair[0].ite_rmse is not None
    assert pair[1].ite_rmse is not None
    np.testing.assert_allclose(found["estimates-features"], distance(pair[0].ite_rmse, pair[1].ite_rmse))
    np.testing.assert_allclose(found["estimates-features-align"], pair[0].mmd2 / pair[1].mmd2)
    assert len(store.keys()) == 2
