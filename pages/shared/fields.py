"""The sidebar as plain values: which fields there are, what a config looks like in them, and back.

A field's name is at once its widget's key and its name in the URL. Fields that come once an environment carry the
environment's number, from 1: sigma1, sigma2, ... Whatever the widgets cannot say goes into `set`, written as on the
command line ("training.hidden=32 scenario.cause_mean=1,-1"), so every config has a place in the sidebar and in the URL.
Nothing here imports Streamlit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from crl_core.config import LIMITS, MAX_ENVS, RunConfig, Scenario, Training
from crl_core.presets import DEFAULT_PRESET, PRESETS

Value = int | float | str
Part = Literal["scenario", "training"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of the sidebar. `low` and `high` are what its widget allows, within the limits of `config`."""

    name: str
    label: str
    part: Part
    attribute: str  # of Scenario or Training
    low: float = 0.0
    high: float = 0.0
    step: float = 1.0
    whole: bool = False
    options: tuple[str, ...] = ()
    help: str = ""

    def allows(self, value: Any) -> bool:
        if self.options:
            return value in self.options
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return self.low <= value <= self.high and (not self.whole or value == int(value))

    @property
    def allowed(self) -> str:
        if self.options:
            return " or ".join(self.options)
        return f"{'a whole number' if self.whole else 'a number'} from {self.low:g} to {self.high:g}"


def _limited(name: str, attribute: str, label: str, part: Part, step: float, help: str, whole: bool = False) -> Field:
    low, high = LIMITS[attribute]
    return Field(
        name=name, label=label, part=part, attribute=attribute, low=low, high=high, step=step, whole=whole, help=help
    )


SIGMA = Field(name="sigma", label="σ", part="scenario", attribute="sigma", low=0.0, high=3.0, step=0.05)
PROPENSITY = Field(
    name="propensity", label="P(t = 1)", part="scenario", attribute="propensity", low=0.0, high=1.0, step=0.05
)
OFFSET = Field(name="offset", label="offset", part="scenario", attribute="offset", low=-20.0, high=20.0, step=0.5)
PER_ENV = (SIGMA, PROPENSITY, OFFSET)

SINGLE = (
    _limited("epochs", "epochs", "Epochs", "training", 10, "Passes over the training rows.", whole=True),
    _limited("interaction", "interaction", "Interaction z·s", "scenario", 0.1,
             "Coefficient of z·s in the outcome. Must be 0 where s leaks y."),
    _limited("heterogeneity", "heterogeneity", "Heterogeneity", "scenario", 0.1,
             "The effect of a unit is effect + heterogeneity · z."),
    _limited("leak", "leak", "Leak of y into s", "scenario", 0.1, "s += leak · y: a sensor that sees the outcome."),
    _limited("noise", "noise", "Outcome noise", "scenario", 0.05, "Standard deviation of ε in y."),
    _limited("samples", "n_samples", "Samples", "scenario", 1000, "All environments together; a fifth is held out.",
             whole=True),
    _limited("batch", "batch_size", "Batch size", "training", 32, "Rows in a gradient step.", whole=True),
    _limited("replicates", "replicates", "Replicates", "training", 1,
             "The whole path again with other data and other initial weights; bands show their spread.", whole=True),
    _limited("seed", "seed", "Seed", "training", 1, "Determines data, split, initial weights and batches.", whole=True),
    Field(name="align", label="Align", part="training", attribute="align", options=("environment", "treatment"),
          help="What the penalty pulls together: the environments, or treated and untreated units."),
)  # fmt: skip
BY_NAME = {field.name: field for field in SINGLE}
SET = "set"
DEFAULT_LAM = 1.0  # the λ in view of a first visit is the grid's nearest to it


def per_env_name(field: Field, env: int) -> str:
    """Name of the field of environment `env`, counted from 0 in code and from 1 on screen."""
    return f"{field.name}{env + 1}"


def field_of(name: str) -> Field | None:
    """The field behind a name of the URL, or None."""
    if name in BY_NAME:
        return BY_NAME[name]
    for field in PER_ENV:
        digits = name.removeprefix(field.name)
        if digits != name and digits.isdecimal() and digits[0] != "0" and int(digits) <= MAX_ENVS:
            return field
    return None


def defaults(preset_id: str, n_envs: int | None = None) -> dict[str, Value]:
    """Values of all fields for a preset, grown or shrunk to `n_envs` environments."""
    config = PRESETS[preset_id].config
    if n_envs is not None:
        config = replace(config, scenario=config.scenario.with_envs(n_envs))
    return values_of(config)


def values_of(config: RunConfig) -> dict[str, Value]:
    """What the fields show for `config`, `set` left empty."""
    values: dict[str, Value] = {"envs": config.scenario.n_envs}
    for field in PER_ENV:
        for env, value in enumerate(getattr(config.scenario, field.attribute)):
            values[per_env_name(field, env)] = value
    for field in SINGLE:
        values[field.name] = getattr(getattr(config, field.part), field.attribute)
    return values | {SET: ""}


def build(preset_id: str, values: Mapping[str, Any]) -> RunConfig:
    """The config that the fields say. Missing values are the preset's. Raises ValueError with one clear sentence."""
    base = PRESETS[preset_id].config
    scenario, changes = base.scenario.with_envs(int(values.get("envs", base.scenario.n_envs))), _Changes()
    for field in PER_ENV:
        old = getattr(scenario, field.attribute)
        changes.scenario[field.attribute] = tuple(
            values.get(per_env_name(field, env), value) for env, value in enumerate(old)
        )
    for field in SINGLE:
        if field.name in values:
            getattr(changes, field.part)[field.attribute] = values[field.name]
    for part, attribute, value in overrides(str(values.get(SET) or "")):
        getattr(changes, part)[attribute] = value
    return RunConfig(
        scenario=replace(scenario, **changes.scenario), training=replace(base.training, **changes.training)
    )


