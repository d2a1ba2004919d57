"""The form in which a person says what each column is; nothing counts until it is confirmed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from crl_core.data.scenario import MAX_ENVS
from crl_core.data.tables.columns import SINGLE, Role, TableRefused, levels_of
from crl_core.data.tables.making import LEAST_IN_ENV, plain_treated
from crl_core.data.tables.reading import MOST_NAME
from crl_core.data.tables.signals import LEAST_SAMPLES, samples_of
from pages.shared import own_table
from pages.shared.data_panels import refused
from pages.shared.own_table import OwnTable
from pages.shared.style import count, panel_title, plain, quiet

_LABELS: dict[Role, tuple[str, str]] = {
    "outcome": ("Outcome", "What the treatment may change: numbers, or two values."),
    "treatment": ("Treatment", "Who received it."),
    "environment": (
        "Environment",
        f"Where a row comes from: a site, a clinic, a school. Of more than {MAX_ENVS} values small ones are taken "
        "together. It may be none.",
    ),
    "mu0": ("True mean outcome, untreated", "Known in a simulation only."),
    "mu1": ("True mean outcome, treated", "Known in a simulation only."),
}
_MOST_OFFERED = 200  # values of a treatment
_MOST_AT_ONCE, _HEIGHT = 16, 580  # columns that are listed without scrolling; pixels of a list that scrolls
_KINDS = {"number": "number", "category": "text", "date": "date"}
_SHOWN: dict[str, str] = {
    "mu0": "true y, untreated",
    "mu1": "true y, treated",
    "ignore": "left out",
    "id": "name of a row",
}


def roles_form(table: OwnTable) -> None:
    """Fields for every role beside what the columns hold, and the button that confirms them."""
    left, right = st.columns([5, 6])
    with left, st.container(key="panel_data_roles", height="stretch"):
        panel_title("What each column is", "guessed by name and by what the cells hold: check it")
        table, twice = _fields(table)
        problem = twice
        if st.button(
            "Confirm roles", type="primary", key="data.confirm", disabled=twice is not None or table.confirmed
        ):
            try:
                with st.spinner("Looking at overlap, balance and leaks"):
                    own_table.confirm(table)
                st.rerun()
            except TableRefused as error:
                problem = str(error)
        if problem is not None:
            refused("These roles cannot be", problem)
    with right, st.container(key="panel_data_columns", height="stretch"):
        n = sum(role == "covariate" for role in table.roles.values())
        panel_title("What this file holds", f"{count(len(table.held), 'column')}, of which {count(n, 'covariate')}")
        height = "content" if len(table.held) <= _MOST_AT_ONCE else _HEIGHT
        st.dataframe(columns(table), hide_index=True, width="stretch", height=height)


def columns(table: OwnTable) -> pd.DataFrame:
    """One row a column: its role, its kind, how many values it has and how much of it is missing."""
    samples = samples_of(list(table.raw.columns), table.signal) if table.signal else ()
    return pd.DataFrame(
        [
            (
                item.name,
                _SHOWN.get(table.roles[item.name], table.roles[item.name]),
                "category"
                if item.name in table.categories
                else "sample"
                if item.name in samples
                else _KINDS[item.kind],
                item.n_values,
                f"{100 * item.missing:.3g} %" if item.missing else "",
            )
            for item in table.held
        ],
        columns=["Column", "Role", "Kind", "Values", "Missing"],
    )


def _fields(table: OwnTable) -> tuple[OwnTable, str | None]:
    """The table with what the fields say, and what is wrong with them where one column has two roles."""
    chosen: dict[Role, str | None] = {}
    for role in ("outcome", "treatment"):
        chosen[role] = _column(table, role)
    treated = _treated(table, chosen["treatment"])
    chosen["environment"] = _column(table, "environment")
    group = _grouped(table, chosen["environment"])
    left_out = _several(table, "Left out", "ignore", "Columns that have no part.")
    ids = _several(table, "Names of rows", "id", "They go along into files of effects, and are not learnt from.")
    with st.expander("Categories, a signal, and true effects"):
        categories = st.multiselect(
            "Numbers that name a category",
            [item.name for item in table.held if item.kind == "number"],
            default=sorted(table.categories),
            key=f"data.{table.number}.categories",
            help="Codes such as 1, 2, 3 for a region: each becomes an input of its own.",
        )
        signal = st.text_input(
            "Columns that are one signal begin with",
            table.signal,
            max_chars=MOST_NAME,
            key=f"data.{table.number}.signal",
            placeholder="none",
            help="ecg for ecg1, ecg2, …: samples in order of time. They have one mean and one standard deviation, so "
            f"that the flat parts of a trace are not blown up. {LEAST_SAMPLES} samples at least, without gaps.",
        ).strip()
        chosen["mu0"], chosen["mu1"] = _column(table, "mu0"), _column(table, "mu1")
    before = st.checkbox(
        "All covariates were measured before the treatment was given",
        value=table.measured_before,
        key=f"data.{table.number}.before",
        help="A column that the treatment has changed takes a part of its effect away.",
    )
    having = [name for name in chosen.values() if name is not None]
    twice = next((name for name in having if having.count(name) > 1), None)
    if twice is not None:
        words = " and ".join(_LABELS[role][0].lower() for role in SINGLE if chosen[role] == twice)
        return table, f"{twice} is chosen as {words}; one column has one role."
    try:
        samples = samples_of(list(table.raw.columns), signal) if signal else ()
    except TableRefused as error:
        return table, str(error)
    roles: dict[str, Role] = {
        name: "covariate" if name in samples else "ignore" if name in left_out else "id" if name in ids else "covariate"
        for name in table.raw.columns
    }
    roles |= {name: role for role, name in chosen.items() if name is not None}
    said = own_table.say(table, roles, treated, frozenset(categories), group, before, signal)
    if table.confirmed and said is not table:
        st.rerun()  # what stands above is of what was said before
    return said, None


def _column(table: OwnTable, role: Role) -> str | None:
    names = list(table.raw.columns)
    having = [name for name in names if table.roles[name] == role]
    label, help = _LABELS[role]
    return st.selectbox(
        label,
        names,
        index=names.index(having[0]) if having else None,
        key=f"data.{table.number}.{role}",
        placeholder="choose a column" if role in ("outcome", "treatment") else "none",
        help=help,
    )


def _grouped(table: OwnTable, environment: str | None) -> int | None:
    """How many environments there are to be, where a column has too many values, or some with few rows."""
    if environment is None:
        return None
    n_values = next(item.n_values for item in table.held if item.name == environment)
    sizes = pd.Series(table.raw.columns[environment]).value_counts().to_numpy()  # the largest first
    if n_values < 3 or sizes[0] < LEAST_IN_ENV or (n_values <= MAX_ENVS and sizes[-1] >= LEAST_IN_ENV):
        return None
    most = min(n_values, MAX_ENVS) - 1
    rest = sizes.sum() - np.cumsum(sizes[:most])
    kept = int(
        st.number_input(
            f"Largest values of {plain(environment)} kept apart, the rest together",
            1,
            most,
            value=max(1, int(((sizes[:most] >= LEAST_IN_ENV) & (rest >= LEAST_IN_ENV)).sum())),
            format="%d",
            key=f"data.{table.number}.group.{environment}",
            help=f"The largest of its {n_values} values; rows of all others together are one more environment. An "
            f"environment needs {LEAST_IN_ENV} rows.",
        )
    )
    return kept + 1


def _several(table: OwnTable, label: str, role: Role, help: str) -> list[str]:
    names = list(table.raw.columns)
    return st.multiselect(
        label,
        names,
        default=[name for name in names if table.roles[name] == role],
        key=f"data.{table.number}.{role}",
        placeholder="none",
        help=help,
    )


def _treated(table: OwnTable, treatment: str | None) -> str:
    """Which of the treatment's values means treated; "" where none is chosen."""
    if treatment is None:
        return ""
    levels = levels_of(table.raw.columns[treatment])
    if len(levels) > _MOST_OFFERED:
        quiet(f"{treatment} has {len(levels):,} values; a treatment has a few.")
        return ""
    known = table.treated if table.treated in levels else plain_treated(levels)
    chosen = st.selectbox(
        "Treated means",
        levels,
        index=levels.index(known) if known else None,
        key=f"data.{table.number}.treated.{treatment}",
        placeholder="choose a value",
        help="All other values count as untreated. Another choice turns the sign of the effect.",
    )
    return chosen or ""
