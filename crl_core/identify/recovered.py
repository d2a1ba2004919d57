"""What a training recovered, beside what was promised before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crl_core.identify.latent_worlds import LatentWorld
from crl_core.identify.promises import Promise, promise_of
from crl_core.measures.cautions import nothing_measured

RECOVERED = 0.95  # a coordinate that correlates with its truth by this much counts as recovered


def cautions(world: LatentWorld, rows: Sequence[Mapping[str, Any]] | None = None) -> tuple[str, ...]:
    """What keeps everything from being recovered: no latent is told apart by the matrix, or no method has a score.

    rows: as `Recovery.to_dict`; None before anything is trained.
    """
    promise = promise_of(world)
    untold = (
        () if "pinned" in promise.status else (f"No latent is promised to be recovered. {' '.join(promise.words)}",)
    )
    if rows is None:
        return untold
    return (*untold, *nothing_measured("method", [row["mcc"] for row in rows], "Take other seeds, or milder scales."))


def sentence(promise: Promise, done: Mapping[str, Any]) -> str:
    """The scores of a finished training (`live.State.done`), whether its restarts agree, and whether latents or only
    noises are recovered."""
    words = [
        f"MCC {done['mcc']:.3f}; a random rotation scores {done['floor']:.2f} in the median, and more than "
        f"{done['floor_95']:.3f} one time in twenty: {_beside_chance(done['mcc'], done['floor_95'])}.",
        f"Linear R² {done['r2']:.3f}, Spearman {done['spearman']:.3f}.",
    ]
    if done["restarts_agree"] is not None:
        words.append(f"Restarts agree: {done['restarts_agree']:.3f}; that is not yet being right.")
    if promise.about == "noises":
        only_noises = min(done["per_coordinate"]) >= RECOVERED > done["mcc_latents"]
        ending = ": the noises are recovered, not the latents." if only_noises else "."
        words.append(f"Against the latents themselves the MCC is {done['mcc_latents']:.3f}{ending}")
    elif promise.by == "causes":
        own = done["causes"]
        if min(done["per_coordinate"]) < RECOVERED <= done["mcc_noises"]:
            words.append(
                f"The flow is right about the noises (MCC {done['mcc_noises']:.3f}) and wrong about the latents."
            )
        words.append(
            f"The likelihood of cut edges, on the same rows: MCC {own['mcc']:.3f}; its fits on other rows agree: "
            f"{own['rows_agree']:.3f}."
        )
    return " ".join(words)


def _beside_chance(mcc: float, high: float) -> str:
    return "beyond chance" if mcc > high else "not beyond chance"
