"""The Claims page on one screen: a row a world, a column a kind, a mark a claim that leads to its strip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st

from crl_core.studies.claims import Statement
from crl_core.studies.claims_overview import KINDS, World, by_world, kind_of

MARKS = {"holds": "✓", "does not hold": "✕", "undecided": "?"}  # of those that are counted
NONE = "not measured"  # the verdict of a claim without an answer
_MANY = 7  # marks that a column has room for in a line
_CSS = """
<style>
.crl-matrix { border-collapse: collapse; width: 100%; font-size: .88rem; line-height: 1.2; }
.crl-matrix th { font-weight: 600; text-align: left; padding: .1rem .8rem .1rem 0; }
.crl-matrix thead th { color: var(--quiet); font-size: .82rem; padding-bottom: .3rem; vertical-align: bottom; }
.crl-matrix tbody tr { border-top: 1px solid var(--hairline); }
.crl-matrix tbody th a { color: inherit; text-decoration: none; }
.crl-matrix tbody th a:hover { text-decoration: underline; }
.crl-matrix td { padding: .14rem .6rem .14rem 0; }
.crl-matrix tbody th { white-space: nowrap; }
.crl-matrix .marks { display: flex; flex-wrap: wrap; gap: 3px; }
.crl-matrix .end .marks { justify-content: flex-end; }
.crl-mark { display: inline-grid; place-items: center; width: 1.3rem; height: 1.3rem; border-radius: 5px;
  box-sizing: border-box; font-size: .82rem; font-weight: 700; line-height: 1; text-decoration: none !important;
  border: 1.5px solid var(--quiet); color: var(--ink) !important; background: transparent; }
.crl-mark.holds { background: var(--ink); border-color: var(--ink); color: var(--panel) !important; }
.crl-mark.undecided { border-style: dashed; }
.crl-mark.none { border-color: var(--hairline); }
a.crl-mark:hover { outline: 2px solid var(--accent); outline-offset: 1px; }
.crl-marks-key { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; align-items: center; font-size: .84rem;
  color: var(--quiet); margin: .5rem 0 0 0; }
.crl-marks-key .crl-mark { width: 1.15rem; height: 1.15rem; font-size: .7rem; margin-right: .3rem; }
@media (max-width: 900px) {
  .crl-matrix tbody th { white-space: normal; }
  .crl-matrix, .crl-matrix tbody, .crl-matrix tr, .crl-matrix tbody th { display: block; }
  .crl-matrix thead { display: none; }
  .crl-matrix tbody tr { padding: .5rem 0 .55rem 0; }
  .crl-matrix tbody th { padding-bottom: .35rem; }
  .crl-matrix td, .crl-matrix .marks { display: contents; }
  .crl-matrix td .crl-mark { width: 2rem; height: 2rem; margin: 0 5px 5px 0; }
}
</style>
"""


def matrix(claims: Sequence[Statement], verdicts: Mapping[str, str], ink: str) -> None:
    """verdicts: by claim id; ink: the colour of text, as "#rrggbb"."""
    kinds = [kind for kind in KINDS if any(kind_of(claim) == kind for claim in claims)]
    head = "".join(f'<th scope="col">{KINDS[kind]}</th>' for kind in kinds)
    rows = "".join(_row(world, own, kinds, verdicts) for world, own in by_world(claims).items())
    st.html(
        f'{_CSS}<div style="--ink:{ink}"><table class="crl-matrix"><thead><tr><th scope="col">World</th>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table>{_key(verdicts)}</div>"
    )


def _row(world: World, claims: Sequence[Statement], kinds: Sequence[str], verdicts: Mapping[str, str]) -> str:
    """A cell of many marks reaches over the empty ones after it, or, in the last column, before it."""
    of_kind = {kind: [claim for claim in claims if kind_of(claim) == kind] for kind in kinds}
    cells, place = [], 0
    while place < len(kinds):
        marks, width = of_kind[kinds[place]], 1
        if len(marks) > _MANY:
            while place + width < len(kinds) and not of_kind[kinds[place + width]]:
                width += 1
        cells.append((marks, width))
        place += width
    if len(cells[-1][0]) > _MANY and not any(marks for marks, _ in cells[:-1]):
        cells = [(cells[-1][0], len(kinds))]
    ends = ' class="end"' if len(cells) == 1 and of_kind[kinds[-1]] else ""
    drawn = "".join(
        f'<td colspan="{width}"{ends}><div class="marks">{"".join(_link(c, verdicts) for c in marks)}</div></td>'
        for marks, width in cells
    )
    name = f'<a href="#world-{world.id}" target="_self">{escape(world.title)}</a>'
    return f'<tr><th scope="row">{name}</th>{drawn}</tr>'


def mark(verdict: str) -> str:
    """The mark of a verdict alone, for a line that says the verdict in words."""
    return f'<span class="crl-mark {_kind(verdict)}" aria-hidden="true">{MARKS.get(verdict, "·")}</span>'


def _kind(verdict: str) -> str:
    return {"holds": "holds", "does not hold": "fails", "undecided": "undecided"}.get(verdict, "none")


def _link(claim: Statement, verdicts: Mapping[str, str]) -> str:
    verdict = verdicts[claim.id]
    words = escape(f"{verdict[:1].upper()}{verdict[1:]}: {claim.statement}", quote=True)
    return (
        f'<a class="crl-mark {_kind(verdict)}" href="#claim-{escape(claim.id)}" target="_self" title="{words}" '
        f'aria-label="{words}">{MARKS.get(verdict, "·")}</a>'
    )


def _key(verdicts: Mapping[str, str]) -> str:
    counts = list(verdicts.values())
    each = "".join(f"<span>{mark(verdict)}{verdict}: {counts.count(verdict)}</span>" for verdict in MARKS)
    return f'<p class="crl-marks-key">{each}<span>A mark is a claim; it leads to its measurement below.</span></p>'
