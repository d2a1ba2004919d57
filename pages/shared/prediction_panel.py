"""How often a label is right along λ: in the trial, in a next hospital, and where the machine says the opposite."""

from __future__ import annotations

import numpy as np
import streamlit as st

from crl_core.figures import Level, along_lam, palette
from crl_core.measures.prediction import PLACES, THE_CAUSE, WORDS, Prediction, said
from pages.shared.lam_tap import chart_along
from pages.shared.model_views import predicted
from pages.shared.run_view import RunInView
from pages.shared.style import panel_title, quiet
from pages.shared.tables import say

_EXPLAINED = (
    "A next hospital: s is drawn around the mean of the offsets with standard deviation 1, whatever the label is, and "
    "half of its patients have it. Reversed: s is turned over, so that whatever the machine said of the label, it says "
    "the opposite. The line is the best accuracy in the trial of anyone who knows the cause and nothing else."
)


def draw(run: RunInView) -> None:
    """The panel; nothing where treatment has a part in the outcome, or no world is known to draw other places of."""
    if not run.config.without_effect:
        return
    found, result = predicted(run), run.result
    with st.container(key="panel_prediction"):
        panel_title(
            "Where is it right?", "share of labels that are right, along λ; only a simulation has the other hospitals"
        )
        for column, place in zip(st.columns(len(PLACES)), PLACES, strict=True):
            ceiling = [Level(name="", value=found.ceiling, truth=True)] if found.ceiling else []
            with column:
                drawn = along_lam(
                    result.lams,
                    result.by_lam(found.accuracy[place]),
                    result.by_lam(result.status),
                    run.lam,
                    palette(run.theme),
                    title=WORDS[place][0].upper() + WORDS[place][1:],
                    y_title="accuracy",
                    linear=(0.0, 1.0),
                    references=ceiling if place == "trial" else [],
                )
                chart_along(drawn, f"prediction.{place}", result.lams)
        cause = THE_CAUSE[run.config.scenario.observation]
        if sentence := said(found, result.lams.index(run.lam), run.lam, cause):
            say(sentence)
        quiet(f"{_auc_said(run, found)}{_EXPLAINED}")


def _auc_said(run: RunInView, found: Prediction) -> str:
    """AUC at the λ in view, median over replicates, of each place; "" where a model has none."""
    at = run.result.lams.index(run.lam)
    values = {place: float(np.median(run.result.by_lam(found.auc[place])[:, at])) for place in PLACES}
    if not np.isfinite(list(values.values())).all():
        return ""
    each = ", ".join(f"{value:.2f} {WORDS[place]}" for place, value in values.items())
    return f"AUC at λ = {run.lam:g}: {each}. "
