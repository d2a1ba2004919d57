"""Which study: one that comes with the program, one that was begun here, or a file that is dropped."""

from __future__ import annotations

import re
from pathlib import PurePath

import streamlit as st

from crl_core.data.user_files import decode
from crl_core.runs.sealing import StoreError
from crl_core.studies.grid.folder import StudyFolder
from crl_core.studies.grid.study_file import Study, shipped, study_of
from pages.shared import server_cache, strangers, style
from pages.shared.folds import fold
from pages.shared.style import plain

MOST_BYTES = 200_000
_DROPPED, _REFUSED, _TURN = "studies.dropped", "studies.refused", "studies.turn"
_WHICH, _NEXT = "studies.which", "studies.next"
_MARK = " (dropped)"


def chosen_study() -> tuple[Study | None, str]:
    """The study in view; else None and why it is none, in a sentence."""
    texts = _texts()
    style.panel_title("Study", "a file that says which runs, and what is measured on them")
    if _NEXT in st.session_state:
        st.session_state[_WHICH] = st.session_state.pop(_NEXT)
    if st.session_state.get(_WHICH) not in texts:
        st.session_state.pop(_WHICH, None)
    name = st.selectbox("Study", list(texts), key=_WHICH, label_visibility="collapsed", persist_state="session")
    if strangers.may_upkeep():  # strangers bring in tables and nothing else
        _uploader()
    if refused := st.session_state.get(_REFUSED):
        st.error(plain(refused))
    text = texts.get(name or "", "")

    def the_file() -> None:
        st.code(text, language="toml", wrap_lines=True)
        style.quiet("Change it in an editor and drop it here. docs/studies.md explains every entry.")

    fold("The file", "studies.text", the_file)
    try:
        return _read(text, _stem(name or "")), ""
    except (ValueError, StoreError) as error:
        said = str(error)
        return None, said[:1].upper() + said[1:]


def _texts() -> dict[str, str]:
    """The text of every study that can be chosen, by what it is called: the dropped ones first."""
    dropped: dict[str, str] = st.session_state.get(_DROPPED, {})
    found = dict(dropped)
    for name, path in shipped().items():
        found[name] = path.read_text(encoding="utf-8")
    here = set(found.values())
    for folder in StudyFolder.all(server_cache.store()):
        text = folder.text()
        if text and text not in here:
            found.setdefault(folder.path.name, text)
    return found


def _stem(name: str) -> str:
    """The name of the study's file: a dropped one is called so, one that was begun here ends in what it means."""
    return re.sub(r"-[0-9a-f]{8}$", "", name.removesuffix(_MARK))


@st.cache_resource(ttl=300, max_entries=16, show_spinner="Working out the runs")
def _read(text: str, name: str) -> Study:
    return study_of(text, server_cache.store(), name)


def _uploader() -> None:
    turn = int(st.session_state.setdefault(_TURN, 0))
    file = st.file_uploader("Drop a study.toml", type=["toml"], max_upload_size=1, key=f"studies.file.{turn}")
    if file is None:
        return
    content = file.getvalue()
    name = f"{PurePath(file.name).stem[:40]}{_MARK}"
    try:
        if len(content) > MOST_BYTES:
            raise ValueError(f"{file.name[:40]} has {len(content):,} bytes; a study has at most {MOST_BYTES:,}.")
        text = decode(content)
        study_of(text, server_cache.store(), _stem(name))
        st.session_state[_DROPPED] = {name: text} | st.session_state.get(_DROPPED, {})
        st.session_state.pop(_REFUSED, None)
        st.session_state[_NEXT] = name
    except (ValueError, StoreError) as error:
        st.session_state[_REFUSED] = f"{file.name[:60]} is no study: {error}"
    st.session_state[_TURN] = turn + 1
    st.rerun()
