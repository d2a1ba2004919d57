"""What a run is: a frozen, validated `RunConfig` whose hash is the run's key, and every limit on what may be asked for.

Rules:   a config holds scalars and tuples only, so it hashes, compares and round-trips through JSON.
Key:     SHA-256 of the canonical JSON plus `RECIPE_VERSION`; 1 and 1.0, list and tuple give the same key.
         The device is left out: it says where a run is computed, not what it computes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from dataclasses import replace as _replace
from itertools import pairwise
from typing import Any, Literal, get_args

RECIPE_VERSION = 1  # raise when the numbers that a config yields change, evidence included; keys change with it
CONFIG_VERSION = 1  # raise when the JSON form of a config changes

Mixing = Literal["none", "rotation", "nonlinear"]
Penalty = Literal[
    "mmd",
    "mmd-multi",
    "mmd-linear",
    "coral",
    "wasserstein",
    "adversarial",
    "irm",
    "vrex",
    "groupdro",
    "contrastive",
]
Matching = Literal["shared", "oracle", "rank"]
Align = Literal["environment", "treatment"]
Device = Literal["auto", "cuda", "mps", "cpu"]
Bandwidth = float | Literal["median"]

# 0 and 15 log-spaced values from 1e-4 to 100, written with two digits so that a λ can be said aloud.
DEFAULT_LAMS = (
    0.0, 0.0001, 0.00027, 0.00072, 0.0019, 0.0052, 0.014, 0.037, 0.1, 0.27, 0.72, 1.9, 5.2, 14.0, 37.0, 100.0,
)  # fmt: skip

# σ_e and the position between the first two environments that `with_envs` gives to environment k.
_GROWN_SIGMA = (0.1, 1.0, 0.5, 0.3, 0.7, 0.2, 0.9, 0.4, 0.6, 0.8)
# Fields younger than the first runs: left out of the JSON where they say nothing, so that older keys stay as they are.
_YOUNGER = {"env_weight": 1.0, "shared_units": 0, "matching": "shared", "balanced": False}

_GROWN_POSITION = (0.0, 1.0, 0.25, 0.75, 0.5, 0.125, 0.875, 0.375, 0.625, 0.0625)

MAX_ENVS = 10
MAX_MODELS = 320
MAX_QUEUE = 20  # runs that may wait for the worker at a time
MAX_MODEL_SAMPLES = 2_000_000_000  # models × epochs × rows: about an hour on two cores
LIMITS: Mapping[str, tuple[float, float]] = {
    "n_samples": (100, 100_000),
    "sigma": (0.0, 10.0),
    "offset": (-20.0, 20.0),
    "propensity": (0.0, 1.0),
    "interaction": (-10.0, 10.0),
    "effect": (-10.0, 10.0),
    "heterogeneity": (-10.0, 10.0),
    "leak": (-10.0, 10.0),
    "noise": (0.0, 10.0),
    "dim_causal": (1, 50),
    "dim_spurious": (1, 200),
    "cause_mean": (-10.0, 10.0),
    "cause_scale": (0.0, 10.0),
    "confounding": (-10.0, 10.0),
    "env_weight": (0.001, 1.0),
    "shared_units": (0, 10_000),
    "lams": (0.0, 10_000.0),
    "replicates": (1, 20),
    "epochs": (1, 1000),
    "batch_size": (8, 4096),
    "learning_rate": (1e-6, 1.0),
    "hidden": (4, 512),
    "latent_dim": (2, 128),
    "bandwidth": (1e-3, 1e3),
    "seed": (0, 2**31 - 1),
}
N_LAMS = (1, 32)


def _shown(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _number(name: str, value: Any, kind: type[float] | type[int]) -> Any:
    low, high = LIMITS[name]
    allowed = f"{name} must be {'a whole number' if kind is int else 'a number'} from {low:g} to {high:g}"
    if isinstance(value, bool) or (not isinstance(value, (int, float)) and not hasattr(value, "__float__")):
        raise ValueError(f"{name} is {_shown(value)}; {allowed}.")
    try:
        number = float(value)
    except OverflowError:  # a whole number of more digits than a float can hold
        number = math.inf
    if not math.isfinite(number) or not low <= number <= high or (kind is int and number != int(number)):
        raise ValueError(f"{name} is {_shown(number)}; {allowed}.")
    return int(number) if kind is int else number + 0.0  # + 0.0 turns -0.0 into 0.0


def _tuple(name: str, value: Any) -> tuple[float, ...]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = (value,)
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise ValueError(f"{name} is {_shown(value)}; give a list of numbers, e.g. (0.1, 1.0).")
    return tuple(_number(name, item, float) for item in value)


def _choice(name: str, value: Any, options: tuple[str, ...]) -> None:
    if value not in options:
        raise ValueError(f"{name} is {_shown(value)}; it must be one of {', '.join(options)}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """All environments of one structural causal model; the equations are in `scm`.

    One value an environment (a single value is repeated): sigma, offset, propensity, cause_mean, cause_scale,
    env_weight.
    Raises: ValueError naming the field, the value and the allowed range.
    """

    n_samples: int = 10_000  # rows of all environments together; 80 % train, 20 % held out
    sigma: tuple[float, ...] = (0.1, 1.0)  # σ_e, standard deviation of s
    offset: tuple[float, ...] = (0.0,)  # mean of s
    propensity: tuple[float, ...] = (0.5,)  # P(t = 1 | e)
    interaction: float = 0.0  # coefficient of z·s in y
    effect: float = 1.0
    heterogeneity: float = 0.0  # ITE = effect + heterogeneity · z
    leak: float = 0.0  # s += leak · y
    noise: float = 0.05  # standard deviation of ε in y
    dim_causal: int = 1
    dim_spurious: int = 1
    mixing: Mixing = "none"
    cause_mean: tuple[float, ...] = (0.0,)
    cause_scale: tuple[float, ...] = (1.0,)
    confounding: float = 0.0  # t ~ Bernoulli(sigmoid(logit(p_e) + confounding · z))
    env_weight: tuple[float, ...] = (1.0,)  # rows of an environment, relative to the others
    shared_units: int = 0  # units seen in every environment, with the same z

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "sigma", _tuple("sigma", self.sigma))
        if not 1 <= self.n_envs <= MAX_ENVS:
            raise ValueError(f"sigma has {self.n_envs} values; give one an environment, 1 to {MAX_ENVS}.")
        put(self, "env_weight", _tuple("env_weight", self.env_weight))
        if len(set(self.env_weight)) == 1:  # only their ratios matter
            put(self, "env_weight", (1.0,))
        for name in ("offset", "propensity", "cause_mean", "cause_scale", "env_weight"):
            values = _tuple(name, getattr(self, name))
            values = values * self.n_envs if len(values) == 1 else values
            if len(values) != self.n_envs:
                raise ValueError(
                    f"{name} has {len(values)} values but sigma has {self.n_envs}; give one an environment, or one "
                    f"for all."
                )
            put(self, name, values)
        for name in ("interaction", "effect", "heterogeneity", "leak", "noise", "confounding"):
            put(self, name, _number(name, getattr(self, name), float))
        for name in ("n_samples", "dim_causal", "dim_spurious", "shared_units"):
            put(self, name, _number(name, getattr(self, name), int))
        _choice("mixing", self.mixing, get_args(Mixing))
        if self.leak != 0 and self.interaction != 0:
            raise ValueError(
                f"leak is {self.leak:g} and interaction is {self.interaction:g}; one of them must be 0, "
                "since s cannot be both a cause and a child of y."
            )
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
    def n_envs(self) -> int:
        return len(self.sigma)

    @property
    def dim_x(self) -> int:
        return self.dim_causal + self.dim_spurious

    def with_envs(self, n_envs: int) -> Scenario:
        """The same world with another number of environments, 1 to 10.

        Fewer: the first ones. More: those there are stay; a new one gets a σ from a fixed list, an offset between
        those of the first two (a quarter of the way, three quarters, half, ...), and repeats the first two's
        propensity and cause in turn, so that every policy and every site is seen again with another s.
        Raises: ValueError if `n_envs` is out of range.
        """
        if isinstance(n_envs, bool) or not isinstance(n_envs, int) or not 1 <= n_envs <= MAX_ENVS:
            raise ValueError(
                f"the number of environments is {_shown(n_envs)}; it must be a whole number from 1 to {MAX_ENVS}."
            )
        base = min(2, self.n_envs)

        def grown(values: tuple[float, ...]) -> tuple[float, ...]:
            return values[:n_envs] + tuple(values[k % base] for k in range(len(values), n_envs))

        first, second = self.offset[0], self.offset[base - 1]
        between = tuple(first + (second - first) * _GROWN_POSITION[k] for k in range(self.n_envs, n_envs))
        return _replace(
            self,
            sigma=self.sigma[:n_envs] + _GROWN_SIGMA[self.n_envs : n_envs],
            offset=self.offset[:n_envs] + between,
            propensity=grown(self.propensity),
            cause_mean=grown(self.cause_mean),
            cause_scale=grown(self.cause_scale),
            env_weight=grown(self.env_weight),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How the λ path of CFRNets is trained: M = len(lams) × replicates models in one batched ensemble.

    Replicate r uses seed + r for its data, split, initial weights and minibatch order; all λ of a replicate share them.
    Raises: ValueError naming the field, the value and the allowed range.
    """

    lams: tuple[float, ...] = DEFAULT_LAMS  # ascending, without repeats
    replicates: int = 3  # the smallest number that shows a spread
    epochs: int = 50
    batch_size: int = 128
    learning_rate: float = 1e-3
    hidden: int = 64  # units of an encoder layer; a head has half as many
    latent_dim: int = 16
    penalty: Penalty = "mmd"
    align: Align = "environment"  # "treatment" penalises φ(t=0) against φ(t=1), as Shalit et al. (2017) do
    bandwidth: Bandwidth = "median"
    matching: Matching = "shared"  # which rows are a pair for the contrastive penalty, see `matching`
    balanced: bool = False  # whether every batch holds as many rows of each group
    seed: int = 0
    device: Device = "auto"

    def __post_init__(self) -> None:
        put = object.__setattr__
        lams = _tuple("lams", self.lams)
        if not N_LAMS[0] <= len(lams) <= N_LAMS[1]:
            raise ValueError(f"lams has {len(lams)} values; give {N_LAMS[0]} to {N_LAMS[1]}, e.g. (0.0, 0.1, 1.0).")
        put(self, "lams", tuple(sorted(set(lams))))
        for name in ("replicates", "epochs", "batch_size", "hidden", "latent_dim", "seed"):
            put(self, name, _number(name, getattr(self, name), int))
        put(self, "learning_rate", _number("learning_rate", self.learning_rate, float))
        if self.bandwidth != "median":
            if isinstance(self.bandwidth, str):
                raise ValueError(f'bandwidth is {_shown(self.bandwidth)}; it must be "median" or a number > 0.')
            put(self, "bandwidth", _number("bandwidth", self.bandwidth, float))
        if not isinstance(self.balanced, bool) and self.balanced not in (0, 1, "yes", "no"):
            raise ValueError(f"balanced is {_shown(self.balanced)}; it must be yes or no.")
        put(self, "balanced", self.balanced in (True, 1, "yes"))
        for name, options in (
            ("penalty", Penalty),
            ("align", Align),
            ("matching", Matching),
            ("device", Device),
        ):
            _choice(name, getattr(self, name), get_args(options))
        if self.n_models > MAX_MODELS:
            raise ValueError(
                f"{len(self.lams)} λ × {self.replicates} replicates are {self.n_models} models; at most {MAX_MODELS} "
                f"fit. "
                "Use fewer replicates."
            )

    @property
    def n_models(self) -> int:
        return len(self.lams) * self.replicates


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Everything that determines a run. Same config, same `key`, same result."""

    scenario: Scenario
    training: Training

    def __post_init__(self) -> None:
        training = self.training
        if training.penalty == "contrastive" and training.matching == "shared" and not self.scenario.shared_units:
            raise ValueError(
                "the contrastive penalty pulls pairs together, and this world has no shared units to make pairs of; "
                "set scenario.shared_units to 32, say, or training.matching to oracle or rank."
            )
        work = self.training.n_models * self.training.epochs * self.scenario.n_samples
        if work > MAX_MODEL_SAMPLES:
            raise ValueError(
                f"{self.training.n_models} models × {self.training.epochs} epochs × {self.scenario.n_samples} samples "
                f"is {work / MAX_MODEL_SAMPLES:.1f} times what one run may ask for. Use fewer epochs, samples or "
                f"replicates."
            )

    @property
    def key(self) -> str:
        """16 hexadecimal digits, the same in every process and on every platform."""
        return self.key_in(RECIPE_VERSION)

    def key_in(self, recipe_version: int) -> str:
        """The key that this config has, or had, under a version of the recipe."""
        content = self.to_dict()
        del content["training"]["device"]
        content["recipe_version"] = recipe_version
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        def plain(config: Scenario | Training) -> dict[str, Any]:
            values = {field.name: getattr(config, field.name) for field in fields(config)}
            return {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in values.items()
                if not _silent(name, value)
            }

        return {
            "config_version": CONFIG_VERSION,
            "scenario": plain(self.scenario),
            "training": plain(self.training),
        }

    def to_json(self, indent: int | None = None) -> str:
        return json.dumps(self.to_dict(), indent=indent, sort_keys=True)

    @classmethod
    def from_dict(cls, content: Any) -> RunConfig:
        """Inverse of `to_dict`; a missing field takes its default. Raises ValueError with one clear sentence."""
        content = _fields("the config", content, {"config_version", "scenario", "training"})
        version = content.get("config_version", CONFIG_VERSION)
        if version != CONFIG_VERSION:
            raise ValueError(
                f"the config has version {_shown(version)}; this program reads version {CONFIG_VERSION}. "
                "Update the program, or save the config again with this one."
            )
        scenario = _fields("scenario", content.get("scenario", {}), {f.name for f in fields(Scenario)})
        training = _fields("training", content.get("training", {}), {f.name for f in fields(Training)})
        return cls(scenario=Scenario(**scenario), training=Training(**training))

    @classmethod
    def from_json(cls, text: str) -> RunConfig:
        try:
            content = json.loads(text)
        except ValueError as error:
            raise ValueError(f"the config is not JSON ({error}); give what `RunConfig.to_json` wrote.") from None
        return cls.from_dict(content)


def _silent(name: str, value: Any) -> bool:
    same = set(value) if isinstance(value, tuple) else {value}
    return name in _YOUNGER and same == {_YOUNGER[name]}


def _fields(where: str, content: Any, known: set[str]) -> dict[str, Any]:
    if not isinstance(content, Mapping):
        raise ValueError(
            f"{where} is {_shown(content)}; it must be an object with the fields {', '.join(sorted(known))}."
        )
    unknown = sorted(str(name) for name in content if name not in known)
    if unknown:
        raise ValueError(f"{where} has no field {', '.join(unknown)}; its fields are {', '.join(sorted(known))}.")
    return dict(content)
