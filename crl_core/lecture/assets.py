"""The scrubber's own script and style, as text. One source for the page and for the handout; nothing is fetched."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from crl_core.metrics import METRIC

HERE = Path(__file__).parent
_SCRIPTS = (  # in the order in which they use each other
    "axes",
    "frames",
    "network",
    "text",
    "paint",
    "views",
    "average",
    "edits",
    "trace",
    "path",
    "page",
    "screen",
    "motion",
    "live",
    "pointer",
    "stage",
    "keys",
    "shift",
    "scrubber",
)

_HEAD = ("ite_rmse", "mmd2", "domain_auc")  # the large figures beside λ


@cache
def script() -> str:
    """Plain JavaScript that defines `mountScrubber(root, data, hooks)`."""
    figures = [{"name": name, "word": METRIC[name].word} for name in _HEAD]
    told = f"const FIGURES = {json.dumps(figures, ensure_ascii=False)}; // the metrics at the head of the page"
    return "\n".join([told, *((HERE / "js" / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS)])


@cache
def style() -> str:
    return "\n".join((HERE / f"{name}.css").read_text(encoding="utf-8") for name in ("scrubber", "stage"))
