"""Figures draw what they are given, keep their axes, and say what they cannot show."""

import re
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crl_core.events import COLLAPSED, DIVERGED
from crl_core.figures import (
    THEMES,
    ErrorRow,
    Level,
    Units,
    along_lam,
    band,
    effect_distribution,
    effect_limits,
    effect_plane,
    embedding,
    error_along_lam,
    error_range,
    error_ranking,
    estimated_against_planted,
    estimated_against_true,
    outside,
    palette,
    path_limits,
    tallest_bin,
)
from crl_core.figures.axes import held_in, log_ticks, robust_range
from crl_core.figures.lam_axis import break_marks, lam_axis, positions
from crl_core.measures.lam_choice import choices

DARK = palette("dark")
LAMS = (0.0, 1e-3, 0.1, 1.0, 10.0)
NAMES = ("hospital A", "hospital B")
RNG = np.random.default_rng(0)
N = 60
ENV = np.repeat([0, 1], N // 2)
T = RNG.integers(0, 2, N)
ROWS = Units(env=ENV, t=T, env_names=NAMES, amounts={"z": RNG.normal(size=N), "s": RNG.normal(size=N)})
OK = np.zeros((3, len(LAMS)), dtype=int)
ERRORS = np.abs(RNG.normal(0.5, 0.2, (3, len(LAMS)))) + 0.05


def texts(drawn: go.Figure) -> str:
    """Everything that is written on a figure."""
    words = [drawn.layout.title.text, *(note.text for note in drawn.layout.annotations)]
    for trace in drawn.data:
        words.append(str(trace.name))
        if isinstance(trace.text, (list, tuple, np.ndarray)):
            words += [str(word) for word in trace.text]
    return " ".join(words)


def points(drawn: go.Figure) -> int:
    """Marks that stand for rows; entries of the key have none."""
    return sum(
        len(trace.x)
        for trace in drawn.data
        if "markers" in (getattr(trace, "mode", None) or "") and trace.x is not None and trace.x[0] is not None
    )


def layout_of(n: int = N) -> np.ndarray:
    return RNG.normal(size=(n, 2))


def scatter(ite: np.ndarray, ite_hat: np.ndarray, **more: object) -> go.Figure:
    limits = effect_limits(ite, ite_hat[None])
    return estimated_against_true(ite, ite_hat, ENV, T, NAMES, DARK, limits=limits, title="Effects", **more)


EMPTY = {
    "embedding": lambda: embedding(
        np.empty((0, 2)),
        Units(env=np.empty(0, int), t=np.empty(0, int), env_names=NAMES, amounts={}),
        DARK,
        title="Nothing",
        colour_by="environment",
        limits=path_limits(np.empty((1, 0, 2))),
    ),
    "estimated_against_true": lambda: estimated_against_true(
        np.empty(0), np.empty(0), np.empty(0, int), np.empty(0, int), NAMES, DARK, limits=(0, 1), title="Nothing"
    ),
    "estimated_against_planted": lambda: estimated_against_planted(
        np.empty(0), np.empty(0), np.empty(0, int), np.empty(0, int), NAMES, DARK, title="Nothing"
    ),
    "effect_distribution": lambda: effect_distribution(
        np.empty(0), 1.0, np.empty(0, int), NAMES, DARK, limits=(0, 1), tallest=0, title="Nothing"
    ),
    "effect_plane": lambda: effect_plane(
        np.empty((0, 0)),
        np.empty(0),
        np.empty(0),
        DARK,
        title="Nothing",
        limits=(0, 1),
        bar="",
        rows=np.empty((0, 2)),
        env=np.empty(0, int),
        t=np.empty(0, int),
        env_names=NAMES,
    ),
    "along_lam": lambda: along_lam(LAMS, np.empty((0, 5)), np.empty((0, 5)), 0.0, DARK, title="Nothing", y_title=""),
    "error_along_lam": lambda: error_along_lam(LAMS, np.full((2, 5), np.nan), OK[:2], 0.0, DARK, title="Nothing"),
    "error_ranking": lambda: error_ranking([], DARK, title="Nothing", low=0.1, high=1),
}


@pytest.mark.parametrize("name", EMPTY)
def test_without_rows_a_figure_keeps_its_title_and_says_why_it_is_empty(name: str) -> None:
    drawn = EMPTY[name]()
    assert drawn.layout.title.text == "<b>Nothing</b>"
    assert len(drawn.data) == 0
    assert len(drawn.layout.annotations[0].text) > 10
    assert drawn.layout.height >= 200


@pytest.mark.parametrize("colour_by", ["environment", "treatment", "z", "s"])
@pytest.mark.parametrize("theme", THEMES)
def test_every_row_is_drawn_whatever_the_colour_stands_for(theme: str, colour_by: str) -> None:
    xy = layout_of()
    drawn = embedding(xy, ROWS, palette(theme), title="Latent", colour_by=colour_by, limits=path_limits(xy[None]))
    assert points(drawn) == N


def test_rows_of_a_category_have_its_colour_and_the_rarest_of_many_are_one() -> None:
    xy, of = layout_of(), np.minimum(np.arange(N) // 2, 11)  # twelve kinds, the last of 38 rows
    names = [f"level {at}" for at in range(11)] + ["<b>last"]
    drawn = embedding(
        xy,
        replace(ROWS, amounts={}, kinds={"c": (of, names)}),
        DARK,
        title="Latent",
        colour_by="c",
        limits=path_limits(xy[None]),
    )
    assert points(drawn) == N
    shown = [trace for trace in drawn.data if trace.showlegend is False]
    assert [len(trace.x) for trace in shown] == [2] * 8 + [38, 6]
    assert [trace.marker.color for trace in shown] == [*DARK["envs"][:9], DARK["text"]]
    assert [trace.name for trace in drawn.data if trace.name][7:10] == ["level 7", "&lt;b&gt;last", "(all others)"]
    assert shown[8].text[0].endswith("c = &lt;b&gt;last")


def test_rows_without_the_number_are_drawn_without_colour() -> None:
    xy, age = layout_of(), np.where(np.arange(N) < 5, np.nan, np.arange(N, dtype=float))
    drawn = embedding(
        xy,
        replace(ROWS, amounts={"environment": age}),  # a column may be called so
        DARK,
        title="Latent",
        colour_by="environment",
        limits=path_limits(xy[None]),
    )
    gone, known = drawn.data
    assert (len(gone.x), gone.marker.color) == (5, DARK["muted"])
    np.testing.assert_array_equal(known.marker.color, age[5:])
    assert points(drawn) == N
    assert gone.text[0].endswith("environment = missing")


def test_environment_is_colour_and_treatment_is_symbol() -> None:
    xy = layout_of()
    drawn = embedding(xy, ROWS, DARK, title="Latent", colour_by="environment", limits=path_limits(xy[None]))
    for e in (0, 1):
        trace = drawn.data[e]
        assert trace.marker.color == DARK["envs"][e]
        expected = np.where(T[e == ENV] == 1, "diamond", "circle")
        assert list(trace.marker.symbol) == list(expected)
    again = scatter(ROWS.amounts["z"], ROWS.amounts["s"])
    drawn_points = [trace for trace in again.data if trace.mode == "markers" and trace.x[0] is not None]
    assert [trace.marker.color for trace in drawn_points] == DARK["envs"][:2]
    assert list(drawn_points[0].marker.symbol) == list(np.where(T[ENV == 0] == 1, "diamond", "circle"))


def test_each_environments_name_stands_once_among_its_points_as_it_is_written() -> None:
    xy = layout_of()
    rows = replace(ROWS, env_names=("ward R&D", "ward B"))
    drawn = embedding(xy, rows, DARK, title="Latent", colour_by="environment", limits=path_limits(xy[None]))
    assert {name.text for name in drawn.layout.annotations} >= {"<b>R&amp;D</b>", "<b>B</b>"}
    for name, env in (("R&amp;D", 0), ("B", 1)):
        (named,) = [note for note in drawn.layout.annotations if note.text == f"<b>{name}</b>"]
        assert abs(named.x - xy[env == ENV, 0].mean()) < 0.2 * np.ptp(xy[:, 0])


def test_a_window_of_the_path_holds_still_while_lam_moves_and_counts_what_lies_beyond() -> None:
    path = RNG.normal(size=(4, N, 2))
    path[2, 0] = (50.0, -50.0)
    limits = path_limits(path)
    drawn = [embedding(xy, ROWS, DARK, title="Latent", colour_by="environment", limits=limits) for xy in path]
    assert len({tuple(figure.layout.xaxis.range) for figure in drawn}) == 1
    assert limits[0][1] < 20  # one far point does not squeeze all the others
    assert outside(drawn[2]) >= 1
    everything = np.concatenate([np.asarray(trace.x, dtype=float) for trace in drawn[2].data if trace.x[0] is not None])
    assert everything.max() <= limits[0][1]


def test_a_broken_layout_is_an_empty_figure_with_the_reason() -> None:
    drawn = embedding(
        np.full((N, 2), np.nan),
        ROWS,
        DARK,
        title="Latent",
        colour_by="z",
        limits=path_limits(layout_of()[None]),
        why_empty="Training diverged here.",
    )
    assert "Training diverged here." in texts(drawn)
    assert points(drawn) == 0


def test_estimates_stand_against_the_truth_with_the_line_on_which_they_are_right() -> None:
    ite = np.linspace(-1, 2, N)
    drawn = scatter(ite, ite + 0.1)
    line = drawn.data[0]
    assert list(line.x) == list(line.y)
    assert line.line.color == DARK["truth"]
    assert "known only in simulation" in texts(drawn)
    assert points(drawn) == N
    assert tuple(drawn.layout.xaxis.range) == tuple(drawn.layout.yaxis.range)


def test_split_by_environment_each_has_its_own_plot_on_the_same_axes() -> None:
    ite = np.linspace(-1, 2, N)
    drawn = scatter(ite, ite, apart=True)
    assert {"x", "x2"} <= {trace.xaxis or "x" for trace in drawn.data}
    assert tuple(drawn.layout.xaxis.range) == tuple(drawn.layout.xaxis2.range)
    assert points(drawn) == N
    assert all(name in texts(drawn) for name in NAMES)


def test_wild_estimates_do_not_squeeze_the_truth_and_are_counted() -> None:
    ite = np.linspace(-1, 2, N)
    wild = ite + 1000.0 * (np.arange(N) % 3 == 0)
    low, high = effect_limits(ite, np.stack([ite, wild]))
    assert high - low < 12
    drawn = estimated_against_true(ite, wild, ENV, T, NAMES, DARK, limits=(low, high), title="Effects")
    assert outside(drawn) == 20
    assert effect_limits(ite, np.stack([ite, wild])) == (low, high)


@pytest.mark.parametrize("apart", [False, True])
def test_the_line_of_truth_rises_by_45_degrees(apart: bool) -> None:
    ite = RNG.normal(size=N)
    drawn = estimated_against_true(ite, ite, ENV, T, NAMES, DARK, limits=(-2, 2), title="Effects", apart=apart)
    for x, y in zip(drawn.select_xaxes(), drawn.select_yaxes(), strict=True):
        assert x.range == y.range == (-2, 2)
        assert y.scaleanchor == x.plotly_name.replace("axis", "")
        assert x.constrain == y.constrain == "domain"  # the picture shrinks, the ranges stay


def test_where_the_effect_is_constant_the_shares_of_each_environment_add_up() -> None:
    ite_hat = RNG.normal(1.0, 0.2, N)
    limits = effect_limits(np.ones(N), ite_hat[None])
    tallest = tallest_bin(ite_hat[None], ENV, limits)
    drawn = effect_distribution(ite_hat, 1.0, ENV, NAMES, DARK, limits=limits, tallest=tallest, title="Effects")
    for trace in drawn.data[:2]:
        assert np.asarray(trace.y)[1:-1:2].sum() == pytest.approx(1.0)
    assert drawn.layout.yaxis.range[1] >= tallest
    truth = next(t for t in drawn.data if t.x is not None and list(t.x) == [1.0, 1.0])
    assert truth.line.color == DARK["truth"]


def test_a_map_is_centred_on_its_limits_with_the_rows_on_top() -> None:
    drawn = effect_plane(
        RNG.normal(size=(8, 8)), np.linspace(-1, 1, 8), np.linspace(-2, 2, 8), DARK, title="τ̂", limits=(0.0, 2.0),
        bar="average τ ", rows=layout_of(), env=ENV, t=T, env_names=NAMES,
    )  # fmt: skip
    picture = drawn.data[0]
    assert (picture.zmin, picture.zmax) == (0.0, 2.0)
    assert picture.colorscale[2][1] == DARK["diverging"][2]  # the middle is neutral
    assert points(drawn) == N


def test_lam_is_logarithmic_with_zero_left_of_a_break() -> None:
    at = positions(LAMS)
    np.testing.assert_allclose(at[1:], np.log10(LAMS[1:]))
    assert at[0] < at[1]
    assert lam_axis(LAMS, DARK)["ticktext"][0] == "0"
    assert break_marks(LAMS, DARK)
    assert not break_marks(LAMS[1:], DARK)  # without λ = 0 there is nothing to break
    assert len(positions((0.0,))) == 1


@given(st.lists(st.floats(1e-6, 1e4), min_size=1, max_size=32, unique=True), st.booleans())
def test_any_grid_of_lam_is_drawn_in_its_order_within_the_axis(grid: list[float], zero: bool) -> None:
    lams = [0.0, *sorted(grid)] if zero else sorted(grid)
    at = positions(lams)
    assert (np.diff(at) >= 0).all()
    axis = lam_axis(lams, DARK)
    assert axis["range"][0] < at[0]
    assert axis["range"][1] > at[-1]
    assert len(axis["tickvals"]) == len(axis["ticktext"])
    assert all(axis["range"][0] <= tick <= axis["range"][1] for tick in axis["tickvals"])


@given(hnp.arrays(np.float64, (3, 5), elements=st.floats(-5, 5) | st.just(np.nan)))
def test_a_band_is_median_least_and_largest_of_the_replicates_that_have_a_number(values: np.ndarray) -> None:
    found = band(values)
    for index in range(5):
        column = sorted(v for v in values[:, index] if np.isfinite(v))
        if not column:
            assert np.isnan([found.median[index], found.low[index], found.high[index]]).all()
        else:
            assert (found.low[index], found.high[index]) == (column[0], column[-1])
            assert found.median[index] == pytest.approx((column[(len(column) - 1) // 2] + column[len(column) // 2]) / 2)


def test_lost_models_carry_the_word_and_do_not_bend_the_curve() -> None:
    values, status = ERRORS.copy(), OK.copy()
    values[:, 4], status[:, 4] = np.nan, DIVERGED
    values[0, 3], status[0, 3] = np.nan, COLLAPSED
    for drawn in (
        error_along_lam(LAMS, values, status, 1.0, DARK, title="Error"),
        along_lam(LAMS, values, status, 10.0, DARK, title="Error", y_title="error"),
    ):
        assert "diverged" in texts(drawn)
        assert "1 of 3 collapsed" in texts(drawn)
        symbols = {str(trace.marker.symbol) for trace in drawn.data if trace.mode == "markers+text"}
        assert symbols == {"x-thin-open", "circle-open"}  # told apart without colour


def test_neighbours_that_are_lost_share_one_word_so_that_words_do_not_lie_on_each_other() -> None:
    status = OK.copy()
    status[:, 3:], status[0, 2] = COLLAPSED, COLLAPSED
    drawn = along_lam(LAMS, ERRORS, status, 0.1, DARK, title="Error", y_title="error")
    marks = [trace for trace in drawn.data if trace.mode == "markers+text"]
    assert [len(trace.x) for trace in marks] == [3]
    assert [word for word in marks[0].text if word] == ["1 to 3 of 3 collapsed"]


def test_the_lam_in_view_is_marked_on_the_median_of_its_replicates() -> None:
    drawn = along_lam(LAMS, ERRORS, OK, 0.1, DARK, title="Error", y_title="error")
    ring = drawn.data[-1]
    assert ring.marker.line.color == DARK["accent"]
    assert ring.x[0] == pytest.approx(-1.0)
    assert ring.y[0] == pytest.approx(np.median(ERRORS[:, 2]))


def test_moving_lam_moves_no_axis_along_the_path() -> None:
    refs = [Level(name="forest", value=0.3)]
    ranges = {
        (tuple(f.layout.xaxis.range), tuple(f.layout.yaxis.range), f.layout.height)
        for f in (error_along_lam(LAMS, ERRORS, OK, lam, DARK, title="Error", references=refs) for lam in LAMS)
    }
    assert len(ranges) == 1


def test_every_rule_has_a_lane_with_its_pick_in_each_replicate() -> None:
    found = choices(ERRORS, ERRORS[:, ::-1], {"largest": np.array([1, -1, 2])})
    drawn = error_along_lam(LAMS, ERRORS, OK, 1.0, DARK, title="Error", choices=found)
    lanes = [trace for trace in drawn.data if trace.yaxis == "y2"]
    assert len(lanes) == 3
    for lane, choice in zip(lanes, found, strict=True):
        picked = choice.index[choice.index >= 0]
        assert sorted(lane.x) == pytest.approx(sorted(positions(LAMS)[np.unique(picked)]))
        counts = [int(re.findall(r"in (\d+) of", told)[0]) for told in lane.customdata]  # replicates that picked each λ
        assert sum(counts) == len(picked)
        assert np.argsort(lane.marker.size, kind="stable").tolist() == np.argsort(counts, kind="stable").tolist()
    assert "oracle" in texts(drawn)
    assert lanes[0].marker.color == DARK["truth"]
    alone = error_along_lam(LAMS, ERRORS, OK, 1.0, DARK, title="Error")
    assert drawn.layout.height > alone.layout.height


def test_labels_of_close_levels_do_not_lie_on_each_other() -> None:
    refs = [Level(name=f"baseline {i}", value=0.3 * 1.001**i) for i in range(4)]
    drawn = error_along_lam(LAMS, ERRORS, OK, 1.0, DARK, title="Error", references=refs)
    low, high = drawn.layout.yaxis.range
    share = drawn.layout.yaxis.domain
    height = (drawn.layout.height - drawn.layout.margin.t - drawn.layout.margin.b) * (
        share[1] - share[0] if share else 1
    )
    at = sorted(
        (note.y - low) / (high - low) * height + (note.yshift or 0)
        for note in drawn.layout.annotations
        if note.text.startswith("baseline")
    )
    assert min(np.diff(at)) >= 11


def test_estimators_are_ranked_in_the_order_given_with_their_medians() -> None:
    rows = [
        ErrorRow(name="this network", values=np.array([0.1, 0.2, 0.9]), kind="in view"),
        ErrorRow(name="forest", values=np.array([0.5, np.nan, 0.7])),
        ErrorRow(name="lost", values=np.array([np.nan])),
    ]
    low, high = error_range([row.values for row in rows])
    drawn = error_ranking(rows, DARK, title="Errors", low=low, high=high)
    medians = [trace.x[0] for trace in drawn.data if trace.mode == "markers"]
    assert medians == pytest.approx([0.2, 0.6])
    assert low < 0.1 < 0.9 < high
    assert "lost" not in texts(drawn)


@given(hnp.arrays(np.float64, 40, elements=st.floats(-1e6, 1e6) | st.just(np.nan) | st.just(np.inf)))
def test_ranges_are_finite_and_ordered_whatever_comes(values: np.ndarray) -> None:
    low, high = robust_range(values)
    assert np.isfinite([low, high]).all()
    assert low < high
    moved, count = held_in(values, (low, high))
    assert count == sum(1 for v in values if v < low or v > high)
    assert not ((moved < low) | (moved > high)).any()


@given(st.floats(1e-6, 1e5), st.floats(1.05, 1e6))
def test_a_log_axis_has_ticks_inside_its_range(low: float, ratio: float) -> None:
    ticks = np.asarray(log_ticks(low, low * ratio)["tickvals"])
    assert ((ticks >= low * 0.99) & (ticks <= low * ratio * 1.01)).all()
    if ratio > 2:
        assert len(ticks) >= 2


def test_a_figure_of_700_rows_is_small_enough_to_send_at_every_move() -> None:
    n = 700
    rows = Units(
        env=np.repeat([0, 1], n // 2),
        t=RNG.integers(0, 2, n),
        env_names=NAMES,
        amounts={"z": RNG.normal(size=n)},
    )
    xy = layout_of(n).astype(np.float32)
    drawn = embedding(xy, rows, DARK, title="Latent", colour_by="environment", limits=path_limits(xy[None]))
    assert len(drawn.to_json()) < 120_000
