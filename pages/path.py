"""Which λ estimates effects best, which one would be chosen without the truth, and what does the difference cost?"""

import numpy as np
import streamlit as st

from crl_core.measures.lam_choice import choices_of, cost_of, cost_said
from pages.shared import (
    edits_panel,
    effects_unjudged,
    figure,
    page_header,
    path_averages,
    path_live,
    path_panels,
    prediction_panel,
    quiet,
    require,
    run_in_view,
)
from pages.shared.tables import say

require()
run = run_in_view(live=path_live.draw)
found, without_pick = choices_of(run.result, run.evidence)
oracle, factual = found[0], found[1]
best = float(np.nanmedian(oracle.ite_rmse)) if np.isfinite(oracle.ite_rmse).any() else None
cost = cost_of(factual)
has_truth = run.result.ite_rmse is not None
says = (
    "What the penalty costs can be measured by anyone; what it buys shows where the same rows are recorded otherwise."
    if run.config.without_effect
    else "The curve says what the penalty buys; the rows of marks below it say which λ one would have chosen."
)
page_header(
    f"One trained network for every λ, {run.config.training.replicates} times over. {says}",
    [
        (f"{run.lam:g}", "λ shown"),
        (figure(run.at_lam(run.result.ite_rmse)), "effect error"),
        (figure(best), "effect error, oracle"),
        ("–" if cost is None else f"×{cost:.1f}", "cost of choosing blind"),
    ]
    if has_truth
    else effects_unjudged.label_numbers(run)
    if run.config.without_effect
    else path_averages.header_numbers(run),
)

if run.config.table is not None:
    with st.container(key="panel_path_average"):
        path_averages.draw(run)
if has_truth:
    with st.container(key="panel_path_error"):
        path_panels.effect_error(run, found)
        say(cost_said(oracle, factual, run.result.lams))
elif run.config.without_effect:
    quiet("Treatment has no part in this outcome, so no λ has an effect error.")
    prediction_panel.draw(run)
    edits_panel.draw(run)
else:
    quiet("The true effects of this data are not known, so no λ has an effect error.")
others = path_panels.there(run)
for first in range(0, len(others), 3):
    for column, metric in zip(st.columns(3), others[first : first + 3], strict=False):
        with column, st.container(key=f"panel_path_{metric.name}", height="stretch"):
            path_panels.along(run, metric)
if has_truth:
    with st.container(key="panel_path_rules"):
        path_panels.rules(run, found, without_pick)
