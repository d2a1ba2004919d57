"""The run of the session's own table: its settings, its config, and the end of both with the session.

The config names its rows by a token that only this session has (`private_rows`), so a key of such a run is in nobody
else's reach; what training stored is removed when another table takes its place, or the session ends. Of a table that
is kept on this machine (`table_kept`) the config names the table itself, and its runs stay.
"""

from __future__ import annotations

import functools
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from queue import SimpleQueue

import streamlit as st
from streamlit.runtime import Runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from crl_core.config import Align, RunConfig, Training
from crl_core.config.table import LAMS, REPLICATES, STEPS, alignable, table_config
from crl_core.data.tables.private import PrivateRows, forget_rows, private_rows
from crl_core.data.tables.source import TableSource
from crl_core.export.exporter import Exporter
from crl_core.jobs.manager import JobManager
from crl_core.measures.average_effects import AverageLevels
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunStore
from crl_core.studies.planted_live import PlantedTraining
from pages.shared import own_table, server_cache
from pages.shared.own_table import OwnTable

_RUN, _IN_VIEW = "table.run", "table.in_view"
PROBLEM = "table.problem"  # a sentence that the Data page and the Library say once
_CAN_COME_BACK_S, _LOOK_S = 130.0, 5.0  # a session whose tab is closed can be come back to for two minutes
_OVER: SimpleQueue[Callable[[], None]] = SimpleQueue()  # whose `put` takes no lock
_GIVE_UP_S = 60.0  # a training that is asked to stop does so within a second
LEAST_STEPS, MOST_STEPS, MOST_SEED = 20, 5000, 999_999  # of the sidebar's fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a person may choose of the training."""

    align: Align
    lams: tuple[float, ...] = LAMS
    replicates: int = REPLICATES
    steps: int = STEPS
    seed: int = 0

    @classmethod
    def of(cls, training: Training) -> Settings:
        """Those of a run that was trained before, as near as there are fields for it."""
        steps, seed = min(max(training.steps, LEAST_STEPS), MOST_STEPS), min(training.seed, MOST_SEED)
        return cls(align=training.align, lams=training.lams, replicates=training.replicates, steps=steps, seed=seed)


@dataclass(slots=True, kw_only=True, eq=False, weakref_slot=True)
class TableRun:
    """Held by the session alone. keys: of the private runs that were in view, which end with it, and so does what was
    planted in the table. opened: a stored run, in view until another setting is chosen."""

    table: OwnTable
    rows: PrivateRows | TableSource
    settings: Settings
    opened: RunConfig | None = None
    keys: set[str] = field(default_factory=set)
    planted: dict[str, PlantedTraining] = field(default_factory=dict)  # by key
    end: Callable[[], object] = lambda: None  # forget everything; the session's end does it too

    @property
    def source(self) -> TableSource:
        assert self.table.source is not None
        return self.table.source

    @property
    def can_align(self) -> tuple[Align, ...]:
        """What the penalty can make alike."""
        assert self.table.look is not None
        return alignable(self.source.n_envs, self.table.look.arms)

    def config(self) -> RunConfig:
        """The run of these settings. Raises ValueError with one sentence."""
        assert self.table.look is not None
        chosen = self.settings
        if self.opened is not None and Settings.of(self.opened.training) == chosen:
            return self.opened
        config = table_config(
            self.rows,
            self.table.look.arms,
            align=chosen.align,
            lams=chosen.lams,
            replicates=chosen.replicates,
            steps=chosen.steps,
            seed=chosen.seed,
        )
        if not self.table.kept:
            self.keys.add(config.key)
        return config


def current() -> TableRun | None:
    """The run of the session's table, if it is in view."""
    run = of_table()
    return run if st.session_state.get(_IN_VIEW) else None


def levels_of(config: RunConfig) -> AverageLevels | None:
    """What is said without a network of the average effect in a run's table, where that is the one in view."""
    run = current()
    if run is None or run.rows != config.table or run.table.look is None:
        return None
    return run.table.look.levels


def of_table() -> TableRun | None:
    """The run of the session's table, in view or not; it ends where its roles have changed, or the table is gone."""
    run: TableRun | None = st.session_state.get(_RUN)
    table = own_table.current()
    if table is not None and table.kept and not server_cache.kept_tables().has(table.content):
        _forgotten_elsewhere(table)
    if run is not None and own_table.loaded() is not run.table:
        st.session_state.pop(_RUN)
        run.end()
        run = None
    return run


