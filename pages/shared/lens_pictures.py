"""Pictures of the MMD lens: a reading along λ and against chance, the named conventions, the latent's size."""

from __future__ import annotations

import numpy as np
import streamlit as st

from crl_core.events import STATUS_WORDS
from crl_core.figures import along_lam, palette
from crl_core.figures.lens import chance_at_lam, reading_along_lam
from crl_core.measures.mmd_conventions import SOURCES, equal_weight, formula
from crl_core.measures.probes import norm_and_rank
from pages.shared.lam_tap import chart_along
from pages.shared.lens_controls import OWN
from pages.shared.lens_readings import Lens
from pages.shared.lens_words import range_text, value_text, weight_text
from pages.shared.style import panel_title, quiet
from pages.shared.tables import chart, table, two

_SHRUNK = 0.5  # of the norm at the smallest λ: below this a fixed bandwidth is said to be fooled


def path_and_chance(lens: Lens, n_rows: int) -> None:
    """The reading at every λ, and at the λ in view among what shuffled groups give."""
    run, found, at = lens.run, lens.found, lens.at
    left, right = st.columns([3, 2])
    with left, st.container(key="panel_lens_path", height="stretch"):
        drawn = reading_along_lam(
            run.result.lams,
            found.value,
            found.low,
            found.high,
            found.p_value,
            run.lam,
            palette(run.theme),
            title=f"{lens.symbol} along λ",
        )
        chart_along(drawn, "lens.path", run.result.lams)
        quiet(
            f"{n_rows} held-out rows of the first replicate. The axis is linear as far as chance reaches, "
            f"logarithmic beyond." + _lost(lens)
        )
    with right, st.container(key="panel_lens_chance", height="stretch"):
        drawn = chance_at_lam(
            found.null[at],
            float(found.value[at]),
            lens.symbol,
            palette(run.theme),
            title=f"Against chance at λ = {run.lam:g}",
        )
        chart(drawn, "lens.chance")
        quiet(
            f"{found.null.shape[1]} shuffles of the groups (bars) and this MMD (line). An arrow: too far out to be "
            f"drawn to scale."
        )


def _lost(lens: Lens) -> str:
    """A half sentence on the λ whose model is broken."""
    result = lens.run.result
    lost = [
        f"λ = {lam:g} ({STATUS_WORDS[int(word)]})"
        for lam, word in zip(result.lams, result.status[: len(result.lams)], strict=True)
        if word
    ]
    return f" Without a model to trust: {', '.join(lost)}." if lost else ""


def conventions(lens: Lens) -> None:
    """The λ in view as each named convention reads it, and what they differ in."""
    readings = lens.by_name
    current = None if lens.name is None else list(lens.named).index(lens.name)
    ours = float(readings[OWN].value[0])
    left, right = st.columns([6, 5])
    with left, st.container(key="panel_lens_named"):
        panel_title("The same latents, read four ways", f"MMD² at λ = {lens.run.lam:g}")
        table(
            ["Convention", "MMD²", "chance", "p", "λ of equal penalty"],
            [
                (
                    name,
                    value_text(one.value[0]),
                    range_text(one, 0),
                    f"{one.p_value[0]:.3f}" if np.isfinite(one.p_value[0]) else "–",
                    weight_text(equal_weight(lens.run.lam, ours, float(one.value[0]))),
                )
                for name, one in readings.items()
            ],
            strong=current,
        )
        quiet(
            "λ of equal penalty: the λ with which that MMD² would weigh as much as this run's own does with its λ, on "
            "these latents; where an MMD² is not above 0 there is none. It is another number at every λ: no single "
            "factor turns the λ of one paper into that of another."
        )
    with right, st.container(key="panel_lens_differ"):
        panel_title("What they differ in", "h as it comes out on these latents")
        table(
            ["Convention", "h", "What it computes"],
            [
                (name, value_text(readings[name].bandwidth[0]), f"{formula(named)} {SOURCES[name]}.")
                for name, named in lens.named.items()
            ],
            words_from=2,
            strong=current,
        )


def sizes(lens: Lens, phi: np.ndarray) -> None:
    """How large and how flat the latents phi [L, n, k] are, since an MMD falls with their size, too."""
    run, colours = lens.run, palette(lens.run.theme)
    norm, rank = norm_and_rank(phi)
    status = run.result.status[: len(phi)][None]
    left, right = st.columns(2)
    with left, st.container(key="panel_lens_norm"):
        drawn = along_lam(
            run.result.lams,
            norm[None],
            status,
            run.lam,
            colours,
            title="Latent norm along λ",
            y_title="latent norm",
        )
        chart_along(drawn, "lens.norm", run.result.lams)
    with right, st.container(key="panel_lens_rank"):
        top = float(np.nanmax(rank)) * 1.08 if np.isfinite(rank).any() else 0.0
        drawn = along_lam(
            run.result.lams,
            rank[None],
            status,
            run.lam,
            colours,
            title="Effective rank along λ",
            y_title="effective rank",
            linear=(0.0, max(2.0, top)),
        )
        chart_along(drawn, "lens.rank", run.result.lams)
    start = next((float(value) for value in norm if np.isfinite(value) and value > 0), float("nan"))
    here = float(norm[lens.at])
    if np.isfinite(here) and np.isfinite(start):
        quiet(_shrinking(lens, here / start))


def _shrinking(lens: Lens, ratio: float) -> str:
    """What a latent of `ratio` times its first size does to this reading."""
    fixed = not isinstance(lens.convention.bandwidth, str) and not lens.convention.unit
    return (
        f"At λ = {lens.run.lam:g} the latent is {two(ratio)} times as large as at λ = {lens.run.result.lams[0]:g}. "
    ) + (
        "With a fixed h part of the fall of this reading is that shrinking, not alignment."
        if fixed and ratio < _SHRUNK
        else "A latent that shrinks lowers an MMD of fixed bandwidth without any alignment; a median bandwidth or "
        "latents of length 1 do not let that count."
    )
