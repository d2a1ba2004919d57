"""A link for a class: a lesson or a page, what of it is locked, and a room; as address, QR code and frame."""

from __future__ import annotations

from html import escape
from io import BytesIO
from urllib.parse import urlencode, urlsplit

import segno
import streamlit as st

from crl_core.lessons.lesson import lessons
from crl_core.lessons.rooms import room_name
from pages.shared import locks, places
from pages.shared.folds import fold
from pages.shared.language import language, tr
from pages.shared.style import picture, plain, quiet


def panel() -> None:
    """“Teach with it”, on the page of the lessons."""
    fold(tr("Teach with it"), "lessons.teach", _for_a_class)


def _for_a_class() -> None:
    quiet(
        tr(
            "A link begins a lesson for a whole class. Locks are for attention, not for secrecy: whoever edits the "
            "address has everything."
        )
    )
    known = lessons(language())
    left, right = st.columns([3, 2])
    with left:
        name = st.selectbox(
            tr("Lesson"),
            list(known),
            format_func=lambda id: known[id].title,
            key="share.lesson",
            persist_state="session",
        )
        step = st.number_input(tr("Step"), 1, len(known[name].steps), 1, format="%d", key="share.step", width=160)
        room = st.text_input(tr("Room"), key="share.room", persist_state="session", placeholder="blue7", width=220)
        waits = st.checkbox(tr("The reveal is mine"), key="share.waits", persist_state="session")
        quiet(
            tr(
                "With a room, what is predicted is gathered without names and shown at the reveal. Open the second "
                "link on the stage; what you reveal or skip there is revealed to the class."
            )
        )
    kept = {"lesson": name, "step": str(step)} | ({"lang": language()} if language() != "en" else {})
    try:
        if room:
            kept["room"] = room_name(room)
    except ValueError as error:
        st.warning(plain(str(error)))
    stage = address(places.START, kept)
    with right:
        offer(address(places.START, kept | ({"reveal": "off"} if waits else {})), stage if waits and room else None)


def dialogue() -> None:
    """The dialogue of a page that is shown to a class."""

    @st.dialog(tr("Share this page"))
    def show() -> None:
        here = places.here()
        quiet(tr("The link has the settings in view. What is ticked cannot be changed by who opens it."))
        locked = [
            name for name, words in locks.WORDS.items() if st.checkbox(tr(words), key=f"share.lock.{name}", value=False)
        ]
        pages = st.multiselect(
            tr("Only these pages"), list(places.TITLES), format_func=places.TITLES.__getitem__, key="share.pages"
        )
        kept = {name: st.query_params[name] for name in st.query_params if name not in ("lock", "show")}
        if locked:
            kept["lock"] = ",".join(locked)
        if pages:
            kept["show"] = ",".join(dict.fromkeys((here.stem, *pages)))
        offer(address(here.stem, kept), None)

    show()


def address(stem: str, params: dict[str, str]) -> str:
    """The full address of a page with these parameters."""
    parts = urlsplit(st.context.url or "http://localhost:8501/")
    above = parts.path.rstrip("/")
    last = above.rpartition("/")[2]
    if last in places.TITLES:
        above = above.removesuffix(f"/{last}")
    path = f"{above}/{'' if stem == places.DEFAULT_PAGE else stem}"
    return f"{parts.scheme}://{parts.netloc}{path}" + (f"?{urlencode(params)}" if params else "")


def offer(link: str, stage: str | None) -> None:
    """The link to copy, its QR code, and a frame for a course page."""
    st.code(link, language=None, wrap_lines=True)
    if stage is not None:
        quiet(tr("For the stage:"))
        st.code(stage, language=None, wrap_lines=True)
    drawn = BytesIO()
    segno.make(link, micro=False).save(drawn, kind="svg", scale=4, border=3, dark="#000", light="#fff")
    says = f"{tr('QR code of')} {link}"
    st.html(picture(drawn.getvalue().decode(), says, 'style="width:13rem;max-width:100%"'))
    with st.expander(tr("For a course page")):
        joined = link + ("&" if "?" in link else "?") + "embed=true"
        frame = f'<iframe src="{escape(joined)}" width="100%" height="760" title="CRL Explorer"></iframe>'
        st.code(frame, language="html", wrap_lines=True)
