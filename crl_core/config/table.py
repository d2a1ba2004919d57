"""How a table is trained unless somebody says otherwise: small steps counted, not epochs, and fits that are averaged.

Rows count alike in the loss, whichever arm they are of; each fit is to rows drawn anew, and its best epoch counts, by
the rows that were not drawn. The effect of a row is then the mean over fits. On data whose effects are known each of
these was at least as good as what a scenario is trained with, and weighing arms did harm where the arm is rare.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crl_core.config.presets import DEFAULT_PRESET, preset
from crl_core.config.run import Align, RunConfig
from crl_core.config.text import altered
from crl_core.data.source import Source

LAMS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # below .01 a table's fits are those of 0
QUICK_LAMS = (0.0, 0.1, 1.0, 10.0)  # whether λ matters at all
REPLICATES, STEPS, STEPS_A_LOOK = 5, 500, 25
VALIDATION = 0.3
RARE_ARM, BATCH, BATCH_OF_RARE = 0.1, 128, 256  # a batch needs some rows of both arms


def alignable(n_envs: int, arms: np.ndarray) -> tuple[Align, ...]:
    """What the penalty can make alike, the usual choice first.

    arms: rows of each environment that are untreated and treated, [E, 2]. Where none has both, making environments
          alike would erase the confounders.
    """
    return ("treatment",) if n_envs == 1 or (arms.min(axis=1) == 0).all() else ("environment", "treatment")


def table_config(
    table: Source,
    arms: np.ndarray,
    *,
    align: Align | None = None,
    lams: Sequence[float] = LAMS,
    replicates: int = REPLICATES,
    steps: int = STEPS,
    seed: int = 0,
) -> RunConfig:
    """The run of a table.

    arms:   rows of each environment that are untreated and treated, [E, 2].
    align:  what the penalty makes alike; environments where there are some that have rows of both arms, else arms.
    Raises: ValueError with one sentence where what is to be aligned cannot be, or a number is out of its range.
    """
    allowed = alignable(table.n_envs, arms)
    if align == "environment" and table.n_envs == 1:
        raise ValueError("there is one environment only, so that none can be made alike; align the treatment arms.")
    if align == "environment" and align not in allowed:
        raise ValueError(
            "in every environment all rows have the same treatment: making environments alike would erase the "
            "confounders; align the treatment arms."
        )
    rare = arms.sum(axis=0).min() < RARE_ARM * arms.sum()
    return altered(
        preset(DEFAULT_PRESET),  # of which nothing is kept but the sizes of a network
        table=table,
        lams=tuple(lams),
        replicates=replicates,
        align=align or allowed[0],
        seed=seed,
        steps=steps,
        epochs=max(1, min(steps // STEPS_A_LOOK, 100)),
        batch_size=BATCH_OF_RARE if rare else BATCH,
        arm_weight="plain",
        validation=VALIDATION,
        resample="bootstrap",
        weight_decay=0.0,
    )
