"""Do the environments overlap in latent space, and what does the latent still know?"""

from __future__ import annotations

import numpy as np
import streamlit as st

from crl_core.data.scm import along
from crl_core.figures import Rows, along_lam, embedding, outside, palette
from crl_core.measures.probe_words import p_text, what_the_latent_knows
from pages.shared import RunInView, figure, page_header, quiet, require, run_in_view
from pages.shared.model_views import pca_layout, tsne_layout
from pages.shared.tables import beyond, chart, say, table

_DEFINITIONS = """
**Latent** φ(x): what the encoder makes of the covariates, 16 numbers a row unless the run says otherwise. Heads
predict both outcomes from it, and the penalty looks at nothing else.

**t-SNE** keeps neighbours together; distances between clouds, and their sizes, mean nothing. Each λ starts from its
neighbour's layout, so that moving λ moves points. **PCA** shows the two directions of largest variance.

**Domain AUC**: a classifier of 15 nearest neighbours tells the groups apart from the latent, cross-validated in three
folds. 0.5: it cannot; 1: it always can.

**kNN mixing**: the share of a row's 15 nearest neighbours that come from other groups, over the share that full mixing
would give. 0: apart; 1: fully mixed.

**MMD²**: Gaussian kernel exp(−‖a − b‖² / 2h²), biased estimate (diagonal included), no root taken, h the median
distance in the pooled sample, mean over pairs of groups, on at most 400 held-out rows. p by 200 permutations,
(k + 1) / (n + 1), so never zero.

**R²** of z and of s: the better of ridge regression and 15 nearest neighbours, cross-validated on held-out rows. With
several dimensions, z and s are taken along the unit directions with which they enter the equations.
"""

require()
run = run_in_view("Latent space")
ink = palette(run.theme)
evidence = run.evidence
groups = "environments" if run.config.training.align == "environment" else "treatment arms"
waiting = "being computed" if run.computing else "not computed"


def head(run: RunInView) -> None:
    def of(name: str) -> float | None:
        return run.at_lam(evidence[name]) if evidence else None

    page_header(
        "Latent space",
        f"Held-out rows as the encoder sees them at λ = {run.lam:g}, beside the inputs it was given. A mixed picture "
        f"proves "
        "nothing by itself, so three measures and two probes stand beside it.",
        _DEFINITIONS,
        [
            (f"{run.lam:g}", "λ in view"),
            (figure(of("domain_auc"), 2), "domain AUC"),
            (figure(of("knn_mixing"), 2), "kNN mixing"),
            (figure(run.at_lam(run.mmd2)), "MMD²"),
            (p_text(value) if (value := of("mmd2_p")) is not None else "–", "p of MMD²"),
        ],
    )


def pictures(run: RunInView) -> None:
    """The latent in view and the input, laid out and coloured alike."""
    view = run.view
    amounts = {} if view.z is None or view.s is None else {"z": along(view.z), "s": along(view.s)}
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
            ["environment", "treatment", *amounts],
            default="environment",
            required=True,
            key="latent.colour",
            persist_state="session",
        )
    if layout == "t-SNE" and run.projection is None:
        quiet(f"t-SNE is {waiting}; PCA stands in for it.")
        layout = "PCA"
    laid = tsne_layout(run.key, run.projection) if layout == "t-SNE" and run.projection else pca_layout(run)
    rows = Rows(env=view.env, t=view.t, env_names=run.env_names, amounts=amounts)
    why = {
        "diverged": "Training diverged at this λ: there are no latents to show.",
        "collapsed": "The latent has collapsed at this λ: all rows lie on one point.",
    }.get(run.status, "The latents of this model cannot be laid out.")
    latent = embedding(
        laid.xy[run.m],
        rows,
        ink,
        title=f"Latent at λ = {run.lam:g}",
        colour_by=colour,
        limits=laid.limits,
        why_empty=why,
    )
    given = embedding(laid.x, rows, ink, title="Input x, before the encoder", colour_by=colour, limits=laid.x_limits)
    left, right = st.columns(2)
    with left, st.container(key="panel_latent"):
        chart(latent, "latent.phi")
    with right, st.container(key="panel_input"):
        chart(given, "latent.x")
    quiet(_caption(run, layout, outside(latent), len(view)))


