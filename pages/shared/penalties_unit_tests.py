"""The linear unit-tests of invariance on the Penalties page: who passes which, as shipped."""

from __future__ import annotations

import streamlit as st

from crl_core.studies.unit_tests import BAKED, WHERE, baked_unit_tests
from crl_core.studies.unit_tests_table import at_edges, header, how_measured, lines, verdict
from pages.shared import server_cache, style
from pages.shared.style import quiet
from pages.shared.tables import say, table

_PROBLEMS = """
Six problems by Aubin, Słowik, Arjovsky, Bottou and Lopez-Paz (2021). Nobody is treated: what counts is how well y is
predicted. In every training environment a *spurious* block of features predicts y well; in the test it says nothing.

**1** Cause and effect of y, noise differs by environment. **2** Cows and camels: the animal is faint, the background
loud. **3** A small margin that stays, a large one that turns with the environment. **s**: all features rotated.

λ chosen without the test: the largest within twice the least held-out factual error. λ chosen by the test is no method:
it shows what any choice could reach. Contrastive pairs are rows of equal outcome quantile here.
"""


def unit_tests() -> None:
    """The table, or why there is none and the command that makes it."""
    st.subheader("Tests of others' making", anchor=False, help=_PROBLEMS)
    folder = server_cache.store().baked
    found = baked_unit_tests(folder)
    if found is None:
        problem = BAKED.problem(folder)
        if problem:
            st.error(style.plain(problem))
        else:
            style.notice("The unit tests have not been measured yet", "python -m crl_core bake --only unit-tests")
        return
    where = st.segmented_control(
        "λ is chosen",
        list(WHERE),
        default="largest",
        key="penalties.unit_tests_where",
        required=True,
        format_func=lambda w: WHERE[w].removeprefix("λ chosen "),
    )
    say(verdict(found, where or "largest"))
    table(header(found), lines(found, where or "largest"))
    edges = at_edges(found) if where == "oracle" else ""
    quiet(" ".join(part for part in (edges, how_measured(found)) if part))
