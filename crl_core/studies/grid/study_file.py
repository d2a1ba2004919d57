"""study.toml: what runs a study is made of, and what is measured on them. `docs/studies.md` explains every entry.

title = "Two to three environments"
asks = "What does a third environment buy?"
penalties = ["mmd", "coral"]       # or "all"; each on its own usual λ grid unless own_grids = false
seeds = { first = 100, count = 5 } # or a list, or how many from 100 on
[base]
preset = "hospital"                # or config = "run.json", run = "KEY", table = "NAME" of a table that is kept here
set = { epochs = 20 }
[axes]                             # crossed with each other
n_samples = { from = 500, to = 8000, points = 5, scale = "log" }
sigma2 = [0.5, 1.0]
[[zipped]]                         # one axis, whose settings move together
n_envs = [2, 3]
epochs = [30, 20]
[measure]
metrics = ["ite_rmse", "domain_auc"]
rules = ["factual", "left_out"]
claims = ["latents-overlap"]
"""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from crl_core import metrics
from crl_core.config import FIRST_SEED, RunConfig
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.presets import DEFAULT_PRESET, PRESETS, preset
from crl_core.config.run import LIMITS, MAX_ENVS
from crl_core.config.settings import Setting, settings_of
from crl_core.config.sweep import combined, known
from crl_core.config.table import table_config
from crl_core.config.text import N_ENVS, PART_OF
from crl_core.data.user_files import read_text
from crl_core.measures.lam_choice import RULES
from crl_core.runs.kept_tables import KeptTables
from crl_core.runs.store import RunStore
from crl_core.studies.claims import Claim, load_claims
from crl_core.studies.claims_run import runs_of

MOST_POINTS = 20_000
MOST_SEEDS = int(LIMITS["replicates"][1])  # of a claim: they are the replicates of its runs
PRESET = "preset"  # the axis that changes the base itself
SHIPPED = Path(__file__).parents[1] / "shipped"
_TOP = {"title", "asks", "base", "axes", "zipped", "seeds", "penalties", "own_grids", "measure"}
_BASES = ("preset", "config", "run", "table")
_RANGE = {"from", "to", "points", "step", "scale"}
_METRICS = tuple(m.name for m in metrics.METRICS if {"result", "derived", "evidence"} & set(m.kept))
_DEFAULT = ("ite_rmse", "factual_mse", "mmd2")
Value = tuple[Any, ...]  # of the settings of an axis, in their order


@dataclass(frozen=True, slots=True, kw_only=True)
class GridAxis:
    """Settings whose values change together. names: as in the table's columns. settings: None stands for the base."""

    names: tuple[str, ...]
    settings: tuple[Setting | None, ...]
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A run of a study. at: what it has of each column of axes, as plain values."""

    key: str
    config: RunConfig
    at: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study as its file describes it, checked.

    text:       of the file; two files of the same meaning are one study, which `id` says.
    columns:    names of all axes, in the order of the file; `words` are what the screen calls them.
    impossible: combinations that no config allows, each with the reason.
    runs:       key -> each run once, and whether its evidence is needed; those of the claims last.
    """

    text: str
    name: str
    title: str
    asks: str
    columns: tuple[str, ...]
    words: tuple[str, ...]
    points: tuple[Point, ...]
    impossible: tuple[tuple[str, str], ...]
    metrics: tuple[str, ...]
    rules: tuple[str, ...]
    claims: tuple[Claim, ...]
    seeds: tuple[int, ...]
    runs: Mapping[str, tuple[RunConfig, bool]]

    @property
    def id(self) -> str:
        """The file's name, and eight digits of what it means."""
        content = [[point.key for point in self.points], self.metrics, self.rules, [c.id for c in self.claims]]
        return f"{self.name}-{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8]}"


def shipped() -> dict[str, Path]:
    """The studies that come with the program, by name; the one to begin with first."""
    return {
        path.stem: path for path in sorted(SHIPPED.glob("*.toml"), key=lambda path: (path.stem != "tiny", path.stem))
    }


