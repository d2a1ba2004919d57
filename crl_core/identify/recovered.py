"""What a training recovered, beside what was promised before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crl_core.identify.promises import Promise

RECOVERED = 0.95  # a coordinate that correlates with its truth by this much counts as recovered


def sentence(promise: Promise, done: Mapping[str, Any]) -> str:
    """The scores of a finished training (`live.State.done`), and whether latents or only noises are recovered."""
    words = (
        f"MCC {done['mcc']:.3f}; a random rotation scores {done['floor']:.2f}. Linear R² {done['r2']:.3f}, Spearman "
        f"{done['spearman']:.3f}."
    )
    if promise.about == "latents":
        return words
    words += f" Against the latents themselves the MCC is {done['mcc_latents']:.3f}"
    only_noises = min(done["per_coordinate"]) >= RECOVERED > done["mcc_latents"]
    return words + (": the noises are recovered, not the latents." if only_noises else ".")
