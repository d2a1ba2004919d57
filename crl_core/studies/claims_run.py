"""Measure claims: train the runs of the plan, or take them from the store; read the answers that are shipped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from crl_core.config import FIRST_SEED, RECIPE_VERSION, RunConfig
from crl_core.config.text import nearest, seed_words
from crl_core.identify import shipped as latents
from crl_core.identify.presets import FIRST_SEED as LATENT_SEED
from crl_core.jobs.ensure_runs import OnRun, ensure_runs
from crl_core.jobs.executors import Executor, Here
from crl_core.measures.cautions import cautions_of_runs
from crl_core.measures.intervals import FEWEST
from crl_core.runs.shipped import Shipped
from crl_core.runs.store import RunStore
from crl_core.studies.claims import Claim, Measured, Statement, judged, measure, needs_evidence, plan

SEEDS = 10
EPOCHS = 50


def runs_of(
    claims: Sequence[Claim], seeds: int = SEEDS, epochs: int = EPOCHS, first_seed: int = FIRST_SEED
) -> list[tuple[RunConfig, bool]]:
    """The runs that `claims` need, and for each whether its evidence is needed. Raises ValueError on too many seeds."""
    if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 1:
        raise ValueError(f"seeds is {seeds!r}; it must be a whole number from 1 to 20.")
    return list(_runs_of(tuple(claims), seeds, epochs, first_seed))


@lru_cache(maxsize=64)  # a page of claims asks at every view
def _runs_of(claims: tuple[Claim, ...], seeds: int, epochs: int, first_seed: int) -> tuple[tuple[RunConfig, bool], ...]:
    asking: dict[Any, bool] = {}
    for claim in claims:
        for setting in (claim.setting, claim.against):
            if setting is not None:
                asking[setting.trained_on] = asking.get(setting.trained_on, False) or needs_evidence(claim)
    return tuple(
        (config, asking[trained_on])
        for trained_on, config in plan(claims, seeds, epochs=epochs, first_seed=first_seed).items()
    )


def run_claims(
    claims: Sequence[Claim],
    seeds: int,
    store: RunStore,
    executor: Executor | None = None,
    *,
    epochs: int = EPOCHS,
    first_seed: int = FIRST_SEED,
    on_run: OnRun | None = None,
) -> list[Measured]:
    """Every claim measured over `seeds` seeds; runs that are stored are taken as they are.

    executor: trains the others; default here and now.
    Raises:   ValueError if a run would be too large; RunsFailed or StoreError if one cannot be made.
    """
    found = ensure_runs(runs_of(claims, seeds, epochs, first_seed), store, executor or Here(store), on_run)
    runs = {on: found[config] for on, config in plan(claims, seeds, epochs=epochs, first_seed=first_seed).items()}
    return [measure(claim, runs) for claim in claims]


def content_of(
    measured: Sequence[Measured], seeds: int, epochs: int = EPOCHS, first_seed: int = FIRST_SEED
) -> dict[str, Any]:
    """The JSON of `claims --json`; its RECIPE_VERSION tells an answer that is out of date."""
    return {
        "recipe_version": RECIPE_VERSION,
        "seeds": seeds,
        "first_seed": first_seed,
        "epochs": epochs,
        "claims": [item.to_dict() for item in measured],
    }


def cautions(claims: Sequence[Statement], content: Mapping[str, Any]) -> tuple[str, ...]:
    """What the answers lack as a whole: worlds in which nothing can be learnt, and claims without a single number."""
    runs = runs_of([claim for claim in claims if isinstance(claim, Claim)])
    said = cautions_of_runs({nearest(config)[0]: config for config, _ in runs})
    answers = {claim.id: entry for claim in claims if (entry := answer_to(claim, content)) is not None}
    broken = [name for name, entry in answers.items() if not _numbers(entry)]
    if not broken:
        return said
    which = "any claim" if len(broken) == len(answers) else f"these claims: {', '.join(broken)}"
    return (
        *said,
        f"Not one number was measured for {which}. Every model that they need diverged or collapsed, so their verdicts "
        "say nothing about the worlds. Measure them again with more seeds, or change their λ in claims.toml.",
    )


def _numbers(entry: Mapping[str, Any]) -> list[float]:
    return [value for value in entry["measured"] if value is not None and math.isfinite(value)]


def answer_to(claim: Statement, content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The entry of `content` on a claim; None if there is none, or the claim has changed since it was measured.

    An answer older than the rule for rates, or the least number of seeds, is judged anew by its values.
    """
    about = {
        "threshold": claim.threshold,
        "holds_if": claim.holds_if,
        "quantity": claim.quantity,
        **claim.where(),
    }
    entries: list[Mapping[str, Any]] = content["claims"]
    for entry in entries:
        if entry.get("id") == claim.id:
            if any(entry.get(name) != value for name, value in about.items()):
                return None
            values = entry.get("measured", ())
            if values and ((claim.batches and "mean" not in entry) or len(values) < FEWEST):
                known = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
                return {**entry, **judged(claim, known).to_dict(), "runs": entry.get("runs", [])}
            return entry
    return None


def _parse(before: int, content: Mapping[str, Any]) -> Mapping[str, Any]:
    """before: the first seed of answers that were measured before there was a choice."""
    if not isinstance(content["claims"], list):
        raise TypeError("claims is no list")
    first = int(content.get("first_seed", before))
    return {**content, "first_seed": first, "claims": [{**entry, "first_seed": first} for entry in content["claims"]]}


@cache  # one object an answer, since answers are kept by it
def shipped_claims(study: str = "claims") -> Shipped[Mapping[str, Any]]:
    """Shipped answers: of the claims about λ paths, or "claims-<id>" of a study."""
    if study == "claims-identify":  # its flows are no runs, and have a version of their own
        parse, version = partial(_parse, LATENT_SEED), latents.BAKED.version
    else:
        parse, version = partial(_parse, 0), RECIPE_VERSION
    return Shipped(study=study, settings=("seeds", "epochs"), parse=parse, version=version)


BAKED = shipped_claims()


def seeds_of(answers: Mapping[str, Any]) -> str:
    """The seeds that answers are of, in words."""
    return seed_words(int(answers["seeds"]), int(answers["first_seed"]))


def _all_shipped(folder: Path) -> list[Shipped[Mapping[str, Any]]]:
    return [BAKED, *(shipped_claims(path.stem) for path in sorted(folder.glob("claims-*.json")))]


def baked_claims(folder: Path) -> Mapping[str, Any] | None:
    """The shipped answers as one, those of single studies last; None if there is none.

    Seeds are those of the claims about λ paths, or of the first file that can be used.
    """
    contents = [content for item in _all_shipped(folder) if (content := item.read(folder)) is not None]
    if not contents:
        return None
    return {**contents[0], "claims": [entry for content in contents for entry in content["claims"]]}


def baked_problems(folder: Path) -> str:
    """Why stored answers cannot be used, a sentence a file; empty where they can."""
    return " ".join(problem for item in _all_shipped(folder) if (problem := item.problem(folder)) is not None)
