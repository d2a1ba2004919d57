"""Which invariance? Penalties side by side on one world, each along its own λ path."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from crl_core.config import RunConfig
from crl_core.figures import effect_plane, outside, palette
from crl_core.figures.compare import Pane, latents_in_a_row
from crl_core.figures.penalties import common_limits, path_of_penalty
from crl_core.jobs.ensure_runs import RunsFailed, missing
from crl_core.penalty_words import PENALTY_WORDS
from crl_core.runs.sealing import StoreError
from crl_core.studies.penalties import (
    BAKED,
    WHERE,
    Contest,
    World,
    baked_contests,
    command_of,
    configs_of,
    contest_of,
    run_contest,
)
from pages.shared import compare_runs as side
from pages.shared import controls, many_runs, page_header, quiet, require, server_cache, style
from pages.shared import penalties_contest as contest_words
from pages.shared.link_notes import say_in_vain
from pages.shared.model_views import effects, pca_layout
from pages.shared.tables import beyond, chart

_DEFINITIONS = """
**Penalty**: what λ weighs. Every one trains the same network on the same rows, from the same initial weights, with the
same minibatches; at λ = 0 all are one network. λ of different penalties are **not comparable**: each has units and a
grid of its own.

**Own best λ** (ring): least ITE RMSE, which only a simulation can know. **Blind λ** (diamond): least held-out factual
error, which asks for no truth. A median over seeds; in each seed the λ is chosen anew.

**Shared units** are seen in every environment, with the same z. Contrastive pairs are made of them; no other penalty
looks at who is who. *oracle*: pairs of the nearest in true z, which only a simulation knows. *rank*: pairs of equal
outcome quantile.

**Differences** are paired by seed, with a 95 % bootstrap interval; with three seeds an interval is wide, and says so.
"""
_QUANTITIES = {
    "ITE RMSE": ("ite_rmse", True, "Held out, truth known only in simulation; lower is better."),
    "Factual MSE": ("factual_mse", True, "Held out; what can be seen without the truth."),
    "Domain AUC": (
        "domain_auc",
        False,
        "How well a kNN classifier tells the groups apart in the latent; 0.5 is chance.",
    ),
}
_GRID = """
<style>
.st-key-penalty_multiples { display: grid; grid-template-columns: repeat(auto-fill, minmax(12.2rem, 1fr)); gap: .8rem; }
.st-key-penalty_multiples [class*="st-key-panel"] { padding: .5rem .5rem .3rem .6rem; min-width: 0; }
</style>
"""
_GAPS = ("as the preset", "0", "0.25", "0.5", "0.75", "1", "1.25", "1.5", "2")
_RARE = {"as many": 1.0, "1/2": 0.5, "1/5": 0.2, "1/10": 0.1, "1/20": 0.05, "1/50": 0.02}
_PAIRS = ("shared", "rank", "oracle")
_SHARED = (0, 8, 16, 32, 64, 100)

require()
asked = controls()
ink = palette(style.theme())


def world_controls() -> World:
    """What decides the contest; in the link as well."""
    home = float(max(abs(mean) for mean in asked.preset.config.scenario.cause_mean))
    say_in_vain(
        {
            "gap": _GAPS,
            "rare": list(_RARE),
            "shared": [str(n) for n in _SHARED],
            "pairs": _PAIRS,
            "balanced": ("true", "false"),
        }
    )
    bound = {"bind": "query-params", "persist_state": "session"}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="penalties_controls"):
        gap = st.select_slider(
            "Means of z, ±",
            _GAPS,
            _GAPS[0],
            key="gap",
            width=190,
            **bound,
            help=(
                f"How far apart the environments' patients are: the cause z has mean +this and −this in turn. The "
                f"preset's own is ±{home:g}."
            ),
        )
        rare = st.select_slider(
            "Rows of the last environment",
            list(_RARE),
            "as many",
            key="rare",
            width=200,
            help="Relative to the others.",
            **bound,
        )
        shared = st.select_slider(
            "Shared units", _SHARED, 32, key="shared", width=150, help="Units seen in every environment.", **bound
        )
        matching = st.segmented_control(
            "Pairs",
            list(_PAIRS),
            default="shared",
            key="pairs",
            required=True,
            **bound,
            help="What a contrastive pair is. oracle needs the true z: a bound, not a method.",
        )
        balanced = st.toggle(
            "Balanced batches", key="balanced", help="As many rows of each environment in every batch.", **bound
        )
    return World(
        preset=asked.preset.id,
        shared=int(shared),
        rare=_RARE[rare],
        gap=None if gap == _GAPS[0] or float(gap) == home else float(gap),
        matching=matching or "shared",
        balanced=bool(balanced),
    )


def in_words(why: str) -> str:
    """A refusal of `config` with the names that this page's controls have."""
    return why.replace("scenario.shared_units", "Shared units").replace("training.matching", "Pairs")


