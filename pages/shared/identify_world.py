"""The latent world that the Identifiability page asks about: its controls, its matrices, and its place in the link."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pandas as pd
import streamlit as st

from crl_core.config.numbers import number
from crl_core.config.text import altered
from crl_core.figures.identify import sub
from crl_core.identify.latent_worlds import MEANS, SCALES, Edges, LatentWorld, Mixing, Table, read_table, written_table
from crl_core.identify.presets import LATENT_PRESETS, LatentPreset
from pages.shared import style
from pages.shared.link_notes import say_in_vain
from pages.shared.tables import say

MOST_SEED, MOST_EXTRA = 10_000, 10
SEED = "draw"
_OWN = "as the world"
_READ = "identify.link_read"


@dataclass(frozen=True, slots=True)
class Asked:
    """The controls' values. world: None where it cannot be, with why."""

    preset: str
    seed: int
    world: LatentWorld | None
    problem: str = ""


def asked_world(top: Any, left: Any) -> Asked:
    """Draw the controls into `top` and the matrices into `left`. A link's impossible values are named and dropped."""
    with top:
        name, mixing, edges, extra, seed = _controls()
    preset = LATENT_PRESETS[name]
    with left, st.container(key="panel_identify_matrix"):
        style.panel_title(
            "Intervention matrix",
            "what each environment does to each latent; the first row is the reference. Edit, add or remove rows.",
        )
        scales, means, unread = _matrices(name, preset)
    problem = unread or _unfinished(scales, means)
    if problem:
        return Asked(name, seed, None, problem)
    try:
        world = altered(
            preset.world,
            scales=scales,
            means=means,
            mixing=preset.world.mixing if mixing == _OWN else mixing,
            edges=preset.world.edges if edges == _OWN else edges,
            dim_x=preset.world.dim + extra,
        )
    except ValueError as error:
        return Asked(name, seed, None, _in_words(str(error)))
    return Asked(name, seed, world)


def lesson(asked: Asked) -> None:
    """What the world teaches, as long as it is as it comes."""
    preset = LATENT_PRESETS[asked.preset]
    say(preset.lesson if asked.world == preset.world else f"Changed from “{preset.title}”.")


def _controls() -> tuple[str, str, str, int, int]:
    in_link: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
    titles = {item.title: name for name, item in LATENT_PRESETS.items()}
    mixings, edges = [_OWN, *get_args(Mixing)], [_OWN, *get_args(Edges)]
    numbers = {SEED: (0, MOST_SEED), "extra": (0, MOST_EXTRA)}
    say_in_vain({"world": list(titles), "mixing": mixings, "edges": edges}, numbers)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="identify_controls"):
        title = st.selectbox("World", list(titles), key="world", width=310, **in_link)
        mixing = st.selectbox(
            "Mixing", mixings, key="mixing", width=160, help="The family of the map that hides the latents.", **in_link
        )
        edge = st.selectbox(
            "Edges",
            edges,
            key="edges",
            width=160,
            **in_link,
            help="A chain z₁ → z₂ → …; soft interventions keep the edges, perfect ones cut them.",
        )
        extra = st.number_input(
            "Further observed",
            0,
            MOST_EXTRA,
            0,
            key="extra",
            format="%d",
            width=150,
            help="Observed dimensions beyond the latents.",
            **in_link,
        )
        seed = st.number_input("Seed", 0, MOST_SEED, 0, key=SEED, format="%d", width=130, **in_link)
    return titles[title], mixing, edge, int(extra), int(seed)


