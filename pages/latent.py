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

_DEFINITIONS = """
**Latent** φ(x): what the encoder makes of the covariates, 16 numbers a row unless the run says otherwise. Heads
predict both outcomes from it, and the penalty looks at nothing else.

**t-SNE** keeps neighbours together; distances between clouds, and their sizes, mean nothing. Each λ starts from its
neighbour's layout, so that moving λ moves points. **PCA** shows the two directions of largest variance.

**Domain AUC**: how well a classifier tells the groups apart from the latent, cross-validated in three folds; the
largest of three: 15 nearest neighbours, ridge regression, and boosting, the last two on whitened latents, where a
difference of small spread counts as much as one of large spread. 0.5: none can; 1: one always can. By chance alone the
largest of three lies a few hundredths above 0.5.

**kNN mixing**: the share of a row's 15 nearest neighbours that come from other groups, over the share that full mixing
would give. 0: apart; 1: fully mixed.

**MMD²**: Gaussian kernel exp(−‖a − b‖² / 2h²), biased estimate (diagonal included), no root taken, h the median
distance in the pooled sample, mean over pairs of groups, on at most 400 held-out rows. p by 200 permutations,
(k + 1) / (n + 1), so never zero. One p of several replicates: twice their mean (Vovk, Wang 2020), valid however they
depend on each other, which their mean or median is not; in brackets the least and the largest.

**R²** of z and of s: the better of ridge regression and 15 nearest neighbours, cross-validated on held-out rows. With
several dimensions, z and s are taken along the unit directions with which they enter the equations.

**R²** of a table's covariates: ridge regression from the latent, cross-validated on held-out rows; forgotten is one
that could be read without a penalty (.25 or more) and has less than half of that left.

**Use of s**: root mean square over held-out rows of ∂τ̂/∂s̄ and of ∂ŷ/∂s̄ (under the treatment received), as s̄ moves and
z stays, in units of the outcome. What can be read need not be used. In truth the effect never depends on s.

**Effective rank**: exp of the entropy of the normalised singular values of the centred latents (Roy, Vetterli 2007).
"""

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
    _DEFINITIONS,
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
