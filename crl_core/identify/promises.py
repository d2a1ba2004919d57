"""What the intervention matrix promises, before anything is trained: which latents can be told apart, and why.

Setting:  independent Gaussian noises, a smooth invertible mixing, a model with a free scale and mean for every noise in
          every environment, fitted without error. Claims about anything else are not made here.
Pinned:   with α_ei = (1/scale_0i² - 1/scale_ei²)/2 the log ratio of environment e to the reference is Σ_i α_ei u_i²
          plus terms of lower order, and every model of the data has the same ratios. If the unit vector of i lies in
          the rows' span, u_i² (about some centre) is a weighted sum of squares of model coordinates; it is distributed
          like one such square only if it is one. If all but one are pinned, the last is as well: given the others it is
          a line, and only u and -u keep its normal law.
Mixed:    latents whose scales change in the same ratio everywhere (or never) can be rotated among each other, after
          dividing by their reference scale, and every environment is still a product of Gaussians: no method that sees
          only the data can choose.
Open:     neither argument applies; or the means of such a block change as well. Then the same rotation, means included,
          explains the data as well, so the likelihood does not choose, but a training may: here it often ends where few
          means move (two latents in one ratio whose means move by turns: MCC .97 in the median of 16 seeds, .81 in the
          worst).
Perfect:  an edge that is cut shows the latent itself, not only its noise. With a linear mixing one perfect intervention
          on each latent, beside a reference, recovers the latents up to order, sign and scale: Squires et al. (2023),
          Linear Causal Disentanglement via Interventions; Varıcı et al. (2024), arXiv:2402.00849. Behind a nonlinear
          mixing the same is true of linear Gaussian systems, without limit on the data: Buchholz et al. (2023),
          arXiv:2306.02235; without those assumptions two interventions on each are needed, and a monotone map of each
          latent stays open: von Kügelgen et al. (2023), arXiv:2306.00542. Promised here is the linear case, where
          recovery was measured; behind a smooth mixing nothing is, because training was measured not to get there.
The first four arguments are this program's own, not quoted from a theorem, and of the last the abstracts were read, not
the proofs; the page shows beside them what was recovered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from crl_core.identify.latent_worlds import LatentWorld, targets
from crl_core.identify.scores import Kind

Status = Literal["pinned", "mixed", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What is promised of a latent world: a status for each coordinate, and the sentences that say it.

    blocks: coordinates that stay mixed, indices from 0.
    about:  "latents" or "noises", which of the two the promise is of.
    """

    status: tuple[Status, ...]
    blocks: tuple[tuple[int, ...], ...]
    about: Literal["latents", "noises"]  # where edges stay, the noise of a latent is recovered, not the latent
    words: tuple[str, ...]

    by: Literal["flow", "causes"]  # the method that the promise is of

    @property
    def up_to(self) -> Kind:
        """The correlation that forgives what is left open of a coordinate, beside order.

        pearson:  sign and scale, where something is promised.
        spearman: any monotone map, where nothing is: the least that could be asked of a coordinate.
        """
        return "spearman" if set(self.status) == {"open"} else "pearson"

    @property
    def letter(self) -> str:
        """What a coordinate is called."""
        return "z" if self.about == "latents" else "ε"


def promise_of(world: LatentWorld) -> Promise:
    """What a latent world's intervention matrix promises."""
    scales = np.array(world.scales)
    dim = world.dim
    ratios = np.round(np.log(scales / scales[0]), 9)  # [E, d]
    columns: dict[tuple[float, ...], list[int]] = {}
    for i in range(dim):
        columns.setdefault(tuple(ratios[:, i]), []).append(i)
    blocks = tuple(tuple(block) for block in columns.values() if len(block) > 1)
    in_block = {i for block in blocks for i in block}
    unit_scales = scales / scales[0]
    spans = _in_span(0.5 * (1 - unit_scales[1:] ** -2.0))
    pinned = {i for i in range(dim) if spans[i] and i not in in_block}
    if len(pinned) == dim - 1 and not in_block:
        pinned = set(range(dim))
    shifts = np.array(world.means) - np.array(world.means[0])
    still = tuple(block for block in blocks if not np.any(shifts[:, block]))
    if world.edges == "perfect":
        still, pinned = (), set(range(dim)) if cut_one_by_one(world) and world.mixing == "linear" else set()
    mixed = {i for block in still for i in block}
    status: list[Status] = ["mixed" if i in mixed else "pinned" if i in pinned else "open" for i in range(dim)]
    about: Literal["latents", "noises"] = "noises" if world.edges == "soft" else "latents"
    by: Literal["flow", "causes"] = "causes" if world.edges == "perfect" and pinned else "flow"
    words = _words(world, status, still, in_block)
    return Promise(status=tuple(status), blocks=still, about=about, words=words, by=by)