def read_study(file: str | Path, store: RunStore) -> Study:
    """The study of a file, or of a name of `shipped`. Raises ValueError with one sentence."""
    path = shipped().get(str(file), Path(file))
    try:
        text = read_text(str(path))
    except OSError as error:
        raise ValueError(
            f"{file}: {error.strerror or error}; give a study.toml, or one of {', '.join(shipped())}."
        ) from None
    return study_of(text, store, path.stem, path.parent)


def study_of(text: str, store: RunStore, name: str = "study", folder: Path | None = None) -> Study:
    """The study that a text describes; runs and tables that it names are looked for in `store`.

    name:   of the file, without its ending.
    folder: where a config that it names lies; None: nowhere, since the text comes from somebody else's machine.
    Raises: ValueError with one sentence that names the entry.
    """
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"the study is not TOML ({error!s:.200}); see docs/studies.md for an example.") from None
    _known("the study", content, _TOP)
    words = {key: _word(content, key) for key in ("title", "asks")}
    base, change = _base(_table(content, "base"), store, folder)
    axes = [*_axes(content, base), *_seeds(content)]
    named = [name for axis in axes for name in axis.names]
    if twice := next((name for name in named if named.count(name) > 1), None):
        raise ValueError(f"{twice} is on two axes; leave it on one.")
    total = math.prod(len(axis.values) for axis in axes)
    if total > MOST_POINTS:
        raise ValueError(
            f"the axes make {total:,} runs, and a study has at most {MOST_POINTS:,}; take fewer values, or several "
            "studies."
        )
    own_grids = content.get("own_grids", True)
    if not isinstance(own_grids, bool):
        raise ValueError(f"own_grids is {own_grids!r}; it must be true or false.")
    points, impossible = _points(base, change, axes, own_grids)
    if not points:
        which, why = impossible[0]
        raise ValueError(f"no run of the study can be; {which or 'the base'}: {why}")
    found, rules, claims = _measured(_table(content, "measure"))
    seeds = _claim_seeds(axes)
    if claims and len(seeds) > MOST_SEEDS:
        raise ValueError(
            f"a claim is measured over at most {MOST_SEEDS} seeds, and there are {len(seeds)}; take fewer."
        )
    if claims and seeds != tuple(range(seeds[0], seeds[0] + len(seeds))):  # they are the replicates of its runs
        raise ValueError(
            f"a claim is measured over seeds that follow one another, and these are {', '.join(map(str, seeds))}; "
            f"take {seeds[0]} to {seeds[0] + len(seeds) - 1}, or leave out the claims."
        )
    return Study(
        text=text,
        name=_slug(name),
        title=words["title"] or name,
        asks=words["asks"],
        columns=tuple(named),
        words=tuple("world" if s is None else s.word for axis in axes for s in axis.settings),
        points=points,
        impossible=impossible,
        metrics=found,
        rules=rules,
        claims=claims,
        seeds=seeds,
        runs=_runs(points, claims, seeds, needs_evidence=_needs_evidence(found, rules)),
    )


def _needs_evidence(names: tuple[str, ...], rules: tuple[str, ...]) -> bool:
    """Whether a metric or a rule looks at what is computed after training."""
    return any("evidence" in metrics.METRIC[name].kept for name in names) or any(rule != "factual" for rule in rules)


def _runs(
    points: tuple[Point, ...], claims: tuple[Claim, ...], seeds: tuple[int, ...], *, needs_evidence: bool
) -> dict[str, tuple[RunConfig, bool]]:
    found = {point.key: (point.config, needs_evidence) for point in points}
    for config, evidence in runs_of(claims, len(seeds), first_seed=seeds[0]) if claims else ():
        before = found.get(config.key, (config, False))
        found[config.key] = config, evidence or before[1]
    return found


# -- the base ----------------------------------------------------------------------------------------------------------


