"""Latent worlds that come with the program, each a lesson."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crl_core.config.text import imagined
from crl_core.identify.latent_worlds import LatentWorld, single_targets, written_table


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentPreset:
    title: str
    lesson: str
    world: LatentWorld


def _touched(dim: int, targets: tuple[int, ...]) -> tuple[tuple[float, ...], ...]:
    """A reference, then one environment for each target."""
    return ((1.0,) * dim, *(tuple(2.5 if i == k else 1.0 for i in range(dim)) for k in targets))


LATENT_PRESETS: Mapping[str, LatentPreset] = {
    "each": LatentPreset(
        title="Each latent changed once",
        lesson="Three latents, each changed in its own environment: all are recovered up to order, sign and scale.",
        world=LatentWorld(scales=single_targets(3, 4)),
    ),
    "each-4": LatentPreset(
        title="Four latents, each changed once",
        lesson="Four latents, each changed in its own environment: all are recovered up to order, sign and scale.",
        world=LatentWorld(scales=single_targets(4, 5)),
    ),
    "untouched-pair": LatentPreset(
        title="Two latents never changed",
        lesson="z₃ and z₄ are never changed: any rotation of the two explains the data as well, and they stay mixed.",
        world=LatentWorld(scales=_touched(4, (0, 1))),
    ),
    "untouched-one": LatentPreset(
        title="One latent never changed",
        lesson="Only z₄ is never changed. One alone has nobody to mix with: it is recovered all the same.",
        world=LatentWorld(scales=_touched(4, (0, 1, 2))),
    ),
    "same-ratio": LatentPreset(
        title="Two latents in the same ratio",
        lesson="z₁ and z₂ always change in the same ratio: however many environments, these two stay mixed.",
        world=LatentWorld(
            scales=(
                (1, 1, 1, 1),
                (2.5, 2.5, 1, 1),
                (1, 1, 2.5, 1),
                (1, 1, 1, 2.5),
                (2, 2, 1, 1.5),
                (0.5, 0.5, 2, 1),
            )
        ),
    ),
    "chain": LatentPreset(
        title="A causal chain, soft interventions",
        lesson="z₁ → z₂ → z₃, each noise changed once: the noises are recovered, the latents are not.",
        world=LatentWorld(scales=single_targets(3, 4), edges="soft"),
    ),
    "linear": LatentPreset(
        title="Linear mixing",
        lesson="With a linear mixing FastICA on pooled data needs no environments at all.",
        world=LatentWorld(scales=single_targets(3, 4), mixing="linear"),
    ),
    "each-5": LatentPreset(
        title="Five latents, each changed once",
        lesson="Five latents, each changed in its own environment: all are recovered up to order, sign and scale.",
        world=LatentWorld(scales=single_targets(5, 6)),
    ),
    "perfect": LatentPreset(
        title="All fits agree, all are wrong",
        lesson=(
            "z₁ → z₂ → z₃, each cut off from its parents once, mixed linearly. Fits that take the coordinates to be "
            "independent agree with each other to the third decimal and are all wrong: they find the noises. The "
            "likelihood of cut edges finds the latents in the same rows."
        ),
        world=LatentWorld(scales=single_targets(3, 4), edges="perfect", mixing="linear", n_rows=10_000),
    ),
    "perfect-smooth": LatentPreset(
        title="Perfect interventions, smooth mixing",
        lesson=(
            "The same behind a smooth mixing: theory promises the latents for data without limit, and no training here "
            "comes so near that chance is beaten in most draws."
        ),
        world=LatentWorld(scales=single_targets(3, 4), edges="perfect", n_rows=10_000),
    ),
    "one": LatentPreset(
        title="One environment",
        lesson="Nothing changes, so nothing tells the latents apart; a good fit and a high R² all the same.",
        world=LatentWorld(scales=single_targets(3, 1)),
    ),
}

FIRST_SEED = 500  # of the seeds that no setting was ever tuned on
TRADEOFF = LatentWorld(scales=single_targets(3, 4), outcome=(1.0, 0.0, 0.0))


def latent_preset(name: str) -> LatentWorld:
    """The latent world of a preset. Raises ValueError naming the presets there are."""
    if name not in LATENT_PRESETS:
        raise ValueError(f"there is no latent world {name!r:.40}; choose one of {', '.join(LATENT_PRESETS)}.")
    return LATENT_PRESETS[name].world


def command_of(preset: str, world: LatentWorld, seed: int) -> str:
    """The command that gives the scores of one draw of `world`, which began as a preset."""
    home, words = latent_preset(preset), ["python -m crl_core identify", f"--preset {preset}"]
    if world.scales != home.scales:
        words.append(f"--scales {written_table(world.scales)}")
        home = imagined(home, scales=world.scales, means=()) or home  # which is what --scales does
    if world.means != home.means:
        words.append(f"--means {written_table(world.means)}")
    words += [
        f"--{name} {getattr(world, name)}"
        for name in ("mixing", "edges")
        if getattr(world, name) != getattr(home, name)
    ]
    words += [f"--dim-x {world.dim_x}"] if world.dim_x != home.dim_x else []
    return " ".join([*words, f"--seeds 1 --first-seed {seed}"])
