"""A step that is recorded for a GPU gives, run here, the bits of one that is not; its rehearsals leave no trace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from crl_core import RunConfig, preset
from crl_core.config.text import altered
from crl_core.results import data_of
from crl_core.training.group import BANDWIDTH_STEPS, Group
from crl_core.training.recorded import REHEARSALS, Recorded, Work, rehearsed

SMALL = altered(
    preset("hospital"), n_samples=5000, epochs=2, replicates=2, lams=(0.0, 1.0), hidden=8, latent_dim=4, device="cpu"
)


def group(config: RunConfig, **record: object) -> Group:
    replicates = list(range(config.training.replicates))
    rows = [data_of(config, r) for r in replicates]
    return Group(config, replicates, rows, torch.device("cpu"), torch.float32, **record)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ipm_estimate": "rff"},
        {"ipm_estimate": "block", "batch_size": 300},
        {"outcome": "binary", "align": "environment within outcome"},
        {"bandwidth": 1.0, "weight_decay": 0.01, "validation": 0.2},
    ],
)
def test_a_recorded_step_gives_the_bits_of_a_plain_one(changes: dict[str, object]) -> None:
    config = altered(SMALL, **changes)
    plain, recorded = group(config), group(config, record=rehearsed)
    assert isinstance(recorded._step, Recorded)
    assert plain.steps[0] > BANDWIDTH_STEPS or config.training.batch_size > 128  # both kinds of step
    for epoch in (1, 2):
        ((_, here),), ((_, there),) = plain.train_epoch(epoch), recorded.train_epoch(epoch)
        assert here is not None
        assert there is not None
        for name, losses in here.items():
            np.testing.assert_array_equal(losses, there[name])
    assert torch.equal(plain.net.flat, recorded.net.flat)
    for name, numbers in plain.evaluate().items():
        np.testing.assert_array_equal(numbers, recorded.evaluate()[name])


def test_a_step_is_recorded_once_for_each_kind_and_then_only_replayed() -> None:
    recordings, replays = 0, 0

    def counted(work: Work) -> Work:
        nonlocal recordings
        recordings += 1

        def replay() -> None:
            nonlocal replays
            replays += 1
            work()

        return replay

    own = group(SMALL, record=counted)
    list(own.train_epoch(1))
    list(own.train_epoch(2))
    assert recordings == 2
    assert replays == sum(own.steps)


def test_every_replay_is_given_its_own_batch_in_the_place_of_the_first() -> None:
    seen: list[tuple[int, float]] = []

    def take(batch: Sequence[Tensor], measure: bool) -> None:
        seen.append((batch[0].data_ptr(), float(batch[0].sum())))
        total.add_(batch[0].sum())

    total = torch.zeros(())
    step = Recorded(take, [total], rehearsed)
    for value in (1.0, 2.0, 4.0):
        step([torch.full((2,), value)], False)
    assert [amount for _, amount in seen] == [2.0] * (REHEARSALS + 1) + [4.0, 8.0]
    assert len({place for place, _ in seen}) == 1
    assert float(total) == 14


def test_a_penalty_whose_gradient_is_autograds_is_never_recorded() -> None:
    own = group(altered(SMALL, penalty="coral"), record=rehearsed)
    assert not isinstance(own._step, Recorded)
