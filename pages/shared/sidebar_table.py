"""The sidebar while a table of the session's own is in view: what it is, how it is trained, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import get_args

import streamlit as st

from crl_core.config import LIMITS, Align, RunConfig
from crl_core.config.presets import DEFAULT_PRESET, PRESETS
from crl_core.config.table import LAMS
from pages.shared import table_run
from pages.shared.asked import Controls
from pages.shared.lam_grid import FIELDS, lam_grid
from pages.shared.style import plain, quiet
from pages.shared.table_run import LEAST_STEPS, MOST_SEED, MOST_STEPS, TableRun

_ALIKE = {"environment": "environments", "treatment": "arms"}


def widgets(run: TableRun, lam_slider: Callable[[Sequence[float]], float]) -> Controls:
    """The fields of a table's training. Nothing of the table stands in the address."""
    with st.container(key="controls_table"):
        _what_it_is(run)
    lam_slot = st.container(key="controls_lam")
    with st.container(key="controls_table_further"):
        config, problem = _training(run)
    with lam_slot:
        lam = lam_slider(config.training.lams if config else LAMS)
    return Controls(preset=PRESETS[DEFAULT_PRESET], values={}, config=config, problem=problem, lam=lam)


def _what_it_is(run: TableRun) -> None:
    source = run.source
    st.html(f'<p class="crl-world"><b>{plain(source.label)}</b></p>')
    quiet(
        f"{source.n_rows:,} rows, {len(source.features)} inputs. Effect of {source.named('treatment')} on "
        f"{source.named('outcome')}. "
        + ("It is kept on this machine." if run.table.kept else "Only this session sees it.")
    )
    st.button("Back to simulated worlds", key="table.leave", on_click=table_run.leave, width="stretch", type="tertiary")


def _training(run: TableRun) -> tuple[RunConfig | None, str | None]:
    """The fields of its training: the config they make, or the sentence why they make none."""
    chosen = run.settings
    can = run.can_align
    align = st.segmented_control(
        "Make alike",
        can,
        default=chosen.align,
        format_func=_ALIKE.__getitem__,
        key="table.align",
        required=True,
        persist_state="session",
        help="What the penalty pulls together: environments, or treated and untreated rows. Environments can be made "
        "alike where some have rows of both arms.",
    )
    config, problem, lams = None, None, chosen.lams
    try:
        lams = lam_grid("table", chosen.lams)
    except ValueError as error:
        problem = str(error)
    steps = _number(
        "Gradient steps", "steps", chosen.steps, 50, (LEAST_STEPS, MOST_STEPS), "Of each fit; its best look counts."
    )
    replicates = _number(
        "Fits",
        "replicates",
        chosen.replicates,
        1,
        (1, int(LIMITS["replicates"][1])),
        "Each to rows drawn anew (bootstrap). A row's effect is their mean; 20 make its interval sound.",
    )
    seed = _number("Seed", "seed", chosen.seed, 1, (0, MOST_SEED), "Determines rows, initial weights and batches.")
    run.settings = replace(
        chosen,
        align=align if align in get_args(Align) else chosen.align,
        lams=lams,
        steps=steps,
        replicates=replicates,
        seed=seed,
    )
    try:
        config = None if problem else run.config()
    except ValueError as error:
        problem = str(error)
    return config, problem


def forget_fields() -> None:
    """The fields begin with the run's settings once more. For callbacks."""
    for name in ("align", "steps", "replicates", "seed", *FIELDS):
        st.session_state.pop(f"table.{name}", None)


def _number(label: str, name: str, value: int, step: int, limits: tuple[int, int], help: str) -> int:
    return int(
        st.number_input(
            label, *limits, value=value, step=step, format="%d", key=f"table.{name}", help=help, persist_state="session"
        )
    )
