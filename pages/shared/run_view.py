"""The run in view, or the page's designed view of not having one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from crl_core.config import RECIPE_VERSION, RunConfig
from crl_core.config.presets import PRESETS
from crl_core.config.settings import title_of
from crl_core.config.text import nearest, nearest_lam
from crl_core.data.scm import MultiEnvData, aligned_groups
from crl_core.events import OK, STATUS_WORDS
from crl_core.lecture.handout import naming_of
from crl_core.lecture.naming import Naming
from crl_core.measures.cautions import cautions_before, cautions_of
from crl_core.measures.intervals import twice_the_mean
from crl_core.metrics import Metric
from crl_core.results import RunResult
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunCorrupted, RunNotFound, RunSummary
from pages.shared import glossary, job_panel, last_run, lesson_draw, live_views, places, server_cache, sidebar, style
from pages.shared.live_views import Live
from pages.shared.sidebar import Controls

_OLDER = "older"  # of the URL: a run of the settings in view, made under an older RECIPE_VERSION
_SHOWN = "run.shown"  # config of the run that the page shows, where it is not that of the sidebar
_DAMAGE = "run.damage"  # key and sentence of the last run that turned out to be damaged, until it is trained again


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunInView:
    """A finished run and the λ in view. `m` is that λ's model of replicate 0, whose rows `view` holds."""

    config: RunConfig
    key: str
    result: RunResult
    lam: float  # a value of the grid
    m: int
    naming: Naming
    env_names: tuple[str, ...]
    theme: str  # "dark" or "light"
    projection: dict[str, np.ndarray] | None  # None while it has not been computed
    evidence: dict[str, np.ndarray] | None
    computing: bool  # somebody is computing the parts that are missing

    @property
    def view(self) -> MultiEnvData:
        """The held-out rows of replicate 0 that pictures show."""
        return server_cache.view_data(self.config)

    @property
    def status(self) -> str:
        """ "ok", "diverged" or "collapsed": the model in view."""
        return STATUS_WORDS[int(self.result.status[self.m])]

    @property
    def others(self) -> str:
        """How the same replicate fared at the other λ, where the model in view did not do well."""
        n_ok = int((self.result.status[: len(self.result.lams)] == OK).sum())
        return "no other λ of it is usable" if n_ok == 0 else f"{n_ok} of its {len(self.result.lams)} λ are unharmed"

    @property
    def groups(self) -> str:
        """What the penalty makes alike, in words."""
        return "treatment arms" if self.config.training.align == "treatment" else "environments"

    @property
    def waiting(self) -> str:
        """How a part stands that the run lacks."""
        return "being computed" if self.computing else "not computed yet"

    @property
    def mmd2(self) -> np.ndarray:
        """Held-out MMD² [M]; NaN where there is one group only, so that nothing was compared."""
        groups = np.bincount(aligned_groups(self.view, self.config.training.align))
        return self.result.mmd2 if (groups >= 2).sum() >= 2 else np.full(len(self.result.mmd2), np.nan)

    def metric(self, metric: Metric) -> np.ndarray | None:
        """Values [M] of a metric; None where there are none."""
        return self.mmd2 if metric.name == "mmd2" else self.result.metric(metric, self.evidence)

    def at_lam(self, values: np.ndarray | None) -> float | None:
        """Median over replicates at the λ in view of a figure [M]; None where no replicate has a number."""
        if values is None:
            return None
        column = self.result.by_lam(np.asarray(values, dtype=np.float64))[:, self.result.lams.index(self.lam)]
        finite = column[np.isfinite(column)]
        return float(np.median(finite)) if len(finite) else None

    def p_at_lam(self, p_values: np.ndarray | None) -> float | None:
        """One p-value of all replicates at the λ in view, of p-values [M]: twice their mean, never a median."""
        if p_values is None:
            return None
        found = twice_the_mean(self.result.by_lam(np.asarray(p_values))[:, self.result.lams.index(self.lam)])
        return found if np.isfinite(found) else None


def naming_near(config: RunConfig) -> Naming:
    """How a stored run is called: as its nearest preset, or as its table."""
    return Naming.of(PRESETS[nearest(config)[0]]) if config.table is None else naming_of(config)


def page_header(
    says: str, numbers: Iterable[tuple[str, str]] = (), *, world: str | None = None, terms: str | None = None
) -> None:
    """The page's title, what it shows in two sentences, its definitions a click away, and large figures on the right.

    world: how that which is shown is called; where it is None, a page of a run says it of the settings in force.
    terms: whose definitions they are, where a page has several kinds.
    """
    here = places.here()
    if world is None and here.of_a_run:
        shown: RunConfig | None = st.session_state.get(_SHOWN)
        world = sidebar.controls().naming.title if shown is None else title_of(shown)
    figures = list(numbers)
    with st.container(key="page_head"):
        left, right = st.columns([5, 6], vertical_alignment="bottom") if figures else (st.container(), None)
        with left, st.container(gap="xxsmall"):
            st.title(here.title, anchor=False)
            style.lead(world, says)
            glossary.definitions(terms or here.stem)
        if right is not None:
            with right:
                style.numbers(figures)
    lesson_draw.under_header()


