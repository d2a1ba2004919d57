"""The Latent page while its run trains: the rows that are looked at, as the encoder sees them by now."""

from __future__ import annotations

import streamlit as st

from crl_core.data.scm import along
from crl_core.figures import Units, embedding
from crl_core.measures.view_samples import layouts
from pages.shared import live_views
from pages.shared.live_views import Live
from pages.shared.run_view import page_header
from pages.shared.tables import chart


def draw(live: Live) -> None:
    page_header(
        f"In training: held-out rows as the encoder sees them by now at λ = {live.lam:g}, beside the inputs it is "
        "given. t-SNE, measures and probes come after training.",
        [(f"{live.lam:g}", "λ shown"), (live.figure("mmd2"), "MMD²")],
    )
    live.progress()
    if live.seen is None:
        live_views.waits()
        return
    views, at = live.seen
    rows = at.rows
    amounts = {} if rows.z is None or rows.s is None else {"z": along(rows.z), "s": along(rows.s)}
    units = Units(env=rows.env, t=rows.t, env_names=live.asked.env_names, amounts=amounts)
    asked = st.session_state.get("latent.colour")
    colour = asked if asked in ("treatment", *amounts) else "environment"
    given = layouts(rows.x[None], None)[0]
    for column, panel, title, xy, reach in zip(
        st.columns(2),
        ("latent", "input"),
        (f"Latent at λ = {live.lam:g}", "Input x, before the encoder"),
        (views.xy[live.at], given),
        (views.reach, float(abs(given).max(initial=1e-9))),
        strict=True,
    ):
        with column, st.container(key=f"panel_{panel}"):
            limits = ((-1.05 * reach, 1.05 * reach),) * 2
            why = "This λ has diverged: there are no latents to lay out."
            drawn = embedding(xy, units, live.ink, title=title, colour_by=colour, limits=limits, why_empty=why)
            chart(drawn, f"latent.{'phi' if panel == 'latent' else 'x'}")
    live.says(len(rows))
