"""Which well-known claims hold? Each one measured over seeds, with the threshold that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from crl_core.jobs.ensure_runs import RunsFailed, missing
from crl_core.runs.sealing import StoreError
from crl_core.studies import claims_run
from crl_core.studies.claims import load_claims
from crl_core.studies.claims_run import SEEDS, answer_to, baked_claims, baked_problems, cautions, runs_of
from crl_core.studies.study_claims import all_claims
from pages.shared import claims_rows, many_runs, page_header, require, server_cache, style
from pages.shared.run_view import warn

_DEFINITIONS = """
**Verdict**: from the 95 % bootstrap interval of the median over seeds. *Holds*: all of it lies on the claim's side of
the threshold; *does not hold*: all of it on the other; *undecided*: it contains the threshold, so more seeds are
needed. No verdict below five seeds. **Rates** (how often a monitor alarms): the mean over seeds, with an interval over
seeds and batches (Korn and Graubard’s, after Clopper and Pearson), so that one seed that alarms all the time counts.

**A seed** is a replicate of a batched run: other data, other initial weights, other batches. Every dot is one; the bar
is the interval, the tick the median, the shaded side is where the claim is true.

**Ratios** compare two λ, or two worlds, seed by seed. A model that diverged has an infinite error; a value that is not
defined because of it counts against the claim.

**Laboratories** (unseen environments, penalties, identifiability) measure in their own way; each has its own list.

**Adding a claim** is adding one entry to `crl_core/studies/claims.toml`, or to the laboratory's
`crl_core/studies/<name>_claims.toml`.
"""

require()


def main() -> None:
    seeds = st.session_state.get("claims.seeds") or SEEDS
    wanted = runs_of(load_claims(), seeds)
    baked = baked_claims(server_cache.store().baked)
    content, where = None, ""
    try:
        if not missing(wanted, server_cache.store()):
            content = server_cache.claims_measured(seeds, server_cache.stamp(wanted))
            where = f"Measured on this machine, {claims_run.seeds_of(content)}."
            labs = () if baked is None else tuple(entry for entry in baked["claims"] if entry.get("lab"))
            content = {**content, "claims": [*content["claims"], *labs]}
    except (RunsFailed, StoreError) as error:
        st.error(str(error))
    if content is None and baked is not None:
        content = baked
        where = f"Measured before the program was shipped, {claims_run.seeds_of(baked)}."
    head(content)
    if problems := baked_problems(server_cache.store().baked):
        st.error(problems)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            "Seeds",
            [5, 10, 20],
            default=SEEDS,
            key="claims.seeds",
            required=True,
            width="content",
            help="Replicates in each batched run; more seeds, narrower intervals.",
        )
        many_runs.panel(f"claims.runs.{seeds}", wanted, start="Put them to the test here", again=content is not None)
    if content is None:
        style.notice(
            "Nothing has been measured yet",
            "Run the claims here; each takes its place as a row of this page.",
        )
        return
    style.quiet(
        f"{where} Shaded: where the claim is true. A dot is a seed; tick and bar are their median (of rates the "
        "mean) and its 95 % interval."
    )
    warn(cautions(all_claims(), content))
    claims_rows.panels(load_claims(), content)


def head(content: Mapping[str, Any] | None) -> None:
    entries = [] if content is None else [answer_to(claim, content) for claim in all_claims()]
    verdicts = [entry["verdict"] for entry in entries if entry is not None]
    figures = [(str(verdicts.count(name)), name) for name in claims_rows.MARKS if content is not None]
    page_header(
        "Claims put to the test",
        "What teaching material says about these worlds, as exact statements with a threshold, each measured over "
        "seeds. "
        "Which world a claim is made in decides most of them.",
        _DEFINITIONS,
        figures,
    )


main()
