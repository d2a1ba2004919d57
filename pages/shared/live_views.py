"""Run pages while their run trains: drawn from its events, and again every second until the run is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from crl_core.config import RunConfig
from crl_core.figures.palette import Palette, palette
from crl_core.lecture.naming import n_pairs_of
from crl_core.measures.curves import Curves, empty
from crl_core.measures.so_far import SoFar, Views
from crl_core.measures.view_samples import LookedAt
from crl_core.metrics import METRIC
from pages.shared import job_panel, load, server_cache, style
from pages.shared.asked import Controls

_POLL_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Live:
    """A run under way, as it is known by now, and the λ in view."""

    config: RunConfig
    asked: Controls
    so_far: SoFar
    curves: Curves
    share: float  # of the training that is done
    line: str  # the words to it

    @property
    def lam(self) -> float:
        return self.asked.lam

    @property
    def at(self) -> int:
        """Index of the λ in view."""
        return self.config.training.lams.index(self.lam)

    @property
    def ink(self) -> Palette:
        return palette(style.theme())

    @property
    def seen(self) -> tuple[Views, LookedAt] | None:
        """What was last seen of the models, and the rows that were looked at; None before the first look."""
        return None if self.so_far.views is None else (self.so_far.views, server_cache.looked_at(self.config))

    def figure(self, name: str) -> str:
        """The latest median over replicates of a metric at the λ in view."""
        compared = name != "mmd2" or n_pairs_of(self.config) > 0
        return style.figure(self.curves.last(name, self.lam) if compared else None)

    def progress(self) -> None:
        """How far the run is, and that the pictures follow."""
        st.progress(min(1.0, self.share), text=self.line)

    def says(self, rows: int, own: str | None = None) -> None:
        """Which rows are drawn, of which model and epoch. own: a metric whose value of that model is said."""
        several = ""
        if self.config.training.replicates > 1:
            several = f" of the first of {self.config.training.replicates} replicates"
            if own is not None and self.so_far.epochs:
                error = float(getattr(self.so_far.epochs[-1], own)[self.at])
                several += f", whose {METRIC[own].word} is {style.figure(error)}"
        epoch = "" if self.so_far.views is None else f" after epoch {self.so_far.views.epoch}"
        style.quiet(f"{rows} held-out rows{epoch}{several}. The picture follows every few epochs.")


def waits() -> None:
    """In the place of pictures before there are any."""
    style.notice("Nothing was seen yet", "The first picture comes with the first epoch.")


def watch(asked: Controls, config: RunConfig, draw: Callable[[Live], None]) -> None:
    """Draw the page of a run under way, again and again; the whole page is drawn anew when something else is so."""

    @st.fragment(run_every=load.pace(_POLL_S))
    def look() -> None:
        state = job_panel.state_of(config.key)
        moved = st.session_state["lam"] != asked.lam  # by hand: the sidebar is outside of this fragment
        if moved or not moves(config):
            st.rerun()
        training = config.training
        share, line = job_panel.progress_line(state)
        draw(
            Live(
                config=config,
                asked=asked,
                so_far=server_cache.watcher(config.key).follow(),
                curves=server_cache.follower(config.key).follow()
                or empty(training.lams, training.epochs, training.replicates),
                share=share,
                line=line,
            )
        )

    look()


def moves(config: RunConfig) -> bool:
    """Whether the run is waiting to be trained, or is being trained."""
    state = job_panel.state_of(config.key)
    return state.active and state.phase in ("queued", "running")
