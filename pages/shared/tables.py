"""Small tables, charts and notes that several pages lay out alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
import streamlit as st

from crl_core.figures.base import Drawn, written
from crl_core.figures.spoken import spoken

_PHONE = 36  # letters of a table that a phone of 360 pixels has room for
_RANGE = re.compile(r"\[[^\]]*\]")
_CSS = """
<style>
.crl-table { border-collapse: collapse; width: 100%; font-size: .88rem; }
.crl-table th { text-align: right; font-weight: 600; color: var(--quiet); padding: .25rem .7rem .35rem 0;
  border-bottom: 1px solid var(--hairline); }
.crl-table td { font-variant-numeric: tabular-nums; text-align: right; padding: .38rem .7rem .38rem 0;
  border-bottom: 1px solid var(--hairline); vertical-align: top; white-space: nowrap; line-height: 1.4; }
.crl-table tr:last-child td { border-bottom: 0; }
.crl-table th:first-child, .crl-table td:first-child, .crl-table .says { text-align: left; }
.crl-table th:last-child, .crl-table td:last-child { padding-right: 0; }
.crl-table .says { color: var(--quiet); white-space: normal; padding-right: 0; line-height: 1.4; }
.crl-table .strong { font-weight: 650; }
.crl-table td:first-child { white-space: normal; min-width: 5.2rem; }
.crl-table .says { min-width: 10rem; padding-left: .5rem; }
.crl-scroll { overflow-x: auto; container-type: inline-size; }
@container (max-width: 800px) {  /* no room for sentences beside the figures: they go below, over the whole width */
  .worded tr { display: grid; grid-template-columns: minmax(0, 1.6fr) repeat(var(--figures), minmax(0, 1fr));
    padding: .3rem 0 .4rem 0;
    border-bottom: 1px solid var(--hairline); }
  .worded tbody tr:last-child { border-bottom: 0; }
  .worded th, .worded td { border-bottom: 0; padding: .1rem .5rem .1rem 0; white-space: normal; }
  .worded th.says { display: none; }
  .worded td.says { grid-column: 1 / -1; min-width: 0; padding-left: 0; font-size: .94em; }
  .worded th:nth-last-child(2), .worded td:nth-last-child(2) { padding-right: 0; }
}
@container (max-width: 340px) { .crl-table { font-size: .78rem; } .crl-table th, .crl-table td {
  padding-right: .35rem; } }
