"""A claim about a run of one's own: judged on its replicates as every claim is, and written as an entry of the list."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from crl_core.config import FIRST_SEED, RunConfig
from crl_core.config.presets import preset
from crl_core.config.text import FLAGS, PART_OF, nearest, value_of, written
from crl_core.jobs.ensure_runs import Evidence
from crl_core.results import RunResult
from crl_core.studies.claims import BETWEEN, QUANTITIES, Claim, ClaimSetting, Measured, judged

_OF_THE_COMMAND = frozenset(FLAGS)  # fields of training that whoever measures claims chooses anew


def own_claim(config: RunConfig, quantity: str, lam: float, holds_if: str, threshold: float) -> Claim:
    """A claim about `quantity` in the world of `config`; one about the whole path has no λ.

    Raises: ValueError if there is no such quantity, the bound is no number, or the run is of a table.
    """
    if quantity not in QUANTITIES:
        raise ValueError(f"there is no quantity {quantity!r}; choose one of {', '.join(QUANTITIES)}.")
    if holds_if not in ("below", "above"):
        raise ValueError(f'the comparison is {holds_if!r}; it must be "below" or "above".')
    if not np.isfinite(threshold):
        raise ValueError(f"the bound is {threshold}; it must be a number.")
    if config.table is not None:
        raise ValueError("this run is of a table; a claim is made about a simulated world, so choose a preset.")
    whole, title = QUANTITIES[quantity].whole_path, QUANTITIES[quantity].title
    where = "along the whole path" if whole else f"at λ = {lam:g}"
    return Claim(
        id="my-claim",
        source="own run",
        statement=f"{title[:1].upper()}{title[1:]}, {where}: {holds_if} {threshold:g}.",
        note="",
        quantity=quantity,
        holds_if="below" if holds_if == "below" else "above",
        threshold=float(threshold),
        setting=_setting(config, None if whole else lam),
        against=None,
    )


def _setting(config: RunConfig, lam: float | None) -> ClaimSetting:
    name, changed = nearest(config)
    own = [item.name for item in changed if PART_OF.get(item.name) == "scenario"]
    n_envs = config.scenario.n_envs
    return ClaimSetting(
        preset=name,
        lam=lam,
        envs=None if n_envs == preset(name).scenario.n_envs else n_envs,
        scenario=tuple((field, value_of(config, field)) for field in own),
    )


def measured_on(claim: Claim, run: RunResult, evidence: Evidence | None) -> Measured:
    """The claim judged on the replicates of a stored run.

    Raises: ValueError where the run does not have what the quantity needs.
    """
    quantity, lam = QUANTITIES[claim.quantity], claim.setting.lam
    if lam is not None and lam not in run.lams:
        raise ValueError(f"the run has no λ = {lam:g}; its λ are {written(run.lams)}.")
    if claim.quantity == "u_shape" and BETWEEN not in run.lams:
        raise ValueError(f"the run has no λ = {BETWEEN:g}, as this quantity asks; its λ are {written(run.lams)}.")
    if quantity.needs_evidence and evidence is None:
        raise ValueError("this quantity needs probes of the latent, which the run does not have yet; compute them.")
    with np.errstate(invalid="ignore", divide="ignore"):  # of broken models
        values = quantity.of(run, evidence or {}, None if lam is None else run.lams.index(lam))
    return judged(claim, np.asarray(values, dtype=np.float64), (run.config.key,))


def entry_of(claim: Claim) -> str:
    """The claim as an entry of `claims.toml`; `claims.parse_claims` reads it back."""
    setting = claim.setting
    lines: dict[str, Any] = {
        "id": claim.id,
        "source": claim.source,
        "statement": claim.statement,
        "preset": setting.preset,
        **({} if setting.envs is None else {"envs": setting.envs}),
        **({"scenario": dict(setting.scenario)} if setting.scenario else {}),
        "quantity": claim.quantity,
        **({} if setting.lam is None else {"lam": setting.lam}),
        "holds_if": claim.holds_if,
        "threshold": claim.threshold,
        "note": claim.note,
    }
    return "\n".join(["[[claim]]", *(f"{name} = {_toml(value)}" for name, value in lines.items())])


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{name} = {_toml(item)}' for name, item in value.items())} }}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)  # its strings, numbers and truth values are TOML's, too


def not_in_the_entry(config: RunConfig) -> str:
    """What of a run an entry has no field for, in a sentence; empty where the command measures the same thing."""
    name, changed = nearest(config)
    lost = [item.name for item in changed if item.name not in _OF_THE_COMMAND and PART_OF.get(item.name) == "training"]
    if not lost:
        return ""
    said = ", ".join(f"{field} = {written(value_of(config, field))}" for field in lost)
    return f"An entry has no field for {said}: the command takes what the preset {name} has."


COMMAND = f"python -m crl_core claims --only my-claim --seeds 10 --first-seed {FIRST_SEED}"
