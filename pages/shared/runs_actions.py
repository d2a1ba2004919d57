"""Actions on the runs selected on the Runs page: open, write on, compare, pin, delete."""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st

from crl_core.runs.labels import MAX_NAME, MAX_NOTE
from crl_core.runs.store import RunSummary
from pages.shared import strangers
from pages.shared.compare_runs import MOST
from pages.shared.runs_callbacks import compare, delete, open_run, pin, save
from pages.shared.style import quiet
from pages.shared.table_kept import can_open, not_here


def actions(chosen: Sequence[RunSummary]) -> None:
    """Buttons for the selected rows, and a sentence on them."""
    if not chosen:
        quiet("Select a row to open, name, compare or delete.")
        return
    own = [run for run in chosen if not run.baked and strangers.may_change(run.key)]
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(chosen) == 1:
            _for_one(chosen[0])
        elif len(chosen) <= MOST:
            st.button(
                "Compare",
                type="primary",
                key="runs.compare",
                on_click=compare,
                args=([run.key for run in chosen],),
                disabled=any(run.outdated for run in chosen),
            )
        _for_own(own)
        quiet(_of_one(chosen[0]) if len(chosen) == 1 else _of_several(chosen))
    if len(chosen) == 1 and chosen[0].label.note:
        st.text(chosen[0].label.note)


def _for_one(run: RunSummary) -> None:
    here = can_open(run.config)
    st.button(
        "Open",
        type="primary",
        key="runs.open",
        on_click=open_run,
        args=(run,),
        disabled=not here,
        help=None if here else not_here(),
    )
    with st.popover("Name, tags, note", disabled=run.baked or not strangers.may_change(run.key)):
        _write_on(run)


def _for_own(own: Sequence[RunSummary]) -> None:
    """Buttons that leave runs that come with the program as they are."""
    pinned = bool(own) and all(run.pinned for run in own)
    keys = [run.key for run in own]
    st.button(
        "Unpin" if pinned else "Pin",
        key="runs.pin",
        on_click=pin,
        args=(keys, not pinned),
        disabled=not own,
        help="A pinned run stays whatever the quota says.",
    )
    st.button("Delete", key="runs.delete", on_click=delete, args=(keys,), disabled=not own)


def _write_on(run: RunSummary) -> None:
    """A form for what people write on a run. Its fields start anew when somebody else has written something else."""
    fields = {name: f"runs.label.{name}.{run.key}.{hash(run.label)}" for name in ("name", "tags", "note")}
    with st.form(f"runs.label.{run.key}", border=False):
        st.text_input("Name", run.label.name, max_chars=MAX_NAME, key=fields["name"])
        st.text_input(
            "Tags",
            ", ".join(run.label.tags),
            placeholder="lecture, draft",
            help="Commas between them.",
            key=fields["tags"],
        )
        st.text_area("Note", run.label.note, max_chars=MAX_NOTE, key=fields["note"])
        st.form_submit_button("Save", type="primary", on_click=save, args=(run.key, run.label, fields))


def _of_several(chosen: Sequence[RunSummary]) -> str:
    said, baked = f"{len(chosen)} runs.", sum(run.baked for run in chosen)
    if baked:
        said += f" {baked} of them come with the program and stay as they are."
    if len(chosen) > MOST:
        said += f" At most {MOST} can be compared."
    elif any(run.outdated for run in chosen):
        said += " A run of an older recipe cannot be compared: its numbers differ for another reason."
    return said


def _of_one(run: RunSummary) -> str:
    if run.baked:
        return f"Run {run.key} comes with the program and stays."
    said = f"Run {run.key}."
    if run.imported is not None:
        said += f" Imported on {time.strftime('%d %B %Y', time.localtime(run.imported))}."
    if run.outdated:
        said += (
            f" Made by version {run.recipe_version} of the recipe, whose numbers differ; it can be looked at, not "
            f"mixed."
        )
    return said
