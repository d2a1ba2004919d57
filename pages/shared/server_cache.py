"""The store of runs and the job manager: one of each for a server, and what pages read from them, cached by key."""

from __future__ import annotations

import numpy as np
import streamlit as st

from crl_core.config import RunConfig
from crl_core.data.scm import MultiEnvData
from crl_core.identify.live import Trainer
from crl_core.jobs import manager as crl_jobs
from crl_core.jobs.manager import JobManager
from crl_core.measures.curves import Curves, Follower, of_result
from crl_core.results import RunResult, view_rows
from crl_core.runs.library import Library
from crl_core.runs.store import RunStore, RunSummary


@st.cache_resource(show_spinner=False)
def store() -> RunStore:
    return RunStore()


@st.cache_resource(show_spinner=False)
def library() -> Library:
    return Library(store())


@st.cache_resource(ttl=5, show_spinner=False)
def recent() -> list[RunSummary]:
    """All runs as of a few seconds ago: enough to judge what training costs, without looking at every folder again."""
    return library().runs()


@st.cache_resource(show_spinner=False)
def jobs() -> JobManager:
    return _warm(JobManager(store()))


@st.cache_resource(show_spinner=False)
def trainer() -> Trainer:
    """Of latent worlds; its trainings wait their turn among the runs."""
    return Trainer(store().root / "identify", jobs())


def _warm(manager: JobManager) -> JobManager:
    """The worker is started with the server, so that the first click on Train is answered at once."""
    manager.warm()
    return manager


@st.cache_resource(max_entries=6, show_spinner=False)
def _result(key: str, sealed_at: float) -> RunResult:
    return store().load(key)


@st.cache_resource(max_entries=6, show_spinner=False)
def _part(key: str, name: str, sealed_at: float) -> dict[str, np.ndarray] | None:
    return store().part(key, name)


@st.cache_resource(max_entries=6, show_spinner=False)
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


def estimate_s(config: RunConfig) -> float:
    """Seconds that training `config` will take, by the runs that were timed on this machine."""
    return crl_jobs.estimate_seconds(config, recent())


def device_line() -> str:
    """Where a run is trained, as far as a server without torch can say."""
    own = [item for item in recent() if not item.baked]
    return f"device: {own[0].device}" if own else "device: the best that is found"


@st.cache_resource(max_entries=8, show_spinner=False)
def follower(key: str) -> Follower:
    """The growing curves of a run under way, one for all who watch it."""
    return Follower(read=lambda offset: jobs().events(key, offset))


@st.cache_resource(max_entries=4, show_spinner=False)
def _final_curves(key: str, sealed_at: float) -> Curves:
    return of_result(load(key))


def final_curves(key: str) -> Curves:
    """The curves of a sealed run. Raises as `load` does."""
    summary = store().summary(key)
    return of_result(load(key)) if summary is None else _final_curves(key, summary.created)
