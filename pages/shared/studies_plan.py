"""What the study in view asks for, and the button that starts it."""

from __future__ import annotations

from html import escape

import streamlit as st

from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.presets import PRESETS
from crl_core.runs.sealing import StoreError
from crl_core.studies.grid import drive
from crl_core.studies.grid.folder import Status, StudyFolder
from crl_core.studies.grid.study_file import PRESET, Study
from pages.shared import server_cache, strangers, style
from pages.shared.style import plain

_SHOWN = 5  # impossible combinations that are named
_MOST_VALUES = 8  # of an axis
_REFUSED = "studies.start_refused"


def status_of(study: Study) -> Status | None:
    """How far a study is; None if it was never begun here."""
    try:
        return StudyFolder(server_cache.store(), study.id).status()
    except StoreError:
        return None


def plan(study: Study, status: Status | None) -> None:
    """Title, question, numbers, axes, what cannot be, and Start."""
    found = _cost(study.id, study)
    style.panel_title(study.title, study.asks or "what a run is measured on stands in the file")
    done = len(status.done) if status else 0
    stored = found.stored | (status.done if status else frozenset())  # the cost is as of some seconds ago
    left = [key for key in study.runs if key not in stored]
    rest = sum(found.seconds[key] for key in left)
    style.numbers(
        [
            (f"{found.runs:,}".replace(",", "\u202f"), "runs"),
            (f"{len(stored):,}".replace(",", "\u202f"), "stored"),
            (style.duration(rest) if left else "0 s", "to train"),
        ]
    )
    lines = []
    for name, values in _axes(study).items():
        more = f" · … ({len(values)})" if len(values) > _MOST_VALUES else ""
        lines.append((column_word(study, name), " · ".join(value_word(name, v) for v in values[:_MOST_VALUES]) + more))
    said = "<br>".join(f"{escape(word)}: {escape(values)}" for word, values in lines)
    st.html(f'<p class="crl-quiet">{said}</p>')
    if study.impossible:
        named = "; ".join(f"{which}: {why}" for which, why in study.impossible[:_SHOWN])
        st.warning(plain(f"{len(study.impossible)} combinations cannot be and are left out. {named}"))
    driven, allowed = server_cache.studies().driven, strangers.may_upkeep()
    if driven is not None and driven.id == study.id:
        style.quiet("Under way; see below.")
        return
    ended = status is not None and len(status.done) == len(study.runs)
    if not ended:
        st.button(
            "Go on" if done else "Start",
            type="primary",
            key="studies.start",
            on_click=_start,
            args=(study,),
            disabled=not allowed,
            help=None if allowed else strangers.OWNERS,
        )
    if refused := st.session_state.pop(_REFUSED, ""):
        st.error(plain(refused))
    if problem := server_cache.studies().problem(study.id):
        st.error(plain(problem))
    style.quiet(
        "Its runs wait their turn among those of all visitors, and go on when you leave this page. On more machines: "
        f"python -m crl_core study run {study.name}.toml --scheduler tcp://HOST:PORT"
    )


def column_word(study: Study, name: str) -> str:
    """What the screen calls a column of axes."""
    return dict(zip(study.columns, study.words, strict=True)).get(name, name)


def value_word(name: str, value: object) -> str:
    """What the screen calls a value of a column: a penalty and a world have names of their own."""
    if name == "penalty" and value in PENALTY_WORDS:
        return PENALTY_WORDS[str(value)].short
    if name == PRESET and value in PRESETS:
        return PRESETS[str(value)].title
    return f"{value:g}" if isinstance(value, float) else str(value)


@st.cache_resource(ttl=10, max_entries=8, show_spinner=False)
def _cost(study_id: str, _study: Study) -> drive.Cost:
    return drive.cost(_study, server_cache.store())


def _axes(study: Study) -> dict[str, list[object]]:
    return {
        name: list(dict.fromkeys(point.at[place] for point in study.points)) for place, name in enumerate(study.columns)
    }


def _start(study: Study) -> None:
    try:
        server_cache.studies().start(study, strangers.visitor())
    except ValueError as error:
        st.session_state[_REFUSED] = str(error)
