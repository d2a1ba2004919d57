"""Small tables, charts and notes that several pages lay out alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import streamlit as st

_CSS = """
<style>
.crl-table { border-collapse: collapse; width: 100%; font-size: .88rem; }
.crl-table th { text-align: right; font-weight: 600; color: var(--quiet); padding: .25rem .7rem .35rem 0; border-bottom: 1px solid var(--hairline); }
.crl-table td { font-variant-numeric: tabular-nums; text-align: right; padding: .38rem .7rem .38rem 0; border-bottom: 1px solid var(--hairline); vertical-align: top; white-space: nowrap; }
.crl-table tr:last-child td { border-bottom: 0; }
.crl-table th:first-child, .crl-table td:first-child, .crl-table .says { text-align: left; }
.crl-table th:last-child, .crl-table td:last-child { padding-right: 0; }
.crl-table .says { color: var(--quiet); white-space: normal; padding-right: 0; line-height: 1.4; }
.crl-table .strong { font-weight: 650; }
.crl-table td:first-child { white-space: normal; min-width: 4.5rem; }
.crl-table .says { min-width: 13rem; }
.crl-scroll { overflow-x: auto; }
.crl-say { font-size: .98rem; line-height: 1.5; margin: .15rem 0 0 0; max-width: 62rem; }
@media (max-width: 640px) { .crl-table { font-size: .8rem; } }
</style>
"""


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    words_from: int | None = None,
    strong: int | None = None,
) -> None:
    """A quiet table. Columns from `words_from` on are sentences; row `strong` is set bold."""

    def cell(tag: str, index: int, text: str, bold: bool) -> str:
        kinds = ["says"] if words_from is not None and index >= words_from else []
        kinds += ["strong"] if bold and not kinds else []
        return f'<{tag} class="{" ".join(kinds)}">{escape(text)}</{tag}>'

    head = "".join(cell("th", index, text, False) for index, text in enumerate(header))
    body = "".join(
        "<tr>" + "".join(cell("td", index, text, place == strong) for index, text in enumerate(row)) + "</tr>"
        for place, row in enumerate(rows)
    )
    st.html(
        f'{_CSS}<div class="crl-scroll"><table class="crl-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def say(text: str) -> None:
    """The sentence of a page: what the numbers mean here."""
    st.html(f'{_CSS}<p class="crl-say">{escape(text)}</p>')


def chart(drawn: Any, key: str) -> None:
    """A Plotly figure as it is, with a toolbar that saves it."""
    st.plotly_chart(
        drawn,
        theme=None,
        key=key,
        config={
            "displaylogo": False,
            "scrollZoom": False,
            "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
            "toImageButtonOptions": {"format": "svg", "filename": key.replace(".", "-")},
        },
    )


def beyond(count: int, what: str = "points") -> str:
    """A caption's half sentence on points at the edge; empty where there are none."""
    return f" {count} {what} beyond the axes are drawn on the edge." if count else ""


def two(value: float | None) -> str:
    """Two decimals, or a dash where there is no number."""
    return "–" if value is None or value != value else f"{value:.2f}"


def three(value: float | None) -> str:
    """Three decimals, or a dash where there is no number."""
    return "–" if value is None or value != value else f"{value:.3f}"
