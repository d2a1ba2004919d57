"""Names and tags of runs as fields of a table. What cannot be written stays in its field, with the reason above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from crl_core.config.settings import name_of, world_of
from crl_core.runs.labels import MAX_NAME, Label
from crl_core.runs.store import RunSummary
from pages.shared import style
from pages.shared.runs_callbacks import write

_TURN, _SHOWN = "runs.names.turn", "runs.names.shown"
_FIELDS = {"Name": "name", "Note": "note"}


def editor(runs: Sequence[RunSummary]) -> None:
    """The table of names, tags and notes; each edit is written as soon as it is made."""
    own = [run for run in runs if not run.baked]
    if not own:
        style.notice("These runs keep their names", "They come with the program. Runs that you train can be named.")
        return
    keys = tuple(run.key for run in own)
    turn = st.session_state.get(_TURN, 0)
    if st.session_state.get(_SHOWN, keys) != keys:  # rows have moved: an old edit means another run
        turn += 1
    st.session_state[_TURN], st.session_state[_SHOWN] = turn, keys
    frame = pd.DataFrame(
        {
            "Name": [run.label.name for run in own],
            "Tags": [list(run.label.tags) for run in own],
            "Note": [run.label.note for run in own],
            "World": [world_of(run.config) for run in own],
            "Changed": [name_of(run.config) for run in own],
        }
    )
    key = f"runs.names.{turn}"
    st.data_editor(
        frame,
        key=key,
        hide_index=True,
        disabled=["World", "Changed"],
        on_change=_written,
        args=(key, {run.key: run.label for run in own}),
        column_config={
            "Name": st.column_config.TextColumn(max_chars=MAX_NAME, width="medium"),
            "Tags": st.column_config.ListColumn(width="medium"),
            "Note": st.column_config.TextColumn(width="medium"),
        },
        height="auto" if len(own) <= 14 else 530,
        placeholder="",
    )
    style.quiet("Double-click a field; Enter writes it. A run without a name is called by what was changed in it.")


def _written(key: str, labels: Mapping[str, Label]) -> None:
    """Write what was edited. A callback."""
    edits: Mapping[int, Mapping[str, Any]] = st.session_state[key]["edited_rows"]
    for row, edited in edits.items():
        run, was = list(labels.items())[row]
        write(run, was, edited_label(was, edited))


def edited_label(was: Label, edited: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a label after an edit of some columns; an emptied field is empty."""
    now = {field: edited[column] or "" for column, field in _FIELDS.items() if column in edited}
    tags = {"tags": tuple(edited["Tags"] or ())} if "Tags" in edited else {}
    return {"name": was.name, "tags": was.tags, "note": was.note} | now | tags
