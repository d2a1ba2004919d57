"""Independent random streams of one seed, so that drawing more of one thing never moves another."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What randomness is for."""

    MIXING = 0
    DATA = 1
    SPLIT = 2
    WEIGHTS = 3
    BATCHES = 4
    VIEW = 5
    PROJECTION = 6
    OVERLAP = 7
    BASELINES = 8
    PROBES = 9
    PAIRS = 10
    CRITIC = 11
    VALIDATION = 12
    RESAMPLE = 13
    PLACEBO = 14
    TRACES = 15
    FEATURES = 16


def rng_for(seed: int, stream: Stream) -> np.random.Generator:
    """The generator of one purpose. Equal seed and stream give equal bits in every process."""
    return np.random.default_rng(np.random.SeedSequence([seed, int(stream)]))
