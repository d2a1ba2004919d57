"""Every colour and what it means, a theme at a time: plain strings for Plotly, Vega-Lite, CSS and a canvas.

Meaning:  a colour means one thing on every page. Environments have the Okabe-Ito colours, told apart also by people who
          see red and green alike; the accent is what the hand can move; the truth has the colour of text.
Contrast: against the panel at least 4.5 : 1 for text and 3 : 1 for marks, in all three themes (tests compute it).
"""

from __future__ import annotations

from copy import deepcopy
from typing import Literal, TypedDict, get_args

Theme = Literal["dark", "light", "projector"]
THEMES: tuple[Theme, ...] = get_args(Theme)
FONT = "DejaVu Sans, Verdana, Segoe UI, system-ui, sans-serif"  # as in .streamlit/config.toml


class Palette(TypedDict):
    """Colours as "#rrggbb", ready for JSON."""

    bg: str  # of the page
    panel: str  # of a figure
    grid: str  # hairlines: panels' borders and grid lines
    text: str
    muted: str  # text that explains
    accent: str  # what the hand can move: λ in view and its model
    truth: str  # a thin line, known only in simulation
    bad: str  # diverged, collapsed, failed
    envs: list[str]  # ten, in the order of the environments, or of a column's categories where rows have its colours
    env_dashes: list[str]  # a second sign for the environments where they are lines; Plotly's names
    runs: list[str]  # eight, of the runs side by side; none can be taken for an environment
    run_dashes: list[str]  # a second sign for them; Plotly's names
    arms: list[str]  # control (drawn hollow, a circle), treated (drawn filled, a diamond)
    diverging: list[str]  # effects: blue, neutral at the centre, orange
    sequential: list[str]  # an amount: z or s of a unit
    lam_scale: list[str]  # λ, from the smallest to the largest
    scale: float  # of type and marks; a projector's are larger


_DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid", "dash", "dot", "dashdot"]
_RUN_DASHES = [
    "solid",
    "9px,3px",
    "4px,3px",
    "1.5px,3px",
    "12px,3px,3px,3px",
    "6px,3px,1.5px,3px",
    "16px,5px",
    "9px,3px,1.5px,3px,1.5px,3px",
]

# The first six are Okabe and Ito's (in the light darkened until they carry on white); from the seventh on colours were
# searched for that stay furthest from those before under normal, red-blind and green-blind sight.
_DARK = Palette(
    bg="#0e1116",
    panel="#151a21",
    grid="#2a323d",
    text="#e8ecf1",
    muted="#98a3b0",
    accent="#7be0bf",
    truth="#e8ecf1",
    bad="#ff8f85",
    envs=[
        "#56b4e9",
        "#e69f00",
        "#009e73",
        "#cc79a7",
        "#f0e442",
        "#d55e00",
        "#8f6bff",
        "#c9e4b0",
        "#2f86e4",
        "#d9dcd4",
    ],
    env_dashes=_DASHES,
    runs=[
        "#e1ff16",
        "#6d3dff",
        "#19fa8a",
        "#97604d",
        "#e5ccfd",
        "#377488",
        "#81921c",
        "#675bc0",
    ],
    run_dashes=_RUN_DASHES,
    arms=["#98a3b0", "#e8ecf1"],
    diverging=["#6896f0", "#385796", "#222932", "#93502d", "#ee8d4e"],
    sequential=["#8468c8", "#4a97c9", "#5cc4a0", "#f2ea8c"],
    lam_scale=["#6c7a8c", "#dbe4ee"],
    scale=1.0,
)
_LIGHT = Palette(
    bg="#fbfaf7",
    panel="#ffffff",
    grid="#dcdad3",
    text="#14181d",
    muted="#5b636c",
    accent="#007a5a",
    truth="#14181d",
    bad="#b3261e",
    envs=[
        "#0072b2",
        "#d55e00",
        "#009e73",
        "#b5508d",
        "#6b5d00",
        "#7b2fd0",
        "#5f1d14",
        "#5b8def",
        "#12305c",
        "#8a8f96",
    ],
    env_dashes=_DASHES,
    runs=[
        "#4e9705",
        "#1606fa",
        "#cf7678",
        "#7a0a8d",
        "#8e8cc1",
        "#2a472a",
        "#310933",
        "#236af5",
    ],
    run_dashes=_RUN_DASHES,
    arms=["#5b636c", "#14181d"],
    diverging=["#4a6cc9", "#a9bbe2", "#f6f3ec", "#ecb394", "#cb6030"],
    sequential=["#a98500", "#2f8f6b", "#1f6591", "#3b1f6b"],
    lam_scale=["#8a929b", "#1c2733"],
    scale=1.0,
)
_PROJECTOR = Palette(
    bg="#ffffff",
    panel="#ffffff",
    grid="#bdbab2",
    text="#000000",
    muted="#3d444c",
    accent="#00694d",
    truth="#000000",
    bad="#a3170f",
    envs=[
        "#0064a0",
        "#c04c00",
        "#00795a",
        "#a33d7c",
        "#5c5000",
        "#6a1fc0",
        "#5f1d14",
        "#3f72dd",
        "#0d2850",
        "#878c92",
    ],
    env_dashes=_DASHES,
    runs=[
        "#7b9e24",
        "#0603fc",
        "#b38571",
        "#c354fa",
        "#05606c",
        "#310421",
        "#a57cc8",
        "#0a097e",
    ],
    run_dashes=_RUN_DASHES,
    arms=["#3d444c", "#000000"],
    diverging=["#1c44b5", "#8aa3dc", "#ffffff", "#e8966f", "#b03c06"],
    sequential=["#957400", "#23805d", "#155a86", "#321860"],
    lam_scale=["#7b838c", "#0b121b"],
    scale=1.3,
)
_ALL = {"dark": _DARK, "light": _LIGHT, "projector": _PROJECTOR}


def palette(theme: str) -> Palette:
    """The colours of a theme, a copy of one's own. Raises ValueError naming the themes there are."""
    if theme not in _ALL:
        raise ValueError(f"there is no theme {theme!r}; choose one of {', '.join(THEMES)}.")
    return deepcopy(_ALL[theme])
