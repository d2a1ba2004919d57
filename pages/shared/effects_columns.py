"""The Effects page of a table without true effects: with which columns effects go, and effects by group."""

from __future__ import annotations

import numpy as np
import streamlit as st

from crl_core.data.tables.columns import placed
from crl_core.figures import columns_that_move_effects, effect_by_inputs, palette
from crl_core.figures.effect_columns import MOST_SHOWN
from crl_core.measures.effect_checks import LEAST_IN_GROUP, WIDE, Groups
from crl_core.measures.effect_importance import DRAWS, effect_importance
from crl_core.measures.effect_words import columns_words, p_words, projection_words
from crl_core.measures.linear_projection import LinearProjection, linear_projection
from crl_core.measures.subgroups import RARE_ROWS, RARE_SHARE, ColumnEffects, effects_by_column, rare_arm
from pages.shared import row_views
from pages.shared.covariates import choose, covariates_of
from pages.shared.row_views import effect_said
from pages.shared.run_view import RunInView
from pages.shared.style import count, panel_title, quiet
from pages.shared.tables import chart, table

_COLUMNS_SAY = "predicted: mean τ̂; found: doubly robust, ± one standard error"


def draw(run: RunInView) -> None:
    """All panels about columns."""
    left, right = st.columns([11, 9])
    with left, st.container(key="panel_effects_projection", height="stretch"):
        _projection(run)
    with right, st.container(key="panel_effects_importance", height="stretch"):
        _importance(run)
    if (rare := _rare(run)) is not None:
        quiet(rare)
        return
    left, right = st.columns(2)
    with left, st.container(key="panel_effects_sites", height="stretch"):
        _by_environment(run)
    with right, st.container(key="panel_effects_columns", height="stretch"):
        _by_column(run)


def _projection(run: RunInView) -> None:
    covariates = covariates_of(run)
    rows, known = row_views.rows_of(run)[0], row_views.known(run)
    found: LinearProjection = row_views.once(
        run, "projection", lambda: linear_projection(row_views.scores_of(run), known.clipped, rows.x, covariates)
    )
    chart(effect_by_inputs(found, palette(run.theme), title="With which columns does the effect go?"), "effects.blp")
    quiet(projection_words(found))
    parts = [
        "The best linear projection of doubly robust scores on all inputs at once, each in standard deviations (sd); "
        f"bars: ± {WIDE:g} robust standard errors (HC3). Of the network it knows nothing.",
        f"{found.n_clipped:,} of {found.n:,} rows are hardly ever given the other treatment; the more they are, the "
        "less this means.",
    ]
    if len(found.terms) > MOST_SHOWN:
        parts.append(f"The {MOST_SHOWN} largest of {len(found.terms)} are drawn.")
    if found.left_out:
        parts.append(
            f"Without a part, since they hardly vary or follow from others: {count(len(found.left_out), 'input')}."
        )
    quiet(" ".join(parts))


def _importance(run: RunInView) -> None:
    at, covariates = run.result.lams.index(run.lam), covariates_of(run)
    seed = run.config.training.seed
    found: np.ndarray = row_views.once(
        run, f"importance at {at}", lambda: effect_importance(run.result, run.view, at, covariates, seed)
    )
    moved = {column.name: value for column, value in zip(covariates, found.tolist(), strict=True)}
    drawn = columns_that_move_effects(moved, palette(run.theme), title=f"Which columns move τ̂, λ = {run.lam:g}?")
    chart(drawn, "effects.importance")
    quiet(
        f"Root mean square change of a row's τ̂, the mean of all fits, where a column is shuffled among {len(run.view)} "
        f"held-out rows, {DRAWS} times. It says what the network uses, not what is so: a column that moves τ̂ here and "
        "has no part on the left is not confirmed by the rows."
    )


def _rare(run: RunInView) -> str | None:
    """Why there are no tables of groups; None where there are."""
    counts = np.bincount(row_views.rows_of(run)[0].t, minlength=2)
    arm = rare_arm(counts)
    if arm is None:
        return None
    return (
        f"{counts[arm]:,} of {counts.sum():,} rows are {('untreated', 'treated')[arm]}, too few for tables of groups: "
        f"those need {RARE_ROWS} rows and {100 * RARE_SHARE:.0f} % in each arm."
    )


def _by_environment(run: RunInView) -> None:
    panel_title("By environment", _COLUMNS_SAY)
    _groups(run, "environment", row_views.checked(run).by_env)
    quiet(
        "Clipped are rows that are hardly ever given the other treatment; where they are many, what is found means "
        "nothing."
    )


def _by_column(run: RunInView) -> None:
    panel_title("By a column, its categories or thirds", _COLUMNS_SAY)
    at = run.result.lams.index(run.lam)
    every: list[ColumnEffects] = row_views.once(run, f"columns at {at}", lambda: _every_column(run))
    chosen = choose(run, "Column", "effects.column")
    found = every[chosen]
    _groups(run, covariates_of(run)[chosen].name, found.groups)
    words = f"Is the effect the same in all groups? {p_words(found.p)} (Welch)." if np.isfinite(found.p) else ""
    quiet(f"{words} {columns_words([item.p for item in every])}".strip())


def _every_column(run: RunInView) -> list[ColumnEffects]:
    """Of each covariate, on the rows that some fit did not see."""
    x, scores, effects = row_views.rows_of(run)[0].x, row_views.scores_of(run), row_views.of_rows(run).out_of_fold
    seen, clipped = np.isfinite(effects), row_views.known(run).clipped
    return [
        effects_by_column(scores[seen], effects[seen], clipped[seen], column, x[seen, place])
        for column, place in placed(covariates_of(run))
    ]


def _groups(run: RunInView, of: str, groups: Groups) -> None:
    table(
        [of, "rows", "clipped", "predicted", "found"],
        [
            (
                item.name,
                f"{item.n:,}",
                f"{item.n_clipped:,}",
                effect_said(run, item.predicted),
                f"{effect_said(run, item.effect)} ± {effect_said(run, item.se, signed=False)}",
            )
            for item in groups.shown
        ],
    )
    if groups.hidden:
        quiet(f"Not shown: {count(groups.hidden, 'group')} of fewer than {LEAST_IN_GROUP} rows.")