def _base(
    entry: Mapping[str, Any], store: RunStore, folder: Path | None
) -> tuple[RunConfig, Callable[[RunConfig], RunConfig]]:
    """The config that all runs start from, and what is changed in every one of them."""
    _known("base", entry, {*_BASES, "set"})
    given = [name for name in _BASES if name in entry]
    if len(given) > 1:
        raise ValueError(f"base has {' and '.join(given)}; give one of {', '.join(_BASES)}.")
    kind = given[0] if given else PRESET
    value = _word(entry, kind) if given else DEFAULT_PRESET
    assigned = _table(entry, "set")

    def change(config: RunConfig) -> RunConfig:
        try:
            settings = [(_setting(name, config), _frozen(value)) for name, value in assigned.items()]
            return combined(config, [(s, _said(s, v)) for s, v in settings if s is not None])
        except ValueError as error:
            raise ValueError(f"base.set: {error}") from None

    if kind == PRESET:
        found = preset(value)
    elif kind == "config":
        if folder is None:
            raise ValueError("base.config names a file of another machine; write its settings into the study.")
        try:
            found = RunConfig.from_json(read_text(str(folder / value)))
        except (OSError, ValueError) as error:
            raise ValueError(f"base.config {value}: {error}") from None
    elif kind == "run":
        summary = store.summary(value) if len(value) == 16 and set(value) <= set("0123456789abcdef") else None
        if summary is None or summary.private:
            raise ValueError(f"base.run is {value[:40]}, and no such run is stored here; give the 16 digits of a key.")
        found = summary.config
    else:
        found = _of_kept(value, store)
    return change(found), change


def _of_kept(name: str, store: RunStore) -> RunConfig:
    tables = KeptTables(store)
    found = [kept.source for kept in tables.all() if name in (kept.source.label, kept.source.content[:12])]
    if len(found) != 1:
        there = ", ".join(kept.source.label for kept in tables.all()) or "none"
        many = "no table" if not found else f"{len(found)} tables"
        raise ValueError(
            f"base.table is {name[:40]}, and {many} of that name is kept here (kept: {there}); keep one on the page "
            "Your table."
        )
    rows, _ = found[0].all_rows()
    arms = np.stack([np.bincount(rows.t[rows.env == e], minlength=2) for e in range(found[0].n_envs)])
    return table_config(found[0], arms)


# -- the axes ----------------------------------------------------------------------------------------------------------


def _axes(content: Mapping[str, Any], base: RunConfig) -> list[GridAxis]:
    crossed = dict(_table(content, "axes"))
    if "penalties" in content:
        if "penalty" in crossed:
            raise ValueError("the penalty stands in penalties and in axes; leave it in one of them.")
        given = content["penalties"]
        crossed["penalty"] = list(PENALTY_WORDS) if given == "all" else given
    axes = [_axis({name: value}, base) for name, value in crossed.items()]
    groups = content.get("zipped", [])
    if not isinstance(groups, list) or not all(isinstance(group, dict) and group for group in groups):
        raise ValueError("zipped is a list of tables: write [[zipped]], and below it lists of the same length.")
    return [*axes, *(_axis(group, base) for group in groups)]


def _axis(entry: Mapping[str, Any], base: RunConfig) -> GridAxis:
    settings = [None if name == PRESET else _setting(name, base) for name in entry]
    lists = [_values(name, setting, value) for (name, value), setting in zip(entry.items(), settings, strict=True)]
    if len({len(values) for values in lists}) > 1:
        lengths = ", ".join(f"{name} {len(values)}" for name, values in zip(entry, lists, strict=True))
        raise ValueError(f"what is zipped needs lists of the same length ({lengths}).")
    rows = tuple(dict.fromkeys(zip(*lists, strict=True)))
    names = tuple(PRESET if setting is None else setting.name for setting in settings)
    return GridAxis(names=names, settings=tuple(settings), values=rows)


def _seeds(content: Mapping[str, Any]) -> list[GridAxis]:
    if "seeds" not in content:
        return []
    given = content["seeds"]
    if isinstance(given, dict):
        _known("seeds", given, {"first", "count"})
        first, count = given.get("first", FIRST_SEED), given.get("count", 1)
    else:
        first, count = FIRST_SEED, given
    if isinstance(given, list):
        seeds = given
    elif type(first) is int and type(count) is int and 1 <= count <= MOST_POINTS:
        seeds = list(range(first, first + count))
    else:
        raise ValueError(
            f"seeds is {given!r:.60}; it must be a number of seeds, a list of them, or {{ first = 100, count = 5 }}."
        )
    if not seeds or not all(type(seed) is int for seed in seeds):
        raise ValueError(f"seeds is {given!r:.60}; every seed is a whole number.")
    return [GridAxis(names=("seed",), settings=(Setting("seed"),), values=tuple((seed,) for seed in seeds))]


