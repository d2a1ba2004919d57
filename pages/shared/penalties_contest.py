"""A contest of penalties in sentences and tables."""

from __future__ import annotations

import numpy as np
import streamlit as st

from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.figures import Palette
from crl_core.figures.penalty_heat import ratio_lanes
from crl_core.measures.comparison import together
from crl_core.measures.intervals import too_few
from crl_core.studies.penalties import (
    WHERE,
    Contest,
    Contestant,
    ContestSetting,
    against,
    better_than_none,
    pairings,
)
from pages.shared.folds import fold
from pages.shared.style import quiet
from pages.shared.tables import chart, say, table

_COLUMNS = ("at_blind", "at_others", "at_best")
_PAIRS = {
    "shared": "units seen in both, as a study may know them",
    "rank": "equal outcome quantile; needs no more than the data",
    "oracle": "nearest in true z; only a simulation can",
}


def named(names: list[str]) -> str:
    return ", ".join(PENALTY_WORDS[name].short for name in names)


def answer(contest: Contest) -> None:
    """Which penalties are worth anything, chosen without the truth."""
    if few := too_few(contest.setting.seeds):
        say(f"No verdict: these are {few}. The figures stand below.")
        return
    better, worse = better_than_none(contest, "at_blind")
    parts = [
        f"these have a lower mean error than no penalty: {named(better)}"
        if better
        else "none has a lower mean error than no penalty"
    ]
    if worse:
        parts.append(f"a higher one: {named(worse)}")
    text = "; ".join(parts)
    oracle, _ = better_than_none(contest, "at_others")
    more = [name for name in oracle if name not in better]
    ending = f" If λ were chosen by the truth in the other replicates: also {named(more)}." if more else ""
    say(f"With λ chosen by held-out factual error, {text}.{ending}")
    quiet(
        f"Lower and higher: by Student’s t of log errors, paired by replicate, of {len(contest.ran)} comparisons at "
        "once (Holm: in 95 of 100 contests none of them is by chance), and by more than 1 %."
    )


def spread(values: np.ndarray) -> str:
    return f"{np.median(values):.3f} [{values.min():.3f}, {values.max():.3f}]".replace("inf", "broke")


def middle(values: np.ndarray) -> str:
    return f"{np.median(values):.3f}".replace("inf", "broke")


def _ranked(contest: Contest) -> list[Contestant]:
    """The penalties that ran, the one with the least error at its label-free λ first."""
    return sorted(contest.ran, key=lambda row: float(np.median(row.error("at_blind"))))


def ranking(contest: Contest) -> None:
    """Medians of every penalty at each of its λ."""
    st.subheader("At its label-free λ, at its own best, and without", anchor=False)
    rows = _ranked(contest)
    cells = [("none, λ = 0", *[middle(rows[0].error("at_zero"))] * 3)] if rows else []
    cells += [(PENALTY_WORDS[row.penalty].short, *(middle(row.error(where)) for where in _COLUMNS)) for row in rows]
    table(("penalty", *(f"at its {WHERE[where]}" for where in _COLUMNS)), cells)
    quiet(
        f"Effect error, median over {contest.setting.seeds} replicates, sorted by the first column. The two others are "
        "chosen by the truth; while a replicate’s best is its grid’s last λ, the grid goes on for them."
    )
    if ends := [f"{PENALTY_WORDS[row.penalty].short} {row.end_words}" for row in rows if row.at_end]:
        quiet(f"Own best λ: {'; '.join(ends)}.")


def every_number(contest: Contest) -> None:
    """Ranges and λ of every penalty, and what each one is, in a fold."""
    rows = _ranked(contest)

    def drawn() -> None:
        numbers = [
            (
                PENALTY_WORDS[row.penalty].short,
                *(f"{spread(row.error(where))} λ\u00a0=\u00a0{row.lams_picked(where)}" for where in _COLUMNS),
            )
            for row in rows
        ]
        table(("penalty", *(f"at its {WHERE[where]}" for where in _COLUMNS)), numbers)
        quiet("Median [least, largest] over replicates, and the λ that they choose.")
        details = [
            (w.short, w.formula, w.assumption + _problem(contest, name), w.cost, w.source)
            for name, w in PENALTY_WORDS.items()
        ]
        table(("penalty", "formula", "assumes", "a step costs", "source"), details, words_from=1)

    fold("Every number, and what each penalty is", "penalties.every", drawn)


def _problem(contest: Contest, name: str) -> str:
    said = next((row.problem for row in contest.rows if row.penalty == name), "")
    return f" {said[:1].upper()}{said[1:]}." if said else ""


def differences(contest: Contest, ink: Palette) -> None:
    """One penalty against all others: a lane each."""
    st.subheader("One against all others", anchor=False)
    names = [row.penalty for row in contest.ran]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = st.selectbox(
            "Penalty", names, key="penalties.against", format_func=lambda n: PENALTY_WORDS[n].short, width=260
        )
        where = st.segmented_control(
            "At which λ",
            _COLUMNS,
            default="at_blind",
            key="penalties.against_where",
            required=True,
            format_func=lambda w: WHERE[w],
        )
    one = contest.of(first or names[0])
    others = [row for row in contest.ran if row.penalty != one.penalty]
    found = together([against(one, row, where or "at_blind") for row in others])
    lanes = np.array([np.exp((apart.mean, apart.low, apart.high)) for apart in found]).reshape(-1, 3)
    short = PENALTY_WORDS[one.penalty].short
    with st.container(key="panel_penalties_against"):
        drawn = ratio_lanes(
            [PENALTY_WORDS[row.penalty].short for row in others],
            lanes,
            [apart.seen for apart in found],
            ink,
            title=f"Effect error of each over that of {short}, at its {WHERE[where or 'at_blind']}",
            x="ratio, log scale",
        )
        chart(drawn, "penalties.lanes")
    few = too_few(contest.setting.seeds)
    quiet(
        f"Left of the line: better than {short}. Paired by replicate, geometric mean, 95 % interval, one at a time; "
        f"filled: a difference is seen, by Holm over all {len(others)}."
        + (f" No verdict: these are {few}." if few else "")
    )


@st.cache_data(max_entries=64, show_spinner=False)
def pair_rows(setting: ContestSetting) -> list[tuple[str, ...]]:
    """A line a definition: how many pairs, how far apart, how many rows without one."""
    lines = []
    for how, found in pairings(setting).items():
        if isinstance(found, str):
            lines.append((how, "0", "100 %", "–", f"{_PAIRS[how]}. {found[:1].upper()}{found[1:]}"))
        else:
            lines.append((how, f"{found.n:,}", f"{100 * found.unmatched:.0f} %", f"{found.distance:.2f}", _PAIRS[how]))
    return lines


def pairs(setting: ContestSetting) -> None:
    """The contrastive pairs by each definition."""

    def drawn() -> None:
        lines = pair_rows(setting)
        chosen = [line[0] for line in lines].index(setting.matching)
        table(
            ("pairs", "how many", "units in none", "apart in z", "what they are"),
            lines,
            words_from=4,
            strong=chosen,
        )
        quiet(
            "Training units of the first replicate. Apart: median over pairs of |z − z′|, known only in simulation; "
            "partners far apart teach the encoder that different units are one. Bold: the definition chosen above. "
            "Where arms are aligned, a shared unit is a pair only if it got both treatments."
        )

    fold("What a pair is, by each definition", "penalties.pairs", drawn)
