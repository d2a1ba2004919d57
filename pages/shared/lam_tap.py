"""Figures along λ on which λ is chosen: a tap on a point sets the λ in view, as the sidebar's slider does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from crl_core.config.text import nearest_lam
from crl_core.figures.base import Drawn, Trace, written
from crl_core.figures.lam_axis import positions
from pages.shared import sidebar
from pages.shared.tables import chart


def chart_along(drawn: go.Figure, key: str, lams: Sequence[float]) -> None:
    """A Plotly figure whose x axis is that of `lams`; where the sidebar has another grid, its nearest λ is taken.

    Plotly takes a tap on the point of the last tap for taking it back. Once λ was moved by other means, the figure is
    therefore mounted anew, under a key of its own, so that the same point can be tapped again.
    """
    asked, state = sidebar.controls(), st.session_state
    tapped, turn = state.get(f"{key}.tapped", (None, 0))
    if tapped is not None and tapped != asked.lam:
        tapped, turn = state[f"{key}.tapped"] = None, turn + 1

    def choose(place: float) -> None:
        lam = lams[int(np.abs(positions(lams) - place).argmin())]
        taken = nearest_lam((asked.config or asked.preset.config).training.lams, lam)
        sidebar.move_lam(taken)
        state[f"{key}.tapped"] = taken, turn

    chart(_undimmed(drawn), f"{key}.{turn}" if turn else key, on_place=choose)


def _undimmed(drawn: go.Figure) -> go.Figure:
    """The figure, of which a tap on one point leaves the others as they are."""

    def as_they_are(trace: Trace) -> Trace:
        colour = (trace.get("textfont") or {}).get("color")
        texts = {} if colour is None else {"textfont": {"color": colour}}
        return trace | {"unselected": {"marker": {"opacity": 1}} | texts} if trace.get("type") == "scatter" else trace

    plain = written(drawn)
    return Drawn([as_they_are(trace) for trace in plain["data"]], plain["layout"])
