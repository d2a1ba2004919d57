"""A lesson, as its file has it: steps that set a view, ask for a prediction, and reveal what a shipped run says.

A file:  title, minutes, about (a sentence for its tile), needs (ids of lessons to do before), and [[step]] entries.
A step:  kind     look, choose, number, draw or write
         page     the page that stands beside it; for `draw` the empty axis stands above that page
         set      {preset, lam}: what is in view; a deployment has {what, dose} too, a table {table}
         show     panels of the page that stand from the first; of a look without any: all of them
         hide     panels that are hatched, and mask: header figures that are "?", until the reveal
         text     what to know before; ask: the question
         options  of `choose`: {says, when}; the one whose conditions hold on the measured run is the answer
         answer   of `number`: a fact; of `draw`: a metric along λ
         low, high, step, within    of `number`: its slider, and how near is near
         reveal   variants {when, say}: the first whose conditions hold is said, with the facts filled in
         conclude what to take home
         controls what of the sidebar stays in reach: "lam"
Texts may have {facts} in them; which there are, `facts.py` says. Nothing that is measured is written in a file.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from crl_core.config.language import in_language
from crl_core.config.presets import PRESETS
from crl_core.lecture.story import condition_of
from crl_core.metrics import METRIC

Kind = Literal["look", "choose", "number", "draw", "write"]
KINDS: tuple[Kind, ...] = get_args(Kind)
CONTROLS = ("lam",)
SET = ("preset", "lam", "what", "dose", "table")
_HERE = Path(__file__).parent


class LessonError(ValueError):
    """A lesson that cannot be had: which, where, what is wrong, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Said:
    """A text, and the conditions on the measured run under which it is so; all of them must hold."""

    says: str
    when: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step; see the head of this file."""

    kind: Kind
    page: str
    set: Mapping[str, Any] = field(default_factory=dict)
    show: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    mask: tuple[str, ...] = ()
    text: str = ""
    ask: str = ""
    options: tuple[Said, ...] = ()
    answer: str = ""
    low: float = 0.0
    high: float = 1.0
    step: float = 0.01
    within: float = 0.1
    reveal: tuple[Said, ...] = ()
    conclude: str = ""
    controls: tuple[str, ...] = ()

    @property
    def asks(self) -> bool:
        return self.kind != "look"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A lesson. version: of its content; a completion code holds for one version."""

    id: str
    title: str
    minutes: int
    about: str
    steps: tuple[Step, ...]
    needs: tuple[str, ...] = ()
    version: str = ""


_OF_LESSON = {each.name for each in fields(Lesson)} - {"id", "version", "steps"} | {"step"}
_OF_STEP = {each.name for each in fields(Step)}
_NEEDS: Mapping[Kind, tuple[str, ...]] = {
    "look": ("text",),
    "choose": ("ask", "options", "reveal"),
    "number": ("ask", "answer", "reveal"),
    "draw": ("ask", "answer"),
    "write": ("ask",),
}


def parse(name: str, text: str) -> Lesson:
    """The lesson of a file. Raises LessonError naming the step, the field and what is allowed."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LessonError(f"lesson {name} is not TOML: {error}.") from None
    if unknown := content.keys() - _OF_LESSON:
        raise LessonError(f"lesson {name} has no field {min(unknown)}; there are {', '.join(sorted(_OF_LESSON))}.")
    if missing := [part for part in ("title", "minutes", "about", "step") if not content.get(part)]:
        raise LessonError(f"lesson {name} lacks {missing[0]}; see the head of lesson.py.")
    return Lesson(
        id=name,
        title=content["title"],
        minutes=int(content["minutes"]),
        about=content["about"],
        needs=tuple(content.get("needs", ())),
        steps=tuple(_step(f"lesson {name}, step {at}", entry) for at, entry in enumerate(content["step"], 1)),
        version=hashlib.sha256(text.encode()).hexdigest()[:8],
    )


def _step(where: str, entry: Mapping[str, Any]) -> Step:
    def wrong(what: str) -> LessonError:
        return LessonError(f"{where}: {what}")

    kind = entry.get("kind")
    if kind not in KINDS:
        raise wrong(f"kind is {kind!r}; it must be one of {', '.join(KINDS)}.")
    if unknown := entry.keys() - _OF_STEP:
        raise wrong(f"there is no field {min(unknown)}; there are {', '.join(sorted(_OF_STEP))}.")
    if missing := [part for part in ("page", *_NEEDS[kind]) if not entry.get(part)]:
        raise wrong(f"{missing[0]} is missing, which a step of kind {kind} needs.")
    wanted = entry.get("set", {})
    if strange := wanted.keys() - set(SET):
        raise wrong(f"set has {min(strange)}; it may have {', '.join(SET)}.")
    if (preset := wanted.get("preset")) is not None and preset not in PRESETS:
        raise wrong(f"there is no preset {preset!r}; there are {', '.join(PRESETS)}.")
    if kind == "choose" and len(entry["options"]) < 2:
        raise wrong("it has one option; give at least two.")
    if kind == "draw" and entry["answer"] not in METRIC:
        raise wrong(f"{entry['answer']!r} is no metric along λ; there are {', '.join(METRIC)}.")
    if kind == "number" and not float(entry.get("low", 0)) < float(entry.get("high", 1)):
        raise wrong("low must be below high.")
    if strange := set(entry.get("controls", ())) - set(CONTROLS):
        raise wrong(f"there is no control {min(strange)}; there are {', '.join(CONTROLS)}.")
    texts = {part: tuple(_said(wrong, part, each) for each in entry.get(part, ())) for part in ("options", "reveal")}
    lists = {part: tuple(entry[part]) for part in ("show", "hide", "mask", "controls") if part in entry}
    return Step(**{**entry, **texts, **lists})


def _said(wrong: Any, part: str, entry: Any) -> Said:
    if not isinstance(entry, Mapping) or entry.keys() - {"says", "when"} or not entry.get("says"):
        raise wrong(f"an entry of {part} is {entry!r}; write {{says = …, when = [conditions]}}.")
    for condition in entry.get("when", ()):
        try:
            condition_of(condition)
        except ValueError as error:
            raise wrong(str(error)) from None
    return Said(entry["says"], tuple(entry.get("when", ())))


TEXTS = frozenset({"title", "about", "text", "ask", "says", "conclude"})  # what is translated


@cache
def lessons(language: str = "en") -> Mapping[str, Lesson]:
    """The lessons that come with the program, by id, in the order in which they are taught."""
    if language != "en":
        return {name: in_language(lesson, language, only=TEXTS) for name, lesson in lessons().items()}
    order = tomllib.loads((_HERE / "order.toml").read_text(encoding="utf-8"))["lessons"]
    return {name: parse(name, (_HERE / f"{name}.toml").read_text(encoding="utf-8")) for name in order}
