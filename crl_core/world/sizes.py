"""How far groups differ, in z and in s, and what a latent that does not differ could still tell: sizes, not yes or no.

All follow from the scenario's numbers, by quadrature along z̄ and s̄, and none jumps where a number moves a little.
Spread: standard deviation within a group, a pair's two pooled (as in a standardised mean difference).
Weights: an environment counts by its share of the rows; pairs of groups count alike, as in the penalty.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from scipy.special import logsumexp, ndtri

from crl_core.config import Align, Scenario
from crl_core.data.scm import effect, outcomes, propensity
from crl_core.world.graph import cause_decides

NEAR = 0.1  # spreads; a cause that differs by less is called nearly the same
LITTLE = 0.05  # share of the outcome's spread that s may have, and y does not need it
RARE = 0.05  # a treatment that fewer than one in twenty get counts as not seen
_QUANTILES = (np.arange(400) + 0.5) / 400
_NORMAL = ndtri(_QUANTILES)
_LEAST_SPREAD = 1e-6  # a constant is a very narrow normal,
_NARROW = 0.01  # and in ratios of spreads no narrower than that
_UNLEARNT = 0.05  # share of the outcome's spread that a network leaves unexplained, beside the noise
_NEVER = 1e-9  # a chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What the outlook weighs; gaps are in units of a spread, errors in units of the outcome.

    cause_gap:     how far z̄ differs between the groups that are aligned.
    nuisance_gap:  the same of s̄.
    shared_cause:  area below both densities of z̄, one an arm: 1 the same, 0 no unit of one is like any of the other.
    treated_gap:   how far the environment decides the treatment, 0 (not at all) to 1 (alone).
    alone:         share of units whose s̄ is hardly ever seen with the other treatment: there s stands in for it.
    aligned_error: ITE RMSE of the best predictor that knows of each unit its quantile of z̄ within its group, no more:
                   what a latent without any difference between the groups can still tell.
    leak_error:    ITE RMSE of a predictor that reads off s what s knows of the outcome's noise.
    effect_spread: standard deviation of the effect over units.
    outcome_spread: standard deviation of y.
    """

    cause_gap: float
    nuisance_gap: float
    shared_cause: float
    treated_gap: float
    alone: float
    aligned_error: float
    leak_error: float
    effect_spread: float
    outcome_spread: float


def cause_gap(scenario: Scenario, align: Align) -> float:
    """How far z̄ differs between the groups that are aligned, in spreads; 0 where there is one group only."""
    return _cause_gap(_World(scenario), align)


@lru_cache(maxsize=256)
def sizes(scenario: Scenario, align: Align) -> Sizes | None:
    """The sizes of a world; None where one treatment is never given, of which no predictor can be told anything."""
    world = _World(scenario)
    by_arm = world.cells.sum(axis=2)  # P(t, e), [2, E]
    share = by_arm.sum(axis=1)  # P(t)
    if share.min() < _NEVER:
        return None
    if align != "treatment":
        error = world.error_without_environment()
        s_mean, s_spread = _mixture(by_arm / world.weight, world.s_mean, world.s_variance, axis=0)
    else:
        error = world.error_without_arm()
        s_mean, s_spread = _mixture(by_arm / share[:, None], world.s_mean, world.s_variance, axis=1)
    treated = by_arm[1] / world.weight
    between = float(world.weight @ np.square(treated - share[1]))
    return Sizes(
        cause_gap=_cause_gap(world, align),
        nuisance_gap=_gap(s_mean, s_spread),
        shared_cause=world.shared_cause(),
        treated_gap=float(np.sqrt(between / (share[0] * share[1]))),
        alone=_alone(by_arm, world.s_mean, np.sqrt(world.s_variance)),
        aligned_error=error,
        leak_error=world.error_by_leak(),
        effect_spread=float(np.sqrt(_variance(world.weight, world.effect))),
        outcome_spread=world.outcome_spread(),
    )


