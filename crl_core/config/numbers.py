"""Numbers as people write them: understood where unambiguous, refused with both readings where there are two."""

from __future__ import annotations

import re

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


_SPACES = "\u00a0\u2007\u2009\u202f"  # no-break, figure, thin, narrow no-break


def tidy(text: str) -> str:
    """Text with the minus that a keyboard has, and without spaces that group digits."""
    text = re.sub(rf"(?<=\d)[{_SPACES}](?=\d{{3}}(?!\d))", "", text.replace("\u2212", "-"))
    return re.sub(rf"(?<=[\d.])[{_SPACES}](?=%)", "", text)


def number(text: str, field: str | None = None) -> int | float:
    """The number that a person wrote: a decimal comma, grouped digits, a true minus, a per cent of a share, and the
    field's own word behind it are understood.

    Raises: NotANumber where there is none; ValueError naming both readings where there are two.
    """
    plain = tidy(text).strip()
    if field is not None:
        unit = "|".join(re.escape(word) for word in {field, ABOUT[field].word, *ABOUT[field].word.split()})
        plain = re.sub(rf"(?<=\d)\s*(?:{unit})$", "", plain, flags=re.IGNORECASE)
    if re.fullmatch(r"[+-]?\d{1,3}( \d{3})+([.,]\d+)?", plain):
        plain = plain.replace(" ", "")
    if plain.endswith("%"):
        share = number(plain[:-1]) / 100
        if field is None or LIMITS[field] != (0.0, 1.0):
            raise ValueError(_two(text, f"{share:g}", f"{100 * share:g}"))
        return share
    if re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", plain):
        raise ValueError(_two(text, plain.replace(",", "."), plain.replace(",", "")))
    if field is not None and isinstance(LIMITS[field][0], int) and re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", plain):
        raise ValueError(_two(text, str(int(float(plain))), plain.replace(".", "")))
    if re.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+)?", plain):
        plain = plain.replace(",", ".")
    value = plain_value(plain)
    if isinstance(value, str) or "_" in plain:
        raise NotANumber(f"“{text[:40]}” is no number; write one as 0.5, 10000 or 1e-3.")
    return value


def _two(text: str, one: str, other: str) -> str:
    return f"“{text.strip()[:40]}” can be read as {one} or as {other}; write {one} or {other}."
