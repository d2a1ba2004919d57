"""From the Data page to training: the table in view takes the place of simulated worlds."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from crl_core.config import LIMITS
from crl_core.config.table import LAMS, REPLICATES, STEPS, table_config
from pages.shared import job_panel, led, sidebar_table, table_run
from pages.shared.lam_grid import lam_grid
from pages.shared.own_table import OwnTable
from pages.shared.places import page_file
from pages.shared.style import panel_title, plain, quiet


def offer(table: OwnTable) -> None:
    """The button that trains, or the way to what has been trained."""
    with st.container(key="panel_data_train"):
        if table_run.of_table() is None:
            panel_title("Train on it", "nothing has been trained so far")
            _settings(table)
        elif table_run.current() is None:
            panel_title("Trained before", "a simulated world is in view")
            st.button("Show this table again", type="primary", key="data.again", on_click=table_run.show, args=(table,))
        else:
            panel_title("In view on every page", "its training is set in the sidebar")
            with st.container(horizontal=True):
                st.page_link(page_file("path"), label="Average effects along λ")
                st.page_link(page_file("effects"), label="Effects of the rows")


def _settings(table: OwnTable) -> None:
    """Which λ, how many fits, and the button."""
    assert table.source is not None
    assert table.look is not None
    lams, replicates, problem = LAMS, REPLICATES, None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        try:
            lams = lam_grid("data", LAMS)
            replicates = int(
                st.number_input(
                    "Fits",
                    *(int(limit) for limit in LIMITS["replicates"]),
                    value=REPLICATES,
                    format="%d",
                    key="data.replicates",
                    persist_state="session",
                    width=140,
                    help="Each to rows drawn anew. A row's effect is their mean; 20 make its interval sound.",
                )
            )
            table_config(table.source, table.look.arms, lams=lams, replicates=replicates)
        except ValueError as error:
            problem = str(error)
    if problem is not None:
        st.error(plain(problem))
    quiet(
        f"{STEPS} steps a fit, on rows drawn anew; the sidebar changes all of this later. Every page then shows this "
        "table; simulated worlds are one click away."
    )
    st.button(
        "Train on this table",
        type="primary",
        key="data.train",
        disabled=problem is not None,
        on_click=_begin,
        args=(table, lams, replicates),
    )


def _begin(table: OwnTable, lams: tuple[float, ...], replicates: int) -> None:
    """A callback."""
    run = table_run.show(table)
    chosen = run.settings
    run.settings = replace(chosen, lams=lams, replicates=replicates)
    sidebar_table.forget_fields()  # those of a table before
    config = run.config()
    job_panel.train(config, config.training.lams[0])
    led.ask("train")
