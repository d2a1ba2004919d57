"""A model deployed somewhere new, as the page shows it: the plane, one batch with its quadrant, the dose curves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crl_core import PRESETS, RunStore
from crl_core.data.interventions import deploy
from crl_core.data.scm import along
from crl_core.results import data_of, predict
from crl_core.studies.deployed_view import Scene, cause_and_nuisance, deployment, dose_curves, scene_of
from crl_core.studies.detection_rates import QUADRANTS, Power, baked_power, by_quadrant

HOSPITALS = PRESETS["hospitals"].config
BAKED = Path(__file__).parents[2] / "cache" / "baked"


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Four hospitals at λ ≈ 0.3, the baked run."""
    return scene_of(RunStore().load(HOSPITALS.key), 0.27, data_of(HOSPITALS)[1])


def test_the_plane_is_the_one_in_which_training_latents_vary_most(scene: Scene) -> None:
    phi = predict(scene.model.weights, data_of(HOSPITALS)[1].x)[0][0].astype(np.float64)
    largest = np.linalg.eigvalsh(np.cov(phi.T))[-2:].sum()
    np.testing.assert_allclose(scene.plane.T @ scene.plane, np.eye(2), atol=1e-12)
    assert np.var(scene.phi, axis=0).sum() == pytest.approx(largest, rel=0.05)
    np.testing.assert_allclose(scene.phi.mean(axis=0), 0, atol=1e-9)


def test_a_training_row_that_comes_again_lies_where_it_lay_in_both_views(scene: Scene) -> None:
    rows = data_of(HOSPITALS)[1]
    kept = np.unique(np.linspace(0, len(rows) - 1, 700).astype(int))
    np.testing.assert_allclose(scene.place(rows.x[kept]), scene.phi, atol=1e-6)
    np.testing.assert_array_equal(cause_and_nuisance(rows)[kept], scene.zs)
    np.testing.assert_array_equal(scene.zs[:, 0], along(rows.z[kept]))  # type: ignore[index]
    np.testing.assert_array_equal(rows.env[kept], scene.env)


def test_the_window_holds_training_rows_with_room_around_them_for_new_ones(scene: Scene) -> None:
    for axis, (low, high) in enumerate(scene.window):
        reach = np.abs(scene.phi[:, axis] - (low + high) / 2)
        assert np.mean(reach < (high - low) / 2 / 1.7) > 0.98
    low, high = scene.window[1]
    far = scene.place(deploy(HOSPITALS.scenario, "s-mean", 12.0, 200, 0).x)[:, 1]
    assert np.mean((far > low) & (far < high)) < 0.7  # of another machine much lies outside, where it is seen


def test_a_diverged_model_has_no_scene() -> None:
    run = RunStore().load(HOSPITALS.key)
    broken = replace(run, weights={name: value * np.nan for name, value in run.weights.items()})
    with pytest.raises(ValueError, match="diverged"):
        scene_of(broken, 1.0, data_of(HOSPITALS)[1])


@pytest.mark.parametrize(
    ("intervention", "dose", "quadrant"),
    [
        ("none", 0.0, "silent and right"),
        ("z-set", 1.0, "alarm but right"),
        ("s-mean", 6.0, "alarm and wrong"),
        ("effect-untreated", 1.0, "silent and wrong"),
    ],
)
def test_four_kinds_of_change_are_told_by_their_quadrant(
    scene: Scene, intervention: str, dose: float, quadrant: str
) -> None:
    found = deployment(scene.model, intervention, dose, 200)
    assert found.quadrant == quadrant
    assert (found.alarms == 0) == quadrant.startswith("silent")


def test_another_draw_is_another_batch_with_the_same_truth(scene: Scene) -> None:
    first, again, second = (deployment(scene.model, "z-shift", 1.0, 100, draw) for draw in (0, 0, 1))
    assert not np.array_equal(first.batch.x, second.batch.x)
    np.testing.assert_array_equal(first.batch.x, again.batch.x)
    assert first.report.findings == again.report.findings
    assert (first.error, first.usual) == (second.error, second.usual)
    assert first.usual == pytest.approx(scene.model.ite_rmse, rel=0.2)


def test_an_effect_that_changes_alone_is_seen_by_the_truth_and_not_by_mmd2(scene: Scene) -> None:
    curves = dose_curves(scene.model, "effect-untreated", 200)
    assert len(curves.doses) == 17
    assert np.ptp(curves.mmd2) == 0
    away = np.argsort(np.abs(curves.doses))
    assert curves.right["ite_rmse"][away[-1]] > 5 * curves.right["ite_rmse"][away[0]]


def test_sites_are_tried_one_by_one(scene: Scene) -> None:
    curves = dose_curves(scene.model, "site", 200)
    assert curves.doses == (1.0, 2.0, 3.0, 4.0)
    assert np.isfinite(curves.mmd2).all()
    assert (curves.right["ite_rmse"] > 0).all()


@pytest.fixture(scope="module")
def power() -> Power:
    found = baked_power(BAKED, "hospitals")
    assert found is not None
    return found


def test_every_case_of_the_table_stands_in_one_quadrant(power: Power) -> None:
    cases = power.cases(1.0, 200)
    assert {row.n for found in cases.values() for row in found.values()} == {200}
    assert all(set(found) == {"pooled", "nearest", "residuals", "classifier"} for found in cases.values())
    places = by_quadrant(cases)
    assert tuple(places) == QUADRANTS
    assert sorted(case for members in places.values() for case in members) == sorted(cases)
    assert ("none", 0.0) in places["silent and right"]
    assert ("effect-untreated", 1.0) in places["silent and wrong"]
    assert ("effect", 1.0) in places["alarm and wrong"]  # by its residuals, not by MMD²
    assert not cases["effect", 1.0]["pooled"].alarm


def test_a_table_has_no_cases_at_a_lambda_that_was_not_measured(power: Power) -> None:
    assert power.cases(0.123, 200) == {}
