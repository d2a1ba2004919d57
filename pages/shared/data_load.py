"""How a table comes to the Data page, and leaves it: a file, or an example."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import streamlit as st

from crl_core.data.tables.apart import read_apart
from crl_core.data.tables.columns import TableRefused
from pages.shared import own_table
from pages.shared.data_panels import refused
from pages.shared.style import panel_title, plain, quiet
from pages.shared.tables import table

_TURN = "data.turn"  # counts uploads: a field that has been read is replaced, and its bytes are gone
_REFUSED = "data.refused"  # what was not read, and why; until the next file comes
_KEPT = (
    "The rows of a file stay with this session: they are written to no disk, stand in no link, and are forgotten when "
    "the tab is closed."
)


def invite() -> None:
    """The view without a table."""
    refusal()
    known = examples()
    left, right = st.columns([6, 5]) if known else (st.container(), None)
    with left, st.container(key="panel_data_file", height="stretch"):
        panel_title(
            "A file of your own", "CSV or Parquet, up to 50 MB: a line of column names, then a row for each unit"
        )
        _uploader()
        quiet(_KEPT)
        panel_title("What it looks like", "three rows of such a table")
        _looks_like()
    if right is not None:
        with right, st.container(key="panel_data_examples", height="stretch"):
            panel_title("An example", "tables whose average effect is known from elsewhere")
            _examples(known)


def _looks_like() -> None:
    """What a file holds, by three rows."""
    table(
        ["patient", "clinic", "age", "smoker", "treated", "pressure"],
        [
            ("1", "north", "54", "no", "1", "131"),
            ("2", "north", "61", "yes", "0", "148"),
            ("3", "south", "", "no", "1", "127"),
        ],
    )
    quiet(
        "A name, an environment, covariates, the treatment and the outcome, in any order and under any names; cells "
        "may be empty. You say what each column is, and confirm it; then the page says what the table can tell."
    )


def another() -> None:
    """Below a table: one in its place, or none."""
    with st.expander("Load another table"):
        _uploader()
        quiet(f"It takes the place of this one. {_KEPT}")
        table = own_table.current()
        kept = table is not None and table.kept
        st.button("Put this table away" if kept else "Forget this table", key="data.leave", on_click=own_table.leave)


def refusal() -> None:
    """Why the last file was not read."""
    if (found := st.session_state.get(_REFUSED)) is not None:
        refused(*found)


def examples() -> Mapping[str, Any]:
    """The examples that there are, by name; those that come with the program first."""
    try:
        found = import_module("crl_core.data.tables.examples").EXAMPLES
        return dict(sorted(found.items(), key=lambda item: not item[1].ships))
    except ModuleNotFoundError:
        return {}


def _uploader() -> None:
    turn = int(st.session_state.setdefault(_TURN, 0))
    file = st.file_uploader("CSV or Parquet", key=f"data.file.{turn}", label_visibility="collapsed")
    if file is None:
        return
    content = file.getvalue()
    try:
        with st.spinner(f"Reading {plain(file.name)}, {len(content) / 1e6:.2g} MB"):
            own_table.take(file.name, read_apart(content))
        st.session_state.pop(_REFUSED, None)
    except TableRefused as error:
        st.session_state[_REFUSED] = (f"{file.name[:60]} was not read", str(error))
    st.session_state[_TURN] = turn + 1
    st.rerun()


def _examples(known: Mapping[str, Any]) -> None:
    name = st.selectbox(
        "Example",
        list(known),
        format_func=lambda name: known[name].title,
        key="data.example",
        label_visibility="collapsed",
    )
    example = known[name]
    st.markdown(f"{plain(example.what)} {plain(example.known)}")
    quiet(f"Licence: {example.licence}." + ("" if example.ships else f" How to get it: {example.get}."))
    st.button("Load this example", key="data.take", on_click=_take, args=(name,))


def _take(name: str) -> None:
    """Load an example, with its own roles. A callback."""
    room = import_module("crl_core.data.tables.examples")
    example = room.EXAMPLES[name]
    try:
        raw = room.load_example(name)[0]
    except ValueError as error:
        st.session_state[_REFUSED] = (f"{example.title} was not loaded", str(error))
        return
    st.session_state.pop(_REFUSED, None)
    own_table.take_example(example, raw)
