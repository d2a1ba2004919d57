"""Keep on this machine: a table and its runs outlive the session, until it is forgotten; what pages offer of that.

Nothing of it is there on a server that strangers use (`kept_tables.PUBLIC`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import streamlit as st

from crl_core.config import RunConfig
from crl_core.data.tables.private import PrivateRows
from crl_core.data.tables.source import TableSource
from crl_core.runs.kept_tables import content_of, public_server
from crl_core.runs.sealing import StoreError
from pages.shared import own_table, server_cache, sidebar, table_run
from pages.shared.own_table import OwnTable
from pages.shared.places import page_file
from pages.shared.style import count, panel_title, plain, quiet
from pages.shared.table_run import PROBLEM, TableRun

_SAID = "kept.said"


def not_here() -> str:
    """Why the rows of a stored run's table cannot be had, and how they come back."""
    if public_server():
        return "The rows of its table are not on this server, and no table is kept on it."
    return (
        "The rows of its table are not kept here: load the file on the page Data, with the same roles, and press Keep "
        "on this machine."
    )


def messages() -> None:
    """What the last click did."""
    if said := st.session_state.pop(_SAID, None):
        st.success(plain(said))
    if problem := st.session_state.pop(PROBLEM, None):
        st.error(plain(problem))


def panel(table: OwnTable) -> None:
    """The offer to keep the table in view, or what is kept of it and the way to forget it."""
    if public_server():
        return
    with st.container(key="panel_data_keep"):
        if table.kept:
            _kept(table)
        else:
            _offer(table)


def _offer(table: OwnTable) -> None:
    assert table.source is not None
    run = table_run.of_table()
    runs = 0 if run is None else sum(server_cache.store().has(key) for key in run.keys)
    panel_title("Keep it on this machine?", "otherwise it is forgotten when the tab is closed, and so are its runs")
    quiet(
        f"Then its rows{_and(runs, 'finished run')} are stored in {server_cache.store().root / 'tables'}, for the user "
        f"of this program alone to read: the {count(len(table.source.columns), 'column')} that have a part, no id and "
        "nothing that is left out. Its runs stand in the Library and in Compare for everybody who uses this server, "
        "with the names of columns and values. A server that is started again finds them."
    )
    st.button("Keep on this machine", key="data.keep", on_click=keep)


def _kept(table: OwnTable) -> None:
    runs = _and(len(server_cache.kept_tables().runs_of(table.content)), "run")
    panel_title("Kept on this machine", f"its rows{runs}; everybody who uses this server sees them")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(page_file("runs"), label="Its runs in the Library")
        with st.popover("Forget this table"):
            quiet(f"Its rows{runs} are deleted from this machine for good, whoever looks at them.")
            st.button(f"Delete its rows{runs}", key="data.forget", on_click=forget)


def _and(number: int, word: str) -> str:
    """ " and 3 runs" of it; nothing where there are none."""
    return f" and {count(number, word)}" if number else ""


def shelf() -> None:
    """The tables that are kept, where none is in view."""
    if public_server() or not (tables := _named()):
        return
    with st.container(key="panel_data_kept"):
        panel_title("Kept on this machine", "until somebody opens and forgets them")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.selectbox("Kept table", list(tables), key="data.kept", label_visibility="collapsed", width=420)
            source = tables.get(name, next(iter(tables.values())))  # somebody may have had it forgotten just now
            st.button("Open this table", key="data.kept_open", on_click=_open, args=(source,))


def _named() -> dict[str, TableSource]:
    """The tables that are kept, by what tells them apart on screen."""
    found: dict[str, TableSource] = {}
    for table in server_cache.kept_tables().all():
        name = f"{table.source.label}, {table.source.n_rows:,} rows, {table.bytes / 1e3:,.0f} kB"
        found[name if name not in found else f"{name}, {table.source.content[:8]}"] = table.source
    return found


def keep() -> None:
    """Keep the session's table, with its finished runs. A callback."""
    table, run = own_table.current(), table_run.of_table()
    if table is None or table.kept or public_server():
        return
    assert table.by_content is not None
    if run is not None and server_cache.jobs().in_hand(lambda config: config.table == run.rows):
        st.session_state[PROBLEM] = "A run of this table is being trained; keep the table when it has ended."
        return
    try:
        server_cache.kept_tables().keep(table.by_content, table.columns)
    except StoreError as error:
        st.session_state[PROBLEM] = str(error)
        return
    moved = {} if run is None else _taken_in(run, table.by_content)
    now = own_table.kept(table)
    if run is not None:
        table_run.becomes_kept(run, now, moved)
    st.session_state[_SAID] = f"The rows of {table.label}{_and(len(moved), 'run')} are kept on this machine."


def _taken_in(run: TableRun, source: TableSource) -> dict[str, str]:
    """The runs of a session's table as runs of the kept one: old key -> new key. One that cannot be read, or stored
    again, stays with the session."""
    tables, moved = server_cache.kept_tables(), {}
    for key in sorted(run.keys):
        try:
            new = tables.take_in(key, source)
        except StoreError as error:
            st.session_state[PROBLEM] = str(error)
            continue
        if new is not None:
            moved[key] = new
    return moved


def forget() -> None:
    """Delete the kept table in view and its runs. A callback."""
    table = own_table.current()
    if table is None or not table.kept:
        return
    tables, exporter = server_cache.kept_tables(), server_cache.exporter()
    if server_cache.jobs().in_hand(lambda config: content_of(config) == table.content):
        st.session_state[PROBLEM] = "A run of this table is being trained; wait for its end, or cancel it."
        return
    try:
        keys = tables.forget(table.content)
    except StoreError as error:
        st.session_state[PROBLEM] = str(error)
        return
    for key in keys:
        exporter.forget(key, server_cache.store())
    own_table.leave()
    server_cache.forget_pictures()
    st.session_state[_SAID] = (
        f"{table.label} is forgotten: its rows{_and(len(keys), 'run')} were deleted from this machine."
    )


def open_run(config: RunConfig) -> bool:
    """Show a stored run on every page; False for one of a table whose rows are not here. A callback."""
    source = config.table
    if source is None:
        table_run.leave()
        sidebar.show(config)
        return True
    columns = _columns(source) if isinstance(source, TableSource) else None
    if columns is None:
        st.session_state[PROBLEM] = not_here()
        return False
    assert isinstance(source, TableSource)
    try:
        table_run.show_run(own_table.open_kept(source, columns), config)
    except ValueError as error:  # a stranger's run that says other things of these rows
        st.session_state[PROBLEM] = str(error)
        return False
    return True


def rows_here(config: RunConfig) -> bool:
    """Whether a stored run's rows can be had: of a person's table where it is kept here."""
    source = config.table
    if isinstance(source, TableSource):
        return not public_server() and server_cache.kept_tables().has(source.content)
    return not isinstance(source, PrivateRows)


def can_open(config: RunConfig) -> bool:
    """Whether the sidebar can be set to a stored run: it has fields for scenarios and for people's tables."""
    return config.table is None or (isinstance(config.table, TableSource) and rows_here(config))


def _open(source: TableSource) -> None:
    """A callback."""
    columns = _columns(source)
    if columns is None:
        st.session_state[PROBLEM] = f"{source.label} is kept here no more, or its file was changed; load it again."
    else:
        own_table.open_kept(source, columns)


def _columns(source: TableSource) -> Mapping[str, np.ndarray] | None:
    return None if public_server() else server_cache.kept_tables().columns(source.content)