@st.cache_resource(max_entries=8, show_spinner="Reading the stored paths")
def measured_here(world: World, stamp: tuple[float, ...]) -> Contest:
    """The contest on runs that are stored here; `stamp` says when they were."""
    return run_contest(world, server_cache.store())


def main() -> None:
    page_header(
        "Which invariance?",
        f"{asked.preset.title}: {len(PENALTY_WORDS)} penalties, each along a λ path of its own, on the same rows. The "
        f"preset's own "
        "world, changed only by what is set here.",
        _DEFINITIONS,
    )
    world = world_controls()
    try:
        configs, refused = configs_of(world)
    except ValueError as error:
        style.notice("No penalty can work in this world", str(error)[:1].upper() + str(error)[1:])
        return
    for name, why in refused.items():
        st.warning(
            style.plain(
                f"{PENALTY_WORDS[name].short[:1].upper()}{PENALTY_WORDS[name].short[1:]} is left out: {in_words(why)}"
            )
        )
    wanted, runs_name = [(config, True) for config in configs.values()], f"penalties.runs.{hash(world)}"
    contest, where = None, ""
    try:
        if not missing(wanted, server_cache.store()):
            made = [server_cache.store().summary(config.key) for config, _ in wanted]
            contest = measured_here(world, tuple(item.created for item in made if item is not None))
            where = "Measured on this machine."
        else:
            contest = contest_of(world, baked_contests(server_cache.store().baked))
            where = "Measured before the program was shipped."
            if contest is None and (problem := BAKED.problem(server_cache.store().baked)):
                st.error(problem)
    except (RunsFailed, StoreError, ValueError) as error:
        st.error(style.plain(str(error)))
    with st.container(horizontal=True, vertical_alignment="center"):
        many_runs.panel(
            runs_name,
            wanted,
            start="Train the penalties here",
            again=contest is not None,
        )
    if contest is None and many_runs.under_way(runs_name):
        return
    if contest is None:
        known = [
            item.world.words for item in baked_contests(server_cache.store().baked) if item.world.preset == world.preset
        ]
        style.notice(
            "This world has not been tried yet",
            "One click trains every penalty along its own λ path, for three seeds; what is done stays stored.",
            f"Measured already for {asked.preset.title}: {'; '.join(known)}." if known else "",
        )
        return
    said = contest.world
    if said.seeds != world.seeds:
        where += f" Here it takes {world.seeds} seeds."
    quiet(
        f"{where} {said.words[:1].upper()}{said.words[1:]}; {said.seeds} seeds, {said.epochs} epochs. "
        f"{command_of(said)}"
    )
    contest_words.verdict(contest)
    multiples(contest)
    contest_words.ranking(contest)
    contest_words.differences(contest)
    contest_words.pairs(world)
    two_of_them(contest, configs)
    contest_words.everywhere()