def _forgotten_elsewhere(table: OwnTable) -> None:
    """Another session has made this machine forget the table: whoever loaded its file has it alone again."""
    if table.borrowed:
        own_table.leave()
        st.session_state[PROBLEM] = f"{table.label} was forgotten by somebody who uses this server; load its file."
    else:
        own_table.confirm(table)


def show(table: OwnTable) -> TableRun:
    """Put the table in view in the place of simulated worlds, with the usual settings where it has none yet."""
    run = of_table()
    if run is None:
        assert table.source is not None
        rows = table.source if table.kept else private_rows(table.source)
        run = TableRun(table=table, rows=rows, settings=Settings(align="treatment"))
        run.settings = Settings(align=run.can_align[0])
        of_server = (server_cache.store(), server_cache.jobs(), server_cache.exporter())
        token = rows.token if isinstance(rows, PrivateRows) else ""
        clear_up = functools.partial(_clear_up, run.keys, run.planted, *of_server)
        run.end = weakref.finalize(run, _ended, token, clear_up)
        _await_ends()
        st.session_state[_RUN] = run
        _watch_session(run)
    st.session_state[_IN_VIEW] = True
    return run


def show_run(table: OwnTable, config: RunConfig) -> TableRun:
    """Put a stored run of a kept table in view. For callbacks."""
    run = show(table)
    assert isinstance(config.table, TableSource)
    run.rows, run.opened, run.settings = config.table, config, Settings.of(config.training)
    for name in ("align", "steps", "replicates", "seed"):
        st.session_state[f"table.{name}"] = getattr(run.settings, name)
    return run


def becomes_kept(run: TableRun, table: OwnTable, keys: Mapping[str, str]) -> None:
    """The table of this run is kept from now on, and the runs of these keys have others."""
    assert table.source is not None
    if isinstance(run.rows, PrivateRows):
        forget_rows(run.rows.token)
    run.table, run.rows = table, table.source
    for old, asked in list(run.planted.items()):
        del run.planted[old]
        if old in keys:
            run.planted[keys[old]] = asked
        else:
            asked.forget()
    for old in keys:
        server_cache.exporter().forget(old, server_cache.store())


def leave() -> None:
    """Back to simulated worlds; the table and what was trained on it stay with the session."""
    st.session_state[_IN_VIEW] = False


def _watch_session(run: TableRun) -> None:
    """End the run soon after its tab is closed: Streamlit forgets a session that nobody came back to only when the next
    one is opened or closed, which may be never."""
    context, holding = get_script_run_ctx(), weakref.ref(run)
    if context is not None and Runtime.exists():
        thread = threading.Thread(
            target=_await_end, args=(context.session_id, holding), name="crl session", daemon=True
        )
        thread.start()


def _await_end(session_id: str, holding: weakref.ref[TableRun]) -> None:
    seen = time.monotonic()
    while time.monotonic() - seen < _CAN_COME_BACK_S:
        time.sleep(_LOOK_S)
        if holding() is None or not Runtime.exists():
            return
        if Runtime.instance().is_active_session(session_id):
            seen = time.monotonic()
    run = holding()
    if run is not None:
        run.end()


def _ended(token: str, clear_up: Callable[[], None]) -> None:
    """The session is over, or has another table: nothing of this one is kept.

    Also called where Python collects, in any thread that has just asked for memory and may hold any lock: what takes
    one is left to another thread.
    """
    forget_rows(token)
    _OVER.put(clear_up)


@functools.cache
def _await_ends() -> None:
    """Clear up after every session that ends from now on; once in a process."""

    def work() -> None:
        while True:
            threading.Thread(target=_OVER.get(), name="crl private", daemon=True).start()

    threading.Thread(target=work, name="crl ends", daemon=True).start()


def _clear_up(
    keys: set[str], planted: dict[str, PlantedTraining], store: RunStore, jobs: JobManager, exporter: Exporter
) -> None:
    for key in keys:
        exporter.forget(key, store)
    for asked in planted.values():
        asked.forget()
    server_cache.forget_pictures()
    until = time.monotonic() + _GIVE_UP_S
    for key in sorted(keys):
        try:
            jobs.cancel(key)
            while jobs.state(key).active and time.monotonic() < until:
                time.sleep(0.2)
            store.discard(key)
        except StoreError:  # what cannot be removed now is removed when a server starts
            continue
