"""The structural causal model: `sample` draws several environments of one `Scenario`, with both potential outcomes.

Every equation is written here once; whatever else needs one (drawings, assumptions, effect maps, deployment) calls it.

z  ~ N(cause_mean_e, cause_scale_e²)                     cause, dz coordinates
t  ~ Bernoulli(sigmoid(logit(p_e) + confounding · z̄))    z̄ = z · 1/√dz, the cause along a fixed unit direction
y⁰ = b(z̄) + interaction · z̄ · s̄                         s̄ = s · 1/√ds
y¹ = y⁰ + effect + heterogeneity · m(z̄)                 surface "linear": b = 2 z̄, m = z̄
                                                         surface "waves":  b = 2 sin 2z̄ + z̄²/2, m = tanh 2z̄
y  = yᵗ + ε,  ε ~ N(0, noise²)
s  = offset_e + leak · y + σ_e · N(0, 1)                 nuisance, ds coordinates
x  = [z, s], or a mixing of it: an orthogonal map, or two with a smooth bend between them; or an ECG, or an image of a
     digit (`observations`)

A label of two values comes first instead, and nothing that is done changes it:
y ~ Bernoulli(prevalence_e);  z̄ moves by separation · (2y - 1);  s = offset_e + leak · (2y - 1) + σ_e · N(0, 1)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from crl_core.data.observations import OBSERVATIONS, AlterMachine, Hidden, seen
from crl_core.data.observations import machine_of as machine_of
from crl_core.data.observations import mix as mix
from crl_core.data.observations import mixing_maps as mixing_maps
from crl_core.data.streams import Stream as Stream
from crl_core.data.streams import rng_for as rng_for

if TYPE_CHECKING:  # a scenario draws its rows by these equations, which need no more of it than its numbers
    from crl_core.data.scenario import Scenario

# What a penalty makes alike; within the outcome: environments among rows whose y, of two values, is the same.
Align = Literal["environment", "treatment", "environment within outcome"]
Matching = Literal["shared", "oracle", "rank"]  # which rows are a pair; see `matching`
Surface = Literal["linear", "waves"]
HELD_OUT = 0.2
SLOPE = 2.0  # of a linear y⁰ in z̄


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MultiEnvData:
    """Rows of several environments. `y0`, `y1`, `z`, `s` are the truth that only a simulation knows; a real table has
    None.

    x: [n, d] float64.  t, env: [n] int64.  y: [n] float64, factual, noisy.
    y0, y1: [n], noiseless potential outcomes; None too where y is a label that treatment has no part in.
    z: [n, dz].  s: [n, ds].
    unit: [n] int64, which shared unit a row is of, -1 for none; None where there are no shared units.
    """

    x: np.ndarray
    t: np.ndarray
    env: np.ndarray
    y: np.ndarray
    y0: np.ndarray | None = None
    y1: np.ndarray | None = None
    z: np.ndarray | None = None
    s: np.ndarray | None = None
    unit: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def ite(self) -> np.ndarray | None:
        """Ground-truth individual treatment effect y1 - y0, [n], without noise; None for a table without truth."""
        return None if self.y0 is None or self.y1 is None else self.y1 - self.y0

    def rows(self, index: np.ndarray) -> MultiEnvData:
        """The rows at `index`, in its order."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        picked: Any = {name: None if column is None else column[index] for name, column in columns.items()}
        return MultiEnvData(**picked)


def joined(*parts: MultiEnvData) -> MultiEnvData:
    """The rows of several parts, one after the other; a column that the first lacks is None."""
    columns: Any = {}
    for item in fields(MultiEnvData):
        given = [getattr(part, item.name) for part in parts]
        columns[item.name] = None if given[0] is None else np.concatenate(given)
    return MultiEnvData(**columns)


def along(values: np.ndarray) -> np.ndarray:
    """The scalar that [n, k] latents enter the equations with: their projection on the unit direction 1/√k, [n]."""
    return np.asarray(values.sum(axis=1) / np.sqrt(values.shape[1]))


