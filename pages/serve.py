"""How is this model taken to work? Every format with its cost, its file, and the commands that serve it."""

from __future__ import annotations

import streamlit as st

from crl_core.export import kept as exports
from crl_core.export.words import FORMATS, INSTALL, ORIGINAL, available, file_name, lacking
from crl_core.figures import palette
from crl_core.figures.formats import latencies
from crl_core.jobs import machine
from pages.shared import page_header, quiet, require, run_in_view, server_cache
from pages.shared.style import figure, notice, panel_title, plain
from pages.shared.tables import chart, say, table

_SAYS = "The network at the λ in view as a file for other programs, and the endpoint that watches its own assumptions."
_DEFINITIONS = """
**ITE RMSE, factual MSE**: of the exported file on held-out rows; *pytorch* is the float32 network that all are compared
with.

**Largest difference**: of any held-out row's ŷ⁰ or ŷ¹ from that network's.

**Latency**: one call in one process on one thread of this machine, NumPy to NumPy; p50, p95 and p99 of 1,000 calls of
one row, or 100 of 1,024.

**Inside each file**: configuration, key, λ, metrics, names and ranges of the features, versions, and 300 held-out
latents that the endpoint compares its traffic with. Send covariates as drawn: whatever standardising they need is in
the first layer. The batch is free.

**Invariance**: the endpoint keeps the newest 200 latents of each environment label and tests them against the held-out
ones; an alarm at p ≤ .05 / 200, so that a label's first 200 tests together alarm falsely with probability of at most
.05.
"""

require()
run = run_in_view("Export & serve")
ink = palette(run.theme)
store = server_cache.store()
_TITLES = {item.id: item.title for item in FORMATS.values()} | {ORIGINAL: "PyTorch, eager"}
folder = exports.folder_of(store, run.result, run.lam)


@st.cache_resource(show_spinner=False)
def exporter() -> exports.Exporter:
    return exports.Exporter()


def offer() -> None:
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
        left_out()


def left_out() -> None:
    if (why := lacking()) is not None:
        quiet(why)


def ask_for() -> None:
    exporter().start(store, run.result, run.lam)


def waits() -> None:
    """A fragment while the export is made; it goes on where the page is left."""
    if not exporter().running(folder):
        st.rerun()
    with st.container(key="panel_serve_busy"):
        panel_title("Writing and measuring", f"λ = {run.lam:g}, replicate 0; about half a minute")
        say("You may leave this page; what is made is kept.")


def three_of(row: dict, batch: str) -> str:  # type: ignore[type-arg]
    return " / ".join(f"{row[name][batch]:.0f}" for name in ("p50_us", "p95_us", "p99_us"))


def costs(found: exports.Exports, name: str) -> None:
    """The report as a table and two plots."""
    with st.container(key="panel_serve_table"):
        panel_title("What each format costs", "held-out rows; latency p50 / p95 / p99 in µs on this machine")
        header = (
            "Format",
            "kB",
            "ITE RMSE",
            "Factual MSE",
            "Largest difference",
            "1 row, µs",
            "1,024 rows, µs",
        )
        lines = [
            (
                _TITLES[row["format"]],
                "–" if row["bytes"] is None else f"{row['bytes'] / 1e3:.0f}",
                figure(row["ite_rmse"], 4),
                figure(row["factual_mse"], 4),
                "–" if row["bytes"] is None else f"{row['largest_difference']:.1e}",
                three_of(row, "1"),
                three_of(row, "1024"),
            )
            for row in found.rows
        ]
        table(header, lines, strong=1 + found.formats.index(name))
        left_out()
        quiet(
            "ONNX is the recommended path. PyTorch marks TorchScript and its own quantisation as deprecated; they are "
            "kept for services that "
            "load nothing else. int8 saturates beyond the training range."
        )
    left, right = st.columns(2)
    for column, batch, title in (
        (left, "1", "One row: p50 to p99"),
        (right, "1024", "1,024 rows: p50 to p99"),
    ):
        with column, st.container(key=f"panel_serve_latency_{batch}"):
            chart(
                latencies(found.rows, _TITLES, ink, batch=batch, chosen=name, title=title),
                f"serve.latency.{batch}",
            )


def use(found: exports.Exports, name: str) -> None:
    """The file, and what to type."""
    file = file_name(found.key, found.lam, name)
    rows = [[round(float(value), 3) for value in row] for row in run.view.x[:2]]
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
        serve, ask, local, docker = st.tabs(["Serve", "Ask", "Without this program", "Dockerfile"])
        with serve:
            st.code(f"{INSTALL}\n{exports.serve_command(file)}", language="bash", wrap_lines=True)
            quiet(
                "Listens on this machine only; --host 0.0.0.0 and --api-key open it to others. /docs describes it, "
                "/metrics is for Prometheus."
            )
        with ask:
            st.code(exports.curl(rows), language="bash", wrap_lines=True)
            st.code(exports.python_client(rows), language="python", wrap_lines=True)
        with local:
            st.code(exports.python_local(file, name, rows), language="python", wrap_lines=True)
        with docker:
            text = exports.dockerfile(file, name)
            st.code(text, language="docker", wrap_lines=True)
            st.download_button(
                "Dockerfile", text, "Dockerfile", "text/plain", key="serve.dockerfile", on_click="ignore"
            )


def main() -> None:
    error = None if run.result.ite_rmse is None else float(run.result.ite_rmse[run.m])
    page_header(
        "Export & serve",
        _SAYS,
        _DEFINITIONS,
        [(f"{run.lam:g}", "λ in view"), (figure(error), "ITE RMSE, replicate 0")],
    )
    if run.status == "diverged":
        notice("There is no model to export", f"At λ = {run.lam:g} training diverged: {run.others}.")
        return
    if exporter().running(folder):
        st.fragment(waits, run_every=1.0)()
        return
    if (problem := exporter().problem(folder)) is not None:
        st.error(plain(problem))
    found = exports.kept(store, run.result, run.lam)
    if found is None:
        offer()
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
    use(found, name or found.formats[0])
    costs(found, name or found.formats[0])


main()
