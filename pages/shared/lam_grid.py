"""Which λ a table is trained for: a short list, the usual one, or one of a person's own."""

from __future__ import annotations

import streamlit as st

from crl_core.config.table import LAMS, QUICK_LAMS
from pages.shared.fields import lam_text, lams_of

_GRIDS = {"quick": QUICK_LAMS, "usual": LAMS}
_OWN = "own list"
FIELDS = ("lams", "lams.own")  # of a place


def lam_grid(place: str, chosen: tuple[float, ...]) -> tuple[float, ...]:
    """Fields for the λ, which begin with those that are `chosen`; ascending, each once.

    place:  of the keys, such as "data".
    Raises: ValueError with one sentence where the list of one's own holds no numbers; which λ are allowed, the config
            says.
    """
    known = next((name for name, lams in _GRIDS.items() if lams == chosen), _OWN)
    name = st.segmented_control(
        "λ to train",
        [*_GRIDS, _OWN],
        default=known,
        format_func=lambda name: f"{name} ({len(_GRIDS[name])} λ)" if name in _GRIDS else name,
        key=f"{place}.lams",
        required=True,
        persist_state="session",
        help="All are trained at once. Quick is enough to see whether λ matters; a list of your own, to look closer.",
    )
    if name in _GRIDS:
        return _GRIDS[name]
    text = st.text_input(
        "Own list of λ",
        ", ".join(lam_text(lam) for lam in chosen),
        key=f"{place}.lams.own",
        persist_state="session",
        help="Numbers with commas between them, such as 0, 0.1, 1, 10. 0 is the network that aligns nothing.",
    )
    return lams_of(text)
