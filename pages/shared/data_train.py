"""From the Data page to training: the table in view takes the place of simulated worlds."""

from __future__ import annotations

import streamlit as st

from crl_core.config.table import LAMS, REPLICATES, STEPS
from pages.shared import job_panel, table_run
from pages.shared.own_table import OwnTable
from pages.shared.shell import page_file
from pages.shared.style import panel_title, quiet

_GO = "data.go"  # set by the button, read by the run of the script after it


def offer(table: OwnTable) -> None:
    """The button that trains, or the way to what has been trained."""
    if st.session_state.pop(_GO, False):
        st.switch_page(page_file("train"))
    with st.container(key="panel_data_train"):
        if table_run.of_table() is None:
            panel_title("Train on it", "nothing has been trained so far")
            quiet(
                f"{len(LAMS)} λ from 0 to {LAMS[-1]:g}, {REPLICATES} fits of {STEPS} steps each, on rows drawn anew; "
                "the sidebar changes that. Every page then shows this table; simulated worlds are one click away."
            )
            st.button("Train on this table", type="primary", key="data.train", on_click=_begin, args=(table,))
        elif table_run.current() is None:
            panel_title("Trained before", "a simulated world is in view")
            st.button("Show this table again", type="primary", key="data.again", on_click=table_run.show, args=(table,))
        else:
            panel_title("In view on every page", "its training is set in the sidebar")
            with st.container(horizontal=True):
                st.page_link(page_file("path"), label="Average effects along λ")
                st.page_link(page_file("effects"), label="Effects of the rows")


def _begin(table: OwnTable) -> None:
    """A callback."""
    run = table_run.show(table)
    job_panel.train(run.config(), 0.0)
    st.session_state[_GO] = True
