"""Which invariance? Penalties side by side on one world, each along its own λ path."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from crl_core.compare import Difference
from crl_core.config import RunConfig
from crl_core.figures import effect_plane, outside, palette
from crl_core.figures.compare import Pane, latents_in_a_row
from crl_core.figures.penalties import common_limits, path_of_penalty
from crl_core.obtain import PassFailed, all_there
from crl_core.penalty_study import (
    SHARED,
    WHERE,
    Contest,
    World,
    against,
    baked_contests,
    better_than_none,
    configs_of,
    contest_of,
    pairings,
    run_contest,
)
from crl_core.penalty_words import PENALTY_WORDS
from crl_core.sealing import StoreError
from pages.shared import controls, page_header, passes, quiet, require, services, style
from pages.shared import side_by_side as side
from pages.shared.estimates import effects, pca_layout
from pages.shared.tables import beyond, chart, say, table

_DEFINITIONS = """
**Penalty**: what λ weighs. Every one trains the same network on the same rows, from the same initial weights, with the same
minibatches; at λ = 0 all are one network. λ of different penalties are **not comparable**: each has units and a grid of its own.

**Own best λ** (ring): least ITE RMSE, which only a simulation can know. **Blind λ** (diamond): least held-out factual error, which
asks for no truth. A median over seeds; in each seed the λ is chosen anew.

**Shared units** are seen in every environment, with the same z. Contrastive pairs are made of them; no other penalty looks at who
is who. *oracle*: pairs of the nearest in true z, which only a simulation knows. *rank*: pairs of equal outcome quantile.

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
_PAIRS = {
    "shared": "units seen in both, as a study may know them",
    "rank": "equal outcome quantile; needs no more than the data",
    "oracle": "nearest in true z; only a simulation can",
}
_GAPS = ("as the preset", "0", "0.25", "0.5", "0.75", "1", "1.25", "1.5", "2")
_RARE = {"as many": 1.0, "1/2": 0.5, "1/5": 0.2, "1/10": 0.1, "1/20": 0.05, "1/50": 0.02}
_SHARED = (0, 8, 16, 32, 64, 100)

require()
asked = controls()
ink = palette(style.theme())


def world_controls() -> World:
    """What decides the contest; in the link as well."""
    home = float(max(abs(mean) for mean in asked.preset.config.scenario.cause_mean))
    bound = {"bind": "query-params", "persist_state": "session"}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="penalties_controls"):
        gap = st.select_slider(
            "Means of z, ±", _GAPS, _GAPS[0], key="gap", width=230, **bound,
            help="How far apart the environments' patients are: the cause z has mean +this and −this in turn.",
        )  # fmt: skip
        rare = st.select_slider(
            "Rows of the last environment", list(_RARE), "as many", key="rare", width=230, help="Relative to the others.", **bound,
        )  # fmt: skip
        shared = st.select_slider(
            "Shared units", _SHARED, 32, key="shared", width=200, help="Units seen in every environment.", **bound
        )  # fmt: skip
        matching = st.segmented_control(
            "Pairs", ["shared", "rank", "oracle"], default="shared", key="pairs", required=True, **bound,
            help="What a contrastive pair is. oracle needs the true z: a bound, not a method.",
        )  # fmt: skip
        balanced = st.toggle(
            "Balanced batches", key="balanced", help="As many rows of each environment in every batch.", **bound
        )  # fmt: skip
    return World(
        preset=asked.preset.id, shared=int(shared), rare=_RARE[rare],
        gap=None if gap == _GAPS[0] or float(gap) == home else float(gap), matching=matching or "shared", balanced=bool(balanced),
    )  # fmt: skip


def command_of(world: World) -> str:
    """What measures the same from a terminal."""
    words = [f"python -m crl_core penalties --preset {world.preset}"]
    words += [f"--gap {world.gap:g}"] if world.gap is not None else []
    words += [f"--rare {world.rare:g}"] if world.rare != 1 else []
    words += [f"--shared {world.shared}"] if world.shared != SHARED else []
    words += [f"--matching {world.matching}"] if world.matching != "shared" else []
    words += ["--balanced"] if world.balanced else []
    return " ".join([*words, f"--seeds {world.seeds}"])


