"""The scrubber's own script and style, as text. One source for the page and for the handout; nothing is fetched."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent
_SCRIPTS = (  # in the order in which they use each other
    "frames",
    "network",
    "paint",
    "views",
    "path",
    "page",
    "screen",
    "motion",
    "pointer",
    "keys",
    "shift",
    "scrubber",
)


@cache
def script() -> str:
    """Plain JavaScript that defines `mountScrubber(root, data, hooks)`."""
    return "\n".join((_HERE / "js" / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS)


@cache
def style() -> str:
    return (_HERE / "scrubber.css").read_text(encoding="utf-8")
