"""The sidebar as plain values: which fields there are, what a config looks like in them, and back.

A field's name is at once its widget's key and its name in the URL. Fields that come once an environment carry the
environment's number, from 1: sigma1, sigma2, ... Whatever the widgets cannot say goes into `set`, written as on the
command line ("training.hidden=32 scenario.cause_mean=1,-1"), so every config has a place in the sidebar and in the URL.
Nothing here imports Streamlit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crl_core.config import ABOUT, LIMITS, MAX_ENVS, RunConfig, numbers
from crl_core.config.numbers import tidy
from crl_core.config.presets import DEFAULT_PRESET, PRESETS
from crl_core.config.text import N_ENVS, PART_OF, Part, altered, imagined, nearest, read, written

Value = int | float | str


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the sidebar; its meaning and limits are in `config`. `high`: where a slider ends sooner."""

    name: str
    attribute: str  # of Scenario or Training
    step: float = 1.0
    high: float = math.inf

    @property
    def part(self) -> Part:
        return PART_OF[self.attribute]

    @property
    def label(self) -> str:
        word = ABOUT[self.attribute].word
        return word[0].upper() + word[1:]

    @property
    def help(self) -> str:
        return ABOUT[self.attribute].help

    @property
    def options(self) -> tuple[str, ...]:
        return ABOUT[self.attribute].options

    @property
    def range(self) -> tuple[float, float]:
        low, high = LIMITS[self.attribute]
        return low, min(high, self.high)

    @property
    def whole(self) -> bool:
        return not self.options and isinstance(LIMITS[self.attribute][0], int)

    def allows(self, value: Any) -> bool:
        if self.options:
            return value in self.options
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return self.range[0] <= value <= self.range[1] and (not self.whole or value == int(value))

    @property
    def allowed(self) -> str:
        if self.options:
            return " or ".join(self.options)
        return f"{'a whole number' if self.whole else 'a number'} from {self.range[0]:.10g} to {self.range[1]:.10g}"


SIGMA = Field("sigma", "sigma", step=0.05, high=3.0)
PROPENSITY = Field("propensity", "propensity", step=0.05)
OFFSET = Field("offset", "offset", step=0.5)
PER_ENV = (SIGMA, PROPENSITY, OFFSET)

SINGLE = (
    Field("epochs", "epochs", step=10),
    Field("interaction", "interaction", step=0.1),
    Field("heterogeneity", "heterogeneity", step=0.1),
    Field("leak", "leak", step=0.1),
    Field("noise", "noise", step=0.05),
    Field("samples", "n_samples", step=1000),
    Field("batch", "batch_size", step=32),
    Field("replicates", "replicates"),
    Field("seed", "seed"),
    Field("align", "align"),
    Field("penalty", "penalty"),
    Field("encoder", "encoder"),  # drawn only where x is a signal; see `reads_signals`
)
BY_NAME = {field.name: field for field in SINGLE}
LAMS = "lams"  # the λ grid, as text; empty where it is the preset's
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
    return values_of(config if n_envs is None else imagined(config, n_envs=n_envs) or config)


def values_of(config: RunConfig) -> dict[str, Value]:
    """What the fields show for `config`; `lams` and `set` left empty."""
    values: dict[str, Value] = {"envs": config.scenario.n_envs}
    for field in PER_ENV:
        for env, value in enumerate(getattr(config.scenario, field.attribute)):
            values[per_env_name(field, env)] = value
    for field in SINGLE:
        values[field.name] = getattr(getattr(config, field.part), field.attribute)
    return values | {LAMS: "", SET: ""}


def build(preset_id: str, values: Mapping[str, Any]) -> RunConfig:
    """The config of the fields' values. Missing values are the preset's. Raises ValueError with one sentence."""
    base = PRESETS[preset_id].config
    grown = base.scenario.grown(int(values.get("envs", base.scenario.n_envs)))
    changed: dict[str, Any] = dict(grown)
    for field in PER_ENV:
        changed[field.attribute] = tuple(
            values.get(per_env_name(field, env), value) for env, value in enumerate(grown[field.attribute])
        )
    for field in SINGLE:
        if field.name in values:
            changed[field.attribute] = values[field.name]
    changed |= dict(_further(values))
    return altered(base, **changed)