def _claim_seeds(axes: list[GridAxis]) -> tuple[int, ...]:
    own = next((axis for axis in axes if axis.names == ("seed",)), None)
    return (FIRST_SEED,) if own is None else tuple(sorted(value for (value,) in own.values))


def _setting(name: str, base: RunConfig) -> Setting:
    """The setting of a name as `Setting.name` has it, or as the screen has it."""
    if name == PRESET:
        raise ValueError("the preset is set by base.preset, or by an axis of its own.")
    there = [*(Setting(field) for field in (N_ENVS, *PART_OF)), *_of_envs(base)]
    found = {s.word.casefold(): s for s in there} | {
        s.name.casefold(): s for s in there
    }  # a word may be another's name
    if name.casefold() in found:
        return found[name.casefold()]
    raise ValueError(
        f"there is no setting {name[:40]}; settings are {PRESET}, {N_ENVS}, {', '.join(sorted(PART_OF))}, and with the "
        "number of an environment e.g. sigma2."
    )


def _of_envs(base: RunConfig) -> list[Setting]:
    """Settings of single environments, of as many as a config may have."""
    own = {s.field for s in settings_of(base) if s.env is not None}
    return [Setting(field, env) for field in PART_OF if field in own for env in range(MAX_ENVS)]


def _values(name: str, setting: Setting | None, given: Any) -> list[Any]:
    """The values of an axis, each once."""
    if isinstance(given, dict):
        return _range(name, given, whole=setting is not None and setting.numeric and _is_whole(setting))
    if not isinstance(given, list) or not given:
        raise ValueError(f"{name} is {given!r:.60}; it must be a list of values, or a range such as {_EXAMPLE}.")
    values = [_frozen(value) for value in given]
    if setting is None:
        if unknown := [value for value in values if value not in PRESETS]:
            raise ValueError(f"there is no preset {unknown[0]!r:.40}; presets are {', '.join(PRESETS)}.")
        return values
    return [_said(setting, value) for value in values]


_EXAMPLE = '{ from = 500, to = 8000, points = 5, scale = "log" }'


def _range(name: str, given: Mapping[str, Any], *, whole: bool) -> list[Any]:
    _known(name, given, _RANGE)
    ends: tuple[Any, Any] = given.get("from"), given.get("to")
    (low, high), scale = ends, given.get("scale", "linear")
    problem = None
    if not all(type(end) in (int, float) and math.isfinite(end) for end in ends):
        problem = "from and to are its ends"
    elif ("points" in given) == ("step" in given):
        problem = "say how many points it has, or its step"
    elif scale not in ("linear", "log") or (scale == "log" and (low <= 0 or high <= 0 or "step" in given)):
        problem = "scale is linear or log; a log range has points, and ends above 0"
    elif "points" in given and not (type(given["points"]) is int and 2 <= given["points"] <= 1000):
        problem = "it has 2 to 1000 points"
    elif "step" in given and not (
        type(given["step"]) in (int, float) and given["step"] and 1 <= (high - low) / given["step"] <= 1000
    ):
        problem = "its step leads from one end to the other in at most 1000"
    if problem:
        raise ValueError(f"{name} is no range: {problem}, e.g. {_EXAMPLE}.")
    if "step" in given:
        values = [low + k * given["step"] for k in range(int((high - low) / given["step"] + 1e-9) + 1)]
    else:
        space = np.geomspace if scale == "log" else np.linspace
        values = [float(f"{value:.12g}") for value in space(float(low), float(high), given["points"])]
    return list(dict.fromkeys(round(value) if whole else float(value) for value in values))


