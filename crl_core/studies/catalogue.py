"""Laboratories: claims that are measured otherwise than on a preset's λ path, each with its own list and its own way.

A laboratory is a file `claims_<id>.toml` beside this one and a module with

    measure_claims(ids, seeds, store, executor) -> {id: [seeds] values, NaN where not defined}

which may need torch and is therefore looked up only when something is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from crl_core.jobs.executors import Executor
from crl_core.runs.store import RunStore
from crl_core.studies.claims import STATEMENT_FIELDS, Measured, Statement, check_statement, entries_of, judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A laboratory: its name, what it asks, the module that measures, its page, and over how many seeds the answers
    were measured that come with the program."""

    id: str
    title: str
    sentence: str
    module: str
    page: str
    seeds: int = 10


LABS: Mapping[str, Lab] = {
    lab.id: lab
    for lab in (
        Lab(
            id="unseen",
            title="Unseen environments",
            sentence=(
                "The trained model is deployed somewhere new: what can a monitor tell, and what can it never tell?"
            ),
            module="crl_core.studies.unseen_claims",
            page="unseen",
        ),
        Lab(
            id="penalties",
            title="Penalties",
            sentence="Other ideas of invariance on the same data, seeds and path.",
            module="crl_core.studies.penalties_claims",
            page="penalties",
        ),
        Lab(
            id="identify",
            title="Identifiability",
            sentence="Can latents be recovered from several environments, without labels and without an outcome?",
            module="crl_core.studies.identify_claims",
            page="identify",
            seeds=20,
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabClaim(Statement):
    """One entry of a laboratory's list; `quantity` and `setting` are words for the screen."""

    lab: str
    setting: str

    def where(self) -> dict[str, Any]:
        return {"lab": self.lab, "setting": self.setting}

    def measured_as(self) -> str:
        return f"{self.quantity}, {self.setting}"


def parse_lab_claims(lab: str, text: str) -> tuple[LabClaim, ...]:
    """The claims of a laboratory's TOML text. Raises ValueError naming the entry, the field and what is allowed."""
    known, claims = STATEMENT_FIELDS | {"setting"}, []
    for entry in entries_of(text):
        try:
            check_statement(entry, known, known)
        except ValueError as error:
            raise ValueError(f"claim {entry.get('id', 'without an id')}: {error}") from None
        claims.append(LabClaim(lab=lab, **dict(entry) | {"threshold": float(entry["threshold"])}))
    return tuple(claims)


@cache
def lab_claims(lab: str) -> tuple[LabClaim, ...]:
    """The claims of a laboratory that come with the program."""
    return parse_lab_claims(lab, (Path(__file__).parent / f"{lab}_claims.toml").read_text(encoding="utf-8"))


def measure_lab(
    claims: Sequence[LabClaim],
    seeds: int,
    store: RunStore,
    executor: Executor | None = None,
) -> list[Measured]:
    """Every claim (all of one laboratory) measured over `seeds` seeds; what is stored is taken as it is.

    executor: trains what is not stored; default here and now.
    Raises:   ValueError on bad input; RunsFailed or StoreError if a run cannot be made.
    """
    if not claims:
        return []
    measure = import_module(LABS[claims[0].lab].module).measure_claims
    values = measure([claim.id for claim in claims], seeds, store, executor)
    return [judged(claim, np.asarray(values[claim.id], dtype=np.float64)) for claim in claims]
