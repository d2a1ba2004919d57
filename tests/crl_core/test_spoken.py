"""What a figure says to who does not see it: computed from what it draws."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from crl_core.figures.base import axis, empty, figure
from crl_core.figures.palette import palette
from crl_core.figures.spoken import spoken

INK = palette("light")


def drawn(*traces: dict[str, object], **layout: object) -> go.Figure:
    return figure("Effect error", list(traces), INK, height=200, **layout)  # type: ignore[arg-type]


def test_a_curve_is_told_by_its_ends_and_its_least_value_at_the_places_that_are_written_below_it() -> None:
    line = {"type": "scatter", "mode": "lines", "name": "<b>ITE RMSE</b>", "x": [0, 1, 2], "y": [1.08, 0.096, 0.41]}
    ticks = {"tickvals": [0, 1, 2], "ticktext": ["0", "0.01", "100"]}
    said = spoken(drawn(line, xaxis=axis(INK, "λ", **ticks), yaxis=axis(INK)))
    assert said == "Effect error, along λ. ITE RMSE: 1.08 at 0, 0.41 at 100, least 0.096 at 0.01."


def test_points_of_one_name_are_counted_together_with_their_span() -> None:
    parts = [
        {"type": "scattergl", "mode": "markers", "name": "A", "x": np.array([0.0, np.nan]), "y": np.array([2.0, 1.0])},
        {"type": "scattergl", "mode": "markers", "name": "A", "x": np.array([-1.5]), "y": np.array([3.0])},
        {"type": "scatter", "mode": "markers", "name": "a key", "x": [None], "y": [None]},
    ]
    said = spoken(drawn(*parts, xaxis=axis(INK, "true"), yaxis=axis(INK, "estimated")))
    assert said == "Effect error, estimated against true. A: 2 points, across from −1.5 to 0, up from 2 to 3."


def test_a_map_is_told_by_its_span_and_the_points_on_it_by_theirs() -> None:
    cells = {"type": "heatmap", "z": [[-1.0, 2.0], [np.nan, 0.5]]}
    rows = {"type": "scatter", "mode": "markers", "name": "A", "x": [0.0, 1.0], "y": [1.0, 1.0]}
    assert (
        spoken(drawn(cells, rows))
        == "Effect error. map: from −1 to 2; A: 2 points, across from 0 to 1, up from 1 to 1."
    )


def test_few_bars_are_read_out_and_many_are_counted() -> None:
    few = {"type": "bar", "orientation": "h", "x": [1.0, 0.5], "y": ["forest", "ridge"]}
    assert spoken(drawn(few)) == "Effect error. forest 1, ridge 0.5."
    many = {"type": "bar", "x": list(range(30)), "y": list(range(30)), "name": "treated"}
    assert spoken(drawn(many)) == "Effect error. treated: 30 bars, from 0 to 29."


def test_what_is_not_told_one_by_one_is_counted() -> None:
    lines = [{"type": "scatter", "mode": "lines", "name": f"{at}", "x": [0, 1], "y": [at, 1]} for at in range(8)]
    assert spoken(drawn(*lines)).endswith("4: 4 at 0, 1 at 1; and 3 more.")


def test_a_figure_without_rows_says_why() -> None:
    said = spoken(empty("Latents", "All models diverged. Choose a smaller λ.", INK, height=200))
    assert said == "Latents. All models diverged. Choose a smaller λ."
