"""What is seen of a run while it trains: true to its models, small, steady, and without any hold on the training."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from crl_core import RunConfig, RunStore, Training, preset
from crl_core.config.text import altered
from crl_core.events import (
    COLLAPSED,
    OK,
    EpochEnded,
    Event,
    RunFinished,
    RunStarted,
    StepsTaken,
    ViewSampled,
    from_json,
    to_json,
)
from crl_core.jobs.train_and_store import train_and_store
from crl_core.measures.effect_map import effect_map
from crl_core.measures.so_far import SoFar, Watcher, so_far
from crl_core.measures.view_samples import (
    LOOKS,
    N_UNITS,
    PLANE_SIZE,
    LookedAt,
    ViewSampler,
    is_due,
    layouts,
)
from crl_core.results import RunResult, data_of, view_rows
from crl_core.runs.bundle import export_bytes
from crl_core.runs.eventlog import read_entries
from crl_core.training.group import Group
from crl_core.training.path import train_path
from tests.crl_core.made_up import tiny_config

SMALL = altered(
    preset("hospital"), n_samples=1200, epochs=4, replicates=2, lams=(0.0, 0.1, 10.0), hidden=8, latent_dim=4
)


def watched(config: RunConfig) -> tuple[list[Event], RunResult]:
    events: list[Event] = list(train_path(config, watch=ViewSampler(config)))
    last = events[-1]
    assert isinstance(last, RunFinished)
    assert last.result is not None
    return events, last.result


@pytest.fixture(scope="module")
def seen() -> tuple[list[Event], RunResult]:
    return watched(SMALL)


def through_the_log(events: list[Event]) -> SoFar:
    return so_far(from_json(to_json(event, at=1.0)) for event in events)


@pytest.mark.parametrize("validation", [0.0, 0.3])
def test_who_watches_changes_not_a_bit_of_what_is_trained(validation: float) -> None:
    config = altered(SMALL, validation=validation)
    alone = next(e.result for e in train_path(config) if isinstance(e, RunFinished) and e.result is not None)
    _, result = watched(config)
    for name, value in alone.weights.items():
        np.testing.assert_array_equal(result.weights[name], value)
    for name, rows in alone.history.items():
        np.testing.assert_array_equal(result.history[name], rows)


def test_whoever_watches_is_told_of_the_first_steps_before_the_first_epoch_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Training, "models_at_once", 3)  # one replicate after the other
    config = altered(SMALL, n_samples=3000, batch_size=64)
    events, _ = watched(config)
    steps = config.training.steps_of_epochs(2400)[0]
    told = [event for event in events if isinstance(event, StepsTaken)]
    assert [round(event.epoch * steps) for event in told] == [2, 8, 32]
    assert [type(event) for event in events[: len(told) + 2]] == [RunStarted, *[StepsTaken] * 3, EpochEnded]
    group = Group(config, [0], [data_of(config, 0)], torch.device("cpu"), torch.float32)
    group.steps = [8, *group.steps[1:]]  # an epoch that ends there
    ((_, losses),) = group.train_epoch(1)
    assert losses is not None
    numbers = group.evaluate(losses)
    for name in ("loss", "penalty", "mmd2", "ite_rmse"):  # of replicate 0; the other waits
        np.testing.assert_allclose(getattr(told[1], name)[:3], numbers[name], rtol=1e-4)
    assert np.isnan(told[1].loss[3:]).all()
    assert COLLAPSED in numbers["status"]  # which is no news after eight steps
    for event in told:
        assert set(event.status) == {OK}
        line = to_json(event, at=1.0)
        assert len(line) < 10_000
        again = from_json(line)
        assert isinstance(again, StepsTaken)
        np.testing.assert_array_equal(again.ite_rmse, event.ite_rmse)  # type: ignore[arg-type]
    assert not [event for event in train_path(config) if isinstance(event, StepsTaken)]


def test_the_last_look_is_what_the_trained_models_say(seen: tuple[list[Event], RunResult]) -> None:
    events, result = seen
    views = through_the_log(events).views
    assert views is not None
    assert views.epoch == 4
    rows = LookedAt.of(SMALL, view_rows(SMALL)).rows
    assert len(rows) == N_UNITS
    np.testing.assert_allclose(views.effects, result.effects(rows.x), atol=5e-3)
    maps = effect_map(result, view_rows(SMALL), size=PLANE_SIZE)
    assert maps is not None
    assert views.plane is not None
    np.testing.assert_allclose(views.plane, maps.tau_hat.reshape(3, -1), atol=2e-2)
    assert (np.abs(views.xy) <= views.reach).mean() > 0.98


def test_looks_come_after_their_epoch_and_all_models_of_one_together(seen: tuple[list[Event], RunResult]) -> None:
    epoch, models = 0, []
    for event in seen[0]:
        if isinstance(event, EpochEnded):
            epoch = event.epoch
        elif isinstance(event, ViewSampled):
            assert event.epoch == epoch
            models.append((epoch, *event.models.tolist()))
    assert models == [(e, 0, 1, 2) for e in (1, 2, 3, 4)]


@pytest.mark.parametrize("epochs", [1, 2, 7, 50, 1000])
def test_a_run_is_looked_at_a_few_times_the_first_and_the_last_epoch_among_them(epochs: int) -> None:
    looks = [epoch for epoch in range(1, epochs + 1) if is_due(epoch, epochs)]
    assert looks[0] == 1
    assert looks[-1] == epochs
    assert len(looks) <= LOOKS + 2


@pytest.mark.parametrize("name", ["hospital", "filter", "lamp"])
def test_an_event_is_small(name: str) -> None:
    config = altered(preset(name), n_samples=2000, epochs=1, replicates=1)
    events, _ = watched(config)
    sizes = [len(to_json(event, at=1.0)) for event in events if isinstance(event, ViewSampled)]
    assert 0 < max(sizes) <= 7_000
    assert sum(sizes) < 40_000


def test_axes_that_swap_or_flip_between_looks_do_not_move_a_cloud() -> None:
    rng = np.random.default_rng(0)
    phi = rng.standard_normal((3, 60, 5)) * [3.0, 2.0, 1.0, 0.5, 0.1]
    first = layouts(phi, None)
    flipped = phi[:, :, [1, 0, 2, 4, 3]] * [-1, 1, -1, 1, -1]
    np.testing.assert_allclose(layouts(flipped, first), first, atol=1e-8)


def test_a_layout_spans_as_much_as_any_two_axes_can() -> None:
    """Against the singular values of each λ's standardised latents, one by one."""
    rng = np.random.default_rng(1)
    phi = rng.standard_normal((2, 40, 6)) @ rng.standard_normal((6, 6))
    for own, xy in zip(phi, layouts(phi, None), strict=True):
        sizes = np.linalg.svd((own - own.mean(axis=0)) / own.std(axis=0), compute_uv=False)
        np.testing.assert_allclose(np.linalg.svd(xy, compute_uv=False), sizes[:2], rtol=1e-9)


