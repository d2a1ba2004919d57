"""The store of runs and the job manager: one of each for a server, and what pages read from them, cached by key."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from threading import Thread
from typing import Any, TypeVar

import numpy as np
import streamlit as st
from threadpoolctl import OpenBLASController, threadpool_limits

from crl_core.config import RunConfig, Scenario
from crl_core.data.scm import MultiEnvData, sample
from crl_core.events import finite
from crl_core.export import exporter as exports
from crl_core.figures import palette
from crl_core.identify.live import Trainer
from crl_core.jobs import manager as crl_jobs
from crl_core.jobs.background import Background
from crl_core.jobs.manager import JobManager
from crl_core.jobs.turn import Turn
from crl_core.lecture.averages import Averages
from crl_core.lecture.frames import frames
from crl_core.lecture.handout import THEMES
from crl_core.lecture.naming import Naming
from crl_core.measures.curves import Curves, Follower, of_result
from crl_core.measures.so_far import Watcher
from crl_core.measures.view_samples import LookedAt
from crl_core.results import RunResult, view_rows
from crl_core.runs.kept_tables import KeptTables
from crl_core.runs.library import Library
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunStore, RunSummary
from crl_core.runs.temporary import ensure_temporary_folder
from crl_core.studies import claims, claims_run, environments
from crl_core.studies.grid.live import Driver

# Streamlit's own hash of a config, field by field, takes longer than to draw a figure.
_BY_KEY = {RunConfig: lambda config: config.key, Scenario: repr}
_PICTURES: list[Any] = []  # functions with a cache that may hold rows, latents or estimates of a private table

_LOG = logging.getLogger(__name__)
F = TypeVar("F")
HELD = 24  # runs whose results, rows and pictures are kept in memory for all visitors: the shipped ones, and some own


def pictures(cached: F) -> F:
    """Marks a cached function whose answers are made of a run's rows, so that none outlives a private table."""
    _PICTURES.append(cached)
    return cached


def forget_pictures() -> None:
    """Empty these caches; what other visitors look at is worked out again."""
    for cached in _PICTURES:
        cached.clear()


@st.cache_resource(show_spinner=False)
def store() -> RunStore:
    threadpool_limits(1, user_api="blas")  # visitors share the processors; threads of one would wait for each other
    OpenBLASController.clear_controlling_thread()  # which is this visitor's, with all that the session holds
    found = RunStore()
    ensure_temporary_folder(found.root)
    KeptTables(found).serve_rows()
    Thread(target=found.discard_private, name="crl private", daemon=True).start()  # of a server that has crashed
    return found


@st.cache_resource(show_spinner=False)
def library() -> Library:
    return Library(store())


@st.cache_data(ttl=30, show_spinner=False)
def foreign_runs() -> int:
    """How many stored runs this installation did not seal, as of some seconds ago."""
    try:
        return len(store().foreign())
    except StoreError:
        return 0


def kept_tables() -> KeptTables:
    return KeptTables(store())


@st.cache_resource(ttl=5, show_spinner=False)
def recent() -> list[RunSummary]:
    """All runs as of a few seconds ago: enough to judge what training costs, without looking at every folder again."""
    return library().runs()


@st.cache_resource(show_spinner=False)
def jobs() -> JobManager:
    return _warm(JobManager(store(), turn=Turn(store().root)))


@st.cache_resource(show_spinner=False)
def trainer() -> Trainer:
    """The trainer of latent worlds; its trainings wait their turn among the runs."""
    return Trainer(store().root / "identify", jobs())


@st.cache_resource(show_spinner=False)
def background() -> Background:
    """Runs of which a page needs several."""
    return Background(jobs())


@st.cache_resource(show_spinner=False)
def studies() -> Driver:
    """Drives a study of runs, which wait their turn among those of visitors."""
    return Driver(jobs())


def _warm(manager: JobManager) -> JobManager:
    """The worker is started with the server, so that the first click on Train is answered at once; what the server
    before was asked for goes on."""
    manager.warm()
    taken, lost = manager.take_up()
    if taken or lost:
        _LOG.warning("%d runs that were asked for before are taken up; %d entries of that queue are lost", taken, lost)
    return manager


@pictures
@st.cache_resource(max_entries=HELD, show_spinner=False)
def _result(key: str, sealed_at: float) -> RunResult:
    return store().load(key)


@pictures
@st.cache_resource(max_entries=2 * HELD, show_spinner=False)
def _part(key: str, name: str, sealed_at: float) -> dict[str, np.ndarray] | None:
    return store().part(key, name)


