"""Moving λ moves points: layouts are aligned along the path, deterministic, and leave broken models out."""

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from crl_core import RunConfig, Scenario, Training, train
from crl_core.measures.projection import pca_path, project_path, project_run, turned_onto


def path(n: int = 90, n_lams: int = 5) -> np.ndarray:
    """Two clusters that come together along λ, in random orientations."""
    rng = np.random.default_rng(0)
    base = rng.standard_normal((n, 6))
    apart = np.where(np.arange(n) < n // 2, 1.0, -1.0)[:, None] * np.eye(6)[0] * 4
    turns = [np.linalg.qr(np.eye(6) + 0.2 * rng.standard_normal((6, 6)))[0] for _ in range(n_lams)]
    weights = np.linspace(1, 0, n_lams)
    return np.stack([(base + apart * weight) @ turn for weight, turn in zip(weights, turns, strict=True)])


def drift(xy: np.ndarray) -> float:
    """Mean move of a point between neighbouring λ, relative to the spread of the picture."""
    moves = np.linalg.norm(np.diff(xy, axis=0), axis=-1).mean()
    return float(moves / np.linalg.norm(xy - xy.mean(axis=1, keepdims=True), axis=-1).mean())


def test_aligned_layouts_move_points_several_times_less_than_separate_ones() -> None:
    phi = path(60, n_lams=16)  # as fine as a run's
    together = project_path(phi, 8, np.random.default_rng(1))
    apart = np.concatenate([project_path(phi[i : i + 1], 0, np.random.default_rng(i)) for i in range(16)])
    assert drift(together) < drift(apart) / 3
    size = np.sqrt(np.square(together).sum(axis=(1, 2)))
    np.testing.assert_allclose(size, size[8], rtol=1e-4)  # one window fits all


def test_starting_from_the_neighbour_costs_little_of_what_a_picture_keeps() -> None:
    phi = path(240)
    together = project_path(phi, 0, np.random.default_rng(1))
    kept, best = [], []
    for index, rows in enumerate(phi):
        alone = project_path(rows[None], 0, np.random.default_rng(2))[0]
        kept.append(trustworthiness(rows / rows.std(0), together[index], n_neighbors=10))
        best.append(trustworthiness(rows / rows.std(0), alone, n_neighbors=10))
    assert np.mean(kept) > np.mean(best) - 0.015
    assert np.mean(kept) > 0.9


def test_the_same_seed_gives_the_same_picture_and_progress_is_told() -> None:
    phi, told = path(60), []
    a = project_path(phi, 0, np.random.default_rng(3), lambda done, total: told.append((done, total)))
    b = project_path(phi, 0, np.random.default_rng(3))
    np.testing.assert_array_equal(a, b)
    assert told == [(i, 5) for i in range(1, 6)]


def test_the_lam_in_view_comes_first_and_a_stop_is_obeyed() -> None:
    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        project_path(path(60), 3, np.random.default_rng(0), stop)


def test_broken_and_collapsed_models_have_no_points_and_neighbours_skip_them() -> None:
    phi = path(60)
    phi[1] = np.nan
    phi[3] = 1.0
    for xy in (project_path(phi, 1, np.random.default_rng(0)), pca_path(phi)):
        np.testing.assert_array_equal(np.isnan(xy).all(axis=(1, 2)), [False, True, False, True, False])
        assert np.isfinite(xy[[0, 2, 4]]).all()


def test_pca_is_the_principal_plane_up_to_a_turn() -> None:
    from sklearn.decomposition import PCA

    phi = path()[:1]
    x = (phi[0] - phi[0].mean(0)) / phi[0].std(0)
    want = PCA(2).fit_transform(x)
    np.testing.assert_allclose(turned_onto(pca_path(phi)[0], want), want, atol=1e-4)


def test_turning_undoes_a_rotation_and_a_reflection() -> None:
    layout = np.random.default_rng(0).standard_normal((30, 2))
    turned = layout @ np.array([[0.6, 0.8], [0.8, -0.6]]) + 3
    np.testing.assert_allclose(turned_onto(turned, layout), layout - layout.mean(axis=0), atol=1e-9)


def test_a_runs_projection_has_a_point_for_every_view_row_at_every_lam() -> None:
    run = RunConfig(
        scenario=Scenario(n_samples=300, offset=(2.0, -2.0)),
        training=Training(lams=(0.0, 1.0), replicates=2, epochs=2, hidden=8, latent_dim=3, batch_size=32),
    )
    told: list[tuple[int, int]] = []
    parts = project_run(train(run), 1.0, lambda done, total: told.append((done, total)))
    assert parts["tsne_xy"].shape == (2, 60, 2)
    assert parts["tsne_x"].shape == (60, 2)
    assert parts["tsne_xy"].dtype == np.float32
    assert np.isfinite(parts["tsne_xy"]).all()
    assert told[-1] == (3, 3)
