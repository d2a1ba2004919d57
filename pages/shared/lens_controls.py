"""Controls of the MMD lens: a convention, choice by choice or all at once by its name."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from crl_core.measures.mmd_conventions import RULES, Convention, rule_of, rule_text

_NAMED = "lens.named"
OWN = "this dashboard"


def chosen(named: Mapping[str, Convention]) -> Convention:
    """The convention of the controls, at first this dashboard's. Raises ValueError for a bandwidth that is none."""
    slot = st.container()
    with (
        st.expander("Choose how the MMD is computed"),
        st.container(horizontal=True, gap="small", vertical_alignment="bottom", key="lens_parts"),
    ):
        parts = _parts(named[OWN])
    convention, problem = None, ""
    try:
        convention = _spelled(*parts)
    except ValueError as error:
        problem = str(error)
    with slot:
        st.session_state[_NAMED] = name_of(convention, named)
        st.segmented_control("Read it as", list(named), key=_NAMED, on_change=_take, args=(named,))
    if convention is None:
        raise ValueError(problem)
    return convention


def name_of(convention: Convention | None, named: Mapping[str, Convention]) -> str | None:
    """What a convention is called; None for one that has no name."""
    return next((name for name, known in named.items() if known == convention), None)


def _parts(start: Convention) -> tuple[str | None, str | None, str | None, str | None, str | None]:
    """Estimator, kernel, bandwidth, root and scale of the latents, as the widgets say them."""
    keep = {"persist_state": "session"}
    estimator = st.segmented_control(
        "Estimate", ["biased", "unbiased"], default=start.estimator, key="lens.estimator", required=True, **keep
    )
    kernel = st.segmented_control(
        "Kernel", ["exp(−d²/2h²)", "exp(−d²/h²)"], default=start.kernel, key="lens.kernel", required=True, **keep
    )
    home = rule_text(start.bandwidth)
    options = list(RULES) if home in RULES else [home, *RULES]
    bandwidth = st.selectbox(
        "Bandwidth h",
        options,
        index=options.index(home),
        key="lens.bandwidth",
        accept_new_options=True,
        width=240,
        placeholder="a rule or a number",
        **keep,
    )
    root = st.segmented_control("Report", ["MMD²", "MMD"], default="MMD²", key="lens.root", required=True, **keep)
    unit = st.segmented_control(
        "Latents", ["as they are", "length 1"], default="as they are", key="lens.latents", required=True, **keep
    )
    return estimator, kernel, bandwidth, root, unit


def _spelled(
    estimator: str | None, kernel: str | None, bandwidth: str | None, root: str | None, unit: str | None
) -> Convention:
    return Convention(
        estimator=estimator or "biased",
        bandwidth=rule_of(bandwidth),
        kernel=kernel or "exp(−d²/2h²)",
        rooted=root == "MMD",
        unit=unit == "length 1",
    )


def _take(named: Mapping[str, Convention]) -> None:
    """Set every control to the convention that was clicked. For callbacks."""
    name = st.session_state[_NAMED]
    if name is None:
        return
    taken = named[name]
    st.session_state["lens.estimator"] = taken.estimator
    st.session_state["lens.kernel"] = taken.kernel
    st.session_state["lens.bandwidth"] = rule_text(taken.bandwidth)
    st.session_state["lens.root"] = "MMD" if taken.rooted else "MMD²"
    st.session_state["lens.latents"] = "length 1" if taken.unit else "as they are"
