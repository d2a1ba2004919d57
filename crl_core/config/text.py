"""A config in words: `part.field=value` read and written, its nearest preset, what differs from it, and the command
that trains it.

Exact:   what is written to be read again (`written`, `command`) gives the same config, bit for bit.
Device:  it changes no number, so no list of differences names it; `command` does.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from math import log10
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from crl_core.config.numbers import NotANumber, number, numbers, plain_value, tidy
from crl_core.config.presets import PRESETS
from crl_core.config.run import ABOUT, LIMITS, PARTS, RunConfig, Scenario, Training

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Part = Literal["scenario", "training"]
Kind = TypeVar("Kind", bound="DataclassInstance")
PART_OF: Mapping[str, Part] = {item.name: part for part, kind in PARTS.items() for item in fields(kind)}
_LISTS = frozenset(item.name for kind in PARTS.values() for item in fields(kind) if isinstance(item.default, tuple))
OF_TRAINING = tuple(name for name, part in PART_OF.items() if part == "training")
TRAINING = frozenset(OF_TRAINING)
FLAGS = {"lams": "--lam", "epochs": "--epochs", "seed": "--seed", "replicates": "--replicates", "device": "--device"}
N_ENVS = "n_envs"  # no field, but the one word for what a change of every per-environment field comes to
ROWS = "rows"  # no field either: the table that rows come from
_LONG_GRID = 6  # λ; a longer grid is said by its ends

# -- values ------------------------------------------------------------------------------------------------------------


def written(value: Any) -> str:
    """The shortest text that `read` turns into the same value: 0.1, −2 as -2, 2,-2, yes, median."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, list)):
        return ",".join(map(written, value))
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def read(assignment: str) -> tuple[Part, str, Any]:
    """Part, field and value of "part.field=value", e.g. "scenario.offset=-2,2"; the config itself judges the value.

    Raises: ValueError if it is not of that form or there is no such field.
    """
    path, equals, text = assignment.partition("=")
    text = tidy(text)
    part, dot, name = path.strip().partition(".")
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not (equals and dot and name and words and part in PARTS):
        raise ValueError(
            f"{assignment[:40]}: write scenario.FIELD=VALUE or training.FIELD=VALUE, e.g. scenario.offset=-2,2."
        )
    if PART_OF.get(name) != part:
        known = sorted(field for field, where in PART_OF.items() if where == part)
        raise ValueError(f"{part} has no field {name[:40]}; its fields are {', '.join(known)}.")
    if name in LIMITS:
        try:
            if "," in text and name in _LISTS:
                return PART_OF[name], name, numbers(text, name)
            value = number(text, name)
        except NotANumber:
            pass  # the config says what is allowed
        else:
            if "," not in text:
                return PART_OF[name], name, value
            raise ValueError(
                f"{name} is [{', '.join(words)}]; {name} must be a number, and “{text.strip()[:40]}” can be read as "
                f"{written(value)} or as {' and '.join(words)}; write {written(value)}."
            )
    return PART_OF[name], name, list(map(plain_value, words)) if "," in text else plain_value(words[0])


def said(name: str, value: Any, *, whole: bool = False) -> str:
    """A field's value as the screen has it; a long λ grid by its ends unless `whole`."""
    if isinstance(value, tuple) and name == "lams" and len(value) > _LONG_GRID and not whole:
        return f"{len(value)} λ, {written(value[0])} to {written(value[-1])}"
    if isinstance(value, tuple) and len(value) > 1 and len(set(value)) == 1:
        value, each = value[0], " in each"
    else:
        each = ""
    return (", ".join(map(written, value)) if isinstance(value, tuple) else written(value)).replace("-", "−") + each


def word_of(name: str) -> str:
    """What a field is called on screen."""
    return {N_ENVS: "environments", ROWS: "rows"}.get(name) or ABOUT[name].word


def value_of(config: RunConfig, name: str) -> Any:
    if name == ROWS:
        return preset_of(config, free=TRAINING) or config.source.label
    return config.source.n_envs if name == N_ENVS else getattr(getattr(config, PART_OF[name]), name)


# -- what differs ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """A field with the value that it has here and not there; `str` is what the screen says of it."""

    name: str
    value: Any

    def __str__(self) -> str:
        return f"{word_of(self.name)} {said(self.name, self.value)}"

    @property
    def word(self) -> str:
        return word_of(self.name)

    @property
    def assignment(self) -> str:
        """As the command line and the sidebar read it; of a field, not of the number of environments."""
        return f"{PART_OF[self.name]}.{self.name}={written(self.value)}"


def differing(configs: Sequence[RunConfig]) -> list[str]:
    """Names of the fields that are not the same in all configs, the number of environments first.

    Beside a table the fields of a scenario are not named one by one: the rows are other ones (`ROWS`).
    A value that is one for all environments is the same however many there are.
    """
    content = [{name: _one_for_all(value) for name, value in _flat(config).items()} for config in configs]
    names = PART_OF if all(config.table is None for config in configs) else OF_TRAINING
    return [name for name in (ROWS, N_ENVS, *names) if any(item.get(name) != content[0].get(name) for item in content)]


def _one_for_all(value: Any) -> Any:
    return value[0] if isinstance(value, list | tuple) and len(value) and len(set(map(str, value))) == 1 else value


def _flat(config: RunConfig) -> dict[str, Any]:
    """What the key is made of; a young field that says nothing is absent whatever the number of environments."""
    content = config.what_counts()
    rows = {ROWS: content.get("table"), N_ENVS: config.source.n_envs}
    return rows | content.get("scenario", {}) | content["training"]  # type: ignore[no-any-return]


