"""Worlds against penalties in one picture, and the path of the cell that is chosen beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.presets import PRESETS
from crl_core.figures import Palette
from crl_core.figures.penalties import LARGE, path_of_penalty
from crl_core.figures.penalty_heat import Ratios, penalty_heat
from crl_core.studies.penalties import WHERE, Contest, ContestSetting, baked_contests, ratios
from pages.shared import server_cache, table_kept
from pages.shared.penalties_paths import chosen_quantity, limits_of, marks
from pages.shared.style import notice, panel_title, quiet
from pages.shared.tables import chart, say

SHOWN = "penalties.shown"  # the penalty whose path is drawn large
_WHERE = ("at_blind", "at_best")  # the second is known to a simulation alone
_PHONE = """
<style>
@media (max-width: 640px) {  /* the names of the worlds have room in a row; the figure is moved sideways */
  .st-key-penalties-heat_wide { overflow-x: auto; }
  .st-key-penalties-heat { min-width: 430px; }
}
</style>
"""


def overview(contest: Contest | None, ink: Palette) -> None:
    """The shipped contests as a heat table, with that in view if it was measured here; and one path of it."""
    left, right = st.columns([5, 4])
    names = [name for name in PENALTY_WORDS if contest is None or name in {row.penalty for row in contest.rows}]
    with left, st.container(key="panel_penalties_heat"):
        _heat(contest, ink)
    with right, st.container(key="panel_penalties_one"):
        _path(contest, names, ink)


def _heat(contest: Contest | None, ink: Palette) -> None:
    contests = list(baked_contests(server_cache.store().baked))
    if contest is not None:
        shipped = next((at for at, item in enumerate(contests) if _same(item, contest)), None)
        if shipped is None:
            contests.insert(0, contest)
        else:
            contests[shipped] = contest  # perhaps measured here, over other seeds
    if not contests:
        notice("No world has been measured yet", "Train the penalties below, world by world.")
        return
    where = st.segmented_control(
        "At which λ",
        _WHERE,
        default="at_blind",
        key="penalties.heat_where",
        required=True,
        format_func=WHERE.__getitem__,
        label_visibility="collapsed",
    )
    found = _ratios(contests, where or "at_blind")
    frame = None
    shown = str(st.session_state.get(SHOWN, next(iter(PENALTY_WORDS))))
    if contest is not None and shown in PENALTY_WORDS:
        frame = (list(PENALTY_WORDS).index(shown), contests.index(contest))

    def tapped(at: int) -> None:
        penalty, world = divmod(at, len(contests))
        _show(contests[world].setting, list(PENALTY_WORDS)[penalty])

    st.html(_PHONE)
    with st.container(key="penalties.heat_wide"):
        chart(
            penalty_heat(found, ink, title="Effect error over that of no penalty", chosen=frame),
            "penalties.heat",
            on_tap=tapped,
        )
    quiet(
        "Blue: smaller than without a penalty; orange: larger; bold: by more than chance, all penalties of a world "
        "judged together, and by more than 1 %. Tap a cell to see its path."
    )
    for world, column in zip(found.worlds, found.ratio.T, strict=True):
        if np.isnan(column).all():
            quiet(f"{world}: no model of any penalty is usable.")


def _same(one: Contest, other: Contest) -> bool:
    return (one.setting.preset, one.setting.words) == (other.setting.preset, other.setting.words)


def _ratios(contests: Sequence[Contest], where: str) -> Ratios:
    columns = [ratios(item, where) for item in contests]
    nothing = (np.nan, False, "none")
    cells = [[column.get(name, nothing) for column in columns] for name in PENALTY_WORDS]
    return Ratios(
        penalties=[words.short for words in PENALTY_WORDS.values()],
        worlds=[_world(item.setting) for item in contests],
        ratio=np.array([[ratio for ratio, _, _ in row] for row in cells]),
        seen=np.array([[seen for _, seen, _ in row] for row in cells]),
        lams=[[lams for _, _, lams in row] for row in cells],
    )


def _world(setting: ContestSetting) -> str:
    home = ContestSetting(preset=setting.preset)
    title = PRESETS[setting.preset].title
    return title if setting.words == home.words else f"{title}: {setting.words.removeprefix(f'{home.words}, ')}"


def _show(setting: ContestSetting, penalty: str) -> None:
    """The world of a shipped contest, and a penalty of it. A callback."""
    st.session_state[SHOWN] = penalty
    if st.session_state.get("preset") != setting.preset:
        table_kept.open_run(PRESETS[setting.preset].config)
    for name, value in (
        ("gap", "as the preset" if setting.gap is None else f"{setting.gap:g}"),
        ("rare", "as many"),
        ("shared", setting.shared),
        ("pairs", setting.matching),
        ("balanced", setting.balanced),
    ):
        st.session_state[name] = value


def _path(contest: Contest | None, names: Sequence[str], ink: Palette) -> None:
    if contest is None:
        panel_title("No path to draw yet", "Tap a cell of a world that was tried, or train the penalties below.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        penalty = st.selectbox(
            "Penalty",
            names,
            key=SHOWN,
            format_func=lambda name: PENALTY_WORDS[name].short,
            label_visibility="collapsed",
            width=210,
            persist_state="session",
        )
        field, log, says = chosen_quantity()
    row, words = contest.of(penalty), PENALTY_WORDS[penalty]
    drawn = path_of_penalty(
        row.lams,
        getattr(row, field),
        marks(row),
        ink,
        title=f"{words.short[:1].upper()}{words.short[1:]}, {PRESETS[contest.setting.preset].title}",
        limits=limits_of(contest, field, log),
        log=log,
        problem=row.problem,
        height=LARGE - 40,
    )
    chart(drawn, f"penalties.one.{field}.{penalty}")
    say(words.assumption)
    quiet(f"{says} Line and band: median and range over {contest.setting.seeds} replicates.")
