"""The one table of languages (`de.toml`): English text to its translation. English itself is complete by construction.

Lessons, words and page texts are looked up whole, as they stand in their files; numbers are filled in afterwards and
stay in one notation. What has no entry is shown in English; a test finds it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

LANGUAGES: Mapping[str, str] = {"en": "English", "de": "Deutsch"}
T = TypeVar("T")


@cache
def table(language: str) -> Mapping[str, str]:
    """Every text that is translated, by its English; empty for English."""
    if language == "en":
        return {}
    found: dict[str, str] = tomllib.loads((Path(__file__).parent / f"{language}.toml").read_text(encoding="utf-8"))
    return found


def translated(text: str, language: str) -> str:
    return table(language).get(text, text)


def in_language(item: T, language: str, *, only: frozenset[str]) -> T:
    """A dataclass with the texts of its fields `only` in another language, also those within its lists and entries."""
    found: T = _with(item, lambda text: translated(text, language), only, False)
    return found


def texts_of(item: Any, only: frozenset[str]) -> list[str]:
    """The texts that `in_language` looks up, in order."""
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    _with(item, note, only, False)
    return [text for text in found if text]


def _with(value: Any, change: Callable[[str], str], only: frozenset[str], wanted: bool) -> Any:
    """A value with `change` made of its wanted texts: of a dataclass those of the fields `only`."""
    if is_dataclass(value) and not isinstance(value, type):
        changed = {
            each.name: _with(getattr(value, each.name), change, only, each.name in only) for each in fields(value)
        }
        return type(value)(**changed)
    if isinstance(value, tuple):
        return tuple(_with(each, change, only, wanted) for each in value)
    if isinstance(value, Mapping) and wanted:
        return {key: _with(each, change, only, wanted) for key, each in value.items()}
    return change(value) if wanted and isinstance(value, str) else value
