"""Whether a network uses the nuisance: how fast its outputs move as s̄ moves and z stays.

What can be read from a latent (`probes`) need not be used by the heads. In truth the effect never depends on s, and the
outcome does by interaction · z̄ alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crl_core.data.scenario import Scenario
from crl_core.data.scm import MultiEnvData, along_nuisance
from crl_core.network import slopes


def use_of_s(
    weights: Mapping[str, np.ndarray], view: MultiEnvData, scenario: Scenario, seed: int
) -> dict[str, np.ndarray]:
    """Mean and root mean square over rows of ∂τ̂/∂s̄ and of ∂ŷ/∂s̄ under the treatment received, [M] each, by metric.

    Units: of the outcome, by unit of s̄.  seed: of the draw, whose mixing leads from s to x.  NaN for a diverged model.
    """
    if view.z is None or view.s is None:
        raise ValueError("z and s of these rows are not known, so nobody knows how x moves with s.")
    control, treated = slopes(weights, view.x, along_nuisance(view, scenario, seed))
    found = {}
    with np.errstate(invalid="ignore", over="ignore"):  # of a diverged model
        for name, slope in (("effect", treated - control), ("outcome", np.where(view.t == 1, treated, control))):
            wide = slope.astype(np.float64)
            found[f"use_{name}_mean"], found[f"use_{name}_rms"] = wide.mean(axis=1), np.sqrt(np.mean(wide**2, axis=1))
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in found.items()}
