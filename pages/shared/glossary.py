"""The terms of `config/words.toml` on the pages: definitions, and what a term means where it first stands on a page."""

from __future__ import annotations

import re
from functools import cache
from html import escape

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from crl_core.config.words import Word, of_page, words
from crl_core.measures.falsifiers import LEVEL, PERMUTATIONS, RATIO
from pages.shared import places
from pages.shared.language import language, tr

_SEEN = "glossary.seen"  # by its id, the text in which a term was explained in this run of a page; without digits
_DIGITS = re.compile(r"[\d.,–−]+")


def filled(text: str) -> str:
    """A text of `words.toml` with the numbers that stand elsewhere."""
    if "{" not in text:
        return text
    from crl_core.studies.detection_rates import WRONG

    numbers = {"level": f"{LEVEL:g}", "permutations": PERMUTATIONS, "ratio": f"{RATIO:g}", "wrong": f"{WRONG:g}"}
    return text.format(**numbers)


def definitions(page: str) -> None:
    """The definitions of a page, a click away; nothing where it has none."""
    if found := of_page(page, language()):
        with st.popover(tr("Definitions"), type="tertiary"):
            st.markdown("\n\n".join(f"**{word.heading}**: {filled(word.text(page))}" for word in found))


def begin() -> None:
    """A page is drawn anew, so that every term stands on it for the first time. By the shell."""
    st.session_state[_SEEN] = {}


def end() -> None:
    """From here on no term is explained."""
    st.session_state.pop(_SEEN, None)


def explained(text: str) -> str:
    """`text` as HTML; each term of the page that stands there for the first time is underlined, and says what it is.

    A fragment is drawn again without the rest of its page: a term stays where it was explained, whatever the numbers.
    """
    context = get_script_run_ctx()
    seen: dict[str, str] | None = st.session_state.get(_SEEN)
    if seen is None or context is None:
        return escape(text)
    again, here, around = bool(context.fragment_ids_this_run), places.here().stem, _DIGITS.sub("", text)
    done: set[str] = set()

    def mark(found: re.Match[str]) -> str:
        word = _by_spelling()[found[0]]
        if here not in word.stems or word.id in done or (word.id in seen and not (again and seen[word.id] == around)):
            return escape(found[0])
        done.add(word.id)
        seen[word.id] = around
        meaning = words(language())[word.id].says
        says = escape(_plain(filled(meaning)))  # as an attribute, so that no text of the page has it twice
        return f'<span class="crl-word" tabindex="0" role="term" aria-description="{says}">{escape(found[0])}</span>'

    parts, at = [], 0
    for found in _pattern().finditer(text):
        parts += [escape(text[at : found.start()]), mark(found)]
        at = found.end()
    return "".join([*parts, escape(text[at:])])


def _plain(text: str) -> str:
    """Markdown's marks taken away."""
    return re.sub(r"[*`]", "", text)


@cache
def _by_spelling() -> dict[str, Word]:
    """Each spelling that is underlined, as it stands in a sentence and at its head."""
    found = {spelling: word for word in words().values() for spelling in word.spellings}
    return found | {spelling[0].upper() + spelling[1:]: word for spelling, word in found.items()}


@cache
def _pattern() -> re.Pattern[str]:
    longest = sorted(_by_spelling(), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)")
