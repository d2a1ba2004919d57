"""One λ path a penalty, small and side by side, all on one vertical axis."""

from __future__ import annotations

import streamlit as st

from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.figures import Palette
from crl_core.figures.penalties import common_limits, path_of_penalty
from crl_core.studies.penalties import WHERE, Contest, Contestant
from pages.shared.style import quiet
from pages.shared.tables import chart

# what is drawn: its field, whether on a log axis, and what is said of it
_QUANTITIES = {
    "ITE RMSE": ("ite_rmse", True, "Held out, truth known only in simulation; lower is better."),
    "Factual MSE": ("factual_mse", True, "Held out; what can be seen without the truth."),
    "Domain AUC": (
        "domain_auc",
        False,
        "How well a kNN classifier tells the groups apart in the latent; 0.5 is chance.",
    ),
}
_GRID = """
<style>
.st-key-penalty_multiples { display: grid; grid-template-columns: repeat(auto-fill, minmax(12.2rem, 1fr)); gap: .8rem; }
.st-key-penalty_multiples [class*="st-key-panel"] { padding: .5rem .5rem .3rem .6rem; min-width: 0; }
</style>
"""


def multiples(contest: Contest, ink: Palette) -> None:
    """The chosen quantity of every penalty, with the λ that it would be judged at."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Along λ", anchor=False, width="content")
        name = st.segmented_control(
            "Quantity",
            list(_QUANTITIES),
            default="ITE RMSE",
            key="penalties.quantity",
            required=True,
            label_visibility="collapsed",
            persist_state="session",
        )
    field, log, says = _QUANTITIES[name or "ITE RMSE"]
    limits = common_limits([getattr(row, field) for row in contest.ran], log)
    st.html(_GRID)
    with st.container(key="penalty_multiples"):
        for row in contest.rows:
            drawn = path_of_penalty(
                row.lams,
                getattr(row, field),
                _marks(row),
                ink,
                title=PENALTY_WORDS[row.penalty].short,
                limits=limits,
                log=log,
                problem=row.problem,
            )
            with st.container(key=f"panel_penalty_{row.penalty}"):
                chart(drawn, f"penalties.{field}.{row.penalty}")
    quiet(
        f"{says} Median and range over {contest.setting.seeds} seeds, one vertical axis. Ring: {WHERE['at_best']}, "
        f"diamond: {WHERE['at_blind']}. The horizontal axes are not comparable."
    )


def _marks(row: Contestant) -> dict[str, float]:
    return {WHERE[where]: row.lam(where) for where in ("at_best", "at_blind")} if row.ran else {}
