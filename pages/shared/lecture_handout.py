"""The Lecture page as one file to take home; not of a private table, whose rows' effects it would carry."""

from __future__ import annotations

import streamlit as st

from crl_core.data.tables.private import PrivateRows
from crl_core.lecture.handout import handout_html
from crl_core.lecture.naming import Naming
from pages.shared.run_view import RunInView
from pages.shared.style import quiet


def offer(run: RunInView, naming: Naming) -> None:
    """The button, or why there is none."""
    if isinstance(run.config.table, PrivateRows):
        quiet("No handout: it would carry your rows' effects.")
        return
    st.download_button(
        "Handout",
        data=lambda: handout_html(run.result, run.projection, run.evidence, lam=run.lam, naming=naming),
        file_name=f"lambda-{run.key}.html",
        mime="text/html",
        on_click="ignore",
        key="lecture.handout",
        width="stretch",
        help=(
            "One HTML file of this run that opens without a network, with its config and the command that "
            "reproduces it."
        ),
    )
