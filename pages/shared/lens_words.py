"""Words of the MMD lens: a reading in a sentence, and its numbers as text."""

from __future__ import annotations

import numpy as np

from crl_core.measures.mmd_conventions import Reading
from pages.shared.lens_readings import Lens, by_environment


def sentence(lens: Lens) -> str:
    """A reading at the λ in view in a sentence, and whether the convention of training agrees."""
    run, at, found, own = lens.run, lens.at, lens.found, lens.as_trained
    if not np.isfinite(found.value[at]):
        return f"The model at λ = {run.lam:g} {run.status}: there is no latent to read here; {run.others}."
    how = "by these choices" if lens.name is None else f"as {lens.name} does"
    groups = f"{run.naming.env_word}s" if by_environment(run) else "treated and untreated"
    found_so = (
        f"it still tells the {groups} apart"
        if found.apart[at]
        else f"chance would do, so it does not tell the {groups} apart"
    )
    text = (
        f"Read {how}, {lens.symbol} at λ = {run.lam:g} is {value_text(found.value[at])}. Two samples of one "
        f"distribution give {range_text(found, at)} in nine of ten shuffles (p = {found.p_value[at]:.3f}): {found_so}."
    )
    if found.apart[at] != own.apart[at]:
        text += (
            f" The reading that was trained gives {value_text(own.value[at])} (p = {own.p_value[at]:.3f}): "
            "same latents, another answer."
        )
    return text


def value_text(value: float, digits: int = 3) -> str:
    """So many digits, and a minus that is one."""
    if not np.isfinite(value):
        return "–"
    return np.format_float_positional(value, digits, unique=False, fractional=False, trim="-").replace("-", "−")


def range_text(found: Reading, at: int) -> str:
    """What chance gives."""
    if not np.isfinite(found.value[at]):
        return "–"
    return f"{value_text(found.low[at], 2)} to {value_text(found.high[at], 2)}"


def weight_text(lam: float | None) -> str:
    return "–" if lam is None else value_text(lam)
