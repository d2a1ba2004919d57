"""The table of one's own that this session has loaded. It lives as long as the session and is in nobody else's reach.

Nothing of it stands in the address, in a file or in a cache of Streamlit's, all of which visitors share; unless a
person keeps it on this machine (`table_kept`), where its rows are found by the hash of their content.
"""

from __future__ import annotations

import secrets
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import streamlit as st

from crl_core.data.tables.columns import OTHER, Raw, Role
from crl_core.data.tables.examples import Example
from crl_core.data.tables.guess import guessed_roles
from crl_core.data.tables.making import table_source
from crl_core.data.tables.source import TableSource, forget, load
from crl_core.data.tables.summary import Held, held
from crl_core.world.table_checks import Look, look_at

_TABLE = "data.table"
_MOST_LABEL = 60  # letters of a file's name


class _Hold:
    """As long as it lives, the rows of this content stay loaded."""

    def __init__(self, content: str) -> None:
        weakref.finalize(self, forget, content)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OwnTable:
    """What was loaded, what was said of it, and, once that is confirmed, its source and the look at it.

    number:  counts the tables of a session, so that fields of one are not taken for those of the next.
    treated: the value of the treatment that means treated; "" where it is plain, or not said.
    group_environments: how many there are to be at most, where small ones are taken together.
    signal:  what columns begin with that are samples of one signal; "" where there is none.
    measured_before: whether a person has said that all covariates were measured before the treatment.
    borrowed: whether it was opened here from what others, or an earlier session, had kept.
    source:  by a name that only this session has; of a kept table by the hash of its content, as `by_content`.
    """

    label: str
    number: int
    raw: Raw
    held: tuple[Held, ...]
    roles: Mapping[str, Role]
    treated: str = ""
    categories: frozenset[str] = frozenset()
    group_environments: int | None = None
    signal: str = ""
    measured_before: bool = False
    borrowed: bool = False
    source: TableSource | None = None
    by_content: TableSource | None = None
    look: Look | None = None
    _hold: _Hold | None = field(default=None, repr=False)

    @property
    def confirmed(self) -> bool:
        return self.source is not None and self.look is not None

    @property
    def kept(self) -> bool:
        """Whether it was kept on this machine, or comes from there."""
        return self.source is not None and self.source.content == self.content

    @property
    def content(self) -> str:
        """The hash of its rows, once its roles are confirmed; whoever guesses them knows it."""
        assert self.by_content is not None
        return self.by_content.content

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """Those that have a part, all rows, once its roles are confirmed."""
        assert self.source is not None
        return {column.name: self.raw.columns[column.name] for column in self.source.columns}


def loaded() -> OwnTable | None:
    """The session's table, its roles confirmed or not."""
    found: OwnTable | None = st.session_state.get(_TABLE)
    return found


def current() -> OwnTable | None:
    """The session's table once its roles are confirmed."""
    table = loaded()
    return table if table is not None and table.confirmed else None


def take(
    label: str,
    raw: Raw,
    roles: Mapping[str, Role] | None = None,
    treated: str = "",
    categories: frozenset[str] = frozenset(),
) -> OwnTable:
    """Make this the session's table, in place of the one before; roles that are not given are guessed."""
    before = loaded()
    table = OwnTable(
        label=" ".join("".join(letter for letter in label if letter.isprintable()).split())[:_MOST_LABEL] or "table",
        number=1 if before is None else before.number + 1,
        raw=raw,
        held=held(raw),
        roles=guessed_roles(raw) if roles is None else {name: roles.get(name, "ignore") for name in raw.columns},
        treated=treated,
        categories=categories,
    )
    st.session_state[_TABLE] = table
    return table


def take_example(example: Example, raw: Raw) -> OwnTable:
    """`take` of an example, with its own roles."""
    return take(example.title, raw, example.roles, example.treated or "", frozenset(example.categories))


def say(
    table: OwnTable,
    roles: Mapping[str, Role],
    treated: str,
    categories: frozenset[str],
    group_environments: int | None,
    measured_before: bool,
    signal: str = "",
) -> OwnTable:
    """The table with what a person says of it; what was confirmed otherwise has to be confirmed again."""
    said = (roles, treated, categories, group_environments, signal)
    if said != (table.roles, table.treated, table.categories, table.group_environments, table.signal):
        table = replace(
            table,
            roles=roles,
            treated=treated,
            categories=categories,
            group_environments=group_environments,
            signal=signal,
            source=None,
            by_content=None,
            look=None,
            _hold=None,
        )
    if measured_before != table.measured_before:
        table = replace(table, measured_before=measured_before)
    st.session_state[_TABLE] = table
    return table


def confirm(table: OwnTable) -> OwnTable:
    """The table with its source and the look at it. Raises TableRefused with one sentence.

    Its rows are kept under a name drawn at random: whoever guesses a small table can guess the hash of its content, and
    a bundle with that in it would reach them.
    """
    known = table_source(
        table.raw,
        table.roles,
        treated=table.treated,
        label=table.label,
        categories=table.categories,
        group_environments=table.group_environments,
        signal=table.signal,
    )
    forget(known.content)
    source = replace(known, content=secrets.token_hex(32))
    table = replace(table, source=source, by_content=known, _hold=_Hold(source.content))
    load(source, table.columns)
    table = replace(table, look=look_at(source, table.raw))
    st.session_state[_TABLE] = table
    return table


def kept(table: OwnTable) -> OwnTable:
    """The table as one whose rows are found on this machine; this session's copy of them is forgotten."""
    table = replace(table, borrowed=False, source=table.by_content, _hold=None)
    st.session_state[_TABLE] = table
    return table


def open_kept(source: TableSource, columns: Mapping[str, np.ndarray]) -> OwnTable:
    """Make a table that was kept on this machine the session's, with the roles that it has in `source`."""
    raw = Raw(columns=columns)
    numbers = {name for name, values in columns.items() if values.dtype.kind == "f"}
    categories = {column.name for column in source.covariates if column.kind == "category"} & numbers
    roles = {column.name: column.role for column in source.columns}
    table = take(source.label, raw, roles, source.arms[1], frozenset(categories))
    grouped = source.n_envs if OTHER in source.env_names else None
    table = replace(
        table,
        group_environments=grouped,
        signal=next((column.signal for column in source.covariates if column.signal), ""),
        borrowed=True,
        source=source,
        by_content=source,
        look=look_at(source, raw),
    )
    st.session_state[_TABLE] = table
    return table


def leave() -> None:
    """Forget the session's table."""
    st.session_state.pop(_TABLE, None)
