"""State of the sidebar's run in words, and the buttons that change it.

While somebody works on the run a fragment looks again and again, and the whole page is drawn again when its phase
changes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import streamlit as st

from crl_core.config import RunConfig
from crl_core.config.settings import name_of
from crl_core.jobs import machine
from crl_core.jobs.cost import smaller
from crl_core.jobs.manager import JobState, queue_line
from crl_core.jobs.memory import too_much
from crl_core.runs.labels import MAX_NAME, Label
from crl_core.runs.sealing import StoreError
from pages.shared import load, locks, server_cache, strangers, style

_POLL_S = 2.0  # a page that moves looks more often by itself; with every look Streamlit draws all of a page anew
_NAME = "job.name"
_STAGES = {"projection": "t-SNE maps", "evidence": "overlap and baselines"}


def state_of(key: str) -> JobState:
    """The run's state; a store that cannot be read counts as a failure with its sentence."""
    try:
        return server_cache.jobs().state(key)
    except StoreError as error:
        return JobState(phase="failed", reason=str(error))


def train(config: RunConfig, lam: float) -> None:
    """Submit a run, with the name that stands beside Train. A callback; the sidebar shows a refusal."""
    if locks.locked("train"):
        st.session_state["job.refusal"] = "The link that you came by holds Train fast; open the page without lock."
        return
    try:
        strangers.start([config.key])
        if name := str(st.session_state.get(_NAME) or ""):
            label = Label(name=name)
            with suppress(StoreError):  # somebody has it in hand already: it is joined, and keeps its name
                server_cache.store().label_ahead(config.key, label)
        server_cache.jobs().submit(config, lam_in_view=lam, visitor=strangers.visitor())
    except (ValueError, StoreError) as error:
        st.session_state["job.refusal"] = str(error)
    else:
        st.session_state["job.refusal"] = None


def cancel(key: str) -> None:
    """Cancel a run. A callback; the sidebar shows a refusal."""
    if not strangers.may_change(key):
        st.session_state["job.refusal"] = strangers.FOREIGN
        return
    try:
        server_cache.jobs().cancel(key)
    except StoreError as error:
        st.session_state["job.refusal"] = str(error)


def sidebar_panel(config: RunConfig | None, problem: str | None, lam: float, show: Callable[[RunConfig], None]) -> None:
    """Train or Cancel, what the run will cost, and how it stands. `show` sets the sidebar to another config."""
    if config is None:
        st.button("Train", type="primary", disabled=True, width="stretch", key="job.train")
        st.error(style.plain(problem or "These settings cannot be trained."))
        return
    state = state_of(config.key)
    if state.active:
        own = strangers.may_change(config.key)
        st.button(
            "Cancel",
            width="stretch",
            key="job.cancel",
            on_click=cancel,
            args=(config.key,),
            disabled=not own,
            help=None if own else strangers.FOREIGN,
        )
        watch = st.fragment(_watch, run_every=load.pace(_POLL_S))
        watch(config.key, state.phase, state.active)
    else:
        done = state.phase == "completed"
        small, reason = _small_instead(config, state)
        if reason is not None:
            _offer_small(small, lam, show, reason)
        if not done and state.phase != "finished":
            st.text_input(
                "Name of the run",
                key=_NAME,
                max_chars=MAX_NAME,
                placeholder=f"Name: {name_of(config)}",
                label_visibility="collapsed",
            )
        label = "Compute what is missing" if state.phase == "finished" else "Train"
        st.button(
            label if reason is None else "Train in full",
            type="primary" if reason is None else "secondary",
            disabled=done or locks.locked("train"),
            width="stretch",
            key="job.train",
            on_click=train,
            args=(config, lam),
        )
        style.quiet(resting_line(config, state))
    if st.session_state.get("job.refusal"):
        st.error(style.plain(st.session_state.pop("job.refusal")))


