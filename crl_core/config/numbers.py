"""Numbers as people write them: understood where unambiguous, refused with both readings where there are two."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from itertools import pairwise

from crl_core.config.run import ABOUT, LIMITS


def plain_value(word: str) -> int | float | str:
    """The number that Python writes so, or the word itself."""
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            pass
    return word


class NotANumber(ValueError):
    """The text holds no number at all."""


# What a keyboard or a typesetter writes for a minus; and full-width characters, which stand for those of ASCII.
_PLAIN: dict[int, str | int] = {ord(sign): "-" for sign in "\u2010\u2011\u2012\u2013\u2212\ufe63"}
_PLAIN |= {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_SPACES = " \u00a0\u2007\u2008\u2009\u202f"  # no-break, figure, punctuation, thin, narrow no-break
_MARK = "['\u2019]"  # groups digits in Switzerland


def tidy(text: str) -> str:
    """Text with the minus and the digits that a keyboard has, and without typeset spaces that group digits."""
    text = re.sub(rf"(?<=\d)[{_SPACES[1:]}](?=\d{{3}}(?!\d))", "", text.translate(_PLAIN))
    return re.sub(rf"(?<=[\d.])[{_SPACES[1:]}](?=%)", "", text)


def number(text: str, field: str | None = None, *, unit: str = "", whole: bool = False) -> int | float:
    """The number that a person wrote: a decimal comma, grouped digits, a true minus, a per cent of a share, and a unit
    behind it are understood; of a field this is its own word.

    unit:   further words that may stand behind the number, apart by spaces.
    whole:  only a whole number is one; of a field its limits say so.
    Raises: NotANumber where there is none; ValueError naming both readings where there are two.
    The browser reads a typed number in the same way: `pages/shared/number_fields.js`.
    """
    plain = tidy(text).strip()
    words = set(unit.split())
    if field is not None:
        words |= {field, ABOUT[field].word, *ABOUT[field].word.split()}
        whole = whole or isinstance(LIMITS[field][0], int)
    if words:
        said = "|".join(re.escape(word) for word in words)
        plain = re.sub(rf"(?<=[\d.])[{_SPACES}]*(?:{said})$", "", plain, flags=re.IGNORECASE)
    if plain.endswith("%"):
        share = number(plain[:-1]) / 100
        if field is None or LIMITS[field] != (0.0, 1.0):
            raise ValueError(_two(text, f"{share:g}", f"{100 * share:g}"))
        return share
    for decimal, group in (".,", ",."):
        if re.fullmatch(rf"[+-]?[1-9]\d{{0,2}}(\{group}\d{{3}})+\{decimal}\d+", plain) or re.fullmatch(
            rf"[+-]?[1-9]\d{{0,2}}(\{group}\d{{3}}){{2,}}", plain
        ):
            plain = plain.replace(group, "").replace(decimal, ".")  # both marks, or one more than once
    if re.fullmatch(rf"[+-]?[1-9]\d{{0,2}}(({_MARK}\d{{3}})+|([{_SPACES}]\d{{3}})+)([.,]\d+)?", plain):
        plain = re.sub(rf"{_MARK}|[{_SPACES}]", "", plain)
    # A point before three digits groups thousands in half of the world; before a last 0 nobody else would write it.
    point = r"\.\d{3}" if whole else r"\.\d\d0"
    if re.fullmatch(rf"[+-]?[1-9]\d{{0,2}}(,\d{{3}}|{point})", plain):
        one, other = f"{float(plain.replace(',', '.')):g}", re.sub("[.,]", "", plain)
        raise ValueError(_two(text, plain.replace(",", ".") if "," in plain else one, other, f"{one} or {other}"))
    if re.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+)?", plain):
        plain = plain.replace(",", ".")
    value = plain_value(plain)
    if isinstance(value, str) or "_" in plain:
        raise NotANumber(f"“{text[:40]}” is no number; write one as 0.5, 10000 or 1e-3.")
    if whole and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def numbers(text: str, field: str | None = None) -> list[int | float]:
    """The numbers between which commas stand, as the program writes a list. Raises as `number` does."""
    words = [word.strip() for word in tidy(text).split(",") if word.strip()]
    for one, other in pairwise(words):
        if re.fullmatch(r"0\d\d", other):  # nobody writes a number so that stands by itself
            raise ValueError(_two(f"{one},{other}", f"{one}{other}", f"{one}.{other}"))
    return [number(word, field) for word in words]


def _two(text: str, one: str, other: str, ways: str = "") -> str:
    return f"“{text.strip()[:40]}” can be read as {one} or as {other}; write {ways or f'{one} or {other}'}."


# -- as options of a command line --------------------------------------------------------------------------------------


def option(
    field: str | None = None, *, unit: str = "", whole: bool = False, several: bool = False
) -> Callable[[str], int | float]:
    """Reads an option's number, as argparse's `type`, which tells why one cannot be read.

    several: the option takes more than one, so that a comma may stand between two of them or in one.
    """

    def read(text: str) -> int | float:
        try:
            if several and re.fullmatch(r"[+-]?\d+,[+-]?\d+", tidy(text).strip()):
                one, other = (tidy(text).strip().replace(",", mark) for mark in ". ")
                raise ValueError(_two(text, one, f"{other}, two numbers", f"{one} or {other}"))
            value = number(text, field, unit=unit, whole=whole)
        except NotANumber:
            what = f"number of {unit.split()[0]}" if unit else "number"
            raise argparse.ArgumentTypeError(f"invalid {what} value: {text!r}") from None
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        if (whole or field is None) and not math.isfinite(value):  # of a field, the config says what is allowed
            raise argparse.ArgumentTypeError(f"“{text[:40]}” is no finite number")
        if whole and not isinstance(value, int):
            raise argparse.ArgumentTypeError(f"“{text[:40]}” is no whole number; write one, e.g. {round(value)}")
        return value

    return read
