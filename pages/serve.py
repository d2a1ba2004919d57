"""How is this model taken to work? Every format with its cost, its file, and the commands that serve it."""

from __future__ import annotations

import streamlit as st

from crl_core.export import exporter as exports
from crl_core.export.formats import FORMATS
from pages.shared import (
    page_header,
    require,
    run_in_view,
    serve_panels,
    serve_table,
    serve_try,
    serve_watch,
    server_cache,
)
from pages.shared.style import figure, notice, panel_title, plain
from pages.shared.tables import say

_SAYS = (
    "The network at the λ shown, as a file for other programs, and as a web service that warns when new rows look "
    "different."
)

require()
run = run_in_view()
store = server_cache.store()
folder = exports.folder_of(store, run.result, run.lam)


def ask_for() -> None:
    server_cache.exporter().start(store, run.result, run.lam)


def waits() -> None:
    """A fragment while the export is made; it goes on where the page is left."""
    if not server_cache.exporter().running(folder):
        st.rerun()
    with st.container(key="panel_serve_busy"):
        panel_title("Writing and measuring", f"λ = {run.lam:g}, replicate 0; about half a minute")
        done, all_of_them = server_cache.exporter().written(folder)
        what = "measuring them" if done == all_of_them else "writing the next"
        st.progress(done / (all_of_them + 1), f"{done} of {all_of_them} formats written, {what}")
        say("You may leave this page; what is made is kept.")


def main() -> None:
    error = None if run.result.ite_rmse is None else float(run.result.ite_rmse[run.m])
    page_header(
        _SAYS,
        [(f"{run.lam:g}", "λ shown"), (figure(error), "effect error, replicate 0")],
    )
    if run.status == "diverged":
        notice("There is no model to export", f"At λ = {run.lam:g} training diverged: {run.others}.")
        return
    if server_cache.exporter().running(folder):
        st.fragment(waits, run_every=1.0)()
        return
    if (problem := server_cache.exporter().problem(folder)) is not None:
        st.error(plain(problem))
    found = server_cache.exporter().kept(store, run.result, run.lam)
    if found is None:
        serve_panels.offer(run, ask_for)
        return
    name = st.segmented_control(
        "Format",
        list(found.formats),
        default=found.formats[0],
        key="serve.format",
        required=True,
        format_func=lambda item: FORMATS[item].title,
        persist_state="session",
    )
    chosen = name or found.formats[0]
    serve_panels.use(run, found, chosen, ask_for)
    serve_try.try_it(run, found)
    serve_panels.costs(run, found, chosen)
    serve_watch.state_of_endpoint()


main()
serve_table.take_home(run)
