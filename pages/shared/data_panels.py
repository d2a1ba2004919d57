"""The panels of the Data page: answers, arms, overlap, balance, and what was found."""

from __future__ import annotations

import streamlit as st

from crl_core.data.tables.columns import OTHER
from crl_core.data.tables.source import TableSource
from crl_core.figures import tables as drawn
from crl_core.figures.palette import Palette
from crl_core.world.sizes import RARE
from crl_core.world.table_checks import Look
from crl_core.world.table_verdict import TableVerdict
from pages.shared.checks import checks
from pages.shared.own_table import OwnTable
from pages.shared.style import notice, plain, quiet
from pages.shared.tables import chart, table

_ORDER = ("cannot", "beware", "note")


def reading_notes(own: OwnTable) -> None:
    """What was read otherwise than as it is written."""
    for note in own.raw.notes:
        st.warning(plain(note))


def answers(verdict: TableVerdict, ink: Palette) -> None:
    """The questions of the verdict, with how they stand."""
    checks([(item.status, item.question, item.says, item.why) for item in verdict.answers], ink["bad"])


def overlap(look: Look, ink: Palette) -> None:
    """Propensities by arm."""
    chart(drawn.overlap(look.propensity, look.t, RARE, ink), "data.overlap")
    quiet(
        "Bars: the share of an arm's rows that have this chance of being treated; heights grow with its root. Where "
        "one side alone has bars, the other outcome of these rows is extrapolated. Shaded: below 5 % or above 95 %."
    )


def arms(source: TableSource, look: Look, ink: Palette) -> None:
    """Rows of each arm in each environment."""
    chart(drawn.arms_by_env(look.arms, source.env_names, ink), "data.arms")
    name = source.named("environment")
    together = f" Its smaller ones together are {OTHER}." if OTHER in source.env_names else ""
    quiet("No column is the environment." if name is None else f"Environments are the values of {name}.{together}")


def balance(look: Look, ink: Palette) -> None:
    """The inputs in which the arms differ most."""
    chart(drawn.balance(look.differences, ink), "data.balance")
    n = sum(abs(value) > drawn.BALANCED for value in look.differences.values())
    more = len(look.differences) > drawn.MOST_SHOWN
    quiet(
        f"Means of the treated minus those of the untreated, in standard deviations: {n} of {len(look.differences)} "
        f"inputs differ by more than {drawn.BALANCED:g}{f', the largest {drawn.MOST_SHOWN} are drawn' if more else ''}."
    )


def findings(own: OwnTable, ink: Palette) -> None:
    """Rows that are left out, and every warning."""
    source, look = own.source, own.look
    assert source is not None
    assert look is not None
    if look.left_out:
        table(
            ["Rows left out", "rows"],
            [(why, f"{n:,}") for why, n in look.left_out.items()],
        )
    else:
        quiet("No row is left out.")
    found = sorted(look.findings, key=lambda item: _ORDER.index(item.weight))
    if found:
        checks([(item.weight, "", item.sentence, "") for item in found], ink["bad"])
    else:
        quiet("Nothing to beware of was found.")


def refused(title: str, sentence: str) -> None:
    """Why something was not done, in a sentence; what was there before is still there."""
    notice(title, "The " + sentence[4:] if sentence.startswith("the ") else sentence)  # a column's name stays
