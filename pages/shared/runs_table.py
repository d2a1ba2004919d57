"""Stored runs as a table: what each is called, the settings that vary among them, and its main figures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from crl_core.config import RunConfig
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.settings import Setting, all_settings, changed, names_among, varying, world_of
from crl_core.config.text import N_ENVS, ROWS, said
from crl_core.figures.axes import finite_of, log_range
from crl_core.runs.store import RunSummary
from pages.shared.runs_numbers import MOST_READ, best_baseline

MOST_SETTINGS = 5  # columns of settings; what else varies stands in one column of words
_SHORT = {N_ENVS: "E"}

FIXED: dict[str, Any] = {
    "View": st.column_config.TextColumn("", width=30, help="● the run that the other pages show"),
    "Name": st.column_config.TextColumn(
        width=185, help="As it was named; else what sets it apart from most of the runs shown"
    ),
    "World": st.column_config.TextColumn(width=180, help="The preset that it is nearest to, or its table"),
    "Further changes": st.column_config.TextColumn(width="medium", help="What else varies among the runs shown"),
    "Error along λ": st.column_config.LineChartColumn(
        width=110, help="Effect error (ITE RMSE, √PEHE) from the least λ to the largest, logarithmic, one scale for all"
    ),
    "Least error": st.column_config.NumberColumn(
        format="%.3f", width=88, help="Least effect error over λ; held out, median over replicates"
    ),
    "at λ": st.column_config.NumberColumn(format="%.3g", width=62),
    "λ = 0": st.column_config.NumberColumn(format="%.3f", width=66, help="Effect error without the penalty"),
    "Baseline": st.column_config.NumberColumn(
        "Best baseline", format="%.3f", width=100, help="Least effect error of a model without a penalty, by the truth"
    ),
    "Which": st.column_config.TextColumn("of", width=110, help="The model that is the best baseline"),
    "Tags": st.column_config.ListColumn(width="small"),
    "Trained": st.column_config.DatetimeColumn(
        format="distance", width=105, help="“All settings” shows the exact time"
    ),
    "Trained at": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm:ss"),
    "Took": st.column_config.NumberColumn("Took, s", format="%.0f"),
    "MB": st.column_config.NumberColumn(format="%.1f"),
    "Run": st.column_config.TextColumn(help="The key that its link and the command line use"),
    "Kind": st.column_config.TextColumn(
        "",
        width="small",
        help="baked: comes with the program; pinned: the quota never takes it; recipe N: made by an older version",
    ),
}
_PHONE = ("Name", "Least error", "at λ")
_ONLY_ALL = ("λ = 0", "Trained at", "Took", "MB", "Run")  # beside all settings


def titles(runs: Sequence[RunSummary]) -> list[str]:
    """The name that was written on each run; else what sets it apart from most of the others."""
    names = names_among([run.config for run in runs], worlds=False)
    return [run.label.name or name for run, name in zip(runs, names, strict=True)]


def shown_settings(runs: Sequence[RunSummary], *, every: bool = False) -> list[Setting]:
    """The settings that have a column: those that vary among runs of one world, or every one.

    Between worlds all that they are made of varies; the column of worlds says so. A preset as it comes counts among
    the runs of its world only where there are not two others.
    """
    return list(_shown_settings(tuple(run.config for run in runs), every))


@lru_cache(maxsize=32)  # three panels of a page ask for the same
def _shown_settings(configs: tuple[RunConfig, ...], every: bool) -> tuple[Setting, ...]:
    if every:
        return tuple(setting for setting in all_settings(configs) if setting.field != ROWS)
    by_world: dict[str, list[RunConfig]] = {}
    for config in configs:
        by_world.setdefault(world_of(config), []).append(config)
    found: set[Setting] = set()
    for own in by_world.values():
        touched = [config for config in own if changed(config)]
        found |= set(varying(touched if len(touched) > 1 and len(by_world) > 1 else own))
    return tuple(setting for setting in all_settings(configs) if setting in found and setting.field != ROWS)


def table(
    runs: Sequence[RunSummary], shown: RunConfig | None, *, every: bool = False
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """One row a run, in the given order, and how its columns are drawn.

    every: all settings, also those that are one for all; without it at most `MOST_SETTINGS` have a column each.
    """
    settings = shown_settings(runs, every=every)
    worlds = [world_of(run.config) for run in runs]
    room = MOST_SETTINGS - (len(set(worlds)) > 1)
    own = settings if every else settings[:room]
    rest = settings[len(own) :]
    key = "" if shown is None else shown.key
    look: dict[str, Any] = {}
    names = titles(runs)
    frame = pd.DataFrame({"View": ["●" if run.key == key else "" for run in runs], "Name": names})
    if every or (len(set(worlds)) > 1 and names != worlds):
        frame["World"] = worlds
    for setting in own:
        frame[setting.word] = _column([setting.of(run.config) for run in runs], setting)
        look[setting.word] = _look(setting)
    if rest:
        frame["Further changes"] = [
            ", ".join(s.told(s.of(run.config)) for s in changed(run.config) if s in rest) for run in runs
        ]
    _figures(frame, look, runs)
    if any(run.label.tags for run in runs):
        frame["Tags"] = [list(run.label.tags) for run in runs]
    frame["Trained"] = pd.to_datetime([run.created for run in runs], unit="s", utc=True)
    if every:
        clock = [time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(run.created)) for run in runs]
        frame["Trained at"] = pd.to_datetime(clock)
        frame["Took"] = [run.seconds for run in runs]
        frame["MB"] = [run.bytes / 1e6 for run in runs]
        frame["Run"] = [run.key for run in runs]
    kinds = [kind_of(run) for run in runs]
    if any(kinds):
        frame["Kind"] = kinds
    look |= {name: column for name, column in FIXED.items() if name in frame.columns and name not in look}
    return frame, look


def _figures(frame: pd.DataFrame, look: dict[str, Any], runs: Sequence[RunSummary]) -> None:
    """The columns of errors."""
    lines = [[error for error in run.figures["ite_rmse"] if error is not None and error > 0] for run in runs]
    known = finite_of([error for line in lines for error in line], positive=True)
    if len(known):
        low, high = (float(np.log10(end)) for end in log_range(known))
        frame["Error along λ"] = [np.log10(line).round(3).tolist() for line in lines]
        column = dict(FIXED["Error along λ"])
        column["type_config"] = column["type_config"] | {"y_min": low, "y_max": high}
        look["Error along λ"] = column
    best = [run.best() for run in runs]
    frame["Least error"] = [found[1] if found else None for found in best]
    frame["at λ"] = [found[0] if found else None for found in best]
    frame["λ = 0"] = [run.at_zero() for run in runs]
    baselines = [best_baseline(run) for run in runs[:MOST_READ]] + [None] * max(0, len(runs) - MOST_READ)
    if any(baselines):
        frame["Baseline"] = [found[1] if found else None for found in baselines]
        frame["Which"] = [found[0] if found else "" for found in baselines]


def order(frame: pd.DataFrame, *, every: bool = False, phone: bool = False) -> list[str]:
    """The columns that are shown. phone: what a run is called and how good it is fit its width, and come first."""
    if phone:
        first = [name for name in _PHONE if name in frame.columns]
        return first + [name for name in order(frame, every=every) if name not in first]
    if every:  # figures first, since so many settings go on beyond the screen
        first = [name for name in frame.columns if name in FIXED]
        return first + [name for name in frame.columns if name not in first]
    hidden = (*_ONLY_ALL, "Which") if "World" in frame.columns else _ONLY_ALL  # both would not fit
    return [name for name in frame.columns if name not in hidden]


def _column(values: Sequence[Any], setting: Setting) -> list[Any]:
    """Numbers as they are, so that they can be sorted; all else in words; None where a run has no such setting."""
    if all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
        return list(values)
    return [None if value is None else value_text(setting, value) for value in values]


def value_text(setting: Setting, value: Any) -> str:
    """A setting's value in words."""
    if setting.field == "penalty" and value in PENALTY_WORDS:
        return PENALTY_WORDS[value].short
    return said(setting.field, value)


def _look(setting: Setting) -> Any:
    label, width = _SHORT.get(setting.field, setting.word), 62 if len(setting.word) < 6 else 96
    if setting.numeric and not setting.options and setting.field != "lams":
        return st.column_config.NumberColumn(label, width=width, help=setting.word, format="%.12g")
    return st.column_config.TextColumn(label, width=100, help=setting.word)


def kind_of(run: RunSummary) -> str:
    """What sets a run apart from an ordinary one, in a word or two."""
    words = [word for word in ("baked", "pinned") if getattr(run, word)]
    words += ["imported"] if run.imported is not None else []
    words += [f"recipe {run.recipe_version}"] if run.outdated else []
    words += [] if run.finite else ["no figures: every model diverged"]
    return ", ".join(words)
