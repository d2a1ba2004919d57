"""One setting of a run by itself, σ₂ rather than σ: a column of a list, a term of a search, an axis of a sweep.

Lacking: a run that has no such setting (a third environment, an equation beside a table) has None there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.presets import PRESETS
from crl_core.config.run import ABOUT, LIMITS, RunConfig
from crl_core.config.text import N_ENVS, PART_OF, ROWS, TRAINING, imagined, nearest, said, value_of, word_of

UNCHANGED = "base"  # a run that nothing sets apart from most of the others
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_TOLD = 3  # of a title; more would fill the line
_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_NO_SETTINGS = frozenset({"device"})  # it changes no number


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of a config, or its value in one environment; `config.text.N_ENVS` and `ROWS` are settings too.

    env: the environment, from 0, of a field that has a value in each; None of any other.
    """

    field: str
    env: int | None = None

    @property
    def word(self) -> str:
        """What it is called on screen: seed, σ₂, offset of s (2)."""
        word = word_of(self.field)
        if self.env is None:
            return word
        number = str(self.env + 1)
        return f"{word}{number.translate(_SUBSCRIPT)}" if len(word) == 1 else f"{word} ({number})"

    @property
    def name(self) -> str:
        """What a keyboard writes for it: seed, sigma2, offset2."""
        return self.field if self.env is None else f"{self.field}{self.env + 1}"

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers, so that they have an order."""
        return self.field == N_ENVS or self.field in LIMITS

    @property
    def options(self) -> tuple[str, ...]:
        """The words that it may have; none of a number."""
        return ABOUT[self.field].options if self.field in ABOUT else ()

    def of(self, config: RunConfig) -> Any:
        """Its value in a run; None where the run has no such setting."""
        if self.field in (N_ENVS, ROWS):
            return value_of(config, self.field)
        part = config.training if self.field in TRAINING else config.scenario
        value = getattr(part, self.field, None)
        if self.env is None or value is None:
            return value
        return value[self.env] if self.env < len(value) else None

    def told(self, value: Any) -> str:
        """A value with the words that make it the name of a run: seed 7, σ₂ 0.5, CORAL, 3 environments."""
        if self.field == "penalty" and value in PENALTY_WORDS:
            return PENALTY_WORDS[value].short
        if self.field == N_ENVS:
            return f"{value} {self.word}".removesuffix("s" if value == 1 else "")
        return said(self.field, value) if self.field == ROWS else f"{self.word} {said(self.field, value)}"


_ORDER = (ROWS, N_ENVS, *PART_OF)


def settings_of(config: RunConfig) -> list[Setting]:
    """All settings that a run has, in the order of the config; the number of environments first."""
    found = [Setting(ROWS)] if config.table is not None else []
    found.append(Setting(N_ENVS))
    for name in _ORDER[2:]:
        if name in _NO_SETTINGS or (config.table is not None and name not in TRAINING):
            continue
        envs = range(config.scenario.n_envs) if ABOUT[name].per_env else (None,)
        found += [Setting(name, env) for env in envs]
    return found


def all_settings(configs: Sequence[RunConfig]) -> list[Setting]:
    """Every setting that one of the runs has, in the order of the config."""
    found = {setting for config in configs for setting in settings_of(config)}
    return sorted(found, key=lambda setting: (_ORDER.index(setting.field), setting.env or 0))


def varying(configs: Sequence[RunConfig]) -> list[Setting]:
    """The settings whose values differ among the runs that have them, in the order of the config.

    What only some of the runs have is none by itself: the number of environments says so already.
    """
    return [
        setting
        for setting in all_settings(configs)
        if len({value for config in configs if (value := setting.of(config)) is not None}) > 1
    ]


@lru_cache(maxsize=8192)
def changed(config: RunConfig) -> tuple[Setting, ...]:
    """What a run has otherwise than its nearest preset, which is first given as many environments."""
    preset_id, found = nearest(config)
    if config.table is not None:
        return tuple(Setting(change.name) for change in found)
    home = PRESETS[preset_id].config
    grown = imagined(home, n_envs=config.scenario.n_envs) or home
    own = [setting for setting in settings_of(config) if setting.of(config) != setting.of(grown)]
    n_envs = [] if config.scenario.n_envs == home.scenario.n_envs else [Setting(N_ENVS)]
    return (*n_envs, *(setting for setting in own if setting.field != N_ENVS))


def world_of(config: RunConfig) -> str:
    """The title of the world that a run is nearest to: a preset's, or its table's name."""
    preset_id = nearest(config)[0]
    return PRESETS[preset_id].title if preset_id in PRESETS else preset_id


def title_of(config: RunConfig) -> str:
    """What stands above every page of a run: its preset's title while the world is as it comes, else what is other in
    it ("Your world: three hospitals, σ₂ 0.5"); of a table its name.

    How the run is trained, and on how many units, changes no world.
    """
    if config.scenario is None:
        return f"Table “{config.source.label}”"
    preset = PRESETS[nearest(config)[0]]
    own = [s for s in changed(config) if s.field not in TRAINING and s.field != "n_samples"]
    if not own:
        return preset.title
    n_envs = config.scenario.n_envs
    told = [f"{_NUMBERS[n_envs]} {preset.env_word}{'' if n_envs == 1 else 's'}"]
    told += [setting.told(setting.of(config)) for setting in own if setting.field != N_ENVS]
    more = f" and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
    return f"Your world: {', '.join(told[:_TOLD])}{more}"


def moves(before: RunConfig, after: RunConfig) -> list[str]:
    """Which settings differ between two runs, each from what to what: "σ₂ 1 → 0.5"; the number of environments first.

    What only one of them has is left out: the number of environments says so already.
    """
    found = []
    for setting in all_settings([before, after]):
        old, new = setting.of(before), setting.of(after)
        if old != new and old is not None and new is not None:
            found.append(f"{setting.word} {said(setting.field, old)} → {said(setting.field, new)}")
    return found


def name_of(config: RunConfig) -> str:
    """A run by what was changed in it ("σ₂ 0.5, CORAL"); the title of its world where nothing was."""
    return ", ".join(setting.told(setting.of(config)) for setting in changed(config)) or world_of(config)


def names_among(configs: Sequence[RunConfig], *, worlds: bool = True) -> list[str]:
    """Each run by what sets it apart from most of the others: "CORAL", "seed 7", `UNCHANGED` where nothing does.

    Most:   the value that the most runs have, of equals that of the first run.
    Worlds: where they differ, a run is told from those of its own world, after the world's title; a preset as it comes
            is its title alone.
    worlds: whether the title stands before what was changed in it; without it two worlds may have runs of one name.
    """
    if len(configs) == 1:  # beside no other, a run is what it is
        return [name_of(configs[0]) if configs[0].table is None else world_of(configs[0])]
    differ, of_world = varying(configs), [world_of(config) for config in configs]
    if len(set(of_world)) == 1:
        return [", ".join(words) or UNCHANGED for words in _apart(configs, differ)]
    names = dict(enumerate(of_world))
    for world in dict.fromkeys(of_world):
        own = [at for at, config in enumerate(configs) if of_world[at] == world and changed(config)]
        for at, apart in zip(own, _apart([configs[at] for at in own], differ), strict=True):
            if worlds:
                names[at] = ", ".join([world, *(apart or _told(configs[at], changed(configs[at]), differ))])
            else:
                names[at] = ", ".join(apart) or UNCHANGED
    return list(names.values())


def _apart(configs: Sequence[RunConfig], among: Sequence[Setting]) -> list[list[str]]:
    """What each run has of some settings that most of the runs do not have."""
    usual = {setting: _most([setting.of(config) for config in configs]) for setting in among}
    own = [[s for s in among if s.of(config) not in (None, usual[s])] for config in configs]
    return [_told(config, settings, among) for config, settings in zip(configs, own, strict=True)]


def _told(config: RunConfig, own: Sequence[Setting], among: Sequence[Setting]) -> list[str]:
    return [setting.told(setting.of(config)) for setting in own if setting in among]


def _most(values: Sequence[Any]) -> Any:
    return next((value for value, _ in Counter(v for v in values if v is not None).most_common(1)), None)
