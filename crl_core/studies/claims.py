"""Claims, a list as data (`claims.toml`), each measured over seeds and given a verdict.

Seeds:    the replicates of one batched run; claims about the same scenario share a run, which is cached like any other.
Verdict:  from the bootstrap interval of the median over seeds: "holds" if all of it is on the claim's side of the
          threshold, "does not hold" if all of it is on the other, "undecided" if it contains the threshold. Below five
          seeds there is none.
Rates:    how often something happens is judged by its mean over seeds, with an interval over seeds and batches: a
          median does not see one seed that alarms all the time.
Broken:   a model that diverged has an infinite error, and a value that is not defined because of it counts against the
          claim; so breaking models never makes a claim about anything but their error true.
"""

from __future__ import annotations

import tomllib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields
from functools import cache, lru_cache
from math import isfinite
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from crl_core.config import FIRST_SEED, PER_ENV, RunConfig, Scenario
from crl_core.config.presets import preset
from crl_core.config.text import altered
from crl_core.data.scm import Stream, rng_for
from crl_core.data.user_files import read_text
from crl_core.events import finite
from crl_core.jobs.ensure_runs import Evidence
from crl_core.measures.intervals import FEWEST, LEVEL, of_rate
from crl_core.measures.probes import better_r2
from crl_core.metrics import METRIC
from crl_core.results import RunResult

Verdict = Literal["holds", "does not hold", "undecided", "needs five seeds"]

