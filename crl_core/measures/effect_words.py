"""Whether a table's own rows confirm that effects differ as predicted, and with what: a few sentences, by rules set
beforehand.

The verdict's rule, first that holds, with the slope of doubly robust scores on τ̂ and its robust standard error se:
  worthless:   more than `MOST_CLIPPED` of the rows are hardly ever given the other treatment;
  undefined:   there is no slope;
  open:        the slope is within `FAR` se of 0 and of 1: the rows are too few to tell;
  unconfirmed: it is within `FAR` se of 0;
  reversed:    it is below 0;
  confirmed:   it is within `FAR` se of 1;
  smaller, larger: effects differ in the predicted order, but by less, or by more, than predicted.
Where there are thirds, a second sentence says what was predicted and found between the highest and the lowest; where
few rows are clipped, a last one counts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from crl_core.data.tables.columns import first_of
from crl_core.measures.average_effects import NORMAL_90
from crl_core.measures.doubly_robust import FLOOR
from crl_core.measures.effect_checks import WIDE, Calibration, Thirds
from crl_core.measures.linear_projection import LinearProjection
from crl_core.measures.probe_words import p_text

MOST_CLIPPED = 0.25
FAR = 2.0  # standard errors
# Share of rows whose true effect such an interval held on ordinary realisations of IHDP: R10 of
# benchmarks/real_data.json, where `benchmarks/ihdp.py` wrote it.
COVERED_ON_IHDP = 0.89
BY_CHANCE = 0.05  # of intervals of `WIDE` standard errors miss what they are of
_MOST_NAMED = 4
_ROUNDING = 1e-6  # of a slope, where rows without noise leave no standard error

Kind = Literal["worthless", "undefined", "open", "unconfirmed", "reversed", "confirmed", "smaller", "larger"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectVerdict:
    """What the rows say of the predicted differences between effects."""

    kind: Kind
    words: str


def verdict(found: Calibration, thirds: Thirds) -> EffectVerdict:
    """The verdict on a calibration, with the thirds of the same rows."""
    kind, near = _kind(found), f"slope {found.slope:.2f} ± {found.se:.2f}; 1 is as predicted, 0 is none"
    first = {
        "worthless": f"The slope means nothing here: {_rarely(found)}.",
        "undefined": f"Whether effects differ cannot be asked of these rows: {found.reason}.",
        "open": f"These rows are too few to tell whether effects differ as predicted ({near}).",
        "unconfirmed": f"These rows do not confirm that effects differ ({near}): take the average effect for everyone.",
        "reversed": f"These rows contradict the prediction: where a larger effect is predicted it is smaller ({near}).",
        "confirmed": f"These rows confirm that effects differ as predicted ({near}).",
        "smaller": f"These rows confirm that effects differ, but by less than predicted ({near}).",
        "larger": f"These rows confirm that effects differ, and by more than predicted ({near}).",
    }[kind]
    sentences = [first]
    if kind not in ("worthless", "undefined"):
        if not thirds.reason:
            gap = thirds.found_gap
            sentences.append(
                "Between the highest and the lowest third of predicted effects the difference is "
                f"{_said(thirds.predicted_gap)} as predicted, {_said(gap.value)} ± {_said(gap.se)} as found."
            )
        if found.n_clipped:
            sentences.append(f"{_rarely(found)}; theirs is held there.")
    return EffectVerdict(kind=kind, words=" ".join(sentences))


def projection_words(found: LinearProjection) -> str:
    """What a projection on many inputs says, and how much of it chance alone would say."""
    if found.reason:
        return f"With which columns the effect goes cannot be asked of these rows: {found.reason}."
    if found.n_clipped > MOST_CLIPPED * found.n:
        return f"This means nothing here: {_rarely(found)}."
    count, missed, sure = len(found.terms), found.beyond(WIDE), found.beyond(found.wide)
    words = (
        f"{len(missed)} of {_intervals(count)} of {WIDE:g} standard errors {_verb(missed, 'miss')} zero; by chance "
        f"alone about {BY_CHANCE * count:.2g} would, if the effect went with no column."
    )
    if count > 1:
        named = first_of([term.name for term in sure], _MOST_NAMED)
        of = "that" if len(sure) == 1 else "those"
        still = f"{of} of {named} still {_verb(sure, 'do')}" if sure else "none does"
        words += f" Widened for so many, to {found.wide:.1f} standard errors, {still}."
    if np.isfinite(found.p):
        words += f" All inputs at once: {p_words(found.p)}."
    return words


def columns_words(p_values: Sequence[float]) -> str:
    """Of several columns that are each asked whether effects differ between their groups: how many say so by chance."""
    known = [p for p in p_values if np.isfinite(p)]
    if len(known) < 2:
        return ""
    small = sum(p < BY_CHANCE for p in known)
    return (
        f"Asked of each of {len(known)} columns, {small} {'has' if small == 1 else 'have'} p below {BY_CHANCE:g}; by "
        f"chance alone about {BY_CHANCE * len(known):.2g} would, if effects were the same for all."
    )


def p_words(p: float) -> str:
    """A p-value of a test that knows no smallest one."""
    return "p < 0.001" if p < 0.001 else f"p = {p_text(p)}"


def spread_words() -> str:
    """What the spread of fits is worth as an interval of a row's effect, as far as it was ever measured."""
    return (
        f"On IHDP, whose effects are known, a row's interval of {NORMAL_90:g} standard deviations of 20 fits held its "
        f"effect in {100 * COVERED_ON_IHDP:.0f} % of the rows; five fits are rougher, and it is no promise for another "
        "table."
    )


def _kind(found: Calibration) -> Kind:
    if found.n_clipped > MOST_CLIPPED * found.n:
        return "worthless"
    if found.reason:
        return "undefined"
    room = max(FAR * found.se, _ROUNDING)
    near_0, near_1 = abs(found.slope) <= room, abs(found.slope - 1) <= room
    if near_0:
        return "open" if near_1 else "unconfirmed"
    if found.slope < 0:
        return "reversed"
    if near_1:
        return "confirmed"
    return "smaller" if found.slope < 1 else "larger"


def _intervals(count: int) -> str:
    return "1 interval" if count == 1 else f"{count} intervals"


def _verb(of: Sequence[object], verb: str) -> str:
    """The verb of one, or of none or several."""
    return verb if len(of) != 1 else f"{verb}es"


def _rarely(found: Calibration | LinearProjection) -> str:
    return (
        f"{found.n_clipped} of {found.n} rows are hardly ever given the other treatment (propensity below {FLOOR:g} "
        f"or above {1 - FLOOR:g})"
    )


def _said(effect: float) -> str:
    """An effect in words: three digits, whole where it is in the hundreds or more."""
    return f"{effect:,.0f}" if 100 <= abs(effect) < 1e6 else f"{effect:.3g}"