class _World:
    """A scenario on a grid: environments × 400 quantiles of z̄."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        rows = np.array(scenario.env_sizes, dtype=float)
        self.weight = rows / rows.sum()  # [E]
        self.z_mean = np.array(scenario.cause_mean) * np.sqrt(scenario.dim_causal)
        self.z_spread = np.maximum(np.array(scenario.cause_scale), _LEAST_SPREAD)
        if scenario.outcome == "binary":  # a mixture of two normals, taken for one of its mean and spread
            yes = np.array(scenario.prevalence)
            self.z_mean = self.z_mean + scenario.separation * (2 * yes - 1)
            self.z_spread = np.hypot(self.z_spread, 2 * scenario.separation * np.sqrt(yes * (1 - yes)))
        self.z = self.z_mean[:, None] + self.z_spread[:, None] * _NORMAL  # [E, q]
        treated = propensity(scenario, self.z.T).T
        # How much of all units is in a cell and gets a treatment, [2, E, q].
        self.cells = np.stack([1 - treated, treated]) * self.weight[:, None] / len(_QUANTILES)
        own = np.array(scenario.offset) * np.sqrt(scenario.dim_spurious)  # of s̄, without the leak
        self.offset = own
        self.y = np.stack(outcomes(scenario, self.z, np.broadcast_to(own[:, None], self.z.shape)))  # [2, E, q]
        self.effect = self.y[1] - self.y[0]
        share = np.maximum(self.cells.sum(axis=2), 1e-300)  # P(t, e)
        mean = (self.cells * self.y).sum(axis=2) / share
        variance = (self.cells * np.square(self.y - mean[..., None])).sum(axis=2) / share + scenario.noise**2
        leak = scenario.leak * np.sqrt(scenario.dim_spurious)
        self.s_mean = own + leak * mean  # of s̄ by arm and environment, [2, E]
        self.s_variance = np.square(np.array(scenario.sigma)) + leak**2 * variance + _LEAST_SPREAD**2

    def outcome_spread(self) -> float:
        """Standard deviation of the factual y, never quite 0."""
        sigma = np.array(self.scenario.sigma)[:, None]
        within = self.scenario.noise**2 + np.square(self.scenario.interaction * self.z * sigma)  # [E, q]
        mean = (self.cells * self.y).sum()
        return max(float(np.sqrt((self.cells * (np.square(self.y - mean) + within)).sum())), _LEAST_SPREAD)

    def shared_cause(self) -> float:
        share = self.cells.sum(axis=(1, 2))
        density = _log_density(self.z[..., None], self.z_mean, self.z_spread) + np.log(self.weight)  # [E, q, E]
        member = np.exp(density - logsumexp(density, axis=-1, keepdims=True))
        treated = (member * propensity(self.scenario, self.z[..., None])).sum(axis=-1)  # P(t = 1 | z̄)
        both = np.minimum(treated / share[1], (1 - treated) / share[0])
        return float(self.weight @ both.mean(axis=1))

    def error_without_environment(self) -> float:
        """Of the best predictor of y, per arm, from the quantile of z̄ within the environment."""
        of_arm = self.cells.sum(axis=1)  # [2, q]
        y_hat = (self.cells * self.y).sum(axis=1) / np.maximum(of_arm, 1e-300)
        wrong = y_hat[1] - y_hat[0] - self.effect  # [E, q]
        return float(np.sqrt(self.weight @ np.square(wrong).mean(axis=1)))

    def error_without_arm(self) -> float:
        """Of the best predictor of y, per arm, from the quantile of z̄ within the arm, s̄ averaged over."""
        share = self.cells.sum(axis=(1, 2))
        z = np.sort(self.z, axis=None)
        z_of, y_hat = [], []
        for arm in (0, 1):
            # Below each z̄, by environment: a sum over all units in order would jump where two of them change places.
            ranks = np.cumsum(self.cells[arm], axis=1) - self.cells[arm] / 2  # [E, q]
            below = np.sum([np.interp(z, *of) for of in zip(self.z, ranks, strict=True)], axis=0) / share[arm]
            at = np.interp(_QUANTILES, below, z)  # z̄ at each quantile of the arm, [q]
            density = _log_density(at[:, None], self.z_mean, self.z_spread) + np.log(self.weight)
            treated = propensity(self.scenario, at[:, None])
            density = density + np.log(np.maximum(treated if arm else 1 - treated, 1e-300))
            member = np.exp(density - logsumexp(density, axis=1, keepdims=True))  # P(e | z̄, t), [q, E]
            z_of.append(at)
            y_hat.append(outcomes(self.scenario, at, member @ self.offset)[arm])
        found = y_hat[1] - y_hat[0]
        wrong = [np.square(found - effect(self.scenario, at)).mean() for at in z_of]
        return float(np.sqrt(share @ np.array(wrong)))

    def error_by_leak(self) -> float:
        """s̄ knows what z does not explain as far as its own noise lets it: that share of the effect is lost."""
        unexplained = np.hypot(self.scenario.noise, _UNLEARNT * self.outcome_spread())
        told = np.square(self.scenario.leak * unexplained)
        own = np.square(np.array(self.scenario.sigma)) / self.scenario.dim_spurious
        share = told / np.maximum(told + own, 1e-300)  # [E]
        return float(np.sqrt(self.weight @ (np.square(share) * np.square(self.effect).mean(axis=1))))


def share_with_both(scenario: Scenario) -> float:
    """Share of units whose z sees each treatment with probability at least .05, all environments pooled."""
    world = _World(scenario)
    log_density = _log_density(world.z[..., None], world.z_mean, world.z_spread) + np.log(world.weight)  # [E, q, E]
    member = np.exp(log_density - logsumexp(log_density, axis=-1, keepdims=True))
    pooled = (member * propensity(scenario, world.z[..., None])).sum(axis=-1)
    return float(world.weight @ np.mean((pooled >= RARE) & (pooled <= 1 - RARE), axis=1))


def share_of_nuisance(scenario: Scenario) -> float:
    """What s has of y, interaction · z̄ · s̄ beyond a multiple of z̄: its spread, as a share of that of y."""
    world = _World(scenario)
    mean = world.weight @ world.offset
    s_square = np.square(np.array(scenario.sigma)) + np.square(world.offset - mean)
    own = scenario.interaction**2 * (world.weight @ (s_square * np.square(world.z).mean(axis=1)))
    return float(np.sqrt(own) / world.outcome_spread())


def error_without_s(scenario: Scenario) -> float | None:
    """Least factual MSE of a predictor that knows z and t but not s; None where the arms or environments differ in z.

    y = … + interaction · z̄ · s̄ + ε, so it is interaction² · E[z̄²] · E[Var(s̄ | t)] + noise².
    """
    if len(set(scenario.cause_mean)) > 1 or len(set(scenario.cause_scale)) > 1 or cause_decides(scenario):
        return None
    rows = np.array(scenario.env_sizes) / scenario.n_samples
    treated, offset = np.array(scenario.propensity), np.array(scenario.offset) * np.sqrt(scenario.dim_spurious)
    variance = np.square(np.array(scenario.sigma))
    expected = 0.0
    for arm in (rows * treated, rows * (1 - treated)):  # P(e, t)
        if arm.sum() == 0:
            continue
        weight = arm / arm.sum()
        within = weight @ (variance + offset**2) - (weight @ offset) ** 2
        expected += float(arm.sum() * within)
    square_of_z = scenario.cause_mean[0] ** 2 * scenario.dim_causal + scenario.cause_scale[0] ** 2
    return scenario.interaction**2 * square_of_z * expected + scenario.noise**2


def _cause_gap(world: _World, align: Align) -> float:
    if align != "treatment":
        return _gap(world.z_mean, world.z_spread)
    share = world.cells.sum(axis=(1, 2))
    if share.min() < _NEVER:
        return 0.0
    weight, still = world.cells.reshape(2, -1) / share[:, None], np.zeros(world.z.size)
    return _gap(*_mixture(weight, np.broadcast_to(world.z.ravel(), weight.shape), still, axis=1))


def _mixture(weight: np.ndarray, mean: np.ndarray, variance: np.ndarray, *, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of mixtures along `axis`, along which the weights add up to 1."""
    centre = (weight * mean).sum(axis=axis, keepdims=True)
    square = (weight * (variance + np.square(mean - centre))).sum(axis=axis)
    return centre.squeeze(axis), np.sqrt(np.maximum(square, _LEAST_SPREAD**2))


