"""New sweep: one or two settings with several values each, queued as ordinary runs, named by what they have."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import streamlit as st

from crl_core.config import MAX_QUEUE, RunConfig
from crl_core.config.settings import Setting, name_of
from crl_core.config.sweep import Member, axes_of, expand, read_axis
from crl_core.config.text import N_ENVS
from crl_core.data.tables.private import PrivateRows
from crl_core.runs.labels import MAX_NAME, Label
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunSummary
from pages.shared import job_panel, load, server_cache, sidebar, strangers, style
from pages.shared.table_kept import rows_here

_POLL_S = 1.0
_ASKED = "runs.sweep.asked"  # (key, name) of the runs of the last sweep
_REFUSED = "runs.sweep.refused"
_FIRST = (Setting("sigma", 1), Setting("sigma", 0), Setting("seed"))  # the first that a base has is offered
_NONE = "none"
_MOST_NAMES = 4  # that are told


def panel(chosen: Sequence[RunSummary]) -> None:
    """The form of a new sweep, or the progress of the one that is under way."""
    with st.container(key="panel_runs_sweep", height="stretch"):
        style.panel_title("New sweep", "each value of one setting, or each pair of two")
        if asked := st.session_state.get(_ASKED):
            st.fragment(_watch, run_every=load.pace(_POLL_S))(asked)
            return
        base = _base(chosen)
        if base is not None:
            _form(base)
        for sentence in st.session_state.pop(_REFUSED, ()):
            st.error(style.plain(sentence))


def _base(chosen: Sequence[RunSummary]) -> RunConfig | None:
    """The run whose other settings all runs of the sweep have: a selected one, or the one in view."""
    bases: dict[str, RunConfig] = {}
    if len(chosen) == 1 and not chosen[0].outdated and rows_here(chosen[0].config):
        bases[f"the selected run: {chosen[0].label.name or name_of(chosen[0].config)}"] = chosen[0].config
    own = sidebar.controls().config
    if own is not None and not isinstance(own.table, PrivateRows):
        bases.setdefault(f"in view: {name_of(own)}", own)
    if not bases:
        style.quiet("Select a run of a stored world above; a sweep varies its settings.")
        return None
    name = st.selectbox("All else as in", list(bases), key="runs.sweep.base")
    return bases.get(name, next(iter(bases.values())))


def _form(base: RunConfig) -> None:
    settings = {setting.name: setting for setting in axes_of(base)}
    first = next((setting.name for setting in _FIRST if setting.name in settings), next(iter(settings)))
    axes, problem = [], ""
    for place, offered in (("first", [*settings]), ("second", [_NONE, *settings])):
        left, right = st.columns([2, 3], vertical_alignment="bottom")
        name = left.selectbox(
            f"{place.capitalize()} setting",
            offered,
            index=offered.index(first) if place == "first" else 0,
            format_func=lambda name: settings[name].word if name in settings else _NONE,
            key=f"runs.sweep.{place}",
            persist_state="session",
        )
        if name not in settings:
            continue
        setting = settings[name]
        text = right.text_input(
            "Its values",
            key=f"runs.sweep.values.{name}",
            placeholder=_hint(setting, base),
            help=f"Commas between them. In the base it is {setting.told(setting.of(base))}.",
            persist_state="session",
        )
        try:
            axes.append(read_axis(setting, text or ""))
        except ValueError as error:
            problem = problem or ("" if not (text or "").strip() else str(error))
    own_grids = any(axis.setting.field == "penalty" for axis in axes) and st.toggle(
        "Each penalty on its own usual λ grid",
        value=True,
        key="runs.sweep.grids",
        help="A λ of one penalty is not a λ of another: CORAL’s usual grid goes on to 10,000.",
    )
    members: list[Member] = []
    if axes and not problem:
        try:
            members = expand(base, axes, own_grids=bool(own_grids))
        except ValueError as error:
            problem = str(error)
    if problem:
        st.error(style.plain(problem[:1].upper() + problem[1:]))
    _offer(members)


def _hint(setting: Setting, base: RunConfig) -> str:
    value = setting.of(base)
    if setting.field == "penalty":
        return "mmd, coral"
    if setting.field in (N_ENVS, "seed"):
        return f"{value}, {value + 1}, {value + 2}"
    if setting.numeric and isinstance(value, int | float) and value:
        return ", ".join(f"{value * factor:g}" for factor in (0.5, 1, 2)) if not isinstance(value, int) else f"{value}"
    return ", ".join(setting.options[:2]) or "values, with commas"


def _offer(members: Sequence[Member]) -> None:
    """What the sweep is, what it costs, and the button."""
    store, room = server_cache.store(), server_cache.jobs().room
    lacking = [member for member in members if not store.has(member.config.key)]
    refusal = _too_many(len(lacking), room)
    if members:
        style.quiet(_says(members, lacking))
    if refusal and members:
        st.error(style.plain(refusal))
    count = style.count(len(lacking), "run") if lacking else "runs"
    st.button(
        f"Queue {count}",
        type="primary",
        key="runs.sweep.start",
        on_click=_queue,
        args=(lacking,),
        disabled=not lacking or bool(refusal),
    )
    if not members:
        style.quiet(f"Write values with commas between them. At most {MAX_QUEUE} runs can wait at a time.")


def _says(members: Sequence[Member], lacking: Sequence[Member]) -> str:
    done = len(members) - len(lacking)
    said = style.count(len(members), "run")
    if not lacking:
        return f"{said}, stored already: nothing is left to train."
    if done:
        said += f", {done} stored already"
    seconds = sum(server_cache.estimate_s(member.config) for member in lacking)
    names = ", ".join(f"“{member.name}”" for member in lacking[:_MOST_NAMES])
    more = ", …" if len(lacking) > _MOST_NAMES else ""
    return f"{said}; about {style.duration(seconds)}, one after the other. Names: {names}{more}."


def _too_many(wanted: int, room: int) -> str:
    """Why so many runs cannot be queued, in a sentence; empty where they can."""
    if wanted <= room:
        return ""
    if room == 0:
        return f"The queue is full: {MAX_QUEUE} runs are waiting; wait until one has ended, or cancel one."
    return (
        f"{wanted} runs are too many: {room} can be queued now (at most {MAX_QUEUE} wait at a time); take fewer values."
    )


def _queue(members: Sequence[Member]) -> None:
    """Submit the runs, each with its name. A callback."""
    asked, refused = [], []
    try:
        strangers.start([member.config.key for member in members])
    except ValueError as error:
        st.session_state[_ASKED], st.session_state[_REFUSED] = [], [str(error)]
        return
    for member in members:
        key = member.config.key
        with suppress(StoreError, ValueError):  # somebody has it in hand already: it is joined, and keeps its name
            server_cache.store().label_ahead(key, Label(name=member.name[:MAX_NAME]))
        try:
            server_cache.jobs().submit(member.config, visitor=strangers.visitor())
            asked.append((key, member.name))
        except (StoreError, ValueError) as error:
            refused = [str(error)]
            break
    st.session_state[_ASKED], st.session_state[_REFUSED] = asked, refused


def _watch(asked: Sequence[tuple[str, str]]) -> None:
    """Progress of the sweep. A fragment; the whole page is drawn again when a run has ended."""
    states = {key: job_panel.state_of(key) for key, _ in asked}
    left = [(key, name) for key, name in asked if states[key].active]
    ended = len(asked) - len(left)
    seen = "runs.sweep.ended"
    if st.session_state.get(seen) != ended:
        st.session_state[seen] = ended
        if ended:
            st.rerun()
    share, line, here = 0.0, "", next((item for item in left if states[item[0]].phase != "queued"), None)
    if here is not None:
        share, line = job_panel.progress_line(states[here[0]])
        line = f" “{here[1]}”: {line}."
    if left:
        st.progress(
            min(1.0, (ended + min(share, 0.99)) / len(asked)), text=f"{ended} of {len(asked)} runs ended.{line}"
        )
        st.button("Cancel all", key="runs.sweep.cancel", on_click=_cancel, args=([key for key, _ in left],))
        style.quiet("The runs go on if you leave this page; each appears above as it ends.")
        return
    lost = [name for key, name in asked if states[key].phase in ("cancelled", "failed", "absent")]
    style.quiet(
        f"{style.count(len(asked) - len(lost), 'run')} of {len(asked)} stored."
        + (f" Not trained: {', '.join(lost)}." if lost else "")
    )
    for sentence in dict.fromkeys(state.reason for state in states.values() if state.phase == "failed"):
        st.error(style.plain(sentence or "Training failed."))
    st.button("Another sweep", key="runs.sweep.again", on_click=_forget)


def _cancel(keys: Sequence[str]) -> None:
    for key in reversed(keys):  # those that wait first, so that none of them begins meanwhile
        job_panel.cancel(key)


def _forget() -> None:
    st.session_state.pop(_ASKED, None)
    st.session_state.pop("runs.sweep.ended", None)
