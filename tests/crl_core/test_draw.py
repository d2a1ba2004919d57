"""Training and deployment are drawn from the same equations, bit for bit what each of them once wrote out alone."""

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.special import expit, logit

from crl_core import PRESETS, Scenario, sample
from crl_core.data.interventions import INTERVENTIONS, deploy, limits
from crl_core.data.scm import MultiEnvData, Stream, along, effect, mean_outcomes, mix, propensity, rng_for
from crl_core.world.environments import propensity_spans

OF_PRESETS = {name: preset.config.scenario for name, preset in PRESETS.items()}
# Of traces and labels the same is tested in test_ecg and test_label_world.
WORLDS = {name: world for name, world in OF_PRESETS.items() if world.observation == "covariates"} | {
    "shared units": replace(PRESETS["hospitals"].config.scenario, shared_units=7),
    "a rare environment": replace(PRESETS["hospital"].config.scenario, env_weight=(1.0, 0.05)),
    "leak": replace(PRESETS["leaky"].config.scenario, n_samples=333, dim_causal=3, confounding=0.7),
    "waves": replace(PRESETS["recipe"].config.scenario, n_samples=1000, heterogeneity=1.5, surface="waves"),
    "waves that leak": replace(PRESETS["leaky"].config.scenario, dim_causal=2, surface="waves"),
}


def plain_surface(scenario: Scenario, z_bar: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What z̄ makes of y⁰, and what the effect depends on."""
    if scenario.surface == "waves":
        return 2 * np.sin(2 * z_bar) + z_bar**2 / 2, np.tanh(2 * z_bar)
    return 2 * z_bar, z_bar


def plain_sample(scenario: Scenario, seed: int) -> MultiEnvData:
    """Training rows, every equation written out in its place."""
    rng = rng_for(seed, Stream.DATA)
    n, n_envs = scenario.n_samples, scenario.n_envs
    env = np.repeat(np.arange(n_envs), scenario.env_sizes).astype(np.int64)
    sigma, offset, mean, scale, p = (
        np.asarray(values)[env]
        for values in (scenario.sigma, scenario.offset, scenario.cause_mean, scenario.cause_scale, scenario.propensity)
    )
    z = mean[:, None] + scale[:, None] * rng.standard_normal((n, scenario.dim_causal))
    unit = None
    if scenario.shared_units:
        unit, first = np.full(n, -1), np.searchsorted(env, np.arange(n_envs))
        for k in range(scenario.shared_units):
            unit[first + k] = k
            z[first + k] = z[first[k % n_envs] + k]
    z_bar = along(z)
    t = (rng.random(n) < expit(logit(p) + scenario.confounding * z_bar)).astype(np.int64)
    s = offset[:, None] + sigma[:, None] * rng.standard_normal((n, scenario.dim_spurious))
    own, modifier = plain_surface(scenario, z_bar)
    y0 = own + scenario.interaction * z_bar * along(s)
    y1 = y0 + scenario.effect + scenario.heterogeneity * modifier
    y = np.where(t == 1, y1, y0) + scenario.noise * rng.standard_normal(n)
    s = s + scenario.leak * y[:, None]
    x = mix(np.concatenate([z, s], axis=1), scenario, seed)
    return MultiEnvData(x=x, t=t, env=env, y=y, y0=y0, y1=y1, z=z, s=s, unit=unit)


def plain_deploy(scenario: Scenario, name: str, dose: float, n: int, seed: int, draw: int) -> MultiEnvData:
    """Deployed rows of a world whose environments are equally frequent, every intervention written out in its place."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1_000_003, draw]))
    env = np.sort(rng.integers(scenario.n_envs, size=n)).astype(np.int64)
    if name == "site":
        env[:] = int(dose) - 1
    sigma, offset, mean, scale, p = (
        np.asarray(values)[env]
        for values in (scenario.sigma, scenario.offset, scenario.cause_mean, scenario.cause_scale, scenario.propensity)
    )
    z = mean[:, None] + scale[:, None] * rng.standard_normal((n, scenario.dim_causal))
    if name == "z-shift":
        z = z + dose
    elif name == "z-scale":
        z = z * dose
    elif name == "z-set":
        z = np.full_like(z, dose)
    z_bar = along(z)
    treated = expit(logit(p) + scenario.confounding * z_bar)
    if name == "policy":
        treated = np.full(n, dose)
    elif name == "effect-untreated":
        treated = np.zeros(n)
    t = (rng.random(n) < treated).astype(np.int64)
    noise = rng.standard_normal((n, scenario.dim_spurious))
    s = offset[:, None] + sigma[:, None] * noise
    if name == "s-mean":
        s = dose + 0.5 * noise
    elif name == "s-scale":
        s = dose * noise
    slope = dose if name == "slope" else 1.0
    level = dose if name == "intercept" else 0.0
    heterogeneity = scenario.heterogeneity + (dose if name in ("effect", "effect-untreated") else 0.0)
    own, modifier = plain_surface(scenario, z_bar)
    y0 = level + slope * own + scenario.interaction * z_bar * along(s)
    y1 = y0 + scenario.effect + heterogeneity * modifier
    y = np.where(t == 1, y1, y0) + scenario.noise * rng.standard_normal(n)
    if INTERVENTIONS[name].on != "nuisance":
        s = s + scenario.leak * y[:, None]
    x = mix(np.concatenate([z, s], axis=1), scenario, seed)
    return MultiEnvData(x=x, t=t, env=env, y=y, y0=y0, y1=y1, z=z, s=s)


def assert_same_bits(got: MultiEnvData, want: MultiEnvData) -> None:
    for name in (field.name for field in fields(MultiEnvData)):
        mine, theirs = getattr(got, name), getattr(want, name)
        if theirs is None:
            assert mine is None, name
        else:
            assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape), name
            assert mine.tobytes() == theirs.tobytes(), name


