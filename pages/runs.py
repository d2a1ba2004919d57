"""The library of runs: find one, name it, set some side by side, take one home, bring one in."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import streamlit as st

from crl_core.runs.labels import MAX_NAME, MAX_NOTE, Label
from crl_core.runs.library import Usage, search, tags_of
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunSummary
from pages.shared import (
    compare_runs,
    page_header,
    require,
    run_view,
    runs_take_home,
    server_cache,
    sidebar,
    style,
)
from pages.shared.runs_table import COLUMNS, table

_DELETED = "runs.deleted"  # keys of the last deletion
_PROBLEMS = "runs.problems"
_TABLE = "runs.table"
_CHECKED = "runs.checked"  # sentences of the last check; one empty sentence: nothing was found

require()


def main() -> None:
    runs = server_cache.library().runs()
    page_header(
        "Runs",
        "Every run that is stored. Select one to open it, to write on it or to take it home; two to four to compare "
        "them.",
        numbers=room(Usage.of(runs, server_cache.store())),
    )
    messages()
    if not runs:
        style.notice("Nothing is stored yet", "Choose a preset in the sidebar and press Train; the run appears here.")
        runs_take_home.uploader()
        return
    found = filtered(runs)
    chosen = selected(found) if found else []
    if not found:
        style.notice(
            "No run fits",
            "Every word must occur in the name, tags, note, preset, changes, key or device of a run.",
        )
    actions(chosen)
    if len(chosen) == 1:
        runs_take_home.section(chosen[0], sidebar.controls().lam)
    runs_take_home.uploader()
    st.button(
        "Check every file",
        type="tertiary",
        key="runs.check",
        on_click=check,
        help=(
            "Reads every stored run and compares it with its checksum. Damaged runs are put aside, the list is made "
            "anew."
        ),
    )


def room(usage: Usage) -> list[tuple[str, str]]:
    """How full the store is, in large figures."""
    return [
        (str(usage.n_runs), "runs"),
        (f"{usage.bytes / 1e6:.0f} MB", f"of {usage.quota_bytes / 1e6:,.0f} MB".replace(",", "\u202f")),
    ]


def filtered(runs: list[RunSummary]) -> list[RunSummary]:
    """What the search leaves."""
    tags = tags_of(runs)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Search",
            key="runs.search",
            placeholder="name, tag, preset, what was changed, …",
            icon=":material/search:",
            persist_state="session",
            width=420,
        )
        wanted = (
            st.multiselect("Tags", tags, key="runs.tags", placeholder="any", persist_state="session", width=300)
            if tags
            else []
        )
        found = search(runs, text, wanted)
        if len(found) < len(runs):
            style.quiet(f"{len(found)} of {style.count(len(runs), 'run')}")
    return found


def selected(found: list[RunSummary]) -> list[RunSummary]:
    """The table, and the runs whose rows are selected in it. Another search is another table, without a selection."""
    names = tuple(run.key for run in found)
    turn = st.session_state.get("runs.turn", 0)
    if st.session_state.get("runs.listed", names) != names:  # rows have moved: an old selection means other runs
        turn += 1
    st.session_state["runs.turn"], st.session_state["runs.listed"] = turn, names
    selection = st.dataframe(
        table(found, sidebar.controls().config),
        key=f"{_TABLE}.{turn}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        column_config=COLUMNS,
        height="auto" if len(found) <= 12 else 460,
        alt="Stored runs with their settings and main figures",
    )
    rows = selection["selection"]["rows"]
    return [found[row] for row in rows if row < len(found)]


# -- what can be done with the selection -------------------------------------------------------------------------------


def actions(chosen: list[RunSummary]) -> None:
    """Buttons for the selected rows, and a sentence on them."""
    if not chosen:
        style.quiet("Select a row to open, name, compare or delete.")
        return
    own = [run for run in chosen if not run.baked]
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(chosen) == 1:
            (run,) = chosen
            st.button("Open", type="primary", key="runs.open", on_click=open_run, args=(run,))
            with st.popover("Name, tags, note", disabled=run.baked):
                write_on(run)
        elif len(chosen) <= compare_runs.MOST:
            st.button(
                "Compare",
                type="primary",
                key="runs.compare",
                on_click=compare,
                args=([run.key for run in chosen],),
                disabled=any(run.outdated for run in chosen),
            )
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
        style.quiet(_remark(chosen, len(own)))
    if len(chosen) == 1 and chosen[0].label.note:
        st.text(chosen[0].label.note)


def _remark(chosen: Sequence[RunSummary], n_own: int) -> str:
    if len(chosen) > 1:
        baked = len(chosen) - n_own
        said = f"{len(chosen)} runs."
        if baked:
            said += f" {baked} of them come with the program and stay as they are."
        if len(chosen) > compare_runs.MOST:
            said += f" At most {compare_runs.MOST} can be compared."
        elif any(run.outdated for run in chosen):
            said += " A run of an older recipe cannot be compared: its numbers differ for another reason."
        return said
    (run,) = chosen
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


def write_on(run: RunSummary) -> None:
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


def save(key: str, was: Label, fields: dict[str, str]) -> None:
    """Write the form on the run whose label was `was` when the form was drawn. For callbacks."""
    said = {name: str(st.session_state[field]) for name, field in fields.items()}
    try:
        label = Label(name=said["name"], tags=tuple(said["tags"].split(",")), note=said["note"])
        server_cache.store().label(key, label, was=was)
    except (StoreError, ValueError) as error:
        text = str(error)
        st.session_state.setdefault(_PROBLEMS, []).append(text[:1].upper() + text[1:])


def open_run(run: RunSummary) -> None:
    """Show a run on every page. For callbacks."""
    sidebar.show(run.config)
    run_view.look_at(run)


def compare(keys: list[str]) -> None:
    """Put runs on the Compare page. For callbacks."""
    compare_runs.put(keys)
    st.session_state["runs.go"] = "pages/compare.py"


def pin(keys: list[str], pinned: bool) -> None:
    """For callbacks."""
    _each(keys, lambda key: server_cache.store().pin(key, pinned))


def delete(keys: list[str]) -> None:
    """Move runs to the trash. For callbacks."""
    st.session_state[_DELETED] = _each(keys, server_cache.store().delete)


def restore(keys: list[str]) -> None:
    """Undo `delete`. For callbacks."""
    st.session_state.pop(_DELETED, None)
    _each(keys, server_cache.store().restore)


def _each(keys: list[str], act: Callable[[str], None]) -> list[str]:
    """Act on every run; the keys where it worked. What did not work is said on top of the page."""
    done = []
    for key in keys:
        try:
            act(key)
            done.append(key)
        except StoreError as error:
            st.session_state.setdefault(_PROBLEMS, []).append(str(error))
    return done


def check() -> None:
    """Compare every run with its checksum, and make the index anew. For callbacks."""
    try:
        st.session_state[_CHECKED] = [str(damage) for damage in server_cache.store().verify()] or [""]
        server_cache.library().rebuild()
    except StoreError as error:
        st.session_state[_CHECKED] = [str(error)]


def messages() -> None:
    """What the last click did, and the way back."""
    go = st.session_state.pop("runs.go", None)
    if go is not None:
        st.switch_page(go)
    for problem in st.session_state.pop(_PROBLEMS, []):
        st.error(style.plain(problem))
    for sentence in st.session_state.pop(_CHECKED, []):
        st.error(sentence) if sentence else st.success("Every byte of every run is as it was stored.")
    keys = st.session_state.get(_DELETED)
    if keys:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Undo", key="runs.undo", on_click=restore, args=(keys,))
            what = f"Run {keys[0]} was" if len(keys) == 1 else f"{len(keys)} runs were"
            style.quiet(f"{what} moved to the trash.")


main()
