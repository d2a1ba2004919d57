"""Which invariance? Penalties side by side on one world, each along its own λ path."""

from __future__ import annotations

import streamlit as st

from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.figures import palette
from crl_core.measures.cautions import cautions_of_runs
from crl_core.studies.penalties import Contest, ContestSetting, baked_contests, cautions, command_of, configs_of
from pages.shared import controls, many_runs, page_header, quiet, require, server_cache, style
from pages.shared.penalties_contest import answer, differences, everywhere, pairs, ranking
from pages.shared.penalties_paths import multiples
from pages.shared.penalties_setting import asked_setting, in_words, known_contest, wanted_runs
from pages.shared.penalties_two import two_of_them
from pages.shared.penalties_unit_tests import unit_tests
from pages.shared.run_view import warn

_DEFINITIONS = """
**Penalty**: what λ weighs. Every one trains the same network on the same rows, from the same initial weights, with the
same minibatches; at λ = 0 all are one network. λ of different penalties are **not comparable**: each has units and a
grid of its own.

**Own best λ** (ring): least ITE RMSE, which only a simulation can know. **Blind λ** (diamond): least held-out factual
error, which asks for no truth. A median over seeds; in each seed the λ is chosen anew. **Best in other seeds**: by the
truth, too, but for each seed chosen in the others, since at its own best a path beats λ = 0 whatever λ does.

**Grids** go on by their own ratio while a seed’s least ITE RMSE is at their last λ: four λ at a time, eight at most, up
to a million. Only the two columns that know the truth look at what was added; the blind λ is one of the first sixteen.

**Shared units** are seen in every environment, with the same z. Contrastive pairs are made of them; no other penalty
looks at who is who. *oracle*: pairs of the nearest in true z, which only a simulation knows. *rank*: pairs of equal
outcome quantile.

**Differences** are ratios of errors, paired by seed: Student’s t of their logarithms, each with its own 95 % interval,
and the geometric mean over seeds. Below five seeds there is no verdict.
Ten comparisons at once are judged by Holm’s adjustment, so that in 95 of 100 contests none is seen by chance.
"""

require()
asked = controls()


def main() -> None:
    page_header(
        "Which invariance?",
        f"{asked.preset.title}: {len(PENALTY_WORDS)} penalties, each along a λ path of its own, on the same rows. The "
        f"preset's own world, changed only by what is set here.",
        _DEFINITIONS,
    )
    setting = asked_setting(asked.preset)
    try:
        configs, refused = configs_of(setting)
    except ValueError as error:
        style.notice("No penalty can work in this world", str(error)[:1].upper() + str(error)[1:])
        return
    for name, why in refused.items():
        short = PENALTY_WORDS[name].short
        st.warning(style.plain(f"{short[:1].upper()}{short[1:]} is left out: {in_words(why)}"))
    wanted, runs_name = wanted_runs(setting, configs), f"penalties.runs.{hash(setting)}"
    contest, where = known_contest(setting, configs, wanted)
    said = cautions_of_runs({PENALTY_WORDS[name].short: config for name, config in configs.items()})
    warn(said if contest is None else cautions(contest))
    with st.container(horizontal=True, vertical_alignment="center"):
        many_runs.panel(runs_name, wanted, start="Train the penalties here", again=contest is not None)
    if contest is None:
        if not many_runs.under_way(runs_name):
            not_tried(setting)
        return
    ink = palette(style.theme())
    provenance(contest, where, setting)
    if contest.ran:
        answer(contest)
    multiples(contest, ink)
    ranking(contest)
    if contest.ran:
        differences(contest)
    pairs(setting)
    if contest.ran:
        two_of_them(contest, configs, ink)
    everywhere()


def not_tried(setting: ContestSetting) -> None:
    """What a click would do, and what has been measured of this preset."""
    known = [
        item.setting.words
        for item in baked_contests(server_cache.store().baked)
        if item.setting.preset == setting.preset
    ]
    style.notice(
        "This world has not been tried yet",
        "One click trains every penalty along its own λ path, for five seeds; what is done stays stored.",
        f"Measured already for {asked.preset.title}: {'; '.join(known)}." if known else "",
    )


def provenance(contest: Contest, where: str, setting: ContestSetting) -> None:
    """Where the numbers come from, and the command that makes them again."""
    said = contest.setting
    if said.seed_words != setting.seed_words:
        where += f" Here it takes {setting.seed_words}."
    quiet(
        f"{where} {said.words[:1].upper()}{said.words[1:]}; {said.seed_words}, {said.epochs} epochs. {command_of(said)}"
    )


main()
unit_tests()
