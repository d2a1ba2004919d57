"""Studies whose claims are measured otherwise than on a preset's λ path, each with its own list.

A study is a file `<id>_claims.toml` beside this one and a module with

    measure_claims(ids, seeds, store, executor) -> {id: [seeds] values, NaN where not defined}

The module may need torch; it is loaded when something is measured.
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
from crl_core.runs.user_files import read_text
from crl_core.studies.claims import (
    STATEMENT_FIELDS,
    Measured,
    Statement,
    check_statement,
    entries_of,
    judged,
    load_claims,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study with claims of its own: what it asks, the module that measures, its page.

    seeds: over which the shipped answers were measured.
    """

    id: str
    title: str
    sentence: str
    module: str
    page: str
    seeds: int = 10


STUDIES: Mapping[str, Study] = {
    study.id: study
    for study in (
        Study(
            id="unseen",
            title="Unseen environments",
            sentence=(
                "The trained model is deployed somewhere new: what can a monitor tell, and what can it never tell?"
            ),
            module="crl_core.studies.unseen_claims",
            page="unseen",
        ),
        Study(
            id="penalties",
            title="Penalties",
            sentence="Other ideas of invariance on the same data, seeds and path.",
            module="crl_core.studies.penalties_claims",
            page="penalties",
        ),
        Study(
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
class StudyClaim(Statement):
    """One entry of a study's list; `quantity` and `setting` are words for the screen."""

    study: str
    setting: str

    def where(self) -> dict[str, Any]:
        return {"lab": self.study, "setting": self.setting}

    def measured_as(self) -> str:
        return f"{self.quantity}, {self.setting}"


def parse_study_claims(study: str, text: str) -> tuple[StudyClaim, ...]:
    """The claims of a study's TOML text. Raises ValueError naming the entry, the field and what is allowed."""
    known, claims = STATEMENT_FIELDS | {"setting"}, []
    for entry in entries_of(text):
        try:
            check_statement(entry, known, known)
        except ValueError as error:
            raise ValueError(f"claim {entry.get('id', 'without an id')}: {error}") from None
        claims.append(StudyClaim(study=study, **dict(entry) | {"threshold": float(entry["threshold"])}))
    return tuple(claims)


@cache
def claims_of(study: str) -> tuple[StudyClaim, ...]:
    """The claims of a study, as they come with the program."""
    return parse_study_claims(study, read_text(Path(__file__).parent / f"{study}_claims.toml"))


def all_claims() -> tuple[Statement, ...]:
    """Those about λ paths, then those of each study."""
    return (*load_claims(), *(claim for study in STUDIES for claim in claims_of(study)))


def measure_study(
    claims: Sequence[StudyClaim],
    seeds: int,
    store: RunStore,
    executor: Executor | None = None,
) -> list[Measured]:
    """Every claim (all of one study) measured over `seeds` seeds; what is stored is taken as it is.

    executor: trains what is not stored; default here and now.
    Raises:   ValueError on bad input; RunsFailed or StoreError if a run cannot be made.
    """
    if not claims:
        return []
    measure = import_module(STUDIES[claims[0].study].module).measure_claims
    values = measure([claim.id for claim in claims], seeds, store, executor)
    return [judged(claim, np.asarray(values[claim.id], dtype=np.float64)) for claim in claims]
