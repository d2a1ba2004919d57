"""The run of a person's table as files: a bundle for another copy of this program, and a notebook that trains again."""

from __future__ import annotations

import streamlit as st

from crl_core.export.checkpoint import file_stem
from crl_core.export.notebook import notebook
from crl_core.results import N_VIEW, of_table
from crl_core.runs.bundle import export_bytes
from pages.shared import server_cache, table_run
from pages.shared.run_view import RunInView
from pages.shared.style import panel_title, quiet

BUNDLE_CARRIES = (
    "The bundle carries the names of the columns, their levels and medians, a hash of the rows (who guesses a small "
    "table can check the guess), figures, curves, and the weights of every model, which may remember rows; no row. "
    "Where it is imported its figures are seen at once, pictures of rows once the file is loaded and kept there."
)
MAPS_CARRY = (
    f"A point on a map for each of the held-out rows, {N_VIEW} at most, at every λ, in the order of the rows: who has "
    "the file knows whose each point is."
)
NOTEBOOK_CARRIES = (
    "The notebook carries the same names, levels, medians and hash; it asks for the file, looks whether it is this "
    "one, trains again and compares."
)


def take_home(run: RunInView) -> None:
    """The panel; nothing where the session has not this run's table."""
    own = table_run.current()
    if own is None or own.rows != run.config.table:
        return
    source, store = own.table.by_content, server_cache.store()
    assert source is not None
    named = of_table(run.result, source)
    stem = file_stem(named.config)
    with st.container(key="panel_serve_home"):
        panel_title("Take the run home", "each file is made when you press")
        with st.container(horizontal=True, vertical_alignment="center"):
            maps = st.toggle("With maps of its rows", key="serve.maps", help=MAPS_CARRY)
            st.download_button(
                "Bundle",
                lambda: export_bytes(store, run.key, table=source, maps=maps),
                f"{stem}.zip",
                "application/zip",
                key="serve.bundle",
                on_click="ignore",
            )
            st.download_button(
                "Notebook",
                lambda: notebook(named, created(run.key)).encode(),
                f"{stem}.ipynb",
                "application/x-ipynb+json",
                key="serve.notebook",
                on_click="ignore",
            )
        quiet(BUNDLE_CARRIES)
        quiet(NOTEBOOK_CARRIES)


def created(key: str) -> float:
    """When a stored run was made, seconds since 1970."""
    found = server_cache.store().summary(key)
    return 0.0 if found is None else found.created
