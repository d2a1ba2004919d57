"""A search of the library in one line: words, conditions on settings and figures, and tags.

    hospital seed=7 σ₂>1 penalty=coral tag:paper ite<0.1

Names:  a setting's word or its name on the command line, σ₂ or sigma2; a field that has a value in each environment
        holds where one of them does. Spaces in a word are left out: outcomenoise>0.1.
Quotes: "a=b" is a word with all that is between them.
"""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from crl_core.config.numbers import NotANumber, number
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.presets import PRESETS
from crl_core.config.run import ABOUT, MAX_ENVS
from crl_core.config.settings import Setting, settings_of
from crl_core.config.text import N_ENVS, nearest
from crl_core.data.user_files import folded
from crl_core.runs.records import RunSummary

_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ALSO = {"≠": "!=", "≤": "<=", "≥": ">=", "==": "=", "=>": ">=", "=<": "<="}
_SIGN = r"!=|<=|>=|==|=>|=<|[=<>≠≤≥]"
_CONDITION = re.compile(rf"([^=<>!≠≤≥]*)({_SIGN})(.*)")
_TOKEN = re.compile(r'"([^"]*)"?|((?:[^\s"]|"[^"]*"?)+)')
_EXAMPLE = "seed=7, σ₂>1, penalty=coral, ite<0.1 or tag:paper"


def _least_error(run: RunSummary) -> float | None:
    return best[1] if (best := run.best()) else None


def _its_lam(run: RunSummary) -> float | None:
    return best[0] if (best := run.best()) else None


