"""The library of runs: find one, name it, set some side by side, take one home, bring one in."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from crl_core.runs.library import Usage, search, tags_of
from crl_core.runs.store import RunSummary
from pages.shared import page_header, require, server_cache, sidebar, style
from pages.shared.runs_actions import actions
from pages.shared.runs_callbacks import check, messages
from pages.shared.runs_table import COLUMNS, table
from pages.shared.runs_take_home import section, uploader

require()


def main() -> None:
    runs = server_cache.library().runs()
    page_header(
        "Runs",
        "Every run that is stored. Select one to open it, to write on it or to take it home; two to four to compare "
        "them.",
        numbers=room(Usage.of(runs, server_cache.store())),
    )
    messages()
    if not runs:
        style.notice("Nothing is stored yet", "Choose a preset in the sidebar and press Train; the run appears here.")
        uploader()
        return
    found = filtered(runs)
    chosen = selected(found) if found else []
    if not found:
        style.notice(
            "No run fits",
            "Every word must occur in the name, tags, note, preset, changes, key or device of a run.",
        )
    actions(chosen)
    if len(chosen) == 1:
        section(chosen[0], sidebar.controls().lam)
    uploader()
    st.button(
        "Check every file",
        type="tertiary",
        key="runs.check",
        on_click=check,
        help=(
            "Reads every stored run and compares it with its checksum. Damaged runs are put aside, the list is made "
            "anew."
        ),
    )


def room(usage: Usage) -> list[tuple[str, str]]:
    """How full the store is, in large figures."""
    return [
        (str(usage.n_runs), "runs"),
        (f"{usage.bytes / 1e6:.0f} MB", f"of {usage.quota_bytes / 1e6:,.0f} MB".replace(",", "\u202f")),
    ]


def filtered(runs: Sequence[RunSummary]) -> list[RunSummary]:
    """What the search leaves."""
    tags = tags_of(runs)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Search",
            key="runs.search",
            placeholder="name, tag, preset, what was changed, …",
            icon=":material/search:",
            persist_state="session",
            width=420,
        )
        wanted = (
            st.multiselect("Tags", tags, key="runs.tags", placeholder="any", persist_state="session", width=300)
            if tags
            else []
        )
        found = search(runs, text, wanted)
        if len(found) < len(runs):
            style.quiet(f"{len(found)} of {style.count(len(runs), 'run')}")
    return found


def selected(found: Sequence[RunSummary]) -> list[RunSummary]:
    """The table, and the runs whose rows are selected in it. Another search is another table, without a selection."""
    names = tuple(run.key for run in found)
    turn = st.session_state.get("runs.turn", 0)
    if st.session_state.get("runs.listed", names) != names:  # rows have moved: an old selection means other runs
        turn += 1
    st.session_state["runs.turn"], st.session_state["runs.listed"] = turn, names
    selection = st.dataframe(
        table(found, sidebar.controls().config),
        key=f"runs.table.{turn}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        column_config=COLUMNS,
        height="auto" if len(found) <= 12 else 460,
        alt="Stored runs with their settings and main figures",
    )
    rows = selection["selection"]["rows"]
    return [found[row] for row in rows if row < len(found)]


main()
