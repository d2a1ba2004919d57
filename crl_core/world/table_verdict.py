"""What a table can tell of effects, before anything is trained: one word, one sentence, and a few questions answered.

The bounds below were chosen before any table was judged by them; none of the answers needs the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from crl_core.data.tables.source import TableSource
from crl_core.world.sizes import RARE
from crl_core.world.table_checks import FEW, MUCH_OUTSIDE, Look, listed

MOST_OUTSIDE = 0.5  # share of rows beyond the edges from which a table is not to be trusted
TRIAL_AUC = 0.6  # where treatment is drawn by lot, an AUC is what chance gives, and this one is excluded
# Standard errors of an AUC under chance. Cross-fitted ones spread by 1.4 of them, so that drawn trials of 300 and of
# 1,200 rows lie above the first in one of a hundred; the second is 5 % at one side.
CHANCE, ONE_SIDED = 3.0, 1.64
AS_WELL = 0.05  # difference in R² that is none

Status = Literal["yes", "in part", "no", "unknown"]
Word = Literal["do not trust", "in part", "with care", "like a trial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A question on the table, how it stands, and why it matters."""

    status: Status
    question: str
    says: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableVerdict:
    """Whether to trust effects that are estimated from a table."""

    word: Word
    sentence: str
    answers: tuple[Answer, ...]


def table_verdict(source: TableSource, look: Look, *, measured_before: bool) -> TableVerdict:
    """What the look means for somebody who wants effects.

    measured_before: whether a person has said that all covariates were measured before the treatment was given.
    """
    lots = trial_parts(source, look)
    overlap, lot = _overlap(look), _lot(source, look, lots)
    word: Word
    if overlap.status == "no":
        word, sentence = "do not trust", _no_overlap(source, look)
    elif overlap.status == "in part":
        word = "in part"
        sentence = (
            f"Trust effects only where both arms are seen: for {_percent(look.outside)} of the rows no method knows "
            f"the other outcome, and an average over all of them is partly guessed. {_two_answers(source, look)}"
        )
    elif lot.status == "yes":
        word = "like a trial"
        sentence = (
            "Treatment looks as if drawn by lot: average effects can be estimated, and checked against the "
            f"difference in means, {effect_text(source, look.naive)}. The effect of a single row cannot be checked."
        )
    else:
        word = "with care"
        sentence = (
            "Both arms are seen for nearly all rows, so that effects can be estimated. They are right if the "
            "covariates hold everything that decided who was treated, which no table can show. "
            f"{_two_answers(source, look)}"
        )
    if overlap.status != "yes" and (odd := _asked_about(source, look)):
        sentence += f" First look at {odd}: if it was measured after the treatment, leave it out, and judge again."
    return TableVerdict(
        word=word,
        sentence=sentence,
        answers=(overlap, lot, _before(source, look, measured_before), _both_arms(source, look), _shortcut(look)),
    )


def trial_parts(source: TableSource, look: Look) -> tuple[str, ...]:
    """Environments in which the covariates do not tell the arms apart better than chance does."""
    return tuple(
        name
        for name, auc, counts in zip(source.env_names, look.env_aucs, look.arms, strict=True)
        if _by_lot(float(auc), counts)
    )


def effect_text(source: TableSource, value: float) -> str:
    """An average effect in the outcome's unit; of an outcome with two values in percentage points."""
    if source.outcomes:
        return f"{100 * value:+.1f} percentage points".replace("-", "−")
    size = abs(value)
    return ("−" if value < 0 else "") + (f"{size:,.0f}" if 1000 <= size < 1e9 else f"{size:.3g}")


def _by_lot(auc: float, counts: np.ndarray) -> bool:
    """Whether an AUC is what chance gives, and there are rows enough to exclude one of a confounded treatment."""
    untreated, treated = (float(n) for n in counts)
    if not np.isfinite(auc) or min(untreated, treated) < 1:
        return False
    error = np.sqrt((untreated + treated + 1) / (12 * untreated * treated))  # of Mann and Whitney's, under chance
    return bool(auc - 0.5 < CHANCE * error and auc + ONE_SIDED * error < TRIAL_AUC)


def _overlap(look: Look) -> Answer:
    status: Status = "yes" if look.outside < MUCH_OUTSIDE else "in part" if look.outside < MOST_OUTSIDE else "no"
    inside = (look.propensity >= RARE) & (look.propensity <= 1 - RARE)
    of_arms = " and ".join(
        f"{int((inside & (look.t == arm)).sum()):,} of {int((look.t == arm).sum()):,} {name}"
        for arm, name in ((1, "treated"), (0, "untreated"))
    )
    return Answer(
        status=status,
        question="Do treated and untreated rows overlap?",
        says=f"{of_arms} training rows have a propensity between {RARE:g} and {1 - RARE:g}. Covariates tell the arms "
        f"apart with AUC {look.auc:.2f}; 0.5 is no better than chance.",
        why="A row without a counterpart in the other arm has its other outcome extrapolated, by every method.",
    )