def changes(home: RunConfig, config: RunConfig) -> tuple[Change, ...]:
    """What leads from `home` to `config`, both of a scenario: first another number of environments, as
    `Scenario.with_envs` has it, then the fields that still differ."""
    n_envs = config.scenario.n_envs
    grown = imagined(home, n_envs=n_envs) or home
    names = [N_ENVS] if n_envs != home.scenario.n_envs else []
    return tuple(Change(name, value_of(config, name)) for name in dict.fromkeys((*names, *differing([grown, config]))))


@lru_cache(maxsize=8192)
def nearest(config: RunConfig) -> tuple[str, tuple[Change, ...]]:
    """The preset from which the fewest changes lead to `config`, and these; the first preset among equals.

    A table has none: its name stands in the preset's place, beside what differs from the defaults of training.
    """
    if config.table is not None:
        of_training = {item.name: (getattr(config.training, item.name), item.default) for item in fields(Training)}
        changed = [name for name, (value, default) in of_training.items() if value != default and name != "device"]
        return f"table “{config.table.label}”", tuple(Change(name, value_of(config, name)) for name in changed)
    found = [(name, changes(preset.config, config)) for name, preset in PRESETS.items()]
    return min(found, key=lambda item: len(item[1]))


def preset_of(
    config: RunConfig, free: Collection[str] = TRAINING - {"align"} | {"n_samples", "sigma", "noise"}
) -> str | None:
    """The preset whose world this is: `config` differs from it in `free` fields only, and in the fewest of them; None
    for a world of its own."""
    asked = config.key, frozenset(free)  # a page asks for the same at every view
    if asked not in _PRESET_OF:
        apart = {name: set(differing([preset.config, config])) for name, preset in PRESETS.items()}
        fitting = (name for name in apart if apart[name] <= asked[1])
        if len(_PRESET_OF) >= _MOST_KEPT:
            _PRESET_OF.clear()
        _PRESET_OF[asked] = min(fitting, key=lambda name: len(apart[name]), default=None)
    return _PRESET_OF[asked]


_PRESET_OF: dict[tuple[str, frozenset[str]], str | None] = {}
_MOST_KEPT = 4096


# -- other ones --------------------------------------------------------------------------------------------------------


def altered(of: Kind, **values: Any) -> Kind:
    """A config, or a part of one, with other values, as somebody asked for them. Whoever has not been asked takes
    `imagined`.

    values: of a config, fields of either part, a whole part by its name, or the table whose rows take the
            place of the scenario's. `n_envs` is understood too, as `Scenario.with_envs` has it; it comes first.
    Raises: ValueError with one sentence where that is not allowed.
    """
    if isinstance(of, RunConfig):
        parts: dict[str, Any] = {name: values.pop(name) for name in PARTS if name in values}
        if "table" in values:
            parts |= {"table": values.pop("table"), "scenario": None}
        table = parts.get("table", of.table)
        for part in PARTS:
            own = {name: value for name, value in values.items() if PART_OF.get(name, "scenario") == part}
            if own and part == "scenario" and table is not None:
                raise ValueError(
                    f"the rows of the table “{table.label}” have no {word_of(next(iter(own)))} to shift; only a "
                    "scenario has one."
                )
            if own:
                parts[part] = altered(parts.get(part, getattr(of, part)), **own)
        return replace(of, **parts)
    if isinstance(of, Scenario) and N_ENVS in values:
        values = of.grown(values.pop(N_ENVS)) | values
    return replace(of, **values)


def imagined(of: Kind, **values: Any) -> Kind | None:
    """What nobody has asked for: a neighbour, one environment more, a smaller run; None where it is not allowed.

    The only way to such a config, so that no page falls over a world that is not there. values: as for `altered`.
    """
    try:
        return altered(of, **values)
    except ValueError:
        return None


def refusal(of: DataclassInstance, **values: Any) -> str:
    """Why `imagined` answers None, in a sentence; empty where it does not."""
    try:
        altered(of, **values)
    except ValueError as error:
        return str(error)
    return ""


# -- how to get it -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def reproducing_command(config: RunConfig) -> str:
    """The command line that trains exactly this config: the nearest preset and what differs from it.

    No command line holds a table: then it is a comment that says so, which a shell passes over.
    """
    preset_id, changed = nearest(config)
    if config.table is not None:
        return f"# there is no command without the file of the {preset_id}"
    words = ["python", "-m", "crl_core", "train", "--preset", preset_id]
    for change in changed:
        if change.name == N_ENVS:
            words += ["--envs", str(change.value)]
        elif change.name in FLAGS:
            words += [FLAGS[change.name], *written(change.value).split(",")]
        else:
            words += ["--set", change.assignment]
    if config.training.device != PRESETS[preset_id].config.training.device:
        words += [FLAGS["device"], config.training.device]
    return shlex.join(words)


def nearest_lam(lams: Sequence[float], lam: float) -> float:
    """The grid's value nearest to `lam` on the slider's scale, where 0 sits a decade below the smallest positive
    one."""
    floor = max(min((value for value in lams if value > 0), default=1.0) / 10, 5e-324)  # the least float above 0
    return min(lams, key=lambda value: abs(log10(max(value, floor)) - log10(max(lam, floor))))


def seed_words(seeds: int, first: int) -> str:
    """So many seeds from `first` on, in words."""
    return f"seed {first}" if seeds == 1 else f"seeds {first} to {first + seeds - 1}"
