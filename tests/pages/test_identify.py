"""The Identifiability page: predicted before training, trained by the worker, measured over seeds, bad matrices."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from crl_core.identify.flows.live import tell
from crl_core.identify.latent_worlds import LatentWorld, single_targets
from crl_core.identify.live import Trainer
from crl_core.identify.presets import LATENT_PRESETS, latent_preset
from crl_core.identify.shipped import BAKED
from crl_core.jobs.manager import JobManager
from crl_core.runs.store import RunStore
from tests.crl_core.made_up import wait_until
from tests.pages.conftest import Open, words

SHIPPED = Path(__file__).parents[2] / "cache" / "baked" / BAKED.file
LIVE, MEASURED = 2, 4


def figures(app) -> int:  # type: ignore[no-untyped-def]
    return len(app.get("plotly_chart"))


def told(world: LatentWorld, **more: int) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    tell(world, 0, lines.append, **more)
    return lines


def test_the_first_visit_sees_what_the_matrix_promises_and_what_was_measured_over_seeds(
    open_app: Open, store: RunStore
) -> None:
    store.baked.mkdir(parents=True)
    shutil.copy(SHIPPED, store.baked / BAKED.file)
    app = open_app("identify")
    assert not app.exception
    shown = words(app)
    assert "z₁, z₂ and z₃: recovered up to order, sign and scale." in shown
    assert "flow, labels shuffled" in shown
    assert "What alignment" not in shown  # a figure's title, not text
    assert "Measured before the program was shipped, 10 seeds" in shown
    assert figures(app) == MEASURED - 1  # the pictures of a training come with it
    for item in LATENT_PRESETS.values():
        assert item.title in shown
    assert "nan" not in shown.lower()


@pytest.mark.parametrize("name", list(LATENT_PRESETS))
def test_every_world_is_predicted_without_training(open_app: Open, store: RunStore, name: str) -> None:
    app = open_app("identify")
    app.selectbox(key="world").select(LATENT_PRESETS[name].title).run()
    assert not app.exception
    assert LATENT_PRESETS[name].lesson in words(app)
    assert "Nothing measured comes with this copy" in words(app)


def test_what_was_trained_before_is_shown_at_once_with_predicted_beside_recovered(
    open_app: Open, store: RunStore
) -> None:
    world = latent_preset("each")
    kept = Trainer(store.root / "identify", JobManager(store)).file(world, 0)
    kept.parent.mkdir(parents=True)
    kept.write_text("".join(json.dumps(line) + "\n" for line in told(world, restarts=1, steps=40)))
    app = open_app("identify")
    assert not app.exception
    shown = words(app)
    assert "a random rotation scores 0.83 in the median, and more than 0.962 one time in twenty" in shown
    assert "agree" not in shown.split("Linear R²")[1].split("CPU seconds")[0]  # one restart
    assert "Train on another draw" in [button.label for button in app.button]
    assert figures(app) == LIVE + 1


def test_where_all_fits_agree_and_are_wrong_the_page_says_both_and_who_is_right(
    open_app: Open, store: RunStore
) -> None:
    world = replace(latent_preset("perfect"), n_rows=2000)
    lines = told(world, restarts=2, steps=400)
    kept = Trainer(store.root / "identify", JobManager(store)).file(latent_preset("perfect"), 0)
    kept.parent.mkdir(parents=True)
    kept.write_text("".join(json.dumps(line) + "\n" for line in lines))
    app = open_app("identify")
    app.selectbox(key="world").select(LATENT_PRESETS["perfect"].title).run()
    assert not app.exception
    shown = words(app)
    assert "Restarts agree: 0.99" in shown or "Restarts agree: 1.00" in shown
    assert "that is not yet being right" in shown
    assert "The flow is right about the noises" in shown
    assert "The likelihood of cut edges, on the same rows: MCC 0.9" in shown
    assert "Squires et al. 2023" in shown


def test_a_training_that_ends_with_a_sentence_shows_it(open_app: Open, store: RunStore) -> None:
    kept = Trainer(store.root / "identify", JobManager(store)).file(latent_preset("each"), 0)
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps({"problem": "the mixing is nearly singular."}) + "\n")
    app = open_app("identify")
    assert not app.exception
    assert [item.value for item in app.error] == ["The mixing is nearly singular."]


@pytest.mark.parametrize(
    ("scales", "says"),
    [
        ([[1.0, 1.0], [0.0, 1.0]], "A scale of 0 leaves nothing of a latent"),
        ([[1.0, 1.0], [np.nan, 1.0]], "The scale of z₁ in environment 2 is empty; give a number"),
        ([[1.0] * 6] * 2, "The number of latents is 6"),
    ],
)
def test_a_matrix_that_cannot_be_is_one_sentence_and_the_rest_stays(
    open_app: Open, store: RunStore, monkeypatch: pytest.MonkeyPatch, scales: list[list[float]], says: str
) -> None:
    monkeypatch.setattr(st, "data_editor", lambda *_, **__: pd.DataFrame(scales))
    app = open_app("identify")
    assert not app.exception
    assert len(app.error) == 1
    assert says in app.error[0].value
    assert "Over seeds" in str([item.value for item in app.subheader])


# -- the worker -------------------------------------------------------------------------------------------------------


def test_a_training_is_told_line_by_line_and_ends_with_scores_and_points() -> None:
    *looks, last = told(LatentWorld(scales=single_targets(2, 3), n_rows=300), restarts=2, steps=60)
    steps = [look["step"] for look in looks]
    assert steps == sorted(set(steps))  # type: ignore[type-var]
    assert len(steps) > 10
    done = last["done"]
    assert isinstance(done, dict)
    assert np.array(done["matrix"]).shape == (2, 2)
    assert np.array(done["truth"]).shape == np.array(done["found"]).shape == (250, 2)
    chain = told(LatentWorld(scales=single_targets(2, 3), n_rows=300, edges="soft"), restarts=1, steps=20)[-1]["done"]
    assert isinstance(chain, dict)
    assert chain["mcc"] == chain["mcc_noises"]


@pytest.fixture
def jobs(store: RunStore) -> Iterator[JobManager]:
    manager = JobManager(store)
    yield manager
    manager.close()


def trainer_of(jobs: JobManager) -> Trainer:
    return Trainer(jobs.store.root / "identify", jobs)


@pytest.mark.slow
def test_the_worker_trains_one_world_after_the_other_and_keeps_what_it_found(jobs: JobManager) -> None:
    trainer = trainer_of(jobs)
    first, second = (LatentWorld(scales=single_targets(2, n), n_rows=200) for n in (3, 2))
    assert trainer.state(first, 0).phase == "absent"
    trainer.start(first, 0)
    trainer.start(first, 0)  # asking again joins it
    trainer.start(second, 0)
    assert trainer.state(second, 0).phase == "queued"
    assert trainer.state(second, 0).ahead == 1
    wait_until(lambda: not trainer.state(second, 0).active, limit_s=90)
    assert trainer.state(first, 0).phase == trainer.state(second, 0).phase == "done"
    other = JobManager(jobs.store)
    assert trainer_of(other).state(first, 0).phase == "done"  # kept for the next server


def test_a_training_can_be_cancelled_under_way_and_asked_for_again_at_once(jobs: JobManager) -> None:
    trainer, world = trainer_of(jobs), LatentWorld(scales=single_targets(4, 5))
    trainer.start(world, 0)
    wait_until(lambda: bool(trainer.state(world, 0).looks), limit_s=90)
    trainer.cancel(world, 0)
    trainer.start(world, 0)
    wait_until(lambda: trainer.state(world, 0).phase == "running", limit_s=30)
    trainer.cancel(world, 0)
    wait_until(lambda: not trainer.state(world, 0).active, limit_s=30)
    assert trainer.state(world, 0).phase == "absent"
    assert not list(trainer.folder.glob("*.jsonl"))
    trainer.start(world, 1)
    trainer.cancel(world, 1)  # out of the queue, or at its first step
    wait_until(lambda: not trainer.state(world, 1).active, limit_s=30)
    assert trainer.state(world, 1).phase == "absent"


@pytest.mark.slow
def test_a_worker_that_is_killed_ends_the_training_with_a_reason_and_the_next_one_works(
    jobs: JobManager,
) -> None:
    trainer, world = trainer_of(jobs), LatentWorld(scales=single_targets(4, 5))
    trainer.start(world, 0)
    wait_until(lambda: bool(trainer.state(world, 0).looks), limit_s=90)
    assert jobs.executor.pid is not None
    os.kill(jobs.executor.pid, signal.SIGKILL)
    wait_until(lambda: trainer.state(world, 0).phase == "failed", limit_s=30)
    assert "killed" in trainer.state(world, 0).problem
    small = LatentWorld(scales=single_targets(2, 2), n_rows=200)
    trainer.start(small, 0)
    wait_until(lambda: trainer.state(small, 0).phase == "done", limit_s=90)


def test_a_training_whose_server_is_gone_says_so(jobs: JobManager) -> None:
    trainer, world = trainer_of(jobs), LatentWorld(scales=single_targets(2, 3))
    trainer.file(world, 0).parent.mkdir(parents=True)
    trainer.file(world, 0).write_text('{"step": 1, "of": 2, "matrix": [[1]], "mcc": 0.5}\n{"step": 2, "of"')
    state = trainer.state(world, 0)
    assert state.phase == "failed"
    assert state.problem == "The training ended before it was done; start it again."


def test_a_full_queue_and_a_program_that_ends_are_said(jobs: JobManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crl_core.jobs.manager.MAX_QUEUE", 0)
    with pytest.raises(ValueError, match="runs are waiting already"):
        trainer_of(jobs).start(latent_preset("each"), 0)
    jobs.close()
    with pytest.raises(ValueError, match="shutting down"):
        trainer_of(jobs).start(latent_preset("each"), 0)
