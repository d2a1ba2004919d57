"""Which training rows a replicate is fitted to, and which choose the epoch that counts."""

from __future__ import annotations

import numpy as np

from crl_core.data.scm import MultiEnvData, Stream, rng_for, split


def fitted_rows(train: MultiEnvData, *, validation: float, bootstrap: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices into the training rows: those that are fitted, and those kept for validation.

    validation: the share of the training rows that is kept.
    Bootstrap: as many rows as there are, drawn with replacement within environment and arm; those never drawn validate,
               as many as the share asks for, some twice where there are fewer; fitted ones where all were drawn.
    Otherwise: the validation part is split off, stratified as the held-out rows are.
    """
    n = len(train)
    if not bootstrap:
        if not validation:
            return np.arange(n), np.arange(0)
        return split(train, seed, validation, Stream.VALIDATION)
    rng = rng_for(seed, Stream.RESAMPLE)
    stratum = 2 * train.env + train.t
    strata = [np.flatnonzero(stratum == value) for value in np.unique(stratum)]
    drawn = np.sort(np.concatenate([rng.choice(rows, len(rows)) for rows in strata]))
    rest = rng.permutation(np.setdiff1d(np.arange(n), drawn))
    wanted = round(validation * n)
    return drawn, np.sort(np.resize(rest, wanted)) if len(rest) else drawn[:wanted]
