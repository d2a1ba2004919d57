"""Figures of a table before training: what is drawn is what was counted, for one environment and ten, and for none."""

from __future__ import annotations

import numpy as np
import pytest

from crl_core.figures import palette
from crl_core.figures.tables import MOST_SHOWN, arms_by_env, balance, overlap

INK = palette("light")


@pytest.mark.parametrize("n_envs", [1, 2, 10])
def test_arms_are_counted_in_the_colours_of_their_environments(n_envs: int) -> None:
    arms = np.random.default_rng(0).integers(0, 900, (n_envs, 2))
    drawn = arms_by_env(arms, [f"site {e}" for e in range(n_envs)], INK)
    untreated, treated = [trace for trace in drawn.data if trace.type == "bar"]
    np.testing.assert_array_equal(untreated.x, arms[:, 0])
    np.testing.assert_array_equal(treated.x, arms[:, 1])
    assert list(treated.marker.line.color) == INK["envs"][:n_envs]
    assert list(treated.text) == [f"{n:,}" for n in arms[:, 1]]
    assert drawn.layout.xaxis.range[1] > arms.max()


def test_shares_of_each_arm_add_up_whatever_their_sizes() -> None:
    rng = np.random.default_rng(1)
    propensity, t = rng.random(400), np.repeat([0, 1], [360, 40])
    drawn = overlap(propensity, t, 0.05, INK)
    untreated, treated = drawn.data
    for trace, sign in ((untreated, -1), (treated, 1)):
        np.testing.assert_allclose(np.square(trace.y).sum(), 1)  # heights are roots
        assert (sign * np.asarray(trace.y) >= 0).all()
    first = np.mean(propensity[t == 1] < 1 / 40)
    assert treated.y[0] ** 2 == pytest.approx(first)
    assert [shape.x1 for shape in drawn.layout.shapes] == [0.05, 1]


def test_the_largest_differences_are_drawn_largest_first_and_names_are_no_markup() -> None:
    values = {f"column {i} of a long name": (-1) ** i * i / 10 for i in range(15)} | {"<b>bold</b>": 9.0}
    drawn = balance(values, INK)
    dots = next(trace for trace in drawn.data if trace.type == "scatter")
    assert list(dots.x) == sorted(values.values(), key=abs, reverse=True)[:MOST_SHOWN]
    assert dots.text[0] == "&lt;b&gt;bold&lt;/b&gt;"
    assert all("<" not in text for text in drawn.layout.yaxis.ticktext)


def test_nothing_to_draw_is_said() -> None:
    for drawn in (
        arms_by_env(np.zeros((0, 2)), [], INK),
        overlap(np.zeros(0), np.zeros(0, dtype=int), 0.05, INK),
        balance({}, INK),
    ):
        assert drawn.layout.annotations[0].text.startswith("There")
