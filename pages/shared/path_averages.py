"""Average effects along λ on the λ path page of a table, and the λ that two rules without the truth would choose."""

from __future__ import annotations

from collections import Counter

import numpy as np
import streamlit as st

from crl_core.figures import effects_along_lam, palette
from crl_core.measures.lam_choice import picked_by
from pages.shared import row_views, sidebar
from pages.shared.lam_tap import chart_along
from pages.shared.row_views import effect_said
from pages.shared.run_view import RunInView
from pages.shared.style import quiet
from pages.shared.tables import say


def draw(run: RunInView) -> None:
    """The figure in which a collapse to the naive answer shows, and which λ is chosen."""
    found = row_views.average(run)
    drawn = effects_along_lam(
        found.lams,
        found.ate,
        found.att,
        row_views.levels(run),
        found.picked,
        palette(run.theme),
        title="Average effects along λ",
    )
    chart_along(drawn, "path.average", found.lams)
    quiet(
        f"Mean effect over all rows and over the treated; band: {len(found.ate)} fits. Dashed: without a network, "
        "least squares (LS) per arm for both. Where a large λ draws both curves to the naive "
        "difference, alignment erases what made the arms comparable, and the error hardly notices."
    )
    say(_chosen(run))
    offer_chosen(run)


def header_numbers(run: RunInView) -> list[tuple[str, str]]:
    """The large figures of a run without true effects."""
    found, at = row_views.average(run), run.result.lams.index(run.lam)
    return [
        (f"{run.lam:g}", "λ shown"),
        (effect_said(run, float(np.nanmean(found.ate[:, at]))), "average effect"),
        (effect_said(run, float(np.nanmean(found.att[:, at]))), "on the treated"),
        ("–" if found.lam is None else f"{found.lam:g}", "λ chosen"),
    ]


def offer_chosen(run: RunInView) -> None:
    """Where another λ is in view than the one that is chosen: the way to it."""
    lam = row_views.average(run).lam
    if lam is not None and lam != run.lam:
        st.button(
            f"Show λ = {lam:g}, the one of least validation error",
            key="rows.chosen",
            on_click=sidebar.move_lam,
            args=(lam,),
        )


def _chosen(run: RunInView) -> str:
    """What is chosen without the truth, and whether a second rule agrees."""
    found = row_views.average(run)
    if found.picked is None:
        return "No λ has fits that all predict, so none is chosen."

    def effect(at: int) -> str:
        return effect_said(run, float(np.nanmean(found.ate[:, at])))

    rule = "validation error" if run.result.validation_mse is not None else "held-out factual error"
    words = f"Chosen: λ = {found.lam:g}, of least {rule}, where the average effect is {effect(found.picked)}."
    other = None if run.evidence is None else _most_picked(picked_by("r_score", run.evidence))
    if other is None:
        return words
    if other == found.picked:
        return f"{words} The R-score chooses it, too."
    words += f" The R-score would choose λ = {found.lams[other]:g}, where it is {effect(other)}: "
    apart = abs(float(np.nanmean(found.ate[:, other] - found.ate[:, found.picked])))
    if len(found.ate) > 1 and apart <= float(np.nanstd(found.ate[:, found.picked], ddof=1)):
        return words + "less apart than the fits are, so the choice matters little."
    return words + "the two disagree, so take the choice for a guess."


def _most_picked(index: np.ndarray) -> int | None:
    """What most replicates pick, the smaller λ among equals; None where none picks any."""
    picked = Counter(int(at) for at in index if at >= 0)
    return min(picked, key=lambda at: (-picked[at], at)) if picked else None