def cut_one_by_one(world: LatentWorld) -> bool:
    """Whether every latent is changed in scale by an environment that changes no other."""
    changed, scales = targets(world), np.array(world.scales)
    alone = changed & (changed.sum(axis=1) == 1)[:, None] & (scales != scales[0])
    return bool(alone.any(axis=0).all())


def _in_span(rows: np.ndarray) -> list[bool]:
    """For each unit vector, whether it lies in the span of `rows` [k, d]."""
    dim = rows.shape[1]
    if len(rows) == 0:
        return [False] * dim
    _, values, right = np.linalg.svd(rows)
    rank = int((values > 1e-9 * max(1.0, float(values.max()))).sum())
    basis = right[:rank]
    return [bool(np.sum(basis[:, i] ** 2) > 1 - 1e-9) for i in range(dim)]


def _words(
    world: LatentWorld, status: list[Status], blocks: tuple[tuple[int, ...], ...], tied: set[int]
) -> tuple[str, ...]:
    """tied: latents that share their ratio of scales with another."""
    what = "the noise of z" if world.edges == "soft" else "z"
    names = [f"{what}{_sub(i)}" for i in range(world.dim)]
    found: list[str] = []
    pinned = [names[i] for i, item in enumerate(status) if item == "pinned"]
    if pinned:
        found.append(f"{_list(pinned)}: recovered up to order, sign and scale.")
    moved = np.log(np.array(world.scales) / np.array(world.scales[0]))
    for block in blocks:
        why = "always change in the same ratio" if np.abs(moved[:, block[0]]).max() > 0 else "never change in scale"
        found.append(
            f"{_list([names[i] for i in block])}: {why}, so any rotation of them explains the data as well; they stay "
            f"mixed."
        )
    if world.edges != "perfect" and (moved_tied := [names[i] for i in sorted(tied) if status[i] == "open"]):
        found.append(
            f"{_list(moved_tied)}: scales do not tell them apart, and the likelihood does not either, but their means "
            f"move: no promise. "
            "Training often ends where few means move."
        )
    left = [names[i] for i, item in enumerate(status) if item == "open" and i not in tied]
    if world.edges == "perfect":
        found.append(_of_perfect(world))
    elif left:
        found.append(f"{_list(left)}: no promise either way; the environments are too few, or change too much at once.")
    if world.edges == "soft":
        found.append(
            "The edges belong to the mixing, as far as the data can tell: all of this is about the noises, not the "
            "latents."
        )
    if world.mixing == "linear" and world.edges != "perfect" and moved.any():
        found.append(
            "The mixing is linear: pooled data are not Gaussian, so independent components are found even without "
            "labels."
        )
    if world.mixing == "coupling" and pinned:
        found.append("The mixing is of another family than the flow: expect scores below what is promised.")
    if world.n_envs == 1:
        found.append("One environment: nothing changes, so nothing tells the latents apart. Add an environment.")
    return tuple(found)


def _of_perfect(world: LatentWorld) -> str:
    if not cut_one_by_one(world):
        return (
            "Perfect interventions cut edges, but not every latent has an environment that changes its scale and "
            "nothing else: nothing is promised here."
        )
    if world.mixing == "linear":
        return (
            "Every latent is cut off from its parents once, and the mixing is linear: one such intervention on each is "
            "enough (Squires et al. 2023; Varıcı et al. 2024), for the likelihood of cut edges. The flow does not know "
            "of edges: it finds the noises."
        )
    return (
        "Every latent is cut off from its parents once: with Gaussian noises and linear edges that is enough for data "
        "without limit, behind a smooth mixing as well (Buchholz et al. 2023). Trainings here were measured not to get "
        "there, so nothing is promised."
    )


def _sub(index: int) -> str:
    return "₁₂₃₄₅"[index]


def _list(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
