"""Each method in words, for pages and tables that must not load torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MethodWords:
    short: str
    says: str
    uses_labels: bool


METHOD_WORDS: Mapping[str, MethodWords] = {
    "flow": MethodWords(
        "flow", "Exact maximum likelihood: an invertible map, a Gaussian base in each environment.", True
    ),
    "flow-coupling": MethodWords("flow, affine coupling", "The same likelihood by another family of maps.", True),
    "flow-shuffled": MethodWords(
        "flow, labels shuffled",
        "The same flow with labels dealt out at random: what labels are worth.",
        False,
    ),
    "flow-pooled": MethodWords("flow, labels pooled", "The same flow with all environments thrown together.", False),
    "ivae": MethodWords(
        "iVAE",
        "A variational autoencoder whose prior knows the environment. One untuned configuration.",
        True,
    ),
    "contrast": MethodWords(
        "time-contrastive",
        "Features from which a quadratic rule names the environment. One untuned configuration.",
        True,
    ),
    "causes": MethodWords(
        "perfect interventions, linear",
        "Linear: the likelihood of edges that environments cut. It is told which environments cut, and no graph.",
        True,
    ),
    "flow-causes": MethodWords(
        "flow, perfect interventions",
        "An invertible map under the likelihood of edges that environments cut.",
        True,
    ),
    "gevd": MethodWords(
        "generalised eigenvectors",
        "Linear: directions whose variance changes most against the reference.",
        True,
    ),
    "mmd-ae": MethodWords(
        "MMD-aligned autoencoder",
        "Reconstruction + MMD² between environments: alignment. One weight, 1.",
        True,
    ),
    "vae": MethodWords("VAE", "A variational autoencoder, blind to environments.", False),
    "beta-vae": MethodWords(
        "β-VAE, β = 4", "The divergence weighs four times: disentanglement by objective. One β.", False
    ),
    "fastica": MethodWords("FastICA", "Independent components of all rows together: linear, no labels.", False),
    "pca": MethodWords("PCA", "Principal components of all rows together.", False),
    "oracle": MethodWords(
        "supervised oracle", "A network that is shown the true latents: what could be reached.", False
    ),
}
