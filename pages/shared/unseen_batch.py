"""New rows of the session's own table: does the model meet what it was trained on? Tests and a certificate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from crl_core.data.tables.apart import read_apart
from crl_core.data.tables.columns import Raw, TableRefused
from crl_core.data.tables.source import TableSource, encoded_rows
from crl_core.figures import palette
from crl_core.studies.certificate import certificate
from crl_core.studies.deployed import BatchReport, Reference, batch_report, reference_of
from pages.shared import row_views, table_run
from pages.shared.data_panels import refused
from pages.shared.run_view import RunInView, page_header
from pages.shared.style import panel_title, plain, quiet
from pages.shared.tables import say
from pages.shared.unseen_findings import certificate_buttons, gauges

_BATCH = "unseen.batch"
SAYS = "A second file of the same columns, from somewhere else or from later: does the model still meet what it knows?"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """A file that was loaded beside the table; it lives with the session. number: counts them."""

    number: int
    label: str
    raw: Raw
    content: str  # of the table that it is held against


def draw(run: RunInView) -> None:
    """The whole page for a table."""
    own = table_run.current()
    if own is None or own.rows != run.config.table:
        page_header("No equations of this data are known to intervene on.")
        return
    batch: Batch | None = st.session_state.get(_BATCH)
    if batch is not None and batch.content != own.table.content:
        batch = None
    found = None
    if batch is not None:  # its tests draw hundreds of permutations: not at every run of the page
        one, what = batch, f"batch {batch.number} at {run.lam:g}"
        found = row_views.once(run, what, lambda: _report(run, own.source, one))
    numbers = [(f"{run.lam:g}", "λ shown")]
    if isinstance(found, tuple):
        alarms = sum(finding.alarm is True for finding in found[1].findings)
        numbers += [(str(alarms), f"of {len(found[1].findings)} tests alarm"), (f"{found[1].n_rows:,}", "rows tested")]
    page_header(SAYS, numbers)
    if isinstance(found, str):
        refused("These rows cannot be tested", found)
    elif found is not None and batch is not None:
        _findings(run, batch, *found)
    with st.container(key="panel_unseen_batch"):
        panel_title("New rows", "CSV or Parquet with the same columns; outcome and treatment may be absent")
        _uploader(own.table.content)
        quiet("They stay with this session, in memory, and are not trained on.")


def _uploader(content: str) -> None:
    turn = int(st.session_state.setdefault("unseen.turn", 0))
    file = st.file_uploader("New rows", key=f"unseen.file.{turn}", label_visibility="collapsed")
    if file is None:
        return
    try:
        with st.spinner(f"Reading {plain(file.name)}"):
            raw = read_apart(file.getvalue())
    except TableRefused as error:
        refused(f"{file.name[:60]} was not read", str(error))
        return
    st.session_state[_BATCH] = Batch(number=turn, label=file.name[:60], raw=raw, content=content)
    st.session_state["unseen.turn"] = turn + 1
    st.rerun()


def _report(run: RunInView, source: TableSource, batch: Batch) -> tuple[Reference, BatchReport] | str:
    """The tests of the λ in view on these rows, or why there are none."""
    try:
        x, t, y = encoded_rows(source, batch.raw)
        model = reference_of(run.result, run.lam)
        rng = np.random.default_rng(run.config.training.seed)
        return model, batch_report(model, x, rng, t=t, y=y)
    except ValueError as error:
        return str(error)


def _findings(run: RunInView, batch: Batch, model: Reference, report: BatchReport) -> None:
    with st.container(key="panel_unseen_tests"):
        made = certificate(model, report, sample=f"Rows of {batch.label}")
        panel_title(f"What the tests find in {batch.label}", "four tests of these rows, without the truth")
        say(made.summary)
        gauges(report.findings, palette(run.theme))
        for note in report.notes:
            quiet(note)
        certificate_buttons(made, run.config.training.seed)
