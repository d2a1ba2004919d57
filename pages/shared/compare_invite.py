"""What the Compare page says while fewer than two runs are chosen: a good comparison, a click away."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from crl_core.config.presets import PRESETS
from crl_core.config.settings import names_among
from crl_core.measures.comparison import nearest_pair, settings_apart
from crl_core.runs.store import RunSummary
from pages.shared import style
from pages.shared.compare_runs import put
from pages.shared.run_view import RunInView

_PAIR = ("hospital", "shifted")  # a good first comparison: the same penalty saves one and ruins the other
_MOST = 20  # runs among which the two nearest are looked for


def invite(stored: dict[str, RunSummary], runs: Sequence[RunInView]) -> None:
    """Nothing or one run chosen: what there is to compare."""
    usable = [run for run in stored.values() if not run.outdated]
    if len(usable) < 2:
        style.notice(
            "There are not two runs to compare yet" if usable else "Nothing is stored yet",
            "Train one with other settings: another σ, seed or world on the Train page, or a sweep in the Library.",
        )
    elif runs:
        _beside(runs[0], [run for run in usable if run.key != runs[0].key])
    else:
        _first(usable)


def _beside(one: RunInView, others: Sequence[RunSummary]) -> None:
    """The run that is most like the one that is chosen."""
    nearest = min(others, key=lambda run: settings_apart(one.config, run.config))
    style.notice("One run is chosen", "Choose another one above to see where the two differ, and by how much.")
    st.button(
        f"Set it beside {names_among([one.config, nearest.config])[1]}",
        type="primary",
        key="compare.nearest",
        on_click=put,
        args=([one.key, nearest.key],),
        help="The stored run that differs from it in the fewest settings.",
    )


def _first(usable: Sequence[RunSummary]) -> None:
    """The hospitals with and without a shift, if they are stored; else the two that are most alike."""
    known = [next((run for run in usable if run.config == PRESETS[name].config), None) for name in _PAIR]
    pair = [run for run in known if run is not None]
    style.notice(
        "Choose two to eight runs",
        "A good first pair: two hospitals whose patients are alike, and two whose patients are not. The same penalty "
        "saves the first and ruins the second."
        if len(pair) == 2
        else "Those that differ in one setting say the most.",
    )
    if len(pair) < 2:
        pair = [usable[at] for at in nearest_pair([run.config for run in usable[:_MOST]])]
    first, second = names_among([run.config for run in pair])
    st.button(
        f"Compare {first} with {second}",
        type="primary",
        key="compare.pair",
        on_click=put,
        args=([run.key for run in pair],),
    )
