"""The claims about ECGs are measured as their words say, on worlds of their own, from runs and rows that are there."""

from dataclasses import replace

import numpy as np
import pytest

from crl_core import RunConfig, Training
from crl_core.data.interventions import deploy
from crl_core.jobs.ensure_runs import Evidence
from crl_core.measures.prediction import prediction
from crl_core.results import RunResult
from crl_core.runs.store import RunStore
from crl_core.studies import signals_claims
from crl_core.studies.signals_claims import ALIGNED, WORLDS, At, measure_claims
from crl_core.studies.study_claims import STUDIES, claims_of
from crl_core.training.path import train

IDS = [claim.id for claim in claims_of("signals")]


def small(name: str) -> RunConfig:
    """A world of a claim with few rows and a short training, at the same λ."""
    world = WORLDS[name]
    lams = (0.0, *sorted({ALIGNED.get(name, 0.0)} - {0.0}))
    training = Training(lams=lams, replicates=1, epochs=2, batch_size=64, hidden=8, latent_dim=4)
    return RunConfig(scenario=replace(world.scenario, n_samples=200), training=training)


def test_every_claim_of_the_list_has_a_way_to_be_measured_and_each_way_a_claim() -> None:
    assert set(IDS) == set(signals_claims._WAYS)
    assert set(signals_claims._BASELINES) <= set(IDS)
    assert set(ALIGNED) <= set(WORLDS) == set(signals_claims._OF_WORLD)
    for name, lam in ALIGNED.items():
        assert {0.0, lam} <= set(WORLDS[name].training.lams)


def test_the_words_of_a_claim_name_the_lam_that_it_is_measured_at() -> None:
    for claim in claims_of("signals"):
        lam = ALIGNED.get(signals_claims._WORLD_OF[claim.id], 0.0)
        if "aligned" in claim.id or claim.id in ("signals-filter-gain", "signals-patients", "signals-filter-edit"):
            assert f"λ = {lam:g}" in claim.quantity


def test_what_is_shipped_is_of_seeds_that_no_setting_was_looked_for_on() -> None:
    study = STUDIES["signals"]
    assert list(range(study.first_seed, study.first_seed + study.seeds)) == [300, 301, 302, 303, 304]


def test_all_claims_are_measured_on_as_few_runs_as_there_are_worlds(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[RunConfig, bool]] = []

    def trained(wanted: list[tuple[RunConfig, bool]], *_: object) -> dict[RunConfig, tuple[RunResult, Evidence]]:
        asked.extend(wanted)
        evidence = {"baseline_ite_rmse": np.array([[2.0, 0.5], [1.0, np.nan]])}
        return {config: (train(config), evidence if more else {}) for config, more in wanted}

    monkeypatch.setattr(signals_claims, "WORLDS", {name: small(name) for name in WORLDS})
    monkeypatch.setattr(signals_claims, "ensure_runs", trained)
    found = measure_claims(IDS, 2, RunStore(tmp_path), first_seed=7)  # type: ignore[arg-type]
    assert list(found) == IDS
    assert all(values.shape == (2,) and np.isfinite(values).all() for values in found.values())
    assert len(asked) == len(WORLDS)
    assert {(config.training.replicates, config.training.seed) for config, _ in asked} == {(2, 7)}
    assert [more for _, more in asked].count(True) == 2  # the filter's and the whole machine's baselines
    np.testing.assert_array_equal(found["signals-filter-baseline"], [1.0, 0.5])
    np.testing.assert_allclose(found["signals-machine-gain"], found["signals-machine-aligned"] / [1.0, 0.5])
    np.testing.assert_allclose(found["signals-filter-gain"], found["signals-filter-aligned"] / [1.0, 0.5])


def test_a_label_flips_where_the_same_row_without_its_hum_gets_the_other_one() -> None:
    asked = small("hum-label")
    run = train(replace(asked, training=replace(asked.training, replicates=2, epochs=40, learning_rate=0.01)))
    found = At(run, {}, 20.0).flips(0.0)
    for replicate in range(2):
        before, after = (
            deploy(run.config.scenario, name, dose, 1000, replicate) for name, dose in (("none", 0.0), ("hum", 0.0))
        )
        turned = 0
        for x, quiet in zip(before.x, after.x, strict=True):
            first, second = (run.predict(row[None], replicate)[2][0, 0] for row in (x, quiet))
            turned += (first > 0.5) != (second > 0.5)
        assert found[replicate] == pytest.approx(turned / 1000, abs=0.002)  # rounding at one half
    assert found.max() > 0


def test_accuracies_are_those_of_the_prediction_at_their_lam() -> None:
    run = train(small("hum-label"))
    at, plain = At(run, {}, 20.0), prediction(run)
    for place in ("trial", "next", "reversed"):
        assert at.accuracy(place, 20.0).tolist() == [plain.accuracy[place][1]]
        assert at.accuracy(place).tolist() == [plain.accuracy[place][0]]


def test_a_diverged_model_has_an_infinite_error_and_no_edit() -> None:
    run = train(small("filter"))
    weights = {name: value.copy() for name, value in run.weights.items()}
    weights["encoder.0.weight"][1] = np.nan
    assert run.ite_rmse is not None
    broken = replace(run, weights=weights, ite_rmse=np.where(np.arange(2) == 1, np.nan, run.ite_rmse))
    at = At(broken, {}, 3.0)
    assert at.error(3.0).tolist() == [np.inf]
    assert np.isnan(at.moved(0.05, 3.0)).all()
    assert at.moved(0.05, 0.0)[0] > 0
    assert at.moved(0.5, 0.0).tolist() == [0.0]  # the filter that these rows have
