"""The effect map is what the model says and what the equations say; scores and choices of λ are what their names
say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crl_core.data.scm import along, sample
from crl_core.measures.effect_map import at_plane, effect_map
from crl_core.measures.effect_scores import effect_scores, is_constant, pearson
from crl_core.measures.lam_choice import choices, least
from crl_core.results import RunResult, data_of, predict, view_rows
from tests.lecture_runs import broken, config_of, run_of

SIZE = 9


def map_of(result: RunResult):
    found = effect_map(result, view_rows(result.config), size=SIZE)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["linear", "recipe", "sensors"])
def test_the_true_map_is_what_the_equations_give_at_each_point(name: str) -> None:
    """Rows sampled from the model itself, looked up on the map: their true effect is the map's."""
    result = run_of(name)
    found = map_of(result)
    data = sample(result.config.scenario, seed=3)
    z_bar, s_bar = along(data.z), along(data.s)
    inside = (z_bar > found.z[0]) & (z_bar < found.z[-1]) & (s_bar > found.s[0]) & (s_bar < found.s[-1])
    column = np.abs(found.z[None] - z_bar[inside, None]).argmin(axis=1)
    row = np.abs(found.s[None] - s_bar[inside, None]).argmin(axis=1)
    step = (found.z[1] - found.z[0]) * abs(result.config.scenario.heterogeneity)
    assert np.abs(found.tau[row, column] - data.ite[inside]).max() <= step / 2 + 1e-9


def test_the_estimated_map_is_the_model_at_that_input_when_x_is_z_and_s() -> None:
    result = run_of("linear")
    found = map_of(result)
    for index, (row, column) in ((0, (0, 0)), (2, (SIZE - 1, 3)), (4, (2, SIZE - 1))):
        x = np.array([[found.z[column], found.s[row]]])
        one = {name: value[index : index + 1] for name, value in result.weights.items()}
        _, y0_hat, y1_hat = predict(one, x)
        assert found.tau_hat[index, row, column] == pytest.approx((y1_hat - y0_hat)[0, 0], abs=1e-5)


def test_with_many_inputs_the_map_is_a_slice_through_the_datas_mean() -> None:
    result = run_of("sensors")
    view = view_rows(result.config)
    found = map_of(result)
    assert found.is_slice
    assert not map_of(run_of("linear")).is_slice
    middle = at_plane(view, np.array([along(view.z).mean()]), np.array([along(view.s).mean()]))
    np.testing.assert_allclose(middle[0], np.concatenate([view.z.mean(axis=0), view.s.mean(axis=0)]))


@given(z=st.floats(-5, 5), s=st.floats(-5, 5))
def test_a_point_of_the_plane_has_the_coordinates_it_was_asked_for(z: float, s: float) -> None:
    view = view_rows(config_of("sensors"))
    u = at_plane(view, np.array([z]), np.array([s]))
    dz = view.z.shape[1]
    assert along(u[:, :dz])[0] == pytest.approx(z, abs=1e-9)
    assert along(u[:, dz:])[0] == pytest.approx(s, abs=1e-9)


def test_the_colours_are_centred_on_the_average_effect_and_hold_the_truth() -> None:
    for name in ("linear", "recipe", "sensors"):
        result = run_of(name)
        found = map_of(result)
        assert found.centre == pytest.approx(view_rows(result.config).ite.mean())
        low, high = found.limits
        assert low <= found.tau.min() + 1e-9
        assert high >= found.tau.max() - 1e-9
        assert high - low > 0.4  # a constant effect does not blow rounding up


def test_a_diverged_model_has_no_map_and_its_neighbours_keep_theirs() -> None:
    whole = map_of(run_of("linear"))
    with np.errstate(invalid="ignore"):
        some = map_of(broken(run_of("linear"), diverged=1, collapsed=3))
    assert np.isnan(some.tau_hat[1]).all()
    np.testing.assert_array_equal(some.tau_hat[2], whole.tau_hat[2])


def test_data_without_truth_has_no_map() -> None:
    result = run_of("linear")
    view = replace(view_rows(result.config), z=None, s=None)
    assert effect_map(result, view) is None
    with pytest.raises(ValueError, match="have no z and s"):
        at_plane(view, np.zeros(1), np.zeros(1))


def test_scores_are_those_of_the_held_out_rows_counted_one_by_one() -> None:
    result = run_of("linear", n_envs=3)
    scores = effect_scores(result)
    assert scores is not None
    np.testing.assert_allclose(scores.ite_rmse, result.ite_rmse, rtol=1e-4)  # an independent path: training's own
    m = 7  # replicate 1, λ index 2
    rows = data_of(result.config, 1)[1]
    _, y0_hat, y1_hat = predict({k: v[m : m + 1] for k, v in result.weights.items()}, rows.x)
    error = (y1_hat - y0_hat)[0].astype(np.float64) - rows.ite
    assert scores.bias[m] == pytest.approx(sum(error) / len(error), abs=1e-9)
    for e in range(3):
        mine = rows.env == e
        assert scores.bias_by_env[m, e] == pytest.approx(error[mine].mean(), abs=1e-9)
        assert scores.ite_rmse_by_env[m, e] == pytest.approx(np.sqrt((error[mine] ** 2).mean()))
        by_numpy = np.corrcoef((y1_hat - y0_hat)[0, mine], rows.ite[mine])[0, 1]
        assert scores.correlation_by_env[m, e] == pytest.approx(by_numpy, abs=1e-6)


def test_correlation_with_a_constant_effect_is_not_defined() -> None:
    result = run_of("recipe")
    scores = effect_scores(result)
    assert is_constant(view_rows(result.config).ite)
    assert np.isnan(scores.correlation).all()
    assert np.isfinite(scores.bias).all()


@given(hnp.arrays(np.float64, (3, 12), elements=st.floats(-50, 50)))
def test_a_correlation_lies_between_minus_one_and_one_or_is_not_defined(estimate: np.ndarray) -> None:
    found = pearson(estimate, np.linspace(-1, 1, 12))
    assert (np.isnan(found) | (np.abs(found) <= 1 + 1e-6)).all()


def test_choosing_blind_costs_what_the_chosen_model_errs_over_the_best() -> None:
    errors = np.array([[0.9, 0.3, 0.1], [0.8, 0.2, 0.4]])
    factual = np.array([[0.5, 0.1, 0.2], [0.3, 0.2, 0.9]])
    oracle, blind, other = choices(errors, factual, {"largest": np.array([2, -1])})
    assert list(oracle.index) == [2, 1]
    assert oracle.knows_truth
    assert not blind.knows_truth
    assert list(blind.index) == [1, 1]
    np.testing.assert_allclose(blind.regret, [3.0, 1.0])
    assert other.regret[0] == pytest.approx(1.0)
    assert np.isnan(other.regret[1])  # no pick, no cost


@given(
    hnp.arrays(np.float64, (2, 5), elements=st.floats(0.01, 10) | st.just(np.nan)),
    hnp.arrays(np.float64, (2, 5), elements=st.floats(0.01, 10) | st.just(np.nan)),
)
def test_no_rule_is_ever_better_than_the_oracle(errors: np.ndarray, factual: np.ndarray) -> None:
    for choice in choices(errors, factual):
        known = choice.regret[np.isfinite(choice.regret)]
        assert (known >= 1).all()
    assert (least(errors) >= 0).tolist() == np.isfinite(errors).any(axis=1).tolist()