@st.cache_resource(max_entries=8, show_spinner="Reading the stored paths")
def measured_here(world: World, stamp: tuple[float, ...]) -> Contest:
    """The contest on runs that are stored here; `stamp` says when they were."""
    return run_contest(world, services.store())


def main() -> None:
    page_header(
        "Which invariance?",
        f"{asked.preset.title}: {len(PENALTY_WORDS)} penalties, each along a λ path of its own, on the same rows. The preset's own "
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
                f"{PENALTY_WORDS[name].short[:1].upper()}{PENALTY_WORDS[name].short[1:]} is left out: {why}"
            )
        )
    wanted = [(config, True) for config in configs.values()]
    contest, where = None, ""
    try:
        if all_there(wanted, services.store()):
            made = [services.store().summary(config.key) for config, _ in wanted]
            contest = measured_here(world, tuple(item.created for item in made if item is not None))
            where = "Measured on this machine."
        else:
            contest = contest_of(world, baked_contests(services.store().baked))
            where = "Measured before the program was shipped."
    except (PassFailed, StoreError, ValueError) as error:
        st.error(style.plain(str(error)))
    with st.container(horizontal=True, vertical_alignment="center"):
        passes.panel(
            f"penalties.pass.{hash(world)}",
            wanted,
            start="Train the penalties here",
            again=contest is not None,
        )
    if contest is None:
        known = [
            item.world.words
            for item in baked_contests(services.store().baked)
            if item.world.preset == world.preset
        ]
        style.notice(
            "This world has not been tried yet",
            "One click trains every penalty along its own λ path, three times over; what is done stays stored.",
            f"Measured already for {asked.preset.title}: {'; '.join(known)}." if known else "",
        )
        return
    said = contest.world
    quiet(
        f"{where} {said.words[:1].upper()}{said.words[1:]}; {said.seeds} seeds, {said.epochs} epochs. {command_of(said)}"
    )
    verdict(contest)
    multiples(contest)
    ranking(contest)
    differences(contest)
    pairs(world)
    two_of_them(contest, configs)
    everywhere()


def named(names: list[str]) -> str:
    return ", ".join(PENALTY_WORDS[name].short for name in names)


def verdict(contest: Contest) -> None:
    """Which penalties are worth anything, chosen without the truth."""
    better, worse = better_than_none(contest, "at_blind")
    parts = [
        f"better than none beyond the interval: {named(better)}"
        if better
        else "none is better than no penalty beyond the interval"
    ]
    if worse:
        parts.append(f"worse: {named(worse)}")
    text = "; ".join(parts)
    oracle, _ = better_than_none(contest, "at_best")
    more = [name for name in oracle if name not in better]
    ending = f" With a λ chosen by the truth also {named(more)}." if more else ""
    say(f"With λ chosen by held-out factual error, {text}.{ending}")