@pytest.mark.parametrize("seed", [0, 17])
@pytest.mark.parametrize("world", WORLDS)
def test_training_rows_are_those_of_the_equations_written_out(world: str, seed: int) -> None:
    assert_same_bits(sample(WORLDS[world], seed), plain_sample(WORLDS[world], seed))


@pytest.mark.parametrize("name", INTERVENTIONS)
@pytest.mark.parametrize("world", sorted(WORLDS.keys() - {"a rare environment"}))
def test_deployed_rows_are_those_of_the_equations_written_out(world: str, name: str) -> None:
    scenario, item = WORLDS[world], INTERVENTIONS[name]
    for seed in (0, 17):
        for draw, dose in enumerate({*limits(scenario, name), item.start}):
            assert_same_bits(
                deploy(scenario, name, dose, 300, seed, draw), plain_deploy(scenario, name, dose, 300, seed, draw)
            )


def test_where_nothing_changes_a_rare_environment_stays_rare() -> None:
    scenario = Scenario(n_samples=4000, sigma=(0.1, 1.0, 0.5), env_weight=(1.0, 0.05, 0.5))
    shares = np.bincount(deploy(scenario, "none", 0.0, 100_000, 0).env) / 100_000
    np.testing.assert_allclose(shares, np.array([1.0, 0.05, 0.5]) / 1.55, atol=0.005)
    assert set(deploy(scenario, "site", 2.0, 50, 0).env) == {1}


@pytest.mark.parametrize("world", WORLDS)
def test_what_drawings_and_assumptions_are_told_is_what_is_drawn(world: str) -> None:
    scenario = WORLDS[world]
    rows = sample(replace(scenario, n_samples=40_000, noise=0.0, shared_units=0), 3)
    assert rows.z is not None
    assert rows.ite is not None
    z_bar = along(rows.z)
    np.testing.assert_allclose(effect(scenario, z_bar), rows.ite, atol=1e-12)
    chance = propensity(scenario, z_bar, rows.env)
    np.testing.assert_array_equal(propensity(scenario, z_bar[:, None])[np.arange(len(rows)), rows.env], chance)
    for e, means in enumerate(mean_outcomes(scenario, z_bar)):
        mine = rows.env == e
        assert rows.t[mine].mean() == pytest.approx(chance[mine].mean(), abs=0.02)
        for mean, outcome in zip(means, (rows.y0, rows.y1), strict=True):
            assert outcome is not None
            rest = (outcome - mean)[mine]  # z̄ · interaction · (s̄ - its mean)
            assert abs(rest.mean()) < 6 * rest.std() / np.sqrt(mine.sum()) + 1e-12
        low, high = propensity_spans(scenario, rows)[e]
        assert np.mean((chance[mine] >= low) & (chance[mine] <= high)) >= 0.9 - 1e-3
