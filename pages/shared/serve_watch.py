"""The state of a running endpoint on the page: whether it is up, what it answered, and what its monitor says."""

from __future__ import annotations

import streamlit as st

from crl_core.serve.reading import Reading, Watched, read_endpoint
from pages.shared.style import count, panel_title, plain, quiet
from pages.shared.tables import say, table

_START = "http://127.0.0.1:8000"
_FOUND = "serve.watched"  # what was read last, or why nothing was


def state_of_endpoint() -> None:
    """An address of this machine, and what is read there when it is asked."""
    with st.container(key="panel_serve_watch"):
        panel_title("A running endpoint", "its health and its monitor, read from the machine that shows this page")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input("Address", _START, key="serve.address", width=320, max_chars=200)
            st.button("Read its state", key="serve.read", on_click=_ask)
        quiet("Only addresses of this machine are read, so that a public page is no way into a network.")
        found = st.session_state.get(_FOUND)
        if isinstance(found, str):
            st.error(plain(found))
        elif found is not None:
            _tell(found)


def _ask() -> None:
    """Read the address that was typed last. A callback."""
    st.session_state[_FOUND] = _read(str(st.session_state["serve.address"]))


def _read(address: str) -> Reading | str:
    """The endpoint's state, or the sentence why it cannot be read."""
    try:
        return read_endpoint(address)
    except ValueError as error:
        return str(error)[:1].upper() + str(error)[1:]


def _tell(found: Reading) -> None:
    refused = f", {count(found.refused, 'request')} refused" if found.refused else ""
    asked, rows = count(found.answered, "request"), count(found.rows, "unit")
    say(f"It is up and serves {found.model}. {asked} answered, of {rows} in all{refused}.")
    if not found.watched:
        quiet("The monitor has seen no unit yet.")
        return
    table(("environment", "state", "p of the last test", "tests", "alarms"), [_line(item) for item in found.watched])


def _line(item: Watched) -> tuple[str, ...]:
    state = "warming up" if item.p is None else "drifted: its latents differ from training" if item.drifted else "ok"
    return item.label, state, "–" if item.p is None else f"{item.p:.3g}", str(item.tests), str(item.alarms)