def _lot(source: TableSource, look: Look, lots: Sequence[str]) -> Answer:
    if _by_lot(look.auc, look.arms.sum(axis=0)):
        return Answer(
            status="yes",
            question="Is there a randomised part to check against?",
            says=f"The covariates do not tell the arms apart (AUC {look.auc:.2f}), as in a trial.",
            why=f"The difference in means, {effect_text(source, look.naive)}, is then an answer of its own. What is "
            "not in the table may differ all the same.",
        )
    if lots and source.n_envs > 1:
        return Answer(
            status="in part",
            question="Is there a randomised part to check against?",
            says=f"Within {listed(list(lots))} the covariates do not tell the arms apart, as in a trial.",
            why="There an estimate can be set beside the difference in means.",
        )
    return Answer(
        status="no",
        question="Is there a randomised part to check against?",
        says="In no part of the table do the arms look drawn by lot.",
        why="Nothing in this table shows whether an estimate is right.",
    )


def _before(source: TableSource, look: Look, said: bool) -> Answer:
    odd = _asked_about(source, look)
    asked = f" Look at {odd} again: see the warnings." if odd else ""
    return Answer(
        status="unknown" if not said else "in part" if odd else "yes",
        question="Were all covariates measured before the treatment?",
        says=("So it was said." if said else "Nobody has said so.") + asked,
        why="A column that the treatment has changed takes a part of the effect away, and no score shows it.",
    )


def _asked_about(source: TableSource, look: Look) -> str:
    """Covariates that were perhaps measured after the treatment; "" where none is suspected."""
    covariates = {column.name for column in source.covariates}
    odd = [name for item in look.findings if item.weight == "beware" for name in item.columns if name in covariates]
    return listed(list(dict.fromkeys(odd))[:5]) if odd else ""


def _both_arms(source: TableSource, look: Look) -> Answer:
    question = "Does every environment see both arms?"
    if source.n_envs == 1:
        return Answer(
            status="unknown",
            question=question,
            says="No column is the environment.",
            why="What can be made alike is then the arms alone.",
        )
    least = look.arms.min(axis=1)
    alone = [name for name, n in zip(source.env_names, least, strict=True) if n == 0]
    few = [name for name, n in zip(source.env_names, least, strict=True) if 0 < n < FEW]
    says = [f"{listed(alone)}: one arm only."] if alone else []
    says += [f"{listed(few)}: fewer than {FEW} rows of an arm."] if few else []
    return Answer(
        status="no" if len(alone) == source.n_envs else "in part" if alone or few else "yes",
        question=question,
        says=" ".join(says) or f"At least {int(least.min())} rows of each arm in each of {source.n_envs}.",
        why="An environment with one arm stands for the arm: making environments alike then erases confounders.",
    )


def _shortcut(look: Look) -> Answer:
    question = "Would an environment that is left out show a shortcut?"
    if not np.isfinite(look.at_home + look.left_out_env):
        return Answer(
            status="unknown",
            question=question,
            says="With one environment none can be left out.",
            why="A network that uses a shortcut predicts well at home.",
        )
    worse = look.at_home - look.left_out_env > AS_WELL
    return Answer(
        status="yes" if worse else "no",
        question=question,
        says=f"A linear model explains R² {look.at_home:.2f} of the outcome at home and {look.left_out_env:.2f} in "
        f"environments that it has not seen.",
        why="What predicts differs between environments: an error there tells models apart."
        if worse
        else "Accuracy there goes with accuracy at home, so that it cannot tell a shortcut from a cause.",
    )


def _no_overlap(source: TableSource, look: Look) -> str:
    return (
        "Do not trust an effect that is estimated from this table: treated and untreated are different kinds of rows, "
        f"{_percent(look.outside)} of which have hardly a counterpart in the other arm. {_two_answers(source, look)}"
    )


def _two_answers(source: TableSource, look: Look) -> str:
    naive, adjusted = look.naive, look.least_squares
    apart = abs(naive - adjusted) > 0.5 * max(abs(naive), abs(adjusted))
    means = f"The difference in means is {effect_text(source, naive)}, least squares per arm gives "
    return f"{means}{effect_text(source, adjusted)}" + (": the method decides what is found." if apart else ".")


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
