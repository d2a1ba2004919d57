"""What the columns of a table probably are, for a person to confirm: by name and by what the cells hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from crl_core.data.scenario import MAX_ENVS
from crl_core.data.tables.columns import Raw, Role, is_missing
from crl_core.data.user_files import folded

_CALLED: Mapping[Role, tuple[str, ...]] = {
    "outcome": ("y", "outcome", "response", "target", "result", "label"),
    "treatment": ("t", "w", "treat", "treated", "treatment", "exposure", "arm", "intervention"),
    "environment": (
        "env",
        "environment",
        "site",
        "hospital",
        "clinic",
        "centre",
        "center",
        "school",
        "region",
        "domain",
    ),
    "id": ("id", "row", "index", "patient", "patient id", "name"),
    "mu0": ("mu0", "y0", "y cf0"),
    "mu1": ("mu1", "y1", "y cf1"),
}
MOST_TEXTS = 50  # values of a text column, beyond which it is no category


def guessed_roles(raw: Raw) -> dict[str, Role]:
    """A role for every column. Each single role is given once, to the first column that fits; none is certain."""
    roles: dict[str, Role] = {}
    taken: set[Role] = set()
    for name, values in raw.columns.items():
        plain = folded(name).replace("_", " ").replace(".", " ").strip()
        role: Role = "covariate"
        for one, words in _CALLED.items():
            if plain in words and one not in taken and _fits(one, values):
                role = one
        if role == "covariate":
            role = _by_cells(values)
        if role not in ("covariate", "id", "ignore"):
            taken.add(role)
        roles[name] = role
    if not {"mu0", "mu1"} <= taken:  # one alone is no truth
        roles = {name: "ignore" if role in ("mu0", "mu1") else role for name, role in roles.items()}
    return roles


def _fits(role: Role, values: np.ndarray) -> bool:
    """Whether a column of this name can have the role."""
    n_values = len(pd.unique(values[~is_missing(values)]))
    if role == "treatment":
        return n_values == 2
    if role == "environment":
        return 2 <= n_values <= MAX_ENVS
    if role in ("mu0", "mu1"):
        return values.dtype.kind == "f"
    return role != "outcome" or n_values == 2 or (values.dtype.kind == "f" and n_values > 2)


def _by_cells(values: np.ndarray) -> Role:
    """What the cells alone say: a constant is of no use, values that are all different name a row."""
    known = values[~is_missing(values)]
    different = len(pd.unique(known))
    if different < 2:
        return "ignore"
    if values.dtype.kind == "O":
        if different == len(known) > 10:
            return "id"
        return "covariate" if different <= MOST_TEXTS else "ignore"
    whole_steps = values.dtype.kind == "f" and different == len(values) > 10 and bool((np.diff(known) == 1).all())
    return "id" if whole_steps else "covariate"