class _Changes:
    def __init__(self) -> None:
        self.scenario: dict[str, Any] = {}
        self.training: dict[str, Any] = {}


def overrides(text: str) -> Iterator[tuple[Part, str, Any]]:
    """Read "part.field=value ..." as the command line does. Raises ValueError naming what is wrong."""
    known: dict[Part, set[str]] = {
        "scenario": {f.name for f in fields(Scenario)},
        "training": {f.name for f in fields(Training)} - {"device"},
    }
    for word in text.replace(";", " ").split():
        name, equals, value = word.partition("=")
        part, _, attribute = name.partition(".")
        if not equals or part not in known or attribute not in known[part]:  # type: ignore[index]
            raise ValueError(
                f"“More settings” has {word[:40]!r}; write scenario.field=value or training.field=value, "
                "e.g. training.hidden=32 or training.lams=0,0.1,1."
            )
        yield part, attribute, _parsed(value)  # type: ignore[misc]


def _parsed(text: str) -> Any:
    def parsed(word: str) -> Any:
        for kind in (int, float):
            try:
                return kind(word)
            except ValueError:
                pass
        return word

    words = text.split(",")
    return parsed(text) if len(words) == 1 else tuple(parsed(word) for word in words if word)


def describe(config: RunConfig) -> tuple[str, dict[str, Value]]:
    """The preset and the values that give `config`: of all presets the one that needs the shortest `set`, then the
    fewest changed fields. `build(*describe(config))` is `config` again, the device apart."""
    candidates = []
    for preset_id in PRESETS:
        values = values_of(config)
        start = build(preset_id, {name: value for name, value in values.items() if _fits(name, value)})
        said = _said(start, config)
        shown = defaults(preset_id, config.scenario.n_envs)
        kept = {name: value if _fits(name, value) else shown[name] for name, value in values.items()}
        changed = sum(kept[name] != value for name, value in defaults(preset_id).items() if name in kept)
        kept[SET] = said
        candidates.append((len(said), changed, preset_id != DEFAULT_PRESET, preset_id, kept))
    best = min(candidates, key=lambda item: item[:3])
    return best[3], best[4]


def _fits(name: str, value: Any) -> bool:
    field = field_of(name)
    return field is None or field.allows(value)


def _said(start: RunConfig, goal: RunConfig) -> str:
    """What `set` has to say to lead from one config to the other."""
    words = []
    for part in ("scenario", "training"):
        here, there = getattr(start, part), getattr(goal, part)
        for field in fields(here):
            value = getattr(there, field.name)
            if field.name != "device" and getattr(here, field.name) != value:
                text = ",".join(map(_short, value)) if isinstance(value, tuple) else _short(value)
                words.append(f"{part}.{field.name}={text}")
    return " ".join(words)


def _short(value: Any) -> str:
    """The shortest text that reads back as the same value."""
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def lam_text(lam: float) -> str:
    """λ as the screen and the URL write it."""
    return _short(float(lam))


def nearest_lam(lams: tuple[float, ...], lam: float) -> float:
    """The grid's value nearest to `lam` on the slider's scale, where 0 sits a decade below the smallest positive
    one."""
    from math import log10

    floor = min((value for value in lams if value > 0), default=1.0) / 10
    return min(lams, key=lambda value: abs(log10(max(value, floor)) - log10(max(lam, floor))))


def mend(params: Mapping[str, str]) -> tuple[dict[str, Value], list[str]]:
    """What of a link cannot be shown as it is: the values to show instead, and a sentence for each.

    params: name -> text, as the URL has them. λ is left to the caller, who knows the grid.
    """
    mended: dict[str, Value] = {}
    said: list[str] = []
    preset_id = params.get("preset", DEFAULT_PRESET)
    if preset_id not in PRESETS:
        said.append(
            f"The link asks for preset “{preset_id[:40]}”; there are {', '.join(PRESETS)}. Shown: {DEFAULT_PRESET}."
        )
        preset_id = mended["preset"] = DEFAULT_PRESET
    n_envs: int | None = None
    if "envs" in params:
        asked = number(params["envs"])
        if asked is None or not 1 <= asked <= MAX_ENVS or asked != int(asked):
            n_envs = PRESETS[preset_id].config.scenario.n_envs
            said.append(
                f"The link asks for {params['envs'][:20]} environments; 1 to {MAX_ENVS} are possible. Shown: {n_envs}."
            )
            mended["envs"] = n_envs
        else:
            n_envs = int(asked)
    shown = defaults(preset_id, n_envs)
    for name, text in params.items():
        field = field_of(name)
        if field is None or name not in shown:
            continue
        value: Any = text if field.options else number(text)
        if value is not None and field.whole and not isinstance(value, str) and field.low <= value <= field.high:
            if value != int(value):
                mended[name] = int(value)
                said.append(f"The link has {name} = {text[:20]}; it must be {field.allowed}. Shown: {int(value)}.")
        elif not field.allows(value):
            mended[name] = shown[name]
            said.append(f"The link has {name} = {text[:20]}; it must be {field.allowed}. Shown: {_short(shown[name])}.")
    if SET in params:
        try:
            build(preset_id, shown | {SET: params[SET]})
        except ValueError as error:
            said.append(f"The link's further settings were left out: {error}")
            mended[SET] = ""
    return mended, said


def number(text: str) -> float | None:
    """The finite number that a text of the URL holds, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value == value and abs(value) != float("inf") else None
