"""The claims about telling hospitals by their traces among those of `signals_claims`: no effect and no label, only x.

A network of two hidden layers is trained to name the hospital of a row, and asked about held-out rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from crl_core.config import RunConfig, Scenario, Training
from crl_core.config.text import altered
from crl_core.results import data_of

if TYPE_CHECKING:
    from crl_core.studies.signals_claims import At

_EPOCHS = 40
_HUMS = RunConfig(  # .014 mV in hospital A, as a real recording has it, next to nothing in hospital B
    scenario=Scenario(observation="ecg", n_samples=4000, hum_mv=0.014, offset=(0.0, -5.0), sigma=(0.3, 0.3)),
    training=Training(epochs=1, lams=(0.0,)),  # what a claim needs is the rows
)
WORLDS: Mapping[str, RunConfig] = {"told-hum": _HUMS, "told-nothing": altered(_HUMS, offset=(0.0, 0.0))}


def told_apart(at: At) -> np.ndarray:
    """Share of held-out rows whose hospital is named rightly, of every seed."""
    config = at.run.config
    return np.array([_told(config, replicate) for replicate in range(config.training.replicates)])


def _told(config: RunConfig, replicate: int) -> float:
    train, held_out = data_of(config, replicate)
    mean, sd = train.x.mean(), train.x.std()
    network = MLPClassifier((64, 64), alpha=1e-3, max_iter=_EPOCHS, random_state=config.training.seed + replicate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs, not more
        network.fit((train.x - mean) / sd, train.env)
    return float(network.score((held_out.x - mean) / sd, held_out.env))


OF_WORLD: Mapping[str, Mapping[str, Callable[[At], np.ndarray]]] = {
    "told-hum": {"signals-told-by-hum": told_apart},
    "told-nothing": {"signals-told-by-nothing": lambda at: np.abs(told_apart(at) - 0.5)},
}
