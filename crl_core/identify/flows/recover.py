"""Every method on the same rows of the same seeds: what it recovers, scored beside the chance floor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crl_core.identify.flows.fit import Diverged, Fitted, Listen, Model, fit
from crl_core.identify.flows.flow import Flow
from crl_core.identify.flows.networks import AlignedAutoencoder, Contrast, Oracle, Vae
from crl_core.identify.latent_worlds import LatentWorld
from crl_core.identify.linear import fast_ica, generalised_eigenvectors, pca
from crl_core.identify.method_inputs import Labels, Seeds, draw, relabelled
from crl_core.identify.method_words import METHOD_WORDS
from crl_core.identify.scores import Score, chance_floor, score

RESTARTS, STEPS = 3, 1300
_LINEAR = {"pca": pca, "fastica": fast_ica, "gevd": generalised_eigenvectors}
_LABELS: Mapping[str, Labels] = {"flow-pooled": "pooled", "flow-shuffled": "shuffled"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recovery:
    """One method on one seed. against_noise: the same score against the noises; equal to `score` without edges.

    problem: why there is no score, else empty.
    """

    method: str
    seed: int
    floor: float
    score: Score | None
    against_noise: Score | None
    latents: np.ndarray | None  # [n, d]
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        own = (
            {"mcc": None, "per_coordinate": [], "r2": None, "spearman": None}
            if self.score is None
            else self.score.to_dict()
        )
        noise = None if self.against_noise is None else self.against_noise.mcc
        return (
            {"method": self.method, "seed": self.seed}
            | own
            | {"mcc_noise": noise, "floor": self.floor, "problem": self.problem}
        )


def recover(
    world: LatentWorld,
    seeds: Sequence[int],
    methods: Sequence[str] = ("flow",),
    *,
    restarts: int = RESTARTS,
    steps: int = STEPS,
    watch: Sequence[int] = (),
    listen: Listen | None = None,
    should_stop: Callable[[], bool] | None = None,
    on_method: Callable[[str], None] | None = None,
) -> list[Recovery]:
    """What every method recovers, in the order of methods, then seeds.

    watch, listen, should_stop: follow the first flow (see `fit`).

    Raises: ValueError for an unknown method, no seed, or a world that cannot be drawn; Stopped.
    """
    unknown = [name for name in methods if name not in METHOD_WORDS]
    if unknown:
        raise ValueError(f"there is no method {', '.join(unknown)}; there are {', '.join(METHOD_WORDS)}.")
    if not 1 <= len(seeds) <= 40:
        raise ValueError(f"{len(seeds)} seeds were asked for; from 1 to 40 are possible.")
    drawn = draw(world, seeds)
    floors = [chance_floor(z) for z in drawn.z]
    rows: list[Recovery] = []
    for name in methods:
        if on_method is not None:
            on_method(name)
        follow = {"watch": watch, "listen": listen, "should_stop": should_stop} if name == "flow" else {}
        try:
            found = list(latents_of(name, drawn, restarts=restarts, steps=steps, **follow))
            problem = ""
        except Diverged as error:
            found, problem = [None] * len(seeds), str(error)
        for s, seed in enumerate(seeds):
            own, noise, why = None, None, problem
            if found[s] is not None:
                try:
                    own, noise = score(drawn.z[s], found[s]), score(drawn.noise[s], found[s])
                except ValueError as error:
                    why = str(error)
            rows.append(
                Recovery(
                    method=name,
                    seed=seed,
                    floor=floors[s],
                    score=own,
                    against_noise=noise,
                    latents=found[s],
                    problem=why,
                )
            )
    return rows


def latents_of(name: str, seeds: Seeds, *, restarts: int, steps: int, **follow: Any) -> np.ndarray:
    """What a method recovers of the reference's test rows, [S, n, d]. Raises Diverged."""
    if name in _LINEAR:
        return np.stack([_LINEAR[name](rows, look) for rows, look in zip(seeds.train, seeds.look, strict=True)])
    given = relabelled(seeds, _LABELS.get(name, "kept"))
    train, choose, look = given.train, given.choose, given.look
    if name == "oracle":  # the only one that is shown the truth, and called so
        train, choose = (
            np.concatenate([x, np.stack([getattr(sample, part).z for sample in seeds.truth])], axis=-1)
            for x, part in ((train, "train"), (choose, "choose"))
        )
        look = np.concatenate([look, np.zeros_like(look)], axis=-1)
    starts = [(seed, restart) for seed in seeds.seeds for restart in range(restarts)]
    return fit(
        model_of(name, starts, seeds.world.dim, given.train.shape[1]),
        train,
        choose,
        look,
        restarts=restarts,
        steps=steps,
        **follow,
    ).latents


def model_of(name: str, starts: Sequence[tuple[int, int]], dim: int, n_envs: int) -> Model:
    """An untrained ensemble of a method."""
    if name == "flow-coupling":
        return Flow(starts, dim, n_envs, family="coupling")
    if name.startswith("flow"):
        return Flow(starts, dim, n_envs)
    if name == "contrast":
        return Contrast(starts, dim, n_envs)
    if name == "mmd-ae":
        return AlignedAutoencoder(starts, dim, n_envs)
    if name == "oracle":
        return Oracle(starts, dim)
    return Vae(starts, dim, n_envs, beta=4.0 if name == "beta-vae" else 1.0, labelled=name == "ivae")


__all__ = ["RESTARTS", "STEPS", "Fitted", "Recovery", "latents_of", "model_of", "recover"]
