"""The runs that are stored: what they were, what came out, open one, delete one."""

from __future__ import annotations

import streamlit as st

from crl_core.runs import RunSummary
from crl_core.sealing import StoreError
from pages.shared import page_header, require, services, sidebar, style, take_home
from pages.shared.run_table import table

_DELETED = "runs.deleted"
_TABLE = "runs.table"
_CHECKED = "runs.checked"  # sentences of the last check; one empty sentence: nothing was found

require()


def main() -> None:
    page_header(
        "Runs",
        "Every run that is stored, newest first. Opening one sets the sidebar to its settings, so that every page shows it.",
    )
    undo()
    for sentence in st.session_state.pop(_CHECKED, []):
        st.error(sentence) if sentence else st.success("Every byte of every run is as it was stored.")
    runs = services.store().summaries()
    if not runs:
        style.notice(
            "Nothing is stored yet", "Choose a preset in the sidebar and press Train; the run appears here."
        )
        take_home.uploader()
        return
    shown = sidebar.controls().config
    selection = st.dataframe(
        table(runs, shown), key=_TABLE, hide_index=True, on_select="rerun", selection_mode="single-row",
        column_config={
            "ITE RMSE": st.column_config.NumberColumn(format="%.3f", help="Least over λ; held out, median over replicates"),
            "at λ = 0": st.column_config.NumberColumn(format="%.3f", help="ITE RMSE without the penalty"),
            "Factual MSE": st.column_config.NumberColumn(format="%.3f", help="Least over λ; held out"),
        },
        alt="Stored runs with their settings and main figures",
    )  # fmt: skip
    rows = selection["selection"]["rows"]
    chosen = runs[rows[0]] if rows and rows[0] < len(runs) else None
    actions(chosen)
    if chosen is not None and not chosen.outdated:
        take_home.section(chosen, sidebar.controls().lam)
    take_home.uploader()
    st.button("Check every file", type="tertiary", key="runs.check", on_click=check,
              help="Reads every stored run and compares it with its checksum. Damaged runs are put aside.")  # fmt: skip


def check() -> None:
    """Compare every run with its checksum. For callbacks."""
    try:
        st.session_state[_CHECKED] = [str(damage) for damage in services.store().verify()] or [""]
    except StoreError as error:
        st.session_state[_CHECKED] = [str(error)]


def actions(chosen: RunSummary | None) -> None:
    """Open and delete, for the selected row."""
    if chosen is None:
        style.quiet("Select a row to open or delete the run.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Open",
            type="primary",
            key="runs.open",
            on_click=sidebar.show,
            args=(chosen.config,),
            disabled=chosen.outdated,
        )
        st.button("Delete", key="runs.delete", on_click=delete, args=(chosen.key,), disabled=chosen.baked)
        style.quiet(_remark(chosen))


def _remark(chosen: RunSummary) -> str:
    if chosen.outdated:
        return f"Run {chosen.key} was made by an older version of the recipe, whose numbers differ; it can only be deleted."
    if chosen.baked:
        return f"Run {chosen.key} comes with the program and stays."
    return f"Run {chosen.key}, {len(chosen.lams)} λ, seed {chosen.config.training.seed}."


def delete(key: str) -> None:
    """Move a run to the trash. For callbacks."""
    try:
        services.store().delete(key)
    except StoreError as error:
        st.session_state["runs.problem"] = str(error)
    else:
        st.session_state[_DELETED] = key


def restore(key: str) -> None:
    """Undo `delete`. For callbacks."""
    st.session_state.pop(_DELETED, None)
    try:
        services.store().restore(key)
    except StoreError as error:
        st.session_state["runs.problem"] = str(error)


def undo() -> None:
    """What the last click did, and the way back."""
    problem = st.session_state.pop("runs.problem", None)
    if problem:
        st.error(problem)
    key = st.session_state.get(_DELETED)
    if key is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Undo", key="runs.undo", on_click=restore, args=(key,))
            style.quiet(f"Run {key} was moved to the trash.")


main()