@pictures
@st.cache_resource(max_entries=HELD, show_spinner=False, hash_funcs=_BY_KEY)
def view_data(config: RunConfig) -> MultiEnvData:
    """The held-out rows of replicate 0 that pictures show."""
    return view_rows(config)


def load(key: str) -> RunResult:
    """A sealed run; one that was trained again is read again. Raises RunNotFound, RunCorrupted or StoreError."""
    summary = store().summary(key)
    return store().load(key) if summary is None else _result(key, summary.created)


def load_part(key: str, name: str) -> dict[str, np.ndarray] | None:
    """A part of a sealed run, None while it has not been added."""
    summary = store().summary(key)
    return None if summary is None or name not in summary.parts else _part(key, name, summary.created)


def evidence_stored(key: str) -> dict[str, np.ndarray] | None:
    """The evidence of a run if it can be read, for a page that does without it."""
    try:
        return load_part(key, "evidence")
    except StoreError:
        return None


def estimate_s(config: RunConfig) -> float:
    """Seconds that training `config` will take, by the runs that were timed on this machine."""
    return crl_jobs.estimate_seconds(config, recent())


def device_line() -> str:
    """Where a run is trained, as far as a server without torch can say."""
    own = [item for item in recent() if not item.baked]
    return f"on {own[0].device}" if own else "on the fastest device of this machine"


@pictures
@st.cache_resource(max_entries=8, show_spinner=False)
def follower(key: str) -> Follower:
    """The growing curves of a run under way, one for all who watch it."""
    return Follower(read=lambda offset: jobs().events(key, offset))


@pictures
@st.cache_resource(max_entries=8, show_spinner=False)
def watcher(key: str) -> Watcher:
    """What is seen of a run under way, one for all who watch it."""
    return Watcher(read=lambda offset: jobs().events(key, offset))


@pictures
@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs=_BY_KEY)
def looked_at(config: RunConfig) -> LookedAt:
    """The rows that are looked at while a run trains."""
    return LookedAt.of(config, view_data(config))


@pictures
@st.cache_resource(max_entries=HELD, show_spinner=False)
def _final_curves(key: str, sealed_at: float) -> Curves:
    return of_result(load(key))


def final_curves(key: str) -> Curves:
    """The curves of a sealed run. Raises as `load` does."""
    summary = store().summary(key)
    return of_result(load(key)) if summary is None else _final_curves(key, summary.created)


@st.cache_resource(max_entries=HELD, show_spinner=False, hash_funcs=_BY_KEY)
def rows_of(scenario: Scenario, seed: int) -> MultiEnvData:
    """All rows of a scenario, as the Scenario page draws them before anything is trained; of a large one as many as
    fit into memory."""
    return sample(scenario.in_memory, seed)


@pictures
@st.cache_resource(max_entries=HELD, show_spinner=False)
def lecture_frames(
    stamp: str,
    naming: Naming,
    _result: RunResult,
    _projection: Mapping[str, np.ndarray] | None,
    _evidence: Mapping[str, np.ndarray] | None,
    _averages: Averages | None,
) -> dict[str, Any]:
    """The scrubber's frames of a run. stamp: the run, and which of its parts are there."""
    return frames(_result, _projection, _evidence, naming=naming, palettes=lecture_palettes(), averages=_averages)


def lecture_palettes() -> dict[str, Any]:
    """The colours of every theme that the scrubber can be switched to."""
    return {name: palette(name) for name in THEMES if name != "auto"}


@st.cache_resource(max_entries=8, show_spinner="Measuring the stored runs")
def claims_measured(seeds: int, stamp: tuple[float, ...]) -> Mapping[str, Any]:
    """Every claim about λ paths on runs that are stored here. stamp: when these were sealed."""
    measured = claims_run.run_claims(claims.load_claims(), seeds, store())
    found: Mapping[str, Any] = finite(claims_run.content_of(measured, seeds))
    return found


@st.cache_resource(max_entries=8, show_spinner="Judging the stored networks")
def environments_measured(preset_id: str, seeds: int, stamp: tuple[float, ...]) -> environments.EnvironmentsStudy:
    """The study of environments on runs that are stored here. stamp: when these were sealed."""
    return environments.run_environments(preset_id, seeds, store())


def stamp(wanted: Iterable[tuple[RunConfig, bool]]) -> tuple[float, ...]:
    """When the runs that a study asks for were sealed."""
    summaries = [store().summary(config.key) for config, _ in wanted]
    return tuple(summary.created for summary in summaries if summary is not None)


@st.cache_resource(show_spinner=False)
def exporter() -> exports.Exporter:
    """Writes and measures model files, one process at a time for all visitors."""
    return exports.Exporter()
