"""What aligning groups assumes of a world, checked on the scenario's numbers before anything is trained.

same cause:        p(z) is the same in all groups, so a difference between them is none of the signal.
nuisance unneeded: y does not depend on s, so that a latent without s predicts as well.
overlap:           for (nearly) every z both treatments occur somewhere, so that an effect can be learnt at all.
Granted assumptions make alignment harmless; it gains something only where s stands in for the treatment or the outcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm

from crl_core.config import Align, Scenario
from crl_core.data.scm import propensity
from crl_core.world.graph import cause_decides, differs, has_effect

Status = Literal["granted", "in part", "violated"]
Word = Literal["can help", "mixed", "nothing to gain", "takes the signal away", "cannot work", "nothing to align"]

RARE = 0.05  # a treatment that fewer than one in twenty get counts as not seen
ENOUGH, SOME = (
    0.95,
    0.5,
)  # share of units with both treatments from which overlap is granted, and granted in part
_QUANTILES = (np.arange(400) + 0.5) / 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    name: str
    status: Status
    says: str  # how it stands in this world, with its numbers
    why: str  # why it matters


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the numbers let expect of alignment: a word, and the sentence that says why."""

    word: Word
    sentence: str


def assumptions(scenario: Scenario, align: Align, env_word: str = "environment") -> tuple[Assumption, ...]:
    """The three assumptions, in the order of the module."""
    return (
        _same_cause(scenario, align, env_word),
        _nuisance_unneeded(scenario),
        _overlap(scenario),
    )


def stands_in(scenario: Scenario, align: Align) -> str:
    """What s stands in for, in a way that alignment can see: "treatment", "outcome" or "" (nothing)."""
    found = differs(scenario)
    if scenario.leak != 0 and has_effect(scenario):
        seen = align == "treatment" or found.anything
        return "outcome" if seen and (scenario.n_envs > 1 or align == "treatment") else ""
    return "treatment" if found.nuisance and found.treatment else ""


def outlook(scenario: Scenario, align: Align, env_word: str = "environment") -> Outlook:
    """What alignment can be expected to do here."""
    groups = f"{env_word}s" if align == "environment" else "treated and untreated"
    same, unneeded, both = (item.status for item in assumptions(scenario, align, env_word))
    role = stands_in(scenario, align)
    if align == "environment" and scenario.n_envs == 1:
        return Outlook(
            word="nothing to align",
            sentence=f"There is one {env_word} only: the penalty is zero, and every λ trains the same network.",
        )
    if both == "violated" and not _any_overlap(scenario):
        return Outlook(
            word="cannot work",
            sentence="One treatment is never seen anywhere: nothing, aligned or not, can say what it would have done.",
        )
    if same != "granted":
        who = f"the {groups} differ" if align == "environment" else "the treated differ from the untreated"
        return Outlook(
            word="takes the signal away",
            sentence=f"Here {who} in z, the cause of the outcome, and a penalty cannot tell that "
            f"difference from one in s: "
            "what it makes alike is the signal.",
        )
    if not role:
        sentence = _no_role(scenario, align, env_word)
        if unneeded != "granted":
            sentence += " And y needs s, so a latent that forgot s would predict worse."
        return Outlook(word="nothing to gain", sentence=sentence)
    gain = (
        f"A network without a penalty takes s for the treatment, since both follow the {env_word}"
        if role == "treatment"
        else "A network without a penalty reads the outcome off s, which carries it"
    )
    if unneeded != "granted":
        return Outlook(word="mixed", sentence=f"{gain}; but y needs s too, so forgetting s costs what y has from it.")
    where = f"every {env_word}" if align == "environment" else "both arms"
    return Outlook(
        word="can help",
        sentence=f"{gain}. The cause z is the same in {where}, so making them alike can remove s and keep z.",
    )


def share_with_both(scenario: Scenario) -> float:
    """Share of units whose z sees each treatment with probability at least .05, all environments pooled."""
    root = np.sqrt(scenario.dim_causal)
    mean = np.array(scenario.cause_mean) * root
    scale = np.maximum(np.array(scenario.cause_scale), 1e-6)  # a constant z is a very narrow one
    z = mean[:, None] + scale[:, None] * norm.ppf(_QUANTILES)  # [E, q], the quantiles of z in each environment
    log_density = norm.logpdf(z[..., None], mean, scale)  # [E, q, E]
    member = np.exp(log_density - logsumexp(log_density, axis=-1, keepdims=True))
    treated = propensity(scenario, z[..., None])
    pooled = (member * treated).sum(axis=-1)
    return float(np.mean((pooled >= RARE) & (pooled <= 1 - RARE)))


