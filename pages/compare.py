"""What is different between two to eight stored runs, and is the difference more than chance?"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from crl_core.figures import palette
from crl_core.figures.compare import LETTERS
from crl_core.measures.cautions import cautions_of
from pages.shared import RunInView, controls, figure, page_header, quiet, require, server_cache, style
from pages.shared.compare_invite import invite
from pages.shared.compare_pictures import errors_and_settings, learning, pictures
from pages.shared.compare_runs import OWN_LAM, at_own_lam, choose, each_lam, name_of, notes, opened
from pages.shared.compare_tables import differences_from_a
from pages.shared.fields import lam_text
from pages.shared.run_view import warn
from pages.shared.table_kept import can_open, open_run

_MOST_NUMBERS = 4  # runs whose errors stand in the head of the page
_SAYS = (
    "Stored runs side by side: where their settings differ, what they learned, and whether their figures differ by "
    "more than chance. All runs are shown at the λ of the sidebar; runs of different penalties each at a λ of its own."
)

require()


def main() -> None:
    stored = {run.key: run for run in server_cache.library().runs()}
    head = st.container()
    chosen = choose(stored)
    for sentence in notes():
        st.error(style.plain(sentence))
    lam = controls().lam
    runs = [run for key in chosen if (run := opened(key, lam)) is not None]
    if apart := len({run.config.training.penalty for run in runs}) > 1:
        runs = [at_own_lam(run) for run in runs]
    asked = "their own" if apart else lam_text(lam)
    with head:
        page_header(_SAYS, numbers(runs, asked) if len(runs) > 1 else ())
    if len(runs) < 2:
        invite(stored, runs)
        return
    ink = palette(style.theme())
    for letter, run in zip(LETTERS, runs, strict=False):
        warn(f"{letter}: {caution}" for caution in cautions_of(run.result))
    quiet(OWN_LAM + f" Here: {each_lam(runs)}." if apart else whose_lam(runs, lam))
    errors_and_settings(runs, ink)
    pictures(runs, ink)
    learning(runs, ink)
    differences_from_a(runs)
    open_one(runs)


def numbers(runs: Sequence[RunInView], lam: str) -> list[tuple[str, str]]:
    """The λ that was asked for, and each run's error where there is room, in large figures."""
    if len(runs) > _MOST_NUMBERS:
        return [(str(len(runs)), "runs"), (lam, "λ shown")]
    return [(lam, "λ shown")] + [
        (figure(run.at_lam(run.result.ite_rmse)), f"{letter}, effect error")
        for letter, run in zip(LETTERS, runs, strict=False)
    ]


def whose_lam(runs: Sequence[RunInView], lam: float) -> str:
    """Which λ each run shows, where its grid does not have the one that was asked for."""
    other = each_lam(runs, besides=lam)
    if not other:
        return f"All runs at λ = {lam_text(lam)}."
    return f"λ = {lam_text(lam)} was not trained in every run; the nearest is shown: {other}."


def open_one(runs: Sequence[RunInView]) -> None:
    """The way to a run's own pages, and to its λ grid in the sidebar."""
    with st.container(horizontal=True, vertical_alignment="center"):
        for letter, run in zip(LETTERS, runs, strict=False):
            st.button(
                f"Open {letter}",
                key=f"compare.open_{letter}",
                on_click=open_run,
                args=(run.config,),
                disabled=not can_open(run.config),
                help=f"Sets the sidebar to {name_of(run.config)}, its λ grid included.",
            )
        quiet("Opening a run sets the sidebar to it, so that every page shows it and λ moves along its grid.")


main()
