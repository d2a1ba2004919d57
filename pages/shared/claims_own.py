"""A claim about the run in view, made on the page: chosen, judged on its stored replicates, and written to be kept."""

from __future__ import annotations

import streamlit as st

from crl_core.figures import claim_strips
from crl_core.figures.palette import palette
from crl_core.measures.intervals import FEWEST
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunCorrupted, RunNotFound
from crl_core.studies.claims import QUANTITIES, Measured
from crl_core.studies.claims_own import COMMAND, entry_of, measured_on, not_in_the_entry, own_claim
from pages.shared import job_panel, server_cache, style
from pages.shared.asked import Controls
from pages.shared.claims_matrix import mark
from pages.shared.folds import fold


def about_my_run(asked: Controls) -> None:
    """A panel with the claim's four choices, its verdict, and its entry for the list."""
    with st.container(key="panel_claims_own"):
        style.panel_title(
            "A claim about your run",
            "Choose what is measured, where, and the bound; it is judged on the replicates of the run in view.",
        )
        if asked.config is None:
            st.error(style.plain(asked.problem or "These settings cannot be trained."))
        elif job_panel.state_of(asked.config.key).phase not in ("finished", "completed"):
            style.quiet(
                f"{asked.naming.title}, as it is set now, has not been trained yet. Train it first; the claim is then "
                "judged here."
            )
        else:
            _form(asked)


def _form(asked: Controls) -> None:
    config = asked.config
    assert config is not None
    lams = config.training.lams
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="claims_own"):
        quantity = st.selectbox(
            "Quantity",
            list(QUANTITIES),
            key="claims.own_quantity",
            format_func=lambda name: QUANTITIES[name].title,
            width=360,
            persist_state="session",
        )
        lam = st.selectbox(
            "At λ",
            lams,
            index=lams.index(asked.lam),
            key=f"claims.own_lam.{config.key}",
            format_func=lambda value: f"{value:g}",
            width=110,
            disabled=QUANTITIES[quantity].whole_path,
        )
        holds_if = st.segmented_control(
            "Is",
            ["below", "above"],
            default="below",
            key="claims.own_is",
            required=True,
            persist_state="session",
        )
        bound = st.number_input(
            "Bound",
            value=0.1,
            step=0.05,
            format="%.12g",
            key="claims.own_bound",
            width=140,
            persist_state="session",
        )
    try:
        claim = own_claim(config, quantity, lam, holds_if or "below", bound)
        run = server_cache.load(config.key)
        found = measured_on(claim, run, server_cache.evidence_stored(config.key))
    except (ValueError, StoreError, RunCorrupted, RunNotFound) as error:
        st.error(style.plain(str(error)[:1].upper() + str(error)[1:]))
        return
    _answer(found)
    lost = not_in_the_entry(config)

    def kept() -> None:
        style.quiet(
            "Add this entry to crl_core/studies/claims.toml, give it an id and a source, and measure it on new "
            f"replicates with the command below. {lost}"
        )
        st.code(entry_of(claim), language="toml")
        st.code(COMMAND, language="bash")

    fold("Keep this claim", "claims.own_entry", kept)


def _answer(found: Measured) -> None:
    """The verdict in words, with the strip that it is read from."""
    colours, claim, n = palette(style.theme()), found.claim, len(found.values)
    few = n < FEWEST
    verdict = "undecided" if few else found.verdict
    low, high = (claim_strips.number(end) for end in found.interval)
    line = claim_strips.strip(
        found.values,
        median=found.median,
        interval=found.interval,
        threshold=claim.threshold,
        holds_if=claim.holds_if,
        label=claim.measured_as(),
        colours=colours,
    )
    replicates = style.count(n, "replicate")
    why = f"{replicates}; a verdict needs {FEWEST}" if few else f"median {claim_strips.number(found.median)}"
    says = f"{why}<br>" + ("" if few else f"[{low}, {high}], {replicates}")
    st.html(
        f"{claim_strips.CSS}<style>.crl-own {{ display: flex; gap: .4rem 1.6rem; align-items: center; flex-wrap: wrap;"
        f" }} .crl-own > .crl-strip {{ flex: 1 1 18rem; max-width: 40rem; }} .crl-own p {{ margin: 0; }}</style>"
        f'<div class="crl-own" style="--ink:{colours["text"]}">{line}<div>'
        f'<p style="font-weight:650;display:flex;gap:.45rem;align-items:center">{mark(verdict)}{verdict}</p>'
        f'<p class="crl-quiet">{says}</p></div></div>'
    )