def _is_whole(setting: Setting) -> bool:
    return setting.field == N_ENVS or isinstance(LIMITS[setting.field][0], int)


def _said(setting: Setting, value: Any) -> Any:
    """A value as the config has it: a penalty by either of its names, yes for true."""
    if isinstance(value, str) and not setting.numeric:
        return known(setting).get(value.casefold(), value)
    return value


# -- the points --------------------------------------------------------------------------------------------------------


def _points(
    base: RunConfig, change: Callable[[RunConfig], RunConfig], axes: list[GridAxis], own_grids: bool
) -> tuple[tuple[Point, ...], tuple[tuple[str, str], ...]]:
    """Every combination that can be, the last axis changing fastest, each run once; and those that cannot be."""
    found: dict[str, Point] = {}
    impossible: list[tuple[str, str]] = []
    worlds: dict[str, RunConfig] = {}
    kept: dict[Any, Any] = {}
    for values in product(*(axis.values for axis in axes)):
        at = [
            (name, setting, value)
            for axis, of in zip(axes, values, strict=True)
            for name, setting, value in zip(axis.names, axis.settings, of, strict=True)
        ]
        try:
            config = base
            for name, _, value in at:
                if name == PRESET:
                    if value not in worlds:
                        worlds[value] = change(preset(value))
                    config = worlds[value]
            settings = [(setting, value) for _, setting, value in at if setting is not None]
            config = combined(config, settings, own_grids=own_grids, kept=kept)
        except ValueError as error:
            impossible.append((", ".join(f"{name} {_plain(value)}" for name, _, value in at), str(error)))
            continue
        key = config.key
        found.setdefault(key, Point(key=key, config=config, at=tuple(_plain(value) for _, _, value in at)))
    return tuple(found.values()), tuple(impossible)


def _plain(value: Any) -> Any:
    """A value for a table's cell: several in one are words."""
    return (
        " ".join(f"{part:g}" if isinstance(part, float) else str(part) for part in value)
        if isinstance(value, tuple)
        else value
    )


# -- what is measured --------------------------------------------------------------------------------------------------


def _measured(entry: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[Claim, ...]]:
    _known("measure", entry, {"metrics", "rules", "claims"})
    names = _some("measure.metrics", entry.get("metrics", list(_DEFAULT)), _METRICS)
    if not names:
        raise ValueError(f"measure.metrics is empty; name some of {', '.join(_METRICS)}, or leave it out.")
    rules = _some("measure.rules", entry.get("rules", []), RULES)
    ids = {claim.id: claim for claim in load_claims()}
    claims = _some("measure.claims", entry.get("claims", []), tuple(ids))
    return names, rules, tuple(ids[name] for name in claims)


def _some(what: str, given: Any, among: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(given, list) or (unknown := [item for item in given if item not in among]):
        which = given if not isinstance(given, list) else unknown[0]
        raise ValueError(f"{what} has {which!r:.40}; it is a list of {', '.join(among)}.")
    return tuple(dict.fromkeys(given))


# -- TOML --------------------------------------------------------------------------------------------------------------


def _known(what: str, content: Mapping[str, Any], names: set[str]) -> None:
    if unknown := sorted(set(content) - names):
        raise ValueError(f"{what} has no {unknown[0][:40]}; it has {', '.join(sorted(names))}.")


def _table(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = content.get(name, {})
    if not isinstance(found, dict):
        raise ValueError(f"{name} is {found!r:.40}; it must be a table, [{name}].")
    return found


def _word(content: Mapping[str, Any], name: str) -> str:
    found = content.get(name, "")
    if not isinstance(found, str) or len(found) > 500:
        raise ValueError(f"{name} is {found!r:.40}; it must be a text of at most 500 letters.")
    return found


def _frozen(value: Any) -> Any:
    """A value as a config has it. Raises ValueError for what no setting can be."""
    if not isinstance(value, (bool, int, float, str, list)):
        raise ValueError(f"{value!r:.40} is no value; a value is a number, a word, true or false, or a list of them.")
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _slug(name: str) -> str:
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name.lower()).strip("-")
    return kept[:40] or "study"
