"""Every lesson, every term and every text that goes through the table of languages has its German, and no more."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from crl_core.config import words as words_room
from crl_core.config.language import LANGUAGES, table, texts_of, translated
from crl_core.config.words import words
from crl_core.lessons import lesson as lesson_room
from crl_core.lessons.answers import SHAPES, SKIPPED
from crl_core.lessons.lesson import lessons
from pages.shared import lesson_draw, lesson_facts, locks

ROOT = Path(__file__).parents[2]
SIGNS = re.compile(r"^[^A-Za-z]*$|^(?:φ\(x\)|τ = y¹ − y⁰|τ̂ = ŷ¹ − ŷ⁰)$")  # formulas without a word


def of_pages() -> Iterator[str]:
    """The texts that pages look up: what stands in `tr(…)`, and constants by name."""
    for path in sorted((ROOT / "pages").rglob("*.py")):
        tree = ast.parse(path.read_text())
        constants = {
            node.targets[0].id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr"):
                continue
            for part in ast.walk(node.args[0]):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value
                elif isinstance(part, ast.Name) and part.id in constants:
                    yield str(ast.literal_eval(constants[part.id]))


def every() -> set[str]:
    found = {text for each in lessons().values() for text in texts_of(each, lesson_room.TEXTS)}
    found |= {text for word in words().values() for text in texts_of(word, words_room.TEXTS)}
    found |= {*of_pages(), *SHAPES.values(), SKIPPED, *locks.WORDS.values(), lesson_facts.NO_RUN}
    found |= {lesson_draw.title_of(step) for each in lessons().values() for step in each.steps if step.kind == "draw"}
    return {text for text in found if not SIGNS.match(text)}


def test_every_text_has_its_german() -> None:
    assert sorted(every() - table("de").keys()) == []


def test_no_german_is_left_of_a_text_that_is_gone() -> None:
    assert sorted(table("de").keys() - every()) == []


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])
def test_a_translation_has_the_same_facts_and_numbers(language: str) -> None:
    for english, other in table(language).items():
        assert other.strip(), english
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", other)), english
        assert re.findall(r"`[^`]*`", english) == re.findall(r"`[^`]*`", other), english


def test_a_lesson_in_german_asks_the_same_of_the_same_run() -> None:
    for name, german in lessons("de").items():
        english = lessons()[name]
        assert german.version == english.version
        for ours, theirs in zip(english.steps, german.steps, strict=True):
            assert (ours.kind, ours.set, ours.answer, ours.hide) == (
                theirs.kind,
                theirs.set,
                theirs.answer,
                theirs.hide,
            )
            assert [option.when for option in ours.options] == [option.when for option in theirs.options]
    assert lessons("de")["coin"].title != lessons()["coin"].title
    assert translated("not in the table", "de") == "not in the table"
