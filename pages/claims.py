"""Which well-known claims hold? Each one measured over seeds, with the threshold that it names."""

from __future__ import annotations

import streamlit as st

from crl_core.figures.palette import palette
from crl_core.studies.claims import load_claims
from crl_core.studies.claims_run import SEEDS, baked_problems, cautions, runs_of
from crl_core.studies.study_claims import all_claims
from pages.shared import (
    claims_filter,
    claims_here,
    claims_matrix,
    claims_own,
    claims_rows,
    controls,
    page_header,
    require,
    server_cache,
    style,
)
from pages.shared.run_view import warn

require()


def main() -> None:
    seeds = st.session_state.get("claims.seeds") or SEEDS
    wanted = runs_of(load_claims(), seeds)
    content, where = claims_here.known_answers(seeds, wanted)
    claims = all_claims()
    answers = {} if content is None else claims_rows.answers_to(claims, content)
    verdicts = claims_rows.verdicts_of(answers)
    head()
    if problems := baked_problems(server_cache.store().baked):
        st.error(style.plain(problems))
    if content is None:
        style.notice(
            "Nothing has been measured yet",
            "Run the claims here; each takes its place as a mark of this page.",
        )
        claims_here.panel(seeds, wanted, again=False)
        return
    warn(cautions(claims, content))
    asked = claims_filter.chosen(claims, verdicts)
    if not asked.claims:
        style.notice("No claim fits", "Choose another verdict or world, or fewer words.")
    else:
        with st.container(key="panel_claims_matrix"):
            claims_matrix.matrix(asked.claims, verdicts, palette(style.theme())["text"])
        style.quiet(
            f"{where} Below, shaded: where the claim is true. A dot is a replicate; tick and bar are their median (of "
            "rates the mean) and its 95 % interval."
        )
        claims_rows.folds(asked.claims, answers, opened=asked.narrowed)
    claims_own.about_my_run(controls())
    claims_here.panel(seeds, wanted, again=True)


def head() -> None:
    page_header(
        "What teaching material says about these worlds, each as an exact statement that is measured over replicates.",
    )


main()
