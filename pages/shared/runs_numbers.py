"""Figures of stored runs that their manifests do not hold: every replicate's, and the best baseline's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import streamlit as st

from crl_core.measures.baselines import ranked
from crl_core.metrics import SHOWN
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunSummary
from pages.shared import server_cache

MOST_READ = 200  # runs whose files are opened for a list; of a longer one the first
Baseline = tuple[str, float]  # name, and its effect error, median over replicates


def best_baseline(run: RunSummary) -> Baseline | None:
    """The baseline with the least effect error; None where none has one, or the evidence is not there."""
    return _baseline(run.key, run.created) if "evidence" in run.parts else None


def values_of(run: RunSummary) -> Mapping[str, np.ndarray]:
    """Name of each metric that is shown -> its values, [R, L]; NaN where there are none."""
    return _values(run.key, run.created, run.parts)


@server_cache.pictures
@st.cache_resource(max_entries=2000, show_spinner=False)
def _baseline(key: str, sealed_at: float) -> Baseline | None:
    try:
        found = ranked(server_cache.store().part(key, "evidence"))
    except StoreError:
        return None
    return (found[0].name, found[0].ite_rmse) if found else None


@server_cache.pictures
@st.cache_resource(max_entries=2000, show_spinner=False)
def _values(key: str, sealed_at: float, parts: tuple[str, ...]) -> Mapping[str, np.ndarray]:
    try:
        result = server_cache.store().load(key)
        evidence = server_cache.store().part(key, "evidence") if "evidence" in parts else None
    except StoreError:
        return {}
    found = {metric.name: result.metric(metric, evidence) for metric in SHOWN}
    return {name: np.asarray(result.by_lam(values), dtype=np.float64) for name, values in found.items()}