def multiples(contest: Contest) -> None:
    """One λ path a penalty, all on one vertical axis."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Along λ", anchor=False, width="content")
        name = st.segmented_control(
            "Quantity",
            list(_QUANTITIES),
            default="ITE RMSE",
            key="penalties.quantity",
            required=True,
            label_visibility="collapsed",
            persist_state="session",
        )
    field, log, says = _QUANTITIES[name or "ITE RMSE"]
    limits = common_limits([getattr(row, field) for row in contest.ran], log)
    st.html(_GRID)
    with st.container(key="penalty_multiples"):
        for row in contest.rows:
            marks = {} if not row.ran else {WHERE[w]: row.lam(w) for w in ("at_best", "at_blind")}
            drawn = path_of_penalty(
                row.lams,
                getattr(row, field),
                marks,
                ink,
                title=PENALTY_WORDS[row.penalty].short,
                limits=limits,
                log=log,
                problem=row.problem,
            )
            with st.container(key=f"panel_penalty_{row.penalty}"):
                chart(drawn, f"penalties.{field}.{row.penalty}")
    quiet(
        f"{says} Median and range over {contest.world.seeds} seeds, one vertical axis. Ring: {WHERE['at_best']}, "
        f"diamond: {WHERE['at_blind']}. "
        "The horizontal axes are not comparable."
    )


def two_of_them(contest: Contest, configs: dict[str, RunConfig]) -> None:
    st.subheader("Two of them, seen", anchor=False)
    names = [row.penalty for row in contest.ran if row.penalty in configs]
    start = [name for name in ("mmd", "contrastive") if name in names] or names[:2]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.multiselect(
            "Penalties",
            names,
            default=start,
            max_selections=2,
            key="penalties.two",
            format_func=lambda n: PENALTY_WORDS[n].short,
            width=420,
        )
        where = st.segmented_control(
            "At which λ",
            ["at_blind", "at_best"],
            default="at_best",
            key="penalties.two_where",
            required=True,
            format_func=lambda w: WHERE[w],
        )
    if not chosen:
        quiet("Choose one or two penalties to see their latents and effects.")
        return
    keys = {name: configs[name].key for name in chosen}
    missing = [name for name in chosen if server_cache.store().summary(keys[name]) is None]
    if missing:
        quiet(f"The networks of {contest_words.named(missing)} are not stored on this machine.")
        with st.container(horizontal=True, vertical_alignment="center"):
            many_runs.panel(
                f"penalties.runs.{'.'.join(keys.values())}",
                [(configs[name], True) for name in chosen],
                start="Train them to see their latents and effects",
                again=True,
            )
        return
    runs = []
    for name in chosen:
        run = side.opened(keys[name], 0.0)
        if run is not None:
            row = contest.of(name)
            at = int(row.picked(where or "at_best")[0])
            runs.append(replace(run, lam=run.result.lams[max(at, 0)], m=max(at, 0)))
    if not runs:
        return
    names_of_envs = runs[0].env_names
    laid = [pca_layout(run) for run in runs]
    panes = [
        Pane(
            name=f"{PENALTY_WORDS[name].short}, λ = {run.lam:g}",
            xy=_scaled(found.xy[run.m]),
            env=run.view.env,
            t=run.view.t,
        )
        for name, run, found in zip(chosen, runs, laid, strict=True)
    ]
    with st.container(key="panel_penalties_latents"):
        drawn = latents_in_a_row(panes, names_of_envs, ink, title="Latents, PCA", limits=((-2.6, 2.6), (-2.6, 2.6)))
        chart(drawn, "penalties.latents")
        quiet(
            (
                "Held-out rows of the first seed, each picture in units of its own spread. A mixed picture proves "
                "nothing "
                "by itself."
            )
            + beyond(outside(drawn))
        )
    planes = [effects(run).plane for run in runs]
    if any(plane is None for plane in planes):
        return
    limits = planes[0].limits
    pictures = [("truth", "the true effect", planes[0].tau)] + [
        (name, PENALTY_WORDS[name].short, plane.tau_hat[run.m])
        for name, run, plane in zip(chosen, runs, planes, strict=True)
    ]
    for column, (name, title, values) in zip(st.columns(len(pictures)), pictures, strict=True):
        with column, st.container(key=f"panel_penalties_map_{name}"):
            drawn = effect_plane(
                values,
                planes[0].z,
                planes[0].s,
                ink,
                title=title[:1].upper() + title[1:],
                limits=limits,
                rows=planes[0].rows,
                env=runs[0].view.env,
                t=runs[0].view.t,
                env_names=names_of_envs,
            )
            chart(drawn, f"penalties.map.{name}")
    quiet(
        "The effect over cause z and nuisance s. A model that ignores s has vertical bands only; where no points lie, "
        "a map is extrapolation."
    )


def _scaled(xy: np.ndarray) -> np.ndarray:
    spread = np.sqrt(np.square(xy - xy.mean(axis=0)).sum(axis=1).mean())
    return np.asarray((xy - xy.mean(axis=0)) / (spread if spread > 0 else 1.0))


main()
