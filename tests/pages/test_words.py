"""Definitions, the glossary, and terms that are explained where they first stand on a page."""

from __future__ import annotations

import re
from html import unescape

import pytest
from streamlit.testing.v1 import AppTest

from crl_core.config.words import of_page, words
from crl_core.measures.falsifiers import PERMUTATIONS
from crl_core.runs.store import RunStore
from pages.shared.glossary import filled
from pages.shared.places import TITLES
from tests.pages.conftest import Open, Tiny
from tests.pages.conftest import words as said

_MARKED = re.compile(r'<span class="crl-word" [^>]*aria-description="([^"]*)">([^<]*)</span>')


def marked(app: AppTest) -> list[tuple[str, str]]:
    """The terms that are dotted on a page, each with what it says."""
    return [(term, says) for element in app.get("html") for says, term in _MARKED.findall(element.proto.body)]


def test_every_page_that_a_word_names_is_there_and_no_placeholder_is_left() -> None:
    for word in words().values():
        assert set(word.stems) <= TITLES.keys()
        assert "{" not in filled(word.text())
    assert str(PERMUTATIONS) in filled(words()["deployed_mmd"].text())


def test_the_glossary_has_every_term_and_finds_those_with_all_words(open_app: Open) -> None:
    app = open_app("words")
    assert not app.exception
    text = said(app)
    for word in words().values():
        assert word.heading in text
    app.text_input(key="words.find").set_value("nearest NEIGHBOURS path").run()
    text = said(app)
    assert "**Domain AUC**" in text
    assert "**Latency**" not in text
    app.text_input(key="words.find").set_value("unicorn").run()
    assert "No term has these words" in said(app)


@pytest.mark.parametrize("page", ["latent", "path", "effects"])
def test_a_term_is_explained_where_it_first_stands_on_a_page_and_only_there(
    open_app: Open, tiny: Tiny, store: RunStore, page: str
) -> None:
    store.save(tiny.result)
    app = open_app(page, **tiny.params)
    assert not app.exception
    found = marked(app)
    assert len(found) >= 2
    assert len({says for _, says in found}) == len(found)
    spelled = {spelling.casefold(): word for word in of_page(page) for spelling in word.spellings}
    for term, says in found:
        assert unescape(says) == re.sub(r"[*`]", "", filled(spelled[term.casefold()].says))


@pytest.mark.parametrize("page", TITLES)
def test_a_pages_definitions_are_the_entries_that_name_it(
    open_app: Open, tiny: Tiny, store: RunStore, page: str
) -> None:
    store.save(tiny.result)
    text = said(open_app(page, **tiny.params))
    if page != "compare":  # without two runs it invites to choose some
        for word in of_page(page):
            assert f"**{word.heading}**: {filled(word.text(page))}" in text
