"""The claims about images among those of `signals_claims`: what is trained, and how each is read off the run.

Settings (λ, σ of the lamp) were looked for on seeds 0 to 2; what is shipped is of seeds 300 to 304.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from crl_core.config import RunConfig
from crl_core.config.presets import preset
from crl_core.config.text import altered
from crl_core.measures.edits import Edit, moved
from crl_core.measures.label_baselines import LEARNERS, wrong_in_next

if TYPE_CHECKING:
    from crl_core.studies.signals_claims import At

WORLDS: Mapping[str, RunConfig] = {"lamp": altered(preset("lamp"), lams=(0.0, 20.0))}
ALIGNED: Mapping[str, float] = {"lamp": 20.0}  # the λ that claims are about
_EDIT: Edit = "with the lamp turned over"


def flips(at: At, lam: float) -> np.ndarray:
    """Share of labels that turn over with the lamp, everything else equal, of every seed; NaN of a diverged model."""
    place = at.run.lams.index(lam)
    return np.array([moved(at.run, _EDIT, r).flips[place] for r in range(at.run.config.training.replicates)])


def best_right(at: At, view: str) -> np.ndarray:
    """Accuracy in a next hospital of the best of the simple learners on a view, of every seed.

    view: of `measures.views`; "" for the pixels as they are.
    """
    names = [f"{name}, {view}" if view else name for name in LEARNERS]
    found = [_wrong(at.run.config, r) for r in range(at.run.config.training.replicates)]
    return 1 - np.array([min(wrong[name] for name in names) for wrong in found])


@cache
def _wrong(config: RunConfig, replicate: int) -> Mapping[str, float]:
    """`wrong_in_next`, which two claims ask for."""
    return wrong_in_next(config, replicate)


OF_WORLD: Mapping[str, Mapping[str, Callable[[At], np.ndarray]]] = {
    "lamp": {
        "signals-lamp-trial": lambda at: at.accuracy("trial"),
        "signals-lamp-next": lambda at: at.accuracy("next"),
        "signals-lamp-reversed": lambda at: at.accuracy("reversed"),
        "signals-lamp-aligned-next": lambda at: at.accuracy("next", at.lam),
        "signals-lamp-aligned-reversed": lambda at: at.accuracy("reversed", at.lam),
        "signals-lamp-baseline": lambda at: best_right(at, ""),
        "signals-lamp-centred": lambda at: best_right(at, "each image centred") - at.accuracy("next", at.lam),
        "signals-lamp-flips": lambda at: flips(at, 0.0),
        "signals-lamp-aligned-flips": lambda at: flips(at, at.lam),
    }
}
