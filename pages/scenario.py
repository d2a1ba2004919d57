"""The world of the sidebar before anything is trained: its graph, its numbers, its rows, and what alignment assumes of
it."""

from dataclasses import fields

import numpy as np
import streamlit as st

from crl_core.config import RunConfig, Scenario
from crl_core.data.scm import MultiEnvData, along, mean_outcomes, sample
from crl_core.figures import outside, palette
from crl_core.figures.world import outcome_by_arm, propensities, world_plane
from crl_core.presets import PRESETS, Preset
from crl_core.world.assumptions import assumptions, outlook
from crl_core.world.environments import arms_said, env_rows, newcomer_said, propensity_spans
from crl_core.world.equations import equations, notes
from crl_core.world.graph import dot, said
from pages.shared import controls, page_header, quiet, require
from pages.shared.scenario_checks import checks
from pages.shared.style import notice, panel_title, theme
from pages.shared.tables import beyond, chart, say, table

_DEFINITIONS = """
**Graph**: an arrow says that one variable enters the equation of another. Dashed circles (z, s) are hidden in real
data, boxes are seen. Arrows out of e, in the colours of the environments, lead to what differs between environments.

**z** is the cause of the outcome, **s** the nuisance, **t** the treatment, **y** the outcome under the treatment
received, **x** what the network is given. z̄ and s̄ are the scalars that enter the equations where z and s have several
coordinates.

**Alignment** is the penalty, λ · MMD² unless another is chosen, between the latents of the groups: the environments, or
the treated and the untreated.

**Verdict**: what was measured on the preset as it comes, over several seeds. **Expectation**: what the numbers in the
sidebar imply.
"""
_ROWS = 900  # rows drawn, of all environments together
_WORDS = {
    "sigma": "σ",
    "offset": "offset",
    "propensity": "P(t = 1)",
    "cause_mean": "mean of z",
    "cause_scale": "spread of z",
    "n_samples": "number of samples",
    "dim_causal": "coordinates of z",
    "dim_spurious": "coordinates of s",
}

_MEASURED = {
    "helps": "alignment helps",
    "nothing to gain": "alignment gains nothing",
    "hurts": "alignment hurts",
    "destroys": "alignment destroys the effect",
}

require()
asked = controls()


def changes(config: RunConfig, preset: Preset) -> list[str]:
    """What of the world, and of what is aligned, is not as the preset has it."""
    own, its = config.scenario, preset.config.scenario
    changed = ["number of environments"] if own.n_envs != its.n_envs else []
    for field in fields(Scenario):
        mine, theirs = getattr(own, field.name), getattr(its, field.name)
        if isinstance(mine, tuple):
            shared = min(len(mine), len(theirs))
            mine, theirs = mine[:shared], theirs[:shared]
        if mine != theirs:
            changed.append(_WORDS.get(field.name, field.name))
    if config.training.align != preset.config.training.align:
        changed.append("what is aligned")
    return changed


@st.cache_resource(max_entries=8, show_spinner=False)
def rows_of(scenario: Scenario, seed: int) -> MultiEnvData:
    return sample(scenario, seed)


def drawn_rows(data: MultiEnvData, n_envs: int) -> np.ndarray:
    """As many rows of each environment, spread over its rows."""
    each = _ROWS // n_envs
    picked = []
    for e in range(n_envs):
        mine = np.flatnonzero(data.env == e)
        picked.append(mine[np.unique(np.linspace(0, len(mine) - 1, min(each, len(mine))).astype(int))])
    return np.concatenate(picked)


def number(value: float) -> str:
    return f"{value:g}".replace("-", "−")


if asked.config is None:
    page_header(asked.preset.title, asked.preset.sentence)
    notice("These settings cannot be a world", asked.problem or "")
    st.stop()