def along_nuisance(rows: MultiEnvData, scenario: Scenario, seed: int) -> np.ndarray:
    """∂x/∂s̄ at rows whose z and s are known: how x moves as s̄ grows and z stays, [n, d].

    Central differences, which are exact but where the mixing bends (there to eight digits). Of a trace without noise.
    """
    assert rows.z is not None
    assert rows.s is not None
    step = 1e-4
    ahead, behind = (
        noiseless(scenario, rows.z, rows.s + way / np.sqrt(rows.s.shape[1]), rows.env, seed) for way in (step, -step)
    )
    return np.asarray((ahead - behind) / (2 * step))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Mechanisms that an intervention replaces; None, 1 and 0 leave them as they are.

    cause:    what becomes of z, [n, dz] -> [n, dz].
    policy:   P(t = 1) for everyone.
    nuisance: s of its standard normal noise, [n, ds] -> [n, ds]; environment and leak no longer reach it.
    """

    cause: Callable[[np.ndarray], np.ndarray] | None = None
    policy: float | None = None
    nuisance: Callable[[np.ndarray], np.ndarray] | None = None
    slope: float = 1.0  # times, what z̄ alone makes of y⁰
    level: float = 0.0  # added to both outcomes
    heterogeneity: float = 0.0  # added to the scenario's
    mirrored: bool = False  # s turned over about the mean of the offsets: whatever it said, it says the opposite
    prevalence: float | None = None  # P(y = 1) for everyone, of a label
    machine: AlterMachine | None = None  # another recorder of the same hearts, another camera


UNCHANGED = Change()


def propensity(scenario: Scenario, z_bar: np.ndarray | float, env: np.ndarray | slice = slice(None)) -> np.ndarray:
    """P(t = 1 | z̄, e) of units z̄ of the environments `env`; without `env`, all of them on the last axis.

    An environment that treats everyone or no one stays certain: its logit is ±inf.
    """
    from scipy.special import expit, logit  # more to load than the rest of a config

    return np.asarray(expit(logit(np.asarray(scenario.propensity)[env]) + scenario.confounding * z_bar))


def effect(scenario: Scenario, z_bar: np.ndarray) -> np.ndarray:
    """τ(z̄) = y¹ - y⁰, in which s has no part."""
    return scenario.effect + scenario.heterogeneity * modifier(scenario, z_bar)


def baseline(scenario: Scenario, z_bar: np.ndarray) -> np.ndarray:
    """b(z̄): what z̄ alone makes of y⁰."""
    return SLOPE * z_bar if scenario.surface == "linear" else 2 * np.sin(2 * z_bar) + z_bar**2 / 2


def modifier(scenario: Scenario, z_bar: np.ndarray) -> np.ndarray:
    """m(z̄): what the effect depends on."""
    return z_bar if scenario.surface == "linear" else np.tanh(2 * z_bar)


def outcomes(
    scenario: Scenario, z_bar: np.ndarray, s_bar: np.ndarray, change: Change = UNCHANGED
) -> tuple[np.ndarray, np.ndarray]:
    """y⁰ and y¹ without noise."""
    y0 = change.level + change.slope * baseline(scenario, z_bar) + scenario.interaction * z_bar * s_bar
    strength = scenario.heterogeneity + change.heterogeneity
    return y0, y0 + scenario.effect + strength * modifier(scenario, z_bar)


def mean_outcomes(scenario: Scenario, z_bar: np.ndarray) -> np.ndarray:
    """y⁰ and y¹ along z̄ [n] in each environment, s averaged over, [E, 2, n]."""
    means = np.array(scenario.offset) * np.sqrt(scenario.dim_spurious)  # of s̄; a leak implies interaction = 0
    return np.array([outcomes(scenario, z_bar, np.full_like(z_bar, s_bar)) for s_bar in means])


def leaked(scenario: Scenario, y: np.ndarray) -> np.ndarray:
    """What the factual outcome adds to every coordinate of s, [n]; a label counts as -1 or 1."""
    return scenario.leak * (y if scenario.outcome == "number" else 2 * y - 1)


def draw(
    scenario: Scenario, env: np.ndarray, rng: np.random.Generator, seed: int, change: Change = UNCHANGED
) -> MultiEnvData:
    """A row of each of the environments `env` [n], none of them to be trained on. A label, z, t, s, ε and the recording
    are drawn in this order, whatever is changed.

    seed: decides the mixing into x, and which images are left for such rows.
    """
    rows = _unseen(scenario, env, rng, change)
    return _seen(scenario, rows, np.zeros(len(env), dtype=bool), rng, seed, change)


def _seen(
    scenario: Scenario,
    rows: MultiEnvData,
    trained: np.ndarray,
    rng: np.random.Generator,
    seed: int,
    change: Change,
) -> MultiEnvData:
    """Rows with their x."""
    assert rows.z is not None
    assert rows.s is not None
    hidden = Hidden(z=rows.z, s=rows.s, env=rows.env, trained=trained, seed=seed)
    return replace(rows, x=seen(scenario, hidden, rng, change.machine))


def _unseen(scenario: Scenario, env: np.ndarray, rng: np.random.Generator, change: Change) -> MultiEnvData:
    """Rows of the environments `env` [n] of which nothing is seen yet: x has no columns."""
    n, label = len(env), None
    sigma, offset, mean, scale = (
        np.asarray(values)[env]
        for values in (scenario.sigma, scenario.offset, scenario.cause_mean, scenario.cause_scale)
    )
    if scenario.outcome == "binary":
        rate = np.asarray(scenario.prevalence)[env] if change.prevalence is None else change.prevalence
        label = (rng.random(n) < rate).astype(float)
        mean = mean + scenario.separation / np.sqrt(scenario.dim_causal) * (2 * label - 1)
    z = mean[:, None] + scale[:, None] * rng.standard_normal((n, scenario.dim_causal))
    if change.cause is not None:
        z = change.cause(z)
    z_bar = along(z)
    treated = propensity(scenario, z_bar, env) if change.policy is None else change.policy
    t = (rng.random(n) < treated).astype(np.int64)
    noise = rng.standard_normal((n, scenario.dim_spurious))
    s = offset[:, None] + sigma[:, None] * noise if change.nuisance is None else change.nuisance(noise)
    if label is None:
        y0, y1 = outcomes(scenario, z_bar, along(s), change)
        y = np.where(t == 1, y1, y0) + scenario.noise * rng.standard_normal(n)
    else:
        y0, y1, y = None, None, label
    if change.nuisance is None:  # leak ≠ 0 implies interaction = 0, so y does not depend on s
        s = s + leaked(scenario, y)[:, None]
    if change.mirrored:
        s = 2 * np.mean(scenario.offset) - s
    return MultiEnvData(x=np.empty((n, 0)), t=t, env=env, y=y, y0=y0, y1=y1, z=z, s=s)


def noiseless(scenario: Scenario, z: np.ndarray, s: np.ndarray, env: np.ndarray, seed: int) -> np.ndarray:
    """What is seen of latents z [n, dz] and s [n, ds] in environments `env` [n], without a recording's noise. Of rows
    that are not trained on."""
    return seen(scenario, Hidden(z=z, s=s, env=env, trained=np.zeros(len(z), dtype=bool), seed=seed), None)


def sample(scenario: Scenario, seed: int = 0, change: Change = UNCHANGED) -> MultiEnvData:
    """Draw `scenario.n_samples` rows, in environment order; `scenario.env_sizes` says how many of each.

    change: of the mechanisms; one of the machine alone leaves all but x as it is. With shared units it may not be of
            the cause, which they share.

    Shared units: one in turn comes from each environment's own population, and is seen in all of them, each with its
    own treatment, nuisance and noise.

    Same scenario and seed: the same bits.
    """
    rng = rng_for(seed, Stream.DATA)
    n, n_envs = scenario.n_samples, scenario.n_envs
    env = np.repeat(np.arange(n_envs), scenario.env_sizes).astype(np.int64)
    if not scenario.shared_units:
        rows = _unseen(scenario, env, rng, change)
        return _seen(scenario, rows, _trained(scenario, rows, seed), rng, seed, change)
    unit, same_as, first = np.full(n, -1), np.arange(n), np.searchsorted(env, np.arange(n_envs))
    for k in range(scenario.shared_units):
        unit[first + k] = k
        same_as[first + k] = first[k % n_envs] + k
    shared = replace(change, cause=lambda z: z[same_as])
    rows = replace(_unseen(scenario, env, rng, shared), unit=unit)
    return _seen(scenario, rows, _trained(scenario, rows, seed), rng, seed, change)


def _trained(scenario: Scenario, rows: MultiEnvData, seed: int) -> np.ndarray:
    """Which of a sample's rows are trained on, [n] bool, where that decides what is seen of them."""
    found = np.zeros(len(rows), dtype=bool)
    if OBSERVATIONS[scenario.observation].pools:
        found[split(rows, seed)[0]] = True
    return found


