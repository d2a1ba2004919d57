"""Deployment somewhere new: rows of a world after an intervention, with a dose, whose truth is known as in training.

What is intervened on:
nothing    rows as in training, from all environments at once, or from one that was seen
nuisance   s: another mean or another spread, for everyone; whatever else decides s is cut
cause      z: moved, stretched, or set to one value, do(z = c)
mechanism  how outcomes come about: the sign or the intercept of y⁰, the effect's dependence on z
policy     who is treated
machine    what records an ECG: its hum, filter, notch or gain, the same for all rows; hearts, labels and noise stay. Of
           an image, the lamp
An intervention at its `neutral` dose changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from crl_core.data import scm
from crl_core.data.scenario import Scenario
from crl_core.data.scm import UNCHANGED, Change, MultiEnvData

On = Literal["nothing", "nuisance", "cause", "mechanism", "policy", "machine"]
MAX_ROWS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervention:
    """A kind of change, how its dose may be set, and what it makes of the equations."""

    id: str
    title: str
    on: On
    dose: str  # what the dose is: "mean of s"
    at: str  # the intervention at a dose {d}, in few words
    low: float
    high: float
    neutral: float | None  # the dose that changes nothing; None if every dose does
    start: float  # the dose that a page begins with
    sentence: str
    change: Callable[[float], Change] = lambda _: UNCHANGED  # of the dose


INTERVENTIONS: Mapping[str, Intervention] = {
    item.id: item
    for item in (
        Intervention(
            id="none",
            title="nothing changes",
            on="nothing",
            dose="",
            at="nothing changes",
            low=0,
            high=0,
            neutral=0,
            start=0,
            sentence="Rows as in training, from all environments at once.",
        ),
        Intervention(
            id="site",
            title="one environment alone",
            on="nothing",
            dose="number of the environment",
            at="environment {d} alone",
            low=1,
            high=10,
            neutral=None,
            start=1,
            sentence="All rows come from one environment that was trained on.",
        ),
        Intervention(
            id="s-mean",
            title="s: another machine",
            on="nuisance",
            dose="mean of s",
            at="s around {d}",
            low=-12,
            high=12,
            neutral=None,
            start=6,
            sentence="Everyone's nuisance is drawn around another mean, with standard deviation 0.5.",
            change=lambda d: Change(nuisance=lambda noise: d + 0.5 * noise),
        ),
        Intervention(
            id="s-scale",
            title="s: a noisier machine",
            on="nuisance",
            dose="standard deviation of s",
            at="s with spread {d}",
            low=0,
            high=6,
            neutral=None,
            start=4,
            sentence="Everyone's nuisance is drawn around 0 with another spread.",
            change=lambda d: Change(nuisance=lambda noise: d * noise),
        ),
        Intervention(
            id="z-shift",
            title="z: other patients",
            on="cause",
            dose="added to z",
            at="z + {d}",
            low=-5,
            high=5,
            neutral=0,
            start=1,
            sentence="The cause is moved for everyone; the effect's law stays as it was.",
            change=lambda d: Change(cause=lambda z: z + d),
        ),
        Intervention(
            id="z-scale",
            title="z: more varied patients",
            on="cause",
            dose="z times",
            at="z × {d}",
            low=0,
            high=3,
            neutral=1,
            start=2,
            sentence="The cause is stretched or shrunk for everyone.",
            change=lambda d: Change(cause=lambda z: z * d),
        ),
        Intervention(
            id="z-set",
            title="do(z = c)",
            on="cause",
            dose="c",
            at="do(z = {d})",
            low=-3,
            high=3,
            neutral=None,
            start=1,
            sentence="The cause is set to one value for everyone.",
            change=lambda d: Change(cause=lambda z: np.full_like(z, d)),
        ),
        Intervention(
            id="slope",
            title="y⁰: the slope changes",
            on="mechanism",
            dose="slope of y⁰ in z, times",
            at="slope of y⁰ × {d}",
            low=-2,
            high=2,
            neutral=1,
            start=-1,
            sentence="The untreated outcome depends on the cause in another way; effects stay as they were.",
            change=lambda d: Change(slope=d),
        ),
        Intervention(
            id="intercept",
            title="y⁰: the level changes",
            on="mechanism",
            dose="added to both outcomes",
            at="both outcomes + {d}",
            low=-2,
            high=2,
            neutral=0,
            start=0.5,
            sentence="Both outcomes are moved alike; effects stay as they were.",
            change=lambda d: Change(level=d),
        ),
        Intervention(
            id="effect",
            title="the effect changes",
            on="mechanism",
            dose="added to its slope in z",
            at="slope of the effect + {d}",
            low=-2,
            high=2,
            neutral=0,
            start=1,
            sentence="Treatment works in another way than in training.",
            change=lambda d: Change(heterogeneity=d),
        ),
        Intervention(
            id="effect-untreated",
            title="the effect changes, nobody treated",
            on="mechanism",
            dose="added to its slope in z",
            at="slope of the effect + {d}, nobody treated",
            low=-2,
            high=2,
            neutral=None,
            start=1,
            sentence="Treatment would work in another way, but nobody is treated: no row can show it.",
            change=lambda d: Change(heterogeneity=d, policy=0.0),
        ),
        Intervention(
            id="policy",
            title="another treatment policy",
            on="policy",
            dose="P(t = 1)",
            at="P(t = 1) = {d} for all",
            low=0,
            high=1,
            neutral=None,
            start=0.5,
            sentence="A coin decides the treatment, for everyone alike.",
            change=lambda d: Change(policy=d),
        ),
    )
}

OF_MACHINE: Mapping[str, Intervention] = {
    item.id: item
    for item in (
        Intervention(
            id="hum",
            title="machine: another hum",
            on="machine",
            dose="hum, times",
            at="hum × {d}",
            low=0,
            high=4,
            neutral=1,
            start=0,
            sentence="The same hearts, recorded where the mains hum louder or less; at 0 they do not hum at all.",
            change=lambda d: Change(machine=lambda machine: replace(machine, hum_mv=d * machine.hum_mv)),
        ),
        Intervention(
            id="highpass",
            title="machine: one filter for all",
            on="machine",
            dose="corner of the high-pass, Hz",
            at="high-pass at {d} Hz",
            low=0,
            high=1,
            neutral=None,
            start=0.5,
            sentence="The same hearts, all recorded through one high-pass; at 0 through none.",
            change=lambda d: Change(machine=lambda machine: replace(machine, highpass=0 * machine.highpass + d)),
        ),
        Intervention(
            id="notch",
            title="machine: one notch for all",
            on="machine",
            dose="depth of the notch",
            at="notch of depth {d}",
            low=0,
            high=1,
            neutral=None,
            start=1,
            sentence="The same hearts, all recorded through one notch at the mains' frequency; at 1 no hum is left.",
            change=lambda d: Change(machine=lambda machine: replace(machine, notch=0 * machine.notch + d)),
        ),
        Intervention(
            id="gain",
            title="machine: another gain",
            on="machine",
            dose="gain, times",
            at="gain × {d}",
            low=0.5,
            high=2,
            neutral=1,
            start=1.5,
            sentence="The same hearts, recorded by amplifiers with another gain.",
            change=lambda d: Change(machine=lambda machine: replace(machine, gain=d * machine.gain)),
        ),
    )
}
OF_CAMERA: Mapping[str, Intervention] = {
    item.id: item
    for item in (
        Intervention(
            id="lamp",
            title="camera: another lamp",
            on="machine",
            dose="light, times",
            at="light × {d}",
            low=-2,
            high=4,
            neutral=1,
            start=0,
            sentence="The same digits under a lamp that says more of s or less; at 0 nothing, below it the opposite.",
            change=lambda d: Change(machine=lambda machine: replace(machine, light=d * machine.light)),
        ),
    )
}
EVERY: Mapping[str, Intervention] = {**INTERVENTIONS, **OF_MACHINE, **OF_CAMERA}
_RECORDED = {"ecg": OF_MACHINE, "digits": OF_CAMERA}
_ECG_LIMITS = {"s-mean": (-3.0, 3.0), "s-scale": (0.0, 2.0)}  # of the logarithm of the hum: e³ times .05 mV is 1 mV


def offered(scenario: Scenario) -> dict[str, Intervention]:
    """The interventions that mean something in this world, by their id: without those on how outcomes come about where
    a label comes first, and with those on the machine that records."""
    found = {**INTERVENTIONS, **_RECORDED.get(scenario.observation, {})}
    return {name: item for name, item in found.items() if scenario.outcome == "number" or item.on != "mechanism"}


def deploy(scenario: Scenario, intervention: str, dose: float, n: int, seed: int, draw: int = 0) -> MultiEnvData:
    """`n` rows of the world after an intervention; `env` says which environment each row's background is of.

    Environments come as often as in training. `site` has one alone.

    seed:   that of the run: it decides the mixing into x.  draw: another one, another sample.
    Raises: ValueError for an unknown intervention, or a dose or a number of rows out of range.
    """
    item = _checked(scenario, intervention, dose, n)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1_000_003, draw]))
    env = backgrounds(scenario, n, rng)
    if item.id == "site":
        env[:] = int(dose) - 1
    return scm.draw(scenario, env, rng, seed, item.change(dose))


def backgrounds(scenario: Scenario, n: int, rng: np.random.Generator) -> np.ndarray:
    """Environments of `n` rows in ascending order, [n] int64, drawn by their share of the training rows."""
    if len(set(scenario.env_weight)) == 1:
        env = rng.integers(scenario.n_envs, size=n)
    else:
        env = rng.choice(scenario.n_envs, size=n, p=np.asarray(scenario.env_sizes) / scenario.n_samples)
    return np.sort(env).astype(np.int64)


def limits(scenario: Scenario, intervention: str) -> tuple[float, float]:
    """The doses that are possible in this world."""
    item = EVERY[intervention]
    if item.id in _ECG_LIMITS and scenario.observation == "ecg":
        return _ECG_LIMITS[item.id]
    return (item.low, float(scenario.n_envs)) if item.id == "site" else (item.low, item.high)


def first_dose(scenario: Scenario, intervention: str) -> float:
    """The dose that a page begins with, within the limits of this world."""
    low, high = limits(scenario, intervention)
    return min(max(EVERY[intervention].start, low), high)


def _checked(scenario: Scenario, intervention: str, dose: Any, n: Any) -> Intervention:
    known = offered(scenario)
    if intervention not in known:
        here = " in this world" if intervention in EVERY else ""
        raise ValueError(f"there is no intervention {intervention!r:.40}{here}; choose one of {', '.join(known)}.")
    low, high = limits(scenario, intervention)
    if isinstance(dose, bool) or not isinstance(dose, (int, float)) or not low <= dose <= high:
        raise ValueError(f"the dose of {intervention} is {dose!r:.20}; it must be a number from {low:g} to {high:g}.")
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MAX_ROWS:
        raise ValueError(f"n is {n!r:.20}; it must be a whole number from 1 to {MAX_ROWS}.")
    return known[intervention]
