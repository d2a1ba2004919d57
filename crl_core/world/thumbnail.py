"""The causal graph of a scenario as a thumbnail: which arrows there are, and which differ between environments.

The arrows are those of `world.graph`; here they have no labels, so that worlds can be told apart at a glance.
"""

from __future__ import annotations

from html import escape

from crl_core.config import Scenario
from crl_core.world.graph import edges, said

_WIDTH, _HEIGHT, _RADIUS = 132, 84, 9
_AT = {"e": (66, 11), "z": (14, 42), "t": (66, 42), "s": (118, 42), "y": (40, 73), "x": (92, 73)}


def svg(scenario: Scenario, colour: str, env_word: str = "environment") -> str:
    """The graph as SVG in one colour, with the graph in words as its name.

    An arrow out of e, the environment, is dashed: what it points to differs between environments.
    """
    arrows = "".join(_arrow(arrow.source, arrow.target, dashed=arrow.by_env) for arrow in edges(scenario))
    used = {name for arrow in edges(scenario) for name in (arrow.source, arrow.target)} | {"t"}
    nodes = "".join(
        f'<circle cx="{x}" cy="{y}" r="{_RADIUS}" fill="none" stroke="currentColor" opacity=".55"/>'
        f'<text x="{x}" y="{y + 3.5}" font-size="10.5" text-anchor="middle" fill="currentColor">{name}</text>'
        for name, (x, y) in _AT.items()
        if name in used
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" color="{colour}" font-family="sans-serif" role="img" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'aria-label="{escape(said(scenario, env_word))}">{arrows}{nodes}</svg>'
    )


def _arrow(source: str, target: str, *, dashed: bool) -> str:
    """A line from rim to rim with a head; past t where it would run through it."""
    (x0, y0), (x1, y1) = _AT[source], _AT[target]
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    start = (x0 + _RADIUS * dx, y0 + _RADIUS * dy)
    end = (x1 - (_RADIUS + 2) * dx, y1 - (_RADIUS + 2) * dy)
    style = ' stroke-dasharray="3 2"' if dashed else ""
    head = " ".join(
        f"{end[0] + 2 * dx - 5 * dx + side * dy * 2.6:.1f},{end[1] + 2 * dy - 5 * dy - side * dx * 2.6:.1f}"
        for side in (1, -1)
    )
    tip = f"{end[0] + 2 * dx:.1f},{end[1] + 2 * dy:.1f}"
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
        f'stroke="currentColor"{style}/><polygon points="{tip} {head}" fill="currentColor"/>'
    )
