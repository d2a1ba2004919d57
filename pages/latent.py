"""Do the environments overlap in latent space, and what does the latent still know?"""

from __future__ import annotations

import streamlit as st

from crl_core.measures.probe_words import p_text
from pages.shared import (
    figure,
    latent_covariates,
    latent_live,
    latent_panels,
    page_header,
    quiet,
    require,
    run_in_view,
    trace_viewer,
)

require()
run = run_in_view(live=latent_live.draw)
waiting = "being computed" if run.computing else "not computed"


def measured(name: str) -> float | None:
    """A figure of the run's evidence at the λ in view."""
    return None if run.evidence is None else run.at_lam(run.evidence[name])


p_value = None if run.evidence is None else run.p_at_lam(run.evidence["mmd2_p"])
page_header(
    f"Held-out rows as the encoder sees them at λ = {run.lam:g}, beside the inputs it was given. A mixed picture "
    "proves nothing by itself, so three measures and two probes stand beside it.",
    [
        (f"{run.lam:g}", "λ shown"),
        (figure(measured("domain_auc"), 2), "domain AUC"),
        (figure(measured("knn_mixing"), 2), "kNN mixing"),
        (figure(run.at_lam(run.mmd2)), "MMD²"),
        ("–" if p_value is None else p_text(p_value), "p of MMD²"),
    ],
)

with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    layout = st.segmented_control(
        "Layout",
        ["t-SNE", "PCA"],
        default="t-SNE",
        required=True,
        key="latent.layout",
        persist_state="session",
    )
    colour = st.segmented_control(
        "Colour by",
        ["environment", "treatment", *latent_covariates.colours_of(run)],
        default="environment",
        required=True,
        key="latent.colour",
        persist_state="session",
    )
    beside = trace_viewer.beside(run)
    colour, rows = latent_covariates.coloured(run, colour or "environment")
if layout == "t-SNE" and run.projection is None:
    quiet(f"t-SNE is {waiting}; PCA stands in for it.")
    layout = "PCA"
latent_panels.pictures(run, layout, colour, rows, beside)

if run.evidence is None:
    quiet(f"Domain AUC, kNN mixing, p-values and probes are {waiting}. MMD² at this λ: {figure(run.at_lam(run.mmd2))}.")
else:
    latent_panels.measures(run, run.evidence)
    if run.view.z is not None and run.view.s is not None:
        latent_panels.probes_along_lam(run, run.evidence)
if run.config.table is not None:
    latent_covariates.kept(run)
