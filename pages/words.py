"""The glossary: every term of the pages, what it means, how it is computed, and where it is used."""

from __future__ import annotations

import streamlit as st

from crl_core.config.words import Word, words
from pages.shared import page_header, require
from pages.shared.glossary import end, filled
from pages.shared.language import language, tr
from pages.shared.places import TITLES
from pages.shared.style import notice

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
    in_order = sorted(found, key=lambda word: word.term.casefold().lstrip("|"))
    with st.container(key="words", width=780):  # in one piece: a message a term would take most of the page's time
        st.markdown("\n\n".join(f"**{word.heading}**: {filled(word.text())}\n\nOn {where(word)}." for word in in_order))


def searched(word: Word) -> str:
    return " ".join((word.heading, word.text(), where(word))).casefold()


def where(word: Word) -> str:
    """The titles of the pages on which a term is explained."""
    return ", ".join(f"“{TITLES[stem]}”" for stem in word.stems)


main()