def _matrices(name: str, preset: LatentPreset) -> tuple[Table, Table, str]:
    """Scales and means as edited, and which cell is no number; a page that is left and a link bring them back."""
    kept = f"identify.kept.{name}"
    if _READ not in st.session_state:  # a link is read once; from then on it is written
        st.session_state[_READ] = True
        st.session_state[kept] = _linked(preset)
    home = (preset.world.scales, preset.world.means)
    columns = [f"z{sub(i)}" for i in range(preset.world.dim)]
    of_scales, of_means = st.tabs(["Scales", "Means"])
    with of_scales:
        key = f"identify.matrix.{name}"
        if key not in st.session_state:
            st.session_state[f"{key}.start"] = st.session_state.get(kept, home)[0]
        edited = st.data_editor(
            _as_text(st.session_state[f"{key}.start"], columns),
            num_rows="dynamic",
            key=key,
            width="stretch",
            column_config=_cells(columns, "1"),
        )
    scales, unread = _as_table(edited, "scale")
    with of_means:
        key = f"identify.means.{name}.{len(scales)}"
        if key not in st.session_state:
            before = st.session_state.get(kept, home)[1][: len(scales)]
            st.session_state[f"{key}.start"] = (
                *before,
                *[(0.0,) * len(columns)] * (len(scales) - len(before)),
            )
        rows = ["reference", *(f"environment {e + 1}" for e in range(1, len(scales)))][: len(scales)]
        moved = st.data_editor(
            _as_text(st.session_state[f"{key}.start"], columns, rows),
            key=key,
            width="stretch",
            column_config=_cells(columns, "0"),
        )
    means, unread_mean = _as_table(moved, "mean")
    st.session_state[kept] = (scales, means)
    _write_link({"scales": (scales, home[0]), "means": (means, ((0.0,) * len(columns),) * len(scales))})
    return scales, means, unread or unread_mean


def _cells(columns: Sequence[str], default: str) -> dict[str, Any]:
    """Cells of text, since the browser drops the comma of 0,2 from those of a number."""
    return {
        name: st.column_config.TextColumn(name, default=default, required=True, alignment="right") for name in columns
    }


def _as_text(table: Table, columns: Sequence[str], rows: Sequence[str] | None = None) -> pd.DataFrame:
    cells = [[f"{value:.12g}" if np.isfinite(value) else None for value in row] for row in table]
    return pd.DataFrame(cells, columns=list(columns), index=rows, dtype=object)


def _as_table(edited: pd.DataFrame, what: str) -> tuple[Table, str]:
    """What the cells hold, NaN where that is nothing or no number, and a sentence on the first that is none."""
    said: list[str] = []

    def value(e: int, i: int, cell: Any) -> float:
        if cell is None or cell is pd.NA or cell != cell or not str(cell).strip():
            return math.nan
        try:
            return float(number(str(cell)))
        except ValueError as error:
            said.append(f"{_place(what, e, i)}: {error}")
            return math.nan

    table = tuple(
        tuple(value(e, i, cell) for i, cell in enumerate(row)) for e, row in enumerate(edited.to_numpy(object))
    )
    return table, next(iter(said), "")


def _linked(preset: LatentPreset) -> tuple[Table, Table]:
    """The link's matrices; the world's own, with a warning, where they cannot be read."""
    scales, means = preset.world.scales, preset.world.means
    try:
        if "scales" in st.query_params:
            scales = read_table(st.query_params["scales"], "scales")
            means = ((0.0,) * preset.world.dim,) * len(scales)
        if "means" in st.query_params:
            means = read_table(st.query_params["means"], "means")
        if any(len(row) != preset.world.dim for row in (*scales, *means)):
            raise ValueError(f"every row of a link's scales and means needs {preset.world.dim} numbers, one a latent.")
        altered(preset.world, scales=scales, means=means)
    except ValueError as error:
        st.warning(style.plain(f"The link's matrix cannot be shown: {error} Shown: the world's own."))
        return preset.world.scales, preset.world.means
    return scales, means


def _write_link(tables: dict[str, tuple[Table, Table]]) -> None:
    for name, (table, home) in tables.items():
        if table == home or not np.isfinite(np.array(table)).all():
            if name in st.query_params:
                del st.query_params[name]
        elif st.query_params.get(name) != written_table(table):
            st.query_params[name] = written_table(table)


def _unfinished(scales: Table, means: Table) -> str:
    """Which cell is empty, or that there is no row; empty where all is there."""
    if not scales:
        return "There is no environment left; add a row, the first one is the reference."
    for what, table, limits in (("scale", scales, SCALES), ("mean", means, MEANS)):
        for e, row in enumerate(table):
            for i, value in enumerate(row):
                if not np.isfinite(value):
                    low, high = limits
                    return f"{_place(what, e, i)} is empty; give a number from {low:g} to {high:g}."
    return ""


def _place(what: str, e: int, i: int) -> str:
    return f"The {what} of z{sub(i)} in {'the reference' if e == 0 else f'environment {e + 1}'}"


def _in_words(error: str) -> str:
    """The message of a world's ValueError, with places named as on the page."""
    return re.sub(
        r"(scale|mean)s\[(\d+)\]\[(\d+)\]",
        lambda found: _place(found[1], int(found[2]), int(found[3])),
        error,
    )