# What a run found, by the names that a search may use.
FIGURES: Mapping[str, Callable[[RunSummary], float | None]] = {
    "ite": _least_error,
    "error": _least_error,
    "lambda": _its_lam,
    "lam": _its_lam,
    "ite0": RunSummary.at_zero,
    "seconds": lambda run: run.seconds,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A setting or figure `name`, compared by `sign` with a number or a word."""

    name: str
    sign: str
    value: int | float | str

    def holds(self, run: RunSummary) -> bool:
        """Whether it does; not where the run has no such setting or figure. Of several values one suffices, but `!=`
        asks for all."""
        values = [value for value in _values(self.name, run) if value is not None]
        found = [_compare(self.sign, value, self.value) for value in values]
        return bool(found) and (all(found) if self.sign == "!=" else any(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a search asks for, all of it at once."""

    words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()


def parse(text: str) -> Query:
    """Read a search. Raises ValueError with one sentence on the first part that is not understood."""
    words, tags, conditions = [], [], []
    for quoted, token in _TOKEN.findall(_tight(text)):
        if quoted or not token:
            words.append(folded(quoted))
        elif token.casefold().startswith("tag:"):
            tag = token[4:].strip('"')
            if not tag:
                raise ValueError("tag: has no tag behind it; write one, e.g. tag:paper.")
            tags.append(tag)
        elif found := _CONDITION.fullmatch(token):
            conditions.append(_condition(*found.groups()))
        else:
            words.append(folded(token.replace('"', "")))
    return Query(words=tuple(word for word in words if word), tags=tuple(tags), conditions=tuple(conditions))


def _tight(text: str) -> str:
    """The text without spaces around the signs that stand outside quotes."""
    parts = re.split(r'("[^"]*"?)', text)
    tight = (re.sub(rf"\s*({_SIGN})[ \t]*", r"\1", part) if at % 2 == 0 else part for at, part in enumerate(parts))
    return "".join(tight)


def _condition(name: str, sign: str, text: str) -> Condition:
    sign, text, plain = _ALSO.get(sign, sign), text.strip('"'), _plain(name)
    if not name:
        raise ValueError(f"“{sign}{text[:40]}” has no name in front of it; write e.g. {_EXAMPLE}.")
    if plain not in _names():
        near = get_close_matches(plain, _names(), 1)
        hint = f"the nearest is {near[0]}" if near else f"write e.g. {_EXAMPLE}"
        raise ValueError(f"There is no setting “{name[:40]}”; {hint}.")
    if not text or re.search(_SIGN, text):
        raise ValueError(f"“{(name + sign + text)[:40]}” is no comparison; write a name, a sign and a value: seed=7.")
    value = _value(plain, name, sign, text)
    return Condition(name=plain, sign=sign, value=value)


def _value(plain: str, name: str, sign: str, text: str) -> int | float | str:
    settings = _names()[plain]
    options = settings[0].options if settings else _WORLDS if plain in _OF_WORLD else ()
    known = {folded(option): folded(option) for option in options}
    if plain == "penalty":
        known |= {_plain(words.short): folded(option) for option, words in PENALTY_WORDS.items()}
    if plain not in _OF_WORLD and (not settings or settings[0].numeric):
        try:
            return number(text)
        except NotANumber:
            if not options:
                raise ValueError(
                    f"{name[:40]} is a number, and “{text[:40]}” is none; write e.g. {name}{sign}1."
                ) from None
    elif not options:
        known = {"yes": "yes", "no": "no"}
    if sign not in ("=", "!="):
        raise ValueError(f"{name[:40]} is a word, which is not more or less than another; write {name}={text[:40]}.")
    word = known.get(folded(text)) or known.get(_plain(text))
    if word is None:
        near = get_close_matches(folded(text), known, 1)
        hint = f"the nearest is {known[near[0]]}" if near else f"there are {', '.join(dict.fromkeys(known.values()))}"
        raise ValueError(f"{name[:40]} is never “{text[:40]}”; {hint}.")
    return word


def _values(name: str, run: RunSummary) -> list[Any]:
    if name in _OF_WORLD:
        return [nearest(run.config)[0]]
    if name in FIGURES:
        return [FIGURES[name](run)]
    values: list[Any] = []
    for setting in _names()[name]:
        value = setting.of(run.config)
        values += value if isinstance(value, tuple) else [value]
    return values


def _compare(sign: str, value: Any, wanted: int | float | str) -> bool:
    if isinstance(value, bool):
        value = "yes" if value else "no"
    if isinstance(value, str) != isinstance(wanted, str):
        return sign == "!="
    return _SIGNS[sign](folded(value) if isinstance(value, str) else value, wanted)


_OF_WORLD = ("preset", "world")
_WORLDS = tuple(PRESETS)


@lru_cache(maxsize=1)
def _names() -> Mapping[str, tuple[Setting, ...]]:
    """Every name that a condition may begin with, plain, and the settings that it means; none of a figure."""
    found: dict[str, tuple[Setting, ...]] = dict.fromkeys((*_OF_WORLD, *FIGURES), ())
    each = {setting.field for preset in PRESETS.values() for setting in settings_of(preset.config)} - {N_ENVS}
    for by_word in (False, True):  # a word on screen before a name in code: “samples” are units, not those of a trace
        for field in sorted(each):
            envs = [Setting(field, env) for env in range(MAX_ENVS)] if ABOUT[field].per_env else []
            found[_plain(ABOUT[field].word if by_word else field)] = tuple(envs) or (Setting(field),)
            found |= {_plain(setting.word if by_word else setting.name): (setting,) for setting in envs}
    return found | dict.fromkeys(("e", "envs", "nenvs", "environments"), (Setting(N_ENVS),))


def _plain(name: str) -> str:
    """A name without case, spaces, lines below, and with the digits and letters of a keyboard."""
    plain = unicodedata.normalize("NFKC", name).casefold().replace("σ", "sigma").replace("ς", "sigma")
    return re.sub(r"[\s_]", "", plain.replace("λ", "lambda"))


def matching(query: Query, runs: Iterable[RunSummary], words_of: Callable[[RunSummary], str]) -> list[RunSummary]:
    """The runs for which all of a query holds. words_of: where its words are looked for, folded."""
    return [
        run
        for run in runs
        if {folded(tag) for tag in query.tags} <= {folded(tag) for tag in run.label.tags}
        and all(word in words_of(run) for word in query.words)
        and all(condition.holds(run) for condition in query.conditions)
    ]
