"""The sidebar's world before training: its graph, numbers and rows, and what alignment assumes of it."""

import streamlit as st

from crl_core.figures import palette
from crl_core.measures.baselines import best_said
from crl_core.measures.cautions import cautions_before
from crl_core.world.assumptions import assumptions
from crl_core.world.environments import env_rows, spread_over
from crl_core.world.equations import equations, notes
from crl_core.world.graph import dot
from crl_core.world.graph import said as graph_said
from crl_core.world.outlook import outlook
from pages.shared import controls, page_header, quiet, require, scenario_panels, server_cache
from pages.shared.checks import checks
from pages.shared.places import page_file
from pages.shared.run_view import warn
from pages.shared.style import notice, panel_title, theme
from pages.shared.tables import say

_ROWS = 900  # rows drawn, of all environments together
_MEASURED = {
    "helps": "alignment helps",
    "helps the network, not you": "alignment helps the network, but a simpler way needs no help",
    "nothing to gain": "alignment gains nothing",
    "hurts": "alignment hurts",
    "destroys": "alignment destroys the effect",
}

require()
asked = controls()
if asked.config is None:
    page_header(asked.preset.sentence)
    notice("These settings cannot be a world", asked.problem or "")
    st.stop()

if asked.config.table is not None:
    page_header(asked.sentence)
    notice("This page draws equations", "The rows come from a table, of which none are known.")
    st.page_link(page_file("data"), label="What its rows hold: arms, overlap and balance, on “Your table”")
    st.stop()

config, preset, names = asked.config, asked.preset, asked.env_names
scenario, align, ink = config.scenario, config.training.align, palette(theme())
word = preset.env_word
said = cautions_before(config)
expected = outlook(scenario, align, word)
page_header(
    asked.sentence,
    [(expected.word, "expectation from the numbers")]
    + ([] if said else [(preset.verdict, "verdict measured on the preset")]),
)
warn(said)
say(expected.sentence)
if changed := scenario_panels.changes(config, preset):
    quiet(
        f"Changed from the preset ({', '.join(changed)}): the verdict may not hold; the expectation is of the numbers "
        "in force."
    )
else:
    quiet(f"Measured: {_MEASURED[preset.verdict]}. {preset.why} {scenario_panels.figures_of(preset)}")
if measured := best_said(server_cache.evidence_stored(config.key)):
    quiet(f"{measured} Measured on the stored run of these settings.")

left, right = st.columns([5, 6])
with left, st.container(key="panel_graph", height="stretch"):
    panel_title("The causal graph", f"arrows in colour: differs between {word}s")
    st.graphviz_chart(dot(scenario, ink, word), width="stretch")
    quiet(graph_said(scenario, word))
with right, st.container(key="panel_assumptions", height="stretch"):
    groups = f"the {word}s" if align != "treatment" else "treated and untreated units"
    panel_title("What alignment assumes", f"the penalty makes {groups} alike in the latent")
    items = assumptions(scenario, align, word)
    checks([(item.status, item.name, item.says, item.why) for item in items], ink["bad"])

data = server_cache.rows_of(scenario, config.training.seed)
shown = data.rows(spread_over(data.env, scenario.n_envs, _ROWS))
envs = env_rows(scenario, data.env, data.t, names, preset.config.scenario.n_envs)
left, right = st.columns([6, 5])
with left, st.container(key="panel_plane", height="stretch"):
    scenario_panels.plane(shown, scenario, len(data), names, ink)
with right, st.container(key="panel_treated", height="stretch"):
    scenario_panels.treated(data, scenario, envs, word, ink)
scenario_panels.given(data, scenario, names, ink)
scenario_panels.outcomes(shown, scenario, names, ink)

left, right = st.columns([5, 6])
with left, st.container(key="panel_equations", height="stretch"):
    panel_title("Structural equations", "with the numbers in force; what is zero is left out")
    st.latex(equations(scenario))
    quiet(notes(scenario))
with right, st.container(key="panel_envs", height="stretch"):
    scenario_panels.environments(envs, scenario, preset)
scenario_panels.worlds(preset)