def aligned_groups(rows: MultiEnvData, align: Align) -> np.ndarray:
    """What the penalty makes alike: each row's environment, or its arm where treatments are aligned, [n]."""
    return rows.t if align == "treatment" else rows.env


def strata(rows: MultiEnvData, align: Align) -> np.ndarray:
    """Within which the groups are made alike, [n] int64: one for all rows, or one for each outcome."""
    return rows.y.astype(np.int64) if align == "environment within outcome" else np.zeros(len(rows), dtype=np.int64)


def split(
    data: MultiEnvData, seed: int = 0, part: float = HELD_OUT, stream: Stream = Stream.SPLIT
) -> tuple[np.ndarray, np.ndarray]:
    """Row indices of the training part and of the held-out part, stratified by environment and treatment.

    part: of the rows, a fifth unless said otherwise, that is held out.

    Exactly round(n · part) rows are held out, so that every seed trains on the same number. Each stratum (environment ×
    arm) gives its share; one of two or more rows appears in both parts, unless that is more than are held out; a single
    row goes to the training part. Shared units go to the training part as far as that leaves the stratum its share.
    """
    rng = rng_for(seed, stream)
    stratum = 2 * data.env + data.t
    groups = [rng.permutation(np.flatnonzero(stratum == value)) for value in np.unique(stratum)]
    if data.unit is not None:
        groups = [group[np.argsort(data.unit[group] >= 0, kind="stable")] for group in groups]
    sizes = np.array([len(group) for group in groups])
    least, most = np.minimum(1, sizes - 1), sizes - 1
    share = part * sizes
    target = min(max(1, round(part * len(data))), int(most.sum()))
    if least.sum() > target:  # how many strata there are differs between seeds; how many rows are held out may not
        least = np.zeros_like(least)
    cut = np.clip(np.floor(share), least, most).astype(int)
    while (missing := target - cut.sum()) != 0:  # largest remainder: the stratum furthest from its share moves by one
        step = 1 if missing > 0 else -1
        movable = cut < most if missing > 0 else cut > least
        cut[np.argmax(np.where(movable, step * (share - cut), -np.inf))] += step
    held_out = np.concatenate([group[:k] for group, k in zip(groups, cut, strict=True)])
    train = np.concatenate([group[k:] for group, k in zip(groups, cut, strict=True)])
    return np.sort(train), np.sort(held_out)