PATH = (0.0, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # for claims about the whole path
BETWEEN = 1.0  # fixed beforehand: the best point of a path is below its ends by chance alone
RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity that can be measured on a run: [R] values, from models reshaped to [R, L]."""

    title: str
    of: Callable[[RunResult, Evidence, int | None], np.ndarray]
    whole_path: bool = False
    needs_evidence: bool = False


def _known(run: RunResult, name: str) -> np.ndarray:
    """A metric of a run, [R, L]. Raises ValueError where it needs a truth that is not known."""
    values: np.ndarray | None = getattr(run, name)
    if values is None:
        raise ValueError(
            f"run {run.config.key} has no {METRIC[name].word}, since its true effects are not known; "
            "measure claims about effects on a simulated world."
        )
    return run.by_lam(values)


def _metric(name: str) -> Callable[[RunResult, Evidence, int | None], np.ndarray]:
    return lambda run, _, at: np.asarray(run.by_lam(getattr(run, name))[:, at])


def _error(name: str) -> Callable[[RunResult, Evidence, int | None], np.ndarray]:
    """A metric in which a broken model is infinitely wrong."""
    return lambda run, _, at: np.asarray(np.nan_to_num(_known(run, name), nan=np.inf)[:, at])


def _from_evidence(name: str) -> Callable[[RunResult, Evidence, int | None], np.ndarray]:
    return lambda run, evidence, at: np.asarray(run.by_lam(evidence[name])[:, at])


def _read(name: str) -> Callable[[RunResult, Evidence, int | None], np.ndarray]:
    return lambda run, evidence, at: np.asarray(run.by_lam(better_r2(evidence, name))[:, at])


def _mmd2_last_over_first(run: RunResult, _: Evidence, at: int | None) -> np.ndarray:
    history = run.history["mmd2"]
    return np.asarray(run.by_lam(history[-1])[:, at] / run.by_lam(history[0])[:, at])


def _ite_by_lam(run: RunResult) -> np.ndarray:
    """[R, L]; a diverged model counts as infinitely wrong, never as missing."""
    return np.asarray(np.nan_to_num(_known(run, "ite_rmse"), nan=np.inf))


def _u_shape(run: RunResult, _: Evidence, __: int | None) -> np.ndarray:
    error = _ite_by_lam(run)
    return np.asarray(np.minimum(error[:, 0], error[:, -1]) / error[:, run.lams.index(BETWEEN)])


def _regret_factual(run: RunResult, _: Evidence, __: int | None) -> np.ndarray:
    error = _ite_by_lam(run)
    factual = np.nan_to_num(run.by_lam(run.factual_mse), nan=np.inf)
    picked = np.take_along_axis(error, factual.argmin(axis=1)[:, None], axis=1)[:, 0]
    return np.asarray(picked / error.min(axis=1))


QUANTITIES: Mapping[str, Quantity] = {
    "ite_rmse": Quantity("effect error, held out", _error("ite_rmse")),
    "factual_mse": Quantity("factual error, held out", _error("factual_mse")),
    "mmd2": Quantity("MMD² between environments, held out", _metric("mmd2")),
    "mmd2_last_over_first": Quantity("MMD², last epoch over first", _mmd2_last_over_first),
    "u_shape": Quantity("effect error at the better end of the path over that at λ = 1", _u_shape, whole_path=True),
    "regret_factual": Quantity("effect error at least factual error, over the best", _regret_factual, whole_path=True),
    "r2_s": Quantity("R² of s read from the latent", _read("s"), needs_evidence=True),
    "r2_z": Quantity("R² of z read from the latent", _read("z"), needs_evidence=True),
    "knn_mixing": Quantity("kNN mixing (1 = full)", _from_evidence("knn_mixing"), needs_evidence=True),
    "use_effect": Quantity(
        "root mean square slope of the effect on s", _from_evidence("use_effect_rms"), needs_evidence=True
    ),
    "domain_auc": Quantity("domain-classifier AUC", _from_evidence("domain_auc"), needs_evidence=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSetting:
    """Where something is measured: a preset, with changes, at a λ (None: over the whole path)."""

    preset: str
    lam: float | None = None
    envs: int | None = None
    scenario: tuple[tuple[str, Any], ...] = ()

    @property
    def trained_on(self) -> RunConfig:
        """The preset's config in this world; claims about the same one share a run, whatever their λ and seeds."""
        return _trained_on(self.preset, self.envs, tuple(dict(self.scenario).items()))


@lru_cache(maxsize=512)  # a page of claims asks for each several times
def _trained_on(preset_id: str, envs: int | None, changed: tuple[tuple[str, Any], ...]) -> RunConfig:
    base = preset(preset_id)
    scenario = base.scenario if envs is None else altered(base.scenario, n_envs=envs)
    changes = dict(changed)
    if "sigma" in changes:  # per-environment fields that are not given are then one value for all
        kept = {f.name: getattr(scenario, f.name) for f in fields(scenario)}
        changes = {n: kept[n][:1] for n in PER_ENV if len(set(kept[n])) == 1} | changes
    return altered(base, scenario=altered(scenario, **changes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement(ABC):
    """A statement so exact that a number decides it: what every claim has, wherever it is measured.

    batches: of a seed, whose share its value is; 0 where it is no rate.
    """

    id: str
    source: str
    statement: str
    note: str
    quantity: str
    holds_if: Literal["below", "above"]
    threshold: float
    batches: int = 0

    @abstractmethod
    def where(self) -> dict[str, Any]:
        """Where it is measured, as in the claim's JSON."""

    @abstractmethod
    def measured_as(self) -> str:
        """What is measured and where, in a line for the screen."""

    @property
    def bar(self) -> float:
        """What the interval must lie beyond: the threshold, or more where chance alone passes it."""
        return self.threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Statement):
    """A claim about λ paths, one entry of `claims.toml`; the fields are explained there."""

    setting: ClaimSetting
    against: ClaimSetting | None

    def where(self) -> dict[str, Any]:
        return {"preset": self.setting.preset}

    def measured_as(self) -> str:
        title, setting, other = QUANTITIES[self.quantity].title, self.setting, self.against
        where = "along the whole path" if setting.lam is None else f"at λ = {setting.lam:g}"
        if setting.scenario:
            where += ", with the environments that the claim names"
        if other is None:
            return f"{title}, {where}"
        beside = other.preset if other.trained_on != setting.trained_on else ""
        if other.lam is not None and (other.lam != setting.lam or not beside):
            beside = f"{beside} at λ = {other.lam:g}".strip()
        return f"{title}, {where}, over that {'' if beside.startswith('at') else 'of '}{beside}"


C = TypeVar("C", bound=Statement)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A claim with what was found: one value a seed, their median, interval and verdict.

    mean: of a rate, which the interval is then of; NaN where the claim is about none.
    """

    claim: Statement
    values: tuple[float, ...]
    median: float
    mean: float
    interval: tuple[float, float]
    verdict: Verdict
    keys: tuple[str, ...] = field(default=())  # of the runs it was measured on

    def to_dict(self) -> dict[str, Any]:
        """As `python -m crl_core claims --json` prints it; a value that is not finite becomes null."""
        claim = self.claim
        return {
            "id": claim.id,
            "source": claim.source,
            "statement": claim.statement,
            **claim.where(),
            "quantity": claim.quantity,
            "measured": finite(self.values),
            "median": finite(self.median),
            **({"mean": finite(self.mean)} if claim.batches else {}),
            "interval": finite(self.interval),
            "holds_if": claim.holds_if,
            "threshold": claim.threshold,
            "verdict": self.verdict,
            "note": claim.note,
            "runs": list(self.keys),
        }


def middle_of(claim: Statement) -> str:
    """What the interval is of, and its name in the JSON."""
    return "mean" if claim.batches else "median"


STATEMENT_FIELDS = frozenset({"id", "source", "statement", "note", "quantity", "holds_if", "threshold"})
_CLAIM_FIELDS = STATEMENT_FIELDS | {"preset", "lam", "envs", "scenario", "against"}
_SETTING_FIELDS = {"preset", "lam", "envs", "scenario"}


def parse_claims(text: str) -> tuple[Claim, ...]:
    """The claims of a TOML text. Raises ValueError naming the entry, the field and what is allowed."""
    return tuple(_claim(entry) for entry in entries_of(text))


def entries_of(text: str) -> list[Mapping[str, Any]]:
    """The entries [[claim]] of a TOML text, each with an id of its own. Raises ValueError."""
    try:
        entries = tomllib.loads(text).get("claim", [])
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"the list of claims is not TOML ({error}).") from None
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise ValueError("the list of claims has no entries; write each one under a line [[claim]].")
    ids = [str(entry.get("id")) for entry in entries]
    twice = sorted({name for name in ids if "id" in entries[ids.index(name)] and ids.count(name) > 1})
    if twice:
        raise ValueError(f"the claim id {', '.join(twice)} stands twice; give each claim an id of its own.")
    return entries


def check_statement(entry: Mapping[str, Any], known: Set[str], required: Set[str]) -> None:
    """Check what the entry of any claim must have. Raises ValueError."""
    unknown = sorted(set(entry) - known)
    if unknown:
        raise ValueError(f"it has no field {', '.join(unknown)}; its fields are {', '.join(sorted(known))}.")
    missing = sorted(required - set(entry))
    if missing:
        raise ValueError(f"{', '.join(missing)} is missing.")
    if entry["holds_if"] not in ("below", "above"):
        raise ValueError(f'holds_if is {entry["holds_if"]!r}; it must be "below" or "above".')
    threshold = entry["threshold"]
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not isfinite(threshold):
        raise ValueError(f"threshold is {threshold!r}; it must be a number.")


@cache
def load_claims() -> tuple[Claim, ...]:
    """The claims that come with the program."""
    return parse_claims(read_text(Path(__file__).parent / "claims.toml"))


def pick(only: Sequence[str], among: Sequence[C]) -> tuple[C, ...]:
    """Those of `among` with these ids, in that order, or all if none is named. Raises ValueError on an unknown id."""
    claims = {claim.id: claim for claim in among}
    unknown = [name for name in only if name not in claims]
    if unknown:
        raise ValueError(f"there is no claim {', '.join(unknown)}; the claims are {', '.join(claims)}.")
    return tuple(claims[name] for name in only) if only else tuple(among)


def _claim(entry: Mapping[str, Any]) -> Claim:
    name = entry.get("id", "without an id")

    def wrong(what: str) -> ValueError:
        return ValueError(f"claim {name}: {what}")

    try:
        check_statement(entry, _CLAIM_FIELDS, STATEMENT_FIELDS | {"preset"})
    except ValueError as error:
        raise wrong(str(error)) from None
    if entry["quantity"] not in QUANTITIES:
        raise wrong(f"there is no quantity {entry['quantity']!r}; choose one of {', '.join(QUANTITIES)}.")
    if (entry.get("lam") is None) != QUANTITIES[entry["quantity"]].whole_path:
        raise wrong(
            f"{entry['quantity']} is measured "
            f"{'along the path: leave lam out' if 'lam' in entry else 'at a lam: give it'}."
        )
    against = entry.get("against")
    if against is not None and not isinstance(against, Mapping):
        raise wrong(f"against is {against!r}; write what differs, e.g. {{ lam = 0.0 }}.")
    if against is not None and set(against) - _SETTING_FIELDS:
        raise wrong(f"against has no field {', '.join(sorted(set(against) - _SETTING_FIELDS))}.")
    try:
        own = {key: entry[key] for key in _SETTING_FIELDS & set(entry)}
        # `against` names what differs; another preset starts from that preset, not from this claim's changes.
        other = None if against is None else against if "preset" in against else own | dict(against)
        settings = [None if w is None else _setting(w) for w in (own, other)]
    except (ValueError, TypeError) as error:
        raise wrong(str(error)) from None
    assert settings[0] is not None
    return Claim(
        **{key: entry[key] for key in ("id", "source", "statement", "note", "quantity", "holds_if")},
        threshold=float(entry["threshold"]),
        setting=settings[0],
        against=settings[1],
    )


def _setting(content: Mapping[str, Any]) -> ClaimSetting:
    scenario, known = content.get("scenario", {}), {f.name for f in fields(Scenario)}
    if not isinstance(scenario, Mapping) or not set(scenario) <= known:
        unknown = ", ".join(sorted(set(scenario) - known)) if isinstance(scenario, Mapping) else repr(scenario)
        raise ValueError(f"a scenario has no field {unknown}; its fields are {', '.join(sorted(known))}.")
    changes = tuple((key, tuple(v) if isinstance(v, list) else v) for key, v in sorted(scenario.items()))
    setting = ClaimSetting(preset=content["preset"], lam=content.get("lam"), envs=content.get("envs"), scenario=changes)
    _ = setting.trained_on  # an impossible world or λ is refused here, not in the middle of a study
    if setting.lam is not None:
        altered(preset(setting.preset), lams=(setting.lam,))
    return setting


# -- measuring ---------------------------------------------------------------------------------------------------------


def plan(
    claims: Sequence[Claim], seeds: int, *, epochs: int = 50, first_seed: int = FIRST_SEED
) -> dict[RunConfig, RunConfig]:
    """The fewest runs that serve all `claims`: one for each `trained_on`, with every λ and `seeds` replicates.

    Raises: ValueError if a run would be larger than allowed (too many seeds).
    """
    lams: dict[RunConfig, set[float]] = {}
    for claim in claims:
        for setting in (claim.setting, claim.against):
            if setting is not None:
                wanted = PATH if setting.lam is None else (setting.lam,)
                lams.setdefault(setting.trained_on, set()).update(wanted)
    return {
        base: altered(base, lams=tuple(values), replicates=seeds, epochs=epochs, seed=first_seed)
        for base, values in lams.items()
    }


def measure(
    claim: Claim,
    runs: Mapping[RunConfig, tuple[RunResult, Evidence]],
) -> Measured:
    """Values of a claim on the runs of `plan`, with median, interval and verdict."""

    def values_in(setting: ClaimSetting) -> np.ndarray:
        run, evidence = runs[setting.trained_on]
        at = None if setting.lam is None else run.lams.index(setting.lam)
        return QUANTITIES[claim.quantity].of(run, evidence, at)

    with np.errstate(invalid="ignore", divide="ignore"):  # of broken models
        values = np.asarray(values_in(claim.setting), dtype=np.float64)
        if claim.against is not None:
            values = values / values_in(claim.against)
    keys = [runs[claim.setting.trained_on][0].config.key]
    if claim.against is not None:
        keys.append(runs[claim.against.trained_on][0].config.key)
    return judged(claim, values, tuple(dict.fromkeys(keys)))


def judged(claim: Statement, values: np.ndarray, keys: tuple[str, ...] = ()) -> Measured:
    """The verdict of one value a seed; a value that is not defined (NaN) counts against the claim."""
    counted = np.where(np.isnan(values), np.inf if claim.holds_if == "below" else -np.inf, values)
    share = np.clip(counted, 0, 1)
    low, high = of_rate(share, claim.batches) if claim.batches else median_interval(counted)
    verdict = verdict_of(low, high, claim.holds_if, claim.bar)
    return Measured(
        claim=claim,
        values=tuple(float(value) for value in values),
        median=_median(counted),
        mean=float(share.mean()) if claim.batches else np.nan,
        interval=(low, high),
        verdict=verdict if len(values) >= FEWEST else "needs five seeds",
        keys=keys,
    )


def median_interval(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap interval of the median at `LEVEL`. Values may be infinite, never NaN.

    The lower and upper order statistics are taken as they are, without interpolation, so infinities stay what they are.
    """
    index = rng_for(seed, Stream.BASELINES).integers(len(values), size=(RESAMPLES, len(values)))
    medians = np.sort(
        np.median(values[index], axis=1) if np.isfinite(values).all() else [_median(row) for row in values[index]]
    )
    tail = int((1 - LEVEL) / 2 * RESAMPLES)
    return float(medians[tail]), float(medians[-1 - tail])


def _median(values: np.ndarray) -> float:
    ordered = np.sort(values)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return float(low if low == high or np.isinf(low) else (low + high) / 2)


def verdict_of(low: float, high: float, holds_if: str, threshold: float) -> Verdict:
    """The verdict of an interval [low, high]; touching the threshold is undecided."""
    if holds_if == "above":
        low, high, threshold = -high, -low, -threshold
    return "holds" if high < threshold else "does not hold" if low > threshold else "undecided"


def needs_evidence(claim: Claim) -> bool:
    return QUANTITIES[claim.quantity].needs_evidence
