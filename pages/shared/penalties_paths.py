"""λ paths of the penalties on one vertical axis: what is drawn of them, and all of them side by side."""

from __future__ import annotations

import streamlit as st

from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.figures import Palette
from crl_core.figures.penalties import common_limits, path_of_penalty
from crl_core.studies.penalties import WHERE, Contest, Contestant
from pages.shared.folds import fold
from pages.shared.style import quiet
from pages.shared.tables import chart

# what is drawn: its field, whether on a log axis, and what is said of it
_QUANTITIES = {
    "Effect error": ("ite_rmse", True, "Held out, truth known only in simulation; lower is better."),
    "Factual error": ("factual_mse", True, "Held out; what can be seen without the truth."),
    "Domain AUC": (
        "domain_auc",
        False,
        "How well a kNN classifier tells the groups apart in the latent; 0.5 is chance.",
    ),
}
_QUANTITY = "penalties.quantity"
_GRID = """
<style>
.st-key-penalty_multiples { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr));
  gap: .8rem; }
.st-key-penalty_multiples [class*="st-key-panel"] { padding: .5rem .5rem .3rem .6rem; min-width: 0; }
</style>
"""


def chosen_quantity() -> tuple[str, bool, str]:
    """Draw the choice of what is shown along λ: its field, whether on a log axis, and what is said of it."""
    name = st.segmented_control(
        "Quantity",
        list(_QUANTITIES),
        default="Effect error",
        key=_QUANTITY,
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    return _QUANTITIES[name or "Effect error"]


def limits_of(contest: Contest, field: str, log: bool) -> tuple[float, float]:
    """The vertical axis that all paths of a contest share."""
    return common_limits([getattr(row, field) for row in contest.ran], log)


def multiples(contest: Contest, ink: Palette) -> None:
    """The chosen quantity of every penalty, with the λ that it would be judged at, in a fold."""
    field, log, says = _QUANTITIES[str(st.session_state.get(_QUANTITY) or "Effect error")]
    limits = limits_of(contest, field, log)

    def drawn() -> None:
        st.html(_GRID)
        with st.container(key="penalty_multiples"):
            for row in contest.rows:
                path = path_of_penalty(
                    row.lams,
                    getattr(row, field),
                    marks(row),
                    ink,
                    title=PENALTY_WORDS[row.penalty].short,
                    limits=limits,
                    log=log,
                    problem=row.problem,
                )
                with st.container(key=f"panel_penalty_{row.penalty}"):
                    chart(path, f"penalties.{field}.{row.penalty}")
        quiet(
            f"{says} Median and range over {contest.setting.seeds} replicates, one vertical axis. Ring: "
            f"{WHERE['at_best']}, diamond: {WHERE['at_blind']}. The horizontal axes are not comparable."
        )

    fold("All penalties along λ", "penalties.all", drawn)


def marks(row: Contestant) -> dict[str, float]:
    """Of a path, which λ are ringed."""
    return {WHERE[where]: row.lam(where) for where in ("at_best", "at_blind")} if row.ran else {}
