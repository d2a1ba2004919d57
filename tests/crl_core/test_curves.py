"""Learning curves and their charts: the same numbers from events and from the result, and axes that hold still."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crl_core import preset, replace, train_path
from crl_core.events import DIVERGED, EpochEnded, Event, RunFinished, RunStarted, StepsTaken
from crl_core.figures.axes import axis_range
from crl_core.figures.lam_axis import places_of, positions
from crl_core.figures.live import (
    USUAL,
    epoch_rows,
    epoch_spec,
    path_rows,
    path_spec,
)
from crl_core.figures.palette import palette
from crl_core.measures.curves import CURVES, Curves, Follower, earlier, empty, of_result

LAMS = (0.0, 0.1, 1.0)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    config = preset("hospital")
    config = replace(
        config,
        scenario=replace(config.scenario, n_samples=400),
        training=replace(config.training, lams=LAMS, epochs=3, replicates=3),
    )
    return list(train_path(config))


def follower(events: list[Event]) -> Follower:
    return Follower(read=lambda offset: (events[offset:], len(events)))


def epoch(number: int, factual: list[float], status: list[int]) -> EpochEnded:
    values = np.array(factual)
    return EpochEnded(
        epoch=number,
        elapsed_s=1.0,
        loss=values,
        factual_train=values,
        penalty=values,
        factual_mse=values,
        mmd2=values,
        ite_rmse=values,
        status=np.array(status),
    )


def started(replicates: int, epochs: int = 5) -> RunStarted:
    return RunStarted(
        key="0" * 16,
        device="cpu",
        lam=np.tile(LAMS, replicates),
        replicate=np.repeat(np.arange(replicates), 3),
        epochs=epochs,
        steps_per_epoch=1,
        n_train=1,
        n_held_out=1,
        n_pairs=1,
    )


def test_curves_from_the_events_are_those_of_the_result(events: list[Event]) -> None:
    live, finished = follower(events).follow(), events[-1]
    assert isinstance(finished, RunFinished)
    assert finished.result is not None
    assert live is not None
    sealed = of_result(finished.result)
    assert (
        live.values.keys() == sealed.values.keys() == set(CURVES) - {"validation_mse", "ate"}
    )  # no rows kept, no table
    for name in sealed.values:
        np.testing.assert_allclose(live.values[name], sealed.values[name], rtol=1e-6)
    np.testing.assert_allclose(live.low, sealed.low, rtol=1e-5)
    np.testing.assert_allclose(live.high, sealed.high, rtol=1e-5)


def test_earlier_epochs_are_those_of_the_curve_and_lie_closer_at_the_beginning(events: list[Event]) -> None:
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert finished.result is not None
    result = finished.result
    found = earlier(result, "ite_rmse", 6)
    assert [number for number, _ in found] == [1, 2]  # of three, the last is the curve itself
    for number, medians in found:
        np.testing.assert_array_equal(medians, of_result(result).values["ite_rmse"][number - 1])
    long = replace(result, history={"mmd2": np.tile(result.history["mmd2"][0], (40, 1))})
    numbers = [number for number, _ in earlier(long, "mmd2", 6)]
    assert (numbers[0], numbers[-1], len(numbers)) == (1, 39, 6)
    assert (np.diff(numbers, 2) >= 0).all()
    assert earlier(result, "no such curve", 6) == []


def test_events_that_come_one_by_one_give_the_same_curves_as_all_at_once(events: list[Event]) -> None:
    seen: list[Event] = []
    one_by_one = Follower(read=lambda offset: (seen[offset:], len(seen)))
    assert one_by_one.follow() is None
    for event in events:
        seen.append(event)
        one_by_one.follow()
    here, there = one_by_one.follow(), follower(events).follow()
    assert here is not None
    assert there is not None
    np.testing.assert_array_equal(here.values["mmd2"], there.values["mmd2"])


def test_a_new_attempt_begins_with_empty_curves() -> None:
    again = follower([started(1), epoch(1, [1, 2, 3], [0, 0, 0]), started(1)]).follow()
    assert again is not None
    assert len(again.at) == 0


def test_curves_are_medians_of_the_replicates_that_have_a_number() -> None:
    nan = float("nan")
    live = follower([started(3), epoch(1, [1, nan, nan, 2, 4, nan, 9, 6, nan], [0, 1, 1, 0, 0, 1, 0, 0, 1])]).follow()
    assert live is not None
    np.testing.assert_array_equal(live.values["loss"], [[2, 5, nan]])
    assert (list(live.n_bad), list(live.status)) == ([0, 1, 3], [0, DIVERGED, DIVERGED])
    assert (live.low[0], live.high[0]) == (1, 9)
    assert live.last("loss", 1.0) is None


def test_the_curve_begins_within_the_first_epoch_with_what_is_known_by_then() -> None:
    nan = float("nan")
    values = np.array([1, 2, 3, nan, nan, nan])
    numbers = dict.fromkeys(("loss", "factual_train", "penalty", "factual_mse", "mmd2", "ite_rmse"), values)
    begun = StepsTaken(epoch=0.25, elapsed_s=0.1, status=np.zeros(6, dtype=np.int64), **numbers)
    live = follower([started(2), begun]).follow()
    assert live is not None
    np.testing.assert_array_equal(live.values["loss"], [[1, 2, 3]])
    assert live.last("ite_rmse", 1.0) == 3
    assert set(path_rows(live, 0.1)["epoch"]) == {0.25}
    later = follower([started(2), begun, epoch(1, [5, 6, 7, 7, 8, 9], [0] * 6)]).follow()
    assert later is not None
    rows = epoch_rows(later, "loss", 0.1)
    assert list(zip(rows["epoch"][rows["in_view"]], rows["value"][rows["in_view"]], strict=True)) == [(0.25, 2), (1, 7)]


def test_a_diverged_lam_ends_with_a_mark_at_its_last_value() -> None:
    nan = float("nan")
    live = follower([started(1), epoch(1, [1, 2, 3], [0, 0, 0]), epoch(2, [1, nan, 3], [0, 1, 0])]).follow()
    assert live is not None
    rows = epoch_rows(live, "loss", 0.0)
    marked = rows["ended"] == DIVERGED
    assert rows["lam"][marked].tolist() == [0.1]
    assert rows["epoch"][marked].tolist() == [1]


@given(st.lists(st.floats(1e-9, 1e9), max_size=20))
@example([999999999.9999999])
def test_an_axis_holds_every_value_and_never_less_than_the_usual_range(values: list[float]) -> None:
    low, high = axis_range(np.array(values), USUAL["mmd2"])
    assert low <= USUAL["mmd2"][0]
    assert high >= USUAL["mmd2"][1]
    assert all(low <= value <= high for value in values)


def test_the_spec_does_not_change_while_data_comes_in_or_lam_moves(events: list[Event]) -> None:
    few, all_of_them = follower(events[:2]).follow(), follower(events[:-1]).follow()
    assert few is not None
    assert all_of_them is not None
    ink = palette("dark")

    def specs(curves: Curves) -> str:
        return json.dumps(
            [
                epoch_spec(curves, "mmd2", ink, height=200, label="MMD²", zoom=False),
                path_spec(curves, ink, height=200, label="ITE RMSE", zoom=False),
            ]
        )

    assert specs(few) == specs(all_of_them)


def test_only_a_final_chart_can_be_zoomed() -> None:
    nothing = empty(LAMS, 5)
    for zoom in (False, True):
        for spec in (
            epoch_spec(nothing, "loss", palette("light"), height=1, label="", zoom=zoom),
            path_spec(nothing, palette("light"), height=1, label="", zoom=zoom),
        ):
            assert any("params" in layer for layer in spec["layer"]) == zoom


def test_no_rows_are_drawn_of_a_run_that_has_not_begun() -> None:
    assert len(epoch_rows(empty(LAMS, 5), "loss", 0.0)["epoch"]) == 0
    assert len(path_rows(empty(LAMS, 5), 0.0)["x"]) == 0


def test_of_a_long_run_evenly_spaced_epochs_and_the_last_one_are_drawn() -> None:
    long = [started(1, 1000), *(epoch(number, [1.0, 2.0, 3.0], [0, 0, 0]) for number in range(1, 1001))]
    live = follower(long).follow()
    assert live is not None
    drawn = np.unique(epoch_rows(live, "loss", 0.0)["epoch"])
    assert len(drawn) <= 150
    assert (drawn[0], drawn[-1]) == (1, 1000)


@given(st.sets(st.floats(1e-6, 1e4), min_size=1, max_size=8), st.booleans())
def test_lam_positions_ascend_with_zero_at_most_a_decade_left(positive: set[float], with_zero: bool) -> None:
    lams = ((0.0,) if with_zero else ()) + tuple(sorted(positive))
    places = positions(lams)
    assert len(places) == len(lams)
    if with_zero:
        assert 0 < places[1] - places[0] <= 1 + 1e-9
    np.testing.assert_array_equal(places_of(lams, lams), places)
