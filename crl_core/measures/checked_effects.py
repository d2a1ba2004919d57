"""Estimated effects of a table's rows, held against what its own rows say of them: all that a page or a file shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crl_core.data.scm import MultiEnvData
from crl_core.measures.average_effects import RowEffects
from crl_core.measures.doubly_robust import (
    Estimate,
    Nuisances,
    average,
    effect_in_overlap,
    effect_on_treated,
    scores,
    untreated_scores,
)
from crl_core.measures.effect_checks import (
    Calibration,
    Groups,
    PolicyCurve,
    Thirds,
    by_group,
    by_thirds,
    calibration,
    policy_curve,
)
from crl_core.measures.effect_words import EffectVerdict, verdict


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CheckedEffects:
    """average, treated, in_overlap: doubly robust effects of all rows, on the treated, and on the n_overlap rows that
    are not clipped, without the network.

    The rest is of the n_checked rows that some fit did not see, by the mean of those fits.
    """

    average: Estimate
    treated: Estimate
    in_overlap: Estimate
    n_overlap: int
    n_checked: int
    calibration: Calibration
    thirds: Thirds
    by_env: Groups
    policy: PolicyCurve
    verdict: EffectVerdict


def checked_effects(
    rows: MultiEnvData, known: Nuisances, found: RowEffects, env_names: tuple[str, ...]
) -> CheckedEffects:
    """What `rows` say of effects that were found for them; known: their nuisances, out of fold."""
    gamma, effects = scores(rows, known), found.out_of_fold
    seen = np.isfinite(effects)
    line = calibration(gamma[seen], effects[seen], known.clipped[seen])
    thirds = by_thirds(gamma[seen], effects[seen])
    return CheckedEffects(
        average=average(gamma),
        treated=effect_on_treated(rows, known),
        in_overlap=effect_in_overlap(rows, known),
        n_overlap=int((~known.clipped).sum()),
        n_checked=int(seen.sum()),
        calibration=line,
        thirds=thirds,
        by_env=by_group(gamma[seen], effects[seen], known.clipped[seen], rows.env[seen], env_names),
        policy=policy_curve(gamma[seen], effects[seen], untreated_scores(rows, known)[seen]),
        verdict=verdict(line, thirds),
    )
