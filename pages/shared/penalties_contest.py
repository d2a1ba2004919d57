"""A contest of penalties in sentences and tables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import streamlit as st

from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.measures.comparison import together
from crl_core.measures.intervals import too_few
from crl_core.studies.penalties import (
    WHERE,
    Contest,
    ContestSetting,
    against,
    baked_contests,
    better_than_none,
    changes,
    pairings,
    ratio_words,
)
from pages.shared import server_cache
from pages.shared.style import quiet
from pages.shared.tables import say, table

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
    ending = f" With λ chosen by the truth, in the other seeds, {named(more)} would have one, too." if more else ""
    say(f"With λ chosen by held-out factual error, {text}.{ending}")
    quiet(
        f"Lower and higher: by Student’s t of log errors, paired by seed, of {len(contest.ran)} comparisons at once "
        "(Holm: in 95 of 100 contests none of them is by chance), and by more than 1 %."
    )


def spread(values: np.ndarray) -> str:
    return f"{np.median(values):.3f} [{values.min():.3f}, {values.max():.3f}]".replace("inf", "broke")


def ranking(contest: Contest) -> None:
    st.subheader("At its own best, at the blind choice, and without", anchor=False)
    rows = sorted(contest.ran, key=lambda row: float(np.median(row.error("at_blind"))))
    cells = [("none, λ = 0", *[spread(rows[0].error("at_zero"))] * 3, "ERM: prediction alone.")] if rows else []
    for row in rows:
        words = PENALTY_WORDS[row.penalty]
        figures = (f"{spread(row.error(where))} λ\u00a0=\u00a0{row.lams_picked(where)}" for where in _COLUMNS)
        problem = f" {row.problem[:1].upper()}{row.problem[1:]}." if row.problem else ""
        cells.append((words.short, *figures, words.assumption + problem))
    table(
        ("penalty", *(f"at its {WHERE[where]}" for where in _COLUMNS), "assumes"),
        cells,
        words_from=4,
    )
    quiet(
        "ITE RMSE, median [least, largest] over seeds, and the λ that the seeds choose; sorted by the blind choice. "
        "Own best and best in other seeds are chosen by the truth; while a seed’s best is its grid’s last λ, the grid "
        "goes on for these two columns."
    )
    if ends := [f"{PENALTY_WORDS[row.penalty].short} {row.end_words}" for row in rows if row.at_end]:
        quiet(f"Own best λ: {'; '.join(ends)}.")
    with st.expander("What each penalty is"):
        details = [(w.short, w.formula, w.cost, w.source) for name in PENALTY_WORDS for w in (PENALTY_WORDS[name],)]
        table(("penalty", "formula", "a step costs", "source"), details, words_from=1)


def differences(contest: Contest) -> None:
    st.subheader("One against all others", anchor=False)
    names = [row.penalty for row in contest.ran]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = st.selectbox(
            "Penalty", names, key="penalties.against", format_func=lambda n: PENALTY_WORDS[n].short, width=260
        )
        where = st.segmented_control(
            "At which λ",
            ["at_blind", "at_others", "at_best"],
            default="at_blind",
            key="penalties.against_where",
            required=True,
            format_func=lambda w: WHERE[w],
        )
    one = contest.of(first or names[0])
    cells, others = [], [row for row in contest.ran if row.penalty != one.penalty]
    found = together([against(one, row, where or "at_blind") for row in others])
    for row, apart in zip(others, found, strict=True):
        says = (
            "too few for a verdict"
            if apart.too_few
            else "no difference seen"
            if not apart.seen
            else f"{PENALTY_WORDS[row.penalty].short} is {'worse' if apart.mean > 0 else 'better'}"
        )
        cells.append(
            (
                PENALTY_WORDS[row.penalty].short,
                ratio_words(apart),
                f"{apart.n} seeds; {says}",
            )
        )
    table(("against", "ratio of errors [95 % interval]", "reading"), cells, words_from=2)
    quiet(
        f"ITE RMSE of the other over that of {PENALTY_WORDS[one.penalty].short}, paired by seed, geometric mean; "
        f"intervals one at a time, readings by Holm over all {len(cells)}."
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
    st.subheader("What a pair is, by each definition", anchor=False)
    lines = pair_rows(setting)
    chosen = [line[0] for line in lines].index(setting.matching)
    table(
        ("pairs", "how many", "rows in none", "apart in z", "what they are"),
        lines,
        words_from=4,
        strong=chosen,
    )
    quiet(
        "Training rows of the first seed. Distance: median over pairs of |z − z′|, known only in simulation; partners "
        "far apart teach the encoder that different units are one. Bold: the definition chosen above. Where arms are "
        "aligned, a shared unit is a pair only if it got both treatments."
    )


def gains(found: Mapping[str, float]) -> str:
    """Names with the change of the mean error, largest first."""
    return ", ".join(
        f"{PENALTY_WORDS[name].short} {'−' if change < 0 else '+'}{100 * abs(change):.0f}\u00a0%"
        for name, change in sorted(found.items(), key=lambda item: -abs(item[1]))
    )


@cache
def world_by_world(folder: Path) -> list[tuple[str, ...]]:
    """A line a shipped contest: the mean error at λ = 0, and what beats it."""
    lines = []
    for item in baked_contests(folder):
        at_blind, at_best = (changes(item, where) for where in ("at_blind", "at_others"))
        blind = {name: change for name, change in at_blind.items() if change < 0}
        worse = {name: change for name, change in at_blind.items() if change > 0}
        more = {name: change for name, change in at_best.items() if change < 0 and name not in blind}
        says = f"Better at the blind λ: {gains(blind) or 'none'}."
        says += f" Worse: {gains(worse)}." if worse else ""
        says += f" Better only at the λ best in other seeds: {gains(more)}." if more else ""
        gap = f", z ±{item.setting.gap:g}" if item.setting.gap is not None else ""
        none = f"{np.mean(item.ran[0].error('at_zero')):.3f}" if item.ran else "–"
        lines.append((item.setting.preset + gap, none, says if item.ran else "No model of any penalty is usable."))
    return lines


def everywhere() -> None:
    """Is any penalty better than none? Preset by preset, as shipped."""
    folder = server_cache.store().baked
    contests = baked_contests(folder)
    if not contests:
        return
    st.subheader("Is ERM hard to beat? World by world", anchor=False)
    table(("world", "mean at λ = 0", "which penalties beat it"), world_by_world(folder), words_from=2)
    first = contests[0].setting
    quiet(
        f"Change of the geometric mean of ITE RMSE over {first.seed_words}, where it is seen by Student’s t, "
        f"Holm-adjusted over the penalties of a world, and more than 1 %; {first.epochs} epochs, {first.shared} shared "
        "units. The λ best in other seeds is chosen by the truth."
    )
