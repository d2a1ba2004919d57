"""The panels of the Latent page: rows laid out in latent and input, measures of overlap, and probes along λ."""

from __future__ import annotations

import numpy as np
import streamlit as st

from crl_core.figures import Units, along_lam, embedding, outside, palette
from crl_core.jobs.ensure_runs import Evidence
from crl_core.measures.intervals import twice_the_mean
from crl_core.measures.probe_words import p_text, what_the_latent_knows
from crl_core.measures.probes import better_r2
from crl_core.metrics import METRIC
from pages.shared import path_panels, trace_viewer
from pages.shared.model_views import pca_layout, tsne_layout
from pages.shared.run_view import RunInView
from pages.shared.style import quiet
from pages.shared.tables import beyond, chart, say, spread, table

_NOTHING_LAID_OUT = {
    "diverged": "Training diverged at this λ: there are no latents to show.",
    "collapsed": "The latent has collapsed at this λ: all rows lie on one point.",
}


def pictures(run: RunInView, layout: str, colour: str, rows: Units, beside: str) -> None:
    """The latent in view and, laid out and coloured alike, the input; or beside it the trace of a row."""
    ink, row = palette(run.theme), trace_viewer.row_in_view(run)
    on_tap = None if row is None else trace_viewer.choose
    laid = tsne_layout(run.key, run.projection) if layout == "t-SNE" and run.projection else pca_layout(run)
    latent = embedding(
        laid.xy[run.m],
        rows,
        ink,
        title=f"Latent at λ = {run.lam:g}",
        colour_by=colour,
        limits=laid.limits,
        why_empty=_NOTHING_LAID_OUT.get(run.status, "The latents of this model cannot be laid out."),
        chosen=row,
    )
    left, right = st.columns(2)
    with left, st.container(key="panel_latent"):
        chart(latent, "latent.phi", on_tap)
    if row is not None and beside == trace_viewer.TRACE:
        with right, st.container(key="panel_trace"):
            trace_viewer.draw(run, row)
    else:
        with right, st.container(key="panel_input"):
            title = "Input x, before the encoder"
            given = embedding(laid.x, rows, ink, title=title, colour_by=colour, limits=laid.x_limits, chosen=row)
            chart(given, "latent.x", on_tap)
    replicates = run.config.training.replicates
    whose = f" of the first of {replicates} replicates" if replicates > 1 else ""
    quiet(
        f"{layout} of {len(run.view)} held-out rows{whose}, in the same window for every λ. Directions and units mean "
        f"nothing here, neighbourhood does.{beyond(outside(latent))}"
    )


