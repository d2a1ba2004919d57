"""The terms of the pages: every entry is whole, and a bad one is refused in a sentence."""

from __future__ import annotations

import re

import pytest

from crl_core.config.words import WordsError, capitalised, of_page, parse, words
from crl_core.metrics import DRAWN

GOOD = '[overlap]\nterm = "overlap"\nsays = "That units have counterparts."\npages = ["data"]\n'


@pytest.mark.parametrize("word", words().values(), ids=words())
def test_an_entry_is_a_sentence_whole_and_plainly_written(word) -> None:
    for text in (word.says, word.more, *word.on.values()):
        assert not text or text[0].isupper() or not text[0].isalpha() or text[0] in "zλ"
        assert not text or text.endswith(".")
        assert text.count("**") % 2 == 0
        assert "  " not in text
    assert word.pages, "it stands in no definitions"


def test_no_spelling_belongs_to_two_terms() -> None:
    spelled = [spelling for word in words().values() for spelling in word.spellings]
    assert len(set(spelled)) == len(spelled)
    assert len({word.term for word in words().values()}) == len(words())


def test_what_is_measured_is_explained_by_the_word_that_pages_use_for_it() -> None:
    """Of what is drawn along λ each metric's word begins with a term, so that a reader can look it up."""
    known = tuple(spelling.casefold() for word in words().values() for spelling in (word.term, *word.also))
    assert [metric.word for metric in DRAWN if not metric.word.casefold().startswith(known)] == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[overlap", "not TOML"),
        ("overlap = 3", "overlap is no entry: write [overlap]"),
        (GOOD + 'colour = "red"', "overlap has no field colour; there are also, formula"),
        ('[overlap]\nterm = "overlap"', "overlap lacks says"),
        ('[overlap]\nsays = "x"\nterm = " "', "overlap lacks term"),
        (GOOD + 'on.path = "x"', "overlap says something of path, which is none of its pages"),
    ],
)
def test_a_bad_entry_is_refused_in_a_sentence(text: str, says: str) -> None:
    with pytest.raises(WordsError, match=re.escape(says)):
        parse(text)


def test_a_page_says_what_all_say_and_what_is_its_own() -> None:
    path, latent = (next(word for word in of_page(page) if word.id == "mmd").text(page) for page in ("path", "latent"))
    shared = words()["mmd"].says
    assert path.startswith(shared)
    assert latent.startswith(shared)
    assert "400 held-out rows" in latent
    assert "400 held-out rows" not in path
    assert "400 held-out rows" in words()["mmd"].text()


@pytest.mark.parametrize(("term", "head"), [("overlap", "Overlap"), ("kNN mixing", "kNN mixing"), ("λ = 0", "λ = 0")])
def test_a_term_at_the_head_of_a_line_is_written_as_it_always_is(term: str, head: str) -> None:
    assert capitalised(term) == head