def error_without_s(scenario: Scenario) -> float | None:
    """Least factual MSE of a predictor that knows z and t but not s; None where the arms or environments differ in z.

    y = … + interaction · z̄ · s̄ + ε, so it is interaction² · E[z̄²] · E[Var(s̄ | t)] + noise².
    """
    if differs(scenario).cause or cause_decides(scenario):
        return None
    treated, offset = np.array(scenario.propensity), np.array(scenario.offset) * np.sqrt(scenario.dim_spurious)
    variance = np.square(np.array(scenario.sigma))
    expected = 0.0
    for arm in (treated, 1 - treated):  # weights P(e | t), times P(t)
        if arm.sum() == 0:
            continue
        weight = arm / arm.sum()
        within = weight @ (variance + offset**2) - (weight @ offset) ** 2
        expected += float(arm.mean() * within)
    square_of_z = scenario.cause_mean[0] ** 2 * scenario.dim_causal + scenario.cause_scale[0] ** 2
    return scenario.interaction**2 * square_of_z * expected + scenario.noise**2


def _any_overlap(scenario: Scenario) -> bool:
    return share_with_both(scenario) > 0


def _same_cause(scenario: Scenario, align: Align, env_word: str) -> Assumption:
    found = differs(scenario)
    if align == "environment":
        name = f"The cause is the same in every {env_word}: p(z) does not differ"
        if scenario.n_envs == 1:
            says = f"There is one {env_word}."
        elif found.cause:
            says = _spans(scenario)
        else:
            says = (
                f"z has mean {_text(scenario.cause_mean[0])} and standard deviation {_text(scenario.cause_scale[0])} "
                f"in each."
            )
        broken = found.cause
    else:
        name = "The cause is the same in both arms: p(z) does not differ"
        if cause_decides(scenario):
            p = [propensity(scenario, z).mean() for z in (-1.0, 1.0)]
            says = f"z decides who is treated: {100 * p[0]:.0f} % at z = −1, {100 * p[1]:.0f} % at z = 1."
        elif found.cause and found.treatment:
            says = f"The {env_word}s that treat more have other units: z follows the treatment."
        else:
            says = "Who is treated does not depend on z."
        broken = cause_decides(scenario) or (found.cause and found.treatment)
    return Assumption(
        name=name,
        status="violated" if broken else "granted",
        says=says,
        why=(
            "The penalty removes every difference it sees. One in z is signal: different units are forced onto one "
            "point."
        ),
    )


def _nuisance_unneeded(scenario: Scenario) -> Assumption:
    if scenario.interaction:
        least = error_without_s(scenario)
        says = f"y contains {_text(scenario.interaction)} · z · s." + (
            "" if least is None else f" Without s the factual MSE cannot fall below {least:.3g}."
        )
    elif scenario.leak:
        says = "s is an effect of y, not a cause: it helps to predict y and says nothing about the effect."
    else:
        says = "y is made of z, t and noise."
    return Assumption(
        name="y does not need s",
        status="violated" if scenario.interaction else "granted",
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


def _no_role(scenario: Scenario, align: Align, env_word: str) -> str:
    found = differs(scenario)
    if not found.anything:
        return f"The {env_word}s do not differ at all: there is nothing that the penalty could make alike."
    if not found.treatment and not scenario.leak:
        how = (
            "is a coin flip"
            if len(set(scenario.propensity)) == 1 and scenario.propensity[0] == 0.5
            else "is drawn alike"
        )
        return f"Treatment {how} in every {env_word}, so s stands in for nothing that the penalty could remove."
    if not has_effect(scenario):
        return "The treatment has no effect: there is nothing that s could be mistaken for."
    return f"s is the same in every {env_word}, so it stands in for nothing that the penalty could remove."


def _spans(scenario: Scenario) -> str:
    parts = [
        f"the {word} of z goes from {_text(min(values))} to {_text(max(values))}"
        for word, values in (("mean", scenario.cause_mean), ("standard deviation", scenario.cause_scale))
        if len(set(values)) > 1
    ]
    said = " and ".join(parts)
    return f"{said[0].upper()}{said[1:]}."


def _text(value: float) -> str:
    return f"{value:g}".replace("-", "−")