.crl-say { font-size: .98rem; line-height: 1.5; margin: .15rem 0 0 0; max-width: 62rem; }
@media (max-width: 640px) {
  .crl-table { font-size: .8rem; }
  .carded, .carded tbody, .carded tr { display: block; }  /* a card a row, a line a figure */
  .carded thead { display: none; }  /* each figure says its column */
  .carded tr { padding: .4rem 0; border-bottom: 1px solid var(--hairline); }
  .carded tr:last-child { border-bottom: 0; }
  .carded td { display: flex; justify-content: space-between; gap: 1rem; white-space: normal; border-bottom: 0;
    padding: .1rem 0; }
  .carded td:first-child { font-weight: 650; }
  .carded td:not(:first-child)::before { content: attr(data-of); color: var(--quiet); text-align: left; }
}
</style>
"""


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    words_from: int | None = None,
    strong: int | None = None,
) -> None:
    """A quiet table; on a phone a card a row where it is too wide for one.

    Columns from `words_from` on are sentences; row `strong` is set bold.
    """

    def cell(tag: str, index: int, text: str, bold: bool) -> str:
        says = words_from is not None and index >= words_from
        kind = ' class="says"' if says else ' class="strong"' if bold else ""
        # In a sentence a range does not break in two; a narrow column of figures has to break it.
        whole = _RANGE.sub(lambda found: found[0].replace(" ", "\u00a0"), text) if says else text
        of = f' data-of="{escape(header[index])}"' if tag == "td" and index else ""
        return f"<{tag}{kind}{of}>{escape(whole)}</{tag}>"

    rows = list(rows)
    head = "".join(cell("th", index, text, False) for index, text in enumerate(header))
    body = "".join(
        "<tr>" + "".join(cell("td", index, text, place == strong) for index, text in enumerate(row)) + "</tr>"
        for place, row in enumerate(rows)
    )
    carded = "" if _letters(header, rows) <= _PHONE else " carded"
    worded = carded if words_from is None else f' worded" style="--figures: {words_from - 1}'
    st.html(
        f'{_CSS}<div class="crl-scroll"><table class="crl-table{worded}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _letters(header: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """How many letters wide a table is at least: heads and first cells break between words, figures do not."""

    def longest(text: str) -> int:
        return max((len(word) for word in re.split(r"[\s-]", text)), default=0)

    columns = zip(*rows, strict=True) if rows else [() for _ in header]
    return sum(
        max([longest(head), *(len(cell) if index else longest(cell) for cell in cells)]) + 1
        for index, (head, cells) in enumerate(zip(header, columns, strict=True))
    )


def say(text: str) -> None:
    """The sentence of a page: what the numbers mean here."""
    whole = text.replace("(R² ", "(R²\u00a0")
    st.html(f'{_CSS}<p class="crl-say">{escape(whole)}</p>')


def chart(
    drawn: Any,
    key: str,
    on_tap: Callable[[int], None] | None = None,
    on_place: Callable[[float], None] | None = None,
) -> None:
    """A Plotly figure as it is, with a toolbar that saves it; for who does not see it, a sentence beforehand.

    on_tap:   told the number that is the custom data of a point that is tapped.
    on_place: told where on the x axis that point is.
    """

    def tapped() -> None:
        points = st.session_state[key].selection.points
        if on_tap is not None and points:
            on_tap(int(np.ravel(points[0]["customdata"])[0]))
        if on_place is not None and points:
            on_place(float(points[0]["x"]))

    st.html(f'<span class="crl-spoken" role="img" aria-label="{escape(spoken(drawn))}"></span>')
    tappable = on_tap is not None or on_place is not None
    if tappable:  # as Streamlit would have it, once the figure is drawn, and then draw it anew
        plain = written(drawn)
        drawn = Drawn(plain["data"], plain["layout"] | {"clickmode": "event+select"})
    st.plotly_chart(
        drawn,
        theme=None,
        key=key,
        on_select=tapped if tappable else "ignore",
        selection_mode="points",
        config={
            "displaylogo": False,
            "scrollZoom": False,
            "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
            "toImageButtonOptions": {"format": "svg", "filename": key.replace(".", "-")},
        },
    )


def beyond(count: int, what: str = "points") -> str:
    """A caption's half sentence on points at the edge; empty where there are none."""
    if count == 1:
        return f" 1 {what.removesuffix('s')} beyond the axes is drawn on the edge."
    return f" {count} {what} beyond the axes are drawn on the edge." if count else ""


def two(value: float | None) -> str:
    """Two decimals, or a dash where there is no number."""
    return "–" if value is None or value != value else f"{value:.2f}"


def three(value: float | None) -> str:
    """Three decimals, or a dash where there is no number."""
    return "–" if value is None or value != value else f"{value:.3f}"


def signed(value: float | None) -> str:
    """Three decimals with a sign, or a dash where there is no number; what rounds to zero has no sign."""
    if value is None or not np.isfinite(value):
        return "–"
    return "0.000" if abs(value) < 0.0005 else f"{value:+.3f}".replace("-", "−")


def spread(values: np.ndarray, digits: int = 2) -> str:
    """Median, and smallest to largest of several: "0.71 [0.65, 0.78]"; a dash where no value is finite."""
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return "–"
    words = f"{np.median(finite):.{digits}f}"
    return words if len(finite) == 1 else f"{words} [{finite.min():.{digits}f}, {finite.max():.{digits}f}]"
