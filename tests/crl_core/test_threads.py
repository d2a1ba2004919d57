"""Small paths are trained on one thread, large ones on as many as there are; afterwards all is as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from crl_core import preset
from crl_core.config.text import altered
from crl_core.training.path import train_path
from crl_core.training.threads import WORTH_SHARING, is_small


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("hidden", "threads"), [(8, 1), (64, 2)])
def test_a_path_takes_the_threads_that_it_is_worth_and_gives_them_back(hidden: int, threads: int) -> None:
    config = altered(preset("hospital"), n_samples=300, epochs=2, replicates=1, hidden=hidden, device="cpu")
    assert is_small(config.training) == (16 * 128 * hidden < WORTH_SHARING) == (threads == 1)
    events = train_path(config)
    next(events)
    assert torch.get_num_threads() == threads
    list(events)
    assert torch.get_num_threads() == 2


def test_a_path_that_is_stopped_gives_its_threads_back() -> None:
    config = altered(preset("hospital"), n_samples=300, epochs=2, replicates=1, hidden=8, device="cpu")
    assert [type(event).__name__ for event in train_path(config, should_stop=lambda: True)] == ["RunStarted"]
    assert torch.get_num_threads() == 2
