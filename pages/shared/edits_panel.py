"""What the network looks at: a trace or an image as recorded and as an edit has it, and how far its answers move."""

from __future__ import annotations

import numpy as np
import streamlit as st

from crl_core.config import Scenario
from crl_core.figures import Level, along_lam, image_edited, outside, palette, trace_edited
from crl_core.figures.axes import finite_of
from crl_core.measures.edit_words import first_edit, idle_said, limits_said, mended_said, moved_said
from crl_core.measures.edits import EDITS, MOST_REPLICATES, OF_IMAGES, Edit, edits_of
from pages.shared import gradient_panel, trace_viewer
from pages.shared.model_views import Recorded, recorded
from pages.shared.run_view import RunInView
from pages.shared.style import panel_title, quiet
from pages.shared.tables import beyond, chart, say, signed, table

_ROW = "edits.row"


def draw(run: RunInView) -> None:
    """The panel; nothing where x is neither a simulated trace nor an image."""
    if run.config.table is None and edits_of(run.config.scenario):
        with st.container(key="panel_edits"):
            st.fragment(_panel)(run)


def _panel(run: RunInView) -> None:
    scenario = run.config.scenario
    panel_title("What it looks at", "the same rows recorded otherwise: what moves, the network takes from the machine")
    edit = _edit(scenario)
    found = recorded(run, edit)
    left, right = st.columns(2)
    with left:
        row = _row(len(found.rows))
        _before_and_after(run, found, edit, row)
    with right:
        _along(run, found)
        label = scenario.outcome == "binary"
        say(idle_said(scenario, edit) or moved_said(found.sizes, run.result.lams, run.lam, edit, label=label))
        quiet(f"{limits_said(scenario)} {mended_said(scenario, edit)}")
    if scenario.observation == "ecg":
        gradient_panel.draw(run, found.rows, row, found.limits)


def _edit(scenario: Scenario) -> Edit:
    """Which edit is shown; traces and images have edits of their own."""
    first = first_edit(scenario)
    if scenario.observation == "digits":
        return (
            st.segmented_control(
                "Take them again", OF_IMAGES, default=first, key="edits.light", required=True, persist_state="session"
            )
            or first
        )
    return (
        st.segmented_control(
            "Record them again", EDITS, default=first, key="edits.edit", required=True, persist_state="session"
        )
        or first
    )


def _row(count: int) -> int:
    """Which of the held-out rows is drawn, from 0."""
    if st.session_state.get(_ROW, 1) > count:  # of a world of more rows
        st.session_state[_ROW] = count
    row: int = st.slider("Held-out row", 1, count, 1, key=_ROW, format="%d", persist_state="session")
    return row - 1


def _before_and_after(run: RunInView, found: Recorded, edit: Edit, row: int) -> None:
    env, at = int(found.rows.env[row]), run.result.lams.index(run.lam)
    ink, title = palette(run.theme), f"Row {row + 1}, {run.env_names[env]}"
    one, other = found.rows.x[row], found.x[row]
    if run.config.scenario.observation == "digits":
        drawn = image_edited(one, other, env, edit, found.limits, ink, title=title)
    else:
        drawn = trace_edited(one, other, run.config.scenario.rate, env, edit, found.limits, ink, title=title)
    chart(drawn, "edits.trace")
    if outside(drawn):
        quiet(beyond(outside(drawn), "samples"))
    values = [float(answers[at, row]) for answers in (found.first.before, found.first.after)]
    lines = trace_viewer.answer_lines(run, found.rows.rows(np.array([row])), values)
    table(["", "as recorded", edit], lines, strong=0)


def _along(run: RunInView, found: Recorded) -> None:
    lams, status = run.result.lams, run.result.by_lam(run.result.status)[: len(found.sizes)]
    label, ite = found.first.label, found.rows.ite
    levels = [] if ite is None or label else [Level(name="sd of the true effects", value=float(ite.std()), truth=True)]
    top = max([*finite_of(found.sizes), *(level.value for level in levels), 0.0])
    drawn = along_lam(
        lams,
        found.sizes,
        status,
        run.lam,
        palette(run.theme),
        title="Share of labels that flip" if label else "How far the effects move",
        y_title="share that flips" if label else "RMS change of τ̂",
        linear=(0.0, 1.0) if label else (0.0, 1.1 * top or 1.0),
        references=levels,
    )
    chart(drawn, "edits.along")
    what = "Root mean square of τ̂ edited less τ̂ as recorded."
    if label:
        mean = signed(float(found.first.mean[lams.index(run.lam)]))
        what = f"A label flips where ŷ crosses one half; at λ = {run.lam:g} ŷ moves by {mean} on average."
    quiet(f"{what} {len(found.rows):,} held-out rows.{_whose(run.config.training.replicates)}")


def _whose(replicates: int) -> str:
    if replicates == 1:
        return ""
    of = f"the first {MOST_REPLICATES} of {replicates} replicates" if replicates > MOST_REPLICATES else "replicates"
    return f" Median and range over {of}; single rows and averages are those of the first."
