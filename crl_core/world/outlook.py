"""What alignment can be expected to do in a world, from its numbers alone: a word, how much, and for which λ.

Two grades are weighed, both without a step:

gain: s is hardly ever seen with the other treatment (or knows the outcome's noise), and the penalty sees it.
harm: what a latent that tells the groups no longer apart misses of the effect, in spreads of the outcome.

λ is that of a standardised run, in units of the outcome's variance. Where the words begin was set on the worlds of
`python benchmarks/outlook.py` with seeds 1 to 3; how often they are right on seed 4 stands in the README.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from crl_core.config import Align, Scenario
from crl_core.data.scm import HELD_OUT
from crl_core.world.graph import cause_decides, differs
from crl_core.world.sizes import LITTLE, NEAR, Sizes, share_of_nuisance, sizes

Word = Literal[
    "can help",
    "mixed",
    "nothing to gain",
    "takes the signal away",
    "cannot work",
    "nothing to align",
    "cannot say",
]

GAIN = 0.27  # from which s counts as a stand-in
SURE = {"linear": GAIN, "waves": 0.75}  # from which that is the larger part of a network's error
HARM = {"linear": 0.1, "waves": 0.2}  # from which what is lost outweighs what training by itself leaves of error
SEEN = 0.5  # standard deviations that s differs by where the penalty half sees it
APART = 0.01  # of z̄'s densities in common, below which no unit has a like one of the other arm
LOUD = 0.1  # noise, in spreads of the outcome, from which a run's own error is mostly noise
_UNFORETOLD = (
    "What a machine does to a trace, or a hum or a lamp to a diagnosis, does not follow from these numbers by "
    "themselves: train, and compare with what was measured."
)
ROWS = 25.0  # rows per squared input that it takes to find waves along a direction of many


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """A word, the sentences that say why, how much and for which λ, and the two grades behind it (0 and up)."""

    word: Word
    sentence: str
    gain: float
    harm: float


def stands_in(scenario: Scenario, align: Align) -> str:
    """What s stands in for, in a way that alignment can see: "treatment", "outcome" or "" (nothing)."""
    if not _foretold(scenario):
        return ""
    size = sizes(scenario, align)
    if size is None or (align != "treatment" and scenario.n_envs == 1):
        return ""
    return _role(_gains(size, scenario, align))


def outlook(scenario: Scenario, align: Align, env_word: str = "environment") -> Outlook:
    """What alignment can be expected to do here."""
    if align != "treatment" and scenario.n_envs == 1:
        return _without_size(
            "nothing to align",
            f"There is one {env_word} only: the penalty is zero, and every λ trains the same network.",
        )
    if not _foretold(scenario):
        return _without_size("cannot say", _UNFORETOLD)
    size = sizes(scenario, align)
    if size is None:
        return _without_size(
            "cannot work",
            "One treatment is never seen anywhere: nothing, aligned or not, can say what it would have done.",
        )
    if size.shared_cause < APART:
        return _without_size(
            "cannot work",
            "Treated and untreated units have hardly a z in common: nothing, aligned or not, can say what the other "
            "treatment would have done.",
        )
    by = _gains(size, scenario, align)
    gain, harm = max(by.values()), size.aligned_error / size.outcome_spread
    about = _About(scenario, align, env_word, size, _role(by), harm)
    lost, curved = HARM[scenario.surface], scenario.surface == "waves" or scenario.mixing == "nonlinear"
    word: Word
    if _hard(scenario):
        word, sentence = "cannot say", about.hard()
    elif harm >= lost and about.role and size.cause_gap < NEAR:
        word, sentence = "mixed", about.mixed()
    elif harm >= lost and about.role and curved and gain >= harm / 2:
        word, sentence = "cannot say", about.both()
    elif harm >= lost:
        word, sentence = "takes the signal away", about.signal()
    elif about.role and (gain < SURE[scenario.surface] or harm >= lost / 4):
        word, sentence = "cannot say", about.perhaps()
    elif about.role:
        word, sentence = "can help", about.help()
    elif harm >= lost / 2:
        word, sentence = "cannot say", about.small()
    elif size.effect_spread < LOUD * size.outcome_spread and scenario.noise > LOUD * size.outcome_spread:
        word, sentence = "cannot say", about.noisy()
    else:
        word, sentence = "nothing to gain", about.nothing()
    return Outlook(word=word, sentence=sentence, gain=gain, harm=harm)


def _foretold(scenario: Scenario) -> bool:
    """Whether the sizes are of what the network is given and learns: not of a trace, and not of a label."""
    return scenario.observation == "covariates" and scenario.outcome == "number"


def _without_size(word: Word, sentence: str) -> Outlook:
    return Outlook(word=word, sentence=sentence, gain=0.0, harm=0.0)


def _gains(size: Sizes, scenario: Scenario, align: Align) -> dict[str, float]:
    """How much s stands in for the treatment and for the outcome, 0 to about 1, as far as the penalty sees it."""
    seen = size.nuisance_gap**2 / (SEEN**2 + size.nuisance_gap**2)
    by_environment = size.treated_gap if align != "treatment" else 1.0
    return {
        "treatment": size.alone * by_environment * seen,
        "outcome": size.leak_error / size.outcome_spread * seen,
    }


def _role(by: dict[str, float]) -> str:
    role = max(by, key=lambda name: by[name])
    return role if by[role] >= GAIN else ""


def _hard(scenario: Scenario) -> bool:
    """Whether a network is unlikely to find what y⁰ is made of, whatever λ."""
    rows = (1 - HELD_OUT) * scenario.n_samples
    return scenario.surface == "waves" and scenario.mixing != "none" and rows < ROWS * scenario.dim_x**2


@dataclass(frozen=True, slots=True)
class _About:
    """The sentences of each word."""

    scenario: Scenario
    align: Align
    env_word: str
    size: Sizes
    role: str
    harm: float

    def help(self) -> str:
        where = f"every {self.env_word}" if self.align != "treatment" else "both arms"
        near = (
            f"The cause z is the same in {where}"
            if self.size.cause_gap < 0.005
            else f"The cause z is nearly the same in {where} ({self.size.cause_gap:.2g} standard deviations apart)"
        )
        return (
            f"{self._why_s()}. {near}, so making them alike can stop the network using s and keep z. "
            "Look between λ = 0.01 and 10; beyond, effects that differ are blurred."
        )

    def perhaps(self) -> str:
        if self.scenario.surface == "waves":
            other = "the waves of the outcome"
        elif self.size.cause_gap >= 0.005:
            other = f"the difference in z ({self.size.cause_gap:.2g} standard deviations)"
        else:
            other = "what y needs of s"
        return (
            f"{self._why_s()}. But {other} may cost a network as much: whether the error falls by more than a few "
            "per cent, the numbers do not decide."
        )

    def mixed(self) -> str:
        return (
            f"{self._why_s()}; but y needs s too, so a latent that no longer uses s misses the effect by about "
            f"{self._missed()}. A small λ may help; about 10 and more costs."
        )

    def signal(self) -> str:
        if self.size.cause_gap >= NEAR:
            apart = f"by {self.size.cause_gap:.2g} standard deviations"
            who = (
                f"the {self.env_word}s differ in z, the cause of the outcome, {apart}"
                if self.align != "treatment"
                else f"the treated differ from the untreated in z, the cause of the outcome, {apart}"
            )
            why = (
                f"Here {who}, and a penalty cannot tell that difference from one in s: "
                "what it makes alike is the signal"
            )
        else:
            why = "Here y needs s, and s goes with the treatment: what the penalty makes alike is part of the signal"
        if self.harm >= 1:
            when = "a λ of 0.1 may be enough for that"
        elif self.harm >= 0.5:
            when = "expect that from λ of about 1 on, and at 10 in full"
        else:
            when = "expect that at λ = 10 and more, and little change up to 0.1"
        return f"{why}. A latent without it misses the effect by about {self._missed()}: {when}."

    def nothing(self) -> str:
        needed = share_of_nuisance(self.scenario) >= LITTLE
        needs = " And y needs s, so a latent without s would predict worse." if needed else ""
        return f"{self._no_role()}{needs} Up to λ = 0.1 little changes; 10 and more rather costs than gains."

    def hard(self) -> str:
        return (
            f"The outcome follows z in waves along one direction of {self.scenario.dim_x} mixed inputs, for which "
            f"{self.scenario.n_samples} rows are few: what a network finds of it at any λ is not to be told from these "
            "numbers."
        )

    def both(self) -> str:
        return (
            f"{self._why_s()}, and on a curved surface that is a large error; but z differs as well, by "
            f"{self.size.cause_gap:.2g} standard deviations, and a latent without that misses the effect by about "
            f"{self._missed()}. Which error is the larger, and at which λ, the numbers do not decide."
        )

    def small(self) -> str:
        return (
            "What alignment takes away is small: a latent in which the groups do not differ misses the effect by "
            f"about {self._missed()}, as much as training by itself may leave. Up to λ = 0.1 little changes."
        )

    def noisy(self) -> str:
        return (
            "s stands in for nothing, and the effect is nearly the same for everyone, so that the error is mostly "
            "noise of training: a large λ can smooth it or leave it as it is."
        )

    def _missed(self) -> str:
        return f"{self.size.aligned_error:.2g} (the spread of y is {self.size.outcome_spread:.2g})"

    def _why_s(self) -> str:
        if self.role == "outcome":
            return "A network without a penalty reads the outcome off s, which carries it"
        share = f"{100 * self.size.alone:.0f} % of the units have an s hardly ever seen with the other treatment"
        follow = f", since both follow the {self.env_word}" if self.align != "treatment" else ""
        return f"A network without a penalty may take s for the treatment{follow}: {share}"

    def _no_role(self) -> str:
        scenario, each = self.scenario, f"every {self.env_word}"
        alike = self.size.cause_gap + self.size.nuisance_gap < NEAR
        if self.align != "treatment" and not differs(scenario).anything:
            return f"The {self.env_word}s do not differ at all: there is nothing that the penalty could make alike."
        if alike:
            who = f"The {self.env_word}s" if self.align != "treatment" else "Treated and untreated units"
            return f"{who} hardly differ in z and s: there is next to nothing that the penalty could make alike."
        if self.size.nuisance_gap < NEAR:
            return "s is nearly the same in all groups, so it stands in for nothing that the penalty could see."
        stop = "so s stands in for nothing that the penalty could stop the network using"
        if not differs(scenario).treatment and not scenario.leak:
            if cause_decides(scenario):
                return f"Treatment follows z, in the same way in {each}, {stop}."
            how = "is a coin flip" if scenario.propensity[0] == 0.5 else "is drawn alike"
            return f"Treatment {how} in {each}, {stop}."
        if self.size.alone >= GAIN:
            return f"The {self.env_word}s treat much alike, so aligning them does not part s from the treatment."
        return f"At nearly every s both treatments are seen, {stop}."
