"""Fields of a config: what is known of each stands beside it, and its value is checked by that.

Before: what runs did before there was a field; where it has this value it is left out of the JSON, so older keys stay.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar, get_args

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is known of a field of a config beside its name, type and default: written once, where the field is."""

    word: str  # what it is called on screen
    help: str
    limits: tuple[float, float] | None  # of a number
    options: tuple[str, ...]  # of a word
    per_env: bool  # one value an environment
    before: Any  # the value that stands for what runs did before there was this field; MISSING: the first had it

    @property
    def young(self) -> bool:
        return self.before is not MISSING


def described(
    default: T,
    word: str,
    help: str,
    limits: tuple[float, float] | None = None,
    *,
    options: Any = None,
    per_env: bool = False,
    before: Any = MISSING,
) -> T:
    """A field with all that is known of it; `options` is a Literal."""
    about = About(word=word, help=help, limits=limits, options=get_args(options), per_env=per_env, before=before)
    return field(default=default, metadata={"about": about})


def about_of(item: Field[Any]) -> About:
    """What stands beside a field."""
    about: About = item.metadata["about"]
    return about


def shown(value: object) -> str:
    """A value in a message."""
    text = f"{value:g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _number(item: Field[Any], value: Any, kind: type[float] | type[int]) -> Any:
    name, limits = item.name, about_of(item).limits
    assert limits is not None
    low, high = limits
    allowed = f"{name} must be {'a whole number' if kind is int else 'a number'} from {low:.10g} to {high:.10g}"
    if isinstance(value, bool) or (not isinstance(value, (int, float)) and not hasattr(value, "__float__")):
        raise ValueError(f"{name} is {shown(value)}; {allowed}.")
    try:
        number = float(value)
    except OverflowError:  # a whole number of more digits than a float can hold
        number = math.inf
    if not math.isfinite(number) or not low <= number <= high or (kind is int and number != int(number)):
        raise ValueError(f"{name} is {shown(number)}; {allowed}.")
    return int(number) if kind is int else number + 0.0  # + 0.0 turns -0.0 into 0.0


def _words(item: Field[Any], value: Any) -> tuple[str, ...]:
    """A list of an option's words, each at most once."""
    words = tuple(value.split(",")) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else ()
    options = about_of(item).options
    if not words or any(word not in options for word in words) or len(set(words)) < len(words):
        raise ValueError(f"{item.name} is {shown(value)}; give one or more of {', '.join(options)}, each once.")
    return words


def _tuple(item: Field[Any], value: Any) -> tuple[float, ...]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = (value,)
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise ValueError(f"{item.name} is {shown(value)}; give a list of numbers, e.g. (0.1, 1.0).")
    return tuple(_number(item, one, float) for one in value)


def checked(item: Field[Any], value: Any) -> Any:
    """The one form of a field's value. Raises ValueError naming the field, the value and what is allowed."""
    name, about = item.name, about_of(item)
    kind: type = type(item.default)
    if kind is tuple:
        return _words(item, value) if about.options else _tuple(item, value)
    if kind is bool:
        if not isinstance(value, bool) and value not in (0, 1, "yes", "no"):
            raise ValueError(f"{name} is {shown(value)}; it must be yes or no.")
        return value in (True, "yes")
    if value in about.options:
        return value
    if about.options and (about.limits is None or isinstance(value, str)):
        allowed = (
            f"one of {', '.join(about.options)}" if about.limits is None else f'"{about.options[0]}" or a number > 0'
        )
        raise ValueError(f"{name} is {shown(value)}; it must be {allowed}.")
    return _number(item, value, int if kind is int else float)


def plain(config: DataclassInstance) -> dict[str, Any]:
    """The fields by name as JSON has them, without the young ones that stand as before."""
    values = {item.name: getattr(config, item.name) for item in fields(config) if not _silent(config, item)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _silent(config: DataclassInstance, item: Field[Any]) -> bool:
    value = getattr(config, item.name)
    value = tuple(set(value)) if isinstance(value, tuple) else value
    return bool(value == about_of(item).before)


def known_fields(where: str, content: Any, known: set[str]) -> dict[str, Any]:
    """`content` as a dict. Raises ValueError unless it is an object with no other fields than `known`."""
    if not isinstance(content, Mapping):
        raise ValueError(
            f"{where} is {shown(content)}; it must be an object with the fields {', '.join(sorted(known))}."
        )
    unknown = sorted(str(name) for name in content if name not in known)
    if unknown:
        raise ValueError(f"{where} has no field {', '.join(unknown)}; its fields are {', '.join(sorted(known))}.")
    return dict(content)
