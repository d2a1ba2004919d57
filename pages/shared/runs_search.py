"""The search of the Library, which is in the link, and the groups of what it leaves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from crl_core.config.settings import Setting
from crl_core.runs.library import search
from crl_core.runs.store import RunSummary
from pages.shared import style
from pages.shared.runs_table import shown_settings, value_text
from pages.shared.tables import table, three

QUERY = "q"  # of the URL; written by hand, since a page with a bound field of its own cannot be switched by code
_FIELD, _WRITTEN = "runs.search", "runs.search.written"


def found(runs: Sequence[RunSummary]) -> tuple[list[RunSummary], str]:
    """The search line, what it leaves, and what is wrong with it; of a search that is not understood all runs."""
    asked = st.query_params.get(QUERY, "")
    if asked and asked != st.session_state.get(_WRITTEN):  # a link, or the browser's way back
        st.session_state[_FIELD] = asked
    text = st.text_input(
        "Search",
        key=_FIELD,
        placeholder="words, seed=7 σ₂>1 penalty=coral tag:paper ite<0.1",
        icon=":material/search:",
        persist_state="session",
        label_visibility="collapsed",
    )
    st.session_state[_WRITTEN] = text or ""
    if text:
        st.query_params[QUERY] = text
    elif QUERY in st.query_params:
        del st.query_params[QUERY]
    try:
        return search(runs, text or ""), ""
    except ValueError as error:
        return list(runs), str(error)


def grouping(runs: Sequence[RunSummary]) -> Setting | None:
    """The setting to group by, if one is chosen among those that vary."""
    settings = {setting.name: setting for setting in shown_settings(runs)}
    words = {name: setting.word for name, setting in settings.items()}
    chosen = st.selectbox(
        "Group by",
        list(settings),
        index=None,
        format_func=lambda name: words.get(name, name),
        placeholder="Group by …",
        key="runs.group",
        label_visibility="collapsed",
        disabled=not settings,
        persist_state="session",
    )
    return settings.get(chosen or "")


def groups(runs: Sequence[RunSummary], setting: Setting) -> None:
    """How many runs have each value of a setting, and their least errors."""
    by_value: dict[object, list[RunSummary]] = {}
    for run in runs:
        by_value.setdefault(setting.of(run.config), []).append(run)
    rows = []
    for value in sorted(by_value, key=_order):
        mine = by_value[value]
        least = np.array([best[1] for run in mine if (best := run.best())])
        name = "–" if value is None else value_text(setting, value)
        middle = three(float(np.median(least)) if len(least) else None)
        between = f"{three(float(least.min()))} to {three(float(least.max()))}" if len(least) else "–"
        rows.append((name, str(len(mine)), middle, between))
    with st.container(key="panel_runs_groups"):
        style.panel_title(
            f"Grouped by {setting.word}", "least effect error over λ of each run: the median of the runs, and its range"
        )
        table([setting.word, "Runs", "Median", "Smallest to largest"], rows)


def _order(value: object) -> tuple[int, float, str]:
    """Numbers first, then words, then nothing."""
    if isinstance(value, int | float):
        return 0, float(value), ""
    return (2, 0.0, "") if value is None else (1, 0.0, str(value))
