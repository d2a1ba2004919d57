"""Where a claim stands among all: the world that it is made of, and what kind of thing it is about.

World:  a preset, where the claim is measured in one; else the latent worlds, the traces or the images of a study.
Kind:   by the study that measures it, and within a study by the words of its quantity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crl_core.config.presets import PRESETS
from crl_core.studies.claims import Claim, Statement
from crl_core.studies.study_claims import STUDIES, StudyClaim

KINDS: Mapping[str, str] = {
    "effect": "Effect error",
    "penalty": "Penalties",
    "monitor": "Monitor",
    "kept": "What is kept",
    "prediction": "Prediction",
    "recovery": "Recovery",
}
_OF_STUDY = {"penalties": "penalty", "unseen": "monitor", "identify": "recovery"}
_WORDS = {  # of a quantity; the first that occurs decides
    "gradient": "kept",
    "hospital is named": "kept",
    "accurac": "prediction",
    "labels": "prediction",
    "factual_mse": "prediction",
    "ITE RMSE": "effect",
    "estimated effect": "effect",
    "ite_rmse": "effect",
    "u_shape": "effect",
    "regret": "effect",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A row of the overview: its title, and what it is in a sentence."""

    id: str
    title: str
    sentence: str


_OTHERS: Mapping[str, World] = {
    world.id: world
    for world in (
        World(id="ecg", title="ECGs, effects", sentence="Traces of 250 samples, and the recorder that each came from."),
        World(id="ecg-labels", title="ECGs, labels", sentence="Traces with a label, whose hum goes with it."),
        World(id="digits", title="Digits, labels", sentence="Images of digits under a lamp that goes with the label."),
        World(
            id="identify",
            title="Mixed latents",
            sentence="Latents mixed by an invertible map, without labels and without an outcome.",
        ),
    )
}


def kind_of(claim: Statement) -> str:
    """A key of `KINDS`."""
    study = claim.study if isinstance(claim, StudyClaim) else ""
    if study in _OF_STUDY:
        return _OF_STUDY[study]
    return next((kind for word, kind in _WORDS.items() if word in claim.quantity), "kept")


def world_of(claim: Statement) -> World:
    """The world that a claim is made of."""
    if isinstance(claim, Claim):
        name = claim.setting.preset
    elif isinstance(claim, StudyClaim):
        name = _place(claim)
    else:
        raise TypeError(f"a claim is a Claim or a StudyClaim, this is a {type(claim).__name__}; add its world here.")
    if name in PRESETS:
        return World(id=name, title=PRESETS[name].title, sentence=PRESETS[name].sentence)
    return _OTHERS[name]


def _place(claim: StudyClaim) -> str:
    first = claim.setting.split(",")[0]
    if first in PRESETS:
        return first
    if claim.study == "identify":
        return "identify"
    if "images" in claim.setting:
        return "digits"
    return "ecg" if kind_of(claim) == "effect" else "ecg-labels"


def by_world(claims: Sequence[Statement]) -> dict[World, list[Statement]]:
    """The claims world by world: presets in their own order, then the others."""
    order = {name: place for place, name in enumerate([*PRESETS, *_OTHERS])}
    found: dict[World, list[Statement]] = {}
    for claim in sorted(claims, key=lambda claim: order[world_of(claim).id]):
        found.setdefault(world_of(claim), []).append(claim)
    return found


def study_of(claim: Statement) -> str:
    """The id of the study that measures a claim in its own way; "" where it is measured on a λ path."""
    return claim.study if isinstance(claim, StudyClaim) and claim.study in STUDIES else ""
