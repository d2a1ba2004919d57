"""What a gradient shows of where a network looks, in sentences, and what it cannot show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crl_core.config import Scenario
from crl_core.data.ecg import folded
from crl_core.measures.saliency import BAND_HZ, SMOOTHED, Looks

LIMITS = (
    "A gradient says which small change of a trace would move the answer most. It does not say how far the answer "
    "moves where a machine changes a trace by much, nor whether the answer is right."
)
_TRUST = "Where the effect looks is not how far it extrapolates: the edit above is the number to trust."
PICTURE = f"Bold: smoothed over {SMOOTHED} samples, which hides most of a ripple at the hum; thin: as it is."


def looked_said(found: Sequence[Looks], lams: Sequence[float], lam: float, *, label: bool) -> str:
    """What the gradient shows at the first λ and at the λ in view, medians over replicates `found`.

    Of a label the share of its spectrum at the hum. Of an effect that of its energy in ST as well: an effect that
    extrapolates badly may well look at the right place.
    """
    at = list(lams).index(lam)
    hum, st = (_medians([of.at_hum for of in found]), _medians([of.at_st for of in found]))
    if not np.isfinite(hum[at]):
        return f"There is no gradient at λ = {lam:g}: the model diverged, or nothing moves its answer."

    def said(values: np.ndarray) -> str:
        first = f"{_percent(values[0])} at λ = {lams[0]:g} and " if at and np.isfinite(values[0]) else ""
        return f"{first}{_percent(values[at])} at λ = {lam:g}, in view"

    white = f"a gradient alike at all frequencies would have {_percent(found[0].white)}"
    if label:
        return f"Of the gradient's spectrum {said(hum)}, lies within {BAND_HZ:g} Hz of the hum; {white}."
    if hum[at] < found[0].white:
        where = (
            f"Of the effect's gradient {said(st)}, lies in ST, 80 to 200 ms after R; {_percent(hum[at])} at the hum."
        )
    else:
        where = f"Of the spectrum of the effect's gradient {said(hum)}, lies within {BAND_HZ:g} Hz of the hum; {white}."
    return f"{where} {_TRUST}"


def hum_place_said(scenario: Scenario) -> str:
    """Where the hum stands in samples that are too few for it; empty where they hold it."""
    place = folded(scenario.hum_hz, scenario.rate)
    if place == scenario.hum_hz:
        return ""
    return f"At {scenario.rate:g} samples a second a hum of {scenario.hum_hz:g} Hz is seen at {place:g} Hz."


def _medians(values: Sequence[np.ndarray]) -> np.ndarray:
    """Over replicates that have a number, [L]; NaN where none has."""
    columns = np.array(values).T
    return np.array([np.median(known) if len(known := of[np.isfinite(of)]) else np.nan for of in columns])


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
