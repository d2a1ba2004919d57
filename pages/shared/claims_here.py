"""What is known of the claims: measured on this machine, or as shipped; and the panel that measures them here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from crl_core.jobs.ensure_runs import RunsFailed, Wanted, missing
from crl_core.runs.sealing import StoreError
from crl_core.studies import claims_run
from crl_core.studies.claims_run import SEEDS, baked_claims
from pages.shared import many_runs, server_cache
from pages.shared.style import plain


def known_answers(seeds: int, wanted: Wanted) -> tuple[Mapping[str, Any] | None, str]:
    """The answers as measured on this machine, else as they were shipped, and a sentence on which."""
    baked = baked_claims(server_cache.store().baked)
    try:
        if not missing(wanted, server_cache.store()):
            content = server_cache.claims_measured(seeds, server_cache.stamp(wanted))
            labs = () if baked is None else tuple(entry for entry in baked["claims"] if entry.get("lab"))
            where = f"Measured on this machine, {claims_run.seeds_of(content)}."
            return {**content, "claims": [*content["claims"], *labs]}, where
    except (RunsFailed, StoreError) as error:
        st.error(plain(str(error)))
    if baked is None:
        return None, ""
    return baked, f"Measured before the program was shipped, {claims_run.seeds_of(baked)}."


def panel(seeds: int, wanted: Wanted, *, again: bool) -> None:
    """The claims about λ paths, trained and measured on this machine."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="claims_here"):
        st.segmented_control(
            "Replicates",
            [5, 10, 20],
            default=SEEDS,
            key="claims.seeds",
            required=True,
            width="content",
            help="Replicates in each run; more replicates, narrower intervals.",
        )
        many_runs.panel(f"claims.runs.{seeds}", wanted, start="Put them to the test here", again=again)