def _gap(mean: np.ndarray, spread: np.ndarray) -> float:
    """Root mean square over pairs of groups: difference of means in units of spread, and log ratio of spreads."""
    spread = np.hypot(spread, _NARROW)
    squares = [
        (mean[a] - mean[b]) ** 2 / ((spread[a] ** 2 + spread[b] ** 2) / 2) + np.log(spread[a] / spread[b]) ** 2
        for a, b in combinations(range(len(mean)), 2)
    ]
    return float(np.sqrt(np.mean(squares))) if squares else 0.0


def _log_density(at: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Of a normal."""
    return np.asarray(-np.square((at - mean) / spread) / 2 - np.log(spread * np.sqrt(2 * np.pi)))


def _alone(weight: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> float:
    """Share of units whose value is hardly ever seen with the other treatment; all [2, E], arms by environments.

    Hardly ever is no edge: a unit counts e^(−m / RARE), m the chance of the rarer treatment at its value.
    """
    value = mean[..., None] + spread[..., None] * _NORMAL  # [2, E, q]
    log_weight = np.log(np.maximum(weight, 1e-300))
    of_arm = logsumexp(_log_density(value[..., None, None], mean, spread) + log_weight, axis=-1)  # [2, E, q, 2]
    chance = np.exp(of_arm - logsumexp(of_arm, axis=-1, keepdims=True))  # P(t | value)
    return float((weight * np.exp(-chance.min(axis=-1) / RARE).mean(axis=-1)).sum())


def _variance(weight: np.ndarray, values: np.ndarray) -> float:
    """Of values [E, q], environments by weight."""
    mean = weight @ values.mean(axis=1)
    return float(weight @ np.square(values - mean).mean(axis=1))
