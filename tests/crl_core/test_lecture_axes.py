"""The lecture's axes end and stay finite whatever a run holds: nothing, one value, zeros, all equal, missing, huge."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import isotonic_regression

from crl_core.lecture import assets
from tests.crl_core.lecture_axes import AXES, Axes

ANY = st.one_of(
    st.floats(),
    st.none(),
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 5e-324, 1.8e308, -1.8e308, math.nan, math.inf, -math.inf]),
    st.floats(-1e3, 1e3),
)
SAME = st.builds(lambda value, count: [value] * count, ANY, st.integers(0, 5))
VALUES = st.one_of(st.lists(ANY, max_size=12), SAME, st.lists(st.floats(1, 1 + 1e-12), max_size=4))
LENGTH = st.one_of(st.floats(), st.floats(0, 2000), st.sampled_from([0.0, 1.0, 400.0]))
HEX = st.from_regex(r"\A#[0-9a-f]{6}\Z")


@pytest.fixture(scope="module")
def js() -> Iterator[Axes]:
    asked = Axes()
    yield asked
    asked.close()


def finite(values: list[Any]) -> bool:
    return all(isinstance(v, int | float) and math.isfinite(v) for v in values)


@given(low=ANY, high=ANY)
def test_an_interval_has_two_finite_ends_the_first_truly_smaller(js: Axes, low: Any, high: Any) -> None:
    for name in ("interval", "logInterval"):
        ends = js.ask(f"{name}(given.low, given.high)", low=low, high=high)
        assert finite(ends)
        assert ends[0] < ends[1]
        assert name == "interval" or ends[0] > 0
        known = [v for v in (low, high) if v is not None and math.isfinite(v) and 1e-140 < abs(v) < 1e140]
        known = [v for v in known if name == "interval" or v > 0]
        assert all(ends[0] <= v * (1 + 1e-12 * math.copysign(1, v)) and v <= ends[1] + 1e-12 * abs(v) for v in known)


@given(
    values=VALUES,
    shape=st.fixed_dictionaries(
        {},
        optional={
            "linear": st.booleans(),
            "floor": ANY,
            "ceiling": ANY,
            "cut": st.one_of(ANY, st.floats(0, 0.5)),
            "least": st.one_of(ANY, st.just(3.0)),
            "room": st.just([0.85, 1.18]),
        },
    ),
    tall=LENGTH,
    room=ANY,
)
def test_an_axis_has_finite_ends_few_ticks_that_can_be_told_apart_and_places_for_what_is_known(
    js: Axes, values: list[Any], shape: dict[str, Any], tall: float, room: Any
) -> None:
    answer = js.ask(
        """(() => {
          const axis = axisOf(given.values, given.shape), ticks = ticksOf(axis, given.room);
          const place = scaleOf(axis, given.tall, 0);
          return { axis, ticks, texts: tickTexts(ticks), at: given.values.map(place), tickAt: ticks.map(place) };
        })()""",
        values=values,
        shape=shape,
        tall=tall,
        room=room,
    )
    axis = answer["axis"]
    assert finite([axis["low"], axis["high"]])
    assert axis["low"] < axis["high"]
    assert axis["kind"] == "linear" or axis["low"] > 0
    assert len(answer["ticks"]) <= 40
    assert finite(answer["ticks"])
    assert finite(answer["tickAt"])
    assert len(set(answer["texts"])) == len(set(answer["ticks"])) == len(answer["ticks"])
    edge = tall if math.isfinite(tall) else 0.0
    for value, at in zip(values, answer["at"], strict=True):
        if value is None or not math.isfinite(value):
            assert math.isnan(at)  # what is missing has no place, and is not drawn
        else:
            assert min(edge, 0) - 1e-6 * abs(edge) <= at <= max(edge, 0) + 1e-6 * abs(edge)


@given(low=ANY, high=ANY, wanted=ANY)
def test_ticks_lie_within_the_axis_in_order_and_end(js: Axes, low: Any, high: Any, wanted: Any) -> None:
    for name, span in (("niceTicks", "interval"), ("logTicks", "logInterval")):
        first, final = js.ask(f"{span}(given.low, given.high)", low=low, high=high)
        ticks = js.ask(f"{name}(given.low, given.high, given.wanted)", low=first, high=final, wanted=wanted)
        assert finite(ticks)
        assert len(ticks) <= 40
        assert ticks == sorted(set(ticks))
        slack = 1e-3 * (final - first)
        assert all(first - slack <= tick <= final + slack + 1e-3 * abs(final) for tick in ticks)
    assert len(js.ask("logTicks(given.low, given.high, given.wanted)", low=low, high=high, wanted=wanted)) >= 1


@given(extent=st.lists(ANY, min_size=4, max_size=4), w=st.floats(0, 5000), h=st.floats(0, 5000), pad=st.floats(0, 100))
def test_a_cloud_has_a_positive_scale_and_finite_pixels_even_where_it_is_one_point(
    js: Axes, extent: list[Any], w: float, h: float, pad: float
) -> None:
    drawn = js.ask("isotropic(given.extent, given.w, given.h, given.pad)", extent=extent, w=w, h=h, pad=pad)
    assert finite(list(drawn.values()))
    assert drawn["scale"] > 0


@given(count=st.integers(0, 40), left=st.floats(0, 1000), right=st.floats(0, 1000), px=st.floats(-3000, 3000))
def test_a_place_on_the_slider_is_a_model_and_back(js: Axes, count: int, left: float, right: float, px: float) -> None:
    answer = js.ask(
        """(() => {
          const { place, at } = slots(given.count, given.left, given.right);
          return { at: at(given.px), places: Array.from({ length: given.count }, (_, i) => place(i)) };
        })()""",
        count=count,
        left=left,
        right=right,
        px=px,
    )
    assert finite(answer["places"])
    assert 0 <= answer["at"] <= max(count - 1, 0)


@given(a=ANY, b=ANY, f=st.floats(0, 1), linear=st.booleans())
def test_between_two_models_lies_a_number_wherever_the_nearer_one_has_one(
    js: Axes, a: Any, b: Any, f: float, linear: bool
) -> None:
    value = js.ask("between(given.a, given.b, given.f, given.linear)", a=a, b=b, f=f, linear=linear)
    near = a if f < 0.5 else b
    known = near is not None and math.isfinite(near)
    both = all(v is not None and math.isfinite(v) for v in (a, b))
    assert math.isfinite(value) if known or both else math.isnan(value)


@given(stops=st.lists(HEX, max_size=5), part=ANY)
def test_a_colour_scale_of_any_number_of_stops_has_a_colour_for_every_share(
    js: Axes, stops: list[str], part: Any
) -> None:
    table = js.ask("lookup(given.stops)", stops=stops)
    assert len(table) == 768
    assert finite(table)
    index = js.ask("level(given.part)", part=part)
    assert 0 <= index <= 255
    assert (index == 255) == (part is None or not math.isfinite(part))


@given(low=ANY, high=ANY)
def test_a_quantised_array_unpacks_to_finite_values_in_order(js: Axes, low: Any, high: Any) -> None:
    values = js.ask("[-32767, 0, 32767].map(levels(given.low, given.high))", low=low, high=high)
    assert finite(values)
    assert values == sorted(values)


def test_zeros_on_a_logarithmic_lane_lie_at_the_foot_of_an_axis_that_says_zero(js: Axes) -> None:
    axis = js.ask("axisOf([0, 0, null], { least: 3, room: [0.85, 1.18] })")
    assert axis == {"low": 0, "high": 1, "kind": "linear", "ticks": [0]}
    assert js.ask("scaleOf(axisOf([0, 0]), 100, 20)(0)") == 100
    assert js.ask("axisOf([null, NaN])")["ticks"] == []


def test_an_ordinary_lane_keeps_round_ticks(js: Axes) -> None:
    assert js.ask("logTicks(0.045, 1.9, 9)") == [0.05, 0.1, 0.2, 0.5, 1]
    assert js.ask("niceTicks(0.43, 1.02, 5)") == [0.6000000000000001, 0.8, 1]
    assert js.ask("tickTexts([0.5, 0.6000000000000001, -1000, 25000, 0.00012])") == [
        "0.5",
        "0.6",
        "−1000",
        "2.5e4",
        "1.2e−4",
    ]
    assert js.ask("tickTexts([1.00001, 1.00002])") == ["1.00001", "1.00002"]


@settings(max_examples=200)
@given(values=st.lists(st.floats(-500, 500) | st.none(), max_size=10), gap=st.floats(0, 40))
def test_names_of_clouds_keep_their_order_and_their_distance_and_move_no_more_than_isotonic_regression_asks(
    js: Axes, values: list[float | None], gap: float
) -> None:
    placed = js.ask("spaced(given.values, given.gap, -400, 400)", values=values, gap=gap)
    known = [(value, place) for value, place in zip(values, placed, strict=True) if value is not None]
    assert [place for value, place in zip(values, placed, strict=True) if value is None] == [None] * values.count(None)
    known.sort(key=lambda pair: pair[0])
    steps = gap * np.arange(len(known))
    if len(known) == 0 or steps[-1] > 800:
        return
    asked = np.array([value for value, _ in known])
    expected = isotonic_regression(asked - steps, y_min=-400, y_max=400 - steps[-1]) + steps
    np.testing.assert_allclose([place for _, place in known], expected, atol=1e-6)


def test_no_other_script_of_the_lecture_computes_a_logarithm_a_tick_or_an_extreme_of_data() -> None:
    """Widths and heights of text apart: they are measured, and never missing."""
    measured = re.compile(r"measureText|heights")
    found = [
        f"{path.name}: {line.strip()}"
        for path in sorted(AXES.parent.glob("*.js"))
        if path != AXES
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"Math\.log|Math\.(min|max)\(\.\.\.|\bwhile \(|toPrecision|\.sort\(", line)
        and not measured.search(line)
    ]
    assert found == []
    assert assets.script().index("function interval(") < assets.script().index("function unpack(")


@pytest.mark.parametrize(
    ("names", "width", "shown"),
    [
        (["hospital A", "hospital B"], 10, ["hospital A", "hospital B"]),
        (["hospital A", "hospital B"], 9, ["A", "B"]),
        (["north clinic", "south clinic"], 9, ["north clinic", "south clinic"]),  # their last words say nothing
    ],
)
def test_environments_without_room_for_their_names_keep_what_tells_them_apart(
    names: list[str], width: int, shown: list[str]
) -> None:
    words = Axes(["text"])
    asked = "namesIn({ measureText: (text) => ({ width: text.length }) }, given.names, given.width)"
    assert words.ask(asked, names=names, width=width) == shown
    words.close()