def _further(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What the fields for text ask for, the last word last. Raises ValueError with one sentence."""
    text = str(values.get(LAMS) or "")
    if text.strip():
        try:
            yield LAMS, lams_of(text)
        except ValueError as error:
            raise ValueError(f"“λ grid”: {error}") from None
    yield from overrides(str(values.get(SET) or ""))


def reads_signals(preset_id: str, values: Mapping[str, Any]) -> bool:
    """Whether x is a signal with these values, so that there are encoders to choose from; the preset's where they
    contradict each other."""
    try:
        return build(preset_id, {**values, "encoder": "mlp"}).of_signals
    except ValueError:
        return PRESETS[preset_id].config.of_signals


def overrides(text: str) -> Iterator[tuple[str, Any]]:
    """Read "part.field=value ..." as the command line does. Raises ValueError naming what is wrong."""
    for word in tidy(text).replace(";", " ").split():
        try:
            _, attribute, value = read(word)
        except ValueError as error:
            raise ValueError(f"“More settings”: {error}") from None
        if attribute == "device":
            raise ValueError("“More settings”: where a run is computed is no setting of it; leave training.device out.")
        yield attribute, value


def grid(preset_id: str, values: Mapping[str, Any]) -> tuple[float, ...]:
    """The λ that a preset has with these values; its own where they cannot be read."""
    own = PRESETS[preset_id].config.training
    try:
        asked = [value for attribute, value in _further(values) if attribute == LAMS]
    except ValueError:
        return own.lams
    found = imagined(own, replicates=1, lams=asked[-1]) if asked else None
    return own.lams if found is None else found.lams


def describe(config: RunConfig) -> tuple[str, dict[str, Value]]:
    """The nearest preset and the values that give `config`; what no widget can show goes into `set`.

    Raises: ValueError for a table, which no widget describes.
    """
    preset_id, changed = nearest(config)
    if config.table is not None:
        raise ValueError(f"the sidebar sets scenarios; this run's rows come from the {preset_id}.")
    own, shown = values_of(config), defaults(preset_id, config.scenario.n_envs)
    told = []
    for change in changed:
        if change.name == LAMS:
            shown[LAMS] = change.assignment.partition("=")[2]
            continue
        held = {name: field for name in own if (field := field_of(name)) and field.attribute == change.name}
        fits = [name for name, field in held.items() if field.allows(own[name])]
        shown |= {name: own[name] for name in fits}
        if change.name != N_ENVS and (len(fits) < len(held) or not held):
            told.append(change.assignment)
    return preset_id, shown | {SET: " ".join(told)}


def lams_of(text: str) -> tuple[float, ...]:
    """The λ of a list as people write it, ascending, each once. Raises ValueError where one cannot be read."""
    return tuple(sorted({float(lam) for lam in numbers.numbers(text, LAMS)}))


def lam_text(lam: float) -> str:
    """λ as the screen and the URL write it."""
    return written(float(lam))


def mend(params: Mapping[str, str]) -> tuple[dict[str, Value], list[str]]:
    """Mend a link: the values to show in place of those that cannot be, and a sentence for each.

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
        try:
            asked = number(params["envs"])
        except ValueError:
            asked = None
        if asked is None or not 1 <= asked <= MAX_ENVS or asked != int(asked):
            n_envs = PRESETS[preset_id].config.scenario.n_envs
            said.append(
                f"The link asks for {params['envs'][:20]} environments; 1 to {MAX_ENVS} are possible. Shown: {n_envs}."
            )
            mended["envs"] = n_envs
        else:
            n_envs = int(asked)
    shown = defaults(preset_id, n_envs)
    kept: dict[str, Value] = {}  # of the link, and allowed
    for name, text in params.items():
        field = field_of(name)
        if field is None or name not in shown:
            continue
        two = ""  # readings of the text, where there are two
        try:
            value: Any = text if field.options else number(text, field.attribute)
        except ValueError as error:
            value, two = None, str(error)
        if field.allows(value):
            kept[name] = int(value) if field.whole else value
            if not field.options and not _is_plain(text):
                mended[name] = kept[name]
                said.append(f"The link has {name} = {text[:20]}, read as {written(kept[name])}.")
            continue
        near = field.whole and value is not None and field.range[0] <= value <= field.range[1]
        mended[name] = int(value) if near else shown[name]
        why = two.removesuffix(".") or f"it must be {field.allowed}"
        said.append(f"The link has {name} = {text[:20]}; {why}. Shown: {written(mended[name])}.")
    if LAMS in params and (error := _problem(preset_id, {LAMS: params[LAMS]})):
        said.append(f"The link's λ grid was left out: {error}")
        mended[LAMS] = ""
    elif LAMS in params:
        kept[LAMS] = params[LAMS]
    if SET in params:
        further = {SET: params[SET]}
        error = _problem(preset_id, shown | kept | further)
        # Where the link's fields contradict each other, the sidebar says so; it is not for `set` to give way.
        if error and (_problem(preset_id, shown | kept) is None or _problem(preset_id, shown | further)):
            said.append(f"The link's further settings were left out: {error}")
            mended[SET] = ""
    return mended, said


def _problem(preset_id: str, values: Mapping[str, Value]) -> str | None:
    try:
        build(preset_id, values)
    except ValueError as error:
        return str(error)
    return None


def _is_plain(text: str) -> bool:
    """Whether a widget reads the text by itself."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def number(text: str, field: str | None = None) -> float | None:
    """The finite number that a text of the URL holds, or None. Raises ValueError where it has two readings."""
    try:
        value = numbers.number(text, field)
    except numbers.NotANumber:
        return None
    return float(value) if math.isfinite(value) else None
