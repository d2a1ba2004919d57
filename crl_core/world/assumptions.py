"""What aligning groups assumes of a world, checked on the scenario's numbers before anything is trained.

same cause:        p(z) is the same in all groups, so a difference between them is none of the signal.
nuisance unneeded: y does not depend on s, so that a latent without s predicts as well.
overlap:           for (nearly) every z both treatments occur somewhere, so that an effect can be learnt at all.
Granted assumptions make alignment harmless; it gains something only where s stands in for the treatment or the outcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from crl_core.config import Align, Scenario
from crl_core.data.scm import propensity
from crl_core.world.graph import cause_decides, differs
from crl_core.world.sizes import LITTLE, NEAR, cause_gap, error_without_s, share_of_nuisance, share_with_both

Status = Literal["granted", "in part", "violated"]

ENOUGH, SOME = 0.95, 0.5  # share of units with both treatments from which overlap is granted, and granted in part
MUCH = 0.2  # share of the outcome's spread that s has, up to which y can nearly do without
FAR = 0.5  # spreads; a cause that differs by more is another one


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    name: str
    status: Status
    says: str  # how it stands in this world, with its numbers
    why: str  # why it matters


def assumptions(scenario: Scenario, align: Align, env_word: str = "environment") -> tuple[Assumption, ...]:
    """The three assumptions, in the order of the module."""
    return (
        _same_cause(scenario, align, env_word),
        _nuisance_unneeded(scenario),
        _overlap(scenario),
    )


def _same_cause(scenario: Scenario, align: Align, env_word: str) -> Assumption:
    found = differs(scenario)
    gap = cause_gap(scenario, align)
    if align != "treatment":
        name = f"The cause is the same in every {env_word}: p(z) does not differ"
        if scenario.n_envs == 1:
            says = f"There is one {env_word}."
        elif found.cause:
            says = f"{_spans(scenario)} {_apart(gap)}"
        else:
            says = (
                f"z has mean {_text(scenario.cause_mean[0])} and standard deviation {_text(scenario.cause_scale[0])} "
                f"in each."
            )
    else:
        name = "The cause is the same in both arms: p(z) does not differ"
        if cause_decides(scenario):
            p = [propensity(scenario, z).mean() for z in (-1.0, 1.0)]
            says = f"z decides who is treated: {100 * p[0]:.0f} % at z = −1, {100 * p[1]:.0f} % at z = 1."
        elif found.cause and found.treatment:
            says = f"The {env_word}s that treat more have other units: z follows the treatment."
        else:
            says = "Who is treated does not depend on z."
        says += f" {_apart(gap)}" if gap else ""
    return Assumption(
        name=name,
        status="granted" if gap < NEAR else "in part" if gap < FAR else "violated",
        says=says,
        why=(
            "The penalty removes every difference it sees. Where the environments differ in z, the cause, it makes "
            "unlike units look alike, and their effects with them."
        ),
    )


def _nuisance_unneeded(scenario: Scenario) -> Assumption:
    share = 0.0 if scenario.outcome == "binary" else share_of_nuisance(scenario)
    if scenario.outcome == "binary":
        says = "y comes first: the cause and the nuisance are drawn after it."
        says += " s tells of it, so it helps to predict y here, and nowhere else." if scenario.leak else ""
    elif scenario.interaction:
        least = error_without_s(scenario)
        says = f"y contains {_text(scenario.interaction)} · z · s." + (
            "" if least is None else f" Without s the factual error cannot fall below {least:.3g}."
        )
    elif scenario.leak:
        says = "s is an effect of y, not a cause: it helps to predict y and says nothing about the effect."
    else:
        says = "y is made of z, t and noise."
    return Assumption(
        name="y does not need s",
        status="granted" if share < LITTLE else "in part" if share < MUCH else "violated",
        says=says,
        why="A latent without s predicts as well only if y does not depend on s.",
    )


def _overlap(scenario: Scenario) -> Assumption:
    share = share_with_both(scenario)
    if share >= ENOUGH:
        says = "Taken all together, yes."
    elif share == 0:
        says = "No: at every z one treatment is missing or rarer than one in twenty."
    else:
        says = (
            f"For {100 * share:.0f} % of the units; the others' z sees one treatment in fewer than one of twenty cases."
        )
    return Assumption(
        name="For every z both treatments are seen somewhere",
        status="granted" if share >= ENOUGH else "in part" if share >= SOME else "violated",
        says=says,
        why="Where one treatment is never seen, its outcome is extrapolated, aligned or not.",
    )


def _spans(scenario: Scenario) -> str:
    parts = [
        f"the {word} of z goes from {_text(min(values))} to {_text(max(values))}"
        for word, values in (("mean", scenario.cause_mean), ("standard deviation", scenario.cause_scale))
        if len(set(values)) > 1
    ]
    said = " and ".join(parts)
    return f"{said[0].upper()}{said[1:]}."


def _apart(gap: float) -> str:
    return f"Two groups are {gap:.2g} standard deviations of z apart." if gap >= 0.005 else "No difference to speak of."


def _text(value: float) -> str:
    return f"{value:g}".replace("-", "−")
