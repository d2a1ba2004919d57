"""What of a page stands before a reader has predicted: panels and header figures by name, as the step has them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

_FIGURES = "masks.figures"
MASKED = "?"


def mask_figures(labels: Sequence[str]) -> None:
    """The header figures that this run of a page shows as “?”."""
    st.session_state[_FIGURES] = frozenset(labels)


def masked(label: str) -> bool:
    return label in st.session_state.get(_FIGURES, ())


def style_of(shown: Sequence[str], hatched: Sequence[str], words: str) -> str:
    """The style that leaves a page its head and these panels, of which some are hatched with `words` on them.

    They are in the page, and a browser's tools show them: a mask is for attention, not for secrecy.
    """
    panels = [f".st-key-panel_{name}" for name in dict.fromkeys((*shown, *hatched))]
    kept = ", ".join([".st-key-page_notes", ".st-key-page_head", ".st-key-lesson_stage", *panels])
    outside = f":not(:is({kept}) *):not(:is({kept}))"
    css = (
        f'.stMain [data-testid="stElementContainer"]{outside}, '
        f'.stMain [data-testid="stColumn"]{outside}:not(:has({kept})), '
        f'.stMain [data-testid="stLayoutWrapper"]{outside}:not(:has({kept})), '
        f'.stMain [class*="st-key-panel_"]{outside}:not(:has({kept})) {{ display: none; }}'
    )
    if panels:  # alone they would be wider than a reader wants them
        css += (
            f":is({', '.join(panels)}) {{ max-width: 62rem; }} .st-key-panel_graph {{ max-width: 34rem !important; }}"
        )
    if hatched:
        veiled = ", ".join(f".st-key-panel_{name}" for name in hatched)
        css += (
            f":is({veiled}) {{ position: relative; min-height: 11rem; background: repeating-linear-gradient(45deg, "
            "transparent 0 9px, var(--hairline) 9px 10px); }"
            f":is({veiled}) > * {{ visibility: hidden; opacity: 0; }}"
            f":is({veiled})::after {{ content: '{words}'; position: absolute; inset: 0; display: grid; "
            "place-content: center; color: var(--quiet); font-size: .95rem; text-align: center; padding: 1rem; }"
        )
    return f"<style>{css}</style>"
