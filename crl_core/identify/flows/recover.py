"""Every method on the same rows of the same seeds: what it recovers, scored beside chance, and whether fits agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crl_core.identify.chance import Chance, chance, chance_among
from crl_core.identify.flows.causes import CausesFlow
from crl_core.identify.flows.fit import Diverged, Fitted, Listen, Model, fit
from crl_core.identify.flows.flow import Flow
from crl_core.identify.flows.networks import AlignedAutoencoder, Contrast, Oracle, Vae
from crl_core.identify.latent_worlds import LatentWorld, targets
from crl_core.identify.linear import fast_ica, generalised_eigenvectors, pca, perfect_interventions
from crl_core.identify.method_inputs import Labels, Seeds, draw, relabelled
from crl_core.identify.method_words import METHOD_WORDS
from crl_core.identify.promises import promise_of
from crl_core.identify.scores import Score, agreement_of, score

RESTARTS, STEPS = 3, 1300
MOST_REDRAWS = 5
_LINEAR = {"pca": pca, "fastica": fast_ica, "gevd": generalised_eigenvectors}
_LABELS: Mapping[str, Labels] = {"flow-pooled": "pooled", "flow-shuffled": "shuffled"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recovery:
    """One method on one seed.

    chance:         scores of random rotations of this draw's latents.
    against_noise:  the same score against the noises; equal to `score` without edges.
    restarts_agree: mean agreement of pairs of restarts, up to what the promise leaves open; no truth is used.
                    None for a method that has one start.
    rows_agree:     the same of the fit and its repetitions on other rows of the world; None if it was not repeated.
    problem:        why there is no score, else empty.
    """

    method: str
    seed: int
    chance: Chance
    score: Score | None
    against_noise: Score | None
    latents: np.ndarray | None  # [n, d]
    restarts_agree: float | None = None
    rows_agree: float | None = None
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
            | {"mcc_noise": noise, "floor": self.chance.mean, "floor_95": self.chance.high}
            | {"restarts_agree": self.restarts_agree, "rows_agree": self.rows_agree, "problem": self.problem}
        )


def recover(
    world: LatentWorld,
    seeds: Sequence[int],
    methods: Sequence[str] = ("flow",),
    *,
    restarts: int = RESTARTS,
    steps: int = STEPS,
    redraws: int = 0,
    watch: Sequence[int] = (),
    listen: Listen | None = None,
    should_stop: Callable[[], bool] | None = None,
    on_method: Callable[[str], None] | None = None,
) -> list[Recovery]:
    """What every method recovers, in the order of methods, then seeds.

    redraws: how often each method is fitted again on other rows of the same world, to see whether the fits agree.
    watch, listen, should_stop: follow the first fit of each method (see `fit`).

    Raises: ValueError for an unknown method, no seed, or a world that cannot be drawn; Stopped.
    """
    unknown = [name for name in methods if name not in METHOD_WORDS]
    if unknown:
        raise ValueError(f"there is no method {', '.join(unknown)}; there are {', '.join(METHOD_WORDS)}.")
    if not 1 <= len(seeds) <= 40:
        raise ValueError(f"{len(seeds)} seeds were asked for; from 1 to 40 are possible.")
    if not 0 <= redraws <= MOST_REDRAWS:
        raise ValueError(f"redraws is {redraws}; from 0 to {MOST_REDRAWS} are possible.")
    drawn = [draw(world, seeds, redraw) for redraw in range(redraws + 1)]
    chances = [chance(world.dim) if world.edges == "none" else chance_among(z) for z in drawn[0].z]
    kind = promise_of(world).up_to
    rows: list[Recovery] = []
    for name in methods:
        if on_method is not None:
            on_method(name)
        follow = {"watch": watch, "listen": listen, "should_stop": should_stop}
        fits, problem = [], ""
        try:
            fits = [
                fitted(name, own, restarts=restarts, steps=steps, **(follow if own is drawn[0] else {}))
                for own in drawn
            ]
        except Diverged as error:
            problem = str(error)
        for s, seed in enumerate(seeds):
            own, noise, why = None, None, problem
            if fits:
                try:
                    own, noise = (score(truth[s], fits[0].latents[s]) for truth in (drawn[0].z, drawn[0].noise))
                except ValueError as error:
                    why = str(error)
            rows.append(
                Recovery(
                    method=name,
                    seed=seed,
                    chance=chances[s],
                    score=own,
                    against_noise=noise,
                    latents=fits[0].latents[s] if fits else None,
                    restarts_agree=agreement_of(fits[0].every[s], kind) if fits else None,
                    rows_agree=agreement_of([fit.latents[s] for fit in fits], kind),
                    problem=why,
                )
            )
    return rows


def fitted(name: str, seeds: Seeds, *, restarts: int, steps: int, **follow: Any) -> Fitted:
    """What a method recovers of the reference's test rows. Raises Diverged."""
    if name in _LINEAR or name == "causes":
        cut = targets(seeds.world)
        found = np.stack(
            [
                perfect_interventions(rows, look, cut) if name == "causes" else _LINEAR[name](rows, look)
                for rows, look in zip(seeds.train, seeds.look, strict=True)
            ]
        )
        one = np.zeros((len(found), 1))
        return Fitted(latents=found, losses=one, chosen=one[:, 0].astype(int), every=found[:, None])
    given = relabelled(seeds, _LABELS.get(name, "kept"))
    train, choose, look = given.train, given.choose, given.look
    if name == "oracle":  # the only one that is shown the truth, and called so
        train, choose = (
            np.concatenate([x, np.stack([getattr(sample, part).z for sample in seeds.truth])], axis=-1)
            for x, part in ((train, "train"), (choose, "choose"))
        )
        look = np.concatenate([look, np.zeros_like(look)], axis=-1)
    starts = [(seed, restart) for seed in seeds.seeds for restart in range(restarts)]
    model = model_of(name, starts, seeds.world, given.train.shape[1])
    return fit(model, train, choose, look, restarts=restarts, steps=steps, **follow)


def model_of(name: str, starts: Sequence[tuple[int, int]], world: LatentWorld, n_envs: int) -> Model:
    """An untrained ensemble of a method for a world whose labels make `n_envs` groups."""
    dim = world.dim
    if name == "flow-causes":
        return CausesFlow(starts, dim, targets(world))
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


__all__ = ["RESTARTS", "STEPS", "Fitted", "Recovery", "fitted", "model_of", "recover"]
