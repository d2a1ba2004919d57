"""The library of runs: find some, see what varies among them, name them, compare them, and train more."""

from __future__ import annotations

import streamlit as st

from crl_core.runs.library import Usage
from crl_core.runs.store import RunSummary
from pages.shared import (
    page_header,
    require,
    runs_scatter,
    runs_search,
    runs_sweep,
    server_cache,
    sidebar,
    strangers,
    style,
)
from pages.shared.runs_actions import actions
from pages.shared.runs_callbacks import check, empty_trash, messages, missing
from pages.shared.runs_names import editor
from pages.shared.runs_selected import choose, selected
from pages.shared.runs_take_home import section, uploader

require()


def main() -> None:
    runs = server_cache.library().runs()
    page_header(
        "Every stored run, and the settings that vary among those shown. Select runs to open, name or compare them.",
        numbers=room(Usage.of(runs, server_cache.store())),
    )
    messages()
    missing()
    if not runs:
        style.notice(
            "Nothing is stored yet",
            "A run appears here once it is trained: press Train on any page of a world, queue a sweep below, or import "
            "a run that somebody sent you.",
        )
        runs_sweep.panel([])
        upkeep()
        return
    with st.container(key="runs_tools"):
        search, group, every, edit = st.columns([6, 3, 2.2, 2.2], vertical_alignment="center")
    with search:
        found, problem = runs_search.found(runs)
    with group:
        by = runs_search.grouping(found)
    all_settings = every.toggle("All settings", key="runs.every", persist_state="session")
    naming = edit.toggle("Edit names", key="runs.edit", help="Names and tags become fields of the table.")
    if problem:
        st.error(style.plain(problem))
    elif len(found) < len(runs):
        style.quiet(f"{len(found)} of {style.count(len(runs), 'run')}")
    if not found:
        style.notice(
            "No run fits", "Words are looked for in names, tags, notes, worlds, changes and keys; see the help."
        )
    chosen: list[RunSummary] = []
    if by is not None and found:
        runs_search.groups(found, by)
    if naming and found:
        editor(found)
    elif found:
        chosen = selected(found, every=all_settings)
        actions(chosen)
    if len(chosen) == 1:
        section(chosen[0], sidebar.controls().lam)
    left, right = st.columns([3, 2])
    with left:
        runs_scatter.panel(found, choose)
    with right:
        runs_sweep.panel(chosen)
    upkeep()


def upkeep() -> None:
    """Bring a run in; check what is stored. Not for strangers."""
    if not strangers.may_upkeep():
        strangers.said()
        return
    with st.container(key="panel_runs_upkeep"):
        style.panel_title("Import and check", "a bundle from another copy of the program; every file by its checksum")
        uploader()
        with st.container(horizontal=True):
            st.button("Check every file", key="runs.check", on_click=check, help="Damaged runs are put aside.")
            st.button(
                "Empty the trash",
                key="runs.empty",
                on_click=empty_trash,
                help="Deleted and damaged runs go for good, which makes room on a full disk.",
            )


def room(usage: Usage) -> list[tuple[str, str]]:
    """How full the store is, in large figures."""
    return [
        (str(usage.n_runs), "runs"),
        (f"{usage.bytes / 1e6:.0f} MB", f"of {usage.quota_bytes / 1e6:,.0f} MB".replace(",", "\u202f")),
    ]


main()
