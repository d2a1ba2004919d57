"""What each penalty is, in words: for pages and tables, which must not need torch. The functions are in `penalties`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PenaltyWords:
    """short: for a figure.  formula: with D_i the rows of group i and R_e the factual error of group e.

    cost: what a step has to do beside the network.
    lams: the grid on which the penalty does something without breaking the network; λ of penalties are not comparable.
    """

    short: str
    cost: str
    lams: tuple[float, ...]
    formula: str
    source: str
    assumption: str


def grid(low: float, high: float, n: int = 15) -> tuple[float, ...]:
    """0 and `n` log-spaced values from `low` to `high`, written with two digits."""
    steps = (low * (high / low) ** (k / (n - 1)) for k in range(n))
    return (0.0, *(float(f"{value:.2g}") for value in steps))


def beyond(lams: tuple[float, ...], n: int) -> tuple[float, ...]:
    """The next `n` values of a `grid`, by its own ratio."""
    first, last = lams[1], lams[-1]
    ratio = (last / first) ** (1 / (len(lams) - 2))
    return tuple(float(f"{last * ratio**k:.2g}") for k in range(1, n + 1))


PENALTY_WORDS: Mapping[str, PenaltyWords] = {
    "mmd": PenaltyWords(
        short="MMD²",
        cost="one kernel of all rows with all, gradient written out",
        lams=grid(1e-4, 100),
        formula="mean over pairs of MMD²(φ(D_i), φ(D_j)), Gaussian kernel, h the median distance",
        source="Shalit, Johansson, Sontag (2017)",
        assumption="The latent should have one distribution in all environments.",
    ),
    "mmd-multi": PenaltyWords(
        short="MMD² (3 bandwidths)",
        cost="one kernel, raised to powers",
        lams=grid(1e-4, 100),
        formula="mean over bandwidths h/2, h, 2h of MMD²",
        source="Long et al. (2015), Deep adaptation networks, for several kernels at once",
        assumption="The latent should have one distribution in all environments, at several scales.",
    ),
    "mmd-linear": PenaltyWords(
        short="linear MMD²",
        cost="means of the groups",
        lams=grid(1e-4, 100),
        formula="mean over pairs of ‖mean φ(D_i) − mean φ(D_j)‖²",
        source="MMD² with a linear kernel; Johansson, Shalit, Sontag (2016)",
        assumption="The latent should have one mean in all environments.",
    ),
    "coral": PenaltyWords(
        short="CORAL",
        cost="covariances of the groups",
        lams=grid(1e-2, 1e4),
        formula="mean over pairs of ‖cov φ(D_i) − cov φ(D_j)‖²_F / 4k²",
        source="Sun, Saenko (2016), Deep CORAL",
        assumption="The latent should have one covariance in all environments; means may differ.",
    ),
    "wasserstein": PenaltyWords(
        short="sliced Wasserstein",
        cost="24 sorts of the rows",
        lams=grid(1e-3, 1e3),
        formula="mean over pairs and 24 directions of W₂² of the projections, at 16 levels",
        source=(
            "Bonneel et al. (2015), Sliced and Radon Wasserstein barycenters; Shalit et al. (2017) for Wasserstein in "
            "CFR"
        ),
        assumption=(
            "The latent should have one distribution in all environments; far rows count more than for a kernel."
        ),
    ),
    "adversarial": PenaltyWords(
        short="domain-adversarial",
        cost="a small classifier a model, trained along",
        lams=grid(1e-3, 100),
        formula="log E − cross-entropy of a smooth classifier of environments that learns along, its gradient reversed",
        source=(
            "Ganin et al. (2016), Domain-adversarial training of neural networks; its classifier kept smooth as in "
            "Mescheder et al. (2018)"
        ),
        assumption="No classifier should be able to tell the environments apart in the latent.",
    ),
    "irm": PenaltyWords(
        short="IRMv1",
        cost="a product of errors and predictions",
        lams=grid(1e-3, 3),
        formula="mean over e of (∂R_e(w·ŷ)/∂w)² at w = 1",
        source="Arjovsky et al. (2019), Invariant risk minimization",
        assumption="One and the same outcome layer should be optimal in every environment.",
    ),
    "vrex": PenaltyWords(
        short="V-REx",
        cost="errors by group",
        lams=grid(1e-3, 1e3),
        formula="variance over e of R_e",
        source="Krueger et al. (2021), Risk extrapolation",
        assumption="The factual error should be the same in every environment.",
    ),
    "groupdro": PenaltyWords(
        short="GroupDRO",
        cost="errors by group",
        lams=grid(1e-3, 1e3),
        formula="Σ_e q_e R_e, q moved to the worst environments by exponentiated gradient",
        source=(
            "Sagawa et al. (2020), Distributionally robust neural networks; here added to the factual error with "
            "weight λ"
        ),
        assumption="The worst environment's factual error is what matters. A reference: nothing is aligned.",
    ),
    "contrastive": PenaltyWords(
        short="contrastive pairs",
        cost="64 more rows through the network, and a table of 32 by 32 distances",
        lams=grid(1e-4, 100),
        formula="symmetric InfoNCE over 32 matched pairs, similarity −‖a − b‖²/2h² over a temperature of .1",
        source="van den Oord et al. (2018), InfoNCE; as a penalty between environments, this project",
        assumption="Matched rows of two environments are one unit, or units alike, and should have one latent.",
    ),
}
