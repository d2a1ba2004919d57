"""Download a run as files, cite it, and bring one in that somebody sent."""

from __future__ import annotations

import streamlit as st

from crl_core.data.tables.source import TableSource
from crl_core.events import DIVERGED
from crl_core.export.checkpoint import (
    bibtex,
    checkpoint,
    checkpoint_name,
    citation,
    file_stem,
    history_csv,
    loading_example,
    metrics_csv,
)
from crl_core.export.figure_page import figure_page
from crl_core.export.notebook import notebook
from crl_core.measures.cautions import cautions_of_model
from crl_core.results import RunResult
from crl_core.runs.bundle import AlreadyStored, export_bytes, import_run
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunSummary
from pages.shared import server_cache, style
from pages.shared.fields import lam_text
from pages.shared.run_view import naming_near, warn
from pages.shared.serve_table import BUNDLE_CARRIES, NOTEBOOK_CARRIES
from pages.shared.table_kept import not_here, rows_here

_TURN = "runs.import.turn"  # another key after each import empties the uploader
_SAID = "runs.import.said"  # (kind, sentence) of the last import


def section(chosen: RunSummary, lam: float) -> None:
    """Downloads of one stored run. `lam`: the λ in view; the run's nearest one is taken."""
    try:
        result = server_cache.load(chosen.key)
    except StoreError as error:
        st.error(style.plain(str(error)))
        return
    store, stem = server_cache.store(), file_stem(result.config)
    m = result.model(lam)
    of_person, here = isinstance(chosen.config.table, TableSource), rows_here(chosen.config)
    near, diverged = float(result.lam[m]), result.status[m] == DIVERGED
    warn(cautions_of_model(result, m))
    with st.container(key="panel_take_home"):
        style.panel_title(
            "Download and cite",
            "each file is made when you press; a bundle holds numbers and settings only, never code",
        )
        with st.container(horizontal=True):
            st.download_button(
                "Bundle",
                lambda: export_bytes(store, chosen.key),
                f"{stem}.zip",
                "application/zip",
                key="runs.take.bundle",
                on_click="ignore",
                help=BUNDLE_CARRIES
                if of_person
                else (
                    "The whole run as one file: configuration, figures, curves, weights, evidence. Import it in any "
                    "copy of this program."
                ),
            )
            st.download_button(
                f"Network at λ = {lam_text(near)}",
                lambda: checkpoint(result, near),
                checkpoint_name(result, near),
                "application/octet-stream",
                key="runs.take.checkpoint",
                on_click="ignore",
                disabled=bool(diverged),
                help="This model diverged and has no weights."
                if diverged
                else "Weights of replicate 0 at the λ shown, as safetensors for plain PyTorch.",
            )
            st.download_button(
                "Notebook",
                lambda: notebook(result, chosen.created).encode(),
                f"{stem}.ipynb",
                "application/x-ipynb+json",
                key="runs.take.notebook",
                on_click="ignore",
                help=NOTEBOOK_CARRIES
                if of_person
                else "Trains the run again, compares the figures, and draws error, MMD² and latents along λ.",
            )
            st.download_button(
                "Numbers, CSV",
                lambda: metrics_csv(result, server_cache.load_part(chosen.key, "evidence")).encode(),
                f"{stem}-numbers.csv",
                "text/csv",
                key="runs.take.metrics",
                on_click="ignore",
                help="One line a model: final held-out figures.",
            )
            st.download_button(
                "Curves, CSV",
                lambda: history_csv(result).encode(),
                f"{stem}-curves.csv",
                "text/csv",
                key="runs.take.curves",
                on_click="ignore",
                help="One line an epoch and model.",
            )
            st.download_button(
                "Figures, HTML",
                lambda: _figures(chosen.key, result, near).encode(),
                f"{stem}-figures.html",
                "text/html",
                key="runs.take.figures",
                on_click="ignore",
                disabled=not here,
                help=(
                    "Every figure at the λ shown, interactive without a network; each can be saved as SVG or PNG "
                    "from there." + (" Of a table: with a point for each held-out row." if of_person else "")
                )
                if here
                else not_here(),
            )
        cite, load = st.tabs(["Cite this run", "Load the network"])
        cited = citation(result, chosen.created, chosen.recipe_version)
        with cite:
            text, entry = st.columns(2)
            with text:
                st.code(cited, language=None, wrap_lines=True)
                st.download_button(
                    "Citation, text", cited, f"{stem}.txt", "text/plain", key="runs.take.citation", on_click="ignore"
                )
            with entry:
                reference = bibtex(result, chosen.created, chosen.recipe_version)
                st.code(reference, language=None, wrap_lines=True)
                st.download_button(
                    "Citation, BibTeX",
                    reference,
                    f"{stem}.bib",
                    "text/x-bibtex",
                    key="runs.take.bibtex",
                    on_click="ignore",
                )
        with load:
            st.code(loading_example(result, near), language="python")


def _figures(key: str, result: RunResult, lam: float) -> str:
    names = naming_near(result.config).env_names(result.config.source.n_envs)
    parts = {name: server_cache.load_part(key, name) for name in ("projection", "evidence")}
    return figure_page(result, lam, names, parts)


def uploader() -> None:
    """Import a bundle, below the message of the last import."""
    kind, sentence = st.session_state.pop(_SAID, ("", ""))
    if kind:
        {"success": st.success, "info": st.info, "error": st.error}[kind](sentence)
    turn = int(st.session_state.setdefault(_TURN, 0))
    st.file_uploader(
        "Import a run",
        type="zip",
        key=f"runs.import.{turn}",
        on_change=_bring_in,
        args=(turn,),
        help="A bundle that was downloaded from a Library. Everything in it is checked before it is stored.",
    )


def _bring_in(turn: int) -> None:
    """Store what was uploaded. For callbacks."""
    file = st.session_state.get(f"runs.import.{turn}")
    if file is None:
        return
    st.session_state[_TURN] = turn + 1
    try:
        key = import_run(server_cache.store(), file.getvalue())
        found = server_cache.store().summary(key)
        away = found is not None and not rows_here(found.config)
        st.session_state[_SAID] = ("success", f"Run {key} is imported." + (f" {not_here()}" if away else ""))
    except AlreadyStored as error:
        st.session_state[_SAID] = ("info", str(error))
    except (StoreError, ValueError) as error:
        st.session_state[_SAID] = ("error", str(error))
