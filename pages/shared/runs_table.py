"""Stored runs as a table: what they are called, how each differs from its preset, and its main figures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pandas as pd
import streamlit as st

from crl_core.config import RunConfig
from crl_core.config.text import nearest
from crl_core.runs.store import RunSummary
from pages.shared.fields import lam_text

COLUMNS: dict[str, Any] = {
    "View": st.column_config.TextColumn("", width=30, help="● the run in view"),
    "Run": st.column_config.TextColumn(help="Its name, or its preset", width="medium"),
    "Tags": st.column_config.ListColumn(width="small"),
    "Changed": st.column_config.TextColumn("Changed from its preset", width="medium"),
    "ITE RMSE": st.column_config.NumberColumn(format="%.3f", help="Least over λ; held out, median over replicates"),
    "at λ": st.column_config.NumberColumn(format="%.3g"),
    "λ = 0": st.column_config.NumberColumn(format="%.3f", help="ITE RMSE without the penalty"),
    "E": st.column_config.NumberColumn(help="Environments"),
    "λ": st.column_config.TextColumn("λ range"),
    "Seed": st.column_config.NumberColumn(format="%d"),
    "Took": st.column_config.NumberColumn("Took, s", format="%.0f"),
    "MB": st.column_config.NumberColumn(format="%.1f"),
    "Trained": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm"),
    "Kind": st.column_config.TextColumn(
        "",
        help="baked: comes with the program; pinned: the quota never takes it; recipe N: made by an older version",
    ),
}


def table(runs: Sequence[RunSummary], shown: RunConfig | None) -> pd.DataFrame:
    """One row a run, in the given order."""
    frame = pd.DataFrame([_row(run) for run in runs], columns=[name for name in COLUMNS if name != "View"])
    key = "" if shown is None else shown.key
    frame.insert(0, "View", ["●" if run.key == key else "" for run in runs])
    return frame


@lru_cache(maxsize=8192)
def _row(run: RunSummary) -> tuple[object, ...]:
    config, best = run.config, run.best()
    preset_id, changes = nearest(config)
    changed = [str(change) for change in changes]
    first, last = run.lams[0], run.lams[-1]
    return (
        run.label.name or preset_id,
        list(run.label.tags),
        ", ".join(changed) if preset_id == (run.label.name or preset_id) else ", ".join((preset_id, *changed)),
        best[1] if best else None,
        best[0] if best else None,
        run.figures["ite_rmse"][0] if first == 0 else None,
        config.source.n_envs,
        f"{lam_text(first)} – {lam_text(last)}" if first != last else lam_text(first),
        config.training.seed,
        run.seconds,
        run.bytes / 1e6,
        pd.Timestamp(time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(run.created))),
        kind_of(run),
    )


def kind_of(run: RunSummary) -> str:
    """What sets a run apart from an ordinary one, in a word or two."""
    words = [word for word in ("baked", "pinned") if getattr(run, word)]
    words += ["imported"] if run.imported is not None else []
    words += [f"recipe {run.recipe_version}"] if run.outdated else []
    words += [] if run.finite else ["no figures: every model diverged"]
    return ", ".join(words)
