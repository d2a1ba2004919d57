"""Which invariance? Penalties side by side on one world, each along its own λ path."""

from __future__ import annotations

import streamlit as st

from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.figures import palette
from crl_core.measures.cautions import cautions_of_runs
from crl_core.studies.penalties import cautions
from pages.shared import controls, many_runs, page_header, require, style
from pages.shared.penalties_contest import answer, differences, every_number, pairs, ranking
from pages.shared.penalties_known import not_tried, provenance
from pages.shared.penalties_overview import overview
from pages.shared.penalties_paths import multiples
from pages.shared.penalties_setting import asked_setting, configs_in, in_words, known_contest, wanted_runs
from pages.shared.penalties_two import two_of_them
from pages.shared.penalties_unit_tests import unit_tests
from pages.shared.run_view import warn

require()
asked = controls()


def main() -> None:
    page_header(
        f"{len(PENALTY_WORDS)} penalties, each along a λ path of its own, on the same units. The world is the "
        "preset's, changed only by what is set here.",
    )
    top, ink = st.container(), palette(style.theme())
    st.subheader("The world that is in view", anchor=False)
    setting = asked_setting(asked.preset)
    try:
        configs, refused = configs_in(setting)
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
        if not many_runs.under_way(runs_name, wanted):
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
