"""Callbacks of the Runs page, and what each says on top of the page, with the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from crl_core.runs.labels import Label
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunSummary
from pages.shared import compare_runs, led, run_view, server_cache, strangers, style, table_kept

_DELETED = "runs.deleted"  # keys of the last deletion
_PROBLEMS = "runs.problems"
_CHECKED = "runs.checked"  # sentences of the last check; one empty sentence: nothing was found
_EMPTIED = "runs.emptied"  # what emptying the trash did, in a sentence


def save(key: str, was: Label, fields: dict[str, str]) -> None:
    """Write the form on the run whose label was `was` when the form was drawn."""
    said = {name: str(st.session_state[field]) for name, field in fields.items()}
    write(key, was, said | {"tags": tuple(said["tags"].split(","))})


def write(key: str, was: Label, fields: Mapping[str, Any]) -> None:
    """Write a label's fields on the run whose label was `was`; what cannot be is said on top of the page."""
    if not strangers.may_change(key):
        _problem(strangers.FOREIGN)
        return
    try:
        server_cache.store().label(key, Label(**fields), was=was)
    except (StoreError, ValueError) as error:
        text = str(error)
        _problem(text[:1].upper() + text[1:])


def open_run(run: RunSummary) -> None:
    """Show a run on every page."""
    if table_kept.open_run(run.config):
        run_view.look_at(run)


def compare(keys: Sequence[str]) -> None:
    """Put runs on the Compare page."""
    compare_runs.put(keys)
    led.ask("compare")


def pin(keys: Sequence[str], pinned: bool) -> None:
    """Pin runs, or let them go."""
    _each(keys, lambda key: server_cache.store().pin(key, pinned))


def delete(keys: Sequence[str]) -> None:
    """Move runs to the trash."""
    st.session_state[_DELETED] = _each(keys, server_cache.store().delete)


def restore(keys: Sequence[str]) -> None:
    """Undo `delete`."""
    st.session_state.pop(_DELETED, None)
    _each(keys, server_cache.store().restore)


def check() -> None:
    """Compare every run with its checksum, and make the index anew."""
    if not strangers.may_upkeep():
        _problem(strangers.OWNERS)
        return
    try:
        store = server_cache.store()
        st.session_state[_CHECKED] = [str(found) for found in (*store.verify(), *store.foreign())] or [""]
        server_cache.library().rebuild()
        server_cache.foreign_runs.clear()
    except StoreError as error:
        st.session_state[_CHECKED] = [str(error)]


def empty_trash() -> None:
    """Delete for good what was deleted."""
    if not strangers.may_upkeep():
        _problem(strangers.OWNERS)
        return
    try:
        gone = server_cache.store().empty_trash()
    except StoreError as error:
        _problem(str(error))
        return
    st.session_state.pop(_DELETED, None)
    st.session_state[_EMPTIED] = f"{style.count(gone, 'run')} deleted for good." if gone else "The trash is empty."


def _each(keys: Sequence[str], act: Callable[[str], None]) -> list[str]:
    """Act on every run; the keys where it worked."""
    done = []
    for key in keys:
        if not strangers.may_change(key):
            _problem(strangers.FOREIGN)
            continue
        try:
            act(key)
            done.append(key)
        except StoreError as error:
            _problem(str(error))
    return done


def _problem(sentence: str) -> None:
    """Say it on top of the page."""
    st.session_state.setdefault(_PROBLEMS, []).append(sentence)


def messages() -> None:
    """What the last click did, and the way back."""
    table_kept.messages()
    for problem in st.session_state.pop(_PROBLEMS, []):
        st.error(style.plain(problem))
    for sentence in st.session_state.pop(_CHECKED, []):
        if sentence:
            st.error(style.plain(sentence))
        else:
            st.success("Every byte of every run is as it was stored.")
    if emptied := st.session_state.pop(_EMPTIED, None):
        style.quiet(emptied)
    keys = st.session_state.get(_DELETED)
    if keys:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Undo", key="runs.undo", on_click=restore, args=(keys,))
            what = f"Run {keys[0]} was" if len(keys) == 1 else f"{len(keys)} runs were"
            style.quiet(f"{what} moved to the trash.")


def missing() -> None:
    """Say what a visitor may look for here in vain: runs of elsewhere, and what was asked for and never trained."""
    if n := server_cache.foreign_runs():
        style.quiet(
            f"{style.count(n, 'run')} {'was' if n == 1 else 'were'} not sealed by this installation and cannot be "
            "opened. Your own of before this version are marked by “Check every file”, once; others come in as bundles."
        )
    if n := server_cache.jobs().lost:
        what = "one entry of its queue was" if n == 1 else f"{n} entries of its queue were"
        style.quiet(f"When the server before this one ended, {what} lost: what you miss here, ask for again.")
