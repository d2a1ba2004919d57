"""Readings of the MMD lens: a run's latents by a convention, beside chance and the convention of training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import streamlit as st

from crl_core.data.scm import Stream, aligned_groups, rng_for
from crl_core.measures.mmd_conventions import Convention, Reading, read
from crl_core.results import mmd_rows
from pages.shared import server_cache
from pages.shared.lens_controls import OWN, name_of
from pages.shared.run_view import RunInView


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lens:
    """A run seen through one convention, among those that have a name."""

    run: RunInView
    named: Mapping[str, Convention]
    convention: Convention

    @property
    def at(self) -> int:
        """Index of the λ in view."""
        return self.run.result.lams.index(self.run.lam)

    @property
    def symbol(self) -> str:
        return "MMD" if self.convention.rooted else "MMD²"

    @property
    def name(self) -> str | None:
        """What the convention is called; None where it has no name."""
        return name_of(self.convention, self.named)

    @property
    def found(self) -> Reading:
        """By the convention, at every λ."""
        return _reading(self.run.key, self.convention, None, self.run)

    @property
    def as_trained(self) -> Reading:
        """As this dashboard trained and reports it, at every λ."""
        return _reading(self.run.key, self.named[OWN], None, self.run)

    @property
    def by_name(self) -> dict[str, Reading]:
        """By each named convention, at the λ in view alone."""
        return {name: _reading(self.run.key, known, self.at, self.run) for name, known in self.named.items()}


def by_environment(run: RunInView) -> bool:
    """Whether the groups that are compared are environments; treatment arms otherwise."""
    return run.config.training.align != "treatment"


def latents(run: RunInView) -> tuple[np.ndarray, np.ndarray]:
    """Latents of every λ of replicate 0 on the rows that MMD² is reported of, [L, n, k], and the rows' groups [n]."""
    return _latents(run.key, run)


@server_cache.pictures
@st.cache_resource(max_entries=server_cache.HELD, show_spinner=False)
def _latents(key: str, _run: RunInView) -> tuple[np.ndarray, np.ndarray]:
    rows = mmd_rows(_run.view)
    return _run.result.predict(rows.x)[0], aligned_groups(rows, _run.config.training.align)


@server_cache.pictures
@st.cache_resource(max_entries=32 * server_cache.HELD, show_spinner=False)
def _reading(key: str, convention: Convention, at: int | None, _run: RunInView) -> Reading:
    """Of every λ, or of the one at index `at` alone."""
    phi, groups = _latents(key, _run)
    rng = rng_for(_run.config.training.seed, Stream.OVERLAP)
    return read(phi if at is None else phi[at : at + 1], groups, convention, rng)
