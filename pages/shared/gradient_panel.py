"""Where a network looks: the gradient of its answer in the trace that is edited, its spectrum, and the hum's share."""

from __future__ import annotations

import numpy as np
import streamlit as st

from crl_core.data.ecg import folded
from crl_core.data.scm import MultiEnvData
from crl_core.figures import Level, along_lam, gradient_spectrum, palette, trace_gradient
from crl_core.figures.axes import Range
from crl_core.measures.saliency import BAND_HZ, gradient, smoothed
from crl_core.measures.saliency_words import LIMITS, PICTURE, hum_place_said, looked_said
from pages.shared.folds import fold
from pages.shared.model_views import looked
from pages.shared.run_view import RunInView
from pages.shared.style import quiet
from pages.shared.tables import chart, say


def draw(run: RunInView, rows: MultiEnvData, row: int, limits: Range) -> None:
    """Folded until it is asked for, and nothing is computed until then.

    row:    of the held-out rows `rows`.
    limits: of mV, for every one of their traces.
    """

    def drawn() -> None:
        columns = st.columns(3)
        with columns[0]:
            _trace(run, rows.rows(np.array([row])), row, limits)
        with columns[1]:
            _spectrum(run)
        with columns[2]:
            _along(run)
        say(looked_said(looked(run), run.result.lams, run.lam, label=run.config.source.two_outcomes))
        quiet(f"{LIMITS} {PICTURE} {hum_place_said(run.config.scenario)}")

    fold("Where it looks: the gradient, and what it cannot show", "edits.gradient", drawn)


def _trace(run: RunInView, one: MultiEnvData, row: int, limits: Range) -> None:
    label, env = run.config.source.two_outcomes, int(one.env[0])
    found = gradient(run.result, one, run.result.lams.index(run.lam))[0]
    drawn = trace_gradient(
        one.x[0],
        found,
        smoothed(found),
        run.config.scenario.rate,
        env,
        limits,
        palette(run.theme),
        title=f"Row {row + 1}: gradient at λ = {run.lam:g}",
        unit="logit of ŷ, per mV" if label else "τ̂, per mV",
    )
    chart(drawn, "edits.gradient_trace")


def _spectrum(run: RunInView) -> None:
    first, lams, scenario = looked(run)[0], run.result.lams, run.config.scenario
    place = folded(scenario.hum_hz, scenario.rate)
    drawn = gradient_spectrum(
        first.hz,
        {f"λ = {lam:g}": first.power[lams.index(lam)] for lam in (lams[0], run.lam)},
        (place - BAND_HZ, place + BAND_HZ),
        1 / len(first.hz),
        palette(run.theme),
        title="Spectrum of the gradient",
    )
    chart(drawn, "edits.gradient_spectrum")


def _along(run: RunInView) -> None:
    found, status = looked(run), run.result.by_lam(run.result.status)
    drawn = along_lam(
        run.result.lams,
        np.array([of.at_hum for of in found]),
        status[: len(found)],
        run.lam,
        palette(run.theme),
        title="Share of it at the hum",
        y_title="share of the spectrum",
        linear=(0.0, 1.0),
        references=[Level(name="", value=found[0].white)],
    )
    chart(drawn, "edits.gradient_along")
