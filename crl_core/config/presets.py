"""Named scenarios with a title, a sentence, what to look for, and the verdict that was measured on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from crl_core.config.run import RunConfig, Scenario, Training

Verdict = Literal["helps", "helps the network, not you", "nothing to gain", "hurts", "destroys"]
ENV_WORD = "environment"  # what an environment is called where no preset says otherwise


def env_names(n_envs: int, word: str = ENV_WORD) -> tuple[str, ...]:
    """Names of environments on screen, in order: "hospital A", "hospital B", …"""
    return tuple(f"{word} {chr(ord('A') + index)}" for index in range(n_envs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A world to try alignment on, with the words for it on screen."""

    id: str
    title: str
    sentence: str  # what this world is
    look_for: str
    verdict: Verdict
    why: str  # the verdict's reason, in a sentence that the claims page can put to the test
    config: RunConfig
    env_word: str = ENV_WORD  # what an environment is called in this world

    def env_names(self, n_envs: int) -> tuple[str, ...]:
        return env_names(n_envs, self.env_word)


def _config(scenario: Scenario, **training: object) -> RunConfig:
    return RunConfig(scenario=scenario, training=Training(**training))  # type: ignore[arg-type]


_TWO_HOSPITALS = Scenario(propensity=(1.0, 0.0), offset=(2.0, -2.0), heterogeneity=0.5)
_RECIPE = Scenario(interaction=-1.0)
_FILTERS = replace(
    _TWO_HOSPITALS,
    observation="ecg",
    n_samples=4000,
    offset=(1.0, -1.0),
    sigma=(0.3, 0.3),
    heterogeneity=1.5,
    noise=0.3,
    highpass=(0.5, 0.05),
)
_FEW = {"epochs": 30, "replicates": 2}  # what comes along of a world of traces is mostly weights
_WARD = Scenario(
    observation="ecg",
    n_samples=4000,
    outcome="binary",
    offset=(1.0, -1.0),
    sigma=(0.3, 0.3),
    prevalence=(0.98, 0.02),
)
_WITHIN = {
    "lams": (0.0, 0.6, 1.0, 1.5),
    "epochs": 60,
    "replicates": 2,
    "batch_size": 1024,  # rows of the rarer label are few in a smaller one
    "align": "environment within outcome",
}
_ALL = (
    Preset(
        id="hospital",
        title="Two hospitals, one cause",
        sentence="Hospital A treats everyone, hospital B no one. Each measures with its own machine, which adds three "
        "readings of its own and bends them all: no straight line leads back to the patient.",
        look_for="Without a penalty the network mistakes the machine for the treatment. Raise λ until the hospitals "
        "overlap: the effect error falls, and for a very large λ it rises again.",
        verdict="helps",
        why="The environment decides the treatment, so a network without a penalty confuses the two; aligned, it leans "
        "on the machine far less, and no regression does as well.",
        env_word="hospital",
        config=_config(
            replace(_TWO_HOSPITALS, heterogeneity=1.5, noise=0.5, dim_spurious=3, mixing="nonlinear"),
        ),
    ),
    Preset(
        id="linear",
        title="Two hospitals, a straight world",
        sentence="As the two hospitals, but cause and machine are measured as they are, and all effects are straight "
        "lines.",
        look_for="Least squares per arm is right to the second digit. Look for a λ at which the network comes as near: "
        "the penalty has nothing to add to a regression that fits.",
        verdict="nothing to gain",
        why="Least squares was enough: where it is the truth, it separates the treatment from the machine by itself.",
        env_word="hospital",
        config=_config(_TWO_HOSPITALS),
    ),
    Preset(
        id="waves",
        title="Ten sensors, an effect in waves",
        sentence="Two causes and ten site-specific sensor readings, rotated into 12 inputs; the outcome goes up and "
        "down with the causes, and treatment follows the site.",
        look_for="Neither a line nor a tree per arm gets from one site to the other. Raise λ: the network stops using "
        "the sensors, and keeps the waves.",
        verdict="helps",
        why="The outcome is no straight line and the site decides the treatment: without a penalty every method "
        "carries the site's readings into the effect.",
        env_word="site",
        config=_config(
            replace(
                _TWO_HOSPITALS,
                n_samples=6000,
                heterogeneity=1.5,
                dim_causal=2,
                dim_spurious=10,
                mixing="rotation",
                surface="waves",
            )
        ),
    ),
    Preset(
        id="sensors",
        title="Twenty noisy sensors",
        sentence="Five causes and twenty site-specific sensor readings, bent into 25 inputs; treatment follows the "
        "site.",
        look_for="The story of the two hospitals with more dimensions and fewer samples: alignment helps, and what is "
        "left of the error is larger.",
        verdict="helps",
        why="The environment decides the treatment, as in the two hospitals, and no simple regression undoes the bend.",
        env_word="site",
        config=_config(
            replace(
                _TWO_HOSPITALS,
                n_samples=5000,
                heterogeneity=1.5,
                dim_causal=5,
                dim_spurious=20,
                mixing="nonlinear",
            )
        ),
    ),
    Preset(
        id="recipe",
        title="The textbook recipe",
        sentence="Treatment is a coin flip and its effect is 1 for everyone; only the noise in s differs between "
        "the environments. Trained on raw inputs, as the recipe is written.",
        look_for="The effect error is already small at λ = 0: there is no bias for the penalty to remove. A very large "
        "λ can only do harm.",
        verdict="nothing to gain",
        why="Treatment is randomised: a plain difference in means is already right, with or without a penalty.",
        config=_config(_RECIPE, standardise=False),
    ),
    Preset(
        id="recipe-standardised",
        title="The textbook recipe, standardised",
        sentence="The same world, trained as good practice does it: inputs and outcome with mean 0 and standard "
        "deviation 1.",
        look_for="Compare it with the recipe: the same λ weighs otherwise, since it now counts in units of the "
        "outcome's variance. The verdict is the same.",
        verdict="nothing to gain",
        why="Treatment is randomised: how the inputs are scaled does not change that there is no bias.",
        config=_config(_RECIPE),
    ),
    Preset(
        id="leaky",
        title="The sensor that leaks the answer",
        sentence="A sensor picks up the outcome itself, with a different offset and noise at each site.",
        look_for="The factual error is best where the effect error is worst: choosing λ by prediction error picks a "
        "model that reads the leak. Least squares per arm is better than all of them.",
        verdict="helps the network, not you",
        why="The network stops using the leak at a λ that no one would choose by least prediction error, and least "
        "squares per arm was not taken in by it.",
        env_word="site",
        config=_config(Scenario(offset=(3.0, -3.0), heterogeneity=0.5, leak=1.0, noise=0.3)),
    ),
    Preset(
        id="hospitals",
        title="Four hospitals",
        sentence="Two hospitals treat everyone and two treat no one; each of the four has a machine of its own.",
        look_for="The same treatment is seen with different machines, so even at λ = 0 the error is small. Least "
        "squares per arm is far better than any λ.",
        verdict="nothing to gain",
        why="Four machines beside two treatments leave little to confuse, and the world is a straight line.",
        env_word="hospital",
        config=_config(_TWO_HOSPITALS.with_envs(4)),
    ),
    Preset(
        id="shifted",
        title="Two hospitals, two kinds of patients",
        sentence="As the straight world, but hospital A has the severe cases: the cause itself differs between them.",
        look_for="Raise λ and watch the clouds merge while the effect error explodes: the difference that is aligned "
        "away is the signal.",
        verdict="destroys",
        why="The environments differ in the cause, so making them alike forces different patients onto one point.",
        env_word="hospital",
        config=_config(replace(_TWO_HOSPITALS, cause_mean=(1.5, -1.5))),
    ),
    Preset(
        id="confounded",
        title="The cause decides the treatment",
        sentence="One population in which the severe cases are treated more often; the penalty aligns the treated with "
        "the untreated.",
        look_for="A small λ changes little; a larger one costs many times the error of λ = 0. The treated differ from "
        "the untreated in the very thing that drives the effect, so making them alike costs accuracy.",
        verdict="nothing to gain",
        why="The only confounder is also the effect modifier: what balance would gain is little, and a λ that balances "
        "more costs many times the error.",
        config=_config(Scenario(sigma=(1.0, 1.0), heterogeneity=0.5, confounding=2.0), align="treatment"),
    ),
    Preset(
        id="filter",
        title="The monitor’s filter",
        sentence="An ECG of each patient. Hospital A records with a monitor, whose filter bends the very part of the "
        "beat that tells of the patient, and treats everyone; hospital B records without, and treats no one.",
        look_for="At λ = 0 each half of the network has seen one machine only, and is asked about the other's traces. "
        "Raise λ until the machines can no longer be told apart.",
        verdict="helps",
        why="The filter changes the signal where the cause is, so neither a regression nor a cardiologist's "
        "measurements take it out; sending both hospitals' traces through one filter would.",
        env_word="hospital",
        config=_config(
            _FILTERS,
            lams=(0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
            epochs=30,
        ),
    ),
    Preset(
        id="filter-coin",
        title="The monitor’s filter, treatment by a coin",
        sentence="The same ECGs and the same two machines, but a coin decides who is treated, in both hospitals.",
        look_for="The effect error is small at λ = 0 already: each half of the network has seen both machines. Raise λ "
        "and it stays where it is, until there is too much of it.",
        verdict="nothing to gain",
        why="Treatment is randomised: the machines differ as much as before, and confuse nobody.",
        env_word="hospital",
        config=_config(replace(_FILTERS, propensity=(0.5,)), lams=(0.0, 1.0, 3.0, 10.0), **_FEW),
    ),
    Preset(
        id="filter-patients",
        title="The monitor’s filter, other patients",
        sentence="The same machines and the same policy, but hospital A has the severe cases: the cause itself differs "
        "between the hospitals.",
        look_for="Raise λ and watch the hospitals merge while the effect error explodes: what is aligned away is the "
        "patients' ST level, with the machine's.",
        verdict="destroys",
        why="The hospitals differ in the cause, so a network that may not tell them apart may not read the cause.",
        env_word="hospital",
        config=_config(replace(_FILTERS, cause_mean=(1.0, -1.0)), lams=(0.0, 0.1, 0.3, 1.0), **_FEW),
    ),
    Preset(
        id="gains",
        title="Two gains",
        sentence="An ECG whose T wave tells of the patient. Hospital A's amplifier shows everything larger and treats "
        "everyone; hospital B's shows it smaller and treats no one.",
        look_for="At λ = 0 a large T wave is taken for a sick patient where it is a strong amplifier. Raise λ, then "
        "compare with the dashed line: simple methods on traces that were normalised one by one.",
        verdict="helps",
        why="Amplifier and patient both scale the T wave, and the penalty takes them apart better than a regression on "
        "normalised traces; but a network on normalised traces is about as right without any penalty.",
        env_word="hospital",
        config=_config(
            replace(_FILTERS, highpass=(0.0,), gain=(1.3, 0.75), latents=("t",)), lams=(0.0, 1.0, 3.0, 10.0), **_FEW
        ),
    ),
    Preset(
        id="machine",
        title="The whole machine",
        sentence="ST and T wave tell of the patient, and effects bend. The hospitals' machines differ in filter, gain "
        "and hum, and both saturate; hospital A treats everyone, hospital B no one.",
        look_for="At λ = 0 each half of the network has seen one machine only. Raise λ: the effect error falls to less "
        "than a half, and no regression does as well, on whatever view of the traces.",
        verdict="helps",
        why="Filter, gain and saturation change the signal where the cause is; no single cure mends all three, and the "
        "outcome bends, so that lines do not reach from one hospital to the other.",
        env_word="hospital",
        config=_config(
            replace(
                _FILTERS,
                gain=(1.2, 0.85),
                saturation=1.2,
                hum_mv=0.15,
                latents=("st", "t"),
                dim_causal=2,
                surface="waves",
            ),
            lams=(0.0, 1.0, 3.0, 10.0),
            **_FEW,
        ),
    ),
    Preset(
        id="hum-phase",
        title="Hum of a random phase",
        sentence="An ECG whose ST level tells of the patient. The hospitals hum differently, and one treats everyone, "
        "the other no one: the machine goes with the treatment.",
        look_for="The effect error is small at λ = 0. Standardise each sample by itself (training.x_scale columns), "
        "and λ = 0 looks worse than it is.",
        verdict="nothing to gain",
        why="A hum of random phase is noise that averages out, for a network on one scale and for ridge alike.",
        env_word="hospital",
        config=_config(replace(_FILTERS, highpass=(0.0,), hum_mv=0.15), lams=(0.0, 1.0, 3.0, 10.0), **_FEW),
    ),
    Preset(
        id="hum-label",
        title="The hum and the label",
        sentence="A diagnosis from an ECG. In both hospitals the mains hum louder where patients are ill, and hospital "
        "A hums more than hospital B: a network that hears the hum need not look at the heart.",
        look_for="Better than the physiology allows in the trial, and nearly chance in the next hospital. Raise λ "
        "until the hospitals' hums can no longer be told apart: the heart is what is left.",
        verdict="helps the network, not you",
        why="Aligned, the network does as well as one that cannot hear the hum; but a logistic regression cannot hear "
        "a hum of random phase either, and a notch filter takes it out for everyone.",
        env_word="hospital",
        config=_config(
            Scenario(
                observation="ecg", n_samples=4000, outcome="binary", offset=(0.7, -0.7), sigma=(0.2, 0.2), leak=1.0
            ),
            lams=(0.0, 0.3, 1.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0),
            epochs=60,
            batch_size=512,
        ),
    ),
    Preset(
        id="ward-clinic",
        title="Ward and clinic",
        sentence="A diagnosis from an ECG. Nearly all of the ward's patients are ill and nearly none of the clinic's, "
        "and the ward hums louder: whoever hears the hum knows the place, and with it the diagnosis.",
        look_for="Better than the physiology allows in the trial, and a crash in the next hospital. Environments are "
        "compared among rows of one label only, since equal latents would force equal rates. The window is narrow.",
        verdict="nothing to gain",
        why="A λ that predicts well in the trial keeps the hum; a larger one helps in a narrow window, before "
        "the latent collapses. A notch filter takes the hum out for every method.",
        env_word="hospital",
        config=_config(_WARD, **_WITHIN),
    ),
    Preset(
        id="ninety-nine",
        title="99 per cent",
        sentence="A diagnosis from an ECG that is hard to read. Of the ward's patients 99.5 % are ill, of the clinic's "
        "0.5 %, and the ward hums louder: whoever hears the hum is right 99 times in 100.",
        look_for="99 % right in the trial, a coin in the next hospital, and wrong where the hum says the opposite. "
        "Hospital and label are almost one variable here: see how little any λ can give back.",
        verdict="nothing to gain",
        why="Hospital and label are almost one variable: a λ that predicts well in the trial keeps the hum, and a "
        "larger one collapses. A notch filter takes the hum out for every method.",
        env_word="hospital",
        config=_config(replace(_WARD, separation=0.7, prevalence=(0.995, 0.005)), **_WITHIN),
    ),
    Preset(
        id="lamp",
        title="Lamp on the digits",
        sentence="Is the handwritten digit a 5 or more? In both hospitals the lamp is brighter where it is, and "
        "hospital A's lamp is brighter than hospital B's: a network that sees the light need not read the digit.",
        look_for="99 % right in the trial, little better than a coin in the next hospital, and wrong where the lamp "
        "says the opposite. Raise λ until the hospitals' lamps can no longer be told apart.",
        verdict="helps the network, not you",
        why="Aligned, the network reads the digit, and every learner on the pixels as they are falls for the lamp; "
        "but a forest on images less their own mean brightness does better than any λ.",
        env_word="hospital",
        config=_config(
            Scenario(
                observation="digits",
                n_samples=4000,
                outcome="binary",
                separation=4.0,
                offset=(0.7, -0.7),
                sigma=(0.1, 0.1),
                leak=1.0,
            ),
            lams=(0.0, 1.0, 3.0, 5.0, 8.0, 12.0, 16.0, 20.0, 30.0),
            epochs=60,
        ),
    ),
)

PRESETS: Mapping[str, Preset] = {item.id: item for item in _ALL}
DEFAULT_PRESET = "hospital"


def preset(name: str) -> RunConfig:
    """The config of a preset. Raises ValueError naming the presets there are."""
    if name not in PRESETS:
        raise ValueError(f"there is no preset {name!r}; choose one of {', '.join(PRESETS)}.")
    return PRESETS[name].config
