"""What each penalty is, in words: for pages and tables, which must not need torch. The functions are in `penalties`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PenaltyWords:
    """short: for a figure.  formula: with D_i the rows of group i and R_e the factual error of group e."""

    short: str
    formula: str
    source: str
    assumption: str


PENALTY_WORDS: Mapping[str, PenaltyWords] = {
    "mmd": PenaltyWords(
        short="MMD²",
        formula="mean over pairs of MMD²(φ(D_i), φ(D_j)), Gaussian kernel, h the median distance",
        source="Shalit, Johansson, Sontag (2017)",
        assumption="The latent should have one distribution in all environments.",
    ),
    "mmd-multi": PenaltyWords(
        short="MMD² of three bandwidths",
        formula="mean over bandwidths h/2, h, 2h of MMD²",
        source="Long et al. (2015), Deep adaptation networks, for several kernels at once",
        assumption="The latent should have one distribution in all environments, at several scales.",
    ),
    "mmd-linear": PenaltyWords(
        short="distance of means",
        formula="mean over pairs of ‖mean φ(D_i) − mean φ(D_j)‖²",
        source="MMD² with a linear kernel; Johansson, Shalit, Sontag (2016)",
        assumption="The latent should have one mean in all environments.",
    ),
    "coral": PenaltyWords(
        short="CORAL",
        formula="mean over pairs of ‖cov φ(D_i) − cov φ(D_j)‖²_F / 4k²",
        source="Sun, Saenko (2016), Deep CORAL",
        assumption="The latent should have one covariance in all environments; means may differ.",
    ),
    "wasserstein": PenaltyWords(
        short="sliced Wasserstein",
        formula="mean over pairs and 24 directions of W₂² of the projections, at 16 levels",
        source="Bonneel et al. (2015), Sliced and Radon Wasserstein barycenters; Shalit et al. (2017) for Wasserstein in CFR",
        assumption="The latent should have one distribution in all environments; far rows count more than for a kernel.",
    ),
    "irm": PenaltyWords(
        short="IRMv1",
        formula="mean over e of (∂R_e(w·ŷ)/∂w)² at w = 1",
        source="Arjovsky et al. (2019), Invariant risk minimization",
        assumption="One and the same outcome layer should be optimal in every environment.",
    ),
    "vrex": PenaltyWords(
        short="V-REx",
        formula="variance over e of R_e",
        source="Krueger et al. (2021), Risk extrapolation",
        assumption="The factual error should be the same in every environment.",
    ),
}