def run_in_view(*, warned: bool = False, live: Callable[[Live], None] | None = None) -> RunInView:
    """The stored run of the sidebar's settings. Where there is none: the view that says so, and the page ends there.

    warned: the page has said already what the run lacks.
    live:   draws the page of a run under way.
    """
    controls = sidebar.controls()
    st.session_state.pop(_SHOWN, None)
    if controls.config is None:
        page_header(controls.sentence)
        style.notice("These settings cannot be trained", controls.problem or "")
        st.stop()
    config, lam, naming, env_names = controls.config, controls.lam, controls.naming, controls.env_names
    older = older_in_view(config)
    state = job_panel.state_of(config.key)
    if older is None and live is not None and live_views.moves(config):
        live_views.watch(controls, config, live)
        st.stop()
    last = last_run.kept(config, state) if older is None else None
    if last is not None:
        last_run.bar(controls, last, state, look_at)
        config, lam = last, nearest_lam(last.training.lams, lam)
        naming = replace(naming_near(last), title=title_of(last))
        env_names = naming.env_names(last.source.n_envs)
    elif older is None and state.phase not in ("finished", "completed"):
        page_header(controls.sentence)
        without_run(controls)
        st.stop()
    st.session_state[_SHOWN] = last
    key = config.key if older is None else older.key
    try:
        result = server_cache.load(key)
        run = RunInView(
            config=config,
            key=key,
            result=result,
            lam=lam,
            m=result.model(lam),
            naming=naming,
            env_names=env_names,
            theme=style.theme(),
            projection=server_cache.load_part(key, "projection"),
            evidence=server_cache.load_part(key, "evidence"),
            computing=older is None and last is None and state.active,
        )
    except (RunCorrupted, RunNotFound, StoreError) as error:
        page_header(controls.sentence)
        damaged(controls, error)
        st.stop()
    last_run.saw(config)
    if older is not None:
        text = (
            f"This run was made by version {older.recipe_version} of the recipe; this program trains by version "
            f"{RECIPE_VERSION}, whose numbers differ. Train these settings again to have them by the present one."
        )
        st.warning(style.plain(text))
    if not warned:
        warn(cautions_of(result))
    return run


def cautions(config: RunConfig, *, trained: bool) -> tuple[str, ...]:
    """What the whole run lacks. Raises as `server_cache.load` does."""
    return cautions_of(server_cache.load(config.key)) if trained else cautions_before(config)


def warn(said: Iterable[str]) -> None:
    """Say above the page what the whole run lacks."""
    for caution in said:
        st.warning(style.plain(caution))


def look_at(run: RunSummary) -> None:
    """Show this stored run on every page, with its settings in the sidebar. A callback."""
    if run.outdated:
        st.query_params[_OLDER] = run.key
    else:
        st.query_params.pop(_OLDER, None)


def older_in_view(config: RunConfig) -> RunSummary | None:
    """The link's run of an older RECIPE_VERSION, if it is one of these settings."""
    key = st.query_params.get(_OLDER)
    if key is None:
        return None
    found = server_cache.store().summary(key)
    if found is not None and found.outdated and found.config.key == config.key:
        return found
    del st.query_params[_OLDER]  # other settings by now, or it is gone
    return None


def damaged(controls: Controls, error: Exception) -> None:
    """A stored run that cannot be shown: what happened, and the way out."""
    st.error(style.plain(str(error)))
    if controls.config is not None:
        st.session_state[_DAMAGE] = (controls.config.key, str(error))
    if controls.config is not None:
        st.button("Train it again", key="run.again", on_click=job_panel.train, args=(controls.config, controls.lam))


def without_run(controls: Controls) -> None:
    """Empty, queued, running, cancelled and failed, in words and with what can be done."""
    config = controls.config
    assert config is not None
    state = job_panel.state_of(config.key)
    key, damage = st.session_state.get(_DAMAGE, ("", ""))
    if key == config.key and not state.active:
        st.error(style.plain(damage))
    if state.active:
        st.session_state.pop(_DAMAGE, None)
        share, line = job_panel.progress_line(state)
        style.notice("This run is being trained", f"{line}. The page draws itself when it is there.")
        st.progress(min(1.0, share))
        st.page_link("pages/train.py", label="Watch it live")
        return
    if state.phase == "failed":
        st.error(style.plain(state.reason or "Training failed."))
        style.notice("There is no run to show", job_panel.cost_line(config))
    elif state.phase == "cancelled":
        style.notice("Training was cancelled", job_panel.resting_line(config, state))
    else:
        style.notice("These settings have not been trained yet", job_panel.cost_line(config))
    older = next((run for run in server_cache.library().runs() if run.outdated and run.config.key == config.key), None)
    if older is not None:
        style.quiet(f"Version {older.recipe_version} of the recipe has trained them; its numbers differ from today's.")
    with st.container(horizontal=True):
        st.button(
            "Train these settings",
            type="primary",
            key="run.train",
            on_click=job_panel.train,
            args=(config, controls.lam),
        )
        if older is not None:
            st.button("Look at the older run", key="run.older", on_click=look_at, args=(older,))
