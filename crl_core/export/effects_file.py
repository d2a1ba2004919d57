"""Every row's estimated effect as CSV, for whoever brought the table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping

import numpy as np

from crl_core.data.tables.columns import Raw, Role, texts
from crl_core.measures.average_effects import NORMAL_90, RowEffects
from crl_core.measures.doubly_robust import Nuisances

_BESIDE: tuple[Role, ...] = ("id", "environment", "treatment")  # columns of the table that stand beside the effects


def effects_csv(
    raw: Raw, roles: Mapping[str, Role], at: np.ndarray, found: RowEffects, known: Nuisances | None = None
) -> str:
    """A line for each row that is used, in the file's order; text that a spreadsheet would run is quoted by a mark.

    row:     of the file, the first below the names is 1.
    y0_hat, y1_hat, effect: means over fits.  effect_sd: over fits; low and high: effect ± `NORMAL_90` of them.
    propensity: out of fold, and whether the row is hardly ever given the other treatment, so that nothing is known of
             its other outcome.
    at:      places of the rows in the file, [n].
    """
    beside = [name for name, role in roles.items() if role in _BESIDE]
    cells = [texts(raw.columns[name][at]) for name in beside]
    y0_hat, effect, sd = np.nanmean(found.y0_hat, axis=0), found.effect, found.sd
    numbers = {
        "y0_hat": y0_hat,
        "y1_hat": y0_hat + effect,
        "effect": effect,
        "effect_sd": sd,
        "low": effect - NORMAL_90 * sd,
        "high": effect + NORMAL_90 * sd,
    }
    numbers |= {} if known is None else {"propensity": known.propensity}
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    names = [*numbers, *([] if known is None else ["overlap"])]
    writer.writerow(["row", *(harmless(name) for name in beside), *names])
    for index, row in enumerate(at.tolist()):
        values = ["" if np.isnan(column[index]) else f"{column[index]:.6g}" for column in numbers.values()]
        if known is not None:
            values.append("no" if known.clipped[index] else "yes")
        writer.writerow([row + 1, *(harmless(str(column[index])) for column in cells), *values])
    return file.getvalue()


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return "'" + text if text[:1] in "=+-@\t\r" and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
