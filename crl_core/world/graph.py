"""The causal graph of a scenario: which arrows there are follows from its numbers; what differs is marked.

Places are pinned, so that from one scenario to the next only arrows come and go. An arrow out of e, the environment, is
drawn as parallel lines in the colours of the environments: that mechanism is not the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crl_core.config import Scenario
from crl_core.data.observations import OBSERVATIONS
from crl_core.data.scm import SLOPE

_LETTER = 0.105  # inches a letter of a node's words takes
_BARE = "shape=none style=solid fixedsize=true width=0.1 height=0.1"
_LINES = 4  # environments an arrow out of e has room for
# node: (x, y in inches, its words, seen in the data)
_NODES = {
    "e": (1.9, 3.5, "", True),
    "z": (0.0, 2.25, "cause", False),
    "t": (1.9, 2.25, "treatment", True),
    "s": (3.8, 2.25, "nuisance", False),
    "y": (1.9, 1.1, "outcome", True),
    "x": (1.9, 0.0, "network's input", True),
}
# How far along its arrow a label stands, where half way is not it: there it would lie on that of t → y.
# An arrow that would run through other nodes turns here.
_TURNS = {("e", "x"): (2.98, 1.86)}
_ALONG = {("z", "y"): 0.36, ("s", "y"): 0.36, ("y", "s"): 0.55}


@dataclass(frozen=True, slots=True, kw_only=True)
class Differs:
    """Which mechanisms are not the same in all environments."""

    cause: bool
    treatment: bool
    nuisance: bool
    outcome: bool
    machine: bool

    @property
    def anything(self) -> bool:
        return self.cause or self.treatment or self.nuisance or self.outcome or self.machine


def differs(scenario: Scenario) -> Differs:
    def vary(*fields: tuple[float, ...]) -> bool:
        return any(len(set(values)) > 1 for values in fields)

    return Differs(
        cause=vary(scenario.cause_mean, scenario.cause_scale),
        treatment=vary(scenario.propensity),
        nuisance=vary(scenario.offset, scenario.sigma),
        outcome=scenario.outcome == "binary" and vary(scenario.prevalence),
        machine=vary(*(getattr(scenario, name) for name in OBSERVATIONS[scenario.observation].of_place)),
    )


def cause_decides(scenario: Scenario) -> bool:
    """Whether z moves the treatment: not where an environment treats everyone or no one."""
    return scenario.confounding != 0 and any(0 < p < 1 for p in scenario.propensity)


def has_effect(scenario: Scenario) -> bool:
    return scenario.outcome == "number" and (scenario.effect != 0 or scenario.heterogeneity != 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """An arrow. `by_env`: it comes from e, so what it points to differs between environments."""

    source: str
    target: str
    label: str = ""
    by_env: bool = False


def edges(scenario: Scenario) -> tuple[Edge, ...]:
    """The arrows that the numbers put there, those out of e first."""
    found = differs(scenario)
    bar = "z̄" if scenario.dim_causal > 1 else "z"
    arrows = []
    if found.cause:
        arrows.append(_by_env("z", scenario, mean="cause_mean", spread="cause_scale"))
    if found.treatment:
        arrows.append(Edge(source="e", target="t", label="P(t = 1)", by_env=True))
    if found.nuisance:
        arrows.append(_by_env("s", scenario, offset="offset", σ="sigma"))
    if cause_decides(scenario):
        arrows.append(Edge(source="z", target="t", label=f"{signed(scenario.confounding, True)} {bar}"))
    if found.outcome:
        arrows.append(Edge(source="e", target="y", label="P(y = 1)", by_env=True))
    if found.machine:
        arrows.append(Edge(source="e", target="x", label="machine", by_env=True))
    waves = scenario.surface == "waves"
    if scenario.outcome == "binary":
        arrows.append(Edge(source="y", target="z", label=f"± {scenario.separation:g}"))
    else:
        arrows.append(Edge(source="z", target="y", label="in waves" if waves else f"{signed(SLOPE, True)} {bar}"))
    if has_effect(scenario):
        terms = [signed(scenario.effect, True)] if scenario.effect else []
        modifier = f"tanh 2{bar}" if waves else bar
        terms += [f"{signed(scenario.heterogeneity, not terms)} {modifier}"] if scenario.heterogeneity else []
        arrows.append(Edge(source="t", target="y", label=" ".join(terms)))
    if scenario.interaction and scenario.outcome == "number":
        s = "s̄" if scenario.dim_spurious > 1 else "s"
        arrows.append(Edge(source="s", target="y", label=f"{signed(scenario.interaction, True)} {bar} {s}"))
    if scenario.leak:
        arrows.append(Edge(source="y", target="s", label=f"{signed(scenario.leak, True)} y"))
    mixing = {"none": "", "rotation": "rotated", "nonlinear": "bent"}[scenario.mixing]
    of_z, of_s = {"ecg": ("beat", "hum"), "digits": ("digit", "lamp")}.get(scenario.observation, (mixing, mixing))
    arrows += [Edge(source="z", target="x", label=of_z), Edge(source="s", target="x", label=of_s)]
    return tuple(arrows)


def _by_env(target: str, scenario: Scenario, **fields: str) -> Edge:
    vary = [word for word, field in fields.items() if len(set(getattr(scenario, field))) > 1]
    return Edge(source="e", target=target, label=", ".join(vary), by_env=True)


def signed(value: float, first: bool) -> str:
    """A coefficient as it stands in a sum: "− 1", "+ 0.5", or without a plus where it is the first."""
    sign = "−" if value < 0 else "" if first else "+"
    return f"{sign}{'' if first else ' '}{abs(value):g}"


def dot(scenario: Scenario, colours: Mapping[str, Any], env_word: str = "environment") -> str:
    """The graph in the DOT language, for a panel of the theme. Round: hidden in the data; square: seen."""
    arrows = edges(scenario)
    env_colours = colours["envs"][: min(scenario.n_envs, _LINES)]
    lines = [
        "digraph world {",
        'layout=neato; bgcolor="transparent"; splines=line; overlap=true; outputorder=edgesfirst; pad=0.15;',
        f'node [fontname="DejaVu Sans" fontsize=13 style=filled fillcolor="{colours["panel"]}" '
        f'color="{colours["muted"]}" fontcolor="{colours["text"]}" penwidth=1.2 margin="0.09,0.05" width=0.62 '
        f"height=0.46];",
        f'edge [color="{colours["muted"]}" penwidth=1.5 arrowsize=0.75];',
    ]
    for name, (x, y, words, seen) in _NODES.items():
        if name == "e" and scenario.n_envs == 1:
            continue
        words = env_word if name == "e" else words
        if name == "e" and not differs(scenario).anything:
            words = f"{env_word}s do not differ"
        shape = 'shape=box style="filled,rounded"' if seen else 'shape=ellipse style="filled,dashed"'
        width = (0.3 + _LETTER * len(words)) * (1 if seen else 1.3)
        # Two texts of their own in an empty shape: within one label the renderer would not centre the smaller line.
        lines += [
            f'{name} [pos="{x},{y}!" label="" {shape} fixedsize=true width={width:.2f} height=0.62];',
            f'{name}_name [pos="{x},{y + 0.11:.2f}!" label=<<b>{name}</b>> fontsize=17 {_BARE}];',
            f'{name}_words [pos="{x},{y - 0.13:.2f}!" label="{words}" fontcolor="{colours["muted"]}" fontsize=12 '
            f"{_BARE}];",
        ]
    for index, arrow in enumerate(arrows):
        look = [f'color="{":".join(env_colours)}" penwidth=1.8'] if arrow.by_env else []
        start = arrow.source
        if (turn := _TURNS.get((arrow.source, arrow.target))) is not None:
            lines.append(f'turn{index} [pos="{turn[0]},{turn[1]}!" label="" {_BARE}];')
            lines.append(f"{start} -> turn{index} [{' '.join([*look, 'dir=none', 'headclip=false'])}];")
            start, look = f"turn{index}", [*look, "tailclip=false"]
        lines.append(f"{start} -> {arrow.target} [{' '.join(look)}];")
        if arrow.label:
            ink = colours["text"] if arrow.by_env else colours["muted"]
            lines.append(
                f'label{index} [pos="{_on(arrow)}!" label="{arrow.label}" fontsize=14 fontcolor="{ink}" shape=box '
                f'style=filled penwidth=0 margin="0.04,0.01" width=0.1 height=0.1];'
            )
    return "\n".join([*lines, "}"])


def _on(arrow: Edge) -> str:
    """Where an arrow's label interrupts its line, as a label beside a slanted line would lie on it."""
    if (turn := _TURNS.get((arrow.source, arrow.target))) is not None:
        return f"{turn[0]},{turn[1]}"
    (x0, y0, *_), (x1, y1, *_) = _NODES[arrow.source], _NODES[arrow.target]
    along = _ALONG.get((arrow.source, arrow.target), 0.5)
    return f"{x0 + along * (x1 - x0):.3f},{y0 + along * (y1 - y0):.3f}"


def said(scenario: Scenario, env_word: str = "environment") -> str:
    """The graph in words, for those who do not see it."""
    by_env = [arrow.target for arrow in edges(scenario) if arrow.by_env]
    rest = ", ".join(f"{arrow.source} → {arrow.target}" for arrow in edges(scenario) if not arrow.by_env)
    if scenario.n_envs == 1:
        return f"One {env_word}. Arrows: {rest}."
    named = {"z": "z (the cause)", "t": "t (who is treated)", "s": "s (the nuisance)", "y": "y", "x": "x (the machine)"}
    what = " and ".join(named[target] for target in by_env) or "nothing"
    return f"Between {env_word}s {what} differ{'' if len(by_env) > 1 else 's'}. Other arrows: {rest}."
