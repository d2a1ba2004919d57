"""A trace beside the picture of its row: tapped there or chosen by hand, with what is known of it and what is answered.

The choice is a row of the picture; it survives a change of λ, of layout and of colour.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from crl_core.data.scm import MultiEnvData
from crl_core.figures import mv_limits, outside, palette, trace_among
from crl_core.figures.base import ARM_NAMES
from crl_core.measures.edits import YES, answers
from crl_core.measures.trace_views import recorder_of
from pages.shared.run_view import RunInView
from pages.shared.style import quiet
from pages.shared.tables import beyond, chart, signed, table, three

_ROW = "latent.row"  # from 1
TRACE, INPUT = "its trace", "input x"


def beside(run: RunInView) -> str:
    """What stands beside the latent; the input where x is no trace, without a choice."""
    if recorder_of(run.config) is None:
        return INPUT
    picked = st.segmented_control(
        "Beside it", [TRACE, INPUT], default=TRACE, required=True, key="latent.beside", persist_state="session"
    )
    return str(picked or TRACE)


def row_in_view(run: RunInView) -> int | None:
    """The row of the picture that is looked at, from 0: a representative one until another is chosen; None where x is
    no trace."""
    if recorder_of(run.config) is None or len(run.view) == 0:
        return None
    row: int = st.session_state.get(_ROW, representative(run.view) + 1)
    return min(row, len(run.view)) - 1


def choose(row: int) -> None:
    """Look at a row of the picture, from 0."""
    st.session_state[_ROW] = row + 1


def representative(rows: MultiEnvData) -> int:
    """The row of the first environment whose trace is closest to the mean of its environment's."""
    mine = np.flatnonzero(rows.env == rows.env[0])
    return int(mine[np.square(rows.x[mine] - rows.x[mine].mean(axis=0)).sum(axis=1).argmin()])


def draw(run: RunInView, row: int) -> None:
    """The trace of a row, the mean trace of each environment, and what is known of the row."""
    rows, recorder = run.view, recorder_of(run.config)
    assert recorder is not None
    env = int(rows.env[row])
    drawn = trace_among(
        rows.x[row],
        env,
        _means(rows, len(run.env_names)),
        recorder.rate,
        mv_limits(rows.x),
        run.env_names,
        palette(run.theme),
        title=f"Row {row + 1}, {run.env_names[env]}",
    )
    chart(drawn, "latent.trace")
    st.session_state[_ROW] = row + 1
    st.slider("Row of the picture", 1, len(rows), key=_ROW, format="%d", persist_state="session")
    one = rows.rows(np.array([row]))
    found = float(answers(run.result, one)[run.result.lams.index(run.lam), 0])
    known = [("treatment", ARM_NAMES[int(rows.t[row])])]
    known += [] if run.config.source.two_outcomes else [("outcome", signed(float(rows.y[row])))]
    table(["", f"row {row + 1}"], [*known, *answer_lines(run, one, [found])], strong=len(known))
    quiet(
        "Tap a point to see its trace, or move the slider; a ring marks it. Thin: the row. Wide and pale: the mean of "
        f"each environment.{beyond(outside(drawn), 'samples')}"
    )


def answer_lines(run: RunInView, row: MultiEnvData, values: Sequence[float]) -> list[tuple[str, ...]]:
    """Lines of a table on one row, a column for each answer of the model in view: τ̂, or ŷ of a label, and the truth."""
    if run.config.source.two_outcomes:
        return [
            (f"ŷ at λ = {run.lam:g}, {ARM_NAMES[int(row.t[0])]}", *(three(value) for value in values)),
            ("the network says", *(_yes(value) for value in values)),
            ("the label", *[_yes(float(row.y[0]))] * len(values)),
        ]
    lines: list[tuple[str, ...]] = [(f"τ̂ at λ = {run.lam:g}", *(signed(value) for value in values))]
    if row.ite is not None:
        lines.append(("true effect, known only in simulation", *[signed(float(row.ite[0]))] * len(values)))
    return lines


def _yes(value: float) -> str:
    return "–" if not np.isfinite(value) else "yes" if value > YES else "no"


def _means(rows: MultiEnvData, n_envs: int) -> np.ndarray:
    """The mean trace of each environment, [E, T]; NaN of one without rows."""
    found = np.full((n_envs, rows.x.shape[1]), np.nan)
    for env in np.unique(rows.env):
        found[env] = rows.x[rows.env == env].mean(axis=0)
    return found
