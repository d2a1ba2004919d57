"""Are the estimated effects right, for whom, and where in the plane of cause and nuisance?"""

import streamlit as st

from pages.shared import (
    edits_panel,
    effects_live,
    effects_panels,
    effects_unjudged,
    figure,
    page_header,
    planted_panel,
    require,
    run_in_view,
)
from pages.shared.model_views import effects
from pages.shared.tables import say, signed

require()
run = run_in_view(live=effects_live.draw)
if run.config.without_effect:
    effects_unjudged.without_effect(run)
    edits_panel.draw(run)
    st.stop()
if run.result.ite_rmse is None or run.view.ite is None:
    page_header(
        "What the network says treatment does to each row. The true effects of this data are not known, "
        "so the rows themselves are asked whether it holds.",
        effects_unjudged.header_numbers(run),
        terms="effects.unjudged",
    )
    effects_unjudged.draw(run)
    planted_panel.draw(run)
    st.stop()
found = effects(run)
scores = found.scores
bias = None if scores is None else run.at_lam(scores.bias)
correlation = None if scores is None else run.at_lam(scores.correlation)
page_header(
    "What the network says treatment does to each held-out unit, beside what it really does. "
    "The truth is known only in simulation.",
    [
        (f"{run.lam:g}", "λ shown"),
        (figure(run.at_lam(run.result.ite_rmse)), "effect error"),
        (signed(bias), "bias"),
        ("–" if found.constant else figure(correlation), "correlation"),
    ],
)
if run.status != "ok":
    say(f"At λ = {run.lam:g} the first replicate {run.status}; {run.others}.")
elif run.config.table is not None and run.config.training.replicates > 1:
    say(effects_unjudged.mean_of_fits(run))

apart = False
if len(run.env_names) > 1 and not found.constant:
    split = st.segmented_control(
        "Show rows",
        ["all together", "each environment"],
        default="all together",
        key="effects.split",
        persist_state="session",
        required=True,
    )
    apart = split == "each environment"
left, right = st.columns([11, 9])
with left, st.container(key="panel_effects_scatter", height="stretch"):
    effects_panels.estimates(run, found, apart)
with right:
    with st.container(key="panel_effects_errors"):
        effects_panels.errors(run)
    with st.container(key="panel_effects_table", height="stretch"):
        effects_panels.by_environment(run, found)
with st.container(key="panel_effects_baselines"):
    effects_panels.baselines(run)
effects_panels.maps(run, found)
edits_panel.draw(run)
effects_unjudged.take_home(run)
planted_panel.draw(run)
