"""Two penalties of a contest seen side by side: their latents, and their effects over cause and nuisance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from crl_core.config import RunConfig
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.figures import Palette, effect_plane, outside
from crl_core.figures.compare import Pane, latents_in_a_row
from crl_core.jobs.ensure_runs import is_there
from crl_core.studies.penalties import WHERE, Contest
from pages.shared import many_runs, server_cache
from pages.shared.compare_runs import opened
from pages.shared.model_views import effects, one_size, pca_layout
from pages.shared.penalties_contest import named
from pages.shared.run_view import RunInView
from pages.shared.style import quiet
from pages.shared.tables import beyond, chart

_WINDOW = ((-2.6, 2.6), (-2.6, 2.6))  # in units of a layout's spread


def two_of_them(contest: Contest, configs: Mapping[str, RunConfig], ink: Palette) -> None:
    """One or two penalties, as the first seed's models at the λ that each would be judged at."""
    st.subheader("Two of them, seen", anchor=False)
    chosen, where = _choice([row.penalty for row in contest.ran if row.penalty in configs])
    if not chosen:
        quiet("Choose one or two penalties to see their latents and effects.")
        return
    asked = {name: _run_of(contest, name, configs[name], where) for name in chosen}
    if not _stored(asked):
        return
    runs = {name: run for name, config in asked.items() if (run := _judged(contest, name, config, where)) is not None}
    if runs:
        _latents(runs, ink)
        _effects(runs, ink)


def _run_of(contest: Contest, name: str, config: RunConfig, where: str) -> RunConfig:
    """The run that has the λ which the first seed picks: of the penalty's own grid `config`, or of a step beyond it."""
    row = contest.of(name)
    at = int(row.picked(where)[0])
    return config if at < row.own else contest.setting.config_at(name, row.lams[at])


def _choice(names: Sequence[str]) -> tuple[list[str], str]:
    """The penalties, and which of their λ."""
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
    return chosen, where or "at_best"


def _stored(asked: Mapping[str, RunConfig]) -> bool:
    """Whether the networks are on this machine; where they are not, a way to train them."""
    missing = [name for name, config in asked.items() if not is_there(config, server_cache.store())]
    if not missing:
        return True
    quiet(f"The networks of {named(missing)} are not stored on this machine.")
    with st.container(horizontal=True, vertical_alignment="center"):
        many_runs.panel(
            f"penalties.runs.{'.'.join(config.key for config in asked.values())}",
            [(config, False) for config in asked.values()],  # what is drawn here needs no baselines
            start="Train them to see their latents and effects",
            again=True,
        )
    return False


def _judged(contest: Contest, name: str, config: RunConfig, where: str) -> RunInView | None:
    """The penalty's run at the λ that its first seed picks; None, with a sentence, where it cannot be opened."""
    run = opened(config.key, 0.0)
    if run is None:
        return None
    row = contest.of(name)
    lam = row.lams[max(int(row.picked(where)[0]), 0)]
    m = run.result.lams.index(lam)
    return replace(run, lam=lam, m=m)


def _latents(runs: Mapping[str, RunInView], ink: Palette) -> None:
    panes = [
        Pane(
            name=f"{PENALTY_WORDS[name].short}, λ = {run.lam:g}",
            xy=one_size(pca_layout(run).xy[run.m][None])[0],
            env=run.view.env,
            t=run.view.t,
        )
        for name, run in runs.items()
    ]
    names_of_envs = next(iter(runs.values())).env_names
    with st.container(key="panel_penalties_latents"):
        drawn = latents_in_a_row(panes, names_of_envs, ink, title="Latents, PCA", limits=_WINDOW)
        chart(drawn, "penalties.latents")
        quiet(
            "Held-out rows of the first seed, each picture in units of its own spread. A mixed picture proves nothing "
            "by itself." + beyond(outside(drawn))
        )


def _effects(runs: Mapping[str, RunInView], ink: Palette) -> None:
    """The true effect, and what each penalty's model believes; nothing where a model is broken."""
    planes = {name: plane for name, run in runs.items() if (plane := effects(run).plane) is not None}
    if len(planes) < len(runs):
        return
    first, run = next(iter(planes.values())), next(iter(runs.values()))
    maps = {"truth": ("The true effect", first.tau)} | {
        name: (PENALTY_WORDS[name].short, plane.tau_hat[runs[name].m]) for name, plane in planes.items()
    }
    for column, (name, (title, values)) in zip(st.columns(len(maps)), maps.items(), strict=True):
        with column, st.container(key=f"panel_penalties_map_{name}"):
            drawn = effect_plane(
                values,
                first.z,
                first.s,
                ink,
                title=title[:1].upper() + title[1:],
                limits=first.limits,
                rows=first.rows,
                env=run.view.env,
                t=run.view.t,
                env_names=run.env_names,
            )
            chart(drawn, f"penalties.map.{name}")
    quiet(
        "The effect over cause z and nuisance s. Vertical bands: the predicted effect depends on z alone; where no "
        "points lie, a map is extrapolation."
    )
