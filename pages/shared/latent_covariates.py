"""Covariates on the Latent page of a table: rows in their colours, and which of them the latent still holds."""

from __future__ import annotations

import numpy as np
import streamlit as st

from crl_core.data.scm import along
from crl_core.data.tables.columns import MISSING, OTHER, Column, decoded, placed
from crl_core.figures import Units, kept_covariates, palette
from crl_core.figures.kept_covariates import MOST_SHOWN
from crl_core.measures.covariate_probes import CovariateProbes, covariate_probes, probe_sentences
from pages.shared import row_views
from pages.shared.covariates import choose, covariates_of, words_of
from pages.shared.run_view import RunInView
from pages.shared.style import panel_title, quiet
from pages.shared.tables import chart, say

OUTCOME, COVARIATE = "outcome", "a covariate"
_NO_KIND = frozenset((OTHER, MISSING))


def colours_of(run: RunInView) -> list[str]:
    """What rows can be coloured by besides environment and treatment."""
    if run.config.table is not None:
        return [OUTCOME, COVARIATE]
    return [] if run.view.z is None or run.view.s is None else ["z", "s"]


def coloured(run: RunInView, by: str) -> tuple[str, Units]:
    """What rows are coloured by, and all that their picture needs; a covariate is chosen in a field of its own."""
    view = run.view
    amounts = {} if view.z is None or view.s is None else {"z": along(view.z), "s": along(view.s)}
    kinds = {}
    if by == OUTCOME:
        if run.config.source.two_outcomes:
            table = words_of(run)
            kinds[by] = (view.y.astype(np.int64), ("0", "1") if table is None else table.outcomes)
        else:
            amounts[by] = view.y
    elif by == COVARIATE:
        column, place = placed(covariates_of(run))[choose(run, "Covariate", "latent.covariate")]
        values, by = decoded(column, view.x[:, place]), column.name
        if column.kind == "category":
            kinds[by] = (values.astype(np.int64), (*column.levels, OTHER))
        elif np.unique(values[~np.isnan(values)]).size <= 2:
            levels = np.unique(values[~np.isnan(values)])
            kinds[by] = (np.searchsorted(levels, values), (*(f"{level:.15g}" for level in levels), MISSING))
        else:
            by, values = (f"{by}, year", _years(column, values)) if column.kind == "date" else (by, values)
            amounts[by] = values
    return by, Units(env=view.env, t=view.t, env_names=run.env_names, amounts=amounts, kinds=kinds, no_kind=_NO_KIND)


def _years(column: Column, days: np.ndarray) -> np.ndarray:
    """Years with their fraction, of days since the column's start."""
    start = np.datetime64(column.start, "D").astype(np.int64)
    return np.asarray(1970 + (start + days) / 365.2425)


def kept(run: RunInView) -> None:
    """Which covariates can be read from the latent without a penalty, and which still at the λ in view."""
    at, covariates, lams = run.result.lams.index(run.lam), covariates_of(run), run.result.lams
    found: CovariateProbes = row_views.once(
        run, f"covariates kept at {at}", lambda: covariate_probes(run.result, run.view.x, at, covariates)
    )
    both = (lams[0], run.lam)
    with st.container(key="panel_kept_covariates"):
        panel_title(
            "Which covariates does the latent still hold?",
            "R² of each from the latent by ridge regression, cross-validated on held-out rows",
        )
        left, right = st.columns([3, 2])
        with left:
            drawn = kept_covariates(found, both, palette(run.theme), title="R² of covariates from the latent")
            chart(drawn, "latent.kept")
        with right:
            say(probe_sentences(found, both, run.config.training.align))
            rest = len(found.by_loss) - MOST_SHOWN
            quiet(
                f"Those that lost most stand first{f'; {rest} more are not drawn' if rest > 0 else ''}. Median over "
                f"{run.config.training.replicates} fits, {len(run.view)} rows. A category counts by all its levels "
                "together, a missing number as its median. What can be read need not be used by the heads."
            )