config, preset, names = asked.config, asked.preset, asked.env_names
scenario, align, ink = config.scenario, config.training.align, palette(theme())
word = preset.env_word
expected = outlook(scenario, align, word)
changed = changes(config, preset)
page_header(
    preset.title,
    asked.sentence,
    _DEFINITIONS,
    [(expected.word, "expectation from the numbers"), (preset.verdict, "verdict measured on the preset")],
)
say(expected.sentence)
if changed:
    quiet(
        f"Changed from the preset ({', '.join(changed)}): the verdict may not hold; the expectation is of the numbers "
        f"in force."
    )
else:
    quiet(f"Measured: {_MEASURED[preset.verdict]}. {preset.why}")

left, right = st.columns([5, 6])
with left, st.container(key="panel_graph", height="stretch"):
    panel_title("The causal graph", f"arrows in colour: differs between {word}s")
    st.graphviz_chart(dot(scenario, ink, word), width="stretch")
    quiet(said(scenario, word))
with right, st.container(key="panel_assumptions", height="stretch"):
    groups = f"the {word}s" if align == "environment" else "treated and untreated units"
    panel_title("What alignment assumes", f"the penalty makes {groups} alike in the latent")
    checks(
        [(item.status, item.name, item.says, item.why) for item in assumptions(scenario, align, word)],
        ink["bad"],
    )

data = rows_of(scenario, config.training.seed)
bars = max(scenario.dim_causal, scenario.dim_spurious) > 1
shown = data.rows(drawn_rows(data, scenario.n_envs))
table_rows = env_rows(scenario, data.env, data.t, names, preset.config.scenario.n_envs)
left, right = st.columns([6, 5])
with left, st.container(key="panel_plane", height="stretch"):
    plane = world_plane(along(shown.z), along(shown.s), shown.env, shown.t, names, ink, bars=bars)
    chart(plane, "scenario.plane")
    quiet(
        f"{len(shown)} of {len(data)} rows."
        + (
            f" The network is given {scenario.dim_x} numbers a row that z and s are mixed into."
            if scenario.dim_x > 2 or scenario.mixing != "none"
            else " The network is given exactly these two numbers, without the colour."
        )
        + beyond(outside(plane))
    )
with right, st.container(key="panel_treated", height="stretch"):
    shares = np.array([row.share for row in table_rows])
    spans = propensity_spans(scenario, data)
    spread = bool((spans[:, 1] - spans[:, 0] > 0.01).any())
    chart(propensities(shares, spans, names, ink, spread=spread), "scenario.treated")
    for sentence in arms_said(table_rows, word):
        say(sentence)
    if spread:
        quiet("Bars: from the 5 % to the 95 % point of P(t = 1) over the units, which differ in z.")

with st.container(key="panel_outcome"):
    outcome = outcome_by_arm(
        along(shown.z), shown.y, shown.env, shown.t, names, mean_outcomes(scenario), ink, bars=bars
    )
    chart(outcome, "scenario.outcome")
    quiet(
        "The gap between the two lines is the effect. A line without points beside it is what has to be guessed."
        + beyond(outside(outcome))
    )

left, right = st.columns([5, 6])
with left, st.container(key="panel_equations", height="stretch"):
    panel_title("Structural equations", "with the numbers in force; what is zero is left out")
    st.latex(equations(scenario))
    quiet(notes(scenario))
with right, st.container(key="panel_envs", height="stretch"):
    panel_title(f"The {word}s", "what the sliders set, and what came out of it")
    table(
        ["", "σ", "offset", "P(t = 1)", "z: mean, sd", "treated"],
        [
            (
                f"{row.name} (new)" if row.new else row.name,
                number(row.sigma),
                number(row.offset),
                number(row.propensity),
                f"{number(row.cause_mean)}, {number(row.cause_scale)}",
                f"{100 * row.share:.3g} %",
            )
            for row in table_rows
        ],
    )
    quiet(newcomer_said(scenario, preset.env_name))

with st.expander("When does alignment help? All worlds, and what was measured on them"):
    table(
        ["World", "Verdict", "Why"],
        [(other.title, other.verdict, other.why) for other in PRESETS.values()],
        words_from=2,
        strong=list(PRESETS).index(preset.id),
    )