def measures(run: RunInView, evidence: Evidence) -> None:
    """What can be read from the latent in view, in a sentence, and every measure of it beside that of the input."""
    known = run.view.z is not None and run.view.s is not None
    without = "z and s of this data are not known, so no probe looks for them; the covariates are looked for below."
    say(_what_it_knows(run, evidence) if known else without)

    def line(name: str, of_input: np.ndarray | None, of_latent: np.ndarray, says: str, digits: int = 2) -> list[str]:
        """A row of the table, of figures [R] of the input and [M] of the models."""
        here = run.result.by_lam(np.asarray(of_latent))[:, run.result.lams.index(run.lam)]
        return [name, "–" if of_input is None else spread(of_input, digits), spread(here, digits), says]

    auc, mixing, norm, rank = (evidence[name] for name in ("domain_auc", "knn_mixing", "latent_norm", "effective_rank"))
    x_auc, x_mixing, x_mmd2, x_p = (evidence[f"x_{name}"] for name in ("domain_auc", "knn_mixing", "mmd2", "mmd2_p"))
    p_says = "small: two samples of one distribution rarely differ so much"
    own_p = run.result.by_lam(evidence["mmd2_p"])[:, run.result.lams.index(run.lam)]
    of_z_and_s = [
        line("R² of z", None, better_r2(evidence, "z"), "how well the cause can be read from the latent"),
        line("R² of s", None, better_r2(evidence, "s"), "how well the nuisance can be read from the latent"),
    ]
    by_each = [f"domain_auc_{name}" for name in ("knn", "ridge", "boosting")]
    of_classifiers = (
        [line(METRIC[name].word, evidence[f"x_{name}"], evidence[name], "one of the three") for name in by_each]
        if set(by_each) <= set(evidence)
        else []
    )  # a run of an older recipe has the first alone
    uses = {
        "use_effect_rms": "∂τ̂/∂s, root mean square: 0 where the effect does not use s, as in truth",
        "use_outcome_rms": "∂ŷ/∂s, likewise, of the treatment received",
    }
    of_use = [line(METRIC[name].word, None, evidence[name], says, 3) for name, says in uses.items() if name in evidence]
    lines = [
        line("domain AUC", x_auc, auc, f"0.5: no classifier tells the {run.groups} apart; 1: one always does"),
        *of_classifiers,
        line("kNN mixing", x_mixing, mixing, "0: neighbours are of one’s own group; 1: as mixed as chance"),
        line("MMD²", x_mmd2, run.mmd2, "can be small while s stays readable", 3),
        ["p of MMD²", _p_words(x_p), _p_words(own_p), p_says],
        *(of_z_and_s if known else ()),
        *of_use,
        line("latent norm", None, norm, "MMD² falls also where the latent shrinks as a whole"),
        line("effective rank", None, rank, "directions that the latent really uses", 1),
    ]
    with st.container(key="panel_measures"):
        table(["Measure", "input x", f"latent, λ = {run.lam:g}", "What it says"], lines, words_from=3)
        if run.config.training.replicates > 1:
            quiet(f"Median [smallest, largest] of {run.config.training.replicates} replicates, held-out rows.")


def probes_along_lam(run: RunInView, evidence: Evidence) -> None:
    """R² of the probes at every λ, and beside that of s, what can be read, how far it is used."""
    used = evidence.get("use_effect_rms")
    columns = st.columns(2 if used is None else 3)
    for column, name, word in zip(columns, "zs", ("cause", "nuisance"), strict=False):
        values = better_r2(evidence, name)
        drawn = along_lam(
            run.result.lams,
            run.result.by_lam(values),
            run.result.by_lam(run.result.status),
            run.lam,
            palette(run.theme),
            title=f"R² of the {word} {name}",
            y_title="R²",
            linear=(min(0.0, float(np.nanmin(values, initial=0.0))) - 0.03, 1.04),
        )
        with column, st.container(key=f"panel_r2_{name}"):
            chart(drawn, f"latent.r2_{name}")
    if used is not None:
        with columns[2], st.container(key="panel_use_of_s"):
            path_panels.along(run, METRIC["use_effect_rms"], "latent")


def _p_words(p_values: np.ndarray) -> str:
    """One p-value of all replicates, and the least and the largest of theirs."""
    known = p_values[np.isfinite(p_values)]
    if len(known) == 0:
        return "–"
    words = p_text(twice_the_mean(known))
    return words if len(known) == 1 else f"{words} [{p_text(known.min())}, {p_text(known.max())}]"


def _what_it_knows(run: RunInView, evidence: Evidence) -> str:
    mmd2_path = run.result.by_lam(run.mmd2)[:, 0]  # at the least λ
    finite = mmd2_path[np.isfinite(mmd2_path)]

    def at(values: np.ndarray) -> float:
        found = run.at_lam(values)
        return float("nan") if found is None else found

    return what_the_latent_knows(
        run.lam,
        at(better_r2(evidence, "z")),
        at(better_r2(evidence, "s")),
        at(run.mmd2),
        float(np.median(finite)) if len(finite) else float("nan"),
        float("nan") if (p := run.p_at_lam(evidence["mmd2_p"])) is None else p,
        align=run.config.training.align,
    )
