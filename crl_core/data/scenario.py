"""A source of rows whose truth is known: the numbers of one structural causal model. Its equations are in `scm`."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, Literal

from crl_core.data import ecg, scm
from crl_core.data.fields import about_of, checked, described, plain, shown
from crl_core.data.observations import OBSERVATIONS
from crl_core.data.on_disk import IN_MEMORY, lies_on_disk, rows_on_disk
from crl_core.data.scm import MultiEnvData, Surface
from crl_core.data.source import Truth

Mixing = Literal["none", "rotation", "nonlinear"]
Observation = Literal["covariates", "ecg", "digits"]
OutcomeKind = Literal["number", "binary"]
MAX_ENVS = 10

# σ_e and the position between the first two environments that `with_envs` gives to environment k.
_GROWN_SIGMA = (0.1, 1.0, 0.5, 0.3, 0.7, 0.2, 0.9, 0.4, 0.6, 0.8)
_GROWN_POSITION = (0.0, 1.0, 0.25, 0.75, 0.5, 0.125, 0.875, 0.375, 0.625, 0.0625)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """All environments of one structural causal model; the equations are in `scm`.

    One value an environment where `per_env` says so (`PER_ENV`); a single value is repeated.
    Raises: ValueError naming the field, the value and the allowed range.
    """

    n_samples: int = described(10_000, "samples", "All environments together; a fifth is held out.", (100, 1_000_000))
    sigma: tuple[float, ...] = described((0.1, 1.0), "σ", "Standard deviation of s.", (0.0, 10.0), per_env=True)
    offset: tuple[float, ...] = described((0.0,), "offset of s", "Mean of s.", (-20.0, 20.0), per_env=True)
    propensity: tuple[float, ...] = described(
        (0.5,), "P(t = 1)", "Share of the treated; with confounding, at z = 0.", (0.0, 1.0), per_env=True
    )
    interaction: float = described(
        0.0, "interaction z·s", "Coefficient of z·s in the outcome. Must be 0 where s leaks y.", (-10.0, 10.0)
    )
    effect: float = described(1.0, "effect", "What treatment adds to the outcome at z = 0.", (-10.0, 10.0))
    heterogeneity: float = described(
        0.0,
        "heterogeneity",
        "The effect of a unit is effect + heterogeneity · z, or · tanh 2z in waves.",
        (-10.0, 10.0),
    )
    leak: float = described(0.0, "leak of y into s", "s += leak · y: a sensor that sees the outcome.", (-10.0, 10.0))
    noise: float = described(0.05, "outcome noise", "Standard deviation of ε in y.", (0.0, 10.0))
    dim_causal: int = described(1, "causal dimensions", "Coordinates of z.", (1, 50))
    dim_spurious: int = described(1, "spurious dimensions", "Coordinates of s.", (1, 200))
    mixing: Mixing = described("none", "mixing", "How x is made of z and s.", options=Mixing)
    cause_mean: tuple[float, ...] = described((0.0,), "mean of z", "Mean of z.", (-10.0, 10.0), per_env=True)
    cause_scale: tuple[float, ...] = described(
        (1.0,), "spread of z", "Standard deviation of z.", (0.0, 10.0), per_env=True
    )
    confounding: float = described(
        0.0, "confounding", "t ~ Bernoulli(sigmoid(logit(pₑ) + confounding · z)).", (-10.0, 10.0)
    )
    env_weight: tuple[float, ...] = described(
        (1.0,), "weight", "Rows of an environment, relative to the others.", (0.001, 1.0), per_env=True, before=(1.0,)
    )
    shared_units: int = described(
        0, "shared units", "Units seen in every environment, with the same z.", (0, 10_000), before=0
    )
    surface: Surface = described(
        "linear",
        "outcome surface",
        "How y⁰ and the effect depend on z: along lines, or in waves that no line follows.",
        options=Surface,
        before="linear",
    )
    observation: Observation = described(
        "covariates",
        "what is seen",
        "Covariates; or an ECG: z moves the beat, s is the level of the mains' hum, and the hospital is a machine; or "
        "images of handwritten digits: z is which digit, s the light of the lamp.",
        options=Observation,
        before="covariates",
    )
    latents: tuple[ecg.Latent, ...] = described(
        ("st",),
        "what z moves",
        "Of an ECG, one for each coordinate of z: ST level, T amplitude, QRS width, QT length.",
        options=ecg.Latent,
        before=("st",),
    )
    samples: int = described(128, "trace length", "Samples of a trace.", (64, 256), before=128)
    rate: float = described(160.0, "samples a second", "Of a trace, Hz.", (100.0, 500.0), before=160.0)
    hum_hz: float = described(50.0, "frequency of the hum", "Of the mains, Hz.", (50.0, 60.0), before=50.0)
    hum_mv: float = described(
        0.05, "hum", "At s = 0, mV; the hum of a row is that times e to the s.", (0.0, 1.0), before=0.05
    )
    hum_phase: ecg.Phase = described(
        "random", "phase of the hum", "Against the beat.", options=ecg.Phase, before="random"
    )
    saturation: float = described(0.0, "saturation", "Of the amplifier, mV; 0 for none.", (0.0, 5.0), before=0.0)
    wander: float = described(0.05, "wander", "Of the baseline, mV.", (0.0, 0.5), before=0.05)
    gain: tuple[float, ...] = described((1.0,), "gain", "Of the amplifier.", (0.5, 2.0), per_env=True, before=(1.0,))
    highpass: tuple[float, ...] = described(
        (0.0,), "high-pass", "Corner of the filter, Hz; 0 for none.", (0.0, 1.0), per_env=True, before=(0.0,)
    )
    notch: tuple[float, ...] = described(
        (0.0,),
        "notch",
        "Share of the hum's frequency that a filter takes out.",
        (0.0, 1.0),
        per_env=True,
        before=(0.0,),
    )
    electrode_noise: tuple[float, ...] = described(
        (0.02,), "electrode noise", "Standard deviation, mV.", (0.0, 0.2), per_env=True, before=(0.02,)
    )
    light: float = described(
        0.25,
        "light",
        "Of an image: what a unit of s adds to every pixel, which is from 0 to 1.",
        (0.0, 2.0),
        before=0.25,
    )
    pixel_noise: tuple[float, ...] = described(
        (0.1,), "pixel noise", "Of an image: standard deviation.", (0.0, 1.0), per_env=True, before=(0.1,)
    )
    outcome: OutcomeKind = described(
        "number",
        "outcome",
        "A number that treatment changes, or a yes or no that z is drawn after and treatment has no part in.",
        options=OutcomeKind,
        before="number",
    )
    prevalence: tuple[float, ...] = described(
        (0.5,),
        "P(y = 1)",
        "Share of yes, of an outcome that is yes or no.",
        (0.005, 0.995),
        per_env=True,
        before=(0.5,),
    )
    separation: float = described(
        1.0,
        "separation",
        "How far z lies from 0, upwards where the outcome is yes, downwards where it is no.",
        (0.3, 4.0),
        before=1.0,
    )

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "sigma", checked(self.__dataclass_fields__["sigma"], self.sigma))  # its length is that of the others
        if not 1 <= self.n_envs <= MAX_ENVS:
            raise ValueError(f"sigma has {self.n_envs} values; give one an environment, 1 to {MAX_ENVS}.")
        for item in fields(self):
            value = checked(item, getattr(self, item.name))
            if item.name in PER_ENV:
                if item.name == "env_weight" and len(set(value)) == 1:  # only their ratios matter
                    value = (1.0,)
                elif about_of(item).young and len(set(value)) == 1:  # alike in all, however many there are
                    value = value[:1]
                value = value * self.n_envs if len(value) == 1 else value
                if len(value) != self.n_envs:
                    raise ValueError(
                        f"{item.name} has {len(value)} values but sigma has {self.n_envs}; give one an environment, or "
                        "one for all."
                    )
            put(self, item.name, value)
        if self.leak != 0 and self.interaction != 0:
            raise ValueError(
                f"leak is {self.leak:g} and interaction is {self.interaction:g}; one of them must be 0, "
                "since s cannot be both a cause and a child of y."
            )
        OBSERVATIONS[self.observation].check(self)
        if self.n_samples < 20 * self.n_envs:
            raise ValueError(
                f"n_samples is {self.n_samples} for {self.n_envs} environments; give at least {20 * self.n_envs}."
            )
        least = min(self.env_sizes)
        if least < 10:
            raise ValueError(
                f"env_weight leaves {least} rows to an environment; each needs at least 10. Raise its weight, or "
                f"n_samples."
            )
        if 2 * self.shared_units > least:
            raise ValueError(
                f"shared_units is {self.shared_units}, but an environment has only {least} rows; "
                f"at most half of them, {least // 2}, can be shared units."
            )

    @property
    def env_sizes(self) -> tuple[int, ...]:
        """Rows of each environment: shares of `n_samples` by `env_weight`, rounded so that they add up."""
        edges = [0.0]
        for weight in self.env_weight:
            edges.append(edges[-1] + weight)
        if len(set(self.env_weight)) == 1:  # the first ones are one larger
            return tuple(len(range(env, self.n_samples, self.n_envs)) for env in range(self.n_envs))
        cuts = [round(self.n_samples * edge / edges[-1]) for edge in edges]
        return tuple(b - a for a, b in pairwise(cuts))

    @property
    def dim_x(self) -> int:
        return OBSERVATIONS[self.observation].width(self)

    # -- as a source of rows (`source.Source`) -------------------------------------------------------------------------

    @property
    def label(self) -> str:
        return "a world of its own"

    @property
    def knows(self) -> frozenset[Truth]:
        effects: tuple[Truth, ...] = ("effects",) if self.outcome == "number" else ()
        return frozenset((*effects, "latents", "equations"))

    @property
    def n_rows(self) -> int:
        return self.n_samples

    @property
    def n_held_out(self) -> int:
        return round(scm.HELD_OUT * self.n_samples)

    @property
    def n_envs(self) -> int:
        return len(self.sigma)

    @property
    def env_names(self) -> tuple[str, ...]:
        return tuple(f"environment {chr(ord('A') + env)}" for env in range(self.n_envs))

    @property
    def x_shape(self) -> tuple[int, ...]:
        return (self.dim_x,)

    @property
    def signal(self) -> tuple[int, ...]:
        return () if self.observation == "covariates" else tuple(range(self.dim_x))

    @property
    def two_outcomes(self) -> bool:
        return self.outcome == "binary"

    @property
    def features(self) -> tuple[str, ...]:
        """Causal ones, then spurious ones, unless they are mixed, a trace or an image."""
        if self.mixing != "none" or self.observation != "covariates":
            return tuple(f"x{at + 1}" for at in range(self.dim_x))
        return tuple(f"z{at + 1}" for at in range(self.dim_causal)) + tuple(
            f"s{at + 1}" for at in range(self.dim_spurious)
        )

    def rows(self, seed: int, change: scm.Change = scm.UNCHANGED) -> tuple[MultiEnvData, MultiEnvData]:
        """A fifth is held out; see `scm.sample` and `scm.split`. Many rows are kept `on_disk`."""
        data = scm.sample(self, seed, change)
        train, held_out = scm.split(data, seed)
        if lies_on_disk(self.n_samples):
            return rows_on_disk(data, train), rows_on_disk(data, held_out)
        return data.rows(train), data.rows(held_out)

    @property
    def in_memory(self) -> Scenario:
        """The same world with as many rows as are kept in memory, where it has more and may have so few."""
        try:
            return replace(self, n_samples=IN_MEMORY) if lies_on_disk(self.n_samples) else self
        except ValueError:  # of one environment's weight, or of shared units, too few would be left
            return self

    def to_dict(self) -> dict[str, Any]:
        return plain(self)

    def with_envs(self, n_envs: int) -> Scenario:
        """The same world with another number of environments, 1 to 10; raises ValueError as `grown` does."""
        return replace(self, **self.grown(n_envs))

    def grown(self, n_envs: int) -> dict[str, Any]:
        """The values of the fields of which there is one an environment, for another number of them.

        Fewer: the first ones. More: those there are stay; a new one gets a σ from a fixed list, an offset between
        those of the first two (a quarter of the way, three quarters, half, ...), and repeats the first two's
        propensity and cause in turn, so that every policy and every site is seen again with another s.
        Raises: ValueError if `n_envs` is out of range.
        """
        if isinstance(n_envs, bool) or not isinstance(n_envs, int) or not 1 <= n_envs <= MAX_ENVS:
            raise ValueError(
                f"the number of environments is {shown(n_envs)}; it must be a whole number from 1 to {MAX_ENVS}."
            )
        base = min(2, self.n_envs)

        def in_turn(values: tuple[float, ...]) -> tuple[float, ...]:
            return values[:n_envs] + tuple(values[k % base] for k in range(len(values), n_envs))

        first, second = self.offset[0], self.offset[base - 1]
        between = tuple(first + (second - first) * _GROWN_POSITION[k] for k in range(self.n_envs, n_envs))
        values: dict[str, Any] = {name: in_turn(getattr(self, name)) for name in PER_ENV}
        values["sigma"] = self.sigma[:n_envs] + _GROWN_SIGMA[self.n_envs : n_envs]
        values["offset"] = self.offset[:n_envs] + between
        return values


PER_ENV = tuple(item.name for item in fields(Scenario) if about_of(item).per_env)
