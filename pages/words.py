"""The glossary: every term of the pages, what it means, how it is computed, and where it is used."""

from __future__ import annotations

import streamlit as st

from crl_core.config.words import Word, words
from pages.shared import page_header, require
from pages.shared.glossary import end, filled
from pages.shared.language import language, tr
from pages.shared.places import TITLES
from pages.shared.style import notice, quiet

require()


def main() -> None:
    end()  # here every term is explained anyway
    page_header(
        tr("Every term of these pages: what it means in one sentence, how it is computed, and where it is used.")
    )
    placeholder = tr("for instance overlap, MMD², oracle")
    asked = st.text_input(tr("Find a term"), key="words.find", placeholder=placeholder, width=420)
    known = words(language())
    found = [word for word in known.values() if all(part in searched(word) for part in asked.casefold().split())]
    if not found:
        notice("No term has these words", f"There are {len(known)} terms; clear the field to see all.")
    with st.container(width=780):
        for word in sorted(found, key=lambda word: word.term.casefold().lstrip("|")):
            with st.container(key=f"word_{word.id}", gap="xxsmall"):
                st.markdown(f"**{word.heading}**: {filled(word.text())}")
                quiet(f"On {where(word)}.")


def searched(word: Word) -> str:
    return " ".join((word.heading, word.text(), where(word))).casefold()


def where(word: Word) -> str:
    """The titles of the pages on which a term is explained."""
    return ", ".join(f"“{TITLES[stem]}”" for stem in word.stems)


main()
