"""The Identifiability page: predicted before training, trained in a process of its own, measured over seeds, bad matrices."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from crl_core.flows.live import tell
from crl_core.identify.live import Trainer
from crl_core.identify.presets import LATENT_PRESETS, latent_preset
from crl_core.identify.shipped import FILE
from crl_core.identify.worlds import World, single_targets
from crl_core.runs import RunStore
from tests.pages.conftest import Open, words

SHIPPED = Path(__file__).parents[2] / "cache" / "baked" / FILE
LIVE, MEASURED = 2, 4


def figures(app) -> int:  # type: ignore[no-untyped-def]
    return len(app.get("plotly_chart"))


def told(world: World, **more: int) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    tell(world, 0, lines.append, **more)
    return lines


def test_the_first_visit_sees_what_the_matrix_promises_and_what_was_measured_over_seeds(
    open_app: Open, store: RunStore
) -> None:
    store.baked.mkdir(parents=True)
    shutil.copy(SHIPPED, store.baked / FILE)
    app = open_app("identify")
    assert not app.exception
    shown = words(app)
    assert "z₁, z₂ and z₃: recovered up to order, sign and scale." in shown
    assert "flow, labels shuffled" in shown
    assert "What alignment" not in shown  # a figure's title, not text
    assert "Measured before the program was shipped, 10 seeds" in shown
    assert figures(app) == LIVE + MEASURED - 1
    for item in LATENT_PRESETS.values():
        assert item.title in shown
    assert "nan" not in shown.lower()


@pytest.mark.parametrize("name", list(LATENT_PRESETS))
def test_every_world_is_predicted_without_training(open_app: Open, store: RunStore, name: str) -> None:
    app = open_app("identify")
    app.selectbox(key="identify.preset").select(name).run()
    assert not app.exception
    assert LATENT_PRESETS[name].lesson in words(app)
    assert "Nothing measured comes with this copy" in words(app)


def test_what_was_trained_before_is_shown_at_once_with_predicted_beside_recovered(
    open_app: Open, store: RunStore
) -> None:
    world = latent_preset("each")
    kept = Trainer(store.root / "identify").file(world, 0)
    kept.parent.mkdir(parents=True)
    kept.write_text("".join(json.dumps(line) + "\n" for line in told(world, restarts=1, steps=40)))
    app = open_app("identify")
    assert not app.exception
    assert "a random rotation scores 0.8" in words(app)
    assert "Train again" in [button.label for button in app.button]
    assert figures(app) == LIVE + 1


def test_a_training_that_ends_with_a_sentence_shows_it(open_app: Open, store: RunStore) -> None:
    kept = Trainer(store.root / "identify").file(latent_preset("each"), 0)
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps({"problem": "the mixing is nearly singular."}) + "\n")
    app = open_app("identify")
    assert not app.exception
    assert [item.value for item in app.error] == ["The mixing is nearly singular."]


@pytest.mark.parametrize(
    ("scales", "says"),
    [
        ([[1.0, 1.0], [0.0, 1.0]], "A scale of 0 leaves nothing of a latent"),
        ([[1.0, 1.0], [np.nan, 1.0]], "is nan"),
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


# -- the process -------------------------------------------------------------------------------------------------------


def test_a_training_is_told_line_by_line_and_ends_with_scores_and_points() -> None:
    *looks, last = told(World(scales=single_targets(2, 3), n_rows=300), restarts=2, steps=60)
    steps = [look["step"] for look in looks]
    assert steps == sorted(set(steps))  # type: ignore[type-var]
    assert len(steps) > 10
    done = last["done"]
    assert isinstance(done, dict)
    assert np.array(done["matrix"]).shape == (2, 2)
    assert np.array(done["truth"]).shape == np.array(done["found"]).shape == (250, 2)
    chain = told(World(scales=single_targets(2, 3), n_rows=300, edges="soft"), restarts=1, steps=20)[-1][
        "done"
    ]
    assert isinstance(chain, dict)
    assert chain["mcc"] == chain["mcc_noises"]


def test_a_process_of_its_own_trains_one_world_at_a_time_and_can_be_cancelled(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path / "identify")
    world, other = (
        World(scales=single_targets(2, 3), n_rows=200),
        World(scales=single_targets(2, 2), n_rows=200),
    )
    assert trainer.state(world, 0).phase == "absent"
    trainer.start(world, 0)
    try:
        trainer.start(world, 0)  # asking again joins it
        with pytest.raises(ValueError, match="one at a time"):
            trainer.start(other, 0)
        assert trainer.state(world, 0).phase == "running"
        trainer.cancel()
        assert trainer.state(world, 0).phase == "absent"
        trainer.start(other, 0)
        deadline = time.monotonic() + 90
        while trainer.state(other, 0).phase == "running" and time.monotonic() < deadline:
            time.sleep(0.2)
        assert trainer.state(other, 0).phase == "done"
        assert Trainer(tmp_path / "identify").state(other, 0).phase == "done"  # kept for the next server
    finally:
        trainer.close()


def test_a_training_whose_process_died_says_so(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path / "identify")
    world = World(scales=single_targets(2, 3))
    trainer.file(world, 0).parent.mkdir(parents=True)
    trainer.file(world, 0).write_text('{"step": 1, "of": 2, "matrix": [[1]], "mcc": 0.5}\n{"step": 2, "of"')
    state = trainer.state(world, 0)
    assert (state.phase, state.problem) == (
        "failed",
        "The training ended before it was done; start it again.",
    )
