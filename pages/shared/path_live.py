"""The λ path page while its run trains: every metric that is told of each epoch, along λ, as it is by now."""

from __future__ import annotations

import numpy as np
import streamlit as st

from crl_core.figures import along_lam
from crl_core.metrics import DRAWN, Metric
from pages.shared import live_views
from pages.shared.live_views import Live
from pages.shared.run_view import page_header
from pages.shared.style import quiet
from pages.shared.tables import chart


def draw(live: Live) -> None:
    known = [metric for metric in DRAWN if "epoch" in metric.kept and live.figure(metric.name) != "–"]
    page_header(
        f"In training: every λ at once, {live.config.training.replicates} times over. Rules, regrets and what needs "
        "the finished networks come after training.",
        [(f"{live.lam:g}", "λ shown"), *((live.figure(metric.name), metric.word) for metric in known[:3])],
    )
    live.progress()
    if not live.so_far.epochs or not known:
        live_views.waits()
        return
    with st.container(key=f"panel_path_{'error' if known[0].name == 'ite_rmse' else known[0].name}"):
        along(live, known[0])
    for first in range(1, len(known), 3):
        for column, metric in zip(st.columns(3), known[first : first + 3], strict=False):
            with column, st.container(key=f"panel_path_{metric.name}", height="stretch"):
                along(live, metric)
    quiet(f"Held out, after epoch {live.so_far.epochs[-1].epoch}; median and range over the replicates.")


def along(live: Live, metric: Metric, page: str = "path") -> None:
    """A metric along λ after the last epoch."""
    training, last = live.config.training, live.so_far.epochs[-1]
    shape = (training.replicates, len(training.lams))
    drawn = along_lam(
        training.lams,
        np.asarray(getattr(last, metric.name), dtype=np.float64).reshape(shape),
        last.status.reshape(shape),
        live.lam,
        live.ink,
        title=metric.title if metric.name == "ite_rmse" else metric.heading,
        y_title=metric.word,
        linear=metric.window,
    )
    chart(drawn, f"{page}.{metric.name}")