def test_broken_collapsed_and_one_dimensional_latents_have_a_layout_or_none() -> None:
    phi = np.random.default_rng(2).standard_normal((3, 20, 1))
    phi[0], phi[1, 3] = 5.0, np.inf
    for before in (None, layouts(phi, None)):
        xy = layouts(phi, before)
        assert (xy[0] == 0).all()
        assert np.isnan(xy[1]).all()
        assert np.isfinite(xy[2]).all()


def test_rows_of_which_no_truth_is_known_are_seen_without_a_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = ViewSampler(SMALL)
    held_out = replace(view_rows(SMALL), y0=None, y1=None, z=None, s=None)
    weights = watched(SMALL)[1].of_replicate()
    (event,) = sampler(1, held_out, lambda: weights)
    assert event.plane is None
    views = so_far([_started(3), event]).views
    assert views is not None
    assert views.plane is None
    assert np.isfinite(views.effects).all()


def test_effects_beyond_what_half_a_float_holds_keep_their_size() -> None:
    result = watched(SMALL)[1]
    loud = {k: v * 1e6 if k.startswith("head.1") else v for k, v in result.of_replicate().items()}
    (event,) = ViewSampler(SMALL)(1, view_rows(SMALL), lambda: loud)
    views = so_far([_started(3), from_json(to_json(event, at=0.0))]).views
    assert views is not None
    expected = 1e6 * result.effects(LookedAt.of(SMALL, view_rows(SMALL)).rows.x)
    np.testing.assert_allclose(views.effects, expected, atol=2e-3 * np.abs(expected).max())


def test_a_new_attempt_a_damaged_look_and_a_log_that_is_replaced_are_followed(
    seen: tuple[list[Event], RunResult],
) -> None:
    events = seen[0]
    look = next(event for event in events if isinstance(event, ViewSampled))
    damaged = [replace(look, xy="?"), replace(look, models=np.array([0, 1, 9])), replace(look, effects=look.xy)]
    whole = so_far([events[0], look])
    assert so_far([events[0], look, *damaged]).views is not None
    np.testing.assert_array_equal(so_far([events[0], look, *damaged]).views.xy, whole.views.xy)  # type: ignore[union-attr]
    assert so_far([*events, events[0]]).views is None
    assert so_far([look]).views is None

    def parts() -> Iterator[tuple[list[Event], int]]:
        yield events[:3], 300
        yield events[3:5], 500
        yield [], 100  # another file
        yield events[:1], 100

    told = parts()
    watcher = Watcher(read=lambda offset: next(told))
    assert len(watcher.follow().epochs) == 1
    assert len(watcher.follow().epochs) == sum(isinstance(e, EpochEnded) for e in events[:5])
    again = watcher.follow()
    assert again.epochs == ()
    assert again.views is None
    assert again.started is not None


def test_the_worker_writes_looks_into_the_log_and_no_bundle_takes_them_along(tmp_path: Path) -> None:
    store, config = RunStore(tmp_path), tiny_config()
    assert train_and_store(config, store, with_parts=False).ending == "trained"
    entries, _ = read_entries(store.events_path(config.key))
    assert sum(isinstance(entry.event, ViewSampled) for entry in entries) == 3
    with zipfile.ZipFile(io.BytesIO(export_bytes(store, config.key))) as bundle:
        told = bundle.read("events.jsonl")
    assert b"EpochEnded" in told
    assert b"ViewSampled" not in told


def _started(n_lams: int) -> RunStarted:
    return RunStarted(
        key="k",
        device="cpu",
        lam=np.arange(n_lams, dtype=float),
        replicate=np.zeros(n_lams, dtype=np.int64),
        epochs=1,
        steps_per_epoch=1,
        n_train=1,
        n_held_out=1,
        n_pairs=1,
    )
