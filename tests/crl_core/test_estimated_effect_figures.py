"""Figures of effects whose truth nobody knows: they show what was found, its error, and what was left undone."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from crl_core.figures import (
    columns_that_move_effects,
    effect_by_inputs,
    effects_along_lam,
    effects_by_env,
    gain_by_share_treated,
    kept_covariates,
    outside,
    palette,
    predicted_against_found,
)
from crl_core.figures.lam_axis import positions
from crl_core.measures.average_effects import AverageLevels
from crl_core.measures.covariate_probes import CovariateProbes
from crl_core.measures.effect_checks import by_thirds, policy_curve
from crl_core.measures.linear_projection import LinearProjection, Term

INK = palette("light")
LAMS = (0.0, 0.1, 1.0, 10.0)
LEVELS = AverageLevels(naive=-8.4, least_squares=1.3, least_squares_treated=2.1)
ATE = np.array([[2.0, 1.0, -3.0, -8.0], [2.5, 1.5, -4.0, np.nan]])
RNG = np.random.default_rng(0)


def along(picked: int | None = 0, ate: np.ndarray = ATE) -> go.Figure:
    return effects_along_lam(LAMS, ate, ate + 1, LEVELS, picked, INK, title="T")


def texts(drawn: go.Figure) -> list[str]:
    return [note.text.replace("<br>", " ") for note in drawn.layout.annotations]


def trace(drawn: go.Figure, name: str) -> Any:
    return next(item for item in drawn.data if item.name == name and item.x[0] is not None)


def test_average_effects_along_lam_stand_beside_the_naive_difference_and_least_squares() -> None:
    drawn = along()
    assert {"naive difference", "least squares", "LS, treated"} <= set(texts(drawn))
    levels = [item for item in drawn.data if item.line.dash == "dash"]
    assert [tuple(item.y) for item in levels] == [(-8.4, -8.4), (1.3, 1.3), (2.1, 2.1)]  # below 0 as well
    np.testing.assert_allclose(trace(drawn, "average effect (ATE)").y, [2.25, 1.25, -3.5, -8.0])
    np.testing.assert_allclose(trace(drawn, "on the treated (ATT)").y, [3.25, 2.25, -2.5, -7.0])
    low, high = drawn.layout.yaxis.range
    assert low < -8.4 < 3.5 < high


def test_the_chosen_lam_is_marked_on_both_curves_and_none_where_none_was_chosen() -> None:
    lines = [shape for shape in along(2).layout.shapes if shape.yref == "paper" and shape.y1 == 1]
    assert [line.x0 for line in lines] == [positions(LAMS)[2]]
    rings = [item for item in along(2).data if item.marker.size == 12]
    assert [item.y[0] for item in rings] == [-3.5, -2.5]
    assert not [shape for shape in along(None).layout.shapes if shape.y1 == 1]
    assert not [item for item in along(None).data if item.marker.size == 12]


def test_every_environment_has_a_lane_with_the_range_over_refits() -> None:
    env, effects = np.repeat([0, 1], [30, 20]), RNG.normal(size=(3, 50))
    effects[2] = np.nan  # a refit that diverged is left out
    drawn = effects_by_env(effects, env, ("north", "south"), INK, title="T")
    assert list(drawn.layout.yaxis.ticktext) == ["south", "north"]
    points = [item for item in drawn.data if item.mode == "markers"]
    for e, point in enumerate(points):
        means = effects[:2, env == e].mean(axis=1)
        assert point.x[0] - point.error_x.arrayminus[0] == pytest.approx(means.min())
        assert point.x[0] + point.error_x.array[0] == pytest.approx(means.max())
        assert f"{int((env == e).sum())} rows" in point.hovertemplate
    assert outside(drawn) <= 4
    one = effects_by_env(effects[:1], np.zeros(50, dtype=int), ("all rows",), INK, title="T")
    assert "refits" not in str(one.to_dict())


def test_thirds_stand_at_their_prediction_with_bars_of_196_standard_errors() -> None:
    effects = np.arange(90.0)
    thirds = by_thirds(effects / 2 + RNG.normal(size=90), effects)
    drawn = predicted_against_found(thirds.groups, INK, title="T")
    found = trace(drawn, "found by doubly robust scores, ± 1.96 se")
    assert list(found.x) == [14.5, 44.5, 74.5]
    assert list(found.text) == ["lowest third", "middle third", "highest third"]
    np.testing.assert_allclose(found.y, [group.effect for group in thirds.groups])
    np.testing.assert_allclose(found.error_y.array, [1.96 * group.se for group in thirds.groups])
    line = trace(drawn, "as predicted")
    assert tuple(line.x) == tuple(line.y)


def test_the_policy_curve_has_its_band_and_the_levels_of_treating_all_and_none() -> None:
    effects = RNG.normal(size=200)
    policy = policy_curve(effects - 0.5, effects, effects)
    drawn = gain_by_share_treated(policy, INK, title="T")
    assert {"treat all", "treat none"} <= set(texts(drawn))
    np.testing.assert_allclose(trace(drawn, "largest τ̂ first").y, policy.value)
    levels = [tuple(item.y) for item in drawn.data if item.line.dash == "dash"]
    assert levels == [(0.0, 0.0), (policy.treat_all.value,) * 2]
    band = np.asarray(drawn.data[0].y)
    np.testing.assert_allclose(band[:41] - band[41:][::-1], 2 * 1.96 * policy.se)


@pytest.mark.parametrize(
    "drawn",
    [
        along(ate=np.full((2, 4), np.nan)),
        effects_by_env(np.empty((0, 0)), np.empty(0, dtype=int), ("A",), INK, title="T"),
        effects_by_env(np.full((2, 3), np.nan), np.zeros(3, dtype=int), ("A",), INK, title="T"),
        predicted_against_found((), INK, title="T"),
        gain_by_share_treated(policy_curve(*[np.full(4, np.nan)] * 3), INK, title="T"),
    ],
)
def test_without_estimates_a_figure_is_titled_and_says_why_it_is_empty(drawn: go.Figure) -> None:
    assert len(drawn.data) == 0
    assert "T" in drawn.layout.title.text
    assert texts(drawn)[0].startswith("No ")


def projected() -> LinearProjection:
    terms = [Term(name=f"x{at} = <b>{'long ' * 9}", value=(-1) ** at * (15.0 - at), se=3.0) for at in range(15)]
    return LinearProjection(terms=tuple(terms), p=0.01, n=100, n_clipped=3)


def test_the_projection_is_drawn_from_the_largest_term_down_with_196_standard_errors() -> None:
    drawn = effect_by_inputs(projected(), INK, title="T")
    points = next(item for item in drawn.data if item.mode == "markers")
    assert list(points.x) == [(-1) ** at * (15.0 - at) for at in range(12)]
    assert list(points.y) == [-at for at in range(12)]
    whiskers = [item for item in drawn.data if item.mode == "lines"]
    np.testing.assert_allclose([item.x[1] - item.x[0] for item in whiskers], 2 * 1.96 * 3)
    # 5.88 is the bound: of the ones drawn, the tenth (6) misses zero, the eleventh (5) does not
    assert list(points.marker.color) == [INK["text"]] * 10 + [INK["muted"]] * 2
    assert all("<b>" not in name and len(name) < 40 for name in drawn.layout.yaxis.ticktext)
    low, high = drawn.layout.xaxis.range
    assert low < -14 - 5.88
    assert high > 15 + 5.88
    assert drawn.layout.shapes[0].x0 == 0


def test_columns_that_move_effects_stand_in_order() -> None:
    drawn = columns_that_move_effects({"a": 1.0, "b": 3.0, "c": np.nan, "d": 2.0}, INK, title="T")
    assert list(drawn.layout.yaxis.ticktext) == ["b", "d", "a"]
    assert [list(item.x) for item in drawn.data] == [[3.0, 2.0, 1.0]] * 2


def test_covariates_stand_by_what_they_lost_hollow_without_a_penalty_and_filled_in_view() -> None:
    found = CovariateProbes(
        names=("a", "b", "c", "d"), without=np.array([0.5, 0.9, np.nan, 0.1]), here=np.array([0.45, 0.2, 0.4, -0.3])
    )
    drawn = kept_covariates(found, (0.0, 1.0), INK, title="T")
    assert list(drawn.layout.yaxis.ticktext) == ["b", "d", "a"]  # c has no R² without a penalty
    before, here = (item for item in drawn.data if item.mode == "markers" and item.x[0] is not None)
    assert (before.marker.symbol, here.marker.symbol) == ("circle-open", "circle")
    assert here.marker.color == INK["accent"]
    np.testing.assert_allclose(before.x, [0.9, 0.1, 0.5])
    np.testing.assert_allclose(here.x, [0.2, 0.0, 0.45])
    assert [item.name for item in drawn.data if item.name] == ["λ = 0", "λ = 1"]
    at_zero = kept_covariates(found, (0.0, 0.0), INK, title="T")
    assert [item.name for item in at_zero.data if item.name] == ["λ = 0"]
