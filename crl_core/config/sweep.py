"""A sweep: one run for every combination of the values of some settings, all else as in a base run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from crl_core.config.numbers import NotANumber, number, tidy
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.run import LIMITS, MAX_ENVS, PARTS, RunConfig
from crl_core.config.settings import Setting, settings_of
from crl_core.config.text import N_ENVS, PART_OF, altered

_NO_AXES = frozenset({"lams", "latents", "rows"})  # values with commas of their own; another table is another base


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A setting, and the values that it takes in turn."""

    setting: Setting
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A run of a sweep. name: what it has of each axis, "σ₂ 0.5, CORAL"."""

    config: RunConfig
    name: str


def axes_of(config: RunConfig) -> list[Setting]:
    """The settings of a run that can be swept, in the order of the config."""
    return [setting for setting in settings_of(config) if setting.field not in _NO_AXES]


def read_axis(setting: Setting, text: str) -> Axis:
    """The values that a person wrote for a setting, with commas between them, each once.

    Raises: ValueError with one sentence where there is none, or where one is nothing that the setting can be.
    """
    words = [word for word in tidy(text).replace(";", ",").split(",") if word.strip()]
    if not words:
        raise ValueError(f"{setting.word} has no value; write some with commas between them, e.g. {_example(setting)}.")
    return Axis(setting=setting, values=tuple(dict.fromkeys(_value(setting, word.strip()) for word in words)))


def expand(base: RunConfig, axes: Sequence[Axis], *, own_grids: bool = False) -> list[Member]:
    """Every combination of the axes' values, the last axis changing fastest; a run that comes twice stands once.

    own_grids: whether a penalty other than the base's is given its own usual λ grid; a λ of one is not a λ of another.
    Raises:    ValueError with one sentence where an axis comes twice, or naming the combination that cannot be.
    """
    settings = [axis.setting for axis in axes]
    if twice := next((setting for setting in settings if settings.count(setting) > 1), None):
        raise ValueError(f"{twice.word} stands twice; choose another second setting, or none.")
    found: dict[str, Member] = {}
    for values in product(*(axis.values for axis in axes)):
        name = ", ".join(setting.told(value) for setting, value in zip(settings, values, strict=True))
        try:
            config = combined(base, list(zip(settings, values, strict=True)), own_grids=own_grids)
        except ValueError as error:
            raise ValueError(f"{name} cannot be: {error}") from None
        found.setdefault(config.key, Member(config=config, name=name))
    return list(found.values())


def combined(
    config: RunConfig,
    values: Sequence[tuple[Setting, Any]],
    *,
    own_grids: bool = False,
    kept: dict[Any, Any] | None = None,
) -> RunConfig:
    """The run with other values of some settings; the number of environments comes first, the others at once.

    own_grids: as for `expand`.
    kept:      parts of configs made before, for who makes thousands of them.
    Raises:    ValueError with one sentence where that is not allowed.
    """
    changes: dict[str, Any] = {}
    for setting, value in values:
        if setting.field == N_ENVS:
            config = altered(config, n_envs=value)
        elif setting.field == "penalty" and own_grids and value != config.training.penalty and value in PENALTY_WORDS:
            changes["lams"] = PENALTY_WORDS[value].lams
    for setting, value in values:
        if setting.env is not None:
            if config.scenario is None:
                raise ValueError(f"the rows of a table have no {setting.word}; leave it out.")
            whole = changes.get(setting.field, getattr(config.scenario, setting.field))
            if setting.env >= len(whole):
                raise ValueError(
                    f"there are {len(whole)} environments, and {setting.word} is of environment {setting.env + 1}; "
                    "leave it out, or take more environments."
                )
            value = (*whole[: setting.env], value, *whole[setting.env + 1 :])
        if setting.field != N_ENVS:
            changes[setting.field] = value
    if kept is None:
        return altered(config, **changes)
    parts: dict[str, Any] = {}
    for part in PARTS:
        own = {name: value for name, value in changes.items() if PART_OF[name] == part}
        if own and getattr(config, part) is None:
            return altered(config, **changes)  # which says why not
        if own:
            asked = getattr(config, part), *own.items()
            parts[part] = kept.get(asked) or kept.setdefault(asked, altered(getattr(config, part), **own))
    return altered(config, **parts)


def _value(setting: Setting, word: str) -> Any:
    words = known(setting)
    if word.casefold() in words:
        return words[word.casefold()]
    if setting.numeric:
        field = setting.field if setting.field in LIMITS else None
        try:
            value = number(word, field, whole=field is None)
        except NotANumber:
            pass
        else:
            low, high = LIMITS[setting.field] if field else (1, MAX_ENVS)
            whole = isinstance(low, int)
            if not low <= value <= high or (whole and not isinstance(value, int)):
                raise ValueError(
                    f"{setting.word} is {word[:40]}; it must be {'a whole number' if whole else 'a number'} from "
                    f"{low:g} to {high:g}{_or(setting)}."
                )
            return value if whole else float(value)
        raise ValueError(f"{setting.word} is {word[:40]}; it must be a number{_or(setting)}, e.g. {_example(setting)}.")
    raise ValueError(f"{setting.word} is {word[:40]}; it must be one of {', '.join(_words(setting))}.")


def _or(setting: Setting) -> str:
    return f" or {' or '.join(setting.options)}" if setting.options else ""


def _words(setting: Setting) -> tuple[str, ...]:
    return setting.options or ("yes", "no")


def known(setting: Setting) -> dict[str, Any]:
    """What a person may write for each word, folded: the word itself, and what a penalty is called in a figure."""
    if not setting.numeric and not setting.options:
        return {"yes": True, "no": False}
    found: dict[str, Any] = {option.casefold(): option for option in setting.options}
    if setting.field == "penalty":
        found = {words.short.casefold(): name for name, words in PENALTY_WORDS.items()} | found
    return found


def _example(setting: Setting) -> str:
    if setting.options and not setting.numeric:
        return ", ".join(setting.options[:2])
    if not setting.numeric:
        return "yes, no"
    low, high = LIMITS.get(setting.field, (1, MAX_ENVS))
    return f"{max(low, 1):g}, {min(high, 2):g}" if high >= 2 else f"{low:g}, {high:g}"
