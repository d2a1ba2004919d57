"""The Unseen page of a label, of which no effect can be wrong: what becomes of it somewhere new."""

from __future__ import annotations

import numpy as np
import streamlit as st

from crl_core.data.interventions import EVERY, first_dose, limits, offered
from crl_core.figures import along_lam, palette
from crl_core.measures.prediction import ROWS, accuracy_after
from pages.shared import edits_panel, effects_unjudged, prediction_panel, server_cache
from pages.shared.run_view import RunInView, page_header
from pages.shared.style import notice, panel_title, quiet
from pages.shared.tables import chart, say

_USED = ("nuisance", "cause", "machine")  # the rest changes no label and no x, or is one environment alone
_FIRST = ("lamp", "hum")  # shown first where it is offered
_WHAT, _DOSE = "unseen.label_what", "unseen.label_dose"


def draw(run: RunInView) -> None:
    """The whole page."""
    page_header(
        "Unseen environment",
        f"{run.naming.title}: the outcome is a yes or no that treatment has no part in, so no effect can be wrong "
        "somewhere new; a label can.",
        None,
        effects_unjudged.label_numbers(run),
    )
    prediction_panel.draw(run)
    with st.container(key="panel_doses"):
        st.fragment(_doses)(run)
    edits_panel.draw(run)
    if run.config.scenario.observation == "covariates":
        notice(
            "Nothing to record again", "x is covariates here: no machine stands between the patient and the network."
        )


def _doses(run: RunInView) -> None:
    """How often each λ is right after an intervention, at a dose."""
    scenario, result = run.config.scenario, run.result
    panel_title("One thing changes", "the same world after an intervention; which labels are right is known only here")
    known = [name for name, item in offered(scenario).items() if item.on in _USED]
    if st.session_state.get(_WHAT, known[0]) not in known:  # of a world that is seen otherwise
        st.session_state[_WHAT] = _first(known)
    left, right = st.columns([2, 3])
    with left:
        name = st.selectbox(
            "What changes",
            known,
            key=_WHAT,
            index=known.index(_first(known)),
            format_func=lambda item: EVERY[item].title,
            persist_state="session",
        )
        item, (low, high) = EVERY[name], (float(end) for end in limits(scenario, name))
        key = f"{_DOSE}.{name}"
        if key in st.session_state:
            st.session_state[key] = min(max(st.session_state[key], low), high)
        dose = st.slider(
            item.dose[:1].upper() + item.dose[1:],
            low,
            high,
            float(first_dose(scenario, name)),
            step=0.25,
            key=key,
            persist_state="session",
        )
        say(item.sentence)
    found = _accuracy(run.key, name, dose, run)
    at = result.lams.index(run.lam)
    with right:
        drawn = along_lam(
            result.lams,
            result.by_lam(found),
            result.by_lam(result.status),
            run.lam,
            palette(run.theme),
            title=f"Right labels: {item.at.format(d=f'{dose:g}'.replace('-', '−'))}",
            y_title="accuracy",
            linear=(0.0, 1.0),
        )
        chart(drawn, "unseen.label_along")
        quiet(f"{_said(result.by_lam(found), result.lams, at)}{ROWS:,} rows, drawn with each replicate's seed.")


def _first(known: list[str]) -> str:
    return next((name for name in _FIRST if name in known), known[0])


def _said(accuracy: np.ndarray, lams: tuple[float, ...], at: int) -> str:
    """The share at the first λ and at the λ in view, medians over replicates; "" where one has none."""
    first, here = (float(np.median(accuracy[:, place])) for place in (0, at))
    if not np.isfinite([first, here]).all():
        return ""
    before = f"{100 * first:.1f} % at λ = {lams[0]:g} and " if at else ""
    return f"Right are {before}{100 * here:.1f} % at λ = {lams[at]:g}, in view. "


@server_cache.pictures
@st.cache_resource(max_entries=16, show_spinner=False)
def _accuracy(key: str, name: str, dose: float, _run: RunInView) -> np.ndarray:
    return accuracy_after(_run.result, name, dose)
