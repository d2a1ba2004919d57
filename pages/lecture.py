"""λ under the finger: one run, every view of it, moved by hand."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from crl_core.config import RunConfig
from crl_core.config.text import imagined
from crl_core.lecture.handout import naming_of
from crl_core.lecture.traces import TRACE_KEYS
from pages.shared import (
    controls,
    glossary,
    job_panel,
    last_run,
    lecture_handout,
    lecture_live,
    lesson_share,
    quiet,
    require,
    row_views,
    run_in_view,
    server_cache,
    sidebar,
)
from pages.shared.lecture_scrubber import scrubber
from pages.shared.lecture_stage import stage_of
from pages.shared.tables import say


def train_shifted(config: RunConfig, lam: float, sigma: Sequence[float]) -> None:
    """Put the σ that was dragged to into the sidebar and train it; this page then shows its curves as they come."""
    wanted = imagined(config, sigma=tuple(sigma))
    if wanted is None:
        return  # no σ that the scrubber's handles reach
    sidebar.show(wanted)
    job_panel.train(wanted, lam)


def finished() -> None:
    with above:
        run = run_in_view()
    naming = naming_of(run.config, run.naming.env_word)
    parts = [name for name, part in (("projection", run.projection), ("evidence", run.evidence)) if part is not None]
    stamp = f"{run.key}|{'+'.join(parts)}"
    averages = None if run.config.table is None else (row_views.average(run), row_views.levels(run))
    data = server_cache.lecture_frames(stamp, naming, run.result, run.projection, run.evidence, averages)
    with st.container():  # as a fragment has one: in its place the scrubber stays, in full screen too
        before = last_run.before(run.config)
        scrubber(
            data, stamp, run.lam, lambda sigma: train_shifted(run.config, run.lam, sigma), stage_of(now), before=before
        )
    if before is not None:
        say(before.says(run.result))
    missing = {"projection": "the aligned t-SNE maps", "evidence": "domain AUC"}
    waiting = [what for name, what in missing.items() if name not in parts]
    left, right = st.columns([4, 1], vertical_alignment="center")
    with left:
        if waiting:
            words = " and ".join(waiting)
            verb = "are being computed" if run.computing else "have not been computed"
            quiet(f"{words[:1].upper()}{words[1:]} {verb}; until then PCA stands in and a dash is shown.")
        else:
            training = run.config.training
            several = f" Pictures: seed {training.seed}." if training.replicates > 1 else ""
            turns = ", T turns to the map and back" if data["map"] else ""
            traced = f" {TRACE_KEYS}{turns}." if data["trace"] else ""
            quiet(
                "Arrow keys step, Home and End jump, space plays, Page Down tells the story, 1 to 5 enlarge, F fills "
                f"the screen, P is for projectors, ? lists all keys.{traced}{several}"
            )
    with right:
        lecture_handout.offer(run, naming)
        if st.button("Share", key="lecture.share", width="stretch", help="A link for a class, with a QR code."):
            lesson_share.dialogue()
        glossary.definitions("lecture")


require()
now = controls()
above = st.container()  # so that what is said there does not move the scrubber to another place
state = job_panel.state_of(now.config.key) if now.config is not None else None
if now.config is not None and state is not None and state.active and state.phase in ("queued", "running"):
    lecture_live.draw(now, now.config)
else:
    finished()
