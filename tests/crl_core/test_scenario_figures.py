"""Figures of a world and of an MMD reading say what they were given, and what they were not."""

from __future__ import annotations

import numpy as np
import pytest

from crl_core.figures.lens import chance_at_lam, reading_along_lam
from crl_core.figures.palette import THEMES, palette
from crl_core.figures.scenario import outcome_by_arm, propensities, world_plane

NAMES = ("site A", "site B")
DARK = palette("dark")
NONE = np.empty(0)
NO_INT = np.empty(0, dtype=np.int64)


def rows(n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=n), rng.normal(size=n), np.arange(n) % 2, (np.arange(n) // 2) % 2


def test_without_rows_a_figure_has_its_title_and_says_so() -> None:
    for drawn in (
        world_plane(NONE, NONE, NO_INT, NO_INT, NAMES, DARK, bars=False),
        outcome_by_arm(NONE, NONE, NO_INT, NO_INT, NAMES, lambda at: np.zeros((2, 2, len(at))), DARK, bars=False),
        propensities(NONE, np.empty((0, 2)), (), DARK, spread=False),
        reading_along_lam((0.0, 1.0), *[np.full(2, np.nan)] * 4, 1.0, DARK, title="MMD² along λ"),
        chance_at_lam(np.full(5, np.nan), float("nan"), "MMD²", DARK, title="Against chance"),
        chance_at_lam(np.zeros(5), 0.0, "MMD²", DARK, title="Against chance"),
    ):
        assert len(drawn.data) == 0
        assert drawn.layout.title.text
        assert drawn.layout.annotations[0].text


@pytest.mark.parametrize("theme", THEMES)
def test_environment_is_colour_and_treatment_is_symbol(theme: str) -> None:
    z, s, env, t = rows()
    ink = palette(theme)
    first, second = world_plane(z, s, env, t, NAMES, ink, bars=True).data[:2]
    assert (first.marker.color, second.marker.color) == tuple(ink["envs"][:2])
    assert list(first.marker.symbol) == ["diamond" if arm else "circle" for arm in t[env == 0]]
    assert len(first.x) + len(second.x) == 40


def test_an_arm_that_is_missing_has_a_dotted_line_and_is_named() -> None:
    z, s, env, t = rows()
    t = np.where(env == 0, 1, t)  # site A treats everyone
    drawn = outcome_by_arm(z, s, env, t, NAMES, lambda at: np.array([[2 * at, 1 + 2.5 * at]] * 2), DARK, bars=False)
    lines = [trace for trace in drawn.data if trace.mode == "lines" and trace.x[0] is not None]
    assert [line.line.dash for line in lines] == ["dot", "solid", "solid", "solid"]
    assert lines[1].y[1] - lines[1].y[0] == pytest.approx(2.5 * (lines[1].x[1] - lines[1].x[0]))
    assert [note.text for note in drawn.layout.annotations] == ["site A<br>only ◆", "site B"]


def test_ten_environments_have_ten_panels_within_the_figure() -> None:
    z, s, _, t = rows(100)
    env = np.arange(100) % 10
    names = [f"site {e}" for e in range(10)]
    drawn = outcome_by_arm(z, s, env, t, names, lambda at: np.array([[at, at]] * 10), DARK, bars=False)
    axes = [drawn.layout[f"{kind}axis{'' if e == 0 else e + 1}"] for e in range(10) for kind in "xy"]
    assert all(-1e-9 <= axis.domain[0] < axis.domain[1] <= 1 + 1e-9 for axis in axes)


def test_a_share_stands_where_it_is() -> None:
    drawn = propensities(np.array([1.0, 0.25]), np.array([[1, 1], [0.1, 0.4]]), NAMES, DARK, spread=True)
    assert [trace.x[0] for trace in drawn.data if trace.mode == "markers"] == [1.0, 0.25]
    assert [tuple(trace.x) for trace in drawn.data if trace.mode == "lines"] == [(1, 1), (0.1, 0.4)]


def test_a_reading_below_zero_is_drawn_below_zero_on_an_axis_that_tells_true_values() -> None:
    lams = (0.0, 0.1, 1.0)
    value, low, high = np.array([0.8, 0.01, -0.004]), np.full(3, -0.005), np.full(3, 0.01)
    drawn = reading_along_lam(lams, value, low, high, np.full(3, 0.3), 1.0, DARK, title="MMD²")
    points = next(trace for trace in drawn.data if trace.mode == "markers")
    axis = drawn.layout.yaxis
    for tick, text in zip(axis.tickvals, axis.ticktext, strict=True):
        assert np.sinh(tick) * 0.01 == pytest.approx(float(text.replace("−", "-")), abs=1e-9)
    np.testing.assert_allclose(np.sinh(np.array(points.y)) * 0.01, value, rtol=1e-6)
    assert "0" in axis.ticktext
    assert axis.range[0] < points.y[2] < 0 < points.y[0] < axis.range[1]


def test_a_lambda_without_a_reading_leaves_a_gap() -> None:
    value = np.array([0.5, np.nan, 0.1])
    drawn = reading_along_lam((0.0, 0.1, 1.0), value, value - 0.05, value + 0.05, value, 0.1, DARK, title="MMD²")
    points = [trace for trace in drawn.data if trace.mode == "markers"]
    assert len(points) == 1  # none is marked as in view
    assert np.isnan(points[0].y[1])


def test_a_reading_far_beyond_chance_points_outwards() -> None:
    null = np.random.default_rng(0).normal(size=200)
    near = chance_at_lam(null, 2.0, "MMD²", DARK, title="Against chance")
    far = chance_at_lam(null, 500.0, "MMD²", DARK, title="Against chance")
    assert near.layout.shapes[0].x0 == 2.0
    assert near.layout.annotations[0].text == "MMD² 2"
    assert far.layout.annotations[0].text == "MMD² 500 →"
    assert far.layout.xaxis.range[0] < far.layout.shapes[0].x0 < far.layout.xaxis.range[1]
    assert sum(near.data[0].y) == 200
