"""Navigation, style sheet and sidebar around every page.

`require()` is the first statement of a page: while a directory named `pages` exists, the first session of a fresh
server runs a deep link's file without `app.py`, and `require` sends that session through it (streamlit.md, section 1).

Streamlit knows a page by its exact address alone, and the default page by the empty one. Any other address is therefore
registered as one more, hidden page, which sends its visitor on to the page meant, or to the default page with a note.
On a fresh server the first such visitor has been answered with a dialogue before any line of ours; we load it again.
"""

from __future__ import annotations

import re
from copy import copy
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from crl_core.config.language import LANGUAGES
from crl_core.runs.sealing import StoreError
from pages.shared import (
    bottom_bar,
    glossary,
    language,
    late_fragments,
    lesson_answers,
    lesson_card,
    lesson_place,
    lesson_room,
    locks,
    masks,
    places,
    server_cache,
    sidebar,
    style,
    whole_callbacks,
)
from pages.shared.link_notes import say_in_vain
from pages.shared.places import DEFAULT_PAGE, SECTIONS, START, TITLES, Place, page_file

ROOT = Path(__file__).parents[2]
_VISITED = "shell.visited"
_ASKED = "shell.asked"  # an address of no page, told once where its visitor has been sent
# Other words that a person types for a page; its stem and its title are understood anyway.
_ALSO = {
    "home": DEFAULT_PAGE,
    "index": DEFAULT_PAGE,
    "app": DEFAULT_PAGE,
    "lambda": "path",
    "mmd": "lens",
    "mmdlens": "lens",
    "unseenenvironment": "unseen",
    "identifiability": "identify",
    "export": "serve",
    "table": "data",
    "upload": "data",
}


def page_of(address: str) -> str | None:
    """Stem of the page that a person means by `address`: its stem or a title, in any case, however the words are
    parted, with or without an ending. None where no page is meant."""
    asked = _plain(re.sub(r"\.(py|html?)$", "", address.strip().lower()))
    by_name = {_plain(name): stem for stem, title in TITLES.items() for name in (stem, title)}
    return (_ALSO | by_name).get(asked)


def _plain(name: str) -> str:
    return re.sub(r"\W|_", "", name.lower().replace("λ", "lambda"))


def _pages() -> dict[str, list[Any]]:
    only = locks.pages()
    return {
        name: [copy(_page(place, "visible" if only is None or place.stem in only else "hidden")) for place in section]
        for name, section in SECTIONS.items()
    }


@lru_cache  # twenty files that are looked for in every view
def _page(place: Place, visibility: Literal["visible", "hidden"]) -> Any:
    """A page as Streamlit has it; a run of the script needs a copy, in which it notes whether it may be run."""
    is_first = place.stem == DEFAULT_PAGE
    url_path = "" if is_first else place.stem
    file = page_file(place.stem)
    return st.Page(file, title=place.title, url_path=url_path, default=is_first, visibility=visibility)


def _navigation(**options: Any) -> Any:
    """The page to run. A visitor of an address that is not exactly a page's is sent on, parameters and all."""
    pages, fresh = _pages(), bool(PagesManager.uses_pages_directory)
    context = get_script_run_ctx()
    asked = str(context.pages_manager.intended_page_name or "") if context else ""
    listed = {page.url_path for section in pages.values() for page in section}
    if asked in listed:
        return st.navigation(pages, **options)
    other: Any = st.Page(lambda: None, title="Elsewhere", url_path="elsewhere", visibility="hidden")
    other._url_path = asked  # set past the check, which refuses blanks and slashes: they arrive all the same
    found = st.navigation(pages | {"": [*pages[""], other]}, **options)
    if found is other:
        if fresh and not (ROOT / page_file(asked)).exists():
            st.html("<script>window.location.reload()</script>", unsafe_allow_javascript=True)
            st.stop()
        stem = page_of(asked)
        if stem is None:
            st.session_state[_ASKED] = asked
        params = {name: st.query_params.get_all(name) for name in st.query_params}
        st.switch_page(page_file(stem or DEFAULT_PAGE), query_params=params)
    return found


def _come_back(stem: str) -> None:
    """Who comes to the bare address for the first time begins with the lessons; who comes back lands where he was."""
    first = not st.session_state.get(_VISITED)
    st.session_state[_VISITED] = True
    if not first or stem != DEFAULT_PAGE or st.query_params.to_dict() or not st.context.headers:  # or no browser
        return
    last = st.context.cookies.get("crl_last")
    if last is None:
        st.switch_page(page_file(START))
    page, _, query = unquote(last).partition("?")
    if (page in TITLES and page != DEFAULT_PAGE) or query:
        params = {name: values[-1] for name, values in parse_qs(query[:2000]).items()}
        st.switch_page(page_file(page if page in TITLES else DEFAULT_PAGE), query_params=params)


def main() -> None:
    """What `app.py` does."""
    whole_callbacks.install()
    late_fragments.install()
    st.set_page_config(page_title="CRL Explorer", layout="wide", initial_sidebar_state="auto")
    locks.arrive()
    page = _navigation(position="top", expanded=True)  # a phone has the menu in its drawer: all of it
    st.set_page_config(page_title=f"{page.title} · CRL Explorer")
    st.session_state["shell.framed"] = True
    try:
        places.arrive(page.url_path)
        _come_back(places.here().stem)
        language.arrive()
        lesson_place.arrive(places.here().stem)
        style.inject()
        glossary.end()  # the sidebar explains its fields itself
        try:
            server_cache.store()
        except StoreError as error:  # CRL_CACHE names what is not there
            st.error(style.plain(str(error)))
            st.stop()
        lesson = lesson_place.here()
        masks.mask_figures(())  # those of a lesson, which was perhaps left before its answer was shown
        with st.sidebar:
            card = st.container(key="lesson_card")
        asked_for = sidebar.draw(page.url_path, None if lesson is None else lesson.step.controls)
        if lesson is not None:
            with card:
                lesson_card.draw(lesson)
                lesson_answers.keep()
        elif places.here().of_a_run:
            bottom_bar.draw(asked_for)
        locks.hide()
        with st.container(key="page_notes"):  # what a link asked for in vain
            locks.say_in_vain()
            lesson_place.notes()
            lesson_room.refused()
            say_in_vain({"lang": list(LANGUAGES)})
        if asked := st.session_state.pop(_ASKED, None):
            st.warning(
                style.plain(
                    f"There is no page at “{asked[:40]}”. Shown: {TITLES[DEFAULT_PAGE]}; the bar above lists all pages."
                )
            )
        glossary.begin()
        page.run()
    finally:
        st.session_state["shell.framed"] = False


def require() -> None:
    """Go through `app.py` if this page was started without it."""
    if not st.session_state.get("shell.framed"):
        _navigation()
        st.rerun()