def _caption(run: RunInView, layout: str, at_edge: int, n_rows: int) -> str:
    replicates = run.config.training.replicates
    whose = f" of the first of {replicates} replicates" if replicates > 1 else ""
    return (
        f"{layout} of {n_rows} held-out rows{whose}, in the same window for every λ. Directions and units mean "
        f"nothing here, "
        "neighbourhood does." + beyond(at_edge)
    )


def middle(values: np.ndarray, digits: int = 2) -> str:
    """Median, and smallest to largest of several: "0.71 [0.65, 0.78]"; a dash where no value is finite."""
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return "–"
    words = f"{np.median(finite):.{digits}f}"
    return words if len(finite) == 1 else f"{words} [{finite.min():.{digits}f}, {finite.max():.{digits}f}]"


def at_lam(run: RunInView, values: np.ndarray, digits: int = 2) -> str:
    """`middle` of the replicates at the λ in view, of a figure [M]."""
    return middle(run.result.by_lam(np.asarray(values))[:, run.result.lams.index(run.lam)], digits)


def measures(run: RunInView) -> None:
    """The measures in a table: what they are for the input and for the latent, and what that means."""
    if evidence is None:
        quiet(
            f"Domain AUC, kNN mixing, p-values and probes are {waiting}. MMD² at this λ: "
            f"{figure(run.at_lam(run.mmd2))}."
        )
        return
    best_z, best_s = (np.fmax(evidence[f"r2_{name}_ridge"], evidence[f"r2_{name}_knn"]) for name in "zs")
    mmd2_path = run.result.by_lam(run.mmd2)[:, 0]
    finite = mmd2_path[np.isfinite(mmd2_path)]

    def at(values: np.ndarray) -> float:
        found = run.at_lam(values)
        return float("nan") if found is None else found

    say(
        what_the_latent_knows(
            run.lam,
            at(best_z),
            at(best_s),
            at(run.mmd2),
            float(np.median(finite)) if len(finite) else float("nan"),
            at(evidence["mmd2_p"]),
            align=run.config.training.align,
        )
    )
    lines = [
        (
            "domain AUC",
            middle(evidence["x_domain_auc"]),
            at_lam(run, evidence["domain_auc"]),
            f"0.5: the {groups} cannot be told apart; 1: always",
        ),
        (
            "kNN mixing",
            middle(evidence["x_knn_mixing"]),
            at_lam(run, evidence["knn_mixing"]),
            "0: neighbours are of one’s own group; 1: as mixed as chance",
        ),
        ("MMD²", middle(evidence["x_mmd2"], 3), at_lam(run, run.mmd2, 3), "can be small while s stays readable"),
        (
            "p of MMD²",
            middle(evidence["x_mmd2_p"], 3),
            at_lam(run, evidence["mmd2_p"], 3),
            "small: two samples of one distribution rarely differ so much",
        ),
        ("R² of z", "–", at_lam(run, best_z), "how well the cause can be read from the latent"),
        ("R² of s", "–", at_lam(run, best_s), "how well the nuisance can be read from the latent"),
        (
            "latent norm",
            "–",
            at_lam(run, evidence["latent_norm"]),
            "MMD² falls also where the latent shrinks as a whole",
        ),
        ("effective rank", "–", at_lam(run, evidence["effective_rank"], 1), "directions that the latent really uses"),
    ]
    with st.container(key="panel_measures"):
        table(["Measure", "input x", f"latent, λ = {run.lam:g}", "What it says"], lines, words_from=3)
        if run.config.training.replicates > 1:
            quiet(f"Median [smallest, largest] of {run.config.training.replicates} replicates, held-out rows.")
    along_the_path(run, best_z, best_s)


def along_the_path(run: RunInView, best_z: np.ndarray, best_s: np.ndarray) -> None:
    """What the probes read at every λ."""
    columns = st.columns(2)
    names = (
        ("z", "R² of the cause z", best_z),
        ("s", "R² of the nuisance s", best_s),
    )
    for column, (name, title, values) in zip(columns, names, strict=True):
        drawn = along_lam(
            run.result.lams,
            run.result.by_lam(values),
            run.result.by_lam(run.result.status),
            run.lam,
            ink,
            title=title,
            y_title="R²",
            linear=(min(0.0, float(np.nanmin(values, initial=0.0))) - 0.03, 1.04),
        )
        with column, st.container(key=f"panel_r2_{name}"):
            chart(drawn, f"latent.r2_{name}")


head(run)
pictures(run)
measures(run)
