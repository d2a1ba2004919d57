"""Which invariance? Penalties side by side on one world, each along its own λ path."""

from __future__ import annotations

import streamlit as st

from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.figures import palette
from crl_core.measures.cautions import cautions_of_runs
from crl_core.studies.penalties import cautions, configs_of
from pages.shared import controls, many_runs, page_header, require, style
from pages.shared.penalties_contest import answer, differences, every_number, pairs, ranking
from pages.shared.penalties_known import not_tried, provenance
from pages.shared.penalties_overview import overview
from pages.shared.penalties_paths import multiples
from pages.shared.penalties_setting import asked_setting, in_words, known_contest, wanted_runs
from pages.shared.penalties_two import two_of_them
from pages.shared.penalties_unit_tests import unit_tests
from pages.shared.run_view import warn

_DEFINITIONS = """
**Penalty**: what λ weighs. Every one trains the same network on the same units, from the same initial weights, with the
same minibatches; at λ = 0 all are one network. λ of different penalties are **not comparable**: each has units and a
grid of its own. **Effect error (ITE RMSE, √PEHE)**: root mean square error of the estimated individual effects.

**Label-free λ** (diamond): least held-out factual error, which asks for no true effect. **Own best λ** (ring): least
effect error, which only a simulation can know. A median over replicates; in each the λ is chosen anew. **Best in other
replicates**: by the truth, too, but for each replicate chosen in the others, since at its own best a path beats λ = 0
whatever λ does.

**Grids** go on by their own ratio while a replicate’s least effect error is at their last λ: four λ at a time, eight at
most, up to a million. Only the two columns that know the truth look at what was added; the label-free λ is one of the
first sixteen.

**Shared units** are seen in every environment, with the same z. Contrastive pairs are made of them; no other penalty
looks at who is who. *oracle*: pairs of the nearest in true z, which only a simulation knows. *rank*: pairs of equal
outcome quantile.

**Differences** are ratios of errors, paired by replicate: Student’s t of their logarithms, each with its own 95 %
interval, and the geometric mean over replicates. Below five there is no verdict. Ten comparisons at once are judged by
Holm’s adjustment, so that in 95 of 100 contests none is seen by chance.
"""

require()
asked = controls()


def main() -> None:
    page_header(
        f"{len(PENALTY_WORDS)} penalties, each along a λ path of its own, on the same units. The world is the "
        "preset's, changed only by what is set here.",
        _DEFINITIONS,
    )
    top, ink = st.container(), palette(style.theme())
    st.subheader("The world that is in view", anchor=False)
    setting = asked_setting(asked.preset)
    try:
        configs, refused = configs_of(setting)
    except ValueError as error:
        style.notice("No penalty can work in this world", str(error)[:1].upper() + str(error)[1:])
        with top:
            overview(None, ink)
        return
    for name, why in refused.items():
        short = PENALTY_WORDS[name].short
        st.warning(style.plain(f"{short[:1].upper()}{short[1:]} is left out: {in_words(why)}"))
    wanted, runs_name = wanted_runs(setting, configs), f"penalties.runs.{hash(setting)}"
    contest, where = known_contest(setting, configs, wanted)
    said = cautions_of_runs({PENALTY_WORDS[name].short: config for name, config in configs.items()})
    warn(said if contest is None else cautions(contest))
    with top:
        overview(contest, ink)
    with st.container(horizontal=True, vertical_alignment="center"):
        many_runs.panel(runs_name, wanted, start="Train the penalties here", again=contest is not None)
    if contest is None:
        if not many_runs.under_way(runs_name):
            not_tried(asked.preset, setting)
        return
    provenance(contest, where, setting)
    if contest.ran:
        answer(contest)
    left, right = st.columns(2, gap="medium")
    with left:
        ranking(contest)
    if contest.ran:
        with right:
            differences(contest, ink)
    every_number(contest)
    multiples(contest, ink)
    pairs(setting)
    if contest.ran:
        two_of_them(contest, configs, ink)


main()
unit_tests()
