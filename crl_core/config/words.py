"""The terms of the pages, one entry each, as data (`words.toml`, whose head explains the fields)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from crl_core.config.language import in_language


class WordsError(ValueError):
    """An entry that cannot be had: which, why, and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A term and what it means, an entry of `words.toml`. Texts are Markdown."""

    id: str
    term: str
    says: str
    also: tuple[str, ...] = ()
    formula: str = ""
    more: str = ""
    pages: tuple[str, ...] = ()
    on: Mapping[str, str] = field(default_factory=dict)
    marked: tuple[str, ...] | None = None

    @property
    def spellings(self) -> tuple[str, ...]:
        """What of a page's text is this term."""
        return (self.term, *self.also) if self.marked is None else self.marked

    @property
    def stems(self) -> tuple[str, ...]:
        """The pages by their file; one of several kinds has a point and the kind after it."""
        return tuple(dict.fromkeys(page.partition(".")[0] for page in self.pages))

    @property
    def heading(self) -> str:
        """The term as it begins a line, other names in brackets."""
        names = f" ({', '.join(self.also)})" if self.also else ""
        return f"{capitalised(self.term)}{names}"

    def text(self, page: str | None = None) -> str:
        """Sentence, formula, what else has to be known, and what a page says of it alone: `page`, or all of them."""
        local = self.on.values() if page is None else [self.on[page]] if page in self.on else []
        formula = f"{self.formula}." if self.formula else ""
        return " ".join(part for part in (self.says, formula, self.more, *local) if part)


def capitalised(term: str) -> str:
    """A term at the head of a line; kNN, t-SNE and the like begin as they always do."""
    begins = term[:2]
    return term[0].upper() + term[1:] if begins.isascii() and begins.isalpha() and begins.islower() else term


def parse(text: str) -> dict[str, Word]:
    """The entries of a file of words, by id. Raises WordsError."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise WordsError(f"The words are not TOML: {error}.") from None
    known = {each.name for each in fields(Word)} - {"id"}
    return {name: _word(name, entry, known) for name, entry in content.items()}


def _word(name: str, entry: Any, known: set[str]) -> Word:
    if not isinstance(entry, dict):
        raise WordsError(f"{name} is no entry: write [{name}] and its fields below it.")
    if unknown := entry.keys() - known:
        raise WordsError(f"{name} has no field {min(unknown)}; there are {', '.join(sorted(known))}.")
    if missing := [part for part in ("term", "says") if not str(entry.get(part, "")).strip()]:
        raise WordsError(f"{name} lacks {missing[0]}: write what the term is, and what it means in one sentence.")
    lists = {part: tuple(entry[part]) for part in ("also", "pages", "marked") if part in entry}
    word = Word(id=name, **(entry | lists))
    if strange := word.on.keys() - set(word.pages):
        raise WordsError(f"{name} says something of {min(strange)}, which is none of its pages.")
    return word


TEXTS = frozenset({"term", "also", "says", "formula", "more", "on"})  # what is translated


@cache
def words(language: str = "en") -> dict[str, Word]:
    """All terms by id, in their order."""
    if language != "en":
        return {name: in_language(word, language, only=TEXTS) for name, word in words().items()}
    return parse((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))


def of_page(page: str, language: str = "en") -> Sequence[Word]:
    """The terms that a page's definitions explain."""
    return [word for word in words(language).values() if page in word.pages]
