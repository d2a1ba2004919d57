"""Which column of a table a page is asked about."""

from __future__ import annotations

import streamlit as st

from crl_core.data.tables.columns import Column
from crl_core.data.tables.private import PrivateRows
from crl_core.data.tables.source import TableSource
from pages.shared import own_table
from pages.shared.run_view import RunInView


def words_of(run: RunInView) -> TableSource | None:
    """The run's table with the names of its columns and levels; None where they are not known here."""
    table = run.config.table.words if isinstance(run.config.table, PrivateRows) else run.config.table
    return table if isinstance(table, TableSource) else None


def covariates_of(run: RunInView) -> tuple[Column, ...]:
    """The covariates of the run's table, in the order of its inputs; a number for each input, where no more is known
    of them here."""
    if (table := words_of(run)) is not None:
        return table.covariates
    return tuple(Column(name=name, role="covariate", kind="number") for name in run.config.source.features)


def choose(run: RunInView, label: str, key: str) -> int:
    """A field for one covariate; its index. What was chosen in one table is not taken for a choice in the next."""
    names = [column.name for column in covariates_of(run)]
    loaded = own_table.loaded()
    number = 0 if loaded is None else loaded.number
    chosen = st.selectbox(label, names, key=f"{key}.{number}", persist_state="session", width=260)
    return names.index(chosen) if chosen in names else 0
