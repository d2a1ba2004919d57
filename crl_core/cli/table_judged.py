"""What a table's own rows say of the effects, in the output of the command `table`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from crl_core.data.scm import MultiEnvData
from crl_core.data.tables.source import TableSource
from crl_core.measures.average_effects import RowEffects
from crl_core.measures.checked_effects import CheckedEffects, checked_effects
from crl_core.measures.doubly_robust import FLOOR, Estimate, Nuisances, scores
from crl_core.measures.effect_words import projection_words
from crl_core.measures.linear_projection import LinearProjection, linear_projection


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """in_overlap: average effect of the rows that are not clipped, by each fit, [R]."""

    checked: CheckedEffects
    projection: LinearProjection
    in_overlap: np.ndarray


def judged(source: TableSource, rows: MultiEnvData, known: Nuisances, found: RowEffects) -> Judged:
    return Judged(
        checked=checked_effects(rows, known, found, source.env_names),
        projection=linear_projection(scores(rows, known), known.clipped, rows.x, source.covariates),
        in_overlap=found.averages(~known.clipped),
    )


def over_fits(values: np.ndarray) -> dict[str, float]:
    """An average effect in the JSON. values: of each replicate, [R]; spread: their standard deviation."""
    return {"value": float(values.mean()), "spread": float(values.std(ddof=1)) if len(values) > 1 else math.nan}


def judged_content(found: Judged) -> dict[str, Any]:
    """What the table's own rows say of the effects, in the JSON."""
    checked, line = found.checked, found.checked.calibration
    robust = {"doubly_robust": checked.in_overlap.value, "se": checked.in_overlap.se}
    return {
        "doubly_robust": {
            "ate": {"value": checked.average.value, "se": checked.average.se},
            "att": {"value": checked.treated.value, "se": checked.treated.se},
        },
        "overlap_rows": {"rows": checked.n_overlap} | over_fits(found.in_overlap) | robust,
        "calibration": {"slope": line.slope, "se": line.se, "clipped": line.n_clipped, "rows": line.n},
        "verdict": checked.verdict.words,
        "projection": {
            "terms": [{"input": term.name, "value": term.value, "se": term.se} for term in found.projection.terms],
            "p": found.projection.p,
        },
    }


def judged_text(found: Judged) -> str:
    """The same for reading."""
    checked, inside = found.checked, f"[{FLOOR:g}, {1 - FLOOR:g}]"

    def robust(item: Estimate) -> str:
        return f"{item.value:.4g} ± {item.se:.2g}" if np.isfinite(item.value) else "not defined"

    return "\n".join(
        [
            f"Doubly robust, without the network: average effect {robust(checked.average)}, on the treated "
            f"{robust(checked.treated)}, on the {checked.n_overlap} rows whose propensity lies in {inside} "
            f"{robust(checked.in_overlap)}.",
            f"Do effects differ as predicted? {checked.verdict.words}",
            f"With which columns do they go? {projection_words(found.projection)}",
        ]
    )