def next_step(
    config: RunConfig, lam: float, show: Callable[[RunConfig], None]
) -> tuple[str, Callable[[], None] | None]:
    """What the first button of the panel does, in a short word, and its callback; None where all is done."""
    state = state_of(config.key)
    if state.active:
        return "Cancel", lambda: cancel(config.key)
    if state.phase == "completed":
        return "Trained", None
    small, reason = _small_instead(config, state)
    if reason is not None:
        return "Train small", lambda: _train_small(small, lam, show)
    return ("Compute" if state.phase == "finished" else "Train"), lambda: train(config, lam)


def _small_instead(config: RunConfig, state: JobState) -> tuple[RunConfig, str | None]:
    """The smaller run to offer first, and why; None where there is no reason to."""
    small = smaller(config) if config.table is None else config  # the sidebar has no fields for a table
    full = state.phase in ("completed", "finished") or small == config
    return small, None if full else machine.why_small()


def _train_small(small: RunConfig, lam: float, show: Callable[[RunConfig], None]) -> None:
    show(small)
    train(small, lam)


def _offer_small(small: RunConfig, lam: float, show: Callable[[RunConfig], None], reason: str) -> None:
    """On a small machine the first button trains less, and says so; the settings change with it, never unseen."""
    st.button(
        "Train a small run",
        type="primary",
        width="stretch",
        key="job.train_small",
        on_click=_train_small,
        args=(small, lam, show),
    )
    style.quiet(
        f"This machine has {reason}. Small: 1 replicate, {style.count(small.training.epochs, 'epoch')}, "
        f"about {style.duration(server_cache.estimate_s(small))}; it shows the shape, not the spread."
    )


def resting_line(config: RunConfig, state: JobState) -> str:
    """The state of a run that is not under way, with the cost of training it."""
    match state.phase:
        case "completed":
            summary = server_cache.store().summary(config.key)
            where = f" on {summary.device}" if summary else ""
            return f"Already trained: {_models(config)} in {style.duration(state.elapsed_s)}{where}."
        case "finished":
            return "Trained; its maps and probes have not been computed."
        case "cancelled":
            return f"Cancelled at epoch {state.epoch}; nothing was stored. {cost_line(config)}"
        case "failed":
            return f"Training failed. {cost_line(config)}"
        case _:
            return f"Not trained yet. {cost_line(config)}"


def cost_line(config: RunConfig) -> str:
    """What training will cost."""
    if (reason := too_much(config)) is not None:
        return reason
    return (
        f"Training {_models(config)} takes about {style.duration(server_cache.estimate_s(config))} "
        f"({server_cache.device_line()})."
    )


def _models(config: RunConfig) -> str:
    training = config.training
    return f"{len(training.lams)} λ × {style.count(training.replicates, 'replicate')}"


def progress_line(state: JobState) -> tuple[float, str]:
    """How far a run is, 0 to 1, and the sentence to it."""
    if state.phase == "queued":
        if state.position == 0:
            return 0.0, "Starting"
        return 0.0, queue_line(state.position, server_cache.jobs().executor.slots)
    if state.phase == "running":
        if state.epoch == 0:
            return 0.0, f"In epoch 1 of {state.epochs}"
        share = state.epoch / max(1, state.epochs)
        left = f", {style.duration(state.eta_s)} left" if state.eta_s is not None else ""
        return share, f"Epoch {state.epoch} of {state.epochs}{left}"
    if state.stage is not None:
        share = state.stage_done / max(1, state.stage_total)
        return share, f"Trained. Computing {_STAGES[state.stage]}: {state.stage_done} of {state.stage_total}"
    return 1.0, "Trained. Computing overlap and maps"


def _watch(key: str, phase: str, active: bool) -> None:
    state = state_of(key)
    share, line = progress_line(state)
    if state.position and (ahead := server_cache.jobs().ahead(key)):
        line += f". Its turn comes in at most about {style.duration(sum(map(server_cache.estimate_s, ahead)))}"
    st.progress(min(1.0, share), text=line)
    if (state.phase, state.active) != (phase, active):
        st.rerun()
