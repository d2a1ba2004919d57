"""The panels of the Export & serve page: the offer to export, what each format costs, the file and its commands."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from crl_core.data.tables.private import PrivateRows
from crl_core.data.tables.source import TableSource
from crl_core.export import exporter as exports
from crl_core.export.checkpoint import trace_said
from crl_core.export.formats import FORMATS, INSTALL, ORIGINAL, available, file_name, lacking
from crl_core.figures import palette
from crl_core.figures.format_costs import latencies
from crl_core.jobs import machine
from crl_core.serve.records import examples_of
from crl_core.serve.settings import Settings
from pages.shared.run_view import RunInView
from pages.shared.style import count, figure, panel_title, quiet
from pages.shared.tables import chart, say, table

_TITLES = {item.id: item.title for item in FORMATS.values()} | {ORIGINAL: "PyTorch, eager"}
_COLUMNS = ("Format", "kB", "Effect error", "Factual error", "Largest difference", "1 row, µs", "1,024 rows, µs")

_SENT = (
    'traces.csv: a trace a line; traces.json: {{"rows": [[…], …], "environments": ["site-a", …]}}. A row is {trace}, '
    "as recorded, not standardised; a trace of another rate is resampled first, since the numbers do not tell it. At "
    "most {most:,} rows a request."
)
_OF_LABEL = (
    " y0 and y1 are the label's probability of an untreated and of a treated patient; treatment has no part in it, so "
    "ite means nothing."
)


def offer(run: RunInView, ask_for: Callable[[], None]) -> None:
    """The view before anything was exported."""
    with st.container(key="panel_serve_empty"):
        panel_title("Not exported yet", f"λ = {run.lam:g}, replicate 0")
        if machine.memory_bytes() < machine.LITTLE_MEMORY:
            say(
                "This machine has too little memory to export beside the app. Take the run home (Runs → Library, "
                "bundle), and there: "
                f"python -m crl_core export {run.result.config.key} --lam {run.lam:g}"
            )
            return
        titles = ", ".join(_TITLES[name] for name in available())
        say(f"Written and measured in a process of their own, in about half a minute: {titles}.")
        st.button("Export and measure", type="primary", key="serve.make", on_click=ask_for)
        _left_out()


def costs(run: RunInView, found: exports.Exports, name: str) -> None:
    """The report as a table and two plots."""
    with st.container(key="panel_serve_table"):
        panel_title("What each format costs", "held-out units; median latency in µs on this machine, its spread below")
        lines = [
            (
                _TITLES[row["format"]],
                "–" if row["bytes"] is None else f"{row['bytes'] / 1e3:.0f}",
                figure(row["ite_rmse"], 4),
                figure(row["factual_mse"], 4),
                "–" if row["bytes"] is None else f"{row['largest_difference']:.1e}",
                f"{row['p50_us']['1']:.0f}",
                f"{row['p50_us']['1024']:.0f}",
            )
            for row in found.rows
        ]
        table(_COLUMNS, lines, strong=1 + found.formats.index(name))
        _left_out()
        quiet(
            "ONNX is the recommended path. PyTorch marks TorchScript and its own quantisation as deprecated; they are "
            "kept for services that load nothing else. int8 saturates beyond the training range."
        )
    left, right = st.columns(2)
    for column, batch, title in (
        (left, "1", "One row: p50 to p99"),
        (right, "1024", "1,024 rows: p50 to p99"),
    ):
        with column, st.container(key=f"panel_serve_latency_{batch}"):
            chart(
                latencies(found.rows, _TITLES, palette(run.theme), batch=batch, chosen=name, title=title),
                f"serve.latency.{batch}",
            )


def use(run: RunInView, found: exports.Exports, name: str, ask_for: Callable[[], None]) -> None:
    """The file, and the commands to type."""
    file = file_name(found.key, found.lam, name)
    inputs = [[round(float(value), 3) for value in row] for row in run.view.x[:2]]
    words, trace = _words(run), "" if run.config.table is not None else trace_said(run.config.scenario)
    if trace:
        inputs = []  # more numbers than anybody reads: they come from a file
    rows = inputs if words is None else examples_of(words.covariates)
    with st.container(key="panel_serve_use"):
        panel_title("Take it to work", FORMATS[name].says)
        try:
            content = found.content(name)
        except OSError:
            st.error("The file was removed meanwhile; export again.")
            return
        with st.container(horizontal=True):
            st.download_button(
                f"Download {FORMATS[name].title}",
                content,
                file,
                "application/octet-stream",
                key="serve.download",
                on_click="ignore",
                type="primary",
            )
            st.button("Measure again", key="serve.again", on_click=ask_for)
        if words is not None:
            quiet(
                "The file carries the names of the columns, their levels, medians and 1 % and 99 % quantiles, and 300 "
                "held-out latents; no row. It is the first of "
                f"{count(run.config.training.replicates, 'fit')}: the effects of the table are their mean."
            )
        serve, ask, local, docker = st.tabs(["Serve", "Ask", "Without this program", "Dockerfile"])
        with serve:
            st.code(f"{INSTALL}\n{exports.serve_command(file)}", language="bash", wrap_lines=True)
            quiet(
                "Both lines are typed in a copy of this program (its folder, with crl_core and "
                "requirements-serve.txt), beside the file. Listens on this machine only; --host 0.0.0.0 and --api-key "
                "open it to others. /docs describes it, "
                "/metrics is for Prometheus."
            )
        with ask:
            st.code(exports.curl(rows), language="bash", wrap_lines=True)
            st.code(exports.python_client(rows), language="python", wrap_lines=True)
            if trace:
                label = _OF_LABEL if run.config.without_effect else ""
                quiet(_SENT.format(trace=trace, most=Settings().max_rows) + label)
            if words is not None:
                quiet(
                    "A row has the table's own columns; what is absent or null is missing, and is filled as in "
                    "training. A level that training did not see counts as (other), and the answer says so."
                )
        with local:
            st.code(exports.python_local(file, name, inputs), language="python", wrap_lines=True)
            if trace:
                quiet(f"traces.csv: a trace a line, {trace}.")
        with docker:
            text = exports.dockerfile(file, name)
            st.code(text, language="docker", wrap_lines=True)
            st.download_button(
                "Dockerfile", text, "Dockerfile", "text/plain", key="serve.dockerfile", on_click="ignore"
            )


def _words(run: RunInView) -> TableSource | None:
    """The table whose columns the model is asked with; None of a simulated world."""
    table = run.config.table
    return table.words if isinstance(table, PrivateRows) else table if isinstance(table, TableSource) else None


def _left_out() -> None:
    if (why := lacking()) is not None:
        quiet(why)
