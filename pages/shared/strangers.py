"""Who did what on this server: on a public one (`CRL_PUBLIC`) a visitor changes only what he started himself.

A visitor is a session: whoever opens the page anew is another one. Elsewhere everybody may do everything.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import streamlit as st

from crl_core.runs.kept_tables import public_server
from pages.shared import server_cache
from pages.shared.style import quiet

MOST_AT_ONCE = 4  # runs of one visitor that wait or are under way on a public server
_VISITOR, _STARTED = "strangers.visitor", "strangers.started"
_NOBODYS = ("absent", "cancelled", "failed")  # phases in which a run has no owner but who starts it
FOREIGN = "Somebody else started this run; on this public server only who started a run may change or cancel it."
OWNERS = "On this public server only who runs it may do that; use the command line there."


def visitor() -> str:
    """A name of this session that tells nothing."""
    name: str = st.session_state.setdefault(_VISITOR, secrets.token_hex(8))
    return name


def start(keys: Sequence[str]) -> None:
    """Note that this visitor asks for runs; one that is stored, or in hand, is joined and stays another's.

    Raises: ValueError where these are too many of one visitor.
    """
    started: set[str] = st.session_state.setdefault(_STARTED, set())
    if public_server():
        keys = [key for key in keys if server_cache.jobs().state(key).phase in _NOBODYS]
        under_way = sum(server_cache.jobs().state(key).active for key in started - set(keys))
        if under_way + len(keys) > MOST_AT_ONCE:
            raise ValueError(
                f"On this public server a visitor may have {MOST_AT_ONCE} runs waiting or under way, and you have "
                f"{under_way}; wait until one has ended, or run the program on a machine of your own."
            )
    started.update(keys)


def may_change(key: str) -> bool:
    """Whether this visitor may cancel, name, pin or delete a run."""
    return not public_server() or key in st.session_state.get(_STARTED, ())


def may_upkeep() -> bool:
    """Whether this visitor may do what concerns all runs: import, check, empty the trash."""
    return not public_server()


def said() -> None:
    """A word on a public server, in the place of what it takes away."""
    quiet(
        "This is a public server: you may change what you start yourself, and bring in nothing but tables, which stay "
        "yours. What others train is theirs."
    )
