"""How many threads torch takes: where there is little to share out they only wait for each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from crl_core.config.run import Training

# Numbers in a layer's units of all models of a batch, below which torch does most of its work on one thread anyway.
# On two cores paths below it took .84 to 1.0 times as long on one, those above 1.03 to 1.4 times.
WORTH_SHARING = 32_768


@contextmanager
def one_thread(wanted: bool = True) -> Iterator[None]:
    """Torch on one thread meanwhile, where that is wanted."""
    before = torch.get_num_threads()
    if wanted:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def is_small(training: Training) -> bool:
    """Whether one thread trains a path as fast as several."""
    return training.models_at_once * training.batch_size * training.hidden < WORTH_SHARING
