"""The setting that the Penalties page asks about: its controls, in the link as well, and the contest measured in it."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from crl_core.config import RunConfig
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.presets import Preset
from crl_core.jobs.ensure_runs import RunsFailed, Wanted, missing
from crl_core.runs.sealing import StoreError
from crl_core.studies.penalties import (
    BAKED,
    Contest,
    ContestSetting,
    baked_contests,
    configs_of,
    contest_of,
    run_contest,
    runs_of,
    steps_beyond,
)
from pages.shared import server_cache
from pages.shared.link_notes import say_in_vain
from pages.shared.style import plain

_GAPS = ("as the preset", "0", "0.25", "0.5", "0.75", "1", "1.25", "1.5", "2")
_RARE = {"as many": 1.0, "1/2": 0.5, "1/5": 0.2, "1/10": 0.1, "1/20": 0.05, "1/50": 0.02}
_PAIRS = ("shared", "rank", "oracle")
_SHARED = (0, 8, 16, 32, 64, 100)
_OPTIONS = {
    "gap": _GAPS,
    "rare": list(_RARE),
    "shared": [str(n) for n in _SHARED],
    "pairs": _PAIRS,
    "balanced": ("true", "false"),
}


def asked_setting(preset: Preset) -> ContestSetting:
    """Draw the controls; a link's impossible values are named and dropped."""
    home = float(max(abs(mean) for mean in preset.config.scenario.cause_mean))
    say_in_vain(_OPTIONS)
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
    return ContestSetting(
        preset=preset.id,
        shared=int(shared),
        rare=_RARE[rare],
        gap=None if gap == _GAPS[0] or float(gap) == home else float(gap),
        matching=matching or "shared",
        balanced=bool(balanced),
    )


def in_words(why: str) -> str:
    """A refusal of `config` with the names that this page's controls have."""
    return why.replace("scenario.shared_units", "Shared units").replace("training.matching", "Pairs")


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={ContestSetting: repr})  # rows are drawn for it
def configs_in(setting: ContestSetting) -> tuple[Mapping[str, RunConfig], Mapping[str, str]]:
    """As `configs_of`, of all penalties."""
    return configs_of(setting)


def wanted_runs(setting: ContestSetting, configs: Mapping[str, RunConfig]) -> list[tuple[RunConfig, bool]]:
    """The runs of the contest as far as they are known: of penalties’ own grids, and of steps beyond them."""
    names = configs if not missing([(config, True) for config in configs.values()], server_cache.store()) else {}
    steps = [setting.config(name, step) for name in names for step in steps_beyond(PENALTY_WORDS[name].lams)]
    stored = server_cache.stamp([(config, True) for config in (*configs.values(), *steps)])
    return [(config, True) for config in _runs_of(setting, configs, stored)]


@st.cache_resource(max_entries=8, show_spinner="Reading the stored paths", hash_funcs={ContestSetting: repr})
def _runs_of(setting: ContestSetting, _configs: Mapping[str, RunConfig], stamp: tuple[float, ...]) -> list[RunConfig]:
    """As `penalties.runs_of`. _configs: those of the setting.  stamp: when those that are stored were sealed."""
    return runs_of(setting, _configs, server_cache.store())


def known_contest(
    setting: ContestSetting, configs: Mapping[str, RunConfig], wanted: Wanted
) -> tuple[Contest | None, str]:
    """The contest on runs `wanted` that are stored here, or as shipped, and where it was measured; or None."""
    store = server_cache.store()
    try:
        if not missing(wanted, store):
            return _measured_here(setting, server_cache.stamp(wanted)), "Measured on this machine."
        contest = contest_of(setting, baked_contests(store.baked))
        if contest is None and (problem := BAKED.problem(store.baked)):
            st.error(plain(problem))
        return contest, "Measured before the program was shipped."
    except (RunsFailed, StoreError, ValueError) as error:
        st.error(plain(str(error)))
        return None, ""


@st.cache_resource(max_entries=8, show_spinner="Reading the stored paths", hash_funcs={ContestSetting: repr})
def _measured_here(setting: ContestSetting, stamp: tuple[float, ...]) -> Contest:
    """The contest on stored runs. stamp: when these were sealed."""
    return run_contest(setting, server_cache.store())
