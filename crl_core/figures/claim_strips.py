"""A claim's measurement in a line of HTML: a dot a replicate, the median, the threshold, the side where it is true."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import isfinite

from crl_core.figures.axes import interval, log_interval, share_of, span
from crl_core.figures.palette import Palette

_DECADES = 1.3  # a spread of more than 20 times is shown on a log scale
_LOG_ROOM = 0.12  # decades left free at its ends
_ROWS = 5  # dots are laid out in so many rows, so that equal values are seen beside each other

CSS = """
<style>
.crl-strip { position: relative; height: 3.9rem; min-width: 12rem; }
.crl-strip .track { position: absolute; left: 0; right: 0; top: 0; height: 2.6rem; border-radius: 4px;
  border: 1px solid var(--hairline); overflow: hidden; }
.crl-strip .side { position: absolute; top: 0; bottom: 0; opacity: .13; }
.crl-strip .line { position: absolute; top: 0; height: 2.6rem; border-left: 1.5px dashed; }
.crl-strip .interval { position: absolute; top: 1.17rem; height: .34rem; border-radius: 2px; opacity: .4;
  min-width: 2px; }
.crl-strip .median { position: absolute; top: .6rem; height: 1.45rem; width: 2px; margin-left: -1px; }
.crl-strip .dot { position: absolute; width: .5rem; height: .5rem; margin: -.25rem 0 0 -.25rem; border-radius: 50%;
  border: 1.3px solid; }
.crl-strip .says { position: absolute; top: 2.75rem; font-size: .76rem; white-space: nowrap; }
</style>
"""


def strip(
    values: Sequence[float | None],
    *,
    median: float | None,
    interval: Sequence[float | None],
    threshold: float,
    holds_if: str,
    label: str,
    colours: Palette,
) -> str:
    """The line as HTML (with `CSS` on the page once). None is a value that is not finite: drawn at the losing edge."""
    known = [value for value in values if value is not None and isfinite(value)]
    at, ends = _scale([*known, threshold])
    worst = 1.0 if holds_if == "below" else 0.0
    line = at(threshold)
    left, width = (0.0, line) if holds_if == "below" else (line, 1 - line)
    parts = [
        '<div class="crl-strip" role="img" '
        f'aria-label="{escape(_spoken(values, median, threshold, holds_if, label))}"><div class="track"><i '
        f'class="side" style="left:{_share(left)};width:{_share(width)};background:{colours["text"]}"></i></div>',
        f'<i class="line" style="left:{_share(line)};border-color:{colours["muted"]}"></i>',
    ]
    low, high = (worst if end is None else at(end) for end in (*interval,)[:2])
    parts.append(
        '<i class="interval" '
        f'style="left:{_share(low)};width:{_share(max(0.0, high - low))};background:{colours["text"]}"></i>'
    )
    middle = worst if median is None else at(median)
    parts.append(f'<i class="median" style="left:{_share(middle)};background:{colours["text"]}"></i>')
    for seed, value in enumerate(values):
        broken = value is None or not isfinite(value)
        x = worst if broken else at(float(value))  # type: ignore[arg-type]
        y = 0.4 + 1.8 * (seed % _ROWS + 0.5) / _ROWS
        colour = colours["bad"] if broken else colours["text"]
        words = f"replicate {seed + 1}: {'not finite, a model broke' if broken else number(value)}"
        parts.append(
            f'<i class="dot" title="{words}" style="left:{_share(x)};top:{y:.2f}rem;border-color:{colour};'
            f'background:{colours["panel"]}"></i>'
        )
    claimed = f"← claimed: below {threshold:g}" if holds_if == "below" else f"claimed: above {threshold:g} →"
    place = f"left:{_share(line)};transform:translateX(-{100 * line:.0f}%)"
    parts.append(f'<span class="says" style="{place};color:{colours["muted"]}">{claimed}</span>')
    for x, words in ((0.0, ends[0]), (1.0, ends[1])):
        if abs(x - line) > 0.33:
            side = "left:0" if x == 0 else "right:0"
            parts.append(f'<span class="says" style="{side};color:{colours["muted"]}">{words}</span>')
    return "".join([*parts, "</div>"])


def _scale(shown: Sequence[float]):  # type: ignore[no-untyped-def]
    """A map onto 0 .. 1 that leaves room at both ends, and the words at the ends."""
    low, high = span(shown)
    if low > 0 and high / low > 10**_DECADES:
        ends = log_interval(low / 10**_LOG_ROOM, high * 10**_LOG_ROOM)
        return (lambda v: share_of(v, ends, log=True)), (number(ends[0]), f"{number(ends[1])}, log scale")
    room = 0.08 * (high - low)
    ends = interval(0.0 if low >= 0 and low < 0.5 * high else low - room, high + room)
    return (lambda v: share_of(v, ends)), (number(ends[0]), number(ends[1]))


def _share(value: float) -> str:
    return f"{100 * value:.2f}%"


def number(value: float | None) -> str:
    """Three digits; a dash for none."""
    return "–" if value is None or not isfinite(value) else f"{value:.3g}"


def _spoken(values: Sequence[float | None], median: float | None, threshold: float, holds_if: str, label: str) -> str:
    return f"{label}: median {number(median)} over {len(values)} replicates; claimed {holds_if} {threshold:g}"
