"""Effects of a table's rows as pages show them, worked out once a session for each run and λ.

A session keeps what it saw, and no other sees it: a table may be private.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from crl_core.data.scm import MultiEnvData, joined
from crl_core.figures.base import number
from crl_core.measures.average_effects import (
    AverageEffects,
    AverageLevels,
    RowEffects,
    average_effects,
    average_levels,
    row_effects,
)
from crl_core.measures.checked_effects import CheckedEffects, checked_effects
from crl_core.measures.doubly_robust import Nuisances, nuisances, scores
from crl_core.results import data_of
from pages.shared import table_run
from pages.shared.run_view import RunInView

_FOUND, _MOST = "rows.found", 60


def rows_of(run: RunInView) -> tuple[MultiEnvData, np.ndarray]:
    """All rows, in the file's order where the session has it, and indices of the training part."""
    own = table_run.current()
    if own is not None and own.rows == run.config.table:
        return own.source.all_rows()[0], own.source.parts()[0]
    return once(run, "rows", lambda: _train_first(*data_of(run.config)))  # type: ignore[no-any-return]


def average(run: RunInView) -> AverageEffects:
    return once(run, "average", lambda: average_effects(run.result, rows_of(run)[0]))  # type: ignore[no-any-return]


def levels(run: RunInView) -> AverageLevels:
    """What those who align nothing say of the average effect."""
    return once(run, "levels", lambda: average_levels(rows_of(run)[0]))  # type: ignore[no-any-return]


def known(run: RunInView) -> Nuisances:
    seed = run.config.training.seed
    return once(run, "nuisances", lambda: nuisances(rows_of(run)[0], seed))  # type: ignore[no-any-return]


def scores_of(run: RunInView) -> np.ndarray:
    """The doubly robust score of every row."""
    return once(run, "scores", lambda: scores(rows_of(run)[0], known(run)))  # type: ignore[no-any-return]


def of_rows(run: RunInView) -> RowEffects:
    """At the λ in view."""
    at = run.result.lams.index(run.lam)
    return once(run, f"rows at {at}", lambda: row_effects(run.result, *rows_of(run), at))  # type: ignore[no-any-return]


def checked(run: RunInView) -> CheckedEffects:
    """At the λ in view."""
    at = run.result.lams.index(run.lam)
    return once(  # type: ignore[no-any-return]
        run, f"checked at {at}", lambda: checked_effects(rows_of(run)[0], known(run), of_rows(run), run.env_names)
    )


def effect_said(run: RunInView, value: float | None, *, signed: bool = True) -> str:
    """An effect in the outcome's unit; of two outcomes in percentage points. A dash where there is none."""
    if value is None or not np.isfinite(value):
        return "–"
    points = run.config.source.two_outcomes
    words = f"{100 * abs(value):.1f} pp" if points else number(abs(value))
    return ("−" if value < 0 else "+" if signed else "") + words


def _train_first(train: MultiEnvData, held_out: MultiEnvData) -> tuple[MultiEnvData, np.ndarray]:
    return joined(train, held_out), np.arange(len(train))


def once(run: RunInView, what: str, work: Callable[[], Any]) -> Any:
    """What `work` gives, kept by the session for this run under the name `what`."""
    found: dict[tuple[str, str], Any] = st.session_state.setdefault(_FOUND, {})
    if (run.key, what) not in found:
        while len(found) >= _MOST:
            del found[next(iter(found))]
        found[run.key, what] = work()
    else:
        found[run.key, what] = found.pop((run.key, what))  # what is asked for again is forgotten last
    return found[run.key, what]
