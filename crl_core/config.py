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
from dataclasses import Field, dataclass, field, fields
from dataclasses import replace as _replace
from itertools import pairwise
from typing import Any, Literal, TypeVar, get_args

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
T = TypeVar("T")

# 0 and 15 log-spaced values from 1e-4 to 100, written with two digits so that a λ can be said aloud.
DEFAULT_LAMS = (
    0.0, 0.0001, 0.00027, 0.00072, 0.0019, 0.0052, 0.014, 0.037, 0.1, 0.27, 0.72, 1.9, 5.2, 14.0, 37.0, 100.0,
)  # fmt: skip

# σ_e and the position between the first two environments that `with_envs` gives to environment k.
_GROWN_SIGMA = (0.1, 1.0, 0.5, 0.3, 0.7, 0.2, 0.9, 0.4, 0.6, 0.8)
_GROWN_POSITION = (0.0, 1.0, 0.25, 0.75, 0.5, 0.125, 0.875, 0.375, 0.625, 0.0625)

MAX_ENVS = 10
MAX_MODELS = 320
MAX_QUEUE = 20  # runs that may wait for the worker at a time
MAX_MODEL_SAMPLES = 2_000_000_000  # models × epochs × rows: about an hour on two cores
N_LAMS = (1, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is known of a field of a config beside its name, type and default: written once, where the field is."""

    word: str  # what it is called on screen
    help: str
    limits: tuple[float, float] | None  # of a number
    options: tuple[str, ...]  # of a word
    per_env: bool  # one value an environment
    young: bool  # younger than the first runs: left out of the JSON where it says nothing, so that older keys stay


def _is(
    default: T,
    word: str,
    help: str,
    limits: tuple[float, float] | None = None,
    *,
    options: Any = None,
    per_env: bool = False,
    young: bool = False,
) -> T:
    """A field with all that is known of it; `options` is a Literal."""
    about = About(word=word, help=help, limits=limits, options=get_args(options), per_env=per_env, young=young)
    return field(default=default, metadata={"about": about})


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


def _checked(name: str, value: Any, kind: type) -> Any:
    """The one form of a field's value. Raises ValueError naming the field, the value and what is allowed."""
    about = ABOUT[name]
    if kind is tuple:
        return _tuple(name, value)
    if kind is bool:
        if not isinstance(value, bool) and value not in (0, 1, "yes", "no"):
            raise ValueError(f"{name} is {_shown(value)}; it must be yes or no.")
        return value in (True, "yes")
    if value in about.options:
        return value
    if about.options and (about.limits is None or isinstance(value, str)):
        allowed = (
            f"one of {', '.join(about.options)}" if about.limits is None else f'"{about.options[0]}" or a number > 0'
        )
        raise ValueError(f"{name} is {_shown(value)}; it must be {allowed}.")
    return _number(name, value, int if kind is int else float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """All environments of one structural causal model; the equations are in `scm`.

    One value an environment where `per_env` says so (`PER_ENV`); a single value is repeated.
    Raises: ValueError naming the field, the value and the allowed range.
    """

    n_samples: int = _is(10_000, "samples", "All environments together; a fifth is held out.", (100, 100_000))
    sigma: tuple[float, ...] = _is((0.1, 1.0), "σ", "Standard deviation of s.", (0.0, 10.0), per_env=True)
    offset: tuple[float, ...] = _is((0.0,), "offset of s", "Mean of s.", (-20.0, 20.0), per_env=True)
    propensity: tuple[float, ...] = _is(
        (0.5,), "P(t = 1)", "Share of the treated; with confounding, at z = 0.", (0.0, 1.0), per_env=True
    )
    interaction: float = _is(
        0.0, "interaction z·s", "Coefficient of z·s in the outcome. Must be 0 where s leaks y.", (-10.0, 10.0)
    )
    effect: float = _is(1.0, "effect", "What treatment adds to the outcome at z = 0.", (-10.0, 10.0))
    heterogeneity: float = _is(
        0.0, "heterogeneity", "The effect of a unit is effect + heterogeneity · z.", (-10.0, 10.0)
    )
    leak: float = _is(0.0, "leak of y into s", "s += leak · y: a sensor that sees the outcome.", (-10.0, 10.0))
    noise: float = _is(0.05, "outcome noise", "Standard deviation of ε in y.", (0.0, 10.0))
    dim_causal: int = _is(1, "causal dimensions", "Coordinates of z.", (1, 50))
    dim_spurious: int = _is(1, "spurious dimensions", "Coordinates of s.", (1, 200))
    mixing: Mixing = _is("none", "mixing", "How x is made of z and s.", options=Mixing)
    cause_mean: tuple[float, ...] = _is((0.0,), "mean of z", "Mean of z.", (-10.0, 10.0), per_env=True)
    cause_scale: tuple[float, ...] = _is((1.0,), "spread of z", "Standard deviation of z.", (0.0, 10.0), per_env=True)
    confounding: float = _is(0.0, "confounding", "t ~ Bernoulli(sigmoid(logit(pₑ) + confounding · z)).", (-10.0, 10.0))
    env_weight: tuple[float, ...] = _is(
        (1.0,), "weight", "Rows of an environment, relative to the others.", (0.001, 1.0), per_env=True, young=True
    )
    shared_units: int = _is(
        0, "shared units", "Units seen in every environment, with the same z.", (0, 10_000), young=True
    )

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "sigma", _tuple("sigma", self.sigma))
        if not 1 <= self.n_envs <= MAX_ENVS:
            raise ValueError(f"sigma has {self.n_envs} values; give one an environment, 1 to {MAX_ENVS}.")
        for item in fields(self):
            value = _checked(item.name, getattr(self, item.name), type(item.default))
            if item.name in PER_ENV:
                if item.name == "env_weight" and len(set(value)) == 1:  # only their ratios matter
                    value = (1.0,)
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
        values: dict[str, Any] = {name: grown(getattr(self, name)) for name in PER_ENV}
        values["sigma"] = self.sigma[:n_envs] + _GROWN_SIGMA[self.n_envs : n_envs]
        values["offset"] = self.offset[:n_envs] + between
        return _replace(self, **values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How the λ path of CFRNets is trained: M = len(lams) × replicates models in one batched ensemble.

    Replicate r uses seed + r for its data, split, initial weights and minibatch order; all λ of a replicate share them.
    Raises: ValueError naming the field, the value and the allowed range.
    """

    lams: tuple[float, ...] = _is(DEFAULT_LAMS, "λ grid", "Ascending, without repeats.", (0.0, 10_000.0))
    replicates: int = _is(  # 3 is the smallest number that shows a spread
        3,
        "replicates",
        "The whole path again with other data and other initial weights; bands show their spread.",
        (1, 20),
    )
    epochs: int = _is(50, "epochs", "Passes over the training rows.", (1, 1000))
    batch_size: int = _is(128, "batch size", "Rows in a gradient step.", (8, 4096))
    learning_rate: float = _is(1e-3, "learning rate", "Step size of Adam.", (1e-6, 1.0))
    hidden: int = _is(64, "hidden units", "Units of an encoder layer; a head has half as many.", (4, 512))
    latent_dim: int = _is(16, "latent dimensions", "Dimensions of the representation φ.", (2, 128))
    penalty: Penalty = _is("mmd", "penalty", "What is made small, besides the factual error.", options=Penalty)
    align: Align = _is(  # "treatment" penalises φ(t=0) against φ(t=1), as Shalit et al. (2017) do
        "environment",
        "aligned groups",
        "What the penalty pulls together: the environments, or treated and untreated units.",
        options=Align,
    )
    bandwidth: Bandwidth = _is(
        "median",
        "bandwidth",
        "Width of the penalty's kernel; “median”: the median distance between rows.",
        (1e-3, 1e3),
        options=Literal["median"],
    )
    matching: Matching = _is(
        "shared", "matching", "Which rows are a pair for the contrastive penalty.", options=Matching, young=True
    )
    balanced: bool = _is(False, "balanced batches", "Whether every batch holds as many rows of each group.", young=True)
    seed: int = _is(0, "seed", "Determines data, split, initial weights and batches.", (0, 2**31 - 1))
    device: Device = _is("auto", "device", "Where it is computed; changes no key.", options=Device)

    def __post_init__(self) -> None:
        put = object.__setattr__
        for item in fields(self):
            put(self, item.name, _checked(item.name, getattr(self, item.name), type(item.default)))
        if not N_LAMS[0] <= len(self.lams) <= N_LAMS[1]:
            n = len(self.lams)
            raise ValueError(f"lams has {n} values; give {N_LAMS[0]} to {N_LAMS[1]}, e.g. (0.0, 0.1, 1.0).")
        put(self, "lams", tuple(sorted(set(self.lams))))
        if self.n_models > MAX_MODELS:
            raise ValueError(
                f"{len(self.lams)} λ × {self.replicates} replicates are {self.n_models} models; at most {MAX_MODELS} "
                f"fit. "
                "Use fewer replicates."
            )

    @property
    def n_models(self) -> int:
        return len(self.lams) * self.replicates


PARTS: Mapping[Literal["scenario", "training"], type] = {"scenario": Scenario, "training": Training}
ABOUT: Mapping[str, About] = {item.name: item.metadata["about"] for part in PARTS.values() for item in fields(part)}
LIMITS: Mapping[str, tuple[float, float]] = {name: about.limits for name, about in ABOUT.items() if about.limits}
PER_ENV = tuple(name for name, about in ABOUT.items() if about.per_env)


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
            values = {item.name: getattr(config, item.name) for item in fields(config) if not _silent(config, item)}
            return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

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
            content = json.loads(text.removeprefix("\ufeff"))  # the byte-order mark of a file read as UTF-8
        except ValueError as error:
            raise ValueError(f"the config is not JSON ({error}); give what `RunConfig.to_json` wrote.") from None
        return cls.from_dict(content)


def _silent(config: Scenario | Training, item: Field[Any]) -> bool:
    value = getattr(config, item.name)
    value = tuple(set(value)) if isinstance(value, tuple) else value
    return ABOUT[item.name].young and bool(value == item.default)


def _fields(where: str, content: Any, known: set[str]) -> dict[str, Any]:
    if not isinstance(content, Mapping):
        raise ValueError(
            f"{where} is {_shown(content)}; it must be an object with the fields {', '.join(sorted(known))}."
        )
    unknown = sorted(str(name) for name in content if name not in known)
    if unknown:
        raise ValueError(f"{where} has no field {', '.join(unknown)}; its fields are {', '.join(sorted(known))}.")
    return dict(content)