def multiples(contest: Contest) -> None:
    """One λ path a penalty, all on one vertical axis."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Along λ", anchor=False, width="content")
        name = st.segmented_control(
            "Quantity", list(_QUANTITIES), default="ITE RMSE", key="penalties.quantity", required=True, label_visibility="collapsed",
            persist_state="session",
        )  # fmt: skip
    field, log, says = _QUANTITIES[name or "ITE RMSE"]
    limits = common_limits([getattr(row, field) for row in contest.ran], log)
    st.html(_GRID)
    with st.container(key="penalty_multiples"):
        for row in contest.rows:
            marks = {} if not row.ran else {WHERE[w]: row.lam(w) for w in ("at_best", "at_blind")}
            drawn = path_of_penalty(
                row.lams, getattr(row, field), marks, ink, title=PENALTY_WORDS[row.penalty].short, limits=limits, log=log,
                problem=row.problem,
            )  # fmt: skip
            with st.container(key=f"panel_penalty_{row.penalty}"):
                chart(drawn, f"penalties.{field}.{row.penalty}")
    quiet(
        f"{says} Median and range over {contest.world.seeds} seeds, one vertical axis. Ring: {WHERE['at_best']}, diamond: {WHERE['at_blind']}. "
        "The horizontal axes are not comparable."
    )


def spread(values: np.ndarray) -> str:
    return f"{np.median(values):.3f} [{values.min():.3f}, {values.max():.3f}]".replace("inf", "broke")


def ranking(contest: Contest) -> None:
    st.subheader("At its own best, at the blind choice, and without", anchor=False)
    rows = sorted(contest.ran, key=lambda row: float(np.median(row.error("at_blind"))))
    cells = (
        [("none, λ = 0", *[spread(rows[0].error("at_zero"))] * 2, "ERM: prediction alone.")] if rows else []
    )
    for row in rows:
        words = PENALTY_WORDS[row.penalty]
        figures = (
            f"{spread(row.error(where))} λ\u00a0=\u00a0{row.lam(where):g}"
            for where in ("at_blind", "at_best")
        )
        problem = f" {row.problem[:1].upper()}{row.problem[1:]}." if row.problem else ""
        cells.append((words.short, *figures, words.assumption + problem))
    table(
        ("penalty", f"at its {WHERE['at_blind']}", f"at its {WHERE['at_best']}", "assumes"),
        cells,
        words_from=3,
    )
    quiet("ITE RMSE, median [least, largest] over seeds, and the median λ; sorted by the blind choice.")
    with st.expander("What each penalty is"):
        details = [
            (w.short, w.formula, w.cost, w.source) for name in PENALTY_WORDS for w in (PENALTY_WORDS[name],)
        ]
        table(("penalty", "formula", "a step costs", "source"), details, words_from=1)


def differences(contest: Contest) -> None:
    st.subheader("One against all others", anchor=False)
    names = [row.penalty for row in contest.ran]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = st.selectbox(
            "Penalty", names, key="penalties.against", format_func=lambda n: PENALTY_WORDS[n].short, width=260
        )
        where = st.segmented_control(
            "At which λ", ["at_blind", "at_best"], default="at_blind", key="penalties.against_where", required=True,
            format_func=lambda w: WHERE[w],
        )  # fmt: skip
    one = contest.of(first or names[0])
    cells = []
    for row in contest.ran:
        if row.penalty == one.penalty:
            continue
        apart = against(one, row, where or "at_blind")
        says = (
            "no difference seen"
            if not apart.seen
            else f"{PENALTY_WORDS[row.penalty].short} is {'worse' if apart.mean > 0 else 'better'}"
        )
        cells.append(
            (
                PENALTY_WORDS[row.penalty].short,
                _signed(apart),
                f"{apart.n} seeds; {says}",
            )
        )
    table(("against", "difference [95 % interval]", "reading"), cells, words_from=2)
    quiet(f"ITE RMSE of the other minus that of {PENALTY_WORDS[one.penalty].short}, paired by seed.")


@st.cache_data(max_entries=64, show_spinner=False)
def pair_rows(world: World) -> list[tuple[str, ...]]:
    """A line a definition: how many pairs, how far apart, how many rows without one."""
    lines = []
    for how, found in pairings(world).items():
        if isinstance(found, str):
            lines.append((how, "0", "100 %", "–", f"{_PAIRS[how]}. {found[:1].upper()}{found[1:]}"))
        else:
            lines.append(
                (how, f"{found.n:,}", f"{100 * found.unmatched:.0f} %", f"{found.distance:.2f}", _PAIRS[how])
            )
    return lines


def pairs(world: World) -> None:
    """What contrastive pairs would be made of, by each definition."""
    st.subheader("What a pair is, by each definition", anchor=False)
    lines = pair_rows(world)
    chosen = [line[0] for line in lines].index(world.matching)
    table(
        ("pairs", "how many", "rows without", "apart in z", "what they are"),
        lines,
        words_from=4,
        strong=chosen,
    )
    quiet(
        "Training rows of the first seed. Distance: median over pairs of |z − z′|, known only in simulation; partners far apart teach the "
        "encoder that different units are one. Bold: the definition chosen above."
    )


def two_of_them(contest: Contest, configs: dict[str, RunConfig]) -> None:
    st.subheader("Two of them, seen", anchor=False)
    names = [row.penalty for row in contest.ran if row.penalty in configs]
    start = [name for name in ("mmd", "contrastive") if name in names] or names[:2]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.multiselect(
            "Penalties", names, default=start, max_selections=2, key="penalties.two", format_func=lambda n: PENALTY_WORDS[n].short,
            width=420,
        )  # fmt: skip
        where = st.segmented_control(
            "At which λ",
            ["at_blind", "at_best"],
            default="at_best",
            key="penalties.two_where",
            required=True,
            format_func=lambda w: WHERE[w],
        )
    keys = {name: configs[name].key for name in chosen}
    missing = [name for name in chosen if services.store().summary(keys[name]) is None]
    if missing:
        quiet(f"The networks of {named(missing)} are not stored on this machine.")
        with st.container(horizontal=True, vertical_alignment="center"):
            passes.panel(
                f"penalties.pass.{'.'.join(keys.values())}",
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
        drawn = latents_in_a_row(
            panes, names_of_envs, ink, title="Latents, PCA", limits=((-2.6, 2.6), (-2.6, 2.6))
        )
        chart(drawn, "penalties.latents")
        quiet(
            "Held-out rows of the first seed, each picture in units of its own spread. A mixed picture proves nothing by itself."
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
                values, planes[0].z, planes[0].s, ink, title=title[:1].upper() + title[1:], limits=limits, rows=planes[0].rows,
                env=runs[0].view.env, t=runs[0].view.t, env_names=names_of_envs,
            )  # fmt: skip
            chart(drawn, f"penalties.map.{name}")
    quiet(
        "The effect over cause z and nuisance s. A model that ignores s has vertical bands only; where no points lie, a map is extrapolation."
    )


def gains(contest: Contest, names: list[str], where: str) -> str:
    """Names with the median change of the error, which may be beyond the interval and still be small."""
    said = []
    for row in map(contest.of, names):
        change = 100 * (np.median(row.error(where) / row.error("at_zero")) - 1)
        said.append(
            f"{PENALTY_WORDS[row.penalty].short} {change:+.0f} %".replace("-", "−").replace(" %", "\u00a0%")
        )
    return ", ".join(said)


def everywhere() -> None:
    """Is any penalty better than none? Preset by preset, as shipped."""
    contests = baked_contests(services.store().baked)
    if not contests:
        return
    st.subheader("Is ERM hard to beat? World by world", anchor=False)
    lines = []
    for item in contests:
        (blind, worse), (best, _) = (better_than_none(item, where) for where in ("at_blind", "at_best"))
        more = [name for name in best if name not in blind]
        says = f"Better at the blind λ: {gains(item, blind, 'at_blind') or 'none'}."
        says += f" Worse: {gains(item, worse, 'at_blind')}." if worse else ""
        says += f" Better only at its own best λ: {gains(item, more, 'at_best')}." if more else ""
        gap = f", z ±{item.world.gap:g}" if item.world.gap is not None else ""
        lines.append((item.world.preset + gap, f"{np.median(item.ran[0].error('at_zero')):.3f}", says))
    table(("world", "λ = 0", "which penalties beat it"), lines, words_from=2)
    first = contests[0].world
    quiet(
        f"ITE RMSE; beyond the 95 % bootstrap interval of the difference paired by seed, {first.seeds} seeds, {first.epochs} epochs, {first.shared} shared "
        "units; beside it the median change. Own best λ is chosen by the truth, so it can hardly lose; with so few seeds and so many comparisons some are chance."
    )


def _signed(apart: Difference) -> str:
    if not apart.known:
        return "–"
    interval = f" [{apart.low:+.3f}, {apart.high:+.3f}]" if apart.has_interval else ""
    return f"{apart.mean:+.3f}{interval}".replace("-", "−")


def _scaled(xy: np.ndarray) -> np.ndarray:
    spread = np.sqrt(np.square(xy - xy.mean(axis=0)).sum(axis=1).mean())
    return np.asarray((xy - xy.mean(axis=0)) / (spread if spread > 0 else 1.0))


main()
