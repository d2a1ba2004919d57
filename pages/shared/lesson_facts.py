"""What the measured run of a step says, worked out once for all visitors: its lessons use shipped runs only."""

from __future__ import annotations

import numpy as np
import streamlit as st

from crl_core.lessons.facts import Evidence, Facts, along, facts, key_of
from crl_core.lessons.lesson import Lesson, lessons
from crl_core.lessons.rooms import Rooms
from crl_core.results import RunResult
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunCorrupted, RunNotFound
from pages.shared import server_cache

NO_RUN = (
    "The run of this step is not in the store of this server, so nothing can be revealed; go on, or bake it: "
    "python -m crl_core bake."
)


def facts_of(lesson: Lesson, index: int) -> Facts | None:
    """The facts of a step; None where its run is gone."""
    try:
        return _facts(lesson.id, lesson.version, index)
    except (RunCorrupted, RunNotFound, StoreError):
        return None


def path_of(lesson: Lesson, index: int) -> tuple[tuple[float, ...], np.ndarray] | None:
    """λ, and log10 of the medians along it, of what a step has drawn; None where its run is gone."""
    step = lesson.steps[index]
    key = key_of(step)
    assert key is not None
    try:
        result, evidence = _load(key)
    except (RunCorrupted, RunNotFound, StoreError):
        return None
    values = along(result, evidence, step.answer)
    if values is None:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        return result.lams, np.log10(values)


@st.cache_resource(max_entries=128, show_spinner=False)
def _facts(lesson_id: str, version: str, index: int) -> Facts:
    return facts(lessons()[lesson_id].steps[index], _load)


def _load(key: str) -> tuple[RunResult, Evidence]:
    return server_cache.load(key), server_cache.load_part(key, "evidence")


@st.cache_resource(show_spinner=False)
def rooms() -> Rooms:
    """The rooms of this server."""
    return Rooms()
