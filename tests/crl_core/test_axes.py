"""Ranges, ticks, bins and scales of figures are finite and ordered whatever a run holds."""

from __future__ import annotations

import ast
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_core import figures
from crl_core.figures import axes
from crl_core.figures.lam_axis import edges, lam_axis, positions
from crl_core.figures.palette import palette
from crl_core.lecture.packed_arrays import pack_f32, pack_i16, pack_u8, unpack
from tests.crl_core.lecture_axes import Axes
from tests.crl_core.test_lecture_axes import js as js

ROOT = Path(figures.__file__).parent
ANY = st.one_of(
    st.floats(),
    st.sampled_from([0.0, 1.0, -1.0, 5e-324, 1.7e308, -1.7e308, math.nan, math.inf, -math.inf]),
    st.floats(-1e3, 1e3),
)
SAME = st.builds(lambda value, count: [value] * count, ANY, st.integers(0, 5))
VALUES = st.one_of(st.lists(ANY, max_size=12), SAME, st.lists(st.floats(1, 1 + 1e-12), max_size=4)).map(np.array)
RANGES = {
    "span": axes.span,
    "robust_range": axes.robust_range,
    "colour_range": axes.colour_range,
    "log_range": axes.log_range,
    "log_range without the outermost": lambda values: axes.log_range(values, share=(0.1, 0.9), room=1.25),
    "effect_limits": lambda values: axes.effect_limits(values, values),
    "effect_limits without truth": lambda values: axes.effect_limits(None, values),
    "axis_range": lambda values: axes.axis_range(values, (0.01, 1.0)),
}


@pytest.mark.parametrize("name", RANGES)
@given(values=VALUES)
def test_a_range_has_two_finite_ends_the_first_smaller_and_can_be_cut_into_bins(name: str, values: np.ndarray) -> None:
    low, high = RANGES[name](values)
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert low < high
    bins = axes.bin_edges((low, high), 31)
    assert (np.diff(bins) > 0).all()
    assert axes.bin_counts(values, bins).sum() == np.isfinite(values).sum()
    if "log" in name or name == "axis_range":
        assert low > 0
        axis = axes.log_axis(low, high)
        assert np.isfinite(axis["range"]).all()
        assert axis["range"][0] < axis["range"][1]


@given(low=ANY, high=ANY, most=st.integers(1, 40))
def test_ticks_lie_within_the_axis_in_order_with_texts_that_tell_them_apart(low: float, high: float, most: int) -> None:
    first, final = axes.log_interval(low, high)
    axis = axes.log_axis(low, high, most)
    ticks = np.asarray(axis["tickvals"])
    assert 0 < len(ticks) <= max(most, 1)
    assert (ticks >= first * 0.99).all()
    assert (ticks <= final * 1.01).all()
    assert (np.diff(ticks) > 0).all()
    assert len(set(axis["ticktext"])) == len(ticks)
    bottom, top = axes.interval(low, high)
    line = axes.linear_ticks(low, high)
    assert 1 <= len(line) <= 8
    assert all(bottom - 1e-6 * (top - bottom) <= tick <= top + 1e-6 * (top - bottom) for tick in line)


@given(value=ANY, low=ANY, high=ANY, log=st.booleans())
def test_a_share_of_an_axis_lies_on_it_and_is_missing_only_where_the_value_is(
    value: float, low: float, high: float, log: bool
) -> None:
    share = axes.share_of(value, (low, high), log=log)
    assert math.isnan(share) if math.isnan(value) else -1e-9 <= share <= 1 + 1e-9


@given(lams=st.lists(ANY.filter(lambda lam: lam >= 0 and math.isfinite(lam)), max_size=8, unique=True).map(sorted))
def test_the_lam_axis_has_a_place_for_every_lam(lams: list[float]) -> None:
    axis = lam_axis(lams, palette("dark"))
    low, high = edges(lams)
    assert low < high
    assert np.isfinite([*axis["range"], *axis["tickvals"]]).all()
    assert len(axis["tickvals"]) == len(axis["ticktext"]) <= 14
    assert ((positions(lams) >= low) & (positions(lams) <= high)).all()


@given(values=VALUES, low=ANY, high=ANY)
def test_a_packed_array_is_finite_where_its_values_are(values: np.ndarray, low: float, high: float) -> None:
    bottom, top = axes.interval(low, high)
    for packed in (pack_i16(values), pack_i16(values, low, high), pack_u8(values, low, high), pack_f32(values)):
        there = unpack(packed)
        assert (np.isnan(there) == np.isnan(values)).all()
        assert not np.isinf(there).any()
        if packed["kind"] != "f32":
            assert packed["low"] < packed["high"]
            assert np.isfinite([packed["low"], packed["high"]]).all()
    inside = unpack(pack_i16(values, low, high))
    assert ((inside >= bottom - 1e-4 * (top - bottom)) | np.isnan(inside)).all()


@given(low=ANY, high=ANY)
def test_python_and_the_lectures_script_make_the_same_interval_of_two_ends(js: Axes, low: float, high: float) -> None:
    assert js.ask("interval(given.low, given.high)", low=low, high=high) == pytest.approx(axes.interval(low, high))


@given(count=st.integers(0, 1000), most=st.integers(0, 300))
def test_rows_are_thinned_from_the_first_to_the_last(count: int, most: int) -> None:
    shown = axes.evenly(count, most)
    assert len(shown) == min(count, most)
    assert (np.diff(shown) > 0).all()
    assert not len(shown) or (shown[0] == 0 and (most == 1 or shown[-1] == count - 1))


def test_no_other_module_of_the_figures_computes_a_quantile_a_histogram_or_an_axis_in_decades() -> None:
    """λ's own axis apart."""
    allowed = {"axes.py", "lam_axis.py"}
    names = {"quantile", "percentile", "histogram", "linspace", "ptp"}
    found: list[str] = []
    for path in sorted(ROOT.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called: Any = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and called.attr in names and path.name not in allowed:
                found.append(f"{path.name}:{node.lineno} {called.attr}")
            if isinstance(node, ast.FunctionDef) and "ticks" in node.name and path.name not in allowed:
                found.append(f"{path.name}:{node.lineno} {node.name}")
    assert found == []
