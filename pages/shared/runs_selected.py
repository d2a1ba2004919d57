"""The table of the Library, and the runs that are selected in it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from crl_core.runs.store import RunSummary
from pages.shared import sidebar, style
from pages.shared.runs_table import order, table

_SELECT = "runs.select"  # rows of a table that is drawn for the first time
_MOST_ROWS = 14  # of a table that does not scroll


def choose(row: int) -> None:
    """Select the run of a row. For callbacks: the table begins anew, with that row selected."""
    st.session_state["runs.turn"] = st.session_state.get("runs.turn", 0) + 1
    st.session_state[_SELECT] = [row]


def selected(found: Sequence[RunSummary], *, every: bool) -> list[RunSummary]:
    """The table, and the runs whose rows are selected in it. Another search is another table, without a selection."""
    names = tuple(run.key for run in found)
    turn = st.session_state.get("runs.turn", 0)
    if st.session_state.get("runs.listed", names) != names:  # rows have moved: an old selection means other runs
        turn += 1
    st.session_state["runs.turn"], st.session_state["runs.listed"] = turn, names
    frame, look = table(found, sidebar.controls().config, every=every)
    selection = st.dataframe(
        frame,
        key=f"runs.table.{turn}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": st.session_state.pop(_SELECT, [])}},
        column_config=look,
        column_order=order(frame, every=every, phone=style.on_phone()),
        height="auto" if len(found) <= _MOST_ROWS else 530,
        placeholder="",
        alt="Stored runs with the settings that vary and their main figures",
    )
    rows = selection["selection"]["rows"]
    return [found[row] for row in rows if row < len(found)]
