"""A list of checks with their answers: what is asked, how it stands, and why it matters."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

import streamlit as st

_CSS = """
<style>
.crl-checks { display: grid; grid-template-columns: 5.6rem 1fr; gap: .8rem .9rem; margin: .2rem 0 0 0; }
.crl-checks em { font-style: normal; font-size: .82rem; font-weight: 600; line-height: 1.5; }
.crl-checks .bad { color: var(--crl-bad); }
.crl-checks .part { color: var(--quiet); }
.crl-checks b { display: block; font-size: .92rem; font-weight: 600; line-height: 1.4; }
.crl-checks p { margin: .1rem 0 0 0; font-size: .88rem; line-height: 1.45; }
.crl-checks p.why { color: var(--quiet); }
@media (max-width: 640px) { .crl-checks { grid-template-columns: 1fr; gap: .1rem; } .crl-checks div {
  margin-bottom: .7rem; } }
</style>
"""
_MARKS = {
    "granted": ("✓", ""),
    "in part": ("~", "part"),
    "violated": ("✗", "bad"),
    "yes": ("✓", ""),
    "no": ("✗", "bad"),
    "unknown": ("?", "part"),
    "cannot": ("✗", "bad"),
    "beware": ("!", "bad"),
    "note": ("·", "part"),
}


def checks(items: Iterable[tuple[str, str, str, str]], bad: str) -> None:
    """(status, what is asked, how it stands, why it matters); "" where there is nothing to say.

    status: one of `_MARKS`.  bad: a colour.
    """
    cells = []
    for status, asked, says, why in items:
        mark, kind = _MARKS[status]
        cells.append(
            f'<em class="{kind}">{mark} {escape(status)}</em>'
            "<div>"
            + (f"<b>{escape(asked)}</b>" if asked else "")
            + (f"<p>{escape(says)}</p>" if says else "")
            + (f'<p class="why">{escape(why)}</p></div>' if why else "</div>")
        )
    style = f"<style>.crl-checks {{ --crl-bad: {bad}; }}</style>"
    st.html(f'{_CSS}{style}<div class="crl-checks">{"".join(cells)}</div>')
