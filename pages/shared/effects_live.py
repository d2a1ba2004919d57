"""The Effects page while its run trains: what the network says by now of the rows that are looked at."""

from __future__ import annotations

import numpy as np
import streamlit as st

from crl_core.figures import effect_distribution, effect_limits, effects_by_env, estimated_against_true, tallest_bin
from crl_core.measures.effect_scores import is_constant
from crl_core.measures.so_far import Views
from crl_core.measures.view_samples import LookedAt
from crl_core.metrics import METRIC
from pages.shared import effects_panels, live_views, path_live
from pages.shared.live_views import Live
from pages.shared.run_view import page_header
from pages.shared.style import quiet
from pages.shared.tables import chart


def draw(live: Live) -> None:
    label = live.config.without_effect
    error = "factual_mse" if live.curves.error_name == "validation_mse" else live.curves.error_name
    page_header(
        "In training: what the network says by now "
        + ("of each row's label." if label else "treatment does to each held-out row."),
        [(f"{live.lam:g}", "λ shown"), (live.figure(error), METRIC[error].word)],
    )
    live.progress()
    if live.seen is None:
        live_views.waits()
        return
    views, at = live.seen
    left, right = st.columns([11, 9])
    with left, st.container(key="panel_effects_scatter", height="stretch"):
        _estimates(live, views, at)
        live.says(len(at.rows), None if label or at.rows.ite is None else "ite_rmse")
    with right, st.container(key="panel_effects_errors", height="stretch"):
        path_live.along(live, METRIC[error], "effects")
        quiet("Held out, by now; median and range over the replicates.")
    if at.plane is not None and views.plane is not None:
        maps = at.plane.under(views.plane)
        effects_panels.planes(maps, maps.tau_hat[live.at], at.rows, live.lam, live.asked.env_names, live.ink)
        quiet(
            "Vertical bands: the predicted effect depends on z alone, not on s. Where no points lie, a map is a guess."
        )
    else:
        quiet(
            "Treatment has no part in this outcome, so there is no effect, and no map of it."
            if label
            else "There is no effect map: the equations of this data are not known."
        )


def _estimates(live: Live, views: Views, at: LookedAt) -> None:
    """Against the truth where it is known; else, or where it is one number, their distribution."""
    rows, names, ink, here = at.rows, live.asked.env_names, live.ink, views.effects[live.at]
    if live.config.without_effect or rows.ite is None:
        what = "Probability of yes" if live.config.without_effect else "Estimated effects"
        chart(effects_by_env(here[None], rows.env, names, ink, title=f"{what} at λ = {live.lam:g}"), "effects.rows")
        return
    with np.errstate(invalid="ignore", over="ignore"):  # of a diverged model
        limits = effect_limits(rows.ite, views.effects)
        if is_constant(rows.ite):
            drawn = effect_distribution(
                here,
                float(rows.ite.mean()),
                rows.env,
                names,
                ink,
                limits=limits,
                tallest=tallest_bin(views.effects, rows.env, limits),
                title=f"Estimated effects at λ = {live.lam:g}",
            )
            chart(drawn, "effects.distribution")
            return
    title = f"Estimated against true, λ = {live.lam:g}"
    chart(
        estimated_against_true(rows.ite, here, rows.env, rows.t, names, ink, limits=limits, title=title),
        "effects.scatter",
    )
