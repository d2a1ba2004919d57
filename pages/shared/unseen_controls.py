"""Controls of the Unseen page: what changes, how much of it, and on how many rows."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from crl_core.config import Scenario
from crl_core.data.interventions import EVERY, Intervention, first_dose, limits, offered
from crl_core.studies.detection_rates import SIZES

_DRAW = "unseen.draw"  # number of the batch, counted up by the button


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An intervention at a dose, on the batch number `draw` of `n` rows."""

    intervention: Intervention
    dose: float
    n: int
    draw: int


def asked_deployment(scenario: Scenario) -> Asked:
    """Draw the controls."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="unseen_controls"):
        known = list(offered(scenario))
        name = st.selectbox(
            "What changes",
            known,
            key="unseen.what",
            index=known.index("hum" if "hum" in known and scenario.outcome == "binary" else "s-mean"),
            width=330,
            format_func=lambda item: EVERY[item].title,
            persist_state="session",
        )
        item = EVERY[name]
        dose = _dose(item, *limits(scenario, name), first_dose(scenario, name))
        n = st.segmented_control(
            "Rows", list(SIZES), default=200, key="unseen.n", required=True, persist_state="session"
        )
        st.button("Another draw", key="unseen.again", on_click=_again)
    return Asked(intervention=item, dose=dose, n=int(n or 200), draw=int(st.session_state.get(_DRAW, 0)))


def _dose(item: Intervention, low: float, high: float, start: float) -> float:
    """A slider, where there is a dose to choose."""
    if low == high:
        return start
    number, step = (int, 1) if item.id == "site" else (float, 0.25)
    dose = st.slider(
        item.dose[:1].upper() + item.dose[1:],
        number(low),
        number(high),
        number(start),
        step=step,
        key=f"unseen.dose.{item.id}",
        width=420,
        persist_state="session",
    )
    return float(dose)


def _again() -> None:
    st.session_state[_DRAW] = int(st.session_state.get(_DRAW, 0)) + 1
