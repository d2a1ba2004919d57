"""Studies whose claims are measured otherwise than on a preset's λ path, each with its own list.

A study is a file `<id>_claims.toml` beside this one and a module with

    measure_claims(ids, seeds, store, executor, first_seed) -> {id: [seeds] values, NaN where not defined}

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

from crl_core.config import FIRST_SEED
from crl_core.data.user_files import read_text
from crl_core.identify.chance import chance_in
from crl_core.identify.presets import latent_preset
from crl_core.jobs.executors import Executor
from crl_core.runs.store import RunStore
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

    seeds, first_seed: over which the shipped answers were measured, and from which seed on.
    """

    id: str
    title: str
    sentence: str
    module: str
    page: str
    seeds: int = 10
    first_seed: int = FIRST_SEED


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
            seeds=5,  # seven worlds times five penalties: ten seeds would take most of an hour
        ),
        Study(
            id="estimates",
            title="MMD² in linear time",
            sentence="The penalty compares every pair of a batch's rows. Does it matter if features or blocks do?",
            module="crl_core.studies.estimates_claims",
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
        Study(
            id="signals",
            title="ECGs and their hum, digits and their lamp",
            sentence="A network is given traces or images: does it read the heart or the digit, or the machine?",
            module="crl_core.studies.signals_claims",
            page="unseen",
            seeds=5,
            first_seed=300,  # settings were looked for on seeds below 200
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyClaim(Statement):
    """One entry of a study's list; `quantity` and `setting` are words for the screen.

    chance: the latent world of an MCC, which must lie beyond what random rotations of these latents score, too; or "".
    """

    study: str
    setting: str
    chance: str = ""

    def where(self) -> dict[str, Any]:
        place = {"lab": self.study, "setting": self.setting}
        return place | ({"beyond_chance": round(self._chance, 4)} if self.chance else {})

    def measured_as(self) -> str:
        line = f"{self.quantity}, {self.setting}"
        return line + (f"; 95 % of random rotations score below {self._chance:.3f}" if self.chance else "")

    @property
    def bar(self) -> float:
        return max(self.threshold, self._chance) if self.chance else self.threshold

    @property
    def _chance(self) -> float:
        return chance_in(latent_preset(self.chance)).high


def parse_study_claims(study: str, text: str) -> tuple[StudyClaim, ...]:
    """The claims of a study's TOML text. Raises ValueError naming the entry, the field and what is allowed."""
    required, claims = STATEMENT_FIELDS | {"setting"}, []
    for entry in entries_of(text):
        try:
            check_statement(entry, required | {"batches", "chance"}, required)
            batches = entry.get("batches", 0)
            if isinstance(batches, bool) or not isinstance(batches, int) or batches < 0:
                raise ValueError(f"batches is {batches!r}; write how many a seed has, 0 where the quantity is no rate.")
            _check_chance(entry)
        except ValueError as error:
            raise ValueError(f"claim {entry.get('id', 'without an id')}: {error}") from None
        claims.append(StudyClaim(study=study, **dict(entry) | {"threshold": float(entry["threshold"])}))
    return tuple(claims)


def _check_chance(entry: Mapping[str, Any]) -> None:
    if "chance" not in entry:
        return
    latent_preset(str(entry["chance"]))
    if entry["holds_if"] != "above":
        raise ValueError('chance is for an MCC that is claimed to lie above something; holds_if is "below".')


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
    first_seed: int = FIRST_SEED,
) -> list[Measured]:
    """Every claim (all of one study) measured over `seeds` seeds; what is stored is taken as it is.

    executor: trains what is not stored; default here and now.
    Raises:   ValueError on bad input; RunsFailed or StoreError if a run cannot be made.
    """
    if not claims:
        return []
    measure = import_module(STUDIES[claims[0].study].module).measure_claims
    values = measure([claim.id for claim in claims], seeds, store, executor, first_seed)
    return [judged(claim, np.asarray(values[claim.id], dtype=np.float64)) for claim in claims]
